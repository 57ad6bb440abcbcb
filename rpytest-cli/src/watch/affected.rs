//! Which test files a change concerns.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ignore::overrides::OverrideBuilder;
use rpytest_collect::{CONFIGURATION_FILES, Collector, ImportGraph};

use crate::collect::below_pytests_cache;
use crate::session::{Opened, Told};

/// Test files, by their absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// All that the arguments name, also those that nobody has heard of yet.
    All,
    Files(BTreeSet<PathBuf>),
}

impl Default for Target {
    fn default() -> Self {
        Self::Files(BTreeSet::new())
    }
}

impl Target {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Files(files) if files.is_empty())
    }

    pub(super) fn has(&self, file: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Files(files) => files.contains(file),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Files(files), Self::Files(others)) => files.extend(others),
            (_, Self::All) => *self = Self::All,
            (Self::All, _) => {}
        }
    }

    pub(super) fn remove(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::All) => *self = Self::default(),
            (Self::Files(files), Self::Files(others)) => {
                files.retain(|file| !others.contains(file))
            }
            (Self::All, Self::Files(_)) => {}
        }
    }

    /// Whether a file is in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Files(files), Self::Files(others)) => !files.is_disjoint(others),
            (Self::All, any) | (any, Self::All) => !any.is_empty(),
        }
    }
}

/// What is known of the tests that the arguments name.
pub(super) struct Suite {
    pub(super) root: PathBuf,
    collector: Collector,
    /// None where the configuration is such that nobody can say what imports what.
    graph: Option<ImportGraph>,
    /// Whether a file has another content now: it may import something else.
    is_old: bool,
    configuration: BTreeSet<PathBuf>,
    opened: Opened,
    /// Files that tests came from.
    with_tests: BTreeSet<PathBuf>,
}

impl Suite {
    pub(super) fn of(arguments: &[OsString]) -> Result<Self, Box<dyn std::error::Error>> {
        let directory = std::env::current_dir()?;
        let options: Vec<String> = options(arguments);
        let plain = Collector::new(&directory)
            .options(options)
            .environment(std::env::vars_os());
        let paths = paths(arguments, |path| directory.join(path).exists());
        let named = match &paths {
            Some(paths) if !paths.is_empty() => plain.clone().paths(paths.clone()),
            _ => plain.clone(),
        };
        let settings = named.settings()?;
        let root = settings.rootdir.clone();
        let mut collector = match paths {
            Some(_) => named,
            // Which of them the arguments name the session will say.
            None => plain.paths([root.clone()]),
        };
        if let Some(cache) = below_pytests_cache(&settings).filter(|cache| cache.is_dir()) {
            collector = collector.cache(cache.join("sources"));
        }
        let mut configuration: BTreeSet<PathBuf> = CONFIGURATION_FILES
            .iter()
            .map(|name| root.join(name))
            .collect();
        configuration.extend(settings.file);
        let mut suite = Self {
            root,
            collector,
            graph: None,
            is_old: true,
            configuration,
            opened: Opened::new(),
            with_tests: BTreeSet::new(),
        };
        suite.renew();
        Ok(suite)
    }

    /// Reads what has changed since the imports were read.
    pub(super) fn renew(&mut self) {
        if std::mem::take(&mut self.is_old) {
            self.graph = match self.collector.import_graph() {
                Ok(graph) => Some(graph),
                Err(error) => {
                    tracing::debug!(%error, "the imports");
                    None
                }
            };
        }
    }

    /// Takes note of what a run has told.
    pub(super) fn learn(&mut self, told: &Told) {
        for (path, sources) in &told.opened {
            let known = self.opened.entry(path.clone()).or_default();
            known.extend(sources.iter().cloned());
        }
        let files = told.results.iter().map(|(nodeid, _)| self.file(nodeid));
        let files: BTreeSet<PathBuf> = files.collect();
        self.with_tests.extend(files);
    }

    /// The file of a test.
    pub(super) fn file(&self, nodeid: &str) -> PathBuf {
        let path = nodeid.split("::").next().unwrap_or(nodeid);
        self.root.join(path)
    }

    /// The test files that a change of some files concerns. Deleted ones are none.
    pub(super) fn affected(&mut self, changed: &BTreeSet<PathBuf>) -> Target {
        if !changed.is_disjoint(&self.configuration) {
            self.is_old = true;
            return Target::All;
        }
        // Who has read a file was affected by it, and so is who imports that one.
        let readers = changed.iter().filter_map(|path| self.opened.get(path));
        let readers: BTreeSet<PathBuf> = readers.flatten().cloned().collect();
        let is_python = |path: &&PathBuf| path.extension().is_some_and(|suffix| suffix == "py");
        let (sources, others): (Vec<_>, Vec<_>) = changed.iter().partition(is_python);
        let mut files: BTreeSet<PathBuf> = BTreeSet::new();
        files.extend(others.into_iter().cloned());
        files.extend(readers.iter().cloned());
        let starts: Vec<&PathBuf> = sources.iter().copied().chain(&readers).collect();
        let Some(graph) = &self.graph else {
            self.is_old |= !sources.is_empty();
            return match starts.is_empty() {
                true => self.with_tests(files),
                false => Target::All,
            };
        };
        files.extend(dependents(graph, &self.root, &starts));
        let is_new = |path: &PathBuf| {
            below(&self.root, path).is_some_and(|name| graph.imports(&name).is_none())
        };
        let others_than_before = sources.iter().any(|path| !path.exists() || is_new(path));
        if !sources.is_empty() {
            self.is_old = true;
        }
        if others_than_before {
            self.renew();
            let Some(graph) = &self.graph else {
                return Target::All;
            };
            files.extend(dependents(graph, &self.root, &starts));
        }
        self.with_tests(files)
    }

    /// Whether a test may depend on a file, as far as anybody knows.
    pub(super) fn knows(&self, file: &PathBuf) -> bool {
        file.extension().is_some_and(|suffix| suffix == "py")
            || self.configuration.contains(file)
            || self.opened.contains_key(file)
            || self.with_tests.contains(file)
    }

    /// Those of them that are test files.
    fn with_tests(&self, files: BTreeSet<PathBuf>) -> Target {
        let of_graph = self.graph.iter().flat_map(ImportGraph::test_files);
        let tests: BTreeSet<PathBuf> = of_graph.map(|name| self.root.join(name)).collect();
        let is_test = |file: &PathBuf| {
            (tests.contains(file) || self.with_tests.contains(file)) && file.exists()
        };
        Target::Files(files.into_iter().filter(is_test).collect())
    }

    /// Those of a target whose paths a filter is for: a part of one, or a glob pattern.
    pub(super) fn filtered(&self, target: &Target, filter: &str) -> BTreeSet<PathBuf> {
        let all: BTreeSet<PathBuf> = match target {
            Target::Files(files) => files.clone(),
            Target::All => {
                let of_graph = self.graph.iter().flat_map(ImportGraph::test_files);
                let of_graph = of_graph.map(|name| self.root.join(name));
                of_graph.chain(self.with_tests.iter().cloned()).collect()
            }
        };
        let mut pattern = OverrideBuilder::new(&self.root);
        let is_pattern = filter.contains(['*', '?', '[']) && pattern.add(filter).is_ok();
        let pattern = pattern.build().ok().filter(|_| is_pattern);
        let fits = |path: &PathBuf| match &pattern {
            Some(pattern) => pattern.matched(path, false).is_whitelist(),
            None => below(&self.root, path).is_some_and(|name| name.contains(filter)),
        };
        all.into_iter().filter(fits).collect()
    }
}

/// The test files that import one of some files, directly or not, and those of them that are.
fn dependents(graph: &ImportGraph, root: &Path, changed: &[&PathBuf]) -> BTreeSet<PathBuf> {
    let names = changed.iter().filter_map(|path| below(root, path));
    let known = names.filter(|name| graph.imports(name).is_some());
    // pytest imports a test module: where no other does, it concerns nobody else. That an import whose target
    // the source does not show means a test module is too rare to run all such tests at each of its edits.
    let (alone, others): (Vec<String>, Vec<String>) = known.partition(|name| {
        graph
            .importers(name)
            .is_some_and(|importers| importers.is_empty())
            && graph.test_files().any(|test| test == name)
    });
    let affected = graph.affected(&others).tests;
    let alone = alone.iter().map(String::as_str);
    let all = affected.into_iter().chain(alone);
    all.map(|name| root.join(name)).collect()
}

/// A path below the root directory, with `/`.
fn below(root: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(root).ok()?.to_str()?;
    Some(path.replace(std::path::MAIN_SEPARATOR, "/"))
}

/// Options that say where the tests are, for the collector.
fn options(arguments: &[OsString]) -> Vec<String> {
    const WITH_PLACES: [&str; 7] = [
        "-c",
        "--config-file",
        "--rootdir",
        "--confcutdir",
        "--ignore",
        "--ignore-glob",
        "--import-mode",
    ];
    let mut found = Vec::new();
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or(word);
        if !WITH_PLACES.contains(&name) {
            continue;
        }
        found.push(word.to_owned());
        if name == word {
            found.extend(words.next().map(str::to_owned));
        }
    }
    found
}

/// The paths among the arguments; none where they may be something else.
fn paths(arguments: &[OsString], exists: impl Fn(&str) -> bool) -> Option<Vec<PathBuf>> {
    /// Options of which the next word is the value.
    const WITH_VALUE: [&str; 16] = [
        "-k",
        "-m",
        "-n",
        "-p",
        "-c",
        "-o",
        "-W",
        "-r",
        "--tb",
        "--dist",
        "--rootdir",
        "--ignore",
        "--ignore-glob",
        "--deselect",
        "--confcutdir",
        "--maxfail",
    ];
    let mut paths = Vec::new();
    let mut before = "";
    for argument in arguments {
        let word = argument.to_str()?;
        if word == "--pyargs" || word.starts_with('@') {
            return None;
        }
        let of_before = WITH_VALUE.contains(&before);
        let is_path = !word.starts_with('-') && exists(word.split("::").next().unwrap_or(word));
        if is_path && !of_before {
            if before.starts_with('-') && !has_no_value_behind(before) {
                return None;
            }
            paths.push(PathBuf::from(word));
        }
        // A value may look like an option.
        before = if of_before { "" } else { word };
    }
    Some(paths)
}

/// Whether the word behind an option is certainly not its value.
fn has_no_value_behind(option: &str) -> bool {
    const FLAGS: [&str; 14] = [
        "--",
        "--quiet",
        "--verbose",
        "--exitfirst",
        "--showlocals",
        "--explain",
        "--no-daemon",
        "--no-header",
        "--no-summary",
        "--lf",
        "--ff",
        "--sw",
        "--nf",
        "--pdb",
    ];
    if option.starts_with("--") {
        return option.contains('=') || FLAGS.contains(&option);
    }
    let letters = option.trim_start_matches('-');
    let flags = letters.trim_start_matches(['q', 'v', 's', 'x', 'l']);
    // `-vx`, or the value is in the word itself: `-n2`.
    flags.is_empty()
        || flags.len() > 1 && flags.starts_with(['k', 'm', 'n', 'p', 'c', 'o', 'W', 'r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn paths_are_told_from_values() {
        let exists = |path: &str| ["tests", "a.py", "report.xml"].contains(&path);
        let named = |line: &str| {
            let paths = paths(&words(line), exists)?;
            let texts = paths.iter().map(|path| path.display().to_string());
            Some(texts.collect::<Vec<_>>().join(" "))
        };
        for (line, expected) in [
            ("", ""),
            ("tests a.py::test_x", "tests a.py::test_x"),
            ("-k tests -q", ""),
            ("-k -q tests", "tests"),
            ("-vx tests", "tests"),
            ("-n2 tests", "tests"),
            ("-n 2 tests", "tests"),
            ("--junit-xml=report.xml tests", "tests"),
            ("missing", ""),
        ] {
            assert_eq!(named(line).as_deref(), Some(expected), "{line}");
        }
        for line in [
            "--junit-xml report.xml",
            "--cov tests",
            "--pyargs tests",
            "@tests",
        ] {
            assert_eq!(named(line), None, "{line}");
        }
    }

    #[test]
    fn options_that_say_where_are_the_collectors() {
        let line = "-q --rootdir=x -k y --ignore a.py -c b.ini tests";
        let expected = ["--rootdir=x", "--ignore", "a.py", "-c", "b.ini"];
        assert_eq!(options(&words(line)), expected);
    }

    #[test]
    fn targets_add_up() {
        let files = |names: &[&str]| Target::Files(names.iter().map(PathBuf::from).collect());
        let mut target = Target::default();
        assert!(target.is_empty() && !target.meets(&Target::All));
        target.add(files(&["a"]));
        target.add(files(&["b"]));
        assert_eq!(target, files(&["a", "b"]));
        assert!(target.meets(&files(&["b", "c"])) && !target.meets(&files(&["c"])));
        target.add(Target::All);
        target.add(files(&["c"]));
        assert_eq!(target, Target::All);
        assert!(target.meets(&files(&["d"])) && !target.meets(&files(&[])));
    }
}
