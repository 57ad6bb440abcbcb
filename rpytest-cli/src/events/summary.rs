//! What GitHub shows on the page of a job: how many tests there were, and those that failed.

use std::collections::BTreeMap;

use super::Event;
use super::github::Failure;

/// Bytes that the summary of a step may have; GitHub takes none of a longer one.
const LIMIT: u64 = 1024 * 1024;

/// Bytes of one failure.
const OF_ONE: usize = 8000;

/// Columns, with the outcomes that they count.
const COLUMNS: [(&str, &str); 6] = [
    ("Passed", "passed"),
    ("Failed", "failed"),
    ("Errors", "error"),
    ("Skipped", "skipped"),
    ("Expected failures", "xfailed"),
    ("Unexpected passes", "xpassed"),
];

#[derive(Default)]
pub(super) struct Summary {
    exit: u8,
    seconds: f64,
    tests: BTreeMap<&'static str, u32>,
    not_collected: u32,
    /// Tests that have passed after they failed.
    flaky: Vec<(String, u32)>,
}

impl Summary {
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Collected { errors, .. } => self.not_collected = *errors,
            Event::TestFinished {
                test,
                attempts,
                outcome,
                ..
            } if *attempts > 1 && *outcome == rpytest_ipc::Outcome::Passed => {
                self.flaky.push((test.nodeid.clone(), *attempts));
            }
            Event::SessionFinished {
                exit,
                seconds,
                tests,
                ..
            } => {
                self.exit = *exit;
                self.seconds = *seconds;
                self.tests.clone_from(tests);
            }
            _ => {}
        }
    }

    /// As Markdown, as long as there is room for beside what is in the summary already.
    pub(super) fn markdown(&self, failures: &[Failure], before: u64) -> String {
        let verdict = match self.exit {
            0 => "passed".to_owned(),
            1 => "failed".to_owned(),
            2 => "interrupted".to_owned(),
            5 => "no tests ran".to_owned(),
            code => format!("ended with exit code {code}"),
        };
        let mut out = format!("### Tests {verdict} in {:.2} s\n\n", self.seconds);
        let count = |outcome: &str| self.tests.get(outcome).copied().unwrap_or(0);
        let mut columns: Vec<(&str, u32)> = COLUMNS
            .iter()
            .map(|(title, outcome)| (*title, count(outcome)))
            .collect();
        columns.push(("Not collected", self.not_collected));
        // Those that there are, and the first two in any case.
        let mut place = 0..;
        columns.retain(|(_, count)| place.next().is_some_and(|at| at < 2) || *count > 0);
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        out += &row(columns
            .iter()
            .map(|(title, _)| (*title).to_owned())
            .collect());
        out += &row(columns.iter().map(|_| "---:".to_owned()).collect());
        out += &row(columns.iter().map(|(_, count)| count.to_string()).collect());
        let mut left = failures.len();
        for failure in failures {
            let part = details(failure);
            // Room for the line that says how many are missing.
            if before + (out.len() + part.len() + 200) as u64 > LIMIT {
                break;
            }
            out += &part;
            left -= 1;
        }
        if left > 0 {
            out += &format!("\n{left} more failed; there is no more room for them here.\n");
        }
        for (nodeid, attempts) in self.flaky.iter().take(100) {
            out += &format!("\n- flaky: {} passed at attempt {attempts}", code(nodeid));
        }
        out.push('\n');
        match before + out.len() as u64 > LIMIT {
            true => String::new(),
            false => out,
        }
    }
}

fn details(failure: &Failure) -> String {
    let text = match failure.text.is_empty() {
        true => &failure.message,
        false => &failure.text,
    };
    // The end says what was wrong.
    let start = text.len().saturating_sub(OF_ONE);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at));
    let text = &text[start.unwrap_or(0)..];
    // A fence is longer than any within.
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let when = match failure.when.as_str() {
        "call" => String::new(),
        "collect" => " (not collected)".to_owned(),
        when => format!(" ({when})"),
    };
    format!(
        "\n<details><summary><code>{}</code>{when}: {}</summary>\n\n{fence}\n{text}\n{fence}\n\n</details>\n",
        html(&failure.nodeid),
        html(failure.message.lines().next().unwrap_or_default()),
    )
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|character| character != '`');
    runs.map(str::len).max().unwrap_or(0)
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", html(text))
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use rpytest_ipc::{Outcome, PhaseSeconds};

    use super::super::github::Github;
    use super::super::{Listener, Named, Shown};
    use super::*;

    fn finished(text: String, outcome: Outcome, attempts: u32) -> Event {
        Event::TestFinished {
            test: Named {
                nodeid: "a.py::test<x>".to_owned(),
                nth: 0,
                worker: None,
            },
            file: "a.py".to_owned(),
            line: None,
            outcome,
            seconds: PhaseSeconds::default(),
            attempts,
            reports: vec![Shown {
                when: "setup".to_owned(),
                outcome: if outcome == Outcome::Error {
                    "error"
                } else {
                    "rerun"
                }
                .to_owned(),
                text: Some(text),
                ..Shown::default()
            }],
        }
    }

    fn over() -> Event {
        Event::SessionFinished {
            exit: 1,
            seconds: 1.0,
            tests: [("error", 1), ("passed", 1)].into(),
            counts: Vec::new(),
        }
    }

    /// Runs the whole of it, and returns what is in the file then.
    fn written(before: &str, events: &[Event]) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("summary");
        std::fs::write(&path, before).expect("written");
        let file = path.clone();
        let variable =
            move |name: &str| (name == "GITHUB_STEP_SUMMARY").then(|| file.clone().into());
        let mut github = Box::new(Github::new(variable));
        for event in events {
            github.event(0.0, event);
        }
        github.end(&|| false).expect("written");
        std::fs::read_to_string(&path).expect("it is there")
    }

    #[test]
    fn the_summary_is_appended_to_what_is_there() {
        let events = [
            finished("E  ```\nE  <b>".to_owned(), Outcome::Error, 1),
            finished("flaky".to_owned(), Outcome::Passed, 2),
            over(),
        ];
        expect![[r"
            before
            ### Tests failed in 1.00 s

            | Passed | Failed | Errors |
            | ---: | ---: | ---: |
            | 1 | 0 | 1 |

            <details><summary><code>a.py::test&lt;x&gt;</code> (setup): E  &lt;b&gt;</summary>

            ````
            E  ```
            E  <b>
            ````

            </details>

            - flaky: <code>a.py::test&lt;x&gt;</code> passed at attempt 2
        "]]
        .assert_eq(&written("before\n", &events));
    }

    #[test]
    fn a_summary_is_no_longer_than_github_takes() {
        let long = finished("ß".repeat(10_000), Outcome::Error, 1);
        let mut events = vec![long; 200];
        events.push(over());
        let text = written("", &events);
        assert!(text.len() as u64 <= LIMIT && text.len() as u64 > LIMIT - 20_000);
        assert!(text.contains("more failed; there is no more room for them here."));
        let full = "x".repeat(1024 * 1024 - 10);
        assert_eq!(
            written(&full, &events),
            full,
            "nothing of it, rather than a piece"
        );
    }
}
