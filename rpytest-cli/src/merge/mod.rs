//! `rpytest merge`: the shards of a run, joined, with the proof that nothing was skipped.

mod parts;
mod proof;
mod report;

use std::path::{Path, PathBuf};

use self::proof::Part;
use self::report::Report;
use crate::args::MergeArguments;
use crate::exit;
use crate::flakiness;
use crate::history::History;
use crate::junit;
use crate::shard::manifest::{DURATIONS, JUNIT, OUTCOMES};

/// Joins, and returns the exit code.
pub(crate) fn run(arguments: &MergeArguments) -> u8 {
    let parts = match parts::read(&arguments.directories) {
        Ok(parts) => parts,
        Err(error) => {
            eprintln!("rpytest: error: failed to {error}");
            return exit::USAGE_ERROR;
        }
    };
    let problems = proof::check(&parts);
    let report = Report::new(&parts);
    let printed = crate::print(report.to_string().as_bytes());
    for problem in &problems {
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = problem.write(&mut text, arguments.verbose);
        eprint!("rpytest: error: {text}");
    }
    // What there is is joined, whatever is missing.
    let mut code = match problems.is_empty() && printed == 0 {
        true => report.exit_code(),
        false => exit::INTERNAL_ERROR,
    };
    let joined = [
        (arguments.junit.as_deref()).map(|path| join_junit(&parts, path)),
        (arguments.durations.as_deref()).map(|path| join_durations(&parts, path)),
        (arguments.outcomes.as_deref()).map(|path| join_outcomes(&parts, path)),
    ];
    for error in joined.into_iter().flatten().filter_map(Result::err) {
        eprintln!("rpytest: error: failed to {error}");
        code = exit::INTERNAL_ERROR;
    }
    code
}

fn join_junit(parts: &[Part], to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let without: Vec<String> = (parts.iter())
        .filter(|part| !part.manifest.junit)
        .map(|part| part.manifest.shard.to_string())
        .collect();
    if !without.is_empty() {
        let which = match &without[..] {
            [shard] => format!("shard {shard} has"),
            shards => format!("shards {} have", shards.join(", ")),
        };
        return Err(format!(
            "join JUnit XML: {which} left none; run every shard with --junitxml=PATH"
        )
        .into());
    }
    let files: Vec<PathBuf> = (parts.iter())
        .map(|part| part.directory.join(JUNIT))
        .collect();
    Ok(junit::join(&files, to)?)
}

fn join_durations(parts: &[Part], to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut history = History::of_file(to)?;
    for part in parts {
        // A shard that never came to its end has measured nothing.
        let file = part.directory.join(DURATIONS);
        if file.exists() {
            history.merge(&History::of_file(&file)?);
        }
    }
    Ok(history.write(to)?)
}

fn join_outcomes(parts: &[Part], to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // A shard that never came to its end has left none.
    let files: Vec<PathBuf> = (parts.iter())
        .map(|part| part.directory.join(OUTCOMES))
        .collect();
    Ok(flakiness::join(&files, to)?)
}
