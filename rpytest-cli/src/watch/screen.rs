//! What watch mode itself shows: a line before a run, and one after it.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpytest_ipc::Outcome;

use super::affected::Target;
use super::keys::HELP;
use crate::session::Told;

/// Names that are shown of many.
const NAMED: usize = 3;

/// Why there is a run.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    Changed(BTreeSet<PathBuf>),
    /// What the user has asked for.
    Asked(String),
}

pub(super) struct Screen {
    is_terminal: bool,
    /// Whether there is a keyboard.
    has_keys: bool,
}

impl Screen {
    pub(super) fn new(has_keys: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        Self {
            is_terminal: io::stdout().is_terminal() && !is_dumb,
            has_keys,
        }
    }

    /// Before a run that is not the first.
    pub(super) fn begins(&self, root: &Path, cause: &Cause, target: &Target, filters: &[String]) {
        if self.is_terminal {
            // The upper left corner, and nothing below it.
            say("\x1b[H\x1b[2J");
        }
        let cause = match cause {
            Cause::Changed(files) => {
                let names = files.iter().take(NAMED);
                let names = names.map(|file| file.strip_prefix(root).unwrap_or(file));
                let names: Vec<String> = names.map(|name| name.display().to_string()).collect();
                let more = files.len().saturating_sub(NAMED);
                let more = match more {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("{}{more} changed", names.join(", "))
            }
            Cause::Asked(what) => what.clone(),
        };
        let what = match target {
            Target::All => "all tests".to_owned(),
            Target::Files(files) => count(files.len(), "test file"),
        };
        let filters = filters.iter().map(|filter| format!(" {filter}"));
        let filters: String = filters.collect();
        say(&format!("rpytest: {cause}: {what}{filters}\n"));
    }

    /// After a run.
    pub(super) fn ends(&self, told: &Told, took: Duration, still_failing: usize, owed: bool) {
        let mut parts = Vec::new();
        for (outcome, word) in [
            (Outcome::Failed, "failed"),
            (Outcome::Error, "with errors"),
            (Outcome::Passed, "passed"),
            (Outcome::Skipped, "skipped"),
            (Outcome::Xfailed, "xfailed"),
            (Outcome::Xpassed, "xpassed"),
        ] {
            let number = told.results.iter().filter(|(_, one)| *one == outcome);
            match number.count() {
                0 => {}
                number => parts.push(format!("{number} {word}")),
            }
        }
        if parts.is_empty() {
            parts.push("no tests ran".to_owned());
        }
        let seconds = took.as_secs_f64();
        let mut line = format!("rpytest: {} in {seconds:.2} s", parts.join(", "));
        if still_failing > 0 {
            line.push_str(&format!("; {still_failing} of other files still fail"));
        }
        if owed {
            line.push_str("; what did not run is run after the next change");
        }
        line.push_str("; waiting for changes");
        if self.has_keys {
            line.push_str(" (? for keys)");
        }
        line.push('\n');
        say(&line);
    }

    pub(super) fn help(&self) {
        say(HELP);
    }

    pub(super) fn nothing_failed(&self) {
        say("rpytest: no test has failed\n");
    }

    pub(super) fn nothing_fits(&self, filter: &str) {
        say(&format!(
            "rpytest: there is no test file with {filter:?} in its path\n"
        ));
    }
}

fn count(number: usize, of: &str) -> String {
    match number {
        1 => format!("1 {of}"),
        number => format!("{number} {of}s"),
    }
}

/// Whoever has closed the output does not want to see it.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
