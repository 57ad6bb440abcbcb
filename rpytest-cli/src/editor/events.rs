//! What a run tells, from the lines of `--message-format json` (`docs/events.md`) to notifications. Nobody else here knows these lines.

use serde::Deserialize;
use serde_json::{Value, json};

use super::status::Status;

/// A line of an event, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    nodeid: Option<String>,
    #[serde(default)]
    nth: Option<u32>,
    #[serde(default)]
    worker: Option<String>,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<u32>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    seconds: Value,
    #[serde(default)]
    reports: Vec<Report>,
    #[serde(default)]
    tests: Value,
    #[serde(default)]
    errors: Option<u64>,
    #[serde(default)]
    counts: Option<Value>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    crash: Option<Crash>,
}

#[derive(Debug, Deserialize)]
struct Report {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    crash: Option<Crash>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Crash {
    path: String,
    line: Option<u32>,
    message: String,
}

/// What became of a line.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// A notification, by its method.
    pub notification: Option<(&'static str, Value)>,
    /// What is known of a test by it.
    pub status: Option<(String, Status)>,
    /// What the run counts, at its end.
    pub counts: Option<Value>,
}

/// What a line of a run says. None if it is no event, as a print at the wrong time might be.
pub(super) fn read(run: u64, line: &[u8]) -> Option<Heard> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let mut heard = Heard::default();
    match line.event.as_str() {
        "collected" => {
            let params = json!({"run": run, "tests": line.tests, "errors": line.errors});
            heard.notification = Some(("run/collected", params));
        }
        "collect_report" if line.outcome.as_deref() == Some("error") => {
            let message = line
                .text
                .or_else(|| Some(line.crash.as_ref()?.message.clone()));
            let at = line.crash.as_ref().map(place);
            let params = json!({"run": run, "id": line.nodeid, "message": message, "failure": at});
            heard.notification = Some(("run/collectError", params));
        }
        "test_started" => {
            let id = line.nodeid?;
            let params = json!({"run": run, "id": id, "worker": line.worker});
            heard.notification = Some(("test/started", params));
            heard.status = Some((id, Status::running(run)));
        }
        "test_finished" => {
            let id = line.nodeid?;
            let outcome = line.outcome?;
            let failed = ["failed", "error"];
            let told = line.reports.iter();
            let report = told
                .clone()
                .find(|report| failed.contains(&report.outcome.as_str()))
                .or_else(|| told.clone().find(|report| report.reason.is_some()));
            let crash = report.and_then(|report| report.crash.clone());
            let message = crash.as_ref().map(|crash| crash.message.clone());
            let message = message.or_else(|| report?.reason.clone());
            let phases = ["setup", "call", "teardown"];
            let seconds = phases
                .iter()
                .filter_map(|phase| line.seconds[phase].as_f64());
            let status = Status {
                state: outcome,
                run,
                seconds: Some(seconds.sum()),
                message,
                failure: crash.as_ref().map(place),
                text: report.and_then(|report| report.text.clone()),
            };
            let mut params = status.shown();
            params["id"] = json!(id);
            params["file"] = json!(line.file);
            params["line"] = json!(line.line);
            params["worker"] = json!(line.worker);
            params["nth"] = json!(line.nth.unwrap_or(0));
            heard.notification = Some(("test/finished", params));
            heard.status = Some((id, status));
        }
        "session_finished" => heard.counts = Some(line.counts.unwrap_or_else(|| json!({}))),
        _ => {}
    }
    Some(heard)
}

fn place(crash: &Crash) -> Value {
    json!({"path": crash.path, "line": crash.line})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_its_place_and_message() {
        let line = br#"{"event":"test_finished","nodeid":"a.py::t","file":"a.py","line":3,"outcome":"failed",
            "seconds":{"setup":0.25,"call":0.5,"teardown":0.25},"later":[1],
            "reports":[{"when":"setup","outcome":"passed","sections":[]},
            {"when":"call","outcome":"failed","crash":{"path":"/a.py","line":4,"message":"assert 1 == 2"},"text":"E"}]}"#;
        let heard = read(7, line).expect("an event");
        let (method, params) = heard.notification.expect("a notification");
        assert_eq!(method, "test/finished");
        assert_eq!(params["seconds"], 1.0);
        assert_eq!(params["failure"], json!({"path": "/a.py", "line": 4}));
        assert_eq!(params["message"], "assert 1 == 2");
        assert_eq!(
            (params["run"].as_u64(), params["line"].as_u64()),
            (Some(7), Some(3))
        );
        assert!(read(7, b"printed by a plugin").is_none());
        assert!(
            read(7, br#"{"event": "of a later version"}"#)
                .is_some_and(|heard| heard.notification.is_none())
        );
    }
}
