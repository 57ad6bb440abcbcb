//! `--discover`: what there is to be run, as one document for an editor.
//!
//! [`tree`] puts the items below their folders, files, classes and functions. [`json`] is our own form of it, [`vscode`] the one
//! that the Python extension of VS Code reads from the plugin that it brings along. neotest reads node ids, a line each.

mod json;
mod tree;
mod vscode;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::args::{DiscoverFormat, RunArguments};
use crate::collect::{Found, NotFound, find};

pub(crate) use self::json::Document;

/// Prints the document, and returns pytest's exit code for such a collection. What could not be collected is in the document.
pub(crate) fn run(arguments: &RunArguments, format: DiscoverFormat) -> u8 {
    let found = find(arguments);
    let code = match &found {
        Ok(found) => found.exit(),
        Err(error) => error.exit,
    };
    match print(format, &found) {
        Ok(()) => code,
        // As pytest's own script has it, for a reader that has gone.
        Err(_) => 1,
    }
}

fn print(format: DiscoverFormat, found: &Result<Found, NotFound>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match format {
        DiscoverFormat::Json => write(&mut out, &Document::new(found))?,
        DiscoverFormat::VsCode => write(&mut out, &vscode::Payload::new(found)?)?,
        DiscoverFormat::Neotest => {
            let files = found.iter().flat_map(|found| &found.files);
            for item in files.flat_map(|file| &file.items) {
                writeln!(out, "{}", item.nodeid)?;
            }
            // There is no place for them in lines of ids.
            match found {
                Ok(found) => {
                    for error in &found.errors {
                        eprintln!("rpytest: {}: {}", error.path, error.message);
                    }
                }
                Err(error) => eprintln!("rpytest: error: {}", error.message),
            }
        }
    }
    out.flush()
}

fn write(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    writeln!(out)
}

/// The last part of a path, as folders and files are called.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
