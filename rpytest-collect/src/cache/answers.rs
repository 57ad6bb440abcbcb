//! The answers of one request, and everything that they follow from.
//!
//! An answer is what the rules make of a test file. It is kept under that file's identity. What the rules have looked at
//! besides is not kept for each file, since most of it is the same for all of them: the conftests, each module that any
//! of them reads, each question to the disk. If one of these is not what it was, no answer is taken.
//!
//! Each request has a file of its own, so that two that take turns do not displace each other, and a run reads what it needs
//! and no more.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::replace::replace;
use super::stamp::Identity;
use crate::Reason;
use crate::answer::{Answer, Case, Shared};
use crate::disk::{Asked, Disk};
use crate::walk::Kind;

const MAGIC: &[u8] = b"rpytest-collect answers\n";
/// Of all code, since all of it makes answers. See `build.rs`.
const CODE: &[u8] = env!("RPYTEST_COLLECT_CODE").as_bytes();
/// As many requests as one is likely to take turns with: all tests, and some directories of them.
const REQUESTS: usize = 4;

/// What all answers follow from, and which there are.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(with = "serde_bytes")]
    request: [u8; 32],
    conftests: Vec<PathBuf>,
    /// Files that were read for others than themselves.
    sources: Vec<(PathBuf, Identity)>,
    asked: Asked,
    shared: Shared,
    /// The answers lie one after the other, in the order of these.
    rows: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    path: String,
    kind: Kind,
    reasons: Vec<Reason>,
    identity: Identity,
    length: u64,
}

/// Answers that hold.
struct Kept {
    head: Head,
    bytes: Vec<u8>,
    /// Where each row's answer starts.
    starts: Vec<usize>,
    /// The rows by their paths, if they are not in the order of the walk.
    by_path: OnceLock<HashMap<String, usize>>,
    /// Those whose files have other stamps and the same content.
    renewed: Mutex<HashMap<usize, Identity>>,
    /// Whether a source has.
    renewed_sources: bool,
}

/// What a request has found, and what it reads.
#[derive(Default)]
struct Looked {
    request: [u8; 32],
    kept: Option<Kept>,
    /// Why what was there could not be used.
    unusable: Option<String>,
}

pub(crate) struct Answers {
    dir: PathBuf,
    settle: Duration,
    looked: OnceLock<Looked>,
    /// Test files that were read for their own answers.
    own: Mutex<HashMap<PathBuf, Identity>>,
    /// Files that were read for others'.
    shared: Mutex<HashMap<PathBuf, Identity>>,
    /// Whether one of those could not be read, or was read twice and not the same.
    unsteady: AtomicBool,
    new: Mutex<HashMap<PathBuf, Vec<u8>>>,
}

impl Answers {
    /// Beside the file of the facts.
    pub(crate) fn new(cache: &Path, settle: Duration) -> Self {
        let mut dir = cache.as_os_str().to_owned();
        dir.push(".answers");
        Self {
            dir: dir.into(),
            settle,
            looked: OnceLock::new(),
            own: Mutex::default(),
            shared: Mutex::default(),
            unsteady: AtomicBool::new(false),
            new: Mutex::default(),
        }
    }

    /// Takes what is kept of a request, if everything that it follows from is as it was. To be called before anything
    /// is read, and once.
    pub(crate) fn recall(
        &self,
        request: &str,
        conftests: &[PathBuf],
        disk: &Disk,
    ) -> Option<&Shared> {
        let request = Sha256::digest(request).into();
        let (kept, unusable) = match self.load(request) {
            Ok(kept) => (kept, None),
            Err(problem) => (None, Some(problem)),
        };
        let kept = kept.and_then(|kept| kept.if_it_holds(conftests, disk, self.settle));
        let looked = self.looked.get_or_init(|| Looked {
            request,
            kept,
            unusable,
        });
        looked.kept.as_ref().map(|kept| &kept.head.shared)
    }

    fn file(&self, request: &[u8; 32]) -> PathBuf {
        let name: String = request[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.dir.join(name)
    }

    /// Nothing where there is none of this version. Else the problem, for people.
    fn load(&self, request: [u8; 32]) -> Result<Option<Kept>, String> {
        let bytes = match fs::read(self.file(&request)) {
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
        if head.request != request {
            return Ok(None);
        }
        let mut at = bytes.len() - rest.len();
        let mut starts = Vec::with_capacity(head.rows.len());
        for row in &head.rows {
            starts.push(at);
            let end = usize::try_from(row.length)
                .ok()
                .and_then(|length| at.checked_add(length));
            at = end.filter(|end| *end <= bytes.len()).ok_or_else(damaged)?;
        }
        Ok(Some(Kept {
            head,
            bytes,
            starts,
            by_path: OnceLock::new(),
            renewed: Mutex::default(),
            renewed_sources: false,
        }))
    }

    /// The answer to a file that the walk has found at a position, if it is kept and holds.
    pub(crate) fn answer(&self, at: usize, case: &Case) -> Option<Answer> {
        let kept = self.looked.get()?.kept.as_ref()?;
        let number = kept.number(at, case)?;
        let row = kept.head.rows.get(number)?;
        let now = row.identity.still(&case.path, self.settle)?;
        let answer = rmp_serde::from_slice(kept.answer(number)?).ok()?;
        if now != row.identity {
            lock(&kept.renewed).insert(number, now);
        }
        Some(answer)
    }

    /// Notes that a file was read for its own answer.
    pub(super) fn read_own(&self, path: &Path, identity: Identity) {
        lock(&self.own).insert(path.to_owned(), identity);
    }

    /// Notes that a file was read for others' answers, or could not be.
    pub(super) fn read_shared(&self, path: &Path, identity: Option<Identity>) {
        let same = identity.is_some_and(|identity| {
            let mut read = lock(&self.shared);
            let first = read.entry(path.to_owned()).or_insert(identity);
            first.hash == identity.hash
        });
        if !same {
            self.unsteady.store(true, Ordering::Relaxed);
        }
    }

    /// Keeps what was made of a file.
    pub(crate) fn keep(&self, case: &Case, answer: &Answer) {
        if let Ok(bytes) = rmp_serde::to_vec(answer) {
            lock(&self.new).insert(case.path.clone(), bytes);
        }
    }

    /// Writes the answers, if there is something new. What is wrong, if anything.
    pub(super) fn save(
        &self,
        cases: &[Case],
        conftests: &[PathBuf],
        shared: &Shared,
        disk: &Disk,
    ) -> Option<String> {
        let looked = self.looked.get()?;
        let is_new = match &looked.kept {
            Some(kept) => {
                kept.renewed_sources
                    || !lock(&kept.renewed).is_empty()
                    || !lock(&self.new).is_empty()
            }
            None => true,
        };
        if !is_new {
            return None;
        }
        let file = self.file(&looked.request);
        let written = match self.encode(looked, cases, conftests, shared, disk) {
            Some((head, answers)) => {
                let mut digest = Sha256::new();
                let length = (head.len() as u64).to_le_bytes();
                [&length, head.as_slice(), &answers]
                    .iter()
                    .for_each(|part| digest.update(part));
                replace(
                    &file,
                    &[MAGIC, CODE, &digest.finalize(), &length, &head, &answers],
                )
            }
            // What cannot be kept must not be warned of each time.
            None if looked.unusable.is_some() => fs::remove_file(&file),
            None => Ok(()),
        };
        self.prune();
        super::problem(looked.unusable.as_deref(), written)
    }

    /// Head and answers. None if something cannot be kept, or was not the same throughout this run.
    fn encode(
        &self,
        looked: &Looked,
        cases: &[Case],
        conftests: &[PathBuf],
        shared: &Shared,
        disk: &Disk,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.unsteady.load(Ordering::Relaxed) {
            return None;
        }
        let mut sources = lock(&self.shared).clone();
        for (path, identity) in looked.kept.iter().flat_map(|kept| &kept.head.sources) {
            let read = sources.entry(path.clone()).or_insert(*identity);
            if read.hash != identity.hash {
                return None;
            }
        }
        let mut sources: Vec<(PathBuf, Identity)> = sources.into_iter().collect();
        sources.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let (own, new) = (lock(&self.own), lock(&self.new));
        let mut answers = Vec::new();
        let mut rows = Vec::with_capacity(cases.len());
        for (at, case) in cases.iter().enumerate() {
            let Some(path) = case.path.to_str() else {
                continue;
            };
            let row = match new.get(&case.path) {
                Some(bytes) => own.get(&case.path).map(|read| (bytes.as_slice(), *read)),
                None => looked.kept.as_ref().and_then(|kept| kept.row(at, case)),
            };
            let Some((bytes, identity)) = row else {
                continue;
            };
            answers.extend_from_slice(bytes);
            rows.push(Row {
                path: path.to_owned(),
                kind: case.kind,
                reasons: case.reasons.clone(),
                identity,
                length: bytes.len() as u64,
            });
        }
        let head = Head {
            request: looked.request,
            conftests: conftests.to_vec(),
            sources,
            asked: disk.asked(),
            shared: shared.clone(),
            rows,
        };
        Some((rmp_serde::to_vec(&head).ok()?, answers))
    }

    /// Removes the requests that were written longest ago.
    fn prune(&self) {
        let is_ours = |name: &str| name.len() == 16 && name.bytes().all(|c| c.is_ascii_hexdigit());
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let entries = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_ours));
        let mut written: Vec<_> = entries
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        written.sort_unstable();
        let surplus = written.len().saturating_sub(REQUESTS);
        for (_, path) in written.drain(..surplus) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Kept {
    fn if_it_holds(mut self, conftests: &[PathBuf], disk: &Disk, settle: Duration) -> Option<Self> {
        let head = &mut self.head;
        if head.conftests != conftests || !disk.still_says(&head.asked) {
            return None;
        }
        for (path, identity) in &mut head.sources {
            let now = identity.still(path, settle)?;
            self.renewed_sources |= now != *identity;
            *identity = now;
        }
        Some(self)
    }

    /// Which row is that of a file. Most often it stands where the file stands in the walk.
    fn number(&self, at: usize, case: &Case) -> Option<usize> {
        let path = case.path.to_str()?;
        let rows = &self.head.rows;
        let number = match rows.get(at).is_some_and(|row| row.path == path) {
            true => at,
            false => {
                let by_path = self.by_path.get_or_init(|| {
                    let numbers = rows.iter().enumerate();
                    let numbers = numbers.map(|(number, row)| (row.path.clone(), number));
                    numbers.collect()
                });
                *by_path.get(path)?
            }
        };
        let row = rows.get(number)?;
        (row.kind == case.kind && row.reasons == case.reasons).then_some(number)
    }

    fn answer(&self, number: usize) -> Option<&[u8]> {
        let start = *self.starts.get(number)?;
        let length = usize::try_from(self.head.rows.get(number)?.length).ok()?;
        self.bytes.get(start..start.checked_add(length)?)
    }

    /// An answer that was taken, and the identity of its file now.
    fn row(&self, at: usize, case: &Case) -> Option<(&[u8], Identity)> {
        let number = self.number(at, case)?;
        let renewed = lock(&self.renewed).get(&number).copied();
        let identity = renewed.unwrap_or(self.head.rows.get(number)?.identity);
        Some((self.answer(number)?, identity))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
