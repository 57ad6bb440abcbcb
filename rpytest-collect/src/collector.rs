//! The builder.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
#[cfg(feature = "cache")]
use std::time::Duration;

use crate::config::testpaths::expand;
use crate::config::{Config, Settings};
use crate::graph::{self, ImportGraph};
use crate::parallel::parallel;
use crate::select::{NodeArgument, Nodes};
use crate::session::Session;
use crate::sources::Sources;
use crate::walk::{Kind, Walk};
use crate::{CollectError, Collection, PluginFacts};

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
    texts: HashMap<PathBuf, Vec<u8>>,
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
            texts: HashMap::new(),
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

    /// Takes a text for what a file holds, whatever the disk says: an editor knows more of a file that was not saved. The
    /// file must be there, and the path is below the directory, or absolute. With texts no cache is used.
    pub fn text(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.texts.insert(path.into(), text.into());
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
        let texts = self.texts.iter();
        let texts = texts.map(|(path, text)| (normalized(&directory.join(path)), text.clone()));
        let texts = texts.collect();
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
            Some(path) if self.texts.is_empty() => {
                sources.with_cache(&self.directory.join(path), self.settle)
            }
            _ => sources,
        };
        let sources = sources.with_texts(texts);
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
