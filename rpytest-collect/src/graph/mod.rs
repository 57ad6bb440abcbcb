//! Which files of a project run when a test file does.

mod resolve;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

use crate::Diagnostic;
use crate::collector::normalized;
use crate::config::Config;
use crate::syntax::Import;

use resolve::{Files, split};

/// An import whose target the source does not show, or a file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DynamicImport {
    /// The file, below the root directory.
    pub file: String,
    /// 1-based line, where it is one line.
    pub line: Option<u32>,
    /// What is used: `import_module`, `exec`, `pytest_plugins`.
    pub what: String,
}

/// All that a file depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dependencies<'a> {
    /// The files, sorted, without the file itself. Paths below the root directory.
    pub files: Vec<&'a str>,
    /// Where it, or one of those, may import something else too. A test file with any is always affected.
    pub dynamic: Vec<&'a DynamicImport>,
}

/// What a change means for the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Affected<'a> {
    /// The test files that have to run, in pytest's order.
    pub tests: Vec<&'a str>,
    /// Changed paths that are no module of the project. Where there is one, `tests` are all of them.
    pub unknown: Vec<String>,
}

/// The imports among the files of a project.
///
/// An edge says that importing or running one file may run another: by `import` anywhere in it, by a string
/// that names a module (`mock.patch("a.b.c")`), by `pytest_plugins`, or because pytest loads it on the way: the
/// `conftest.py` and `__init__.py` files above. Where a name may mean several files, all are taken.
///
/// It knows imports alone. What a test opens, or starts as a process of its own, is not in it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let project = tempfile::tempdir()?;
/// # std::fs::create_dir(project.path().join("app"))?;
/// # for (name, text) in [
/// #     ("pytest.ini", "[pytest]\n"),
/// #     ("app/tax.py", ""),
/// #     ("app/price.py", "from . import tax\n"),
/// #     ("test_price.py", "from app.price import total\n"),
/// #     ("test_other.py", ""),
/// # ] { std::fs::write(project.path().join(name), text)?; }
/// let graph = rpytest_collect::Collector::new(project.path()).import_graph()?;
/// # #[cfg(any(feature = "ruff", feature = "rustpython"))] {
/// assert_eq!(graph.affected(["app/tax.py"]).tests, ["test_price.py"]);
/// let dependencies = graph.dependencies("test_price.py").ok_or("no such file")?;
/// assert_eq!(dependencies.files, ["app/price.py", "app/tax.py"]);
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ImportGraph {
    graph: DiGraph<Module, ()>,
    nodes: HashMap<String, NodeIndex>,
    /// In pytest's order.
    tests: Vec<NodeIndex>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

#[derive(Debug, Clone)]
struct Module {
    path: String,
    dynamic: Vec<DynamicImport>,
}

impl ImportGraph {
    /// The test files, in pytest's order.
    pub fn test_files(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|&node| self.path(node))
    }

    /// What was wrong with the cache, where one is used.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// All files, tests or not.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.graph.node_weights().map(|module| module.path.as_str())
    }

    /// What one file imports itself, sorted. None where it is not in the graph.
    #[must_use]
    pub fn imports(&self, file: &str) -> Option<Vec<&str>> {
        self.neighbours(file, Direction::Outgoing)
    }

    /// The files that import one file themselves, sorted. None where it is not in the graph.
    #[must_use]
    pub fn importers(&self, file: &str) -> Option<Vec<&str>> {
        self.neighbours(file, Direction::Incoming)
    }

    fn neighbours(&self, file: &str, direction: Direction) -> Option<Vec<&str>> {
        let node = *self.nodes.get(file)?;
        let neighbours = self.graph.neighbors_directed(node, direction);
        let mut files: Vec<&str> = neighbours.map(|node| self.path(node)).collect();
        files.sort_unstable();
        Some(files)
    }

    /// All that one file depends on, directly or not. None where it is not in the graph.
    #[must_use]
    pub fn dependencies(&self, file: &str) -> Option<Dependencies<'_>> {
        let start = *self.nodes.get(file)?;
        let mut out = Dependencies {
            files: Vec::new(),
            dynamic: Vec::new(),
        };
        let mut search = Dfs::new(&self.graph, start);
        while let Some(node) = search.next(&self.graph) {
            if node != start {
                out.files.push(self.path(node));
            }
            out.dynamic.extend(&self.graph[node].dynamic);
        }
        out.files.sort_unstable();
        out.dynamic
            .sort_unstable_by_key(|import| (&import.file, import.line));
        Some(out)
    }

    /// The test files that a change of these files can make a difference to.
    ///
    /// Paths are below the root directory, with `/`. The graph is that of the tree after the change; a file
    /// that is not in it, since it was deleted or is no Python, makes every test affected: leave out of the
    /// list what you know to be irrelevant. So does a change of nothing but itself to a test with a
    /// [`DynamicImport`]: those are affected whenever anything has changed.
    #[must_use]
    pub fn affected<P: AsRef<str>>(&self, changed: impl IntoIterator<Item = P>) -> Affected<'_> {
        let mut unknown = Vec::new();
        let mut any = false;
        let mut starts: Vec<NodeIndex> = Vec::new();
        for path in changed {
            any = true;
            let path = path.as_ref();
            match self.nodes.get(path) {
                Some(&node) => starts.push(node),
                None => unknown.push(path.to_owned()),
            }
        }
        if any {
            let dynamic = self.graph.node_indices();
            starts.extend(dynamic.filter(|&node| !self.graph[node].dynamic.is_empty()));
        }
        let mut search = Dfs::empty(Reversed(&self.graph));
        let mut reached = HashSet::new();
        for start in starts {
            search.move_to(start);
            while let Some(node) = search.next(Reversed(&self.graph)) {
                reached.insert(node);
            }
        }
        let tests = self
            .tests
            .iter()
            .filter(|node| !unknown.is_empty() || reached.contains(node));
        Affected {
            tests: tests.map(|&node| self.path(node)).collect(),
            unknown,
        }
    }

    /// Groups of files that import each other, each sorted.
    #[must_use]
    pub fn cycles(&self) -> Vec<Vec<&str>> {
        let mut cycles: Vec<Vec<&str>> = tarjan_scc(&self.graph)
            .into_iter()
            .filter(|group| group.len() > 1)
            .map(|group| {
                let mut paths: Vec<&str> = group.into_iter().map(|node| self.path(node)).collect();
                paths.sort_unstable();
                paths
            })
            .collect();
        cycles.sort_unstable();
        cycles
    }

    fn path(&self, node: NodeIndex) -> &str {
        &self.graph[node].path
    }
}

/// Directories that hold no module of the project.
fn is_foreign(dir: &Path) -> bool {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || matches!(&*name, "__pycache__" | "node_modules" | "site-packages")
        || dir.join("pyvenv.cfg").is_file()
        || dir.join("conda-meta/history").is_file()
}

/// Every Python file below the root directory and the directories of `pythonpath`.
pub(crate) fn python_files(config: &Config) -> Vec<PathBuf> {
    let mut pending = vec![config.rootdir.clone()];
    for path in &config.pythonpath {
        let path = normalized(&config.rootdir.join(path));
        if !path.starts_with(&config.rootdir) {
            pending.push(path);
        }
    }
    let mut found = BTreeSet::new();
    let mut visited = HashSet::new();
    while let Some(dir) = pending.pop() {
        // A symlink may lead back.
        let Ok(real) = std::fs::canonicalize(&dir) else {
            continue;
        };
        if !visited.insert(real) {
            continue;
        }
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !is_foreign(&path) {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|suffix| suffix == "py") {
                found.insert(path);
            }
        }
    }
    found.into_iter().collect()
}

/// `modules` are paths with their imports, None for a file that has none since it could not be parsed.
pub(crate) fn build(
    config: &Config,
    tests: Vec<String>,
    modules: Vec<(String, Option<Vec<Import>>)>,
) -> ImportGraph {
    let mut modules = modules;
    let known: HashSet<&String> = modules.iter().map(|(path, _)| path).collect();
    // In a directory that is left out, or outside of the root directory.
    let others: Vec<String> = tests
        .iter()
        .filter(|path| !known.contains(path))
        .cloned()
        .collect();
    modules.extend(others.into_iter().map(|path| (path, None)));

    let mut files = Files::new(modules.iter().map(|(path, _)| path.as_str()));
    let mut roots: BTreeSet<String> = ["", "src"].map(str::to_owned).into();
    roots.extend(config.pythonpath.iter().map(|path| {
        let path = normalized(&config.rootdir.join(path));
        let below = path.strip_prefix(&config.rootdir).unwrap_or(&path);
        below.to_string_lossy().into_owned()
    }));
    let loaded = tests.iter().chain(
        modules
            .iter()
            .map(|(path, _)| path)
            .filter(|path| split(path).1 == "conftest.py"),
    );
    roots.extend(loaded.map(|path| files.base(path).to_owned()));
    roots.iter().for_each(|root| files.add_root(root));

    let is_test: HashSet<&String> = tests.iter().collect();
    let everywhere = everywhere(config);
    let changes_path: HashSet<&str> = modules
        .iter()
        .filter(|(_, imports)| imports.iter().flatten().any(|i| *i == Import::SearchPath))
        .map(|(path, _)| path.as_str())
        .collect();
    let mut graph = DiGraph::new();
    let mut nodes = HashMap::new();
    for (path, imports) in &modules {
        let mut dynamic: Vec<DynamicImport> = Vec::new();
        let mut note = |line, what: &str| {
            dynamic.push(DynamicImport {
                file: path.clone(),
                line,
                what: what.to_owned(),
            });
        };
        match imports {
            None => note(None, "a file that cannot be parsed"),
            Some(imports) => {
                for import in imports {
                    if let Import::Dynamic { line, what } = import {
                        note(Some(*line), what);
                    }
                }
            }
        }
        if let (Some(what), true) = (&everywhere.unknown, is_test.contains(path)) {
            note(None, what);
        }
        let module = Module {
            path: path.clone(),
            dynamic,
        };
        nodes.insert(path.clone(), graph.add_node(module));
    }
    for (path, imports) in &modules {
        let mut targets = BTreeSet::new();
        let loaded = is_test.contains(path) || split(path).1 == "conftest.py";
        files.above(path, "__init__.py", &mut targets);
        if loaded {
            files.above(path, "conftest.py", &mut targets);
        }
        let anywhere = changes_path.contains(path.as_str())
            || targets
                .iter()
                .any(|above| changes_path.contains(above.as_str()));
        let plugins = everywhere.plugins.iter().filter(|_| is_test.contains(path));
        for import in imports.iter().flatten().chain(plugins) {
            files.resolve(path, import, anywhere, &mut targets);
        }
        for target in targets {
            if let (Some(&from), Some(&to)) = (nodes.get(path), nodes.get(&target))
                && from != to
            {
                graph.update_edge(from, to, ());
            }
        }
    }
    let tests = tests.iter().filter_map(|path| nodes.get(path).copied());
    let tests = tests.collect();
    ImportGraph {
        graph,
        nodes,
        tests,
        diagnostics: Vec::new(),
    }
}

/// What every test depends on.
struct Everywhere {
    plugins: Vec<Import>,
    /// Why it is not known.
    unknown: Option<String>,
}

fn everywhere(config: &Config) -> Everywhere {
    let plugins = config
        .plugins
        .iter()
        .filter(|name| !name.starts_with("no:"));
    // A project that is a plugin itself is loaded before all of its tests.
    let is_plugin = ["pyproject.toml", "setup.cfg", "setup.py"]
        .iter()
        .any(|name| {
            let path = config.rootdir.join(name);
            path.is_file()
                && std::fs::read(path)
                    .is_ok_and(|text| memchr::memmem::find(&text, b"pytest11").is_some())
        });
    Everywhere {
        plugins: plugins.cloned().map(Import::Module).collect(),
        unknown: is_plugin.then(|| "an entry point for pytest".to_owned()),
    }
}
