//! The file of a request.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::packed;
use crate::Reason;
use crate::answer::{Answer, Case, Shared};
use crate::cache::stamp::{Identity, Place};
use crate::disk::{Asked, Disk};
use crate::walk::Kind;

pub(crate) const MAGIC: &[u8] = b"rpytest-collect answers\n";
/// Of all code, since all of it makes answers. See `build.rs`.
pub(super) const CODE: &[u8] = env!("RPYTEST_COLLECT_CODE").as_bytes();
/// How many rows a thread takes: neighbours are likely to be in one directory.
const AT_ONCE: usize = 16;

/// What all answers follow from.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    #[serde(with = "serde_bytes")]
    pub(super) request: [u8; 32],
    pub(super) conftests: Vec<PathBuf>,
    /// Files that were read for others than themselves.
    pub(super) sources: Vec<(PathBuf, Identity)>,
    pub(super) asked: Asked,
    pub(super) shared: Shared,
    /// How long each row is, and the answer that follows it.
    pub(super) lengths: Vec<(u32, u32)>,
}

/// What one answer follows from besides.
#[derive(Serialize, Deserialize)]
pub(super) struct Row<'a> {
    pub(super) path: &'a str,
    pub(super) kind: Kind,
    pub(super) reasons: Cow<'a, [Reason]>,
    pub(super) identity: Identity,
}

/// What was kept.
pub(super) struct Kept {
    pub(super) head: Head,
    bytes: Vec<u8>,
    /// Where the rows start.
    starts: Vec<usize>,
    /// The rows by their paths, if they are not in the order of the walk.
    by_path: OnceLock<HashMap<String, usize>>,
    /// The first row that nobody has looked at.
    next: AtomicUsize,
}

/// An answer whose file is as it was. Small, since it changes hands several times.
pub(super) struct Look {
    pub(super) answer: Box<Answer>,
    /// The identity of a file that has another stamp than before.
    pub(super) renewed: Option<Box<Identity>>,
}

pub(super) type Loaded = Result<Option<Arc<Kept>>, String>;

impl Kept {
    /// Nothing where there is none of this version. Else the problem, for people.
    pub(super) fn load(file: &Path, request: &[u8; 32]) -> Result<Option<Self>, String> {
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let damaged = || "it is damaged".to_owned();
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (made_by, rest) = rest.split_at_checked(CODE.len()).ok_or_else(damaged)?;
        if made_by != CODE {
            return Ok(None);
        }
        let (digest, rest) = rest.split_at_checked(32).ok_or_else(damaged)?;
        if digest != Sha256::digest(rest).as_slice() {
            return Err(damaged());
        }
        let (length, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
        let (head, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        let head: Head = rmp_serde::from_slice(head).map_err(|_| damaged())?;
        if head.request != *request {
            return Ok(None);
        }
        let mut at = bytes.len() - rest.len();
        let mut starts = Vec::with_capacity(head.lengths.len());
        for (row, answer) in &head.lengths {
            starts.push(at);
            at += *row as usize + *answer as usize;
        }
        if at != bytes.len() {
            return Err(damaged());
        }
        Ok(Some(Self {
            head,
            bytes,
            starts,
            by_path: OnceLock::new(),
            next: AtomicUsize::new(0),
        }))
    }

    /// The sources, as they are now, if everything that all answers follow from is as it was.
    pub(super) fn sources_if_it_holds(
        &self,
        conftests: &[PathBuf],
        disk: &Disk,
        settle: Duration,
    ) -> Option<Vec<(PathBuf, Identity)>> {
        if self.head.conftests != conftests || !disk.still_says(&self.head.asked) {
            return None;
        }
        let sources = self.head.sources.iter();
        let now = |(path, identity): &(PathBuf, Identity)| {
            Some((path.clone(), identity.still(path, settle)?))
        };
        sources.map(now).collect()
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len()
    }

    /// Looks at rows, each of which one thread looks at, until there are no more.
    pub(super) fn look(&self, settle: Duration) -> Vec<(usize, Look)> {
        let mut seen = Vec::with_capacity(self.rows() / 2 + AT_ONCE);
        let mut place = Place::default();
        loop {
            let first = self.next.fetch_add(AT_ONCE, Ordering::Relaxed);
            if first >= self.rows() {
                return seen;
            }
            let numbers = first..(first + AT_ONCE).min(self.rows());
            seen.extend(numbers.filter_map(|number| {
                let look = self.look_at(number, &mut place, settle)?;
                Some((number, look))
            }));
        }
    }

    /// Ends what others look at: nothing of it is of use.
    pub(super) fn forget(&self) {
        self.next.store(self.rows(), Ordering::Relaxed);
    }

    fn look_at<'a>(
        &'a self,
        number: usize,
        place: &mut Place<'a>,
        settle: Duration,
    ) -> Option<Look> {
        let row = self.row(number)?;
        let identity = row.identity.still_in(place, Path::new(row.path), settle)?;
        Some(Look {
            answer: Box::new(packed::unpack(self.answer(number)?)?),
            renewed: (identity != row.identity).then(|| Box::new(identity)),
        })
    }

    pub(super) fn row(&self, number: usize) -> Option<Row<'_>> {
        let start = *self.starts.get(number)?;
        let (length, _) = self.head.lengths.get(number)?;
        rmp_serde::from_slice(self.bytes.get(start..start + *length as usize)?).ok()
    }

    pub(super) fn answer(&self, number: usize) -> Option<&[u8]> {
        let (row, answer) = self.head.lengths.get(number)?;
        let start = *self.starts.get(number)? + *row as usize;
        self.bytes.get(start..start + *answer as usize)
    }

    /// The row of a file. Most often it stands where the file stands in the walk.
    pub(super) fn find(&self, at: usize, case: &Case) -> Option<usize> {
        let path = case.path.to_str()?;
        let (number, row) = match self.row(at).filter(|row| row.path == path) {
            Some(row) => (at, row),
            None => {
                let by_path = self.by_path.get_or_init(|| {
                    let numbers = 0..self.starts.len();
                    numbers
                        .filter_map(|number| Some((self.row(number)?.path.to_owned(), number)))
                        .collect()
                });
                let number = *by_path.get(path)?;
                (number, self.row(number)?)
            }
        };
        (row.kind == case.kind && *row.reasons == case.reasons).then_some(number)
    }
}
