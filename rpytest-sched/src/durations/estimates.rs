//! What to expect, and on what ground.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::DEFAULT_SECONDS;
use super::history::{DurationHistory, FileHistory};
use super::observation::{combine, median};

/// Where an estimate comes from, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Basis {
    /// The test's own observations.
    Test,
    /// Those of the same test in another file: the file was renamed, or the test was moved.
    Renamed,
    /// Other parameter sets of the same function in the same file.
    Function,
    /// The other tests of its file.
    File,
    /// All tests.
    Suite,
    /// Nothing: [`DEFAULT_SECONDS`].
    Default,
}

/// What a test is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// Seconds.
    pub seconds: f64,
    /// What they are based on.
    pub basis: Basis,
}

/// Whether one more worker that begins a file imports it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Import {
    /// It does, such as a process or a machine of its own.
    Paid,
    /// It does not, such as a fork of a process that has imported the file.
    Shared,
}

/// Expectations from a [`DurationHistory`], made by [`DurationHistory::estimates`].
#[derive(Clone, Debug)]
pub struct Estimates<'a> {
    history: &'a DurationHistory,
    files: HashMap<&'a str, f64>,
    suite: Option<f64>,
    // Only tests without observations need these, and often there are none.
    names: OnceLock<Names<'a>>,
    functions: OnceLock<HashMap<(&'a str, &'a str), f64>>,
}

impl<'a> Estimates<'a> {
    pub(super) fn new(history: &'a DurationHistory) -> Self {
        let mut all = Vec::with_capacity(history.len());
        let mut files = HashMap::with_capacity(history.files.len());
        for (name, file) in &history.files {
            let mut own: Vec<f64> = (file.tests.values())
                .filter_map(|seen| combine(seen))
                .collect();
            all.extend_from_slice(&own);
            if let Some(median) = median(&mut own) {
                files.insert(name.as_str(), median);
            }
        }
        Self {
            history,
            files,
            suite: median(&mut all),
            names: OnceLock::new(),
            functions: OnceLock::new(),
        }
    }

    /// What the test `key` of `file` is expected to take. There always is an answer; [`Basis`] says how good it is, and the
    /// [module](super) how it is found.
    #[must_use]
    pub fn estimate(&self, file: &str, key: &str) -> Estimate {
        let own = combine(self.history.observations(file, key));
        let (seconds, basis) = (own.map(|seconds| (seconds, Basis::Test)))
            .or_else(|| Some((self.renamed(file, key)?, Basis::Renamed)))
            .or_else(|| Some((self.function(file, key)?, Basis::Function)))
            .or_else(|| Some((*self.files.get(file)?, Basis::File)))
            .or_else(|| Some((self.suite?, Basis::Suite)))
            .unwrap_or((DEFAULT_SECONDS, Basis::Default));
        Estimate { seconds, basis }
    }

    /// Seconds that the import of a file takes, `None` if it was never observed.
    #[must_use]
    pub fn import(&self, file: &str) -> Option<f64> {
        combine(self.history.imports(file))
    }

    /// Seconds that the shared fixtures of a scope in a file take to be set up, `None` if that was never observed.
    #[must_use]
    pub fn scope(&self, file: &str, scope: &str) -> Option<f64> {
        combine(self.history.scopes(file, scope))
    }

    /// Seconds that one more worker pays to begin a file: its shared fixtures (the scope that is named like the file) and,
    /// where that is [`Import::Paid`] again, its import. What was never observed counts as 0.
    #[must_use]
    pub fn begin_cost(&self, file: &str, import: Import) -> f64 {
        let imported = match import {
            Import::Paid => self.import(file).unwrap_or(0.0),
            Import::Shared => 0.0,
        };
        imported + self.scope(file, file).unwrap_or(0.0)
    }

    /// What the test of the same name takes in another file, if there is no doubt which.
    fn renamed(&self, file: &str, key: &str) -> Option<f64> {
        let names = self.names.get_or_init(|| Names::new(self.history));
        names.only_other(name_of(file, key), file)
    }

    /// What the tests of the same function in the same file take.
    fn function(&self, file: &str, key: &str) -> Option<f64> {
        if !self.files.contains_key(file) {
            return None;
        }
        let functions = self.functions.get_or_init(|| functions(self.history));
        functions
            .get(&(file, function_of(name_of(file, key))))
            .copied()
    }
}

/// All tests by name, base name of the file, and file, with their estimates.
#[derive(Clone, Debug)]
struct Names<'a>(Vec<(&'a str, &'a str, &'a str, f64)>);

impl<'a> Names<'a> {
    fn new(history: &'a DurationHistory) -> Self {
        let mut all = Vec::with_capacity(history.len());
        for (file, FileHistory { tests, .. }) in &history.files {
            for (key, seen) in tests {
                let seconds = combine(seen).unwrap_or(DEFAULT_SECONDS);
                all.push((name_of(file, key), base_of(file), file.as_str(), seconds));
            }
        }
        // Names and files are a test's own, so that no two are equal but for their seconds.
        all.sort_by(|one, two| (one.0, one.1, one.2).cmp(&(two.0, two.1, two.2)));
        Self(all)
    }

    /// The estimate of the test of that name in the only file, other than `file`, that has one; or in the only such file
    /// with the same base name.
    fn only_other(&self, name: &str, file: &str) -> Option<f64> {
        let from = self.0.partition_point(|test| test.0 < name);
        let named = self.0[from..].iter().take_while(|test| test.0 == name);
        if let Some(seconds) = only(named, file) {
            return Some(seconds);
        }
        let base = base_of(file);
        let from = self
            .0
            .partition_point(|test| (test.0, test.1) < (name, base));
        let alike = self.0[from..].iter();
        only(
            alike.take_while(|test| test.0 == name && test.1 == base),
            file,
        )
    }
}

/// The estimate of the only test that is in another file.
fn only<'a>(
    tests: impl Iterator<Item = &'a (&'a str, &'a str, &'a str, f64)>,
    file: &str,
) -> Option<f64> {
    let mut others = tests.filter(|test| test.2 != file);
    let one = others.next()?;
    others.next().is_none().then_some(one.3)
}

/// The median of each function, by file and function.
fn functions(history: &DurationHistory) -> HashMap<(&str, &str), f64> {
    let mut medians = HashMap::new();
    for (file, FileHistory { tests, .. }) in &history.files {
        let mut all: Vec<(&str, f64)> = (tests.iter())
            .filter_map(|(key, seen)| Some((function_of(name_of(file, key)), combine(seen)?)))
            .collect();
        all.sort_by(|one, two| one.0.cmp(two.0).then(one.1.total_cmp(&two.1)));
        for sets in all.chunk_by(|one, two| one.0 == two.0) {
            let (function, seconds) = sets[(sets.len() - 1) / 2];
            medians.insert((file.as_str(), function), seconds);
        }
    }
    medians
}

/// The part of a key behind its file.
fn name_of<'k>(file: &str, key: &'k str) -> &'k str {
    let rest = key.strip_prefix(file);
    rest.and_then(|rest| rest.strip_prefix("::")).unwrap_or(key)
}

/// A name without its parameter set.
fn function_of(name: &str) -> &str {
    name.split_once('[').map_or(name, |(function, _)| function)
}

/// The last component of a path.
fn base_of(file: &str) -> &str {
    file.rsplit_once('/').map_or(file, |(_, base)| base)
}
