//! What is kept of each file: read and parsed, or taken from the cache.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::Diagnostic;
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

pub(crate) struct Sources {
    #[cfg_attr(
        not(feature = "cache"),
        expect(dead_code, reason = "keys of the cache")
    )]
    rootdir: PathBuf,
    #[cfg(feature = "cache")]
    cache: Option<crate::cache::Cache>,
}

impl Sources {
    pub(crate) fn new(rootdir: &Path) -> Self {
        Self {
            rootdir: rootdir.to_owned(),
            #[cfg(feature = "cache")]
            cache: None,
        }
    }

    /// Reads and parses a file, unless the cache knows it.
    pub(crate) fn facts(&self, path: &Path) -> io::Result<FileFacts> {
        #[cfg(feature = "cache")]
        if let (Some(cache), Some(key)) = (&self.cache, self.key(path)) {
            return cache.facts(key, path);
        }
        let metadata = std::fs::metadata(path)?;
        match FileFacts::without_reading(&metadata)? {
            Some(facts) => Ok(facts),
            None => Ok(FileFacts::of(&std::fs::read(path)?)),
        }
    }

    /// Writes the cache. What is wrong with it, if anything.
    pub(crate) fn finish(&self) -> Option<Diagnostic> {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.cache {
            return cache.save(&self.rootdir);
        }
        None
    }
}

#[cfg(feature = "cache")]
impl Sources {
    pub(crate) fn with_cache(mut self, path: &Path) -> Self {
        self.cache = Some(crate::cache::Cache::load(path));
        self
    }

    fn key<'a>(&self, path: &'a Path) -> Option<&'a str> {
        path.strip_prefix(&self.rootdir).ok()?.to_str()
    }
}
