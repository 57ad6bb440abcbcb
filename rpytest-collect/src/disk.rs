//! What rules ask the file system, besides what is in files.
//!
//! Rules have no other way to it (`clippy.toml` sees to that). Each question is asked once, so that one collection sees
//! one state of the disk; and what was asked is known, so that an answer that follows from it can be kept for as
//! long as the disk says the same.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
#[cfg(feature = "cache")]
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use elsa::sync::FrozenMap;

/// By the text of the path: to compare paths by their parts takes longer.
type Answers = RwLock<HashMap<OsString, bool>>;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Answers,
    dirs: Answers,
    inside: FrozenMap<OsString, Box<Directory>>,
}

/// A directory, and what was asked about the names in it. Most of what comes and goes there is nothing that anybody asks for.
#[derive(Debug)]
struct Directory {
    listing: Listing,
    asked: RwLock<HashMap<Question, bool>>,
}

#[derive(Debug)]
enum Listing {
    Names(HashSet<OsString>),
    Missing,
    Unreadable,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Question {
    /// Whether there may be something of a name.
    Name(String),
    /// Whether there is a file that Python would import by a name, Python's own or another language's.
    Module(String),
    /// Whether something is installed in place by a hook of its own.
    Editable,
}

impl Directory {
    fn read(dir: &Path) -> Self {
        let entries = std::fs::read_dir(dir);
        let names = entries.and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name()));
            names.collect::<io::Result<_>>()
        });
        let listing = match names {
            Ok(names) => Listing::Names(names),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Listing::Missing,
            Err(_) => Listing::Unreadable,
        };
        Self {
            listing,
            asked: RwLock::default(),
        }
    }

    fn ask(&self, question: Question) -> bool {
        let known = self.asked.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(&question) {
            return *answer;
        }
        drop(known);
        let answer = self.answer(&question);
        let mut known = self.asked.write().unwrap_or_else(PoisonError::into_inner);
        *known.entry(question).or_insert(answer)
    }

    fn answer(&self, question: &Question) -> bool {
        let names = match &self.listing {
            Listing::Names(names) => names,
            Listing::Missing => return false,
            // It may be there; of no module is it known.
            Listing::Unreadable => return matches!(question, Question::Name(_)),
        };
        let any = |is_it: &dyn Fn(&str) -> bool| {
            let mut names = names.iter().map(|name| name.to_string_lossy());
            names.any(|name| is_it(&name))
        };
        match question {
            Question::Name(name) => names.contains(OsStr::new(name)),
            Question::Module(module) => any(&|name| {
                let (stem, rest) = name.split_once('.').unwrap_or((name, ""));
                let mut ends = ["py", "so", "pyd", "pyc"].iter();
                stem == module && ends.any(|end| rest.ends_with(end))
            }),
            Question::Editable => {
                any(&|name| name.starts_with("__editable__") && name.ends_with(".py"))
            }
        }
    }
}

impl Disk {
    pub(crate) fn is_file(&self, path: &Path) -> bool {
        ask(&self.files, path, Path::is_file)
    }

    pub(crate) fn is_dir(&self, path: &Path) -> bool {
        ask(&self.dirs, path, Path::is_dir)
    }

    /// Whether a directory may have something of a name, with the case that it has: one that cannot be read may.
    pub(crate) fn may_have(&self, dir: &Path, name: &str) -> bool {
        self.inside(dir).ask(Question::Name(name.to_owned()))
    }

    /// Whether a directory has a file of a module, in whatever form Python can import.
    pub(crate) fn has_module(&self, dir: &Path, name: &str) -> bool {
        self.inside(dir).ask(Question::Module(name.to_owned()))
    }

    /// Whether a directory has a hook by which a distribution is installed in place.
    pub(crate) fn has_editable(&self, dir: &Path) -> bool {
        self.inside(dir).ask(Question::Editable)
    }

    fn inside(&self, dir: &Path) -> &Directory {
        match self.inside.get(dir.as_os_str()) {
            Some(directory) => directory,
            None => {
                let directory = Box::new(Directory::read(dir));
                self.inside.insert(dir.into(), directory)
            }
        }
    }
}

fn ask(answers: &Answers, path: &Path, question: impl Fn(&Path) -> bool) -> bool {
    let known = answers.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = known.get(path.as_os_str()) {
        return *answer;
    }
    drop(known);
    let answer = question(path);
    let mut known = answers.write().unwrap_or_else(PoisonError::into_inner);
    // Of two threads that ask, both get the answer of the first.
    *known.entry(path.into()).or_insert(answer)
}

/// Questions with their answers, as they are kept.
#[cfg(feature = "cache")]
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Asked {
    files: Vec<(PathBuf, bool)>,
    dirs: Vec<(PathBuf, bool)>,
    inside: Vec<(PathBuf, Vec<(Question, bool)>)>,
}

#[cfg(feature = "cache")]
impl Disk {
    /// Everything that was asked.
    pub(crate) fn asked(&self) -> Asked {
        let mut dirs = self.inside.keys_cloned();
        dirs.sort_unstable();
        let inside = dirs.into_iter().filter_map(|dir| {
            let asked = sorted(&self.inside.get(&dir)?.asked);
            Some((dir.into(), asked))
        });
        Asked {
            files: sorted(&self.files),
            dirs: sorted(&self.dirs),
            inside: inside.collect(),
        }
    }

    /// Asks again, and whether the answers are the same.
    pub(crate) fn still_says(&self, asked: &Asked) -> bool {
        let mut files = asked.files.iter();
        let mut dirs = asked.dirs.iter();
        let mut inside = asked.inside.iter();
        files.all(|(path, answer)| self.is_file(path) == *answer)
            && dirs.all(|(path, answer)| self.is_dir(path) == *answer)
            && inside.all(|(dir, asked)| {
                let directory = self.inside(dir);
                let mut asked = asked.iter();
                asked.all(|(question, answer)| directory.ask(question.clone()) == *answer)
            })
    }
}

#[cfg(feature = "cache")]
fn sorted<K: Clone + Into<Q>, Q: Ord>(answers: &RwLock<HashMap<K, bool>>) -> Vec<(Q, bool)> {
    let known = answers.read().unwrap_or_else(PoisonError::into_inner);
    let known = known.iter();
    let mut all: Vec<(Q, bool)> = known
        .map(|(question, answer)| (question.clone().into(), *answer))
        .collect();
    all.sort_unstable();
    all
}
