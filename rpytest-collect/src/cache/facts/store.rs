//! The cache's file: a line that says who wrote it, a digest of the rest, an index, and the facts.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Encoded, Entry, Identity};
use crate::cache::replace::replace;

const MAGIC: &[u8] = b"rpytest-collect cache 2\n";
/// Of the code that makes facts, so that no version trusts what another has made. See `build.rs`.
const CODE: &[u8] = env!("RPYTEST_COLLECT_FACTS").as_bytes();
/// Magic, digest of the code, digest of what follows, length of the index.
const HEADER: usize = MAGIC.len() + CODE.len() + 32 + 8;

#[derive(Default)]
pub(super) struct Stored {
    pub(super) entries: HashMap<String, Entry>,
    pub(super) bytes: Vec<u8>,
}

/// An entry of the index. The facts lie one after the other, in the order of the index.
#[derive(Serialize, Deserialize)]
struct Row {
    key: String,
    identity: Identity,
    length: u64,
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
        let (made_by, rest) = rest.split_at_checked(CODE.len()).ok_or_else(damaged)?;
        if made_by != CODE {
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
            let facts = Encoded::Stored(at..end);
            at = end;
            let entry = Entry {
                identity: row.identity,
                facts,
            };
            entries.insert(row.key, entry);
        }
        Ok(Self { entries, bytes })
    }
}

/// Writes a new file and puts it in the place of the old one.
pub(super) fn write<'e>(
    path: &Path,
    entries: &[(&str, &'e Entry)],
    old: &'e [u8],
) -> io::Result<()> {
    let facts = |entry: &'e Entry| match &entry.facts {
        Encoded::Stored(range) => old.get(range.clone()).unwrap_or_default(),
        Encoded::New(bytes) => bytes,
    };
    let mut rows = Vec::with_capacity(entries.len());
    let mut all = Vec::new();
    for (key, entry) in entries {
        let facts = facts(entry);
        rows.push(Row {
            key: (*key).to_owned(),
            identity: entry.identity,
            length: facts.len() as u64,
        });
        all.extend_from_slice(facts);
    }
    let index = rmp_serde::to_vec(&rows).map_err(io::Error::other)?;
    let mut body = (index.len() as u64).to_le_bytes().to_vec();
    body.extend(index);
    body.append(&mut all);

    replace(path, &[MAGIC, CODE, &Sha256::digest(&body), &body])
}
