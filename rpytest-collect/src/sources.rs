//! What is kept of each file: read and parsed, or taken from the cache.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::Diagnostic;
use crate::answer::{Answer, Case, Shared};
use crate::disk::Disk;
use crate::syntax::{self, ModuleSummary, SyntaxProblem};

/// All that rules may know of a file. It is a function of the file's bytes alone.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct FileFacts {
    pub(crate) summary: Result<ModuleSummary, SyntaxProblem>,
    /// See [`syntax::digest`].
    pub(crate) words: String,
}

impl FileFacts {
    /// Of a file that is too large to be read. To read a FIFO would wait for somebody to write.
    pub(crate) fn without_reading(metadata: &Metadata) -> io::Result<Option<Self>> {
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        Ok(syntax::too_large(metadata.len()).map(|problem| Self {
            summary: Err(problem),
            words: String::new(),
        }))
    }

    /// To be called on a thread with [`syntax::STACK_BYTES`] of stack.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            summary: syntax::summarize(bytes),
            words: syntax::digest(bytes),
        }
    }
}

/// All that rules may know of the disk.
pub(crate) struct Sources {
    #[cfg_attr(
        not(feature = "cache"),
        expect(dead_code, reason = "keys of the cache")
    )]
    rootdir: PathBuf,
    pub(crate) disk: Disk,
    /// What files hold in the place of what the disk says.
    texts: HashMap<PathBuf, Vec<u8>>,
    #[cfg(feature = "cache")]
    cache: Option<crate::cache::Cache>,
}

impl Sources {
    pub(crate) fn new(rootdir: &Path) -> Self {
        Self {
            rootdir: rootdir.to_owned(),
            disk: Disk::default(),
            texts: HashMap::new(),
            #[cfg(feature = "cache")]
            cache: None,
        }
    }

    /// Takes texts for what files hold. Nothing of it may be kept.
    pub(crate) fn with_texts(mut self, texts: HashMap<PathBuf, Vec<u8>>) -> Self {
        self.texts = texts;
        self
    }

    fn given(&self, path: &Path) -> Option<FileFacts> {
        let bytes = self.texts.get(path)?;
        Some(match syntax::too_large(bytes.len() as u64) {
            Some(problem) => FileFacts {
                summary: Err(problem),
                words: String::new(),
            },
            None => FileFacts::of(bytes),
        })
    }

    /// Reads and parses a file, unless the cache knows it. What is made of it concerns this file alone.
    pub(crate) fn facts(&self, path: &Path) -> io::Result<FileFacts> {
        if let Some(facts) = self.given(path) {
            return Ok(facts);
        }
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.cache {
            return cache.own_facts(self.key(path), path);
        }
        read(path)
    }

    /// As [`Sources::facts`], of a file on which the answers for others may depend.
    pub(crate) fn shared_facts(&self, path: &Path) -> io::Result<FileFacts> {
        if let Some(facts) = self.given(path) {
            return Ok(facts);
        }
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.cache {
            return cache.shared_facts(self.key(path), path);
        }
        read(path)
    }
}

fn read(path: &Path) -> io::Result<FileFacts> {
    let metadata = std::fs::metadata(path)?;
    match FileFacts::without_reading(&metadata)? {
        Some(facts) => Ok(facts),
        None => Ok(FileFacts::of(&std::fs::read(path)?)),
    }
}

/// What is kept of earlier collections.
#[cfg(feature = "cache")]
impl Sources {
    pub(crate) fn with_cache(mut self, path: &Path, settle: std::time::Duration) -> Self {
        self.cache = Some(crate::cache::Cache::new(path, settle));
        self
    }

    fn key<'a>(&self, path: &'a Path) -> Option<&'a str> {
        path.strip_prefix(&self.rootdir).ok()?.to_str()
    }

    /// Says what will be asked for: what was kept of the same request is read meanwhile.
    pub(crate) fn expect(&self, request: impl FnOnce() -> String) {
        if let Some(cache) = &self.cache {
            cache.answers.expect(&request());
        }
    }

    /// What was kept of the expected request, if it still holds.
    pub(crate) fn recall(&self, conftests: &[PathBuf]) -> Option<&Shared> {
        let cache = self.cache.as_ref()?;
        cache.answers.recall(conftests, &self.disk)
    }

    /// The answers for files, as far as they were kept and still hold.
    pub(crate) fn answers(&self, cases: &[Case], threads: usize) -> Vec<Option<Answer>> {
        match &self.cache {
            Some(cache) => {
                let answers = cache.answers.answers(cases, threads);
                let missing = answers.iter().filter(|answer| answer.is_none());
                cache.expect_missing(missing.count(), cases.len());
                answers
            }
            None => vec![None; cases.len()],
        }
    }

    pub(crate) fn keep(&self, case: &Case, answer: &Answer) {
        if let Some(cache) = &self.cache {
            cache.answers.keep(case, answer);
        }
    }

    /// Writes what is new. What is wrong with the cache, if anything.
    pub(crate) fn save(
        &self,
        cases: &[Case],
        conftests: &[PathBuf],
        shared: &Shared,
    ) -> Option<Diagnostic> {
        let cache = self.cache.as_ref()?;
        let of_facts = cache.save_facts(&self.rootdir);
        let of_answers = cache.save_answers(cases, conftests, shared, &self.disk);
        of_facts.or(of_answers)
    }

    /// As [`Sources::save`], where no answers were made.
    pub(crate) fn save_facts(&self) -> Option<Diagnostic> {
        self.cache.as_ref()?.save_facts(&self.rootdir)
    }
}

/// Nothing is.
#[cfg(not(feature = "cache"))]
#[expect(clippy::unused_self, reason = "as with the cache")]
impl Sources {
    pub(crate) fn expect(&self, _request: impl FnOnce() -> String) {}

    pub(crate) fn recall(&self, _conftests: &[PathBuf]) -> Option<&Shared> {
        None
    }

    pub(crate) fn answers(&self, cases: &[Case], _threads: usize) -> Vec<Option<Answer>> {
        vec![None; cases.len()]
    }

    pub(crate) fn keep(&self, _case: &Case, _answer: &Answer) {}

    pub(crate) fn save(
        &self,
        _cases: &[Case],
        _conftests: &[PathBuf],
        _shared: &Shared,
    ) -> Option<Diagnostic> {
        None
    }

    pub(crate) fn save_facts(&self) -> Option<Diagnostic> {
        None
    }
}
