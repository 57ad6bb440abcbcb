//! The answers of one request, and everything that they follow from.
//!
//! An answer is what the rules make of a test file. It is kept under that file's identity. What the rules have looked at
//! besides is not kept for each file, since most of it is the same for all of them: the conftests, each module that any
//! of them reads, each question to the disk. If one of these is not what it was, no answer is taken.
//!
//! Each request has a file of its own, so that two that take turns do not displace each other, and a run reads what it needs
//! and no more.

mod packed;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::replace::replace;
use super::stamp::Identity;
use crate::Reason;
use crate::answer::{Answer, Case, Shared};
use crate::disk::{Asked, Disk};
use crate::walk::Kind;

pub(super) const MAGIC: &[u8] = b"rpytest-collect answers\n";
/// Of all code, since all of it makes answers. See `build.rs`.
const CODE: &[u8] = env!("RPYTEST_COLLECT_CODE").as_bytes();
/// As many requests as one is likely to take turns with: all tests, and some directories of them.
const REQUESTS: usize = 4;

/// What all answers follow from.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(with = "serde_bytes")]
    request: [u8; 32],
    conftests: Vec<PathBuf>,
    /// Files that were read for others than themselves.
    sources: Vec<(PathBuf, Identity)>,
    asked: Asked,
    shared: Shared,
    /// How long each row is, and the answer that follows it.
    lengths: Vec<(u32, u32)>,
}

/// What one answer follows from besides.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    path: &'a str,
    kind: Kind,
    reasons: Cow<'a, [Reason]>,
    identity: Identity,
}

/// Answers that hold.
struct Kept {
    head: Head,
    bytes: Vec<u8>,
    /// Where the rows start.
    starts: Vec<usize>,
    /// The rows by their paths, if they are not in the order of the walk.
    by_path: OnceLock<HashMap<String, usize>>,
    /// Those whose files have other stamps and the same content.
    renewed: Mutex<HashMap<usize, Identity>>,
    /// Whether a source has.
    renewed_sources: bool,
}

/// What was found of a request.
#[derive(Default)]
struct Looked {
    kept: Option<Kept>,
    /// Why what was there could not be used.
    unusable: Option<String>,
}

type Loaded = Result<Option<Kept>, String>;

pub(crate) struct Answers {
    dir: PathBuf,
    settle: Duration,
    request: OnceLock<[u8; 32]>,
    loading: Mutex<Option<JoinHandle<Loaded>>>,
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
            request: OnceLock::new(),
            loading: Mutex::default(),
            looked: OnceLock::new(),
            own: Mutex::default(),
            shared: Mutex::default(),
            unsteady: AtomicBool::new(false),
            new: Mutex::default(),
        }
    }

    /// Starts to read what is kept of a request.
    pub(crate) fn expect(&self, request: &str) {
        let request = Sha256::digest(request).into();
        let request = *self.request.get_or_init(|| request);
        let file = self.file(&request);
        let load = std::thread::Builder::new().spawn(move || Kept::load(&file, &request));
        *lock(&self.loading) = load.ok();
    }

    /// Takes what is kept, if everything that it follows from is as it was. To be called before any file is read.
    pub(crate) fn recall(&self, conftests: &[PathBuf], disk: &Disk) -> Option<&Shared> {
        let request = self.request.get()?;
        let loading = lock(&self.loading).take();
        let loaded = loading.and_then(|loading| loading.join().ok());
        let loaded = loaded.unwrap_or_else(|| Kept::load(&self.file(request), request));
        let (kept, unusable) = match loaded {
            Ok(kept) => (kept, None),
            Err(problem) => (None, Some(problem)),
        };
        let kept = kept.and_then(|kept| kept.if_it_holds(conftests, disk, self.settle));
        let looked = self.looked.get_or_init(|| Looked { kept, unusable });
        looked.kept.as_ref().map(|kept| &kept.head.shared)
    }

    fn file(&self, request: &[u8; 32]) -> PathBuf {
        let name: String = request[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.dir.join(name)
    }

    /// The answer to a file that the walk has found at a position, if it is kept and holds.
    pub(crate) fn answer(&self, at: usize, case: &Case) -> Option<Answer> {
        let kept = self.looked.get()?.kept.as_ref()?;
        let (number, row) = kept.find(at, case)?;
        let now = row.identity.still(&case.path, self.settle)?;
        let answer = packed::unpack(kept.answer(number)?)?;
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
        if let Some(bytes) = packed::pack(answer) {
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
        let (request, looked) = (self.request.get()?, self.looked.get()?);
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
        let file = self.file(request);
        let written = match self.encode(*request, looked, cases, conftests, shared, disk) {
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
        request: [u8; 32],
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
        let mut lengths = Vec::with_capacity(cases.len());
        for (at, case) in cases.iter().enumerate() {
            let Some(path) = case.path.to_str() else {
                continue;
            };
            let row = match new.get(&case.path) {
                Some(bytes) => own.get(&case.path).map(|read| (bytes.as_slice(), *read)),
                None => looked.kept.as_ref().and_then(|kept| kept.taken(at, case)),
            };
            let Some((bytes, identity)) = row else {
                continue;
            };
            let row = Row {
                path,
                kind: case.kind,
                reasons: Cow::Borrowed(&case.reasons),
                identity,
            };
            let row = rmp_serde::to_vec(&row).ok()?;
            lengths.push((
                u32::try_from(row.len()).ok()?,
                u32::try_from(bytes.len()).ok()?,
            ));
            answers.extend(row);
            answers.extend_from_slice(bytes);
        }
        let head = Head {
            request,
            conftests: conftests.to_vec(),
            sources,
            asked: disk.asked(),
            shared: shared.clone(),
            lengths,
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
    /// Nothing where there is none of this version. Else the problem, for people.
    fn load(file: &Path, request: &[u8; 32]) -> Loaded {
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
            renewed: Mutex::default(),
            renewed_sources: false,
        }))
    }

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

    fn row(&self, number: usize) -> Option<Row<'_>> {
        let start = *self.starts.get(number)?;
        let (length, _) = self.head.lengths.get(number)?;
        rmp_serde::from_slice(self.bytes.get(start..start + *length as usize)?).ok()
    }

    fn answer(&self, number: usize) -> Option<&[u8]> {
        let (row, answer) = self.head.lengths.get(number)?;
        let start = *self.starts.get(number)? + *row as usize;
        self.bytes.get(start..start + *answer as usize)
    }

    /// The row of a file. Most often it stands where the file stands in the walk.
    fn find(&self, at: usize, case: &Case) -> Option<(usize, Row<'_>)> {
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
        (row.kind == case.kind && *row.reasons == case.reasons).then_some((number, row))
    }

    /// An answer that was taken, and the identity of its file now.
    fn taken(&self, at: usize, case: &Case) -> Option<(&[u8], Identity)> {
        let (number, row) = self.find(at, case)?;
        let renewed = lock(&self.renewed).get(&number).copied();
        Some((self.answer(number)?, renewed.unwrap_or(row.identity)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
