//! The cache's file: a line that says who wrote it, a digest of the rest, an index, and the facts.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Entry, Facts, Stamp};
use crate::syntax;

const MAGIC: &[u8] = b"rpytest-collect cache 1\n";
/// Magic, digest of the code, digest of what follows, length of the index.
const HEADER: usize = MAGIC.len() + 32 + 32 + 8;
const PREFIX: &str = ".rpytest-collect-";
/// A temporary file of that age belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Stored {
    pub(super) entries: HashMap<String, Entry>,
    pub(super) bytes: Vec<u8>,
}

/// An entry of the index. The facts lie one after the other, in the order of the index.
#[derive(Serialize, Deserialize)]
struct Row {
    key: String,
    stamp: Stamp,
    hash: [u8; 32],
    length: u64,
}

/// A digest of the code that makes facts, so that no version trusts what another has made.
fn code() -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in syntax::CODE {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hash.update(include_str!("store.rs"));
    hash.finalize().into()
}

impl Stored {
    /// Nothing where there is no file. Else the problem, for people.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.to_string()),
        };
        let damaged = || "it is damaged".to_owned();
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or("it is no cache of this crate")?;
        let (made_by, rest) = rest.split_at_checked(32).ok_or_else(damaged)?;
        if made_by != code() {
            return Err("it was written by another version".to_owned());
        }
        let (digest, rest) = rest.split_at_checked(32).ok_or_else(damaged)?;
        if digest != Sha256::digest(rest).as_slice() {
            return Err(damaged());
        }
        let (length, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
        let index = rest.get(..length).ok_or_else(damaged)?;
        let rows: Vec<Row> = rmp_serde::from_slice(index).map_err(|_| damaged())?;
        let mut at = HEADER + length;
        let mut entries = HashMap::with_capacity(rows.len());
        for row in rows {
            let end = usize::try_from(row.length)
                .ok()
                .and_then(|length| at.checked_add(length))
                .filter(|end| *end <= bytes.len())
                .ok_or_else(damaged)?;
            let facts = Facts::Stored(at..end);
            at = end;
            let entry = Entry {
                stamp: row.stamp,
                hash: row.hash,
                facts,
            };
            entries.insert(row.key, entry);
        }
        Ok(Self { entries, bytes })
    }
}

/// Writes a new file and puts it in the place of the old one. There is no moment at which it is half written;
/// that its bytes reach the disk is left to the system, and its digest tells if they did not.
pub(super) fn write<'e>(
    path: &Path,
    entries: &[(&str, &'e Entry)],
    old: &'e [u8],
) -> io::Result<()> {
    let facts = |entry: &'e Entry| match &entry.facts {
        Facts::Stored(range) => old.get(range.clone()).unwrap_or_default(),
        Facts::New(bytes) => bytes,
    };
    let mut rows = Vec::with_capacity(entries.len());
    let mut all = Vec::new();
    for (key, entry) in entries {
        let facts = facts(entry);
        rows.push(Row {
            key: (*key).to_owned(),
            stamp: entry.stamp,
            hash: entry.hash,
            length: facts.len() as u64,
        });
        all.extend_from_slice(facts);
    }
    let index = rmp_serde::to_vec(&rows).map_err(io::Error::other)?;
    let mut body = (index.len() as u64).to_le_bytes().to_vec();
    body.extend(index);
    body.append(&mut all);

    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    remove_abandoned(dir);
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(dir)?;
    file.write_all(MAGIC)?;
    file.write_all(&code())?;
    file.write_all(&Sha256::digest(&body))?;
    file.write_all(&body)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn remove_abandoned(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let old = || {
            let modified = entry.metadata().ok()?.modified().ok()?;
            Some(modified.elapsed().ok()? > ABANDONED)
        };
        if ours && old() == Some(true) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
