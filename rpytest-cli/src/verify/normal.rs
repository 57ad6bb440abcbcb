//! What two runs of the same cannot have in common: addresses, times, and directories that each makes for itself.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// Stands for a time, whatever its unit.
const TIME: &str = "<time>";

fn regex(pattern: &str) -> Regex {
    #[expect(
        clippy::expect_used,
        reason = "each is a constant that a test compiles"
    )]
    Regex::new(pattern).expect("a pattern")
}

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| regex(r"\b0x[0-9a-fA-F]{5,}\b"));
/// What is left of one where a long text was cut; in XML the last character is another.
static CUT: LazyLock<Regex> = LazyLock::new(|| regex(r"\.\.\.[0-9a-fx]{3,}(>|&gt;)"));
/// A worker's temporary directory is below one of the worker's own, as under xdist.
static WORKER: LazyLock<Regex> = LazyLock::new(|| regex(r"popen-gw\d+/"));
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| regex(r"pytest-of-(\w+)/pytest-\d+"));
static DATE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d\b)?"));
static CLOCK: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\d\d?:\d\d:\d\d([.,]\d+)?\b"));
/// `0.12s`, `61.20s (0:01:01)`, `3.5 ms`
static SECONDS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b\d+\.\d+ ?(s|ms|us|µs|seconds?)\b( \(\d+:\d\d:\d\d\))?"));
/// A line of `--durations`: which tests are the slowest is a matter of times.
static SLOWEST: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(<time> (call|setup|teardown) .*|\(\d+ durations < .*\))$"));
static RULE: LazyLock<Regex> = LazyLock::new(|| regex(r"={2,}"));
static XML_TIMES: LazyLock<Regex> =
    LazyLock::new(|| regex(r#" (time|timestamp|hostname|duration)="[^"]*""#));
/// Keys of JSON under which there are times, or what one process has and no other.
static JSON_TIMES: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i-u)(^|_)(time|timestamp|date|datetime|duration|durations|start|stop|started|stopped|created|elapsed|seconds|pid|hostname|uuid)($|_)",
    )
});

/// Makes texts comparable.
#[derive(Clone, Debug, Default)]
pub(super) struct Normal {
    /// Of this comparison alone.
    private: String,
}

impl Normal {
    pub(super) fn new(private: &Path) -> Self {
        let private = private.to_string_lossy().into_owned();
        Self { private }
    }

    /// A text of a few words or many lines.
    pub(super) fn text(&self, text: &str) -> String {
        let text = match self.private.is_empty() {
            true => text.to_owned(),
            false => text.replace(&self.private, "<tmp>"),
        };
        let text = ADDRESS.replace_all(&text, "0x<address>");
        let text = CUT.replace_all(&text, "...<address>$1");
        let text = WORKER.replace_all(&text, "");
        let text = NUMBERED.replace_all(&text, "pytest-of-$1/pytest-N");
        let text = DATE.replace_all(&text, "<date>");
        let text = SECONDS.replace_all(&text, TIME);
        CLOCK.replace_all(&text, "<clock>").into_owned()
    }

    /// A node id, by which a test is selected: of it nothing else is replaced, so that `[1.5s]` and `[2.5s]` are two.
    pub(super) fn id(&self, nodeid: &str) -> String {
        let nodeid = match self.private.is_empty() {
            true => nodeid.to_owned(),
            false => nodeid.replace(&self.private, "<tmp>"),
        };
        ADDRESS.replace_all(&nodeid, "0x<address>").into_owned()
    }

    /// What is printed on a terminal or into a file.
    pub(super) fn output(&self, text: &str) -> String {
        let text = self.text(text);
        let mut lines = Vec::new();
        for line in text.lines() {
            if SLOWEST.is_match(line) {
                // An empty line comes with the one about those that are hidden, if any are.
                let is_hidden = line.starts_with('(');
                lines.pop_if(|last: &mut Cow<'_, str>| is_hidden && last.is_empty());
                continue;
            }
            // How wide the rule is depends on how long the time is.
            lines.push(match line.contains(TIME) && line.contains("==") {
                true => RULE.replace_all(line, "=="),
                false => line.into(),
            });
        }
        lines.join("\n")
    }

    /// XML and HTML, a line for each tag.
    pub(super) fn markup(&self, text: &str) -> String {
        let without = |found: &Captures<'_>| format!(" {}=\"\"", &found[1]);
        let text = XML_TIMES.replace_all(text, without);
        self.text(&text.replace('>', ">\n").replace("\n\n", "\n"))
    }

    /// JSON, or JSON on each line; none if it is neither.
    pub(super) fn json(&self, text: &str) -> Option<String> {
        let mut lines = Vec::new();
        match serde_json::from_str::<Value>(text) {
            Ok(value) => lines.push(value),
            Err(_) => {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    lines.push(serde_json::from_str(line).ok()?);
                }
            }
        }
        let shown = lines.into_iter().map(|mut value| {
            without_times(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        });
        Some(self.text(&shown.collect::<Vec<_>>().join("\n")))
    }
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_plain = matches!(value, Value::Number(_) | Value::String(_));
                if is_plain && JSON_TIMES.is_match(name) {
                    *value = Value::from(TIME);
                } else {
                    without_times(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal() -> Normal {
        Normal::new(Path::new("/tmp/rpytest-verify-abc"))
    }

    #[test]
    fn what_no_two_runs_share_is_gone() {
        for (text, expected) in [
            ("<A object at 0x7f00abcd>", "<A object at 0x<address>>"),
            ("0x1f stays", "0x1f stays"),
            ("{'a': <test_o...7f00ab>}", "{'a': <test_o...<address>>}"),
            ("&lt;test_o...7f00ab&gt;}", "&lt;test_o...<address>&gt;}"),
            (
                "/tmp/rpytest-verify-abc/t/pytest-of-me/pytest-12/x",
                "<tmp>/t/pytest-of-me/pytest-N/x",
            ),
            ("/pytest-0/popen-gw1/test_a0", "/pytest-0/test_a0"),
            (
                "at 2024-01-02T03:04:05.678+00:00, 03:04:05",
                "at <date>, <clock>",
            ),
            ("took 0.12s, or 61.20s (0:01:01)", "took <time>, or <time>"),
            (
                "1.5 seconds, 1.5 sheep, version 1.2s3",
                "<time>, 1.5 sheep, version 1.2s3",
            ),
        ] {
            assert_eq!(normal().text(text), expected);
        }
    }

    #[test]
    fn node_ids_stay_apart() {
        for (nodeid, expected) in [
            ("t.py::test[1.5s]", "t.py::test[1.5s]"),
            (
                "t.py::test[2024-01-02 03:04:05]",
                "t.py::test[2024-01-02 03:04:05]",
            ),
            (
                "t.py::test[<A at 0x7f00abcd>]",
                "t.py::test[<A at 0x<address>>]",
            ),
            (
                "t.py::test[/tmp/rpytest-verify-abc/t]",
                "t.py::test[<tmp>/t]",
            ),
        ] {
            assert_eq!(normal().id(nodeid), expected);
        }
    }

    #[test]
    fn a_reports_lines_about_times_are_gone() {
        let text = "== slowest durations ==\n0.10s call     t.py::a\n\n(3 durations < 0.005s hidden.)\n===== 1 passed in 0.12s =====\n==== ERRORS ====";
        let expected = "== slowest durations ==\n== 1 passed in <time> ==\n==== ERRORS ====";
        // The number of hidden ones is a matter of time as well, and whether there are any.
        let none_is_hidden = text.replace("\n\n(3 durations < 0.005s hidden.)", "");
        for text in [text, &none_is_hidden] {
            let got = normal().output(text);
            assert_eq!(got, expected, "{got}");
        }
    }

    #[test]
    fn markup_and_json_have_no_times() {
        let xml = r#"<testsuite name="pytest" time="0.1" timestamp="x" hostname="h"><testcase name="a" time="0.2"/></testsuite>"#;
        let expected = "<testsuite name=\"pytest\" time=\"\" timestamp=\"\" hostname=\"\">\n<testcase name=\"a\" time=\"\"/>\n</testsuite>\n";
        assert_eq!(normal().markup(xml), expected);
        let json = r#"{"created": 1.5, "tests": [{"nodeid": "a", "call_duration": 0.1, "timeout": 3}], "start_time": "x"}"#;
        let json = normal().json(json).expect("JSON");
        let value: Value = serde_json::from_str(&json).expect("JSON still");
        assert_eq!(
            value,
            serde_json::json!({"created": "<time>", "tests": [{"nodeid": "a", "call_duration": "<time>", "timeout": 3}], "start_time": "<time>"})
        );
        assert!(normal().json("{\"a\": 1}\n{\"b\": 2}\n").is_some());
        assert_eq!(normal().json("a: 1"), None);
    }
}
