//! What one run has come to: its reports as the plugin has written them down, what it has printed, and its files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// What `rpytest_verify.py` has written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Observation {
    /// What it took to write it, which is not the session's time.
    pub(super) seconds: f64,
    pub(super) python: String,
    pub(super) pytest: String,
    pub(super) rootdir: PathBuf,
    /// Whether pytest-xdist is installed.
    pub(super) xdist: bool,
    /// The JUnit XML that was written, if pytest's plugin for it was there.
    pub(super) junit: String,
    /// Of each phase, in the order in which they came.
    pub(super) reports: Vec<Report>,
    /// Of collectors that did not pass.
    pub(super) collected: Vec<Report>,
    pub(super) warnings: Vec<Warning>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Report {
    pub(super) nodeid: String,
    /// `setup`, `call`, `teardown` or `collect`.
    pub(super) when: String,
    pub(super) outcome: String,
    pub(super) longrepr: Option<String>,
    /// Names and texts; those of the phases before are among them.
    pub(super) sections: Vec<(String, String)>,
    /// Whatever else is in it, as text.
    pub(super) others: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Warning {
    pub(super) category: String,
    pub(super) message: String,
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) when: String,
    pub(super) nodeid: String,
}

/// A run that is over.
#[derive(Clone, Debug, Default)]
pub(super) struct Ran {
    /// 128 and the signal's number for one that was killed.
    pub(super) code: i32,
    /// Without what the observation took.
    pub(super) wall: Duration,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// None if the session did not come to its end, or no test was to run.
    pub(super) observation: Option<Observation>,
    /// The text of the JUnit XML.
    pub(super) junit: Option<String>,
    /// The files that it has made, changed or removed, by their paths, as text that can be compared.
    pub(super) files: BTreeMap<String, String>,
}

impl Ran {
    /// How many tests have a report.
    pub(super) fn tests(&self) -> Option<usize> {
        let reports = &self.observation.as_ref()?.reports;
        let ids: std::collections::BTreeSet<_> = reports.iter().map(|one| &one.nodeid).collect();
        Some(ids.len())
    }
}
