//! pytest's configuration, as far as collection asks for it.

mod addopts;
mod discover;
mod ini;
pub(crate) mod testpaths;
mod words;

pub use discover::CONFIGURATION_FILES;
pub use ini::shell_words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use addopts::Origin;
use discover::Value;

use crate::select::Selection;
use crate::{CollectError, KeywordExpression, MarkExpression, Reason};

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) rootdir: PathBuf,
    pub(crate) testpaths: Vec<String>,
    pub(crate) python_files: Vec<String>,
    pub(crate) python_classes: Vec<String>,
    pub(crate) python_functions: Vec<String>,
    pub(crate) norecursedirs: Vec<String>,
    pub(crate) usefixtures: Vec<String>,
    pub(crate) doctest_modules: bool,
    pub(crate) doctest_globs: Vec<String>,
    /// `-k`, `-m`, `--deselect`, `--ignore` and `--ignore-glob`.
    pub(crate) selection: Selection,
    keyword: Option<String>,
    mark: Option<String>,
    /// Where relative paths of options start.
    pub(crate) invocation: PathBuf,
    /// `-p` of plugins to load.
    pub(crate) plugins: Vec<String>,
    /// Directories that are put on Python's search path.
    pub(crate) pythonpath: Vec<String>,
    /// Whether an unregistered mark is an error, in an expression too.
    pub(crate) strict_marks: bool,
    /// Marks that the configuration registers.
    pub(crate) registered_marks: Vec<String>,
    /// Whether equal parameter ids are an error.
    pub(crate) strict_ids: bool,
    /// Whether ids keep characters outside of ASCII.
    pub(crate) raw_ids: bool,
    /// Whether the directories of tests come first on Python's search path (`--import-mode`).
    pub(crate) prepends: bool,
    /// Whether each module has a name of its own, whatever its file is called.
    pub(crate) import_mode_is_importlib: bool,
    /// Whether a warning may be an error.
    pub(crate) strict_warnings: bool,
    /// Whether long values have ids as pytest has them by default.
    pub(crate) short_ids: bool,
    /// Whether an argument that another one contains counts too.
    pub(crate) keep_duplicates: bool,
    pub(crate) collect_in_virtualenv: bool,
    /// Whether pytest has `tmpdir` and `testdir`.
    pub(crate) legacy_paths: bool,
    failed_first: bool,
    confcutdir: Option<PathBuf>,
    /// The version of pytest, where it is known.
    pub(crate) pytest: Option<(u32, u32)>,
    /// What keeps every file from being exact.
    pub(crate) reasons: Vec<Reason>,
    file: Option<PathBuf>,
    /// The names of the values that the file has.
    keys: Vec<String>,
    addopts: Vec<String>,
    cache_dir: Option<String>,
}

/// The configuration of a run, as far as it is of use to those who do not collect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Settings {
    /// pytest's rootdir.
    pub rootdir: PathBuf,
    /// The file that configures, if one does.
    pub file: Option<PathBuf>,
    /// The names of the values that it has, whether pytest knows them or not.
    pub names: Vec<String>,
    /// The words of `addopts`.
    pub addopts: Vec<String>,
    /// `cache_dir`, as the file has it.
    pub cache_dir: Option<String>,
    /// The marks that the file and pytest itself register.
    pub marks: Vec<String>,
}

/// Marks that pytest itself registers.
const BUILTIN_MARKS: [&str; 8] = [
    "filterwarnings",
    "parametrize",
    "skip",
    "skipif",
    "tryfirst",
    "trylast",
    "usefixtures",
    "xfail",
];

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

impl Config {
    pub(crate) fn with_defaults(rootdir: PathBuf) -> Self {
        Self {
            rootdir,
            testpaths: Vec::new(),
            python_files: strings(&["test_*.py", "*_test.py"]),
            python_classes: strings(&["Test"]),
            python_functions: strings(&["test"]),
            norecursedirs: strings(&[
                "*.egg",
                ".*",
                "_darcs",
                "build",
                "CVS",
                "dist",
                "node_modules",
                "venv",
                "{arch}",
            ]),
            usefixtures: Vec::new(),
            doctest_modules: false,
            doctest_globs: Vec::new(),
            selection: Selection::default(),
            keyword: None,
            mark: None,
            invocation: PathBuf::new(),
            plugins: Vec::new(),
            pythonpath: Vec::new(),
            strict_marks: false,
            registered_marks: Vec::new(),
            strict_ids: false,
            raw_ids: false,
            prepends: true,
            import_mode_is_importlib: false,
            strict_warnings: false,
            short_ids: true,
            keep_duplicates: false,
            collect_in_virtualenv: false,
            legacy_paths: true,
            pytest: None,
            failed_first: false,
            confcutdir: None,
            reasons: Vec::new(),
            file: None,
            keys: Vec::new(),
            addopts: Vec::new(),
            cache_dir: None,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        let own = BUILTIN_MARKS.iter().map(|&mark| mark.to_owned());
        Settings {
            rootdir: self.rootdir.clone(),
            file: self.file.clone(),
            names: self.keys.clone(),
            addopts: self.addopts.clone(),
            cache_dir: self.cache_dir.clone(),
            marks: own.chain(self.registered_marks.iter().cloned()).collect(),
        }
    }

    /// Finds and reads the configuration of a run in `invocation` with `paths` as arguments.
    pub(crate) fn load(
        invocation: &Path,
        paths: &[PathBuf],
        options: &[String],
        environment: Option<&HashMap<String, String>>,
    ) -> Result<Self, CollectError> {
        let variable = |name: &str| environment.and_then(|environment| environment.get(name));
        let added = variable("PYTEST_ADDOPTS").map(|text| ini::shell_words(text));
        let mut words = words::split(
            added
                .iter()
                .flatten()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .as_slice(),
        );
        words.extend(words::split(options));
        let (setup, unmodelled) = addopts::setup(&words, invocation, environment);
        let found = discover::determine_setup(invocation, paths, &setup)?;
        let mut config = Self::with_defaults(found.rootdir);
        config.invocation = invocation.to_owned();
        config.file = found.file;
        config.keys = found.keys.iter().map(|(key, _)| key.clone()).collect();
        for (key, value) in &found.keys {
            config.set(key, value);
        }
        addopts::apply(words, Origin::CommandLine, &mut config);
        for name in unmodelled {
            config.unmodelled(name);
        }
        if added == Some(None) {
            config.unmodelled("PYTEST_ADDOPTS");
        }
        if variable("PYTEST_PLUGINS").is_some_and(|plugins| !plugins.is_empty()) {
            config.unmodelled("PYTEST_PLUGINS");
        }
        config.parse_expressions()?;
        if config.failed_first && config.remembers_failures() {
            config.unmodelled("--failed-first");
        }
        config.cut_conftests();
        if config.doctest_globs.is_empty() {
            config.doctest_globs = strings(&["test*.txt"]);
        }
        Ok(config)
    }

    /// All of it as text, but for what selects among the items that there are.
    pub(crate) fn text(&self) -> String {
        let all = Self {
            selection: Selection::default(),
            keyword: None,
            mark: None,
            ..self.clone()
        };
        format!("{all:?}")
    }

    /// Whether a mark is registered: an unknown one is a warning.
    pub(crate) fn registers(&self, mark: &str) -> bool {
        BUILTIN_MARKS.contains(&mark) || self.registered_marks.iter().any(|known| known == mark)
    }

    /// Where conftests begin: at the configuration file, unless an option says where. Collection lets them begin
    /// at the root directory, so that the two have to come to the same.
    fn cut_conftests(&mut self) {
        let own = self.file.as_deref().and_then(Path::parent);
        let cut = self.confcutdir.as_deref().or(own);
        let Some(cut) = cut.filter(|cut| *cut != self.rootdir) else {
            return;
        };
        let within = |dir: &Path, cut: &Path| dir == cut || !cut.starts_with(dir);
        let differs = cut
            .ancestors()
            .chain(self.rootdir.ancestors())
            .filter(|dir| within(dir, cut) != within(dir, &self.rootdir))
            .any(|dir| dir.join("conftest.py").is_file());
        // The names of directories above it are no keywords.
        if differs || self.keyword.is_some() {
            let name = match self.confcutdir {
                Some(_) => "--confcutdir",
                None => "--rootdir",
            };
            self.unmodelled(name);
        }
    }

    fn parse_expressions(&mut self) -> Result<(), CollectError> {
        if let Some(text) = &self.keyword {
            self.selection.keyword = Some(KeywordExpression::parse(text)?);
        }
        if let Some(text) = &self.mark {
            let mark = MarkExpression::parse(text)?;
            let registered = |name: &&str| {
                BUILTIN_MARKS.contains(name)
                    || self.registered_marks.iter().any(|mark| mark == name)
            };
            // A plugin or a conftest may register it, and before 9.1 nothing is refused.
            if self.strict_marks && !mark.names().iter().all(registered) {
                self.unmodelled("-m");
            }
            self.selection.mark = Some(mark);
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &Value) {
        let words = || match value {
            Value::List(items) => Some(items.clone()),
            Value::Text(text) => ini::shell_words(text),
            Value::Bool(_) | Value::Other => None,
        };
        let list = match key {
            "testpaths" => &mut self.testpaths,
            "python_files" => &mut self.python_files,
            "python_classes" => &mut self.python_classes,
            "python_functions" => &mut self.python_functions,
            "norecursedirs" => &mut self.norecursedirs,
            "pythonpath" => &mut self.pythonpath,
            "usefixtures" => &mut self.usefixtures,
            "addopts" => {
                match words() {
                    Some(words) => {
                        addopts::apply(words::split(&words), Origin::Configuration, self);
                        self.addopts = words;
                    }
                    None => self.unmodelled(key),
                }
                return;
            }
            "strict" | "strict_parametrization_ids" | "strict_markers" => {
                self.strict_ids |= key != "strict_markers" && !is_false(value);
                self.strict_marks |= key != "strict_parametrization_ids" && !is_false(value);
                return;
            }
            "markers" => {
                let lines = match value {
                    Value::List(lines) => lines.clone(),
                    Value::Text(text) => text.lines().map(str::to_owned).collect(),
                    Value::Bool(_) | Value::Other => Vec::new(),
                };
                self.registered_marks
                    .extend(lines.iter().filter_map(|line| {
                        let name = line.split([':', '(']).next()?.trim();
                        Some(name.to_owned())
                    }));
                return;
            }
            "disable_test_id_escaping_and_forfeit_all_rights_to_community_support" => {
                self.raw_ids = !is_false(value);
                return;
            }
            "filterwarnings" => {
                let lines = match value {
                    Value::List(lines) => lines.clone(),
                    Value::Text(text) => text.lines().map(str::to_owned).collect(),
                    Value::Bool(_) | Value::Other => vec!["error".to_owned()],
                };
                self.strict_warnings |= lines.iter().any(|line| line.trim().starts_with('e'));
                return;
            }
            "parametrize_long_str_id_strategy" => {
                self.short_ids = false;
                return;
            }
            "anyio_mode" => {
                // Every coroutine is then a test of the plugin's.
                self.unmodelled(key);
                return;
            }
            "cache_dir" => {
                if let Value::Text(text) = value {
                    self.cache_dir = Some(text.clone());
                }
                return;
            }
            "collect_imported_tests" => {
                if is_false(value) {
                    self.unmodelled(key);
                }
                return;
            }
            _ => return,
        };
        match words() {
            Some(words) => *list = words,
            None => self.unmodelled(key),
        }
    }
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::Text(text) => {
            matches!(
                text.to_ascii_lowercase().as_str(),
                "false" | "0" | "no" | "off" | "n" | "f"
            )
        }
        Value::List(_) | Value::Other => false,
    }
}
