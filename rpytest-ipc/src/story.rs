//! What those who listen to a run are told beside what every message says: why a test failed, what it
//! has written, where it is. It is sent only where a [`ToPython::Start`](crate::ToPython::Start) says that
//! somebody listens.
//!
//! All of it is text that pytest's own report objects have; whatever is not UTF-8 is backslash-escaped.

use serde::{Deserialize, Serialize};

/// What there is to tell of an item that has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The file of its function, relative to pytest's root directory.
    pub file: String,
    /// The line that its function begins on, from 1.
    pub line: Option<u32>,
    /// Its reports that tell more than that a phase has passed, in the order in which they were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
    /// Warnings that it has given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warned>,
}

/// A report of one phase of an item, or of a subtest of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `setup`, `call` or `teardown`.
    pub when: String,
    /// What pytest counts it as: `passed`, `failed`, `error`, `skipped`, `xfailed`, `xpassed`, or what a
    /// plugin has named it, such as `rerun`.
    pub outcome: String,
    /// What it took.
    pub seconds: f64,
    /// The number of the attempt that it belongs to, from 1, where a plugin runs items again.
    pub attempt: u32,
    /// What pytest shows of it, without colours.
    pub text: Option<String>,
    /// Where it has raised.
    pub crash: Option<Place>,
    /// Why it was skipped, or was expected to fail.
    pub reason: Option<String>,
    /// The subtest that it is of, if it is of one.
    pub subtest: Option<String>,
    /// What was captured since the last report: a title (`Captured stdout call`) and the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<(String, String)>,
    /// What `record_property` has added since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
}

/// Where something was raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// As pytest has it, nearly always an absolute path.
    pub path: String,
    /// From 1.
    pub line: u32,
    /// The exception, in a few words.
    pub message: String,
}

/// A warning that pytest has recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned {
    /// The name of its class.
    pub category: String,
    /// Its text.
    pub message: String,
    /// The file that it is put down to.
    pub file: String,
    /// The line in it, from 1.
    pub line: u32,
    /// `config`, `collect` or `runtest`.
    pub when: String,
    /// The item or collector that it came from; empty if from none.
    pub nodeid: String,
}

/// What a session tells of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Told {
    /// It has started.
    Session {
        /// pytest's root directory.
        rootdir: String,
        /// The file that configures it.
        inifile: Option<String>,
        /// The interpreter's version.
        python: String,
        /// pytest's version.
        pytest: String,
    },
    /// A file, a class or the like could not be collected, or was skipped.
    Collector {
        /// Its node id.
        nodeid: String,
        /// What came of it; only `outcome`, `text`, `crash`, `reason` and `sections` mean something.
        report: Report,
    },
    /// A warning that came from no item that ran.
    Warning(Warned),
    /// The collection is over.
    Collected {
        /// Items that are to run.
        items: u32,
        /// Items that were left out by `-k`, `-m` and the like.
        deselected: u32,
    },
    /// Items of a session that only collects, in collection order: node id, file, line from 1.
    Items {
        /// The items.
        items: Vec<(String, String, Option<u32>)>,
    },
    /// It is over, but for what follows the summary.
    Ended {
        /// What pytest's last line counts, by its own names.
        counts: Vec<(String, u32)>,
    },
}
