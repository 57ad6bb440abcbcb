//! `--native-collect-only`: the node ids that can be known exactly without starting Python.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use rpytest_collect::{Collector, Completeness};

use crate::exit;

/// Prints the node ids of exact files, and names the other files on stderr.
///
/// Only paths are understood: what an option would change is known to pytest, and to guess it is what
/// this mode is there not to do.
pub(crate) fn collect(arguments: &[OsString]) -> u8 {
    if let Some(option) = arguments
        .iter()
        .find(|argument| argument.as_encoded_bytes().starts_with(b"-"))
    {
        eprintln!(
            "rpytest: error: {} is not supported with --native-collect-only; \
             --collect-only knows all of pytest's options",
            option.to_string_lossy()
        );
        return exit::USAGE_ERROR;
    }
    match list(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rpytest: error: failed to {error}");
            exit::USAGE_ERROR
        }
    }
}

fn list(arguments: &[OsString]) -> Result<u8, Box<dyn std::error::Error>> {
    let mut collector = Collector::new(std::env::current_dir()?);
    if !arguments.is_empty() {
        collector = collector.paths(arguments.iter().map(PathBuf::from));
    }
    let collection = collector.collect()?;
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
