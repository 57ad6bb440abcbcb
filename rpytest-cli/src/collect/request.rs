//! What a command line with `--collect-only` asks for, if all of it is understood.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::args::COLLECTS_ONLY;

/// What is to be done about a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It does not ask for collection alone.
    Other,
    /// pytest itself has to answer, for this reason.
    Genuine(String),
    /// It may be answered natively.
    Native(Box<Request>),
}

/// An understood command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Paths and node ids.
    pub paths: Vec<PathBuf>,
    /// Options that the collector has to know.
    pub options: Vec<String>,
    /// `-q` less `-v`.
    pub quiet: i32,
    /// Whether pytest's cache is there to be used.
    pub cache: bool,
    /// `--color`.
    pub color: Color,
}

/// `--color`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    #[default]
    Auto,
    Yes,
    No,
}

/// Options that change neither the items nor what is printed of them when all goes well.
const INERT: [&str; 12] = [
    "--collect-only",
    "--co",
    "--collectonly",
    "--no-cov",
    "--no-header",
    "--no-summary",
    "--disable-warnings",
    "--disable-pytest-warnings",
    "-x",
    "--exitfirst",
    "--strict-config",
    "--explain",
];

/// The same with a value, in the next word or after `=`.
const INERT_VALUES: [&str; 8] = [
    "--tb",
    "--code-highlight",
    "--maxfail",
    "--durations",
    "--durations-min",
    "--show-capture",
    "--numprocesses",
    "--dist",
];

/// Options that the collector models. The first ones have no value.
const MODELLED_FLAGS: [&str; 3] = ["--strict-markers", "--strict", "--doctest-modules"];
const MODELLED: [&str; 9] = [
    "--confcutdir",
    "--import-mode",
    "--rootdir",
    "-k",
    "-m",
    "--deselect",
    "--ignore",
    "--ignore-glob",
    "--doctest-glob",
];

/// Options of a configuration that write or print something beside the items.
const WITH_EFFECTS: [&str; 19] = [
    "--cache-clear",
    "--failed-first",
    "--ff",
    "--html",
    "--lsof",
    "--max-warnings",
    "--pastebin",
    "--setup-plan",
    "--trace-config",
    "--cov",
    "--cov-append",
    "--cov-branch",
    "--cov-config",
    "--cov-report",
    "--cov-fail-under",
    "--junitxml",
    "--junit-xml",
    "--log-file",
    "-s",
];

/// Options of pytest, of pytest-cov and of ours that say what becomes of results, and change no items. With a value in the same
/// word, or none.
const REPORTS: [&str; 28] = [
    "--capture",
    "--cov",
    "--cov-append",
    "--cov-branch",
    "--cov-config",
    "--cov-fail-under",
    "--cov-report",
    "--full-trace",
    "--isolate",
    "--junit-prefix",
    "--junit-xml",
    "--junitprefix",
    "--junitxml",
    "--no-cov-on-fail",
    "--no-progress",
    "--only-rerun",
    "--only-rerun-flaky",
    "--quarantine",
    "--rerun-except",
    "--reruns",
    "--reruns-delay",
    "--reruns-delay-backoff-factor",
    "--rpytest-setting",
    "--session-timeout",
    "--showlocals",
    "--timeout",
    "--timeout-method",
    "-l",
];

/// Those of them that may have their value in the next word.
const REPORTS_WITH_VALUES: [&str; 18] = [
    "--capture",
    "--cov-config",
    "--cov-fail-under",
    "--cov-report",
    "--isolate",
    "--junit-prefix",
    "--junit-xml",
    "--junitprefix",
    "--junitxml",
    "--only-rerun",
    "--quarantine",
    "--rerun-except",
    "--reruns",
    "--reruns-delay",
    "--reruns-delay-backoff-factor",
    "--session-timeout",
    "--timeout",
    "--timeout-method",
];

/// Plugins in `addopts` that make no difference to what is printed.
const UNSEEN_PLUGINS: [&str; 5] = [
    "pytester",
    "no:faulthandler",
    "no:legacypath",
    "no:threadexception",
    "no:unraisableexception",
];

/// pytest's own plugins, of which only the cache may be switched off here.
const OWN_PLUGINS: [&str; 34] = [
    "assertion",
    "capture",
    "debugging",
    "doctest",
    "faulthandler",
    "fixtures",
    "freeze_support",
    "helpconfig",
    "junitxml",
    "legacypath",
    "logging",
    "main",
    "mark",
    "monkeypatch",
    "nose",
    "pastebin",
    "pytester",
    "pytester_assertions",
    "python",
    "python_path",
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
];

/// A command line without the options that only say what becomes of results, for whoever asks for the items alone.
pub(super) fn without_reports(arguments: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word.clone());
            kept.extend(words.cloned());
            break;
        }
        let text = word.to_str().unwrap_or_default();
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if !REPORTS.contains(&name) && text != "-s" {
            kept.push(word.clone());
        } else if inline.is_none() && REPORTS_WITH_VALUES.contains(&name) {
            words.next();
        } else if text == "--cov" {
            // Its value is optional, and so pytest takes the next word for it unless that is an option.
            let mut ahead = words.clone();
            if ahead
                .next()
                .is_some_and(|next| !next.as_encoded_bytes().starts_with(b"-"))
            {
                words.next();
            }
        }
    }
    kept
}

pub(super) fn read(arguments: &[OsString]) -> Reading {
    let collects = |word: &OsString| COLLECTS_ONLY.iter().any(|option| word == option);
    let before_paths = arguments.iter().take_while(|word| *word != "--");
    if !before_paths.clone().any(collects) {
        return Reading::Other;
    }
    let mut request = Request {
        cache: true,
        ..Request::default()
    };
    match understand(arguments, &mut request) {
        Ok(()) => Reading::Native(Box::new(request)),
        Err(option) => Reading::Genuine(format!("the effect of {option} is not modelled")),
    }
}

/// Reads the words. The error is the first one that is not understood.
fn understand(words: &[OsString], request: &mut Request) -> Result<(), String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let refuse = || Err(word.to_string_lossy().into_owned());
        if !word.as_encoded_bytes().starts_with(b"-") {
            // pytest reads arguments from a file that is named by `@file`.
            if word.as_encoded_bytes().starts_with(b"@") || word.is_empty() {
                return refuse();
            }
            request.paths.push(PathBuf::from(word));
            continue;
        }
        let Some(text) = word.to_str() else {
            return refuse();
        };
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let mut next = || words.next().and_then(|word| word.to_str());
        if INERT.contains(&text) {
            continue;
        }
        if let Some(level) = verbosity(text) {
            request.quiet += level;
            continue;
        }
        if MODELLED_FLAGS.contains(&text) {
            request.options.push(text.to_owned());
            continue;
        }
        if let Some(option) = MODELLED.iter().find(|option| has_value(text, option)) {
            request.options.push(text.to_owned());
            if text == *option {
                let Some(value) = next() else {
                    return refuse();
                };
                request.options.push(value.to_owned());
            }
            continue;
        }
        let separate = matches!(text, "-n" | "-p" | "-r") || inline.is_none();
        let short = text.strip_prefix("-n").or(text.strip_prefix("-r"));
        if let Some(value) = short.filter(|_| !text.starts_with("--"))
            && !value.is_empty()
        {
            continue;
        }
        let known = INERT_VALUES.contains(&name) || matches!(text, "-n" | "-r");
        if known || name == "--color" {
            let value = if separate { next() } else { inline };
            let Some(value) = value else {
                return refuse();
            };
            if name == "--color" {
                request.color = match value {
                    "yes" => Color::Yes,
                    "no" => Color::No,
                    "auto" => Color::Auto,
                    _ => return refuse(),
                };
            }
            continue;
        }
        let plugin = match text.strip_prefix("-p").filter(|_| !text.starts_with("--")) {
            Some("") => next(),
            plugin => plugin,
        };
        match plugin.and_then(|plugin| plugin.strip_prefix("no:")) {
            Some("cacheprovider") => request.cache = false,
            Some(name) if !OWN_PLUGINS.contains(&name) => {}
            _ => return refuse(),
        }
    }
    Ok(())
}

/// What `-q`, `-qq`, `-v` and their like add to how quiet it is.
fn verbosity(text: &str) -> Option<i32> {
    let count = |letter: char| {
        let letters = text.strip_prefix('-')?;
        let same = !letters.is_empty() && letters.chars().all(|other| other == letter);
        same.then(|| i32::try_from(letters.len()).unwrap_or(i32::MAX))
    };
    match text {
        "--quiet" => Some(1),
        "--verbose" => Some(-1),
        _ => count('q').or_else(|| count('v').map(|count| -count)),
    }
}

/// Whether a word is an option, or has its value in it: `-kname`, `--ignore=path`.
fn has_value(text: &str, option: &str) -> bool {
    match text.strip_prefix(option) {
        Some("") => true,
        Some(value) => !option.starts_with("--") || value.starts_with('='),
        None => false,
    }
}

/// What `addopts` add: how quiet, or why pytest itself has to answer. What the collector does not know of
/// them it says itself.
pub(super) fn quiet_of(addopts: &[String]) -> Result<i32, String> {
    let mut quiet = 0;
    let mut words = addopts.iter();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        if WITH_EFFECTS.contains(&name) || name == "--verbosity" || name == "--color" {
            return Err(format!("{name} in addopts"));
        }
        if let Some(plugin) = word.strip_prefix("-p") {
            let plugin = match plugin {
                "" => words.next().map_or("", String::as_str),
                plugin => plugin.trim_start_matches('='),
            };
            if !UNSEEN_PLUGINS.contains(&plugin.trim()) {
                return Err(format!("-p {plugin} in addopts"));
            }
        }
        // Several letters may be one word: `-xq`.
        let letters = word.strip_prefix('-').unwrap_or_default();
        let mixed = letters.starts_with(|c| "dlqsvx".contains(c)) && letters.len() > 1;
        if mixed && verbosity(word).is_none() {
            return Err(format!("{word} in addopts"));
        }
        quiet += verbosity(word).unwrap_or(0);
    }
    Ok(quiet)
}

/// Variables by which pytest or Python would answer differently, or by which nobody else may answer.
pub(super) fn refuse_environment(var: impl Fn(&str) -> Option<OsString>) -> Option<&'static str> {
    [
        "PYTEST_ADDOPTS",
        "PYTEST_PLUGINS",
        "PYTEST_DEBUG",
        "PYTHONIOENCODING",
        "PYTHONWARNINGS",
        "RPYTEST_GENUINE",
    ]
    .into_iter()
    .find(|name| var(name).is_some_and(|value| value != OsStr::new("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(line: &str) -> Reading {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        read(&words)
    }

    #[test]
    fn what_is_understood_is_native() {
        for (line, quiet, options) in [
            ("--collect-only -q", 1, ""),
            ("--co -qq tests", 2, ""),
            ("--co -q -q -v a.py::b", 1, ""),
            ("--co -q -k name -mslow", 1, "-k name -mslow"),
            (
                "--co -q --ignore=a --deselect b",
                1,
                "--ignore=a --deselect b",
            ),
            ("--co -q -p no:cacheprovider --color=no", 1, ""),
            (
                "--co -q -pno:randomly -n 2 -n4 -ra --tb short --tb=no",
                1,
                "",
            ),
            ("--co -q --strict-markers", 1, "--strict-markers"),
            ("--co -q --rootdir=. tests", 1, "--rootdir=."),
            ("--co -q --import-mode append", 1, "--import-mode append"),
        ] {
            let Reading::Native(request) = reading(line) else {
                panic!("{line}: {:?}", reading(line));
            };
            assert_eq!(
                (request.quiet, request.options.join(" ")),
                (quiet, options.to_owned()),
                "{line}"
            );
            assert_eq!(request.cache, !line.contains("no:cacheprovider"), "{line}");
        }
    }

    #[test]
    fn what_is_not_is_named() {
        for (line, option) in [
            ("--co -q --lf", "--lf"),
            ("--co -q -s", "-s"),
            ("--co -qx", "-qx"),
            ("--co -q -p mine", "-p"),
            ("--co -q -p no:python", "-p"),
            ("--co -q -W error", "-W"),
            ("--co -q -o a=b", "-o"),
            ("--co -q -c x.ini", "-c"),
            ("--co -q --junitxml=x", "--junitxml=x"),
            ("--co -q @file", "@file"),
            ("--co -q -k", "-k"),
            ("--co -q -- -x", "--"),
        ] {
            let expected = format!("the effect of {option} is not modelled");
            assert_eq!(reading(line), Reading::Genuine(expected), "{line}");
        }
        assert_eq!(reading("-q tests"), Reading::Other);
        assert_eq!(reading("-q -- --co"), Reading::Other);
    }

    #[test]
    fn what_becomes_of_results_is_left_out() {
        for (line, left) in [
            ("-q --junitxml=x.xml tests", "-q tests"),
            ("--junitxml x.xml -n 2 -s tests", "-n 2 tests"),
            ("--cov tests -k a --cov-report term", "-k a"),
            ("--cov --cov-report=xml -l tests", "tests"),
            ("--cov=src -x -- --junitxml", "-x -- --junitxml"),
            ("--timeout 60 --isolate=file --no-progress tests", "tests"),
        ] {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let expected: Vec<OsString> = left.split_whitespace().map(OsString::from).collect();
            assert_eq!(without_reports(&words), expected, "{line}");
        }
    }

    #[test]
    fn what_a_configuration_adds() {
        let quiet = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            quiet_of(&words)
        };
        assert_eq!(quiet("-qq -v --strict-markers"), Ok(1));
        assert_eq!(quiet("--cov=x"), Err("--cov in addopts".to_owned()));
        assert_eq!(quiet("-q -s"), Err("-s in addopts".to_owned()));
        assert_eq!(quiet("-x -rfE -p pytester -pno:legacypath"), Ok(0));
        for words in [
            "-xq",
            "-p no:terminal",
            "-pno:terminal",
            "--ff",
            "--trace-config",
        ] {
            assert!(quiet(words).is_err(), "{words}");
        }
    }
}
