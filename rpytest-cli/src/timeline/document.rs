//! What the page shows, in the form in which it reads it.
//!
//! A run may have a hundred thousand tests, so that they are columns, their times are whole microseconds, and the name of a file
//! stands once. What no screen can show is left out: of more tests than [`MOST`] the shortest that passed, whose time
//! their files still count.

use std::collections::HashMap;

use rpytest_ipc::Outcome;
use serde::Serialize;

use super::critical::{Step, critical};
use super::{Ended, Lane, Part, Test};
use crate::convert::file_of;
use crate::session::Bound;

/// Tests that a page has at most.
const MOST: usize = 100_000;

/// What is known of a run besides its tests.
pub(crate) struct About {
    /// What was typed, as a shell would read it.
    pub command: String,
    pub exit: u8,
    /// Names, beginnings and ends.
    pub stages: Vec<(&'static str, f64, f64)>,
    /// Of the plan, by earlier durations.
    pub planned: Option<Bound>,
    /// Of the best plan, by those of this run.
    pub measured: Option<Bound>,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    format: u32,
    command: String,
    /// Seconds since 1970.
    epoch: f64,
    exit: u8,
    total: f64,
    stages: Vec<(&'static str, f64, f64)>,
    plans: Plans,
    critical: Option<usize>,
    steps: Vec<Step>,
    lanes: Vec<LaneShown>,
    files: Vec<File>,
    tests: Tests,
    /// How many tests there were.
    count: usize,
}

#[derive(Debug, Serialize)]
struct Plans {
    workers: Option<u32>,
    planned: Option<(f64, f64)>,
    measured: Option<(f64, f64)>,
}

#[derive(Debug, Serialize)]
struct LaneShown {
    name: String,
    part: &'static str,
    begin: f64,
    end: f64,
    tests: usize,
    busy: f64,
    collected: Option<f64>,
    /// Numbers of files, and microseconds.
    files: Vec<(usize, u64)>,
}

#[derive(Debug, Default, Serialize)]
struct File {
    path: String,
    tests: usize,
    failed: usize,
    seconds: f64,
    shared: f64,
    import: f64,
}

/// Columns; times in microseconds.
#[derive(Debug, Default, Serialize)]
struct Tests {
    file: Vec<usize>,
    name: Vec<String>,
    lane: Vec<usize>,
    outcome: Vec<u8>,
    begin: Vec<u64>,
    setup: Vec<u64>,
    call: Vec<u64>,
    teardown: Vec<u64>,
    /// The number of a test, and the scope and microseconds of fixtures that others needed, too.
    shared: Vec<(usize, String, u64)>,
}

/// As the page numbers them.
fn number(ended: Ended) -> u8 {
    match ended {
        Ended::As(Outcome::Passed) => 0,
        Ended::As(Outcome::Skipped) => 1,
        Ended::As(Outcome::Xfailed) => 2,
        Ended::As(Outcome::Xpassed) => 3,
        Ended::As(Outcome::Failed) => 4,
        Ended::As(Outcome::Error) => 5,
        Ended::Crashed => 6,
        // Outcomes that are not known yet are none that this page could name.
        Ended::Never | Ended::As(_) => 7,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a run of 584,000 years is none"
)]
fn micros(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e6).round() as u64
}

/// Numbers for names.
#[derive(Default)]
struct Files {
    files: Vec<File>,
    numbers: HashMap<String, usize>,
}

impl Files {
    fn number(&mut self, path: &str) -> usize {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = self.files.len();
        self.numbers.insert(path.to_owned(), number);
        self.files.push(File {
            path: path.to_owned(),
            ..File::default()
        });
        number
    }
}

pub(super) fn document(
    lanes: Vec<Lane>,
    mut tests: Vec<Test>,
    epoch: f64,
    about: About,
) -> Document {
    let critical = critical(&about.stages, &lanes, &tests);
    let mut files = Files::default();
    let mut busy = vec![(0, 0.0); lanes.len()];
    for test in &tests {
        let of_lane = &mut busy[test.lane];
        *of_lane = (of_lane.0 + 1, of_lane.1 + test.seconds());
        let file = files.number(file_of(&test.nodeid));
        let file = &mut files.files[file];
        file.tests += 1;
        file.failed += usize::from(number(test.ended) > 3);
        file.seconds += test.seconds();
        file.shared += test.shared.iter().map(|one| one.seconds).sum::<f64>();
    }
    let lanes = lanes.into_iter().zip(busy);
    let lanes = lanes.map(|(lane, (tests, busy))| LaneShown {
        part: match lane.part {
            Part::Session => "session",
            Part::Template => "template",
            Part::Worker => "worker",
        },
        begin: lane.begin,
        end: lane.end.max(lane.free),
        tests,
        busy,
        collected: lane.collected,
        files: (lane.files.iter())
            .map(|(path, seconds)| {
                let number = files.number(path);
                let file = &mut files.files[number];
                file.import = file.import.max(*seconds);
                (number, micros(*seconds))
            })
            .collect(),
        name: lane.name,
    });
    let lanes = lanes.collect();
    let count = tests.len();
    tests.sort_by(|one, other| one.begin.total_cmp(&other.begin));
    let tests = shown(tests, MOST);
    let mut columns = Tests::default();
    for (at, test) in tests.into_iter().enumerate() {
        let path = file_of(&test.nodeid);
        columns.file.push(files.number(path));
        let name = test.nodeid[path.len()..].trim_start_matches("::");
        columns.name.push(name.to_owned());
        columns.lane.push(test.lane);
        columns.outcome.push(number(test.ended));
        columns.begin.push(micros(test.begin));
        columns.setup.push(micros(test.seconds.setup));
        columns.call.push(micros(test.seconds.call));
        columns.teardown.push(micros(test.seconds.teardown));
        for one in test.shared {
            columns.shared.push((at, one.scope, micros(one.seconds)));
        }
    }
    let pair = |bound: &Bound| (bound.makespan(), bound.lower_bound());
    Document {
        format: 1,
        command: about.command,
        epoch,
        exit: about.exit,
        total: about.stages.last().map_or(0.0, |(_, _, end)| *end),
        stages: about.stages,
        plans: Plans {
            workers: about.measured.as_ref().map(Bound::workers),
            planned: about.planned.as_ref().map(pair),
            measured: about.measured.as_ref().map(pair),
        },
        critical: critical.lane,
        steps: critical.steps,
        lanes,
        files: files.files,
        tests: columns,
        count,
    }
}

/// As many tests, without the shortest that passed.
fn shown(tests: Vec<Test>, most: usize) -> Vec<Test> {
    if tests.len() <= most {
        return tests;
    }
    let mut order: Vec<usize> = (0..tests.len()).collect();
    let weight = |at: &usize| (number(tests[*at].ended) > 3, tests[*at].seconds());
    order.sort_by(|one, other| {
        let ((one_failed, one), (other_failed, other)) = (weight(one), weight(other));
        (other_failed.cmp(&one_failed)).then(other.total_cmp(&one))
    });
    let mut kept = vec![false; tests.len()];
    order[..most].iter().for_each(|at| kept[*at] = true);
    let tests = tests.into_iter().zip(kept);
    tests
        .filter_map(|(test, kept)| kept.then_some(test))
        .collect()
}

#[cfg(test)]
mod tests {
    use rpytest_ipc::PhaseSeconds;

    use super::*;

    fn test(nodeid: &str, call: f64, outcome: Outcome) -> Test {
        Test {
            nodeid: nodeid.to_owned(),
            lane: 0,
            begin: 0.0,
            seconds: PhaseSeconds {
                call,
                ..PhaseSeconds::default()
            },
            ended: Ended::As(outcome),
            shared: Vec::new(),
        }
    }

    #[test]
    fn of_too_many_tests_those_that_matter_are_shown() {
        let tests = vec![
            test("a", 3.0, Outcome::Passed),
            test("b", 1.0, Outcome::Passed),
            test("c", 0.5, Outcome::Failed),
            test("d", 2.0, Outcome::Passed),
        ];
        let kept = shown(tests, 3);
        let kept: Vec<_> = kept.iter().map(|test| test.nodeid.as_str()).collect();
        assert_eq!(kept, ["a", "c", "d"]);
    }
}
