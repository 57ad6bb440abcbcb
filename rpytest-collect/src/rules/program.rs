//! The modules that a test module can reach, each found as Python's import finds it and parsed once.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use elsa::sync::{FrozenMap, FrozenVec};
use foldhash::HashMap;

use super::names::Names;
use super::resolve::World;
use crate::PluginFacts;
use crate::collector::normalized;
use crate::config::Config;
use crate::disk::Disk;
use crate::sources::{FileFacts, Sources};
use crate::syntax::{ModuleSummary, contains};

/// A module that was parsed.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    pub(crate) path: &'a Path,
    pub(crate) summary: &'a ModuleSummary,
    pub(crate) words: &'a str,
    pub(crate) names: Names<'a>,
    places: Places,
    disk: &'a Disk,
}

/// Where the imports of one module lead, as far as anybody has asked. The same few are asked for with each name.
#[derive(Debug, Default)]
struct Places(RwLock<HashMap<Box<str>, Place>>);

#[derive(Debug, Clone, Copy)]
enum Place {
    /// By its position in [`Program::modules`].
    Module(usize),
    Outside,
    Unknown,
}

impl Places {
    fn get(&self, import: &str) -> Option<Place> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(import).copied()
    }

    fn insert(&self, import: &str, place: Place) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(import.into(), place);
    }
}

/// A module, as rules hold it.
pub(crate) type Module<'a> = &'a Parsed<'a>;

impl<'a> Parsed<'a> {
    pub(crate) fn new(
        path: &'a Path,
        summary: &'a ModuleSummary,
        words: &'a str,
        disk: &'a Disk,
    ) -> Self {
        Self {
            path,
            summary,
            words,
            names: Names::of_module(summary),
            places: Places::default(),
            disk,
        }
    }

    /// The name by which it is imported.
    pub(crate) fn dotted(&self) -> Option<String> {
        let below = self.path.strip_prefix(base(self.disk, self.path)).ok()?;
        let mut parts: Vec<&str> = below
            .iter()
            .map(|part| part.to_str())
            .collect::<Option<_>>()?;
        let last = parts.pop()?.strip_suffix(".py")?;
        if last != "__init__" {
            parts.push(last);
        }
        Some(parts.join("."))
    }

    /// Whether the value of a name may be changed after it was bound.
    pub(crate) fn is_exposed(&self, name: &str) -> bool {
        let exposed = &self.summary.exposed;
        exposed
            .binary_search_by(|other| other.as_str().cmp(name))
            .is_ok()
    }
}

/// What an import names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    Module(Module<'a>),
    /// A module that is not there to be read: of the standard library, or installed.
    Outside,
    /// Several may be meant, it is no module, or it cannot be parsed.
    Unknown,
}

/// How rules reach other modules.
pub(crate) trait Modules<'a>: Sync {
    /// The module that an import in a file names.
    fn find(&'a self, from: Module<'a>, level: u32, module: &str) -> Found<'a>;

    /// Whether a module can be imported, by its absolute name. None where that is not known.
    fn is_there(&'a self, from: &Path, module: &str) -> Option<bool>;

    /// Whether the directory of a package has a module of that name.
    fn has_module(&self, package: &Path, name: &str) -> bool;

    /// Notes that everything that these modules import is there.
    fn are_there(&self, modules: HashSet<&Path>);

    /// Whether that was noted of a module.
    fn is_known_to_be_there(&self, module: &Path) -> bool;
}

/// The files that were read, where they stay.
#[derive(Default)]
pub(crate) struct Files {
    files: ByPath<Read>,
}

/// By the text of a path: to hash one by its parts costs ten times as much, and all of these are normalized.
type ByPath<T> = FrozenMap<OsString, Box<T>>;

struct Read {
    path: PathBuf,
    facts: Option<FileFacts>,
}

/// The modules of one session.
pub(crate) struct Program<'f> {
    files: &'f Files,
    sources: &'f Sources,
    config: &'f Config,
    plugins: Option<&'f PluginFacts>,
    modules: FrozenVec<Box<Option<Parsed<'f>>>>,
    /// Where each file's module is among them.
    numbers: ByPath<usize>,
    /// Modules of which all imports are there.
    sound: RwLock<HashSet<PathBuf>>,
    /// What imports in the files of a directory name: a rule asks for the same ones again and again, and
    /// each answer takes dozens of questions to the file system.
    located: ByPath<FrozenMap<String, Box<Located>>>,
    /// The search path of the files of a directory.
    paths: ByPath<Roots>,
    /// Whether there is a module or package, by its path without an ending.
    held: ByPath<bool>,
    /// The file of a module, by its path without an ending.
    inside: ByPath<Option<PathBuf>>,
}

/// Directories that are on a search path for certain, and those that may be.
type Roots = (Vec<PathBuf>, Vec<PathBuf>);

/// Where an import leads.
#[derive(Debug)]
enum Located {
    File(PathBuf),
    Outside,
    Unknown,
}

/// Modules that pytest has imported before it imports a test, so that no file can take their place.
pub(super) const STANDARD: [&str; 38] = [
    "abc",
    "argparse",
    "ast",
    "builtins",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fnmatch",
    "functools",
    "glob",
    "importlib",
    "inspect",
    "io",
    "itertools",
    "json",
    "logging",
    "math",
    "operator",
    "os",
    "pathlib",
    "platform",
    "pytest",
    "random",
    "re",
    "shutil",
    "string",
    "subprocess",
    "sys",
    "tempfile",
    "textwrap",
    "threading",
    "time",
    "typing",
    "unittest",
];

impl<'f> Program<'f> {
    pub(crate) fn new(
        files: &'f Files,
        sources: &'f Sources,
        config: &'f Config,
        plugins: Option<&'f PluginFacts>,
    ) -> Self {
        Self {
            files,
            sources,
            config,
            plugins,
            modules: FrozenVec::new(),
            numbers: FrozenMap::new(),
            located: FrozenMap::new(),
            paths: FrozenMap::new(),
            held: FrozenMap::new(),
            inside: FrozenMap::new(),
            sound: RwLock::default(),
        }
    }

    /// The module of a file. None where it cannot be read or parsed.
    pub(crate) fn module(&self, path: &Path) -> Option<&Parsed<'f>> {
        self.modules.get(self.number(path))?.as_ref()
    }

    /// The position of a file's module, which is parsed if nobody has asked for it before.
    fn number(&self, path: &Path) -> usize {
        match self.numbers.get(path.as_os_str()) {
            Some(number) => *number,
            None => {
                let read = match self.files.files.get(path.as_os_str()) {
                    Some(read) => read,
                    None => {
                        let read = Read {
                            path: path.to_owned(),
                            facts: self.sources.shared_facts(path).ok(),
                        };
                        self.files.files.insert(path.into(), Box::new(read))
                    }
                };
                let parsed = read.facts.as_ref().and_then(|facts| {
                    let summary = facts.summary.as_ref().ok()?;
                    Some(Parsed::new(&read.path, summary, &facts.words, self.disk()))
                });
                // If another thread was quicker, its module is the one.
                let number = self.modules.push_get_index(Box::new(parsed));
                *self.numbers.insert(path.into(), Box::new(number))
            }
        }
    }

    fn place(&self, from: &Path, level: u32, module: &str) -> Place {
        match self.located(from, level, module) {
            Located::File(path) => {
                let number = self.number(path);
                let is_parsed = matches!(self.modules.get(number), Some(Some(_)));
                match is_parsed {
                    true => Place::Module(number),
                    false => Place::Unknown,
                }
            }
            Located::Outside => Place::Outside,
            Located::Unknown => Place::Unknown,
        }
    }

    /// Directories that are on the search path when a file is imported, those that are there for certain first.
    fn roots(&self, from: &Path) -> &Roots {
        let dir = from.parent().unwrap_or(from);
        match self.paths.get(dir.as_os_str()) {
            Some(roots) => roots,
            None => {
                let roots = self.find_roots(from);
                self.paths.insert(dir.into(), Box::new(roots))
            }
        }
    }

    fn find_roots(&self, from: &Path) -> Roots {
        let root = &self.config.rootdir;
        let mut own = vec![base(self.disk(), from)];
        for dir in from
            .ancestors()
            .skip(1)
            .take_while(|dir| dir.starts_with(root))
        {
            if self.disk().is_file(&dir.join("conftest.py")) {
                own.push(base(self.disk(), &dir.join("conftest.py")));
            }
        }
        let below = |path: &String| normalized(&root.join(path));
        let given = self.config.pythonpath.iter().map(below);
        let project = [root.clone(), root.join("src"), root.join("lib")];
        let (sure, likely) = match self.config.prepends {
            true => (own.into_iter().chain(given).collect(), project.into()),
            false => (given.collect(), own.into_iter().chain(project).collect()),
        };
        (sure, likely)
    }

    /// Whether a directory has a module or package of a name.
    fn holds(&self, dir: &Path, top: &str) -> bool {
        let path = dir.join(top);
        match self.held.get(path.as_os_str()) {
            Some(held) => *held,
            None => {
                let held = self.look_for(dir, top);
                *self.held.insert(path.into(), Box::new(held))
            }
        }
    }

    fn look_for(&self, dir: &Path, top: &str) -> bool {
        let (disk, file) = (self.disk(), format!("{top}.py"));
        (disk.may_have(dir, &file) && disk.is_file(&dir.join(&file)))
            || (disk.may_have(dir, top) && disk.is_dir(&dir.join(top)))
    }

    fn disk(&self) -> &'f Disk {
        &self.sources.disk
    }

    /// Where an import in a file leads: the same for all files of its directory.
    fn located(&self, from: &Path, level: u32, module: &str) -> &Located {
        let dir = from.parent().unwrap_or(from);
        let known = match self.located.get(dir.as_os_str()) {
            Some(known) => known,
            None => self.located.insert(dir.into(), Box::default()),
        };
        let key = written(level, module);
        match known.get(&*key) {
            Some(located) => located,
            None => {
                let located = self.locate(from, level, module);
                known.insert(key.into_owned(), Box::new(located))
            }
        }
    }

    fn locate(&self, from: &Path, level: u32, module: &str) -> Located {
        let file = match level {
            0 => match self.absolute(from, module) {
                Ok(None) => return Located::Outside,
                found => found.ok().flatten(),
            },
            dots => from
                .ancestors()
                .nth(dots as usize)
                .and_then(|dir| match module {
                    "" => Some(dir.join("__init__.py")).filter(|path| self.disk().is_file(path)),
                    module => self.below(dir, module),
                }),
        };
        file.map_or(Located::Unknown, Located::File)
    }

    /// The file of a module by its absolute name; `Err` where that is not certain.
    fn absolute(&self, from: &Path, module: &str) -> Result<Option<PathBuf>, ()> {
        let top = module.split('.').next().unwrap_or_default();
        if STANDARD.contains(&top) {
            return Ok(None);
        }
        let (sure, likely) = self.roots(from);
        let mut candidates: Vec<PathBuf> = Vec::new();
        for dir in sure.iter().chain(likely) {
            if self.holds(dir, top) && !candidates.contains(dir) {
                candidates.push(dir.clone());
            }
        }
        let first = match candidates.as_slice() {
            // Installed modules are known by the names of what they have alone.
            [] => return Ok(None),
            [only] => only,
            // What pytest puts in front of everything else.
            [first, ..] if sure.first() == Some(first) => first,
            _ => return Err(()),
        };
        let mut dir = first;
        // A directory that only may be on the search path gives way to what is installed: as often as not the
        // project itself, of which the installed files are what the tests import.
        if let Some(facts) = self.plugins.filter(|_| !sure.contains(first)) {
            if facts.modules.iter().any(|name| name == top) {
                return Ok(None);
            }
            let mut searched = facts.search_path.iter();
            dir = match searched.find(|dir| self.holds(dir, top)) {
                Some(dir) => dir,
                None if facts.search_path.is_empty() || self.is_hooked(facts) => first,
                // Nobody has put it on the search path.
                None => return Err(()),
            };
        }
        self.below(dir, module).map(Some).ok_or(())
    }

    /// Whether something is installed in place, to be found by a hook of its own.
    fn is_hooked(&self, facts: &PluginFacts) -> bool {
        let mut dirs = facts.search_path.iter();
        dirs.any(|dir| self.disk().has_editable(dir))
    }

    /// The file of a module in a directory of the search path.
    fn below(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        let path = dir.join(module.replace('.', "/"));
        let found = match self.inside.get(path.as_os_str()) {
            Some(found) => found,
            None => {
                let package = path.join("__init__.py");
                let file = match self.disk().is_file(&package) {
                    true => Some(package),
                    false => {
                        let mut file = path.clone().into_os_string();
                        file.push(".py");
                        Some(PathBuf::from(file)).filter(|file| self.disk().is_file(file))
                    }
                };
                self.inside.insert(path.into(), Box::new(file))
            }
        };
        found.clone()
    }
}

impl<'a, 'f: 'a> Modules<'a> for Program<'f> {
    fn find(&'a self, from: Module<'a>, level: u32, module: &str) -> Found<'a> {
        // Asked for with each `pytest.mark`.
        if level == 0 && STANDARD.contains(&module) {
            return Found::Outside;
        }
        let import = written(level, module);
        let place = from.places.get(&import).unwrap_or_else(|| {
            let place = self.place(from.path, level, module);
            from.places.insert(&import, place);
            place
        });
        let module = match place {
            Place::Module(number) => self.modules.get(number).and_then(Option::as_ref),
            Place::Outside => return Found::Outside,
            Place::Unknown => None,
        };
        module.map_or(Found::Unknown, Found::Module)
    }

    fn is_there(&'a self, from: &Path, module: &str) -> Option<bool> {
        let facts = self.plugins.filter(|facts| !facts.search_path.is_empty())?;
        let top = module.split('.').next().unwrap_or_default();
        if facts.modules.iter().any(|name| name == top) || STANDARD.contains(&top) {
            // One of a package of the standard library may still be missing.
            return (top == module).then_some(true);
        }
        let (sure, likely) = self.roots(from);
        let is_in = |dirs: &[PathBuf]| dirs.iter().any(|dir| has(self.disk(), dir, module));
        if is_in(sure) || is_in(&facts.search_path) {
            return Some(true);
        }
        match self.is_hooked(facts) {
            true => is_in(likely).then_some(true),
            false => Some(false),
        }
    }

    fn has_module(&self, package: &Path, name: &str) -> bool {
        package
            .parent()
            .is_some_and(|dir| has(self.disk(), dir, name))
    }

    fn are_there(&self, modules: HashSet<&Path>) {
        let mut sound = self.sound.write().unwrap_or_else(PoisonError::into_inner);
        sound.extend(modules.into_iter().map(Path::to_owned));
    }

    fn is_known_to_be_there(&self, module: &Path) -> bool {
        let sound = self.sound.read().unwrap_or_else(PoisonError::into_inner);
        sound.contains(module)
    }
}

/// A module as an import names it, with its leading dots.
fn written(level: u32, module: &str) -> Cow<'_, str> {
    match level {
        0 => Cow::Borrowed(module),
        level => Cow::Owned(format!("{}{module}", ".".repeat(level as usize))),
    }
}

/// Whether a directory of the search path has a module, in whatever form Python can import.
fn has(disk: &Disk, dir: &Path, module: &str) -> bool {
    let mut dir = dir.to_owned();
    let mut parts = module.split('.').peekable();
    while let Some(part) = parts.next() {
        let inner = dir.join(part);
        if disk.is_dir(&inner) {
            dir = inner;
            continue;
        }
        return parts.peek().is_none() && disk.has_module(&dir, part);
    }
    true
}

/// The directory above the outermost package of a file: what pytest puts on the search path.
fn base(disk: &Disk, path: &Path) -> PathBuf {
    let mut dir = path.parent().unwrap_or(path);
    while disk.is_file(&dir.join("__init__.py")) {
        let Some(parent) = dir.parent() else { break };
        dir = parent;
    }
    dir.to_owned()
}

/// Whether a module may skip whoever imports it.
pub(super) fn may_skip<'a>(world: World<'a>, module: Module<'a>) -> bool {
    let Parsed { summary, words, .. } = module;
    let words = words.as_bytes();
    let leaves = summary.leaves.is_some() || !summary.skips.is_empty();
    let missing =
        |(_, required): &(u32, String)| world.modules.is_there(module.path, required) != Some(true);
    (leaves && (contains(words, "skip") || contains(words, "Skip")))
        || summary.requires.iter().any(missing)
}
