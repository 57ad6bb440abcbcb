//! The same project, by pytest and by rpytest: output, exit code and JUnit file are the same.
//!
//! A table is a project and a list of command lines. Each line runs in four fresh copies of the
//! project: by `pytest`, and by `rpytest` without `-n`, with `-n 1` and with `-n 2`. What cannot be
//! the same with workers is said in the row, never taken out of every comparison.

mod collection;
mod deferred_reports;
mod errors;
mod hooks;
mod live_logs;
pub(crate) mod nested;
mod options;
mod outcomes;
mod output;
mod short_protocol;
mod streams;

use crate::support::normal::{difference, junit, normal};
use crate::support::project::Files;
use crate::support::python::{Venv, main_venv};
use crate::support::{Command, Project, Run, WAYS, Way};

/// Where a row's JUnit file is.
const JUNIT: &str = "junit.xml";

/// How much of a difference is shown.
const SHOWN: usize = 1500;

/// How a row's output has to be changed to be what rpytest writes; says for which way.
type Expectation = fn(Way, Run) -> Run;

/// A project, and the command lines under which it is compared.
pub struct Table<'a> {
    files: Files<'a>,
    venv: &'a Venv,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    /// Command lines that run one after the other in one copy.
    lines: Vec<Vec<&'a str>>,
    ways: &'a [Way],
    /// What pytest alone needs.
    baseline: &'a [&'a str],
    expectation: Expectation,
}

impl<'a> Table<'a> {
    /// A project, as text.
    pub fn new(files: &'a str) -> Table<'a> {
        Table::of(Files::Text(files))
    }

    /// A project.
    pub fn of(files: Files<'a>) -> Table<'a> {
        Table {
            files,
            venv: main_venv(),
            rows: Vec::new(),
        }
    }

    /// With another environment than the one that has everything.
    pub fn with(mut self, venv: &'a Venv) -> Self {
        self.venv = venv;
        self
    }

    /// Adds rows that are the same in every way. Lines separated by ` ; ` run in one copy.
    pub fn same(mut self, lines: &[&'a str]) -> Self {
        self.rows.extend(lines.iter().map(|line| Row::new(line)));
        self
    }

    /// Adds a row that is the same without workers, which is as far as it can be compared.
    pub fn same_in_process(mut self, line: &'a str) -> Self {
        self.rows.push(Row {
            ways: &WAYS[..1],
            ..Row::new(line)
        });
        self
    }

    /// Adds a row for which pytest itself needs further arguments.
    pub fn same_as_with(mut self, baseline: &'a [&'a str], line: &'a str) -> Self {
        self.rows.push(Row {
            baseline,
            ..Row::new(line)
        });
        self
    }

    /// Leaves out `-n 2` for all rows so far: for what depends on which tests share a worker.
    pub fn without_two_workers(mut self) -> Self {
        for row in &mut self.rows {
            row.ways = &WAYS[..row.ways.len().min(2)];
        }
        self
    }

    /// Compares all rows.
    #[track_caller]
    pub fn check(self) {
        let differences: Vec<String> = self.rows.iter().flat_map(|row| self.compare(row)).collect();
        assert!(
            differences.is_empty(),
            "not as pytest:\n{}",
            differences.join("\n")
        );
    }

    fn compare(&self, row: &Row<'_>) -> Vec<String> {
        let expected = self.run(row, None);
        let mut differences = Vec::new();
        for &way in row.ways {
            let got = self.run(row, Some(way));
            for (line, (expected, got)) in row.lines.iter().zip(expected.iter().zip(got)) {
                let run = (row.expectation)(way, expected.run.clone());
                let found =
                    compare(&run, &got.run) + &section("junit", &expected.junit, &got.junit);
                if !found.is_empty() {
                    differences.push(format!("{:?} {way:?}\n{found}", line.join(" ")));
                }
            }
        }
        differences
    }

    fn run(&self, row: &Row<'_>, way: Option<Way>) -> Vec<Outcome> {
        let project = Project::of(self.files);
        row.lines
            .iter()
            .map(|line| {
                let command = match way {
                    None => Command::pytest(self.venv, &project).args(row.baseline),
                    Some(way) => Command::rpytest(self.venv, &project).args(way.arguments()),
                };
                let run = command.args(line).run();
                let junit = junit(&project.read(JUNIT), project.base());
                Outcome {
                    run: normal(&run, &project),
                    junit,
                }
            })
            .collect()
    }
}

struct Outcome {
    run: Run,
    junit: String,
}

impl<'a> Row<'a> {
    fn new(line: &'a str) -> Row<'a> {
        let lines = line.split(" ; ").map(words).collect();
        Row {
            lines,
            ways: &WAYS,
            baseline: &[],
            expectation: |_, run| run,
        }
    }
}

/// The words of a command line; quotes keep several together.
pub fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("a quote ends"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// What is different in two runs; nothing if they are equal.
pub fn compare(expected: &Run, got: &Run) -> String {
    let mut found = String::new();
    if expected.code != got.code {
        found += &format!("  exit code {}, not {}\n", got.code, expected.code);
    }
    found += &section("stdout", &expected.stdout, &got.stdout);
    found + &section("stderr", &expected.stderr, &got.stderr)
}

fn section(name: &str, expected: &str, got: &str) -> String {
    if expected == got {
        return String::new();
    }
    let difference = difference(expected, got);
    let (shown, rest) = difference.split_at(difference.floor_char_boundary(SHOWN));
    let rest = if rest.is_empty() { "" } else { "...\n" };
    format!("  {name} (- pytest, + rpytest):\n{shown}{rest}")
}
