//! The file that a process's fault handler writes to.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// What is read of it at most, in bytes.
const LIMIT: u64 = 64 * 1024;

/// A temporary file that has no name, so that nothing is left of it whatever happens.
///
/// The process shares its offset, which is why the text is read only when the process has ended.
#[derive(Debug)]
pub(crate) struct CrashFile(File);

impl CrashFile {
    pub(crate) fn new() -> io::Result<Self> {
        tempfile::tempfile().map(Self)
    }

    /// The file, to be handed to the process.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// What was written: its beginning, where the fault stands, if it is long.
    pub(crate) fn text(mut self) -> Option<String> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0)).ok()?;
        // What could be read before an error is worth having.
        let _ = (&self.0).take(LIMIT).read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn written(bytes: &[u8]) -> Option<String> {
        let crash = CrashFile::new().expect("a temporary file");
        crash.file().write_all(bytes).expect("write it");
        crash.text()
    }

    #[test]
    fn an_empty_file_has_no_text() {
        assert_eq!(written(b""), None);
        assert_eq!(written(b"\n"), None);
    }

    #[test]
    fn the_text_is_lossy_and_bounded() {
        assert_eq!(
            written(b"Fatal \xff\n\n").as_deref(),
            Some("Fatal \u{fffd}")
        );
        let long = written(&vec![b'x'; 1_000_000]).expect("there is text");
        assert_eq!(long.len() as u64, LIMIT);
    }
}
