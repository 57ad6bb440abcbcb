//! `--native-collect-only`: the node ids that can be known exactly without starting Python.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use rpytest_collect::{Collector, Completeness};

use crate::exit;

/// Options that are understood. Each has a value, in the next word or in its own.
const SELECTION: [&str; 5] = ["-k", "-m", "--deselect", "--ignore", "--ignore-glob"];

/// Prints the node ids of exact files, and names the other files on stderr.
///
/// Paths, node ids and what selects from them are understood: what another option would change is known
/// to pytest, and to guess it is what this mode is there not to do.
pub(crate) fn collect(arguments: &[OsString]) -> u8 {
    match split(arguments).and_then(|(paths, options)| list(paths, options)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rpytest: error: {error}");
            exit::USAGE_ERROR
        }
    }
}

/// The paths and node ids, and the options with their values.
fn split(arguments: &[OsString]) -> Result<(Vec<PathBuf>, Vec<String>), Box<dyn Error>> {
    let (mut paths, mut options) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if !argument.as_encoded_bytes().starts_with(b"-") {
            paths.push(PathBuf::from(argument));
            continue;
        }
        let text = argument.to_str().filter(|text| is_selection(text));
        let Some(text) = text else {
            return Err(format!(
                "{} is not supported with --native-collect-only; \
                 --collect-only knows all of pytest's options",
                argument.to_string_lossy()
            )
            .into());
        };
        options.push(text.to_owned());
        if SELECTION.contains(&text) {
            let value = arguments.next().and_then(|value| value.to_str());
            let value = value.ok_or_else(|| format!("argument {text}: expected one argument"))?;
            options.push(value.to_owned());
        }
    }
    Ok((paths, options))
}

/// Whether it is one of the options, or has one's value in it: `-kname`, `--ignore=path`.
fn is_selection(text: &str) -> bool {
    SELECTION
        .iter()
        .any(|option| match text.strip_prefix(option) {
            Some("") => true,
            Some(value) => !option.starts_with("--") || value.starts_with('='),
            None => false,
        })
}

fn list(paths: Vec<PathBuf>, options: Vec<String>) -> Result<u8, Box<dyn Error>> {
    let mut collector = Collector::new(std::env::current_dir()?)
        .options(options)
        .environment(std::env::vars_os());
    if !paths.is_empty() {
        collector = collector.paths(paths);
    }
    let collection = (collector.collect()).map_err(|error| format!("failed to {error}"))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut tests, mut partial) = (0, 0);
    for file in &collection.files {
        match &file.completeness {
            Completeness::Exact => {
                tests += file.items.len();
                for item in &file.items {
                    writeln!(out, "{}", item.id)?;
                }
            }
            Completeness::Partial(reasons) => {
                partial += 1;
                match reasons.first() {
                    Some(reason) => eprintln!("partial: {}: {reason}", file.path),
                    None => eprintln!("partial: {}", file.path),
                }
            }
        }
    }
    out.flush()?;
    for diagnostic in &collection.diagnostics {
        eprintln!("rpytest: {}: {}", diagnostic.path, diagnostic.message);
    }
    eprintln!(
        "{tests} tests in {} exact files; {partial} files need Python",
        collection.files.len() - partial
    );
    Ok(if tests == 0 {
        exit::NO_TESTS_COLLECTED
    } else {
        0
    })
}
