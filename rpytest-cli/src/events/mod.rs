//! What happens in a run, as one stream of events, and those who make something of it: lines of JSON, TeamCity's
//! service messages, annotations for GitHub.
//!
//! `docs/events.md` is the description for users, and `docs/events.schema.json` what a test holds the lines
//! against. Within a version, kinds of events and fields may be added, and nothing else changes.
//!
//! The stream is told what the session hears anyway ([`Stream`]): that a test begins, how it ended, that a
//! process has died. What pytest's reports have to say beside that travels with the results
//! ([`rpytest_ipc::Story`]), but only where somebody listens.

mod github;
mod json;
mod outputs;
mod sink;
mod stream;
mod summary;
mod teamcity;

use std::collections::BTreeMap;

use rpytest_ipc::{Outcome, PhaseSeconds, Place, Report, Warned};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

pub(crate) use self::outputs::{Error, prepare};
pub(crate) use self::stream::{Stream, Test};

/// The version of the events.
const VERSION: u32 = 1;

/// Something that has happened, in the order in which it became known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// pytest's session has started. There is one for each run of watch mode.
    SessionStarted {
        /// [`VERSION`]
        v: u32,
        rpytest: &'static str,
        pytest: String,
        python: String,
        rootdir: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        inifile: Option<String>,
        cwd: String,
        args: Vec<String>,
    },
    /// A file, a class or the like could not be collected, or was skipped.
    CollectReport {
        nodeid: String,
        #[serde(flatten)]
        report: Shown,
    },
    /// pytest has recorded a warning.
    Warning {
        category: String,
        message: String,
        file: String,
        line: u32,
        when: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        nodeid: String,
    },
    /// The collection is over.
    Collected {
        tests: u32,
        deselected: u32,
        errors: u32,
        skipped: u32,
    },
    /// With `--collect-only`: a test.
    TestCollected {
        nodeid: String,
        file: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
    },
    /// A test begins.
    TestStarted {
        #[serde(flatten)]
        test: Named,
    },
    /// A test has ended, with all its attempts and subtests.
    TestFinished {
        #[serde(flatten)]
        test: Named,
        file: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        #[serde(serialize_with = "name")]
        outcome: Outcome,
        #[serde(serialize_with = "phases")]
        seconds: PhaseSeconds,
        attempts: u32,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reports: Vec<Shown>,
    },
    /// A process with tests has died. What it ran has failed, and ends after this.
    Crash {
        #[serde(skip_serializing_if = "Option::is_none")]
        worker: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nodeid: Option<String>,
        reason: String,
    },
    /// The run is over.
    SessionFinished {
        exit: u8,
        seconds: f64,
        /// Tests by their outcomes.
        tests: BTreeMap<&'static str, u32>,
        /// What pytest's last line counts.
        #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "map")]
        counts: Vec<(String, u32)>,
    },
}

/// A test, and who runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    nodeid: String,
    /// 0 for the first test with this node id.
    #[serde(skip_serializing_if = "is_zero")]
    nth: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
}

/// A report with something to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Shown {
    when: String,
    outcome: String,
    #[serde(serialize_with = "rounded")]
    seconds: f64,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crash: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sections: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<(String, String)>,
}

impl From<Report> for Shown {
    fn from(report: Report) -> Self {
        Self {
            when: report.when,
            outcome: report.outcome,
            seconds: report.seconds,
            attempt: report.attempt,
            subtest: report.subtest,
            reason: report.reason,
            crash: report.crash,
            text: report.text,
            sections: report.sections,
            properties: report.properties,
        }
    }
}

impl From<Warned> for Event {
    fn from(warned: Warned) -> Self {
        Self::Warning {
            category: warned.category,
            message: warned.message,
            file: warned.file,
            line: warned.line,
            when: warned.when,
            nodeid: warned.nodeid,
        }
    }
}

/// Makes something of the events of one run.
trait Listener {
    /// Something has happened, at this time (seconds since 1970).
    fn event(&mut self, time: f64, event: &Event);

    /// The run is over, and has been told so. Returns when all is written, or `gives_up` says that it need not be.
    fn end(self: Box<Self>, gives_up: &dyn Fn() -> bool) -> Result<(), Error>;
}

/// pytest's name of an outcome.
fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Error => "error",
        Outcome::Skipped => "skipped",
        Outcome::Xfailed => "xfailed",
        Outcome::Xpassed => "xpassed",
        // A version of ours that knows more, of which no process here is.
        _ => "unknown",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn name<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome_name(*outcome))
}

/// To the microsecond: more is noise, and long.
fn micro(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn rounded<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(micro(*seconds))
}

fn phases<S: Serializer>(seconds: &PhaseSeconds, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(3))?;
    map.serialize_entry("setup", &micro(seconds.setup))?;
    map.serialize_entry("call", &micro(seconds.call))?;
    map.serialize_entry("teardown", &micro(seconds.teardown))?;
    map.end()
}

fn map<S: Serializer>(counts: &[(String, u32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(name, count)| (name, count)))
}
