//! TeamCity's service messages: a tree of suites (a file, its classes) for each worker.
//!
//! The format is described at <https://www.jetbrains.com/help/teamcity/service-messages.html>.

use std::collections::BTreeMap;

use rpytest_ipc::Outcome;

use super::sink::Sink;
use super::{Error, Event, Listener, Named, Shown, outcome_name};

pub(super) struct Teamcity {
    sink: Sink,
    lines: Lines,
}

impl Teamcity {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            sink,
            lines: Lines::default(),
        }
    }
}

impl Listener for Teamcity {
    fn event(&mut self, _: f64, event: &Event) {
        self.lines.event(event);
        let lines = std::mem::take(&mut self.lines.out);
        if !lines.is_empty() {
            self.sink.write(lines.into_bytes());
        }
    }

    fn end(self: Box<Self>, gives_up: &dyn Fn() -> bool) -> Result<(), Error> {
        self.sink.close(gives_up)
    }
}

/// What one worker is at.
#[derive(Default)]
struct Flow {
    /// The suites that are open, the outermost first.
    suites: Vec<String>,
    /// The test that runs.
    test: Option<String>,
}

#[derive(Default)]
struct Lines {
    rootdir: String,
    /// By the worker; the empty name is the session's own process.
    flows: BTreeMap<String, Flow>,
    out: String,
}

impl Lines {
    fn event(&mut self, event: &Event) {
        match event {
            Event::SessionStarted { rootdir, .. } => self.rootdir.clone_from(rootdir),
            Event::Collected { tests, .. } => {
                self.message("testCount", "", &[("count", &tests.to_string())]);
            }
            Event::CollectReport { nodeid, report } => self.not_collected(nodeid, report),
            Event::TestStarted { test } => self.started(test),
            Event::TestFinished {
                test,
                outcome,
                seconds,
                reports,
                ..
            } => {
                let took = seconds.setup + seconds.call + seconds.teardown;
                self.finished(test, *outcome, took, reports);
            }
            Event::SessionFinished { .. } => self.session_finished(),
            Event::Warning { .. } | Event::TestCollected { .. } | Event::Crash { .. } => {}
        }
    }

    fn not_collected(&mut self, nodeid: &str, report: &Shown) {
        let name = if nodeid.is_empty() {
            "collection"
        } else {
            nodeid
        };
        self.message("testStarted", "", &[("name", name)]);
        self.came_of_it(name, "", std::slice::from_ref(report));
        self.message("testFinished", "", &[("name", name)]);
    }

    fn started(&mut self, test: &Named) {
        let flow = test.worker.clone().unwrap_or_default();
        let (suites, name) = suites(&test.nodeid);
        self.enter(&flow, suites);
        let hint = hint(&self.rootdir, &test.nodeid);
        let mut attributes = vec![("name", name), ("captureStandardOutput", "false")];
        if let Some(hint) = &hint {
            attributes.push(("locationHint", hint));
        }
        self.message("testStarted", &flow, &attributes);
        if let Some(flow) = self.flows.get_mut(&flow) {
            flow.test = Some(name.to_owned());
        }
    }

    fn finished(&mut self, test: &Named, outcome: Outcome, took: f64, reports: &[Shown]) {
        let flow = test.worker.clone().unwrap_or_default();
        let (_, name) = suites(&test.nodeid);
        if self.flows.get(&flow).is_none_or(|flow| flow.test.is_none()) {
            self.started(test);
        }
        self.came_of_it(name, &flow, reports);
        let shown = reports.iter().any(|report| is_of(report, outcome));
        match outcome {
            Outcome::Failed | Outcome::Error if !shown => {
                self.message(
                    "testFailed",
                    &flow,
                    &[("name", name), ("message", "failed")],
                );
            }
            _ => {}
        }
        let milliseconds = format!("{:.0}", took * 1000.0);
        let attributes = [("name", name), ("duration", milliseconds.as_str())];
        self.message("testFinished", &flow, &attributes);
        if let Some(flow) = self.flows.get_mut(&flow) {
            flow.test = None;
        }
    }

    /// What a test has written, and why it has not just passed.
    fn came_of_it(&mut self, name: &str, flow: &str, reports: &[Shown]) {
        for report in reports {
            for (title, text) in &report.sections {
                let message = match title.contains("stderr") || title.contains("log") {
                    true => "testStdErr",
                    false => "testStdOut",
                };
                self.message(message, flow, &[("name", name), ("out", text)]);
            }
        }
        // TeamCity takes one failure of a test: the details have all of them.
        let failures: Vec<&Shown> = reports
            .iter()
            .filter(|report| matches!(report.outcome.as_str(), "failed" | "error"))
            .collect();
        if let Some(first) = failures.first() {
            let texts = failures.iter().map(|report| {
                let text = report.text.as_deref().unwrap_or_default();
                match &report.subtest {
                    Some(subtest) => format!("{subtest}\n{text}"),
                    None => text.to_owned(),
                }
            });
            let details = texts.collect::<Vec<_>>().join("\n\n");
            let message = message_of(first);
            let attributes = [
                ("name", name),
                ("message", &*message),
                ("details", &*details),
            ];
            self.message("testFailed", flow, &attributes);
            return;
        }
        let ignored = reports
            .iter()
            .find(|report| matches!(report.outcome.as_str(), "skipped" | "xfailed"));
        if let Some(report) = ignored {
            let reason = report.reason.as_deref().unwrap_or_default();
            let message = match report.outcome.as_str() {
                "xfailed" if reason.is_empty() => "expected to fail".to_owned(),
                "xfailed" => format!("expected to fail: {reason}"),
                _ => reason.to_owned(),
            };
            self.message(
                "testIgnored",
                flow,
                &[("name", name), ("message", &message)],
            );
        }
    }

    /// What an interrupt has struck has no result; its suites are closed all the same.
    fn session_finished(&mut self) {
        for (worker, flow) in std::mem::take(&mut self.flows) {
            if let Some(test) = &flow.test {
                let attributes = [("name", &**test), ("message", "interrupted")];
                self.message("testIgnored", &worker, &attributes);
                self.message("testFinished", &worker, &[("name", test)]);
            }
            for suite in flow.suites.iter().rev() {
                self.message("testSuiteFinished", &worker, &[("name", suite)]);
            }
            if !worker.is_empty() {
                self.message("flowFinished", &worker, &[]);
            }
        }
    }

    /// Closes the suites that the next test is not in, and opens those that it is in.
    fn enter(&mut self, worker: &str, suites: Vec<&str>) {
        if !self.flows.contains_key(worker) {
            self.flows.insert(worker.to_owned(), Flow::default());
            if !worker.is_empty() {
                self.message("flowStarted", worker, &[]);
            }
        }
        let open = self.flows.get_mut(worker).map(|flow| {
            let new = suites.iter().map(|suite| (*suite).to_owned()).collect();
            std::mem::replace(&mut flow.suites, new)
        });
        let open = open.unwrap_or_default();
        let common = open
            .iter()
            .zip(&suites)
            .take_while(|(one, other)| one == other);
        let common = common.count();
        for suite in open[common..].iter().rev() {
            self.message("testSuiteFinished", worker, &[("name", suite)]);
        }
        for suite in &suites[common..] {
            self.message("testSuiteStarted", worker, &[("name", suite)]);
        }
    }

    fn message(&mut self, name: &str, flow: &str, attributes: &[(&str, &str)]) {
        self.out.push_str("##teamcity[");
        self.out.push_str(name);
        let flow = (!flow.is_empty()).then_some(("flowId", flow));
        for (key, value) in attributes.iter().copied().chain(flow) {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("='");
            escape(value, &mut self.out);
            self.out.push('\'');
        }
        self.out.push_str("]\n");
    }
}

fn is_of(report: &Shown, outcome: Outcome) -> bool {
    let failed = matches!(report.outcome.as_str(), "failed" | "error");
    failed || report.outcome == outcome_name(outcome)
}

/// The first line of why a test has failed.
fn message_of(report: &Shown) -> String {
    let crash = report.crash.as_ref().map(|crash| crash.message.as_str());
    let text = crash.or(report.text.as_deref()).unwrap_or("failed");
    text.lines().next().unwrap_or("failed").to_owned()
}

/// The suites of a test, and its own name. Parameters may have `::` in them.
fn suites(nodeid: &str) -> (Vec<&str>, &str) {
    let end = nodeid.find('[').unwrap_or(nodeid.len());
    let mut suites: Vec<&str> = nodeid[..end].split("::").collect();
    let last = suites.pop().unwrap_or_default();
    (suites, &nodeid[end - last.len()..])
}

/// Where an IDE of JetBrains finds a test: the directory that names are resolved against, and its qualified name.
fn hint(rootdir: &str, nodeid: &str) -> Option<String> {
    let nodeid = nodeid.split('[').next().unwrap_or(nodeid);
    let (file, names) = nodeid.split_once("::")?;
    let module = file.strip_suffix(".py")?.replace('/', ".");
    let names = names.replace("::", ".");
    Some(format!("python<{rootdir}>://{module}.{names}"))
}

fn escape(text: &str, out: &mut String) {
    use std::fmt::Write;
    for character in text.chars() {
        match character {
            '\'' | '|' | '[' | ']' => out.extend(['|', character]),
            '\n' => out.push_str("|n"),
            '\r' => out.push_str("|r"),
            ' '..='~' => out.push(character),
            other => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    // A string takes whatever is written to it.
                    let _ = write!(out, "|0x{unit:04x}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use rpytest_ipc::{PhaseSeconds, Place};

    use super::*;

    fn named(nodeid: &str, worker: Option<&str>) -> Named {
        Named {
            nodeid: nodeid.to_owned(),
            nth: 0,
            worker: worker.map(str::to_owned),
        }
    }

    fn started(nodeid: &str, worker: Option<&str>) -> Event {
        Event::TestStarted {
            test: named(nodeid, worker),
        }
    }

    fn finished(nodeid: &str, worker: Option<&str>, outcome: Outcome, reports: &[Shown]) -> Event {
        Event::TestFinished {
            test: named(nodeid, worker),
            file: "t/test_a.py".to_owned(),
            line: Some(1),
            outcome,
            seconds: PhaseSeconds {
                setup: 0.001,
                call: 0.5,
                teardown: 0.0,
            },
            attempts: 1,
            reports: reports.to_vec(),
        }
    }

    fn over() -> Event {
        Event::SessionFinished {
            exit: 1,
            seconds: 1.0,
            tests: BTreeMap::new(),
            counts: Vec::new(),
        }
    }

    fn check(events: &[Event], expected: &Expect) {
        let mut lines = Lines {
            rootdir: "/src".to_owned(),
            ..Lines::default()
        };
        for event in events {
            lines.event(event);
        }
        expected.assert_eq(&lines.out);
    }

    #[test]
    fn tests_are_in_suites_of_their_files_and_classes() {
        let failed = Shown {
            when: "call".to_owned(),
            outcome: "failed".to_owned(),
            text: Some("E  assert 'a' == \"[b]\"".to_owned()),
            crash: Some(Place {
                path: "/src/t/test_a.py".to_owned(),
                line: 2,
                message: "assert 'a'\n more".to_owned(),
            }),
            sections: vec![("Captured stdout call".to_owned(), "ä|\r\n🦀".to_owned())],
            ..Shown::default()
        };
        let skipped = Shown {
            outcome: "skipped".to_owned(),
            reason: Some("not today".to_owned()),
            ..Shown::default()
        };
        let events = [
            started("t/test_a.py::T::test_a[x::y]", None),
            finished(
                "t/test_a.py::T::test_a[x::y]",
                None,
                Outcome::Failed,
                &[failed],
            ),
            started("t/test_a.py::test_b", None),
            finished("t/test_a.py::test_b", None, Outcome::Skipped, &[skipped]),
            started("t/test_c.txt::test_c.txt", None),
            over(),
        ];
        check(
            &events,
            &expect![[r#"
                ##teamcity[testSuiteStarted name='t/test_a.py']
                ##teamcity[testSuiteStarted name='T']
                ##teamcity[testStarted name='test_a|[x::y|]' captureStandardOutput='false' locationHint='python</src>://t.test_a.T.test_a']
                ##teamcity[testStdOut name='test_a|[x::y|]' out='|0x00e4|||r|n|0xd83e|0xdd80']
                ##teamcity[testFailed name='test_a|[x::y|]' message='assert |'a|'' details='E  assert |'a|' == "|[b|]"']
                ##teamcity[testFinished name='test_a|[x::y|]' duration='501']
                ##teamcity[testSuiteFinished name='T']
                ##teamcity[testStarted name='test_b' captureStandardOutput='false' locationHint='python</src>://t.test_a.test_b']
                ##teamcity[testIgnored name='test_b' message='not today']
                ##teamcity[testFinished name='test_b' duration='501']
                ##teamcity[testSuiteFinished name='t/test_a.py']
                ##teamcity[testSuiteStarted name='t/test_c.txt']
                ##teamcity[testStarted name='test_c.txt' captureStandardOutput='false']
                ##teamcity[testIgnored name='test_c.txt' message='interrupted']
                ##teamcity[testFinished name='test_c.txt']
                ##teamcity[testSuiteFinished name='t/test_c.txt']
            "#]],
        );
    }

    #[test]
    fn each_worker_is_a_flow() {
        let events = [
            started("a.py::x", Some("gw0")),
            started("b.py::y", Some("gw1")),
            finished("a.py::x", Some("gw0"), Outcome::Passed, &[]),
            finished("b.py::y", Some("gw1"), Outcome::Passed, &[]),
            over(),
        ];
        check(
            &events,
            &expect![[r#"
                ##teamcity[flowStarted flowId='gw0']
                ##teamcity[testSuiteStarted name='a.py' flowId='gw0']
                ##teamcity[testStarted name='x' captureStandardOutput='false' locationHint='python</src>://a.x' flowId='gw0']
                ##teamcity[flowStarted flowId='gw1']
                ##teamcity[testSuiteStarted name='b.py' flowId='gw1']
                ##teamcity[testStarted name='y' captureStandardOutput='false' locationHint='python</src>://b.y' flowId='gw1']
                ##teamcity[testFinished name='x' duration='501' flowId='gw0']
                ##teamcity[testFinished name='y' duration='501' flowId='gw1']
                ##teamcity[testSuiteFinished name='a.py' flowId='gw0']
                ##teamcity[flowFinished flowId='gw0']
                ##teamcity[testSuiteFinished name='b.py' flowId='gw1']
                ##teamcity[flowFinished flowId='gw1']
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_collected_is_a_test_that_fails() {
        let event = Event::CollectReport {
            nodeid: "b.py".to_owned(),
            report: Shown {
                outcome: "error".to_owned(),
                text: Some("ImportError\nmore".to_owned()),
                ..Shown::default()
            },
        };
        check(
            &[event],
            &expect![[r#"
                ##teamcity[testStarted name='b.py']
                ##teamcity[testFailed name='b.py' message='ImportError' details='ImportError|nmore']
                ##teamcity[testFinished name='b.py']
            "#]],
        );
    }
}
