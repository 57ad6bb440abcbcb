//! What options mean for collection.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Config;
use super::discover::Setup;
use super::words::Word;
use crate::Reason;
use crate::collector::normalized;

/// Plugins of pytest itself that are loaded anyway, or whose fixtures have no parameters and that
/// have no say in collection.
const OWN_PLUGINS: [&str; 33] = [
    "assertion",
    "cacheprovider",
    "capture",
    "debugging",
    "doctest",
    "faulthandler",
    "fixtures",
    "helpconfig",
    "junitxml",
    "legacypath",
    "logging",
    "main",
    "mark",
    "monkeypatch",
    "pastebin",
    "pytester",
    "python",
    "recwarn",
    "reports",
    "runner",
    "setuponly",
    "setupplan",
    "skipping",
    "stepwise",
    "subtests",
    "terminal",
    "terminalprogress",
    "threadexception",
    "tmpdir",
    "unittest",
    "unraisableexception",
    "warnings",
    "_pytest.pytester",
];

/// Plugins without which pytest collects the same: they see a run alone, and what fixtures they have
/// have no parameters and ask for no others. Those of other packages only make the session larger than
/// pytest's own, which is what collection takes for granted.
const NOT_MISSED: [&str; 29] = [
    "cacheprovider",
    "capture",
    "debugging",
    "faulthandler",
    "junitxml",
    "logging",
    "monkeypatch",
    "pastebin",
    "recwarn",
    "reports",
    "setuponly",
    "setupplan",
    "stepwise",
    "subtests",
    "terminal",
    "terminalprogress",
    "threadexception",
    "unraisableexception",
    "cov",
    "pytest_cov",
    "flaky",
    "random_order",
    "randomly",
    "rerunfailures",
    "sugar",
    "timeout",
    "xdist",
    "xdist.looponfail",
    "xdist.plugin",
];

/// Options that are asked before there is a configuration. The names of those that cannot be followed come with them.
pub(super) fn setup(
    words: &[Word],
    invocation: &Path,
    environment: Option<&HashMap<String, String>>,
) -> (Setup, Vec<&'static str>) {
    let mut setup = Setup::default();
    let mut unmodelled = Vec::new();
    for word in words {
        let Word::Value(name, value) = word else {
            continue;
        };
        match *name {
            "--config-file" => {
                let path = normalized(&invocation.join(value));
                // Versions differ in what they do with others, and with what is no file.
                let suffix = path.extension().unwrap_or_default();
                let known = ["ini", "cfg", "toml"].iter().any(|known| suffix == *known);
                let plain = path.file_name().is_none_or(|name| {
                    suffix != "toml" || name == "pyproject.toml" || name == "pytest.toml"
                });
                if known && plain && path.is_file() {
                    setup.file = Some(path);
                } else {
                    unmodelled.push(*name);
                }
            }
            "--rootdir" if value.is_empty() => setup.rootdir = None,
            "--rootdir" => match expanded(value, environment) {
                Some(dir) => setup.rootdir = Some(normalized(&invocation.join(dir))),
                None => unmodelled.push(*name),
            },
            "--override-ini" => match value.split_once('=') {
                Some((key, value)) => setup.overrides.push((key.to_owned(), value.to_owned())),
                None => unmodelled.push(*name),
            },
            _ => {}
        }
    }
    (setup, unmodelled)
}

/// `os.path.expandvars`: a variable that is not set stays as it is. None where the environment is not known.
fn expanded(text: &str, environment: Option<&HashMap<String, String>>) -> Option<String> {
    if !text.contains('$') {
        return Some(text.to_owned());
    }
    let environment = environment?;
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = match after.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) => (&inner[..end], end + 2),
                None => ("", 0),
            },
            None => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !word(c)).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match environment.get(name) {
            Some(value) if length > 0 => out.push_str(value),
            _ => out.push_str(&rest[at..=at + length]),
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    Some(out)
}

/// Where options come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The configuration's `addopts`, which is read when the root directory is known.
    Configuration,
    /// The command line or `PYTEST_ADDOPTS`.
    CommandLine,
}

pub(super) fn apply(words: Vec<Word>, origin: Origin, config: &mut Config) {
    for word in words {
        match word {
            Word::Inert => {}
            Word::Flag(name) => match name {
                "--strict-markers" | "--strict" => config.strict_marks = true,
                "--doctest-modules" => config.doctest_modules = true,
                "--keep-duplicates" => config.keep_duplicates = true,
                "--collect-in-virtualenv" => config.collect_in_virtualenv = true,
                "--failed-first" => config.failed_first = true,
                name => config.unmodelled(name),
            },
            Word::Value(name, value) => config.option(name, value, origin),
            Word::Unknown(word) => {
                let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
                config.unmodelled(name);
            }
        }
    }
}

impl Config {
    fn option(&mut self, name: &str, value: String, origin: Origin) {
        let absolute = |config: &Self, value: &str| normalized(&config.invocation.join(value));
        match name {
            // The last of each holds, and is the only one that is parsed.
            "-k" => self.keyword = Some(value),
            "-m" => self.mark = Some(value),
            "--deselect" => self.selection.deselect.push(value),
            "--doctest-glob" => self.doctest_globs.push(value),
            "--ignore" => self.selection.ignore.push(absolute(self, &value)),
            "--ignore-glob" => {
                let glob = absolute(self, &value).to_string_lossy().into_owned();
                self.selection.ignore_globs.push(glob);
            }
            "--confcutdir" => self.confcutdir = Some(absolute(self, &value)),
            "--import-mode" if ["prepend", "append", "importlib"].contains(&value.as_str()) => {
                self.prepends = value == "prepend";
                self.import_mode_is_importlib = value == "importlib";
            }
            "--pythonwarnings" => self.strict_warnings |= value.starts_with('e'),
            "--config-file" | "--rootdir" | "--override-ini" if origin == Origin::CommandLine => {}
            "-p" => self.plugin(value.trim()),
            name => self.unmodelled(name),
        }
    }

    fn plugin(&mut self, name: &str) {
        match name.strip_prefix("no:") {
            Some("legacypath") => self.legacy_paths = false,
            Some(name) if NOT_MISSED.contains(&name) => {}
            None if OWN_PLUGINS.contains(&name) => {}
            Some(_) => self.unmodelled("-p"),
            None => {
                self.plugins.push(name.to_owned());
                self.unmodelled("-p");
            }
        }
    }

    pub(crate) fn unmodelled(&mut self, name: &str) {
        self.reasons.push(Reason::Configuration {
            name: name.to_owned(),
        });
    }

    /// Whether pytest remembers tests that failed, which `--failed-first` then puts in front.
    pub(super) fn remembers_failures(&self) -> bool {
        let dir = self.cache_dir.as_deref().unwrap_or(".pytest_cache");
        if dir.contains(['$', '~']) {
            return true;
        }
        let path: PathBuf = self.rootdir.join(Path::new(dir)).join("v/cache/lastfailed");
        match std::fs::read_to_string(path) {
            Ok(text) => text.trim() != "{}",
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }
}
