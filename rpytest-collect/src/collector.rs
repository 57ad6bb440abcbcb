//! The builder, and the one pass over the files.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "cache")]
use std::time::Duration;

use crate::answer::{Answer, Case, IgnoredBelow, Shared, Wide};
use crate::config::testpaths::expand;
use crate::config::{Config, Settings};
use crate::glob;
use crate::graph::{self, ImportGraph};
use crate::rules::conftest::Conftest;
use crate::rules::fixtures::Reader;
use crate::rules::module::{self, Source};
use crate::rules::program::{Files, Parsed, Program};
use crate::rules::resolve::World;
use crate::select::{self, NodeArgument, Nodes, Selection};
use crate::sources::{FileFacts, Sources};
use crate::syntax::{self, SyntaxProblem, contains};
use crate::walk::{Kind, Walk};
use crate::{
    CollectError, CollectedFile, Collection, Completeness, Diagnostic, Item, PluginFacts, Reason,
};

/// Collects what pytest would collect, were it started in a directory.
///
/// ```no_run
/// # fn main() -> Result<(), rpytest_collect::CollectError> {
/// let collection = rpytest_collect::Collector::new(".").paths(["tests/unit"]).collect()?;
/// println!("{} tests", collection.exact_items().count());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Collector {
    directory: PathBuf,
    paths: Vec<PathBuf>,
    options: Vec<String>,
    environment: Option<HashMap<String, String>>,
    threads: Option<usize>,
    plugins: Option<PluginFacts>,
    #[cfg(feature = "cache")]
    cache: Option<PathBuf>,
    /// After how long the cache trusts the times of a file.
    #[cfg(feature = "cache")]
    settle: Duration,
}

impl Collector {
    /// A run in `directory`, with no arguments. The root directory is found from there.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            paths: Vec::new(),
            options: Vec::new(),
            environment: None,
            threads: None,
            plugins: None,
            #[cfg(feature = "cache")]
            cache: None,
            #[cfg(feature = "cache")]
            settle: crate::cache::GRANULARITY,
        }
    }

    /// Files, directories and node ids to collect, as given to pytest: relative ones below the directory.
    pub fn paths<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.paths = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Options of the command line, after those of `addopts`. One whose effect is not known makes
    /// every file partial.
    pub fn options<S: Into<String>>(mut self, options: impl IntoIterator<Item = S>) -> Self {
        self.options = options.into_iter().map(Into::into).collect();
        self
    }

    /// The environment of the run, such as [`std::env::vars_os`]: the options in `PYTEST_ADDOPTS` come before those of
    /// [`Collector::options`], `PYTEST_PLUGINS` makes every file partial, and variables in `--rootdir` are
    /// replaced. By default none of it is set, whatever the environment of this process has. A value
    /// that is not Unicode is none that pytest could use.
    pub fn environment<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let text = |(name, value): (K, V)| {
            let name = name.into().into_string().ok()?;
            Some((name, value.into().into_string().ok()?))
        };
        self.environment = Some(variables.into_iter().filter_map(text).collect());
        self
    }

    /// How many threads read and parse. By default one for each processor.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Asserts what plugins there are.
    pub fn plugins(mut self, plugins: PluginFacts) -> Self {
        self.plugins = Some(plugins);
        self
    }

    /// Keeps what is read of each file in this one, so that the next collection reads only files that have
    /// changed since; and, in a directory beside it that has its name and `.answers`, what was made of that. A
    /// relative path is below the directory. Both are made where they do not exist; what is wrong with them is a
    /// diagnostic.
    #[cfg(feature = "cache")]
    pub fn cache(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// Trusts a file's times after another duration. In earnest it is longer than the ticks of any file system.
    #[cfg(all(
        test,
        unix,
        feature = "cache",
        any(feature = "ruff", feature = "rustpython")
    ))]
    pub(crate) fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Reads the configuration, walks the tree and collects every file.
    ///
    /// # Errors
    ///
    /// When a path does not exist, pytest would refuse the configuration, or no thread can be started.
    /// What is wrong with single files is in [`Collection::diagnostics`] instead.
    pub fn collect(&self) -> Result<Collection, CollectError> {
        let (session, arguments) = self.session()?;
        session.run(&arguments)
    }

    /// Reads the configuration, finds the test files as [`Collector::collect`] does, and reads what
    /// they and the modules of the project import.
    ///
    /// # Errors
    ///
    /// As [`Collector::collect`].
    pub fn import_graph(&self) -> Result<ImportGraph, CollectError> {
        let (session, arguments) = self.session()?;
        let mut walk = Walk::default();
        for argument in &arguments {
            walk.argument(argument, &session.config);
        }
        let tests = walk.files.iter().filter(|(_, kind)| *kind == Kind::Module);
        let tests = tests.map(|(path, _)| session.relative(path)).collect();
        let sources = graph::python_files(&session.config);
        let read = |path: &PathBuf| {
            let facts = session.sources.facts(path);
            let summary = facts.ok().and_then(|facts| facts.summary.ok());
            let imports = summary.map(|summary| summary.imports);
            (session.relative(path), imports)
        };
        let modules = parallel(session.thread_count(), &sources, read)?;
        let mut graph = graph::build(&session.config, tests, modules);
        graph.diagnostics.extend(session.sources.save_facts());
        Ok(graph)
    }

    /// The configuration of the run, as far as others ask for it.
    ///
    /// # Errors
    ///
    /// As [`Collector::collect`].
    pub fn settings(&self) -> Result<Settings, CollectError> {
        let (session, _) = self.session()?;
        Ok(session.config.settings())
    }

    /// The session of a run, and its arguments.
    fn session(&self) -> Result<(Session<'_>, Vec<PathBuf>), CollectError> {
        let find = |path: &Path| {
            std::fs::canonicalize(path).map_err(|source| CollectError::NotFound {
                path: path.to_owned(),
                source,
            })
        };
        let directory = find(&self.directory)?;
        let mut arguments = Vec::new();
        let mut nodes = Vec::new();
        for given in &self.paths {
            let text = given.to_string_lossy();
            let refuse = || CollectError::Argument {
                argument: text.clone().into_owned(),
            };
            // Only a path that is no text keeps its bytes; it can have no node.
            let node = match given.to_str() {
                Some(text) => Some(NodeArgument::parse(text).ok_or_else(refuse)?),
                None => None,
            };
            let path = node
                .as_ref()
                .map_or(given.as_path(), |node| Path::new(&node.path));
            let path = normalized(&directory.join(path));
            find(&path)?;
            if let Some(node) = node.filter(|node| !node.names.is_empty()) {
                if path.is_dir() {
                    return Err(refuse());
                }
                nodes.push((path.clone(), node));
            }
            arguments.push(path);
        }
        let mut config = Config::load(
            &directory,
            &arguments,
            &self.options,
            self.environment.as_ref(),
        )?;
        config.pytest = self.plugins.as_ref().and_then(|facts| facts.pytest);
        if arguments.is_empty() && directory == config.rootdir {
            arguments = testpaths(&mut config);
        }
        if arguments.is_empty() {
            arguments.push(directory);
        }
        // The ids of what is outside depend on the other arguments.
        if !arguments
            .iter()
            .all(|path| path.starts_with(&config.rootdir))
        {
            config.unmodelled("rootdir");
        }
        if is_disputed(&arguments, &nodes, &config) {
            config.unmodelled("overlapping arguments");
        }
        let sources = Sources::new(&config.rootdir);
        #[cfg(feature = "cache")]
        let sources = match &self.cache {
            Some(path) => sources.with_cache(&self.directory.join(path), self.settle),
            None => sources,
        };
        // Rules must not see it: what they make of a file is kept for runs that select something else.
        let selection = std::mem::take(&mut config.selection);
        let session = Session {
            config,
            selection,
            plugins: self.plugins.as_ref(),
            threads: self.threads,
            sources,
            nodes: Nodes::new(nodes, &arguments),
        };
        Ok((session, without_overlaps(arguments)))
    }
}

/// Without `.` and `..`, and with symlinks as they are: as `os.path.abspath` has it.
pub(crate) fn normalized(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The paths of `testpaths`.
fn testpaths(config: &mut Config) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for pattern in config.testpaths.clone() {
        let Some(paths) = expand(&config.rootdir, &pattern) else {
            config.unmodelled("testpaths");
            continue;
        };
        for path in paths {
            let path = normalized(&config.rootdir.join(path));
            // What no plugin collects is an error, as is what does not exist.
            if path.is_dir() || (path.is_file() && path.extension().is_some_and(|end| end == "py"))
            {
                found.push(path);
            } else {
                config.unmodelled("testpaths");
            }
        }
    }
    found
}

/// Whether versions of pytest differ on arguments that contain others, which have a meaning of their own before 9.0.
/// Node ids of one file are looked at with its items.
fn is_disputed(arguments: &[PathBuf], nodes: &[(PathBuf, NodeArgument)], config: &Config) -> bool {
    if config.pytest.is_some_and(|version| version >= (9, 0)) && !config.keep_duplicates {
        return false;
    }
    let pairs = (0..arguments.len()).flat_map(|at| (at + 1..arguments.len()).map(move |b| (at, b)));
    pairs
        .map(|(first, second)| (&arguments[first], &arguments[second]))
        .any(|(first, second)| match first == second {
            true if first.is_dir() => config.keep_duplicates,
            true => nodes.iter().all(|(path, _)| path != first),
            false => first.starts_with(second) || second.starts_with(first),
        })
}

/// pytest drops an argument that another one contains.
fn without_overlaps(arguments: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut kept: Vec<PathBuf> = Vec::new();
    for (index, path) in arguments.iter().enumerate() {
        let contained = arguments
            .iter()
            .enumerate()
            .any(|(other, outer)| path.starts_with(outer) && (path != outer || other < index));
        if !contained {
            kept.push(path.clone());
        }
    }
    kept
}

struct Session<'a> {
    config: Config,
    selection: Selection,
    plugins: Option<&'a PluginFacts>,
    threads: Option<usize>,
    sources: Sources,
    nodes: Nodes,
}

impl Session<'_> {
    fn run(&self, arguments: &[PathBuf]) -> Result<Collection, CollectError> {
        self.sources.expect(|| {
            let (config, plugins) = (self.config.text(), self.plugins);
            format!("{config}\n{arguments:?}\n{plugins:?}")
        });
        let mut walk = Walk::default();
        for argument in arguments {
            walk.argument(argument, &self.config);
        }
        let mut conftests: Vec<PathBuf> = std::mem::take(&mut walk.conftests);
        let above = arguments.iter().flat_map(|argument| {
            argument
                .ancestors()
                .take_while(|dir| dir.starts_with(&self.config.rootdir))
        });
        conftests.extend(
            above
                .map(|dir| dir.join("conftest.py"))
                .filter(|path| path.is_file()),
        );
        let mut seen = HashSet::new();
        conftests.retain(|path| seen.insert(path.clone()));

        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for (path, message) in std::mem::take(&mut walk.problems) {
            diagnostics.push(Diagnostic {
                path: self.relative(&path),
                line: None,
                message,
            });
        }
        let threads = self.thread_count();
        let kept = Files::default();
        let program = Program::new(&kept, &self.sources, &self.config, self.plugins);
        let read = || {
            parallel(threads, &conftests, |path| {
                self.conftest(path, arguments, &program)
            })
        };
        let mut known: Option<Vec<Conftest<'_>>> = None;
        let made;
        let shared = match self.sources.recall(&conftests) {
            Some(shared) => shared,
            None => {
                made = self.shared(&conftests, known.insert(read()?));
                &made
            }
        };
        let cases = self.cases(walk, arguments, shared);
        let mut answers = match known {
            Some(_) => vec![None; cases.len()],
            None => self.sources.answers(&cases, threads),
        };
        let missing = (0..cases.len()).filter(|&at| answers[at].is_none());
        let missing: Vec<usize> = missing.collect();
        if !missing.is_empty() {
            let known = match known {
                Some(known) => known,
                None => read()?,
            };
            let directories = conftests.iter().map(|path| path.parent());
            let by_directory = directories.zip(&known);
            let by_directory: HashMap<&Path, &Conftest<'_>> = by_directory
                .filter_map(|(dir, conftest)| Some((dir?, conftest)))
                .collect();
            let found = parallel(threads, &missing, |&at| {
                let case = &cases[at];
                let answer = self.file(case, &shared.reasons, &by_directory, &program);
                self.sources.keep(case, &answer);
                answer
            })?;
            for (at, answer) in missing.into_iter().zip(found) {
                answers[at] = Some(answer);
            }
        }
        let mut collection = Collection {
            rootdir: self.config.rootdir.clone(),
            conftests: conftests.iter().map(|path| self.relative(path)).collect(),
            files: Vec::with_capacity(cases.len()),
            diagnostics,
        };
        let problem = self.sources.save(&cases, &conftests, shared);
        collection.diagnostics.extend(problem);
        let mut wide = Vec::new();
        for (case, answer) in cases.iter().zip(answers.into_iter().flatten()) {
            if let Some((mut file, keys)) = answer.file {
                if shared.gives_marks {
                    // Which, and to which items, is not known.
                    file.items
                        .iter_mut()
                        .for_each(|item| item.facts.more_marks = true);
                }
                self.nodes.keep(&case.path, &mut file)?;
                self.selection.keep(&mut file)?;
                collection.files.push(file);
                wide.push(keys);
            }
            collection.diagnostics.extend(answer.diagnostic);
        }
        without_shared(&mut collection.files, &wide);
        Ok(collection)
    }

    /// What the conftests do to all files.
    fn shared(&self, paths: &[PathBuf], conftests: &[Conftest<'_>]) -> Shared {
        let mut shared = Shared {
            reasons: self.config.reasons.clone(),
            ..Shared::default()
        };
        let plugins = self.plugins.iter().flat_map(|plugins| plugins.reasons());
        shared.reasons.extend(plugins);
        for (path, conftest) in paths.iter().zip(conftests) {
            shared.reasons.extend(conftest.session.iter().cloned());
            shared.gives_marks |= conftest.gives_marks;
            let (names, globs) = (&conftest.ignored, &conftest.ignored_globs);
            if let Some(dir) = path.parent().filter(|_| names.is_some() || globs.is_some()) {
                shared.ignored.push(IgnoredBelow {
                    dir: dir.to_owned(),
                    names: names.clone(),
                    globs: globs.clone(),
                });
            }
        }
        shared.ignored.sort_by(|a, b| a.dir.cmp(&b.dir));
        shared
    }

    /// The files that are not ignored.
    fn cases(&self, mut walk: Walk, arguments: &[PathBuf], shared: &Shared) -> Vec<Case> {
        let is_ignored = |path: &Path, by| is_ignored(path, arguments, shared, by);
        let mut files = std::mem::take(&mut walk.files);
        files.retain(|(path, _)| {
            !is_ignored(path, IgnoredBy::Sure) && !self.selection.leaves_out(path, arguments)
        });
        let mut twins = match self.config.import_mode_is_importlib {
            true => HashMap::new(),
            false => twins(&files),
        };
        let case = |(at, (path, kind)): (usize, (PathBuf, Kind))| {
            let unsure = is_ignored(&path, IgnoredBy::Perhaps);
            let unsure = unsure.then(|| Reason::ConftestDynamic {
                file: "conftest.py".to_owned(),
                name: "collect_ignore".to_owned(),
            });
            let in_environment = walk.unsure.iter().any(|dir| path.starts_with(dir));
            let in_environment = in_environment.then(|| Reason::Configuration {
                name: "--collect-in-virtualenv".to_owned(),
            });
            let twin = twins.remove(&at);
            let twin = twin.map(|name| Reason::SameModule { name });
            let reasons = unsure.into_iter().chain(in_environment).chain(twin);
            Case {
                reasons: reasons.collect(),
                path,
                kind,
            }
        };
        files.into_iter().enumerate().map(case).collect()
    }

    fn world<'a, 'f: 'a>(&self, program: &'a Program<'f>) -> World<'a> {
        World {
            modules: program,
            python: self.plugins.and_then(|facts| facts.python),
            pytest: self.plugins.and_then(|facts| facts.pytest),
        }
    }

    fn thread_count(&self) -> usize {
        self.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        })
    }

    fn relative(&self, path: &Path) -> String {
        match path.strip_prefix(&self.config.rootdir) {
            Ok(below) => below.to_string_lossy().into_owned(),
            Err(_) => {
                let up = self
                    .config
                    .rootdir
                    .ancestors()
                    .position(|dir| path.starts_with(dir));
                let up = up.unwrap_or_default();
                let base = self
                    .config
                    .rootdir
                    .ancestors()
                    .nth(up)
                    .unwrap_or(Path::new("/"));
                let below = path.strip_prefix(base).unwrap_or(path);
                format!("{}{}", "../".repeat(up), below.to_string_lossy())
            }
        }
    }

    fn conftest<'a>(
        &'a self,
        path: &Path,
        arguments: &[PathBuf],
        program: &'a Program<'a>,
    ) -> Conftest<'a> {
        let id = self.relative(path);
        let Some(module) = program.module(path) else {
            return Conftest::unreadable(&id);
        };
        let world = self.world(program);
        let config = &self.config;
        // `PytestPluginManager._set_initial_conftests`: those above the arguments, and in `test*` below them.
        let initial = path.parent().is_some_and(|dir| {
            let is_test = dir
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("test"));
            arguments.iter().any(|argument| {
                argument.starts_with(dir) || (is_test && dir.parent() == Some(argument))
            })
        });
        Conftest::new(&id, module, Reader { world, config }, initial)
    }

    fn file(
        &self,
        case: &Case,
        session: &[Reason],
        conftests: &HashMap<&Path, &Conftest<'_>>,
        program: &Program<'_>,
    ) -> Answer {
        let path = case.path.as_path();
        let id = self.relative(path);
        let answer = |file, diagnostic| Answer { file, diagnostic };
        let partial = |reasons: Vec<Reason>| {
            let completeness = Completeness::from_reasons(reasons);
            let file = CollectedFile {
                path: id.clone(),
                items: Vec::new(),
                deselected: 0,
                completeness,
            };
            Some((file, Wide::new()))
        };
        let FileFacts { summary, words } = match self.sources.facts(path) {
            Ok(facts) if path.to_str().is_some() => facts,
            Ok(_) => return answer(partial(vec![Reason::Unreadable]), None),
            Err(error) => {
                let diagnostic = Diagnostic {
                    path: id.clone(),
                    line: None,
                    message: error.to_string(),
                };
                return answer(partial(vec![Reason::Unreadable]), Some(diagnostic));
            }
        };
        let text = words.as_bytes();
        let may_have_doctests = contains(text, ">>>");
        if case.kind == Kind::Doctest {
            let reasons = may_have_doctests.then(|| vec![Reason::DoctestFile]);
            return answer(reasons.and_then(partial), None);
        }
        let mut reasons: Vec<Reason> = session.iter().chain(&case.reasons).cloned().collect();
        if self.config.doctest_modules && may_have_doctests {
            reasons.push(Reason::DoctestFile);
        }
        let mut chain: Vec<&Conftest<'_>> = path
            .ancestors()
            .skip(1)
            .filter_map(|dir| conftests.get(dir).copied())
            .collect();
        chain.reverse();
        reasons.extend(
            chain
                .iter()
                .flat_map(|conftest| conftest.below.iter().cloned()),
        );
        let summary = match summary {
            Ok(summary) => summary,
            Err(problem) => {
                let (reason, diagnostic) = explain(problem, &id);
                reasons.insert(0, reason);
                return answer(partial(reasons), diagnostic);
            }
        };
        let parsed = Parsed::new(path, &summary, &words, &self.sources.disk);
        let collected = module::collect(&Source {
            id: &id,
            module: &parsed,
            world: self.world(program),
            config: &self.config,
            plugins: self.plugins,
            conftests: &chain,
        });
        reasons.extend(collected.reasons);
        if !reasons.is_empty() {
            return answer(partial(reasons), None);
        }
        let mut items = collected.items;
        let world = self.world(program);
        select::attach(&mut items, &collected.marked, &parsed, world);
        let registered = |mark: &str| {
            let plugins = self.plugins.into_iter().flat_map(|facts| &facts.marks);
            self.config.registers(mark) || plugins.into_iter().any(|known| known == mark)
        };
        let unknown_mark = || {
            let marks = items.iter().flat_map(|item| &item.facts.marks);
            marks.clone().any(|mark| !registered(&mark.name))
        };
        if self.config.strict_warnings && (!collected.warnings.is_empty() || unknown_mark()) {
            let name = "filterwarnings".to_owned();
            return answer(partial(vec![Reason::Configuration { name }]), None);
        }
        let diagnostic = collected.warnings.into_iter().next();
        let diagnostic = diagnostic.map(|(line, message)| Diagnostic {
            path: id.clone(),
            line: Some(line),
            message,
        });
        let file = CollectedFile {
            path: id,
            items: in_order(items, &collected.order),
            deselected: 0,
            completeness: Completeness::Exact,
        };
        answer(Some((file, collected.wide)), diagnostic)
    }
}

/// Test modules that Python would import by the same name, of which pytest refuses all but the first, by their positions.
fn twins(files: &[(PathBuf, Kind)]) -> HashMap<usize, String> {
    let mut by_file: foldhash::HashMap<&OsStr, Vec<usize>> = foldhash::HashMap::default();
    for (at, (path, _)) in files.iter().enumerate() {
        if let Some(file) = path.file_name() {
            by_file.entry(file).or_default().push(at);
        }
    }
    let mut prefixes: HashMap<&Path, Vec<&OsStr>> = HashMap::new();
    let mut names: HashMap<(&[&OsStr], &OsStr), Vec<usize>> = HashMap::new();
    by_file.retain(|_, files| files.len() > 1);
    let dirs = by_file.values().flatten();
    for dir in dirs.filter_map(|&at| files[at].0.parent()) {
        prefixes.entry(dir).or_insert_with(|| {
            let packages = dir.ancestors();
            let packages = packages.take_while(|dir| dir.join("__init__.py").is_file());
            packages.filter_map(Path::file_name).collect()
        });
    }
    for (file, twins) in by_file {
        for at in twins {
            let prefix = files[at].0.parent().and_then(|dir| prefixes.get(dir));
            let prefix = prefix.map_or([].as_slice(), Vec::as_slice);
            names.entry((prefix, file)).or_default().push(at);
        }
    }
    let shared = names.into_iter().filter(|(_, twins)| {
        // A link to the same file is no other module.
        let real = |at: usize| std::fs::canonicalize(&files[at].0).ok();
        twins.len() > 1 && twins.iter().any(|&at| real(at) != real(twins[0]))
    });
    shared
        .flat_map(|((_, file), twins)| {
            let name = file.to_string_lossy().into_owned();
            twins.into_iter().map(move |at| (at, name.clone()))
        })
        .collect()
}

fn in_order(items: Vec<Item>, order: &[usize]) -> Vec<Item> {
    if order.iter().copied().eq(0..items.len()) {
        return items;
    }
    let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
    order
        .iter()
        .filter_map(|&at| items.get_mut(at).and_then(Option::take))
        .collect()
}

/// Makes files partial whose items pytest may put between those of another file: those that have parameters
/// of a package's or the session's scope that another has too, or one of which nothing is known.
fn without_shared(files: &mut [CollectedFile], wide: &[Wide]) {
    let unknown = files.iter().any(|file| !file.completeness.is_exact());
    let shared: Vec<Option<String>> = wide
        .iter()
        .enumerate()
        .map(|(at, keys)| {
            let (_, argument) = keys.iter().find(|key| {
                let others = wide.iter().enumerate();
                unknown
                    || others
                        .clone()
                        .any(|(other, keys)| other != at && keys.contains(key))
            })?;
            Some(argument.clone())
        })
        .collect();
    for (file, argument) in files.iter_mut().zip(shared) {
        let (Some(argument), Some(first)) = (argument, file.items.first()) else {
            continue;
        };
        let reason = Reason::ParameterOrder {
            argument,
            line: first.line,
        };
        file.items.clear();
        file.deselected = 0;
        file.completeness = Completeness::Partial(vec![reason]);
    }
}

/// Which part of `collect_ignore` is asked.
#[derive(Debug, Clone, Copy)]
enum IgnoredBy {
    Sure,
    /// What a conftest adds under a condition.
    Perhaps,
}

/// Whether the nearest `collect_ignore` or `collect_ignore_glob` above a file, or above a directory that it is in, names it.
fn is_ignored(path: &Path, arguments: &[PathBuf], shared: &Shared, by: IgnoredBy) -> bool {
    if shared.ignored.is_empty() {
        return false;
    }
    path.ancestors()
        .take_while(|path| !arguments.iter().any(|argument| argument.starts_with(path)))
        .any(|path| {
            let text = path.to_string_lossy();
            // Each list is that of the nearest conftest that has it.
            [false, true].into_iter().any(|globs| {
                let nearest = path.ancestors().skip(1).find_map(|dir| {
                    let below = shared.ignored_below(dir)?;
                    let ignored = match globs {
                        true => below.globs.as_ref()?,
                        false => below.names.as_ref()?,
                    };
                    Some((dir, ignored))
                });
                let Some((dir, ignored)) = nearest else {
                    return false;
                };
                let names = match by {
                    IgnoredBy::Sure => &ignored.sure,
                    IgnoredBy::Perhaps => &ignored.perhaps,
                };
                names.iter().any(|name| {
                    let named = normalized(&dir.join(name));
                    match globs {
                        true => glob::fnmatch(&text, &named.to_string_lossy()),
                        false => named == path,
                    }
                })
            })
        })
}

fn explain(problem: SyntaxProblem, path: &str) -> (Reason, Option<Diagnostic>) {
    let diagnostic = |line, message| {
        Some(Diagnostic {
            path: path.to_owned(),
            line,
            message,
        })
    };
    match problem {
        SyntaxProblem::NoParser => (Reason::NoParser, None),
        SyntaxProblem::TooLarge { bytes } => (Reason::TooLarge { bytes }, None),
        SyntaxProblem::Encoding { name } => (Reason::Encoding { name }, None),
        SyntaxProblem::TooDeep { line } => (Reason::TooDeep { line }, None),
        SyntaxProblem::Error { line, message } => (
            Reason::SyntaxError { line },
            diagnostic(Some(line), message),
        ),
        SyntaxProblem::Unsupported { line } => (Reason::UnsupportedSyntax { line }, None),
        SyntaxProblem::ParserPanicked => (
            Reason::ParserFailed,
            diagnostic(None, "the parser failed".to_owned()),
        ),
    }
}

/// Maps every input on threads with a stack that fits the parser, in order.
fn parallel<T: Sync, R: Send>(
    threads: usize,
    inputs: &[T],
    map: impl Fn(&T) -> R + Sync,
) -> Result<Vec<R>, CollectError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(inputs.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(inputs.len()) {
            let work = || {
                let mut own = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(index) else {
                        break;
                    };
                    own.push((index, map(input)));
                }
                done.lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .extend(own);
            };
            std::thread::Builder::new()
                .stack_size(syntax::STACK_BYTES)
                .spawn_scoped(scope, work)
                .map_err(CollectError::Thread)?;
        }
        Ok::<(), CollectError>(())
    })?;
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
