//! The items that Python has collected, kept in pytest's cache directory.
//!
//! One file for each command line and environment. An entry is the items of one file, with all that its
//! collection has looked at; what the conftests and the modules that several files share have looked at holds for
//! all entries. An entry is used once two processes have agreed on it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rpytest_collect::ImportGraph;
use rpytest_ipc::collection::{TouchKind, Touched};
use serde::{Deserialize, Serialize};

use super::file;
use super::seen::{Aspect, Seen};
use crate::session::decode;

const KIND: &str = "rpytest items 1";
const PREFIX: &str = "items-";
/// How many command lines are remembered.
const KEPT: usize = 16;
/// How many processes have to agree.
const ENOUGH: u32 = 2;

/// What is kept of one command line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// What holds for all files.
    shared: Vec<Seen>,
    /// The marks that were registered.
    pub marks: Vec<String>,
    /// Whether conftests have hooks that are called file by file, so that all files have to be collected
    /// together.
    pub together: bool,
    /// Why pytest itself had to answer.
    pub genuine: Option<String>,
    /// A digest of the files that the walk had found then.
    walk: [u8; 32],
    files: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    items: Items,
    seen: Vec<Seen>,
    agreed: u32,
}

/// The items of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Items {
    pub ids: Vec<String>,
    /// How many were deselected.
    pub deselected: usize,
}

/// What a new record is made of.
pub(super) struct Found<'a> {
    pub rootdir: &'a Path,
    /// The files of the walk, as node ids have them.
    pub walk: Vec<&'a str>,
    /// What Python has collected.
    pub collected: Vec<(&'a str, Items)>,
    pub touched: &'a Touched,
    pub marks: Vec<String>,
    pub together: bool,
    /// When the process was started.
    pub since: SystemTime,
}

impl Record {
    /// The record of a command line, unless what holds for all files has changed.
    pub fn load(directory: &Path, key: &str) -> Option<Self> {
        let record: Self = file::read(&path(directory, key), KIND)?;
        record.shared.iter().all(Seen::holds).then_some(record)
    }

    pub fn save(&self, directory: &Path, key: &str) -> std::io::Result<()> {
        file::write(&path(directory, key), KIND, self)?;
        file::keep_newest(directory, PREFIX, KEPT);
        Ok(())
    }

    pub fn forget(directory: &Path, key: &str) {
        let _ = std::fs::remove_file(path(directory, key));
    }

    /// The items of a file, if they are known and still what they were.
    pub fn items(&self, path: &str) -> Option<&Items> {
        let entry = self.files.get(path)?;
        (entry.agreed >= ENOUGH && entry.seen.iter().all(Seen::holds)).then_some(&entry.items)
    }

    /// Why pytest has to answer for these files as well as for those that it had to answer for.
    pub fn genuine_for(&self, walk: &[&str]) -> Option<&str> {
        let reason = self.genuine.as_deref()?;
        (self.walk == digest(walk)).then_some(reason)
    }

    /// A record that says only that pytest itself has to answer while nothing changes.
    pub fn of_genuine(found: &Found<'_>, reason: String) -> Option<Self> {
        let touches = Touches::new(found);
        let mut paths: HashSet<(PathBuf, Aspect)> = touches.looked_at_by(|_| true);
        paths.extend(
            found
                .walk
                .iter()
                .map(|path| (absolute(found.rootdir, path), Aspect::Content)),
        );
        Some(Self {
            shared: look(paths, found.since)?,
            genuine: Some(reason),
            walk: digest(&found.walk),
            ..Self::default()
        })
    }

    /// The record after a process has collected; else why what it has done cannot be kept.
    pub fn of_items(
        old: Option<Self>,
        found: &Found<'_>,
        graph: &ImportGraph,
    ) -> Result<(Self, Vec<String>), String> {
        let touches = Touches::new(found);
        if let Some(effect) = touches.effect_of(|by| !touches.tests.contains_key(by)) {
            return Err(effect);
        }
        let mut refused = Vec::new();
        let mut shared = touches.looked_at_by(|by| !touches.tests.contains_key(by));
        let sources = touches.sources.iter();
        let sources = sources.filter(|source| !touches.tests.contains_key(*source));
        shared.extend(sources.map(|source| (source.clone(), Aspect::Content)));
        let old = old.unwrap_or_default();
        // A process that had less to collect has loaded less.
        shared.extend(
            old.shared
                .iter()
                .map(|seen| (seen.path.clone(), seen.aspect)),
        );
        let mut record = Self {
            shared: look(shared, found.since).ok_or("a file was written meanwhile")?,
            marks: found.marks.clone(),
            together: found.together,
            genuine: None,
            walk: [0; 32],
            files: BTreeMap::new(),
        };
        let walk: HashSet<&str> = found.walk.iter().copied().collect();
        let still = old
            .files
            .iter()
            .filter(|(path, _)| walk.contains(path.as_str()));
        record
            .files
            .extend(still.map(|(path, entry)| (path.clone(), entry.clone())));
        for (path, items) in &found.collected {
            let before = record.files.remove(*path);
            let loaded = touches.loaded_with(path, graph, found.rootdir);
            if let Some(effect) = touches.effect_of(|by| loaded.contains(by)) {
                refused.push(format!("{path}: {effect}"));
                continue;
            }
            let mut paths = touches.looked_at_by(|by| loaded.contains(by));
            paths.extend(loaded.iter().map(|path| (path.clone(), Aspect::Content)));
            let Some(seen) = look(paths, found.since) else {
                continue;
            };
            let agreed = before.filter(|before| {
                before.items == *items
                    && before.seen.len() == seen.len()
                    && before
                        .seen
                        .iter()
                        .zip(&seen)
                        .all(|(one, other)| one.agrees(other))
            });
            let entry = Entry {
                items: items.clone(),
                seen,
                agreed: agreed.map_or(1, |before| before.agreed.saturating_add(1)),
            };
            record.files.insert((*path).to_owned(), entry);
        }
        Ok((record, refused))
    }
}

/// What Python's process has looked at and done, and who it was.
struct Touches<'a> {
    touched: &'a Touched,
    /// The files of the walk that are source files, by their absolute paths.
    tests: HashMap<PathBuf, &'a str>,
    sources: HashSet<PathBuf>,
}

impl<'a> Touches<'a> {
    fn new(found: &Found<'a>) -> Self {
        let tests = found.walk.iter();
        Self {
            touched: found.touched,
            tests: tests
                .map(|path| (absolute(found.rootdir, path), *path))
                .collect(),
            sources: found
                .touched
                .sources
                .iter()
                .map(|path| decode(path))
                .collect(),
        }
    }

    /// The first thing that was done by somebody and that no file tells.
    fn effect_of(&self, who: impl Fn(&Path) -> bool) -> Option<String> {
        let mut touches = self.touched.touches.iter();
        let effect =
            touches.find(|touch| touch.kind == TouchKind::Effect && who(&decode(&touch.by)))?;
        let what = String::from_utf8_lossy(&effect.what);
        Some(match effect.by.is_empty() {
            true => what.into_owned(),
            false => format!("{what} in {}", decode(&effect.by).display()),
        })
    }

    fn looked_at_by(&self, who: impl Fn(&Path) -> bool) -> HashSet<(PathBuf, Aspect)> {
        let touches = self.touched.touches.iter();
        let touches = touches.filter(|touch| who(&decode(&touch.by)));
        touches
            .filter_map(|touch| {
                let aspect = match touch.kind {
                    TouchKind::Path => Aspect::Content,
                    TouchKind::Listing => Aspect::Names,
                    TouchKind::Modules => Aspect::Modules,
                    _ => return None,
                };
                Some((decode(&touch.what), aspect))
            })
            .collect()
    }

    /// A file, and the other test files that run when it does, of those that were loaded.
    fn loaded_with(&self, path: &str, graph: &ImportGraph, rootdir: &Path) -> HashSet<PathBuf> {
        let mut loaded: HashSet<PathBuf> = [absolute(rootdir, path)].into();
        let others = self
            .tests
            .iter()
            .filter(|(path, _)| self.sources.contains(*path));
        let dependencies = graph.dependencies(path);
        for (absolute, other) in others {
            let reached = dependencies.as_ref().is_none_or(|dependencies| {
                !dependencies.dynamic.is_empty() || dependencies.files.contains(other)
            });
            if reached {
                loaded.insert(absolute.clone());
            }
        }
        loaded
    }
}

/// How these paths look, in order. None where one was written meanwhile.
fn look(paths: HashSet<(PathBuf, Aspect)>, since: SystemTime) -> Option<Vec<Seen>> {
    let mut paths: Vec<_> = paths.into_iter().collect();
    paths.sort_unstable();
    let seen = paths.iter().map(|(path, aspect)| {
        let seen = Seen::now(path, *aspect);
        (!seen.written_since(since)).then_some(seen)
    });
    seen.collect()
}

fn digest(walk: &[&str]) -> [u8; 32] {
    let mut parts = file::Parts::default();
    for path in walk {
        parts.add(path);
    }
    parts.finish()
}

/// Where it is kept.
pub(super) fn path(directory: &Path, key: &str) -> PathBuf {
    directory.join(format!("{PREFIX}{key}"))
}

fn absolute(rootdir: &Path, path: &str) -> PathBuf {
    super::merge::absolute(rootdir, path)
}
