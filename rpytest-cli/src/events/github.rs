//! For GitHub Actions: annotations on the lines at which tests have failed, and a summary of the job's step.
//!
//! Workflow commands are described at
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>. GitHub shows ten
//! errors and ten warnings of a step; what is beyond that is in the summary.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rpytest_ipc::Outcome;

use super::summary::Summary;
use super::{Error, Event, Listener, Shown};

/// Annotations of each kind that GitHub shows of a step.
const SHOWN: usize = 10;

/// Bytes of a message; what pytest shows of a failure is in the log anyway.
const MESSAGE: usize = 4000;

/// What failed, and where it is shown.
#[derive(Debug)]
pub(super) struct Failure {
    /// What has failed.
    pub(super) nodeid: String,
    /// `setup`, `call`, `teardown` or `collect`.
    pub(super) when: String,
    /// In a line.
    pub(super) message: String,
    /// As pytest shows it.
    pub(super) text: String,
    file: Option<String>,
    line: Option<u32>,
}

pub(super) struct Github {
    notes: Notes,
    /// Where the summary goes.
    summary: Option<PathBuf>,
}

impl Github {
    pub(super) fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let given = |name| variable(name).filter(|value| !value.is_empty());
        Self {
            notes: Notes {
                workspace: given("GITHUB_WORKSPACE").map(PathBuf::from),
                ..Notes::default()
            },
            summary: given("GITHUB_STEP_SUMMARY").map(PathBuf::from),
        }
    }
}

impl Listener for Github {
    fn event(&mut self, _: f64, event: &Event) {
        self.notes.event(event);
    }

    fn end(self: Box<Self>, _: &dyn Fn() -> bool) -> Result<(), Error> {
        let wrong = |name: &str, source: io::Error| Error::Write {
            name: name.to_owned(),
            source,
        };
        let lines = on_lines_of_their_own(self.notes.lines());
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|source| wrong("standard output", source))?;
        let Some(path) = &self.summary else {
            return Ok(());
        };
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(path);
        let written = file.and_then(|mut file| {
            let before = file.metadata()?.len();
            let text = self.notes.summary.markdown(&self.notes.failures, before);
            file.write_all(text.as_bytes())
        });
        written.map_err(|source| wrong(&path.display().to_string(), source))
    }
}

/// What is worth an annotation.
#[derive(Default)]
struct Notes {
    workspace: Option<PathBuf>,
    rootdir: PathBuf,
    failures: Vec<Failure>,
    /// Tests that have passed after they failed, with their attempts.
    flaky: Vec<(Failure, u32)>,
    summary: Summary,
}

impl Notes {
    fn event(&mut self, event: &Event) {
        self.summary.event(event);
        match event {
            Event::SessionStarted { rootdir, .. } => {
                self.rootdir = PathBuf::from(rootdir);
                if self.workspace.is_none() {
                    let mut above = self.rootdir.ancestors();
                    let repository = above.find(|directory| directory.join(".git").exists());
                    self.workspace = Some(repository.unwrap_or(&self.rootdir).to_owned());
                }
            }
            Event::CollectReport { nodeid, report } if report.outcome != "skipped" => {
                let file = nodeid.split("::").next().unwrap_or_default();
                let failure = self.failure(nodeid, file, None, report);
                self.failures.push(failure);
            }
            Event::TestFinished {
                test,
                file,
                line,
                outcome,
                attempts,
                reports,
                ..
            } => {
                let is = |report: &&Shown, names: &[&str]| names.contains(&&*report.outcome);
                let failed = matches!(outcome, Outcome::Failed | Outcome::Error);
                let of_failures = reports.iter().filter(|one| is(one, &["failed", "error"]));
                for report in of_failures.filter(|_| failed) {
                    let failure = self.failure(&test.nodeid, file, *line, report);
                    self.failures.push(failure);
                }
                let rerun = reports.iter().rfind(|one| is(one, &["rerun"]));
                if let Some(report) = rerun.filter(|_| *outcome == Outcome::Passed) {
                    let failure = self.failure(&test.nodeid, file, *line, report);
                    self.flaky.push((failure, *attempts));
                }
            }
            _ => {}
        }
    }

    fn failure(&self, nodeid: &str, file: &str, line: Option<u32>, report: &Shown) -> Failure {
        let text = report.text.clone().unwrap_or_default();
        let crash = report.crash.as_ref();
        let message = match crash {
            Some(crash) => crash.message.clone(),
            None => text.lines().next_back().unwrap_or_default().to_owned(),
        };
        // Where it was raised, if that is a file of the repository's own; else where the test is.
        let raised = crash.and_then(|crash| {
            let file = self.in_repository(Path::new(&crash.path))?;
            let outside = ["site-packages", "dist-packages"];
            let is_own = !file.split('/').any(|part| outside.contains(&part));
            is_own.then_some((file, Some(crash.line)))
        });
        let line = line_in(&text, file).or(line);
        let placed = || Some((self.in_repository(Path::new(file))?, line));
        let (file, line) = raised.or_else(placed).unzip();
        Failure {
            nodeid: match &report.subtest {
                Some(subtest) => format!("{nodeid} {subtest}"),
                None => nodeid.to_owned(),
            },
            when: report.when.clone(),
            message,
            text,
            file,
            line: line.flatten(),
        }
    }

    /// A path as GitHub knows it: relative to the repository.
    fn in_repository(&self, path: &Path) -> Option<String> {
        let path = self.rootdir.join(path);
        let path = path.strip_prefix(self.workspace.as_ref()?).ok()?;
        let parts = path.iter().map(|part| part.to_string_lossy());
        let path = parts.collect::<Vec<_>>().join("/");
        (!path.is_empty()).then_some(path)
    }

    fn lines(&self) -> String {
        let mut out = String::new();
        for failure in self.failures.iter().take(SHOWN) {
            let what = match failure.when.as_str() {
                "setup" | "teardown" => format!("{} failed in {}", failure.nodeid, failure.when),
                "collect" => format!("{} could not be collected", failure.nodeid),
                _ => format!("{} failed", failure.nodeid),
            };
            let text = match failure.text.is_empty() {
                true => &failure.message,
                false => &failure.text,
            };
            command("error", failure, &what, text, &mut out);
        }
        for (failure, attempts) in self.flaky.iter().take(SHOWN) {
            let what = format!("{} passed at attempt {attempts}", failure.nodeid);
            command("warning", failure, &what, &failure.message, &mut out);
        }
        let more = self.failures.len().saturating_sub(SHOWN);
        if more > 0 {
            out.push_str(&format!(
                "::notice::{more} more failed: GitHub shows {SHOWN} errors of a step. They are in its summary and in its log.\n"
            ));
        }
        out
    }
}

/// A session that was ended at once, or whose process has died, leaves a line open, and GitHub looks for commands at
/// the start of a line only.
fn on_lines_of_their_own(lines: String) -> String {
    match lines.is_empty() {
        true => lines,
        false => format!("\n{lines}"),
    }
}

/// The last line of a file that a traceback names, as `file:12: `.
fn line_in(text: &str, file: &str) -> Option<u32> {
    let named = |line: &str| {
        let rest = line.strip_prefix(file)?.strip_prefix(':')?;
        rest.split_once(':')?.0.parse().ok()
    };
    (!file.is_empty()).then(|| text.lines().rev().find_map(named))?
}

fn command(kind: &str, failure: &Failure, title: &str, message: &str, out: &mut String) {
    out.push_str("::");
    out.push_str(kind);
    let line = failure.line.map(|line| line.to_string());
    let properties = [
        ("file", failure.file.as_deref()),
        ("line", line.as_deref()),
        ("title", Some(title)),
    ];
    let mut separator = ' ';
    for (key, value) in properties {
        if let Some(value) = value {
            out.push(separator);
            separator = ',';
            out.push_str(key);
            out.push('=');
            out.push_str(&escaped(value).replace(':', "%3A").replace(',', "%2C"));
        }
    }
    out.push_str("::");
    let end = (0..=MESSAGE.min(message.len())).rfind(|end| message.is_char_boundary(*end));
    let shown = &message[..end.unwrap_or(0)];
    out.push_str(&escaped(shown));
    if shown.len() < message.len() {
        out.push_str("%0A...");
    }
    out.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use rpytest_ipc::{PhaseSeconds, Place};

    use super::super::Named;
    use super::*;

    fn failed(outcome: &str, path: &str, line: u32, message: &str) -> Shown {
        Shown {
            when: "call".to_owned(),
            outcome: outcome.to_owned(),
            attempt: 1,
            text: Some(format!("E  {message}\n100%")),
            crash: Some(Place {
                path: path.to_owned(),
                line,
                message: message.to_owned(),
            }),
            ..Shown::default()
        }
    }

    fn finished(nodeid: &str, outcome: Outcome, attempts: u32, reports: Vec<Shown>) -> Event {
        Event::TestFinished {
            test: Named {
                nodeid: nodeid.to_owned(),
                nth: 0,
                worker: None,
            },
            file: "tests/test_a.py".to_owned(),
            line: Some(3),
            outcome,
            seconds: PhaseSeconds::default(),
            attempts,
            reports,
        }
    }

    fn check(events: &[Event], expected: &Expect) {
        let mut notes = Notes {
            workspace: Some("/repo".into()),
            rootdir: "/repo/python".into(),
            ..Notes::default()
        };
        for event in events {
            notes.event(event);
        }
        expected.assert_eq(&notes.lines());
    }

    #[test]
    fn a_failure_is_shown_where_it_was_raised() {
        let own = failed("failed", "/repo/python/tests/help.py", 7, "a: b, c");
        let foreign = failed("failed", "/repo/.venv/lib/site-packages/x.py", 9, "no");
        let elsewhere = failed("failed", "/usr/lib/python3/x.py", 9, "no");
        let within = Shown {
            text: Some("tests/test_a.py:5: in test_x\n/usr/lib/python3/x.py:9: no".to_owned()),
            ..elsewhere.clone()
        };
        let crashed = Shown {
            crash: None,
            text: Some("the process crashed".to_owned()),
            ..own.clone()
        };
        let events = [own, foreign, elsewhere, within, crashed]
            .map(|report| finished("tests/test_a.py::test_x", Outcome::Failed, 1, vec![report]));
        check(
            &events,
            &expect![[r"
                ::error file=python/tests/help.py,line=7,title=tests/test_a.py%3A%3Atest_x failed::E  a: b, c%0A100%25
                ::error file=python/tests/test_a.py,line=3,title=tests/test_a.py%3A%3Atest_x failed::E  no%0A100%25
                ::error file=python/tests/test_a.py,line=3,title=tests/test_a.py%3A%3Atest_x failed::E  no%0A100%25
                ::error file=python/tests/test_a.py,line=5,title=tests/test_a.py%3A%3Atest_x failed::tests/test_a.py:5: in test_x%0A/usr/lib/python3/x.py:9: no
                ::error file=python/tests/test_a.py,line=3,title=tests/test_a.py%3A%3Atest_x failed::the process crashed
            "]],
        );
    }

    #[test]
    fn what_passed_in_the_end_is_a_warning() {
        let rerun = failed("rerun", "/repo/python/tests/test_a.py", 4, "flaky");
        let events = [
            finished("a::b", Outcome::Passed, 2, vec![rerun.clone()]),
            finished("a::c", Outcome::Passed, 1, Vec::new()),
            finished("a::d", Outcome::Skipped, 2, vec![rerun.clone()]),
            finished("a::e", Outcome::Xfailed, 2, vec![rerun]),
        ];
        check(
            &events,
            &expect![[r"
                ::warning file=python/tests/test_a.py,line=4,title=a%3A%3Ab passed at attempt 2::flaky
            "]],
        );
    }

    #[test]
    fn what_cannot_be_collected_is_shown_at_its_file() {
        let event = Event::CollectReport {
            nodeid: "tests/test_b.py".to_owned(),
            report: Shown {
                when: "collect".to_owned(),
                outcome: "error".to_owned(),
                text: Some("ImportError while importing\nE  no module".to_owned()),
                ..Shown::default()
            },
        };
        check(
            &[event],
            &expect![[r"
                ::error file=python/tests/test_b.py,title=tests/test_b.py could not be collected::ImportError while importing%0AE  no module
            "]],
        );
    }

    #[test]
    fn of_many_failures_ten_are_annotated() {
        let report = failed("failed", "/x", 1, &"ß".repeat(MESSAGE));
        let event = finished("a::b", Outcome::Failed, 1, vec![report]);
        let mut notes = Notes::default();
        (0..13).for_each(|_| notes.event(&event));
        let text = notes.lines();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 11);
        assert!(lines[0].starts_with("::error title=a%3A%3Ab failed::E  ß"));
        assert!(lines[0].ends_with("ß%0A..."), "it is cut");
        assert!(lines[10].starts_with("::notice::3 more failed"));
    }
}
