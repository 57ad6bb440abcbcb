//! What is kept of earlier runs.

use std::collections::BTreeMap;

use super::estimates::Estimates;
use super::observation::{Observation, Sample, Timing, unite};

/// What is known of one file. Lists have the newest run first and are not empty, but for `imports`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FileHistory {
    pub tests: BTreeMap<String, Vec<Observation>>,
    pub imports: Vec<Timing>,
    pub scopes: BTreeMap<String, Vec<Timing>>,
}

impl FileHistory {
    pub fn merge(&mut self, other: &Self) {
        for (key, seen) in &other.tests {
            let own = self.tests.entry(key.clone()).or_default();
            unite(own, seen.iter().copied());
        }
        unite(&mut self.imports, other.imports.iter().copied());
        for (scope, seen) in &other.scopes {
            let own = self.scopes.entry(scope.clone()).or_default();
            unite(own, seen.iter().copied());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.imports.is_empty() && self.scopes.is_empty()
    }
}

/// Observations of tests, imports and scopes, by file and by key.
///
/// A key is any string that names a test from run to run, such as its node id with a number for repeated ones.
/// The same key in two files is two tests.
///
/// ```
/// use rpytest_sched::{DurationHistory, Observation};
/// use rpytest_sched::durations::Import;
///
/// let mut history = DurationHistory::new();
/// let mut observation = Observation { run: 1, call: 0.2, ..Observation::default() };
/// history.record("test_a.py", "test_a.py::test_x", observation);
/// history.record_import("test_a.py", 1, 1.5);
/// history.record_scope("test_a.py", "test_a.py", 1, 0.5);
///
/// let estimates = history.estimates();
/// assert_eq!(estimates.estimate("test_a.py", "test_a.py::test_x").seconds, 0.2);
/// // The file was renamed.
/// assert_eq!(estimates.estimate("test_b.py", "test_b.py::test_x").seconds, 0.2);
/// // What another worker would pay to take tests of this file over, in a process of its own or in a fork.
/// assert_eq!(estimates.begin_cost("test_a.py", Import::Paid), 2.0);
/// assert_eq!(estimates.begin_cost("test_a.py", Import::Shared), 0.5);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationHistory {
    pub(super) files: BTreeMap<String, FileHistory>,
}

impl DurationHistory {
    /// A history of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of tests with observations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.values().map(|file| file.tests.len()).sum()
    }

    /// Whether there are no tests with observations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.values().all(|file| file.tests.is_empty())
    }

    /// Adds an observation of the test `key` of `file`. Durations are kept to the microsecond; the same observation again
    /// changes nothing.
    pub fn record(&mut self, file: &str, key: &str, observation: Observation) {
        self.change(file, |file| add(&mut file.tests, key, observation));
    }

    /// Adds an observation of a test of which only the seconds in all are known, such as one of a JUnit report. They count
    /// as the call's.
    pub fn record_total(&mut self, file: &str, key: &str, run: u64, seconds: f64) {
        let observation = Observation {
            run,
            call: seconds,
            ..Observation::default()
        };
        self.record(file, key, observation);
    }

    /// Adds how many seconds the import of a file took, by the rules of [`record`](Self::record).
    pub fn record_import(&mut self, file: &str, run: u64, seconds: f64) {
        let timing = Timing { run, seconds };
        self.change(file, |file| unite(&mut file.imports, [timing]));
    }

    /// Adds how many seconds the shared fixtures of a scope in a file took to be set up, by the rules of
    /// [`record`](Self::record).
    ///
    /// `scope` is any string that names the scope from run to run, such as the node id of a class; of the module, it is
    /// `file` itself. Whatever is recorded here is to be left out of the setup of the test that came first.
    pub fn record_scope(&mut self, file: &str, scope: &str, run: u64, seconds: f64) {
        let timing = Timing { run, seconds };
        self.change(file, |file| add(&mut file.scopes, scope, timing));
    }

    /// Adds the observations of another history. Which is added to which, in what order and how often makes no difference.
    pub fn merge(&mut self, other: &Self) {
        for (name, theirs) in &other.files {
            self.change(name, |own| own.merge(theirs));
        }
    }

    /// Keeps only the tests for which `keep`, given file and key, is true, such as those that were just collected. The
    /// import and the scopes of a file are kept while one of its tests is.
    pub fn prune(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.files.retain(|name, file| {
            file.tests.retain(|key, _| keep(name, key));
            !file.tests.is_empty()
        });
    }

    /// Forgets tests, imports and scopes that were last observed before a run.
    pub fn prune_before(&mut self, run: u64) {
        self.files.retain(|_, file| {
            file.tests.retain(|_, seen| is_since(seen, run));
            file.scopes.retain(|_, seen| is_since(seen, run));
            if !is_since(&file.imports, run) {
                file.imports.clear();
            }
            !file.is_empty()
        });
    }

    /// The observations of a test, the newest first.
    #[must_use]
    pub fn observations(&self, file: &str, key: &str) -> &[Observation] {
        let tests = self.files.get(file).map(|file| &file.tests);
        tests
            .and_then(|tests| tests.get(key))
            .map_or(&[], Vec::as_slice)
    }

    /// The imports of a file, the newest first.
    #[must_use]
    pub fn imports(&self, file: &str) -> &[Timing] {
        self.files.get(file).map_or(&[], |file| &file.imports)
    }

    /// The setups of what a scope shares, the newest first.
    #[must_use]
    pub fn scopes(&self, file: &str, scope: &str) -> &[Timing] {
        let scopes = self.files.get(file).map(|file| &file.scopes);
        scopes
            .and_then(|scopes| scopes.get(scope))
            .map_or(&[], Vec::as_slice)
    }

    /// All tests as (file, key, observations), sorted, the newest observation first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &[Observation])> {
        self.files.iter().flat_map(|(name, file)| {
            let tests = file.tests.iter();
            tests.map(move |(key, seen)| (name.as_str(), key.as_str(), seen.as_slice()))
        })
    }

    /// The greatest number of a run that was recorded, 0 if there is none.
    #[must_use]
    pub fn last_run(&self) -> u64 {
        let newest = |file: &FileHistory| {
            let tests = file
                .tests
                .values()
                .filter_map(|seen| seen.first())
                .map(Sample::run);
            let scopes = file
                .scopes
                .values()
                .filter_map(|seen| seen.first())
                .map(Sample::run);
            let imports = file.imports.first().map(Sample::run);
            tests.chain(scopes).chain(imports).max()
        };
        self.files.values().filter_map(newest).max().unwrap_or(0)
    }

    /// What to expect, with the medians worked out once for many questions.
    #[must_use]
    pub fn estimates(&self) -> Estimates<'_> {
        Estimates::new(self)
    }

    /// Changes what is known of a file; `entry` would copy its name each time.
    pub(super) fn change(&mut self, name: &str, change: impl FnOnce(&mut FileHistory)) {
        if let Some(file) = self.files.get_mut(name) {
            change(file);
        } else {
            let mut file = FileHistory::default();
            change(&mut file);
            self.files.insert(name.to_owned(), file);
        }
    }
}

fn is_since<S: Sample>(seen: &[S], run: u64) -> bool {
    seen.first().is_some_and(|newest| newest.run() >= run)
}

fn add<S: Sample>(known: &mut BTreeMap<String, Vec<S>>, key: &str, sample: S) {
    match known.get_mut(key) {
        Some(seen) => unite(seen, [sample]),
        None => {
            known.insert(key.to_owned(), vec![sample.clean()]);
        }
    }
}
