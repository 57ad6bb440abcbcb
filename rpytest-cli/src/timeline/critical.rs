//! What determined how long a run took: the steps of which each had to wait for the one before.

use serde::Serialize;

use super::{Lane, Part, Test};

/// One step, in seconds since the run began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Step {
    pub what: String,
    pub begin: f64,
    pub end: f64,
}

/// The lane in which the last test ended, with what came before its tests and after them.
pub(super) struct Critical {
    /// Its number, if any test ran.
    pub lane: Option<usize>,
    pub steps: Vec<Step>,
}

/// Of the stages of a run, in their order, with the times of their ends.
pub(super) fn critical(stages: &[(&str, f64, f64)], lanes: &[Lane], tests: &[Test]) -> Critical {
    let last = (tests.iter()).max_by(|one, other| one.end().total_cmp(&other.end()));
    let mut steps = Vec::new();
    let mut now = 0.0;
    // Each begins where the one before ended: a test that took its process with it may have ended after the last result.
    let mut step = |what: String, end: f64| {
        if end > now {
            let begin = std::mem::replace(&mut now, end);
            steps.push(Step { what, begin, end });
        }
    };
    for (name, begin, end) in stages {
        let Some(last) = last.filter(|_| *name == "Execution") else {
            step((*name).to_owned(), *end);
            continue;
        };
        let of_lane = || tests.iter().filter(|test| test.lane == last.lane);
        let first = of_lane().map(|test| test.begin).fold(*end, f64::min);
        let busy: f64 = of_lane().map(Test::seconds).sum();
        let lane = &lanes[last.lane];
        let who = match lane.part {
            Part::Session => "the session".to_owned(),
            Part::Template | Part::Worker => lane.name.clone(),
        };
        let count = of_lane().count();
        let tests = if count == 1 { "test" } else { "tests" };
        let first = first.max(*begin);
        step(format!("{who} is started"), first);
        let between = (last.end() - first - busy).max(0.0);
        step(
            format!("{who}: {count} {tests}, {busy:.3} s, and {between:.3} s between them"),
            last.end(),
        );
        step("its last result is heard of".to_owned(), *end);
    }
    Critical {
        lane: last.map(|test| test.lane),
        steps,
    }
}

#[cfg(test)]
mod tests {
    use rpytest_ipc::{Outcome, PhaseSeconds};

    use super::super::Ended;
    use super::*;

    fn lane(name: &str) -> Lane {
        Lane {
            name: name.to_owned(),
            part: Part::Worker,
            begin: 0.0,
            end: 9.0,
            collected: None,
            files: Vec::new(),
            running: None,
            free: 0.0,
        }
    }

    fn test(lane: usize, begin: f64, call: f64) -> Test {
        Test {
            nodeid: "a.py::t".to_owned(),
            lane,
            begin,
            seconds: PhaseSeconds {
                call,
                ..PhaseSeconds::default()
            },
            ended: Ended::As(Outcome::Passed),
            shared: Vec::new(),
        }
    }

    #[test]
    fn the_lane_that_ended_last_is_the_one_that_counts() {
        let stages = [
            ("Setup", 0.0, 1.0),
            ("Collection", 1.0, 2.0),
            ("Execution", 2.0, 8.0),
            ("Teardown", 8.0, 8.0),
        ];
        let lanes = [lane("gw0"), lane("gw1")];
        let tests = [test(0, 2.0, 5.5), test(1, 2.5, 1.0), test(1, 4.0, 3.75)];
        let critical = critical(&stages, &lanes, &tests);
        assert_eq!(critical.lane, Some(1));
        let steps: Vec<_> = (critical.steps.iter())
            .map(|step| (step.what.as_str(), step.begin, step.end))
            .collect();
        assert_eq!(
            steps,
            [
                ("Setup", 0.0, 1.0),
                ("Collection", 1.0, 2.0),
                ("gw1 is started", 2.0, 2.5),
                ("gw1: 2 tests, 4.750 s, and 0.500 s between them", 2.5, 7.75),
                ("its last result is heard of", 7.75, 8.0),
            ]
        );
    }

    #[test]
    fn a_run_without_tests_has_its_stages() {
        let critical = critical(&[("Setup", 0.0, 1.0), ("Execution", 1.0, 1.0)], &[], &[]);
        assert_eq!((critical.lane, critical.steps.len()), (None, 1));
    }
}
