//! What collection gives: items, files, and how sure it is of them.

use std::fmt;

use crate::{ItemFacts, Reason};

/// A pytest node id, such as `tests/test_a.py::TestA::test_b[1-x]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct NodeId(String);

impl NodeId {
    /// Wraps the text of an id. It is not checked.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NodeId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<String> for NodeId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0
    }
}

/// One test, as pytest would run it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Item {
    /// The id.
    pub id: NodeId,
    /// 1-based line of the function's first decorator, or of its `def` where it has none.
    pub line: u32,
    /// Whether that line is in another file than the one of the id: that of a base class, or of an import.
    #[cfg_attr(feature = "serde", serde(default))]
    pub elsewhere: bool,
    /// Its marks, and what else `-k` and `-m` select by.
    #[cfg_attr(feature = "serde", serde(default = "ItemFacts::unknown"))]
    pub facts: ItemFacts,
}

impl Item {
    /// An item without marks, in its own file.
    #[must_use]
    pub fn new(id: impl Into<NodeId>, line: u32) -> Self {
        Self {
            id: id.into(),
            line,
            elsewhere: false,
            facts: ItemFacts::default(),
        }
    }
}

/// A class with tests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CollectedClass {
    /// As node ids have it behind the file: `TestA::TestInner`.
    pub name: String,
    /// 1-based line of its first decorator, or of its `class`, in the file that defines it.
    pub line: u32,
    /// Whether another file defines it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub elsewhere: bool,
}

/// Whether the items of a file are all of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Completeness {
    /// The items are what pytest collects, in pytest's order.
    Exact,
    /// Something was not proved: pytest has to be asked. Never empty.
    Partial(Vec<Reason>),
}

impl Completeness {
    pub(crate) fn from_reasons(mut reasons: Vec<Reason>) -> Self {
        if reasons.is_empty() {
            return Self::Exact;
        }
        let mut seen = Vec::with_capacity(reasons.len());
        reasons.retain(|reason| {
            let new = !seen.contains(reason);
            if new {
                seen.push(reason.clone());
            }
            new
        });
        Self::Partial(reasons)
    }

    /// Whether this is [`Completeness::Exact`].
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact)
    }

    /// The reasons, none where the file is exact.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Exact => &[],
            Self::Partial(reasons) => reasons,
        }
    }
}

/// A file that pytest collects from, and its items.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CollectedFile {
    /// Path below the root directory, with `/`.
    pub path: String,
    /// Items in pytest's order. Empty where the file is partial: a guess is never given out.
    pub items: Vec<Item>,
    /// How many items `-k`, `-m` and `--deselect` have taken out. 0 where the file is partial.
    #[cfg_attr(feature = "serde", serde(default))]
    pub deselected: usize,
    /// The classes that items may be in, in the order in which they are looked through. Empty where the file is partial.
    #[cfg_attr(feature = "serde", serde(default))]
    pub classes: Vec<CollectedClass>,
    /// Whether `items` can be relied on.
    pub completeness: Completeness,
}

/// A file or directory that could not be read as pytest would.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Diagnostic {
    /// Path below the root directory, with `/`.
    pub path: String,
    /// 1-based line, where there is one.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
}

/// The answer of a [`Collector`](crate::Collector).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Collection {
    /// pytest's rootdir: what the ids are relative to.
    pub rootdir: std::path::PathBuf,
    /// Every file that pytest would look into, in its order.
    pub files: Vec<CollectedFile>,
    /// The conftests that pytest loads on the way, below the root directory, with `/`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub conftests: Vec<String>,
    /// What is wrong with files, none of which keeps the others from being collected.
    pub diagnostics: Vec<Diagnostic>,
}

impl Collection {
    /// The items of the exact files, in order.
    pub fn exact_items(&self) -> impl Iterator<Item = &Item> {
        self.files
            .iter()
            .filter(|file| file.completeness.is_exact())
            .flat_map(|file| &file.items)
    }

    /// Whether every file is exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.files.iter().all(|file| file.completeness.is_exact())
    }
}
