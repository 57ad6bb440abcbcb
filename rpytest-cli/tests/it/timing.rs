//! What is said of the time of a run, and of its plan.

use crate::support::python::main_venv;
use crate::support::{Command, Project, Run, WAYS, Way};

const SUITE: &str = "
--- test_a.py
import time

def test_a1():
    time.sleep(0.15)

def test_a2():
    time.sleep(0.15)
--- test_b.py
import time

def test_b1():
    time.sleep(0.15)

def test_b2():
    time.sleep(0.15)
";

fn run(project: &Project, way: Way, more: &str) -> Run {
    Command::rpytest(main_venv(), project)
        .args(way.arguments())
        .args(more.split_whitespace())
        .run()
}

/// The seconds of each line of `--timing`, by its name.
fn seconds(run: &Run, name: &str) -> f64 {
    let line = run.stderr.lines().find_map(|line| {
        let line = line.strip_prefix("rpytest: ")?;
        line.strip_prefix(name)
    });
    let line = line.unwrap_or_else(|| panic!("{name} is not in:\n{run}"));
    let text = line.split_whitespace().next().unwrap_or_default();
    text.parse().unwrap_or_else(|_| panic!("{line}"))
}

#[test]
fn timing_says_where_the_time_of_a_run_went() {
    for way in WAYS {
        let project = Project::new(SUITE);
        // A test that sleeps does so while tests are executed. That they have begun is known when there is time to
        // hear of the collection's end, which a busy machine may have none for; not in each of three runs.
        let workers = if way == Way::TwoWorkers { 2.0 } else { 1.0 };
        let mut runs = (0..3).map(|_| run(&project, way, "-q --timing"));
        let slept = |run: &Run| seconds(run, "Execution") >= 0.6 / workers - 0.1;
        let run = runs.find(slept);
        let run = run.unwrap_or_else(|| panic!("{way:?}: the tests' sleep is no execution"));
        assert_eq!(run.code, 0, "{run}");
        let parts = ["Setup", "Collection", "Execution", "Teardown", "Reporting"];
        let sum: f64 = parts.iter().map(|part| seconds(&run, part)).sum();
        let total = seconds(&run, "Total");
        assert!((sum - total).abs() < 0.01, "{way:?}\n{run}");
        assert!(!run.stderr.contains("plan for"), "{run}");
    }
}

#[test]
fn a_plan_is_told_with_its_bound_once_durations_are_known() {
    let project = Project::new(SUITE);
    let first = run(&project, Way::TwoWorkers, "-v");
    assert!(!first.stdout.contains("plan for"), "{first}");
    let second = run(&project, Way::TwoWorkers, "-v --timing");
    second.shows(&["\nplan for 2 workers: ", " of the lower bound\n"]);
    assert!(second.stderr.contains("plan for 2 workers: "), "{second}");
    let quiet = run(&project, Way::TwoWorkers, "");
    assert!(!quiet.stdout.contains("plan for"), "{quiet}");
    // One worker has no choice.
    for way in [Way::OneWorker, Way::InProcess] {
        let alone = run(&project, way, "-v");
        assert!(!alone.stdout.contains("plan for"), "{alone}");
    }
}
