//! The answers of one request, and everything that they follow from.
//!
//! An answer is what the rules make of a test file. It is kept under that file's identity. What the rules have looked at
//! besides is not kept for each file, since most of it is the same for all of them: the conftests, each module that any
//! of them reads, each question to the disk. If one of these is not what it was, no answer is taken.
//!
//! Each request has a file of its own, so that two that take turns do not displace each other, and a run reads what it needs
//! and no more.

pub(super) mod kept;
mod packed;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::replace::replace;
use super::stamp::Identity;
use crate::answer::{Answer, Case, Shared};
use crate::disk::Disk;

use kept::{CODE, Head, Kept, Loaded, Look, MAGIC, Row};

/// As many requests as one is likely to take turns with: all tests, and some directories of them.
const REQUESTS: usize = 4;

/// What was found of a request.
#[derive(Default)]
struct Looked {
    kept: Option<Arc<Kept>>,
    /// Of the sources, as they are now.
    sources: Vec<(PathBuf, Identity)>,
    /// Whether one of these is not as it was written.
    renewed_sources: bool,
    /// The identities of those files whose answers were taken, and which have others now.
    renewed: Mutex<HashMap<usize, Identity>>,
    /// Why what was there could not be used.
    unusable: Option<String>,
}

/// Reads what is kept, and then looks at one row after the other.
struct Reader {
    kept: Receiver<Loaded>,
    thread: JoinHandle<Vec<(usize, Look)>>,
}

pub(crate) struct Answers {
    dir: PathBuf,
    settle: Duration,
    request: OnceLock<[u8; 32]>,
    reader: Mutex<Option<Reader>>,
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
            reader: Mutex::default(),
            looked: OnceLock::new(),
            own: Mutex::default(),
            shared: Mutex::default(),
            unsteady: AtomicBool::new(false),
            new: Mutex::default(),
        }
    }

    /// Starts to read what is kept of a request, and to see which of it holds.
    pub(crate) fn expect(&self, request: &str) {
        let request = Sha256::digest(request).into();
        let request = *self.request.get_or_init(|| request);
        let (file, settle) = (self.file(&request), self.settle);
        let (send, kept) = mpsc::sync_channel(1);
        let read = move || {
            let loaded = Kept::load(&file, &request).map(|kept| kept.map(Arc::new));
            let kept = loaded.clone().ok().flatten();
            let is_wanted = send.send(loaded).is_ok();
            kept.filter(|_| is_wanted)
                .map_or_else(Vec::new, |kept| kept.look(settle))
        };
        let thread = std::thread::Builder::new().spawn(read).ok();
        *lock(&self.reader) = thread.map(|thread| Reader { kept, thread });
    }

    /// Takes what is kept, if everything that all of it follows from is as it was. To be called before any file is read.
    pub(crate) fn recall(&self, conftests: &[PathBuf], disk: &Disk) -> Option<&Shared> {
        let request = self.request.get()?;
        let loaded = lock(&self.reader)
            .as_ref()
            .and_then(|reader| reader.kept.recv().ok());
        let load = || Kept::load(&self.file(request), request).map(|kept| kept.map(Arc::new));
        let mut looked = Looked::default();
        match loaded.unwrap_or_else(load) {
            Ok(Some(kept)) => match kept.sources_if_it_holds(conftests, disk, self.settle) {
                Some(sources) => {
                    looked.renewed_sources = sources != kept.head.sources;
                    looked.sources = sources;
                    looked.kept = Some(kept);
                }
                None => {
                    kept.forget();
                    let reader = lock(&self.reader).take();
                    reader.map(|reader| reader.thread.join());
                }
            },
            Ok(None) => {}
            Err(problem) => looked.unusable = Some(problem),
        }
        let looked = self.looked.get_or_init(|| looked);
        looked.kept.as_ref().map(|kept| &kept.head.shared)
    }

    /// The answers to the files that the walk has found, as far as they are kept and hold.
    pub(crate) fn answers(&self, cases: &[Case], threads: usize) -> Vec<Option<Answer>> {
        let looked = self.looked.get();
        let Some((looked, kept)) = looked.and_then(|looked| Some((looked, looked.kept.as_ref()?)))
        else {
            return vec![None; cases.len()];
        };
        let mut looks: Vec<Option<Look>> = Vec::new();
        looks.resize_with(kept.rows(), || None);
        let mut add = |seen: Vec<(usize, Look)>| {
            for (number, look) in seen {
                looks[number] = Some(look);
            }
        };
        std::thread::scope(|scope| {
            let look = || kept.look(self.settle);
            let more = threads.min(kept.rows()).saturating_sub(2);
            // If there are no more threads, those that there are do it.
            let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, look).ok();
            let more: Vec<_> = (0..more).filter_map(spawn).collect();
            add(look());
            more.into_iter()
                .filter_map(|thread| thread.join().ok())
                .for_each(&mut add);
        });
        let reader = lock(&self.reader).take();
        add(reader
            .and_then(|reader| reader.thread.join().ok())
            .unwrap_or_default());
        let take = |(at, case): (usize, &Case)| {
            let number = kept.find(at, case)?;
            let look = looks.get_mut(number)?.take()?;
            if let Some(identity) = look.renewed {
                lock(&looked.renewed).insert(number, *identity);
            }
            Some(*look.answer)
        };
        cases.iter().enumerate().map(take).collect()
    }

    fn file(&self, request: &[u8; 32]) -> PathBuf {
        let name: String = request[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.dir.join(name)
    }

    /// How many files the answers follow from besides their own.
    pub(super) fn sources(&self) -> usize {
        self.looked.get().map_or(0, |looked| looked.sources.len())
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
            Some(_) => {
                looked.renewed_sources
                    || !lock(&looked.renewed).is_empty()
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
        for (path, identity) in &looked.sources {
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
                None => looked.taken(at, case),
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

impl Looked {
    /// An answer that was taken, and the identity of its file now.
    fn taken(&self, at: usize, case: &Case) -> Option<(&[u8], Identity)> {
        let kept = self.kept.as_ref()?;
        let number = kept.find(at, case)?;
        let renewed = lock(&self.renewed).get(&number).copied();
        let identity = renewed.or_else(|| Some(kept.row(number)?.identity))?;
        Some((kept.answer(number)?, identity))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
