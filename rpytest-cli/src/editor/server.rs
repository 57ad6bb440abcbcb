//! What the editor asks, and what it is answered.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use rpytest_collect::Collector;
use serde_json::{Value, json};

use super::child::{self, Child};
use super::output::{Output, Unsent};
use super::rpc::{self, Code, Failure, Incoming, Params};
use super::status::Statuses;
use super::{Told, events, nearest, unsaved};
use crate::exit;

/// The version of what `docs/editor.md` describes.
const PROTOCOL: u32 = 1;

const METHODS: [&str; 8] = [
    "initialize",
    "listTestsInFile",
    "getNearestTest",
    "runTest",
    "runNearestTest",
    "runTestsInFile",
    "getTestStatus",
    "shutdown",
];

/// Bytes of a report that an error tells at most.
const TAIL: usize = 4000;

/// What is to be done with the tests of a file, once they are known.
#[derive(Clone, Debug)]
enum Then {
    List,
    Nearest(u32),
    /// With more options.
    RunNearest(u32, Vec<OsString>),
}

#[derive(Debug)]
enum Work {
    Run { counts: Option<Value> },
    Discover { document: Vec<u8>, then: Then },
}

/// A child, and the request that it is for.
#[derive(Debug)]
struct Job {
    request: Value,
    child: Child,
    work: Work,
    arguments: Vec<OsString>,
    /// The end of what it has written besides.
    report: String,
    is_cancelled: bool,
    began: Instant,
}

pub(super) struct Server {
    /// Of each run.
    arguments: Vec<OsString>,
    tell: SyncSender<Told>,
    out: Output,
    is_initialized: bool,
    is_shut: bool,
    ended: Option<u8>,
    next: u64,
    jobs: BTreeMap<u64, Job>,
    statuses: Statuses,
    /// The files that ids begin with. Only the document that has an id says what it is relative to: pytest's root depends on the
    /// file.
    files: BTreeMap<String, PathBuf>,
}

impl Server {
    pub fn new(arguments: Vec<OsString>, tell: SyncSender<Told>, out: Output) -> Self {
        Self {
            arguments,
            tell,
            out,
            is_initialized: false,
            is_shut: false,
            ended: None,
            next: 1,
            jobs: BTreeMap::new(),
            statuses: Statuses::default(),
            files: BTreeMap::new(),
        }
    }

    /// The exit code for an editor that is gone.
    pub fn code(&self) -> u8 {
        u8::from(!self.is_shut)
    }

    /// The exit code, once there is nothing left to serve.
    pub fn ended(&self) -> Option<u8> {
        self.ended
    }

    /// Ends all children, and what is still to be written.
    pub fn end(mut self) {
        for job in self.jobs.values() {
            job.child.terminate();
        }
        for job in self.jobs.values_mut() {
            job.child.wait();
        }
        self.out.end();
    }

    // ------------------------------------------------------------------ what the editor says

    pub fn body(&mut self, body: &[u8]) {
        match rpc::parse(body) {
            Ok(None) => {}
            Ok(Some(incoming)) => self.incoming(&incoming),
            Err((id, failure)) => self.answer(&id, &Err(failure)),
        }
    }

    /// Of something that came and has no id that could be read.
    pub fn refuse(&mut self, failure: Failure) {
        self.answer(&Value::Null, &Err(failure));
    }

    fn incoming(&mut self, incoming: &Incoming) {
        let Some(id) = &incoming.id else {
            return self.notified(incoming);
        };
        if self.jobs.values().any(|job| job.request == *id) {
            let failure = Failure::new(Code::InvalidRequest, "a request of that id is under way");
            return self.answer(id, &Err(failure));
        }
        // None: the answer comes later.
        if let Some(result) = self.request(id, incoming).transpose() {
            self.answer(id, &result);
        }
    }

    fn notified(&mut self, incoming: &Incoming) {
        match incoming.method.as_str() {
            "exit" => self.ended = Some(self.code()),
            "$/cancelRequest" => {
                let id = incoming.params.value("id");
                let jobs = self.jobs.values_mut();
                for job in { jobs }.filter(|job| Some(&job.request) == id) {
                    // The second time it does not wait for teardown.
                    match (job.is_cancelled, &job.work) {
                        (false, Work::Run { .. }) => job.child.interrupt(),
                        _ => job.child.terminate(),
                    }
                    job.is_cancelled = true;
                }
            }
            // Nobody could be told that it is not known.
            _ => {}
        }
    }

    fn request(&mut self, id: &Value, incoming: &Incoming) -> Result<Option<Value>, Failure> {
        let Incoming { method, params, .. } = incoming;
        if !METHODS.contains(&method.as_str()) {
            let failure = format!("there is no method {method:?}");
            return Err(Failure::new(Code::MethodNotFound, failure));
        }
        if self.is_shut {
            let failure = "the server was shut down; only exit is left to say";
            return Err(Failure::new(Code::InvalidRequest, failure));
        }
        if self.is_initialized == (method == "initialize") {
            return Err(match self.is_initialized {
                true => Failure::new(Code::InvalidRequest, "it was initialized before"),
                false => Failure::new(Code::NotInitialized, "initialize comes first"),
            });
        }
        match method.as_str() {
            "initialize" => self.initialize(params).map(Some),
            "shutdown" => {
                self.is_shut = true;
                for job in self.jobs.values_mut() {
                    job.is_cancelled = true;
                    job.child.terminate();
                }
                Ok(Some(Value::Null))
            }
            "listTestsInFile" => self.discover(id, params, Then::List),
            "getNearestTest" => self.discover(id, params, Then::Nearest(params.line("line")?)),
            "runNearestTest" => {
                let then = Then::RunNearest(params.line("line")?, more(params)?);
                self.discover(id, params, then)
            }
            "runTestsInFile" => {
                let file = file_of(params)?;
                self.run(id, vec![file.into()], more(params)?)
                    .map(|()| None)
            }
            "runTest" => {
                let ids = params.texts("id")?.filter(|ids| !ids.is_empty());
                let Some(ids) = ids else {
                    let failure = "id is missing: a node id, or a list of them";
                    return Err(Failure::new(Code::InvalidParams, failure));
                };
                let tests = self.arguments_for(&ids)?;
                self.run(id, tests, more(params)?).map(|()| None)
            }
            _ => self.status(params).map(Some),
        }
    }

    fn initialize(&mut self, params: &Params) -> Result<Value, Failure> {
        if let Some(root) = params.text("root")? {
            let root = path_of(root);
            std::env::set_current_dir(&root).map_err(|error| {
                let failure = format!("root: {}: {error}", root.display());
                Failure::new(Code::InvalidParams, failure)
            })?;
        }
        let cwd = std::env::current_dir().map_err(failed)?;
        self.is_initialized = true;
        Ok(json!({
            "protocol": PROTOCOL,
            "server": {"name": "rpytest", "version": env!("CARGO_PKG_VERSION")},
            "root": cwd.to_string_lossy(),
            "methods": METHODS,
        }))
    }

    fn status(&self, params: &Params) -> Result<Value, Failure> {
        let id = params.text("id")?.unwrap_or_default();
        if let Some(status) = self.statuses.get(id) {
            return Ok(json!({"tests": {id: status.shown()}}));
        }
        let known = self.statuses.below(id);
        let known: serde_json::Map<String, Value> = known
            .map(|(id, status)| (id.to_owned(), status.shown()))
            .collect();
        Ok(json!({"tests": known}))
    }

    /// Finds the tests of a file; at once if its text was given.
    fn discover(
        &mut self,
        id: &Value,
        params: &Params,
        then: Then,
    ) -> Result<Option<Value>, Failure> {
        let file = file_of(params)?;
        if let Some(text) = params.text("text")? {
            let document = unsaved::document(&self.arguments, &file, text).map_err(failed)?;
            return self.found(id, document, then);
        }
        let mut arguments: Vec<OsString> = vec!["--discover".into()];
        arguments.extend(self.arguments.iter().cloned());
        arguments.push(file.into());
        let document = Vec::new();
        self.start(id, arguments, Work::Discover { document, then })?;
        Ok(None)
    }

    /// The tests of a file are known.
    fn found(&mut self, id: &Value, document: Value, then: Then) -> Result<Option<Value>, Failure> {
        self.note_files(&document["tree"]);
        match then {
            Then::List => Ok(Some(document)),
            Then::Nearest(line) => {
                let test = nearest::nearest(&document, line);
                Ok(Some(json!({"test": test, "errors": document["errors"]})))
            }
            Then::RunNearest(line, more) => {
                let test = nearest::nearest(&document, line);
                let Some(test) = test.as_ref().and_then(|test| test["id"].as_str()) else {
                    let failure = format!("there is no test at line {line} or above it");
                    return Err(Failure::new(Code::RequestFailed, failure));
                };
                let tests = self.arguments_for(&[test.to_owned()])?;
                self.run(id, tests, more)?;
                Ok(None)
            }
        }
    }

    fn note_files(&mut self, node: &Value) {
        if node["kind"] == "file"
            && let (Some(id), Some(path)) = (node["id"].as_str(), node["path"].as_str())
        {
            self.files.insert(id.to_owned(), path.into());
        }
        for child in node["children"].as_array().into_iter().flatten() {
            self.note_files(child);
        }
    }

    // ------------------------------------------------------------------ children

    /// Node ids as arguments, which are below the directory and not below pytest's root. Of a file that no document has shown it
    /// can only be guessed that its root is the directory's.
    fn arguments_for(&self, ids: &[String]) -> Result<Vec<OsString>, Failure> {
        let cwd = std::env::current_dir().map_err(failed)?;
        let settings = Collector::new(&cwd).settings().map_err(failed)?;
        let below = |id: &String| {
            let (file, rest) = match id.split_once("::") {
                Some((file, rest)) => (file, Some(rest)),
                None => (id.as_str(), None),
            };
            let path = self.files.get(file).cloned();
            let path = path.unwrap_or_else(|| settings.rootdir.join(file));
            let mut argument = path.into_os_string();
            if let Some(rest) = rest {
                argument.push("::");
                argument.push(rest);
            }
            argument
        };
        Ok(ids.iter().map(below).collect())
    }

    fn run(
        &mut self,
        id: &Value,
        tests: Vec<OsString>,
        more: Vec<OsString>,
    ) -> Result<(), Failure> {
        let mut arguments: Vec<OsString> = vec!["--message-format=json".into()];
        arguments.extend(self.arguments.iter().cloned());
        arguments.extend(more);
        arguments.extend(tests.iter().cloned());
        let number = self.start(id, arguments, Work::Run { counts: None })?;
        let tests: Vec<_> = tests.iter().map(|test| test.to_string_lossy()).collect();
        let params = json!({"run": number, "request": id, "arguments": tests});
        self.notify("run/started", &params);
        Ok(())
    }

    fn start(&mut self, id: &Value, arguments: Vec<OsString>, work: Work) -> Result<u64, Failure> {
        let number = self.next;
        self.next += 1;
        let child = Child::start(number, &arguments, &self.tell).map_err(failed)?;
        let job = Job {
            request: id.clone(),
            child,
            work,
            arguments,
            report: String::new(),
            is_cancelled: false,
            began: Instant::now(),
        };
        self.jobs.insert(number, job);
        Ok(number)
    }

    /// A child has told something.
    pub fn child(&mut self, number: u64, told: child::Told) {
        let Some(job) = self.jobs.get_mut(&number) else {
            return;
        };
        match told {
            child::Told::Ended => self.job_ended(number),
            child::Told::Report(text) => {
                job.report.push_str(&text);
                let surplus = job.report.len().saturating_sub(2 * TAIL);
                if surplus > 0 {
                    let at = (surplus..).find(|at| job.report.is_char_boundary(*at));
                    job.report.drain(..at.unwrap_or_default());
                }
                if matches!(job.work, Work::Run { .. }) {
                    self.notify("run/output", &json!({"run": number, "text": text}));
                }
            }
            child::Told::Line(line) => match &mut job.work {
                Work::Discover { document, .. } => document.extend(line),
                Work::Run { counts } => {
                    let Some(heard) = events::read(number, &line) else {
                        return;
                    };
                    if heard.counts.is_some() {
                        *counts = heard.counts;
                    }
                    if let Some((id, status)) = heard.status {
                        self.statuses.set(id, status);
                    }
                    if let Some((method, params)) = heard.notification {
                        self.notify(method, &params);
                    }
                }
            },
        }
    }

    /// Children whose pipes something else holds open have ended all the same.
    pub fn tick(&mut self) {
        let jobs = self.jobs.iter_mut();
        let ended: Vec<u64> = jobs
            .filter_map(|(number, job)| job.child.ended_a_while_ago().then_some(*number))
            .collect();
        for number in ended {
            self.job_ended(number);
        }
    }

    fn job_ended(&mut self, number: u64) {
        let Some(mut job) = self.jobs.remove(&number) else {
            return;
        };
        let code = job.child.wait();
        self.statuses.run_is_over(number);
        let cancelled = Failure::new(Code::RequestCancelled, "it was cancelled");
        let result = match job.work {
            Work::Run { counts } => {
                let params = json!({
                    "run": number,
                    "exit": code,
                    "counts": counts,
                    "seconds": job.began.elapsed().as_secs_f64(),
                    "cancelled": job.is_cancelled,
                });
                self.notify("run/finished", &params);
                // Wrong arguments, and a run that could not go on, are told by what it has written.
                let is_run = matches!(code, 0..=2 | 5) && counts.is_some();
                match (job.is_cancelled, is_run) {
                    (true, _) => Err(cancelled),
                    (false, true) => Ok(Some(params)),
                    (false, false) => Err(without_result(&job.arguments, code, &job.report)),
                }
            }
            Work::Discover { .. } if job.is_cancelled => Err(cancelled),
            Work::Discover { document, then } => match serde_json::from_slice(&document) {
                Ok(document) => self.found(&job.request, document, then),
                Err(_) => Err(without_result(&job.arguments, code, &job.report)),
            },
        };
        if let Some(result) = result.transpose() {
            self.answer(&job.request, &result);
        }
    }

    // ------------------------------------------------------------------ output

    fn answer(&mut self, id: &Value, result: &Result<Value, Failure>) {
        self.send(rpc::answer(id, result));
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(rpc::notification(method, params));
    }

    fn send(&mut self, body: Vec<u8>) {
        // Whoever was given up is not waited for again.
        if self.ended.is_some() {
            return;
        }
        match self.out.send(body) {
            Ok(()) => {}
            Err(Unsent::Broken) => self.ended = Some(exit::INTERNAL_ERROR),
            Err(Unsent::GivenUp) => self.ended = Some(self.code()),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::InternalError, error.to_string())
}

/// Of a child that did not come to what it was for: what it has said is all that is known.
fn without_result(arguments: &[OsString], code: i32, report: &str) -> Failure {
    let at = report.len().saturating_sub(TAIL);
    let at = (at..).find(|at| report.is_char_boundary(*at)).unwrap_or(0);
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let message = format!(
        "rpytest {} exited with {code}: {}",
        words.join(" "),
        report[at..].trim()
    );
    Failure::new(Code::RequestFailed, message)
}

/// The path of the parameter `file`, absolute, so that it is no option.
fn file_of(params: &Params) -> Result<PathBuf, Failure> {
    let path = path_of(params.required_text("file")?);
    let path = std::path::absolute(&path).map_err(failed)?;
    match path.is_file() {
        true => Ok(path),
        false => {
            let failure = format!("file: {} is no file", path.display());
            Err(Failure::new(Code::InvalidParams, failure))
        }
    }
}

/// A path, which may be a `file:` URI.
fn path_of(text: &str) -> PathBuf {
    let Some(path) = text.strip_prefix("file://") else {
        return Path::new(text).to_owned();
    };
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    crate::session::decode(&bytes)
}

/// Options for this run alone.
fn more(params: &Params) -> Result<Vec<OsString>, Failure> {
    let more = params.texts("arguments")?.unwrap_or_default();
    Ok(more.into_iter().map(OsString::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_path() {
        for (text, path) in [
            ("/a b.py", "/a b.py"),
            ("file:///a%20b%C3%9f.py", "/a bß.py"),
            ("file:///a%2", "/a%2"),
            ("relative.py", "relative.py"),
        ] {
            assert_eq!(path_of(text), Path::new(path));
        }
    }
}
