//! `--inventory-status`: what is known of the tests of a command line without asking Python, and since when.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use rpytest_collect::CollectError;
use rpytest_worker::embedded::cache_directory;
use rpytest_worker::interpreter::ThisProcess;
use serde::Serialize;

use super::answer::Form;
use super::attempt::Attempt;
use super::before::{Before, below_pytests_cache};
use super::inventory::{argv, cache_of};
use super::request::{self, Reading};
use super::{facts, store};
use crate::amounts::{Amount, ago, count, written};
use crate::args::{COLLECTS_ONLY, RunArguments};
use crate::exit;
use crate::history::{HISTORY_FILE, History};

/// What is known.
#[derive(Debug, Serialize)]
struct Status {
    rootdir: PathBuf,
    /// All test files.
    files: usize,
    /// Those of which the items follow from the source.
    exact_files: usize,
    exact_tests: usize,
    /// Those of which an earlier collection is still good.
    kept_files: usize,
    kept_tests: usize,
    /// Those that Python has to collect.
    python_files: usize,
    /// The first of them, and why.
    example: Option<String>,
    /// Of the files, those that need no Python.
    native_share: f64,
    /// When the plugins of the environment were found out; without, each collection begins with that.
    environment_seconds: Option<f64>,
    /// When items were kept last.
    kept_seconds: Option<f64>,
    /// What is kept of sources and items.
    cache: Option<PathBuf>,
    cache_bytes: u64,
    durations: Option<Durations>,
}

#[derive(Debug, Serialize)]
struct Durations {
    file: PathBuf,
    tests: usize,
    runs: u64,
    age_seconds: Option<f64>,
}

/// Shows it, and returns the exit code.
pub(crate) fn status(arguments: &RunArguments, json: bool) -> u8 {
    let shown = look(arguments).and_then(|(status, times)| {
        Ok(match json {
            true => serde_json::to_string_pretty(&status)? + "\n",
            false => status.text(&times),
        })
    });
    match shown {
        Ok(text) => crate::print(text.as_bytes()),
        Err(error) => {
            let failed = match error.is::<CollectError>() {
                true => "failed to ",
                false => "",
            };
            eprintln!("rpytest: error: {failed}{error}");
            exit::USAGE_ERROR
        }
    }
}

/// When things were written.
struct Times {
    environment: Option<SystemTime>,
    kept: Option<SystemTime>,
    durations: Option<SystemTime>,
}

fn look(arguments: &RunArguments) -> Result<(Status, Times), Box<dyn Error>> {
    // What is kept is kept for one spelling.
    let mut found = None;
    for spelling in COLLECTS_ONLY {
        let argv = argv(arguments);
        let words = argv.into_iter().enumerate();
        let words = words.map(|(at, word)| if at == 0 { spelling.into() } else { word });
        let before = look_with(arguments, words.collect())?;
        let is_known = before.environment.is_some();
        if is_known || found.is_none() {
            found = Some(before);
        }
        if is_known {
            break;
        }
    }
    let before = found.ok_or("nothing can be collected")?;
    if let Some(problem) = before.native.diagnostics.first() {
        eprintln!("rpytest: warning: {}: {}", problem.path, problem.message);
    }
    let times = Times {
        environment: (before.environment.as_ref())
            .and(cache_directory(&ThisProcess))
            .and_then(|directory| written(&facts::path(&directory, &before.keys.environment))),
        kept: (before.record.as_ref())
            .and(before.kept_in.as_ref())
            .and_then(|directory| written(&store::path(directory, &before.keys.items))),
        durations: None,
    };
    Ok(status_of(&before, times))
}

fn look_with(arguments: &RunArguments, argv: Vec<OsString>) -> Result<Before, Box<dyn Error>> {
    let refuse =
        |reason: &str| format!("--inventory-status: {reason}; --collect-only knows all options");
    let request = match request::read(&argv) {
        Reading::Native(request) => request,
        Reading::Genuine(reason) => return Err(refuse(&reason).into()),
        Reading::Other => return Err(refuse("these arguments are not for a collection").into()),
    };
    let collects = RunArguments {
        pytest: argv,
        ..arguments.clone()
    };
    let attempt = Attempt {
        arguments: &collects,
        request: &request,
        started: Instant::now(),
    };
    Ok(attempt.look_if(|_, _| true, Form::of_ids)??)
}

fn status_of(before: &Before, mut times: Times) -> (Status, Times) {
    let (known, kept_files) = before.known();
    let tests = |exact: bool| -> usize {
        let files = before.native.files.iter().zip(&known);
        let of = files.filter(|(file, _)| before.is_sure(file) == exact);
        of.filter_map(|(_, known)| known.items.as_ref())
            .map(|items| items.ids.len())
            .sum()
    };
    let files = known.len();
    let without = known.iter().filter(|known| known.items.is_some()).count();
    let unknown = before.native.files.iter().zip(&known);
    let mut unknown = unknown.filter(|(_, known)| known.items.is_none());
    let example = unknown
        .next()
        .map(|(file, _)| match file.completeness.reasons().first() {
            Some(reason) => format!("{}: {reason}", file.path),
            None => format!(
                "{}: it has a mark that is not known to be registered",
                file.path
            ),
        });
    let below = below_pytests_cache(&before.settings);
    let kept = below.as_deref().map(Amount::of).unwrap_or_default();
    let durations = cache_of(below.as_deref()).and_then(|cache| {
        let file = cache.join(HISTORY_FILE);
        times.durations = Some(written(&file)?);
        let durations = History::load(&cache).durations;
        Some(Durations {
            tests: durations.len(),
            runs: durations.last_run(),
            age_seconds: times.durations.and_then(seconds),
            file,
        })
    });
    let status = Status {
        rootdir: before.native.rootdir.clone(),
        files,
        exact_files: without - kept_files,
        exact_tests: tests(true),
        kept_files,
        kept_tests: tests(false),
        python_files: files - without,
        example,
        native_share: match files {
            0 => 1.0,
            _ => without as f64 / files as f64,
        },
        environment_seconds: times.environment.and_then(seconds),
        kept_seconds: times.kept.and_then(seconds),
        cache: below.filter(|directory| directory.is_dir()),
        cache_bytes: kept.bytes,
        durations,
    };
    (status, times)
}

fn seconds(at: SystemTime) -> Option<f64> {
    Some(at.elapsed().ok()?.as_secs_f64())
}

impl Status {
    fn text(&self, times: &Times) -> String {
        let many = |number: usize, one: &str| count(number as u64, one);
        let mut lines = vec![
            format!(
                "{} in {}, {:.0} % known without Python",
                many(self.files, "test file"),
                self.rootdir.display(),
                self.native_share * 100.0
            ),
            format!(
                "  from the source: {} in {}",
                many(self.exact_tests, "test"),
                many(self.exact_files, "file")
            ),
            format!(
                "  kept of a collection: {} in {}{}",
                many(self.kept_tests, "test"),
                many(self.kept_files, "file"),
                since(times.kept)
            ),
            match &self.example {
                None => "  to be collected by Python: none".to_owned(),
                Some(example) => format!(
                    "  to be collected by Python: {}, such as {example}",
                    many(self.python_files, "file")
                ),
            },
            match times.environment {
                None => "plugins of the environment: not known yet; --collect-only -q finds out"
                    .to_owned(),
                at => format!("plugins of the environment: known{}", since(at)),
            },
        ];
        lines.push(match &self.durations {
            None => "durations: none; a run that passes through all tests keeps them".to_owned(),
            Some(durations) => format!(
                "durations: {} in {}{}, {}",
                many(durations.tests, "test"),
                count(durations.runs, "run"),
                since(times.durations),
                durations.file.display()
            ),
        });
        lines.push(match &self.cache {
            None => "cache: none; pytest makes its cache directory in a run".to_owned(),
            Some(cache) => {
                let bytes = self.cache_bytes;
                let amount = Amount { files: 0, bytes };
                format!("cache: {} in {}", amount.size(), cache.display())
            }
        });
        lines.join("\n") + "\n"
    }
}

fn since(at: Option<SystemTime>) -> String {
    at.map_or_else(String::new, |at| format!(", {}", ago(at)))
}
