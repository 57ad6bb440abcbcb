//! What `--benchmark` and `--explain` say of a collection.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rpytest_collect::Collection;

use crate::args::RunArguments;

/// What is known of one collection.
#[derive(Debug)]
pub(super) struct Report {
    started: Instant,
    files: usize,
    exact: usize,
    cached: usize,
    python: Option<usize>,
    /// Whether Python was started to find out what the environment is.
    learned: bool,
    reasons: BTreeMap<&'static str, usize>,
    /// The first partial file and why it is.
    example: Option<String>,
    tests: Option<usize>,
    took: Option<Duration>,
    /// Why pytest's own session answered.
    genuine: Option<String>,
    /// Why something of what Python has collected is not kept.
    not_kept: Option<String>,
}

impl Report {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            files: 0,
            exact: 0,
            cached: 0,
            python: None,
            learned: false,
            reasons: BTreeMap::new(),
            example: None,
            tests: None,
            took: None,
            genuine: None,
            not_kept: None,
        }
    }

    pub fn native(&mut self, native: &Collection) {
        self.files = native.files.len();
        self.exact = 0;
        self.reasons.clear();
        self.example = None;
        for file in &native.files {
            let Some(reason) = file.completeness.reasons().first() else {
                self.exact += 1;
                continue;
            };
            *self.reasons.entry(reason.code()).or_default() += 1;
            self.example
                .get_or_insert_with(|| format!("{}: {reason}", file.path));
        }
    }

    /// How many partial files were taken from the cache.
    pub fn cached(&mut self, files: usize) {
        self.cached = files;
    }

    /// Python was started for this many files.
    pub fn python(&mut self, files: usize) {
        self.python = Some(files);
    }

    /// Python was started to find out what the environment is.
    pub fn learned(&mut self) {
        self.learned = true;
    }

    pub fn answered(&mut self, tests: usize, took: Duration) {
        self.tests = Some(tests);
        self.took = Some(took);
    }

    pub fn genuine(&mut self, reason: String) {
        self.genuine = Some(reason);
    }

    pub fn not_kept(&mut self, reason: Option<String>) {
        self.not_kept = reason;
    }

    pub fn show(&self, arguments: &RunArguments) {
        if !arguments.benchmark && !arguments.explain {
            return;
        }
        for line in self.lines() {
            eprintln!("rpytest: {line}");
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let took = self.took.unwrap_or_else(|| self.started.elapsed());
        match (self.tests, &self.genuine) {
            (Some(tests), _) => lines.push(format!(
                "{tests} tests of {} files in {:.1} ms",
                self.files,
                took.as_secs_f64() * 1e3
            )),
            (None, genuine) => lines.push(format!(
                "pytest collected, in {:.1} ms{}",
                took.as_secs_f64() * 1e3,
                genuine
                    .iter()
                    .map(|why| format!(": {why}"))
                    .collect::<String>()
            )),
        }
        if self.files > 0 {
            let share = self.exact as f64 * 100.0 / self.files as f64;
            lines.push(format!(
                "{} files exact ({share:.1} %), {} from the cache, {}",
                self.exact,
                self.cached,
                match self.python {
                    None if self.learned => "Python asked for its plugins alone".to_owned(),
                    None => "Python not started".to_owned(),
                    Some(files) => format!("{files} collected by Python"),
                }
            ));
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(code, count)| (usize::MAX - **count, **code));
        for (code, count) in reasons {
            lines.push(format!("{count} partial: {code}"));
        }
        lines.extend(
            self.example
                .iter()
                .map(|example| format!("for example {example}")),
        );
        let not_kept = self.not_kept.iter();
        lines.extend(not_kept.map(|reason| format!("not kept for the next time: {reason}")));
        lines
    }
}
