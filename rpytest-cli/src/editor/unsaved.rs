//! Which tests a text has that was not saved: by the source alone, since nobody could import it.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use crate::args::Command;
use crate::collect::of_text;
use crate::discover::Document;

/// The document of `--discover` for a file with that text.
pub(super) fn document(
    arguments: &[OsString],
    file: &Path,
    text: &str,
) -> Result<Value, Box<dyn Error>> {
    let mut words: Vec<OsString> = vec!["--discover".into()];
    words.extend_from_slice(arguments);
    let Command::Discover(run, _) = Command::parse(words)?.with_settings()? else {
        return Err("the arguments of the server are those of no run".into());
    };
    let found = of_text(&run, file, text)?;
    Ok(Document::of(&found).value()?)
}
