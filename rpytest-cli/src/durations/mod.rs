//! `rpytest durations`: what is known of how long tests take, shown, joined, tidied and taken over from others.

mod import;

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use rpytest_collect::Collector;

use crate::args::{Command, DurationsCommand};
use crate::collect::{self, below_pytests_cache, cache_of};
use crate::convert::duration_key;
use crate::exit;
use crate::history::{HISTORY_FILE, History};

/// Runs a command, and returns the exit code.
pub(crate) fn run(command: &DurationsCommand) -> u8 {
    match begin(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rpytest: error: failed to {error}");
            exit::USAGE_ERROR
        }
    }
}

fn begin(command: &DurationsCommand) -> Result<u8, Box<dyn Error>> {
    // Printed when all is done: whoever reads it may go away.
    let mut text = String::new();
    match command {
        DurationsCommand::Show { file, slowest } => {
            let history = existing(&or_the_projects(file.as_deref())?)?;
            text = shown(&history, slowest.unwrap_or(usize::MAX));
        }
        DurationsCommand::Merge { files, output } => {
            let output = or_the_projects(output.as_deref())?;
            let mut history = History::of_file(&output)?;
            for file in files {
                history.merge(&existing(file)?);
            }
            history.write(&output)?;
            text += &told(&history, &output);
        }
        DurationsCommand::Prune { file, unseen_for } => {
            let file = or_the_projects(file.as_deref())?;
            let mut history = existing(&file)?;
            let before = history.durations.len();
            match unseen_for {
                Some(runs) => {
                    let since = history.next_run().saturating_sub(*runs);
                    history.durations.prune_before(since);
                }
                None => {
                    let there = match there() {
                        Ok(there) => there,
                        Err(code) => return Ok(code),
                    };
                    history.durations.prune(|_, key| there.contains(key));
                }
            }
            history.write(&file)?;
            let (left, path) = (history.durations.len(), file.display());
            text = format!("{} forgotten, {left} left in {path}\n", before - left);
        }
        DurationsCommand::Import { files, output } => {
            let output = or_the_projects(output.as_deref())?;
            let mut history = History::of_file(&output)?;
            let run = history.next_run();
            let root = settings()?.rootdir;
            for file in files {
                let import::Taken { known, unknown } = import::import(file, &root)?;
                for (address, seconds) in &known {
                    history.add_total(run, address, *seconds);
                }
                let path = file.display();
                // Writing to memory does not fail.
                let _ = writeln!(text, "{path}: the durations of {} tests", known.len());
                if let Some(first) = unknown.first() {
                    eprintln!(
                        "rpytest: warning: {path}: {} names fit no file below {}, such as {first}",
                        unknown.len(),
                        root.display()
                    );
                }
            }
            history.write(&output)?;
            text += &told(&history, &output);
        }
    }
    Ok(crate::print(text.as_bytes()))
}

fn told(history: &History, file: &Path) -> String {
    format!(
        "{} tests are known in {}\n",
        history.durations.len(),
        file.display()
    )
}

fn settings() -> Result<rpytest_collect::Settings, Box<dyn Error>> {
    Ok(Collector::new(std::env::current_dir()?).settings()?)
}

/// A file that is named, or that in which the project's runs keep durations.
fn or_the_projects(named: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let below = below_pytests_cache(&settings()?);
    let cache = cache_of(below.as_deref());
    let cache = cache.ok_or(
        "find pytest's cache directory, of which the name has variables: name the file of durations",
    )?;
    Ok(cache.join(HISTORY_FILE))
}

/// The durations of a file that has to be there.
fn existing(file: &Path) -> Result<History, Box<dyn Error>> {
    if !file.is_file() {
        return Err(format!(
            "find {}: a run that pytest may keep a cache of makes it, and rpytest durations import",
            file.display()
        )
        .into());
    }
    Ok(History::of_file(file)?)
}

/// What names the tests that there are; the error is an exit code.
fn there() -> Result<HashSet<String>, u8> {
    let Ok(Command::Run(arguments)) = Command::parse(Vec::new()) else {
        return Err(exit::INTERNAL_ERROR);
    };
    let inventory = collect::inventory(&arguments)?;
    Ok(inventory.items.iter().map(duration_key).collect())
}

/// The slowest tests first.
fn shown(history: &History, count: usize) -> String {
    let estimates = history.durations.estimates();
    let mut tests: Vec<(f64, usize, &str)> = (history.durations.iter())
        .map(|(file, key, seen)| (estimates.estimate(file, key).seconds, seen.len(), key))
        .collect();
    tests.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.2.cmp(other.2)));
    let total: f64 = tests.iter().map(|test| test.0).sum();
    let mut text = String::new();
    // Writing to memory does not fail.
    let _ = writeln!(text, "{:>10} {:>5} test", "seconds", "runs");
    for (seconds, runs, key) in tests.iter().take(count) {
        let _ = writeln!(text, "{seconds:>10.3} {runs:>5} {key}");
    }
    let _ = writeln!(text, "{total:>10.3}       {} tests", tests.len());
    text
}
