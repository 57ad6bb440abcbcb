//! Options that a configuration adds to every run, and which of them collection has to know.

use super::Config;
use crate::Reason;
use crate::collector::normalized;

/// Options of pytest and well-known plugins that leave the items and their order alone.
const INERT_FLAGS: [&str; 25] = [
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
    "--strict-config",
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
const INERT_VALUES: [&str; 26] = [
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
];

pub(super) fn apply(words: &[String], config: &mut Config) {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        let inline = word.split_once('=').map(|(_, value)| value.to_owned());
        if INERT_FLAGS.contains(&name) || (name.starts_with("-r") && !name.starts_with("--")) {
            continue;
        }
        if matches!(name, "-W" | "--pythonwarnings") {
            let filter = inline.or_else(|| words.next().cloned());
            config.strict_warnings |= filter.is_none_or(|filter| filter.starts_with('e'));
            continue;
        }
        if let Some(filter) = name.strip_prefix("-W") {
            config.strict_warnings |= filter.starts_with('e');
            continue;
        }
        if INERT_VALUES.contains(&name) || name == "-n" {
            if inline.is_none() {
                words.next();
            }
            continue;
        }
        if name.starts_with("-n") && name[2..].parse::<u32>().is_ok() {
            continue;
        }
        if let Some(option) = ["-k", "-m"]
            .iter()
            .find(|option| word.starts_with(**option))
        {
            // `-m x`, `-mx` and `-m=x` are the same.
            let value = match &word[option.len()..] {
                "" => words.next().map(String::as_str),
                value => Some(value.strip_prefix('=').unwrap_or(value)),
            };
            match value {
                Some(value) => config.select(option, value),
                None => config.unmodelled(option),
            }
            continue;
        }
        match name {
            "--strict-markers" | "--strict" => config.strict_marks = true,
            "--doctest-modules" => config.doctest_modules = true,
            "--doctest-glob" => match inline.or_else(|| words.next().cloned()) {
                Some(glob) => config.doctest_globs.push(glob),
                None => config.unmodelled(name),
            },
            "--deselect" | "--ignore" | "--ignore-glob" => {
                match inline.or_else(|| words.next().cloned()) {
                    Some(value) => config.leave_out(name, value),
                    None => config.unmodelled(name),
                }
            }
            "-p" => {
                config.plugins.extend(words.next().cloned());
                config.unmodelled(name);
            }
            _ => {
                let plugin = word.strip_prefix("-p").filter(|_| !word.starts_with("--"));
                config.plugins.extend(plugin.map(str::to_owned));
                config.unmodelled(name);
            }
        }
    }
}

impl Config {
    /// `-k` or `-m`. The last of each holds, and is the only one that is parsed.
    fn select(&mut self, option: &str, text: &str) {
        let kept = match option {
            "-k" => &mut self.keyword,
            _ => &mut self.mark,
        };
        *kept = Some(text.to_owned());
    }

    fn leave_out(&mut self, option: &str, value: String) {
        let absolute = |value: &str| normalized(&self.invocation.join(value));
        match option {
            "--deselect" => self.selection.deselect.push(value),
            "--ignore" => {
                let path = absolute(&value);
                self.selection.ignore.push(path);
            }
            _ => {
                let glob = absolute(&value).to_string_lossy().into_owned();
                self.selection.ignore_globs.push(glob);
            }
        }
    }

    pub(super) fn unmodelled(&mut self, name: &str) {
        self.reasons.push(Reason::Configuration {
            name: name.to_owned(),
        });
    }
}
