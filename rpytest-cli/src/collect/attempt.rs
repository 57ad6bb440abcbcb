//! One command line that may be answered natively: what is known, what is asked, what is kept.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use rpytest_collect::{Collection, Collector, Settings};
use rpytest_worker::Interpreter;
use rpytest_worker::embedded::cache_directory;
use rpytest_worker::interpreter::ThisProcess;

use super::answer::{Answer, Form};
use super::before::{Before, Keys, below_pytests_cache};
use super::facts::{Known as Environment, ProjectHooks};
use super::merge::{self, Known};
use super::python::{self, Collected, Failure};
use super::report::Report;
use super::request::{self, Request};
use super::store::{Found, Items, Record};
use super::{environment, terminal};
use crate::args::RunArguments;
use crate::session::{self, Ready};

pub(super) struct Attempt<'a> {
    pub arguments: &'a RunArguments,
    pub request: &'a Request,
    pub started: Instant,
}

/// Items that are known without Python.
pub(super) struct AllKnown {
    pub answer: Answer,
    /// Our directory in pytest's cache.
    pub below_cache: Option<PathBuf>,
    pub rootdir: PathBuf,
}

/// How an attempt has ended.
enum Outcome {
    Printed(u8),
    /// A genuine session has to answer, in this host if there is one.
    Genuine(String, Option<Box<Ready>>),
    /// What is known by now of the environment makes other files known, for this reason.
    Again(String, Box<Ready>),
}

/// Why the items that were put together are not the answer.
enum Doubt {
    /// Files were taken for exact since the plugins were not known.
    Environment(String),
    Other(String),
}

impl Attempt<'_> {
    /// Prints the answer, or lets a session do it, and returns the exit code.
    pub fn run(&self, report: &mut Report) -> u8 {
        let attempt = |report: &mut Report, ready| {
            self.attempt(report, ready)
                .unwrap_or_else(|error| Outcome::Genuine(error.to_string(), None))
        };
        let mut outcome = attempt(report, None);
        if let Outcome::Again(_, ready) = outcome {
            outcome = attempt(report, Some(ready));
        }
        match outcome {
            Outcome::Printed(code) => code,
            Outcome::Again(reason, ready) => {
                report.genuine(reason);
                ready.run(self.arguments)
            }
            Outcome::Genuine(reason, ready) => {
                report.genuine(reason);
                match ready {
                    Some(ready) => ready.run(self.arguments),
                    None => session::run(self.arguments),
                }
            }
        }
    }

    /// The items, if all of them are known without Python. What is printed of them does not matter here, nor in which
    /// order they are run, so that more is known than can be printed.
    ///
    /// If only the plugins of the environment are not known, they may be found out first, by a process that collects nothing.
    pub fn known(
        &self,
        may_learn: impl Fn(Option<&Path>) -> bool,
    ) -> Result<Option<AllKnown>, Box<dyn Error>> {
        if request::refuse_environment(|name| std::env::var_os(name)).is_some() {
            return Ok(None);
        }
        let is_worth_it = |is_known: bool, settings: &Settings| {
            is_known || may_learn(below_pytests_cache(settings).as_deref())
        };
        let Ok(mut before) = self.look_if(is_worth_it, Form::of_ids)? else {
            return Ok(None);
        };
        let below_cache = below_pytests_cache(&before.settings);
        if before.environment.is_none() {
            let ready = Ready::new()?;
            let skip: Vec<PathBuf> = before
                .walk()
                .map(|path| merge::absolute(&before.native.rootdir, path))
                .collect();
            let Ok(collected) = python::ask(&ready, &self.arguments.pytest, &skip) else {
                return Ok(None);
            };
            self.save(&before, &Environment::new(&collected.surroundings));
            let Ok(again) = self.look_if(|_, _| true, Form::of_ids)? else {
                return Ok(None);
            };
            before = again;
        }
        let walk: Vec<&str> = before.walk().collect();
        let record = before.record.as_ref();
        let is_pytests = record.is_some_and(|record| record.genuine_for(&walk).is_some());
        if is_pytests || before.environment.is_none() || !before.native.diagnostics.is_empty() {
            return Ok(None);
        }
        let (mut files, _) = before.known();
        if record.is_some_and(|record| record.together) {
            before.forget_cached(&mut files);
        }
        Ok(merge::all_known(&files).map(|answer| AllKnown {
            answer,
            below_cache: below_cache.filter(|_| self.request.cache),
            rootdir: before.native.rootdir.clone(),
        }))
    }

    /// Keeps what a process has found out of the environment.
    pub fn keep_environment(&self, collected: &Collected) -> Result<(), Box<dyn Error>> {
        if let Ok(before) = self.look_if(|_, _| true, Form::of_ids)? {
            self.save(&before, &Environment::new(&collected.surroundings));
        }
        Ok(())
    }

    fn attempt(
        &self,
        report: &mut Report,
        ready: Option<Box<Ready>>,
    ) -> Result<Outcome, Box<dyn Error>> {
        if let Some(name) = request::refuse_environment(|name| std::env::var_os(name)) {
            let reason = format!("the environment variable {name} is set");
            return Ok(Outcome::Genuine(reason, ready));
        }
        let before = match self.look()? {
            Ok(before) => before,
            Err(reason) => return Ok(Outcome::Genuine(reason, ready)),
        };
        let native = &before.native;
        report.native(native);
        if let Some(problem) = native.diagnostics.first() {
            let reason = format!("{}: {}", problem.path, problem.message);
            return Ok(Outcome::Genuine(reason, ready));
        }
        let walk: Vec<&str> = before.walk().collect();
        if let Some(reason) = (before.record.as_ref()).and_then(|record| record.genuine_for(&walk))
        {
            return Ok(Outcome::Genuine(reason.to_owned(), ready));
        }
        if before.environment.is_none() && ready.is_none() {
            report.learned();
            return self.learn(&before);
        }
        let (mut files, cached) = before.known();
        report.cached(cached);
        if before.needs_no_python()
            && let Some(answer) = merge::all_known(&files)
        {
            return self.print(&answer, before.form, report, ready);
        }
        if (before.record.as_ref()).is_some_and(|record| record.together) {
            before.forget_cached(&mut files);
            report.cached(0);
        }
        self.ask(&before, &files, report, ready)
    }

    /// Reads the configuration, what is kept, and the files.
    fn look(&self) -> Result<Result<Before, String>, Box<dyn Error>> {
        self.look_if(|_, _| true, |settings| self.form(settings))
    }

    /// The same, with the files only if that is worth it, given whether the environment is known.
    pub fn look_if(
        &self,
        is_worth_it: impl FnOnce(bool, &Settings) -> bool,
        form: impl FnOnce(&Settings) -> Result<Form, String>,
    ) -> Result<Result<Before, String>, Box<dyn Error>> {
        let directory = std::env::current_dir()?;
        let collector = Collector::new(&directory).options(self.request.options.clone());
        let mut collector = match self.request.paths.is_empty() {
            true => collector,
            false => collector.paths(self.request.paths.clone()),
        };
        let settings = collector.settings()?;
        let form = match form(&settings) {
            Ok(form) => form,
            Err(reason) => return Ok(Err(reason)),
        };
        let python = Interpreter::find(&directory, &ThisProcess)?;
        let keys = self.keys(python.path(), &directory, &settings)?;
        let environments = cache_directory(&ThisProcess);
        let environment =
            environments.and_then(|directory| Environment::load(&directory, &keys.environment));
        if !is_worth_it(environment.is_some(), &settings) {
            let reason = "the plugins of the environment are not known";
            return Ok(Err(reason.to_owned()));
        }
        let kept_in = match self.request.cache {
            true => below_pytests_cache(&settings).filter(|directory| directory.is_dir()),
            false => None,
        };
        if let Some(environment) = &environment {
            collector = collector.plugins(environment.facts.clone());
        }
        let mut record = None;
        if let Some(directory) = &kept_in {
            collector = collector.cache(directory.join("sources"));
            record = Record::load(directory, &keys.items);
        }
        let native = collector.collect()?;
        Ok(Ok(Before {
            settings,
            form,
            keys,
            environment,
            kept_in,
            record,
            native,
        }))
    }

    fn keys(&self, python: &Path, directory: &Path, settings: &Settings) -> io::Result<Keys> {
        let variables: BTreeSet<(OsString, OsString)> = std::env::vars_os().collect();
        let mut parts = environment::interpreter(python, &variables)?;
        if let Some(file) = &settings.file {
            parts.add(std::fs::read(file)?);
        }
        let words = self.arguments.pytest.iter();
        let words = words.filter(|word| *word != "--explain");
        let is_path = |word: &OsString| self.request.paths.iter().any(|path| path == word);
        // Plugins look at options, too.
        for option in words.clone().filter(|word| !is_path(word)) {
            parts.add(option.as_encoded_bytes());
        }
        let environment = parts.clone().name();
        environment::add_all_variables(&mut parts, &variables);
        for word in words {
            parts.add(word.as_encoded_bytes());
        }
        for path in [directory, &settings.rootdir] {
            parts.add(path.as_os_str().as_encoded_bytes());
        }
        Ok(Keys {
            environment,
            items: parts.name(),
        })
    }

    /// How pytest would print the items; else why that is not known.
    fn form(&self, settings: &Settings) -> Result<Form, String> {
        let quiet = self.request.quiet + request::quiet_of(&settings.addopts)?;
        if quiet < 1 {
            return Err("the tree of collectors is pytest's to print; -q asks for ids".to_owned());
        }
        if settings
            .names
            .iter()
            .any(|name| name == "verbosity_test_cases")
        {
            return Err("verbosity_test_cases is configured".to_owned());
        }
        Ok(Form {
            counts: quiet > 1,
            color: terminal::has_colors(self.request.color),
        })
    }

    /// Lets a process find out what the environment is, in a session that collects nothing: to collect with
    /// less knowledge than there could be may mean to collect twice.
    fn learn(&self, before: &Before) -> Result<Outcome, Box<dyn Error>> {
        let ready = Box::new(Ready::new()?);
        let since = SystemTime::now();
        let files: Vec<Known> = before.known().0;
        let files: Vec<Known> = files.into_iter().map(Known::without_items).collect();
        let skip: Vec<PathBuf> = files
            .iter()
            .map(|file| merge::absolute(&before.native.rootdir, &file.path))
            .collect();
        let collected = match python::ask(&ready, &self.arguments.pytest, &skip) {
            Ok(collected) => collected,
            Err(Failure::Interrupted(code)) => return Ok(Outcome::Printed(code)),
            Err(Failure::Broken(reason)) => return Ok(Outcome::Genuine(reason, Some(ready))),
        };
        let environment = Environment::new(&collected.surroundings);
        if let Err(reason) = merge::merge(&files, &collected, before.form.counts) {
            let kept = self.keep(
                before,
                &files,
                &environment,
                &collected,
                Some(&reason),
                since,
            );
            if let Err(error) = kept {
                tracing::debug!(error, "not kept");
            }
            return Ok(Outcome::Genuine(reason, Some(ready)));
        }
        self.save(before, &environment);
        let reason = "the plugins of the environment are not known".to_owned();
        Ok(Outcome::Again(reason, ready))
    }

    fn save(&self, before: &Before, environment: &Environment) {
        if let Some(directory) = cache_directory(&ThisProcess) {
            let saved = environment.save(&directory, &before.keys.environment);
            note(saved, "what is known of the environment");
        }
    }

    fn ask(
        &self,
        before: &Before,
        files: &[Known],
        report: &mut Report,
        ready: Option<Box<Ready>>,
    ) -> Result<Outcome, Box<dyn Error>> {
        let ready = match ready {
            Some(ready) => ready,
            None => Box::new(Ready::new()?),
        };
        let since = SystemTime::now();
        let rootdir = &before.native.rootdir;
        let skip: Vec<PathBuf> = files
            .iter()
            .filter(|file| file.items.is_some())
            .map(|file| merge::absolute(rootdir, &file.path))
            .collect();
        let collected = match python::ask(&ready, &self.arguments.pytest, &skip) {
            Ok(collected) => collected,
            Err(Failure::Interrupted(code)) => return Ok(Outcome::Printed(code)),
            Err(Failure::Broken(reason)) => return Ok(Outcome::Genuine(reason, Some(ready))),
        };
        report.python(files.len() - skip.len());
        let environment = Environment::new(&collected.surroundings);
        let merged = merge::merge(files, &collected, before.form.counts);
        if merged.is_ok() {
            self.save(before, &environment);
        }
        let merged = merged.map_err(Doubt::Other).and_then(|answer| {
            self.confirm(before, files, &environment, &collected)?;
            Ok(answer)
        });
        let failure = match &merged {
            Ok(_) => None,
            Err(Doubt::Other(reason)) => Some(reason),
            Err(Doubt::Environment(reason)) => {
                return Ok(Outcome::Again(reason.clone(), ready));
            }
        };
        let kept = self.keep(before, files, &environment, &collected, failure, since);
        report.not_kept(kept.err());
        match merged {
            Ok(answer) => self.print(&answer, before.form, report, Some(ready)),
            Err(Doubt::Other(reason) | Doubt::Environment(reason)) => {
                Ok(Outcome::Genuine(reason, Some(ready)))
            }
        }
    }

    /// Whether the answer stays the same with all that is known by now.
    fn confirm(
        &self,
        before: &Before,
        files: &[Known],
        environment: &Environment,
        collected: &Collected,
    ) -> Result<(), Doubt> {
        if files.iter().all(|file| file.items.is_none()) {
            return Ok(());
        }
        if environment.listen() || ProjectHooks::new(&collected.surroundings.project_hooks).listen {
            let reason = "a plugin or a conftest may have something to say of the items";
            return Err(Doubt::Other(reason.to_owned()));
        }
        let known = before.environment.as_ref().map(|known| &known.facts);
        if known == Some(&environment.facts) {
            return Ok(());
        }
        let again = self
            .collect_with(environment, before)
            .map_err(|error| Doubt::Other(error.to_string()))?;
        for (was, is) in before.native.files.iter().zip(&again.files) {
            let same = was.path == is.path && is.completeness.is_exact() && was.items == is.items;
            if was.completeness.is_exact() && !same {
                return Err(Doubt::Environment(format!(
                    "{} depends on plugins",
                    was.path
                )));
            }
        }
        Ok(())
    }

    fn collect_with(
        &self,
        environment: &Environment,
        before: &Before,
    ) -> Result<Collection, Box<dyn Error>> {
        let mut collector = Collector::new(std::env::current_dir()?)
            .options(self.request.options.clone())
            .plugins(environment.facts.clone());
        if !self.request.paths.is_empty() {
            collector = collector.paths(self.request.paths.clone());
        }
        if let Some(directory) = &before.kept_in {
            collector = collector.cache(directory.join("sources"));
        }
        Ok(collector.collect()?)
    }

    /// Keeps what Python has collected, or that it had to be asked for everything.
    fn keep(
        &self,
        before: &Before,
        files: &[Known],
        environment: &Environment,
        collected: &Collected,
        failure: Option<&String>,
        since: SystemTime,
    ) -> Result<(), String> {
        let Some(directory) = collected.cache_dir.as_ref().filter(|_| self.request.cache) else {
            return Err("pytest has no cache directory".to_owned());
        };
        let theirs = &collected.answer.files;
        let ids = |path: &str| theirs.iter().find(|(other, _)| other == path);
        let unknown = files.iter().filter(|file| file.items.is_none());
        let found = Found {
            rootdir: &before.native.rootdir,
            walk: files.iter().map(|file| file.path.as_str()).collect(),
            collected: unknown
                .map(|file| {
                    let items = Items {
                        ids: ids(&file.path)
                            .map(|(_, ids)| ids.clone())
                            .unwrap_or_default(),
                        deselected: collected.deselected.get(&file.path).copied().unwrap_or(0),
                    };
                    (file.path.as_str(), items)
                })
                .collect(),
            touched: &collected.touched,
            marks: collected.surroundings.marks.clone(),
            together: ProjectHooks::new(&collected.surroundings.project_hooks).file_by_file,
            since,
        };
        let hooks = ProjectHooks::new(&collected.surroundings.project_hooks);
        let old = before
            .record
            .clone()
            .filter(|record| record.genuine.is_none());
        let record = match failure {
            Some(reason) => Record::of_genuine(&found, reason.clone())
                .map(|record| (record, Vec::new()))
                .ok_or_else(|| "a file was written meanwhile".to_owned()),
            None if hooks.listen || environment.listen() => {
                Err("a plugin or a conftest may have something to say of the items".to_owned())
            }
            None if hooks.across_files => {
                Err("a conftest has a hook that sees items of several files".to_owned())
            }
            None => match environment.facts.reasons().first() {
                Some(reason) => Err(reason.to_string()),
                None => match self.graph(directory) {
                    Some(graph) => Record::of_items(old, &found, &graph),
                    None => Err("the import graph cannot be read".to_owned()),
                },
            },
        };
        match record {
            Ok((record, refused)) => {
                note(record.save(directory, &before.keys.items), "the items");
                refused.into_iter().next().map_or(Ok(()), Err)
            }
            Err(reason) => {
                Record::forget(directory, &before.keys.items);
                Err(reason)
            }
        }
    }

    fn graph(&self, directory: &Path) -> Option<rpytest_collect::ImportGraph> {
        let mut collector = Collector::new(std::env::current_dir().ok()?)
            .options(self.request.options.clone())
            .cache(directory.join("sources"));
        if !self.request.paths.is_empty() {
            collector = collector.paths(self.request.paths.clone());
        }
        collector.import_graph().ok()
    }

    fn print(
        &self,
        answer: &Answer,
        form: Form,
        report: &mut Report,
        ready: Option<Box<Ready>>,
    ) -> Result<Outcome, Box<dyn Error>> {
        if !terminal::takes(answer) {
            let reason = "the terminal's encoding is not UTF-8".to_owned();
            return Ok(Outcome::Genuine(reason, ready));
        }
        let took = self.started.elapsed();
        let mut out = BufWriter::new(io::stdout().lock());
        let written = answer
            .print(&mut out, form, took)
            .and_then(|()| out.flush());
        report.answered(answer.selected(), took);
        Ok(Outcome::Printed(match written {
            Ok(()) => answer.exit_code(),
            // As pytest's own script has it, for a reader that has gone.
            Err(_) => 1,
        }))
    }
}

fn note(saved: io::Result<()>, what: &str) {
    if let Err(error) = saved {
        tracing::warn!(%error, "{what} could not be kept");
    }
}
