//! pytest's configuration, as far as collection asks for it.

mod addopts;
mod discover;
mod ini;

use std::path::{Path, PathBuf};

use discover::Value;

use crate::{CollectError, Reason};

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
    /// Marks that an `-m "not a and not b"` takes out.
    pub(crate) excluded_marks: Vec<String>,
    /// Whether equal parameter ids are an error.
    pub(crate) strict_ids: bool,
    /// Whether ids keep characters outside of ASCII.
    pub(crate) raw_ids: bool,
    /// What keeps every file from being exact.
    pub(crate) reasons: Vec<Reason>,
}

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
            excluded_marks: Vec::new(),
            strict_ids: false,
            raw_ids: false,
            reasons: Vec::new(),
        }
    }

    /// Finds and reads the configuration of a run in `invocation` with `paths` as arguments.
    pub(crate) fn load(
        invocation: &Path,
        paths: &[PathBuf],
        options: &[String],
    ) -> Result<Self, CollectError> {
        let found = discover::determine_setup(invocation, paths)?;
        let mut config = Self::with_defaults(found.rootdir);
        for (key, value) in &found.keys {
            config.set(key, value);
        }
        addopts::apply(options, &mut config);
        if config.doctest_globs.is_empty() {
            config.doctest_globs = strings(&["test*.txt"]);
        }
        Ok(config)
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
            "usefixtures" => &mut self.usefixtures,
            "addopts" => {
                match words() {
                    Some(words) => addopts::apply(&words, self),
                    None => self.unmodelled(key),
                }
                return;
            }
            "strict" | "strict_parametrization_ids" => {
                self.strict_ids |= !is_false(value);
                return;
            }
            "disable_test_id_escaping_and_forfeit_all_rights_to_community_support" => {
                self.raw_ids = !is_false(value);
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
