//! How a file of the cache is written.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

const PREFIX: &str = ".rpytest-collect-";
/// A temporary file of that age belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Puts a new file in the place of the old one. There is no moment at which it is half written; that its bytes reach the
/// disk is left to the system, and a digest in it has to tell if they did not.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    remove_abandoned(dir);
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(dir)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether a file is one that is being written.
fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

fn remove_abandoned(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let old = || {
            let modified = entry.metadata().ok()?.modified().ok()?;
            Some(modified.elapsed().ok()? > ABANDONED)
        };
        if is_temporary(&entry.file_name()) && old() == Some(true) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
