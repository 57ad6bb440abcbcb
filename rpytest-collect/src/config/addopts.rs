//! Options that a configuration adds to every run, and which of them collection has to know.

use super::Config;
use crate::Reason;

/// Options of pytest and well-known plugins that leave the items and their order alone.
const INERT_FLAGS: [&str; 27] = [
    "-q",
    "--quiet",
    "-v",
    "-vv",
    "-vvv",
    "--verbose",
    "-s",
    "-x",
    "--exitfirst",
    "-l",
    "--showlocals",
    "--no-showlocals",
    "--strict",
    "--strict-config",
    "--strict-markers",
    "--no-header",
    "--no-summary",
    "--setup-show",
    "--full-trace",
    "--disable-warnings",
    "--no-cov",
    "--no-cov-on-fail",
    "--cov",
    "--cov-branch",
    "--cov-append",
    "--force-sugar",
    "--benchmark-disable",
];

/// The same with a value, in the next word or after `=`.
const INERT_VALUES: [&str; 27] = [
    "--tb",
    "--color",
    "--code-highlight",
    "--capture",
    "--durations",
    "--durations-min",
    "--maxfail",
    "--verbosity",
    "--show-capture",
    "--junitxml",
    "--junit-xml",
    "--junit-prefix",
    "--basetemp",
    "--log-level",
    "--log-cli-level",
    "--log-file",
    "--log-file-level",
    "--log-format",
    "--cov-config",
    "--cov-report",
    "--cov-fail-under",
    "--timeout",
    "--numprocesses",
    "--dist",
    "--import-mode",
    "--doctest-report",
    "--pythonwarnings",
];

pub(super) fn apply(words: &[String], config: &mut Config) {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        let inline = word.split_once('=').map(|(_, value)| value.to_owned());
        if INERT_FLAGS.contains(&name) || (name.starts_with("-r") && !name.starts_with("--")) {
            continue;
        }
        if INERT_VALUES.contains(&name) || matches!(name, "-n" | "-W") {
            if inline.is_none() {
                words.next();
            }
            continue;
        }
        if name.starts_with("-W") || (name.starts_with("-n") && name[2..].parse::<u32>().is_ok()) {
            continue;
        }
        match name {
            "--doctest-modules" => config.doctest_modules = true,
            "--doctest-glob" => match inline.or_else(|| words.next().cloned()) {
                Some(glob) => config.doctest_globs.push(glob),
                None => config.unmodelled(name),
            },
            "-m" => {
                let excluded = inline.or_else(|| words.next().cloned());
                match excluded.as_deref().and_then(excluded_marks) {
                    Some(marks) => config.excluded_marks = marks,
                    None => config.unmodelled(name),
                }
            }
            _ => config.unmodelled(name),
        }
    }
}

/// The names of `not a and not b`; None for any other expression.
fn excluded_marks(expression: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = expression.split_whitespace().collect();
    let mut marks = Vec::new();
    for group in words.chunks(3) {
        match group {
            ["not", name, "and"] | ["not", name]
                if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
            {
                marks.push((*name).to_owned());
            }
            _ => return None,
        }
    }
    Some(marks)
}

impl Config {
    pub(super) fn unmodelled(&mut self, name: &str) {
        self.reasons.push(Reason::Configuration {
            name: name.to_owned(),
        });
    }
}
