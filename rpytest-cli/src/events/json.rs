//! One JSON object a line.

use serde::Serialize;

use super::sink::Sink;
use super::{Error, Event, Listener};

pub(super) struct Json {
    sink: Sink,
}

#[derive(Serialize)]
struct Line<'a> {
    time: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Json {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink }
    }
}

impl Listener for Json {
    fn event(&mut self, time: f64, event: &Event) {
        self.sink.write(line(time, event));
    }

    fn end(self: Box<Self>, gives_up: &dyn Fn() -> bool) -> Result<(), Error> {
        self.sink.close(gives_up)
    }
}

fn line(time: f64, event: &Event) -> Vec<u8> {
    let time = (time * 1e6).round() / 1e6;
    // Text and numbers: there is nothing in it that JSON lacks.
    let mut line = serde_json::to_vec(&Line { time, event }).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use rpytest_ipc::{Outcome, PhaseSeconds, Place};

    use super::super::{Named, Shown};
    use super::*;

    #[test]
    fn each_event_is_one_line() {
        let test = Named {
            nodeid: "test_a.py::test_ß[a\nb]".to_owned(),
            nth: 0,
            worker: Some("gw1".to_owned()),
        };
        let events = [
            Event::SessionStarted {
                v: 1,
                rpytest: "0.1.0",
                pytest: "9.2.0".to_owned(),
                python: "3.13.0".to_owned(),
                rootdir: "/src".to_owned(),
                inifile: None,
                cwd: "/src".to_owned(),
                args: vec!["-q".to_owned()],
            },
            Event::CollectReport {
                nodeid: "test_b.py".to_owned(),
                report: Shown {
                    when: "collect".to_owned(),
                    outcome: "skipped".to_owned(),
                    attempt: 1,
                    reason: Some("not here".to_owned()),
                    ..Shown::default()
                },
            },
            Event::Collected {
                tests: 2,
                deselected: 0,
                errors: 0,
                skipped: 1,
            },
            Event::TestStarted { test: test.clone() },
            Event::TestFinished {
                test: Named { nth: 1, ..test },
                file: "test_a.py".to_owned(),
                line: Some(3),
                outcome: Outcome::Failed,
                seconds: PhaseSeconds {
                    setup: 0.000_000_49,
                    call: 1.25,
                    teardown: 0.0,
                },
                attempts: 1,
                reports: vec![Shown {
                    when: "call".to_owned(),
                    outcome: "failed".to_owned(),
                    seconds: 1.25,
                    attempt: 1,
                    text: Some("E  assert".to_owned()),
                    crash: Some(Place {
                        path: "/src/test_a.py".to_owned(),
                        line: 4,
                        message: "assert".to_owned(),
                    }),
                    ..Shown::default()
                }],
            },
            Event::SessionFinished {
                exit: 1,
                seconds: 2.0,
                tests: [("failed", 1)].into(),
                counts: vec![("skipped".to_owned(), 1), ("failed".to_owned(), 1)],
            },
        ];
        let lines = events.iter().map(|event| line(7.123_456_78, event));
        let text = String::from_utf8(lines.flatten().collect()).expect("UTF-8");
        expect![[r#"
            {"time":7.123457,"event":"session_started","v":1,"rpytest":"0.1.0","pytest":"9.2.0","python":"3.13.0","rootdir":"/src","cwd":"/src","args":["-q"]}
            {"time":7.123457,"event":"collect_report","nodeid":"test_b.py","when":"collect","outcome":"skipped","seconds":0.0,"attempt":1,"reason":"not here"}
            {"time":7.123457,"event":"collected","tests":2,"deselected":0,"errors":0,"skipped":1}
            {"time":7.123457,"event":"test_started","nodeid":"test_a.py::test_ß[a\nb]","worker":"gw1"}
            {"time":7.123457,"event":"test_finished","nodeid":"test_a.py::test_ß[a\nb]","nth":1,"worker":"gw1","file":"test_a.py","line":3,"outcome":"failed","seconds":{"setup":0.0,"call":1.25,"teardown":0.0},"attempts":1,"reports":[{"when":"call","outcome":"failed","seconds":1.25,"attempt":1,"crash":{"path":"/src/test_a.py","line":4,"message":"assert"},"text":"E  assert"}]}
            {"time":7.123457,"event":"session_finished","exit":1,"seconds":2.0,"tests":{"failed":1},"counts":{"skipped":1,"failed":1}}
        "#]]
        .assert_eq(&text);
    }
}
