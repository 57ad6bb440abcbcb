//! What rules make of one test file, and what the files of a session have in common.

use std::path::{Path, PathBuf};

use crate::rules::conftest::Ignored;
use crate::rules::scope::Scope;
use crate::walk::Kind;
use crate::{CollectedFile, Diagnostic, Reason};

/// Arguments of a file by which pytest orders the items of several files.
pub(crate) type Wide = Vec<(Scope, String)>;

/// A file that the walk has found, and what it is besides its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    /// Reasons that come from where it lies.
    pub(crate) reasons: Vec<Reason>,
}

/// What a file gives before anything is selected. No file where pytest collects nothing from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Answer {
    pub(crate) file: Option<(CollectedFile, Wide)>,
    pub(crate) diagnostic: Option<Diagnostic>,
}

/// What the conftests do to all files.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Shared {
    /// Reasons for every file.
    pub(crate) reasons: Vec<Reason>,
    /// Whether a hook gives marks to items.
    pub(crate) gives_marks: bool,
    /// Of the conftests that have such lists, in the order of their directories.
    pub(crate) ignored: Vec<IgnoredBelow>,
}

/// `collect_ignore` and `collect_ignore_glob` of a conftest.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct IgnoredBelow {
    /// Where the conftest is.
    pub(crate) dir: PathBuf,
    pub(crate) names: Option<Ignored>,
    pub(crate) globs: Option<Ignored>,
}

impl Shared {
    pub(crate) fn ignored_below(&self, dir: &Path) -> Option<&IgnoredBelow> {
        let at = self
            .ignored
            .binary_search_by(|ignored| ignored.dir.as_path().cmp(dir));
        self.ignored.get(at.ok()?)
    }
}
