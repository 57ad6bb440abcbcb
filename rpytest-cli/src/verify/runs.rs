//! The runs: what is started, with which environment, and from which state of the files.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rpytest_worker::Interpreter;
use rpytest_worker::embedded::OBSERVER;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use super::artefact::Artefacts;
use super::files::{Saved, remove_whole};
use super::normal::Normal;
use super::observation::{Observation, Ran};
use crate::args::VerifyArguments;
use crate::exit;
use crate::quoted::quoted;
use crate::settings::ONLY_PYTESTS;
use crate::signals::Signals;

/// How often it is looked whether a run has ended.
const GLANCE: Duration = Duration::from_millis(2);
/// How long a run that was asked to end may take.
const MERCY: Duration = Duration::from_secs(30);
/// How long the daemon may take to make what the next run begins from.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who runs the tests, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Pytest,
    /// `rpytest --no-daemon`
    Cold,
    /// The run after which there is a daemon.
    First,
    /// From what the daemon keeps.
    Warm,
    /// `rpytest -n 2`
    Workers,
    /// `pytest -n 2`, by xdist
    Xdist,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// The exit code for a signal.
    #[error("interrupted")]
    Signal(u8),
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The node ids of the tests of each worker, from the events of a run.
fn lanes(events: &str) -> Vec<Vec<String>> {
    let mut lanes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let [kind, nodeid, worker] = ["event", "nodeid", "worker"].map(|name| event[name].as_str());
        if let (Some("test_started"), Some(nodeid), Some(worker)) = (kind, nodeid, worker) {
            let lane = lanes.entry(worker.to_owned()).or_default();
            lane.push(nodeid.to_owned());
        }
    }
    lanes.into_values().collect()
}

/// Everything that runs have in common.
pub(super) struct Bench<'a> {
    arguments: &'a VerifyArguments,
    python: PathBuf,
    program: PathBuf,
    /// Words by which the interpreter runs pytest.
    pytest: Vec<OsString>,
    cwd: PathBuf,
    rootdir: PathBuf,
    /// Whether `addopts` ask for workers.
    configured_workers: bool,
    signals: &'a Signals,
    saved: Saved,
    pub(super) normal: Normal,
    private: TempDir,
    has_daemon: bool,
    pub(super) has_xdist: bool,
    pub(super) count: usize,
    /// What could not be put back.
    problems: Vec<String>,
}

/// What is left of a comparison.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What could not be put back, or kept.
    pub(super) problems: Vec<String>,
    /// A directory with what the user may have written meanwhile.
    pub(super) edited: Option<PathBuf>,
    /// A directory with what could not be put back.
    pub(super) lost: Option<PathBuf>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        arguments: &'a VerifyArguments,
        interpreter: &Interpreter,
        rootdir: &Path,
        configured_workers: bool,
        signals: &'a Signals,
        private: TempDir,
        saved: Saved,
    ) -> io::Result<Self> {
        let plugin = private.path().join("p");
        fs::create_dir_all(plugin.join("out"))?;
        fs::write(plugin.join(OBSERVER.0), OBSERVER.1)?;
        let python = interpreter.path().to_owned();
        Ok(Self {
            arguments,
            program: std::env::current_exe()?,
            pytest: pytest(&python),
            python,
            cwd: std::env::current_dir()?,
            rootdir: rootdir.to_owned(),
            configured_workers,
            signals,
            saved,
            normal: Normal::new(private.path()),
            private,
            has_daemon: false,
            has_xdist: false,
            count: 0,
            problems: Vec::new(),
        })
    }

    /// Runs it, and makes the files as they were.
    pub(super) fn run(&mut self, way: Way) -> Result<Ran, Stopped> {
        self.run_with(way, &self.arguments())
    }

    /// Runs it with workers, and returns the tests of each, in the order in which it has begun them.
    pub(super) fn lanes(&mut self) -> Result<(Ran, Vec<Vec<String>>), Stopped> {
        let events = self.private.path().join("p/out/events.jsonl");
        let mut format = OsString::from("json=");
        format.push(&events);
        let mut arguments = vec!["--message-format".into(), format];
        arguments.extend(self.arguments());
        let ran = self.run_with(Way::Workers, &arguments)?;
        let text = fs::read_to_string(&events)?;
        fs::remove_file(events)?;
        Ok((ran, lanes(&text)))
    }

    /// Runs these tests of the user's with pytest, in this order. No command line could say that of so many.
    pub(super) fn run_in_order(&mut self, nodeids: &[String]) -> Result<Ran, Stopped> {
        let order = self.private.path().join("p/out/order.json");
        fs::write(
            &order,
            serde_json::to_vec(nodeids).map_err(io::Error::from)?,
        )?;
        let ran = self.run(Way::Pytest);
        fs::remove_file(order)?;
        ran
    }

    /// The same with other arguments.
    pub(super) fn run_with(&mut self, way: Way, arguments: &[OsString]) -> Result<Ran, Stopped> {
        let observed = self.private.path().join("p/out/observation.json");
        let own_junit = self.private.path().join("p/out/junit.xml");
        for old in [&observed, &own_junit] {
            let _ = fs::remove_file(old);
        }
        // `tmp_path` and its like are below this, with the same numbers in each run.
        let temporary = self.private.path().join("t");
        remove_whole(&temporary)?;
        fs::create_dir(&temporary)?;
        let mut command = self.command(way);
        command.args(arguments);
        if matches!(way, Way::First | Way::Warm | Way::Workers) {
            self.has_daemon = true;
        }
        let streams = ["out", "err"].map(|name| self.private.path().join(name));
        command.stdin(Stdio::null());
        command.stdout(File::create(&streams[0])?);
        command.stderr(File::create(&streams[1])?);
        // Ctrl-C comes to it by way of us, once.
        command.process_group(0);
        let began = Instant::now();
        let child = command.spawn().map_err(|error| {
            Stopped::Failed(format!(
                "{:?} does not start: {error}",
                command.get_program()
            ))
        })?;
        self.count += 1;
        let code = self.wait(child)?;
        let wall = began.elapsed();
        let [stdout, stderr] = streams.map(|path| {
            let bytes = fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let observation = fs::read(&observed).ok();
        let observation: Option<Observation> =
            observation.and_then(|text| serde_json::from_slice(&text).ok());
        let spent = observation.as_ref().map_or(0.0, |one| one.seconds);
        let spent = Duration::try_from_secs_f64(spent).unwrap_or_default();
        let junit = observation.as_ref().map(|one| PathBuf::from(&one.junit));
        let junit = junit.filter(|path| !path.as_os_str().is_empty());
        let artefacts = Artefacts {
            rootdir: &self.rootdir,
            python: &self.python,
            normal: &self.normal,
        };
        let files = artefacts.texts(
            self.saved.changes(),
            junit.as_deref().unwrap_or(Path::new("")),
        );
        let ran = Ran {
            code,
            wall: wall.saturating_sub(spent),
            stdout,
            stderr,
            junit: junit.and_then(|path| fs::read_to_string(path).ok()),
            observation,
            files,
        };
        self.put_back();
        Ok(ran)
    }

    fn put_back(&mut self) {
        for problem in self.saved.restore() {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    fn command(&self, way: Way) -> Command {
        let of_pytest = matches!(way, Way::Pytest | Way::Xdist);
        let mut command = Command::new(if of_pytest {
            &self.python
        } else {
            &self.program
        });
        if of_pytest {
            command.args(&self.pytest);
        }
        let in_one_process = matches!(way, Way::Pytest | Way::Cold | Way::First | Way::Warm);
        if self.arguments.runs {
            command.args(["-p", "rpytest_verify"]);
        }
        let without_daemon = way == Way::Cold || (way == Way::Workers && !self.may_have_daemon());
        if without_daemon {
            command.arg("--no-daemon");
        }
        if in_one_process && self.configured_workers {
            command.arg("-n0");
        } else if !in_one_process {
            command.args(self.workers());
        }
        let plugin = self.private.path().join("p");
        let paths = std::env::var_os("PYTHONPATH").filter(|paths| !paths.is_empty());
        let paths = match paths {
            None => plugin.into_os_string(),
            Some(paths) => {
                let mut all = plugin.into_os_string();
                all.push(":");
                all.push(paths);
                all
            }
        };
        command
            .current_dir(&self.cwd)
            .env("PYTHONPATH", paths)
            .env("PYTEST_DEBUG_TEMPROOT", self.private.path().join("t"))
            .env("RPYTEST_DAEMON_DIR", self.private.path().join("d"))
            .env("RPYTEST_PYTHON", &self.python)
            // What pytest does not have can be no part of what is compared.
            .env(ONLY_PYTESTS, "1")
            .env_remove("RPYTEST_MESSAGE_FORMAT")
            .env_remove("RPYTEST_GITHUB");
        if std::env::var_os("PYTHONHASHSEED").is_none() {
            command.env("PYTHONHASHSEED", "0");
        }
        // Who never keeps bytecode compiles it in each run, which is no measure for anybody else. It goes where the
        // user need not have it.
        if std::env::var_os("PYTHONDONTWRITEBYTECODE").is_some_and(|value| !value.is_empty()) {
            command.env_remove("PYTHONDONTWRITEBYTECODE");
            command.env("PYTHONPYCACHEPREFIX", self.private.path().join("c"));
        }
        command
    }

    /// The arguments about workers.
    fn workers(&self) -> &[OsString] {
        &self.arguments.workers
    }

    /// Why no daemon may be used, if so.
    pub(super) fn why_no_daemon(&self) -> Option<String> {
        if !self.arguments.daemon {
            return Some("--no-daemon is given".to_owned());
        }
        let mut names = ["RPYTEST_NO_DAEMON", "CI"].into_iter();
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let name = names.find(is_set)?;
        Some(format!("{name} is set"))
    }

    pub(super) fn may_have_daemon(&self) -> bool {
        self.why_no_daemon().is_none()
    }

    /// What somebody types to see the same, with other arguments than the user's perhaps.
    pub(super) fn typed(&self, way: Way, arguments: &[OsString]) -> String {
        let mut words: Vec<String> = match way {
            Way::Pytest | Way::Xdist => vec!["pytest".to_owned()],
            Way::Cold => vec!["rpytest".to_owned(), "--no-daemon".to_owned()],
            Way::First | Way::Warm | Way::Workers => vec!["rpytest".to_owned()],
        };
        if matches!(way, Way::Workers | Way::Xdist) {
            words.extend(self.workers().iter().map(|word| quoted(word)));
        }
        words.extend(arguments.iter().map(|word| quoted(word)));
        words.join(" ")
    }

    /// The user's arguments.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        self.arguments.pytest.clone()
    }

    /// The user's arguments with one test in the place of what they select.
    pub(super) fn of_one_test(&self, nodeid: &str) -> Vec<OsString> {
        let is_place = |word: &OsString| {
            let text = word.to_string_lossy();
            let path = text.split("::").next().unwrap_or_default();
            !text.starts_with('-') && (text.contains("::") || self.cwd.join(path).exists())
        };
        let options = self
            .arguments
            .pytest
            .iter()
            .take_while(|word| *word != "--");
        let mut kept: Vec<OsString> = Vec::new();
        for word in options {
            if !is_place(word) || kept.last().is_some_and(|last| may_take_a_value(last)) {
                kept.push(word.clone());
            }
        }
        // Node ids are relative to the root directory, and arguments to the current one.
        let below = self
            .cwd
            .strip_prefix(&self.rootdir)
            .unwrap_or(Path::new(""));
        let up: PathBuf = below.iter().map(|_| "..").collect();
        let place = match nodeid.strip_prefix(&format!("{}/", below.display())) {
            Some(nodeid) if !below.as_os_str().is_empty() => nodeid.to_owned(),
            _ => up.join(nodeid).to_string_lossy().into_owned(),
        };
        kept.push(place.into());
        kept
    }

    /// Waits until the daemon has made what it can for the next run.
    pub(super) fn settle(&mut self) -> Result<(), Stopped> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !self.status().is_some_and(|one| has_settled(&one)) {
            self.check()?;
            thread::sleep(Duration::from_millis(50));
        }
        // It may have looked at files, or its session may have made some.
        self.put_back();
        Ok(())
    }

    /// How often each stage was lent: interpreters, configured sessions, collected ones.
    pub(super) fn lent(&self) -> [u64; 3] {
        let status = self.status().unwrap_or_default();
        let snapshots = status["snapshots"].as_array().cloned().unwrap_or_default();
        ["interpreter", "configured", "collected"].map(|stage| {
            let of_stage = snapshots.iter().filter(|one| one["stage"] == stage);
            of_stage.filter_map(|one| one["lent"].as_u64()).sum()
        })
    }

    fn status(&self) -> Option<Value> {
        let output = self
            .daemon_command("--daemon-status")
            .arg("--json")
            .output();
        serde_json::from_slice(&output.ok()?.stdout).ok()
    }

    fn daemon_command(&self, option: &str) -> Command {
        let mut command = self.command(Way::First);
        // It is about the project, not about a run.
        let mut plain = Command::new(command.get_program());
        plain.arg(option).current_dir(&self.cwd);
        plain.stdin(Stdio::null()).process_group(0);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => plain.env(name, value),
                None => plain.env_remove(name),
            };
        }
        command = plain;
        command
    }

    /// Whether the user wants it to end.
    fn check(&self) -> Result<(), Stopped> {
        match self.signals.ended_by() {
            Some(code) => Err(Stopped::Signal(code)),
            None => Ok(()),
        }
    }

    /// The exit code of a run; what the user's signals ask for reaches it.
    fn wait(&mut self, mut child: Child) -> Result<i32, Stopped> {
        let group = Pid::from_child(&child);
        let mut told = 0;
        let mut since = None;
        loop {
            if let Some(status) = child.try_wait()? {
                if since.is_some() {
                    // What a test has started may be in nobody's care.
                    let _ = kill_process_group(group, Signal::KILL);
                    self.put_back();
                    self.check()?;
                }
                let signal = status.signal().map(|signal| 128 + signal);
                return Ok(status.code().or(signal).unwrap_or(-1));
            }
            let interrupts = self.signals.interrupts();
            let terminated = self.signals.terminated().is_some();
            if interrupts > told || (terminated && since.is_none()) {
                let signal = if terminated {
                    Signal::TERM
                } else {
                    Signal::INT
                };
                let _ = kill_process_group(group, signal);
                told = interrupts;
                since.get_or_insert_with(Instant::now);
            }
            if since.is_some_and(|since| since.elapsed() > MERCY) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            thread::sleep(GLANCE);
        }
    }

    /// The exit code if a run of pytest gave no answer that another could be compared with.
    pub(super) fn nothing_to_compare(&self, ran: &Ran) -> Option<u8> {
        let code = u8::try_from(ran.code).unwrap_or(exit::INTERNAL_ERROR);
        match code {
            exit::INTERNAL_ERROR | exit::USAGE_ERROR | exit::NO_TESTS_COLLECTED => Some(code),
            _ if self.arguments.runs && ran.observation.is_none() => Some(exit::INTERNAL_ERROR),
            _ => None,
        }
    }

    /// Ends what still runs, makes the files as they were, and keeps what that cannot give back.
    pub(super) fn end(mut self) -> Left {
        self.stop();
        let edited = self.saved.doubtful(runs_told_apart(self.count));
        let (edited, mut problems) = self.kept(edited);
        let (lost, others) = self.kept(self.saved.lost());
        problems.extend(others);
        self.problems.extend(problems);
        Left {
            problems: std::mem::take(&mut self.problems),
            edited,
            lost,
        }
    }

    fn stop(&mut self) {
        if std::mem::take(&mut self.has_daemon) {
            let _ = self.daemon_command("--daemon-stop").output();
        }
        self.put_back();
    }

    /// Copies in a directory that stays, and what has become no copy.
    fn kept<'p>(
        &self,
        copies: impl Iterator<Item = (&'p Path, &'p Path)>,
    ) -> (Option<PathBuf>, Vec<String>) {
        let mut place: Option<TempDir> = None;
        let mut problems = Vec::new();
        for (path, copy) in copies {
            let mut keep = || -> io::Result<()> {
                let place = match &mut place {
                    Some(place) => place,
                    None => {
                        place.insert(tempfile::Builder::new().prefix("rpytest-kept-").tempdir()?)
                    }
                };
                let name = path.strip_prefix(&self.rootdir).unwrap_or(path);
                let name: PathBuf = name.iter().filter(|part| *part != "/").collect();
                let to = place.path().join(name);
                fs::create_dir_all(to.parent().unwrap_or(place.path()))?;
                // It costs no room, where a full disk may be what is wrong.
                fs::hard_link(copy, &to).or_else(|_| fs::copy(copy, &to).map(drop))
            };
            // One that fails must not cost the others.
            if let Err(error) = keep() {
                problems.push(format!(
                    "{}, of which no copy is kept: {error}",
                    path.display()
                ));
            }
        }
        (place.map(TempDir::keep), problems)
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        self.stop();
        // The private directory goes next, which cannot remove what a test has locked.
        let _ = remove_whole(&self.private.path().join("t"));
    }
}

/// In how many runs a file must have become another one to be the runs' own: after a single run nobody can tell the
/// user's hand from the run's.
fn runs_told_apart(count: usize) -> usize {
    count.max(2)
}

/// Whether no session is being made.
fn has_settled(status: &Value) -> bool {
    let snapshots = status["snapshots"].as_array().cloned().unwrap_or_default();
    let refused = |one: &Value| {
        one["refusals"]
            .as_array()
            .is_some_and(|why| !why.is_empty())
    };
    let mut sessions = snapshots.iter().filter(|one| one["stage"] != "interpreter");
    let is_last = |one: &Value| one["stage"] == "collected" || refused(one);
    sessions.clone().any(is_last) && sessions.all(|one| one["usable"] == true || refused(one))
}

/// What the user's `pytest` is to the interpreter: the script beside it, if that is one of Python's.
fn pytest(python: &Path) -> Vec<OsString> {
    let script = python.parent().map(|bin| bin.join("pytest"));
    let is_pythons = |script: &PathBuf| {
        let text = fs::read(script).unwrap_or_default();
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        first.starts_with(b"#!") && first.windows(6).any(|word| word == b"python")
    };
    match script.filter(is_pythons) {
        Some(script) => vec![script.into_os_string()],
        None => vec!["-m".into(), "pytest".into()],
    }
}

/// Whether the next word may belong to this one. Where that is not known it does: a path too many does no harm.
fn may_take_a_value(option: &OsStr) -> bool {
    let text = option.to_string_lossy();
    let only_letters = |text: &str| text.chars().all(|c| "qvxsl".contains(c));
    let is_flag = text.strip_prefix('-').is_some_and(only_letters);
    text.starts_with('-') && !text.contains('=') && !is_flag
}
