//! Files that rpytest can make anew: a line that says what they are, a digest, and a value.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

const PREFIX: &str = ".rpytest-cli-";
/// A temporary file of that age belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);
/// A file above this is neither written nor read.
const LARGEST: u64 = 64 << 20;

/// The value of a file. None where there is none, or it is damaged, or of another kind or version.
pub(super) fn read<T: DeserializeOwned>(path: &Path, kind: &str) -> Option<T> {
    if fs::metadata(path).ok()?.len() > LARGEST {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    let rest = bytes.strip_prefix(kind.as_bytes())?.strip_prefix(b"\n")?;
    let (digest, body) = rest.split_at_checked(32)?;
    if digest != Sha256::digest(body).as_slice() {
        return None;
    }
    rmp_serde::from_slice(body).ok()
}

/// Writes a file, whole or not at all.
pub(super) fn write<T: Serialize>(path: &Path, kind: &str, value: &T) -> io::Result<()> {
    let body = rmp_serde::to_vec_named(value).map_err(io::Error::other)?;
    if body.len() as u64 > LARGEST - 1024 {
        return Err(io::Error::other("it would be too large"));
    }
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempfile_in(directory)?;
    file.write_all(kind.as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(&Sha256::digest(&body))?;
    file.write_all(&body)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Keeps the newest files of a directory whose names begin so, and removes what a killed process has left.
pub(super) fn keep_newest(directory: &Path, prefix: &str, count: usize) {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some(modified) = entry.metadata().ok().and_then(|data| data.modified().ok()) else {
            continue;
        };
        if name.starts_with(PREFIX) {
            if modified.elapsed().is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        } else if name.starts_with(prefix) {
            found.push((modified, entry.path()));
        }
    }
    found.sort_unstable();
    let surplus = found.len().saturating_sub(count);
    for (_, path) in &found[..surplus] {
        let _ = fs::remove_file(path);
    }
}

/// A digest of parts, each with its length.
#[derive(Clone, Default)]
pub(super) struct Parts(Sha256);

impl Parts {
    pub fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// As a file's name has it.
    pub fn name(self) -> String {
        let bytes = self.finish();
        bytes[..12]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_not_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("below/file");
        write(&path, "a file 1", &vec![1u32, 2]).expect("written");
        assert_eq!(read(&path, "a file 1"), Some(vec![1u32, 2]));
        assert_eq!(read::<Vec<u32>>(&path, "a file 2"), None);
        assert_eq!(read::<String>(&path, "a file 1"), None);
        let mut bytes = fs::read(&path).expect("it is there");
        *bytes.last_mut().expect("it has a value") ^= 1;
        fs::write(&path, bytes).expect("it is ours");
        assert_eq!(read::<Vec<u32>>(&path, "a file 1"), None);
        fs::write(&path, b"a file 1").expect("it is ours");
        assert_eq!(read::<Vec<u32>>(&path, "a file 1"), None);
    }

    #[test]
    fn the_oldest_files_go() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, age) in [("a-1", 50), ("a-2", 90), ("a-3", 10), ("b", 99)] {
            let file = fs::File::create(directory.path().join(name)).expect("a file");
            let time = std::time::SystemTime::now() - Duration::from_secs(age);
            file.set_modified(time).expect("a time");
        }
        keep_newest(directory.path(), "a-", 2);
        let left = |name: &str| directory.path().join(name).exists();
        assert_eq!(
            ["a-1", "a-2", "a-3", "b"].map(left),
            [true, false, true, true]
        );
    }
}
