//! Shards: each test in one of them, whatever makes the run, and a proof of it afterwards.

mod foresight;
mod merge;

use std::collections::BTreeMap;
use std::fs;

use crate::support::daemon::Daemon;
use crate::support::python::main_venv;
use crate::support::{Command, Project, Run, WAYS};

/// Twelve tests of several kinds in four files. Each leaves its name.
const SUITE: &str = "
--- conftest.py
import pytest

@pytest.fixture(autouse=True)
def ran(request):
    yield
    with open('ran', 'a') as file:
        file.write(request.node.nodeid.replace(' ', '') + '\\n')
--- test_a.py
import pytest

@pytest.mark.parametrize('n', range(4))
def test_numbers(n):
    assert n < 9
--- unit/test_b.py
class TestB:
    def test_one(self):
        pass

    def test_two(self):
        pass
--- unit/test_c.py
import unittest

class TestC(unittest.TestCase):
    def test_c(self):
        pass

def test_twice():
    pass
--- test_d.py
import pytest

def test_d():
    pass

def test_skipped():
    pytest.skip('not here')

@pytest.mark.xfail
def test_expected():
    assert False

def test_last():
    pass
";

fn rpytest<'a>(project: &'a Project, line: &str) -> Command<'a> {
    Command::rpytest(main_venv(), project).args(line.split_whitespace())
}

fn run(project: &Project, line: &str) -> Run {
    rpytest(project, line).run()
}

/// Checks that each text is in what went wrong.
#[track_caller]
fn complains(run: &Run, texts: &[&str]) {
    for text in texts {
        assert!(run.stderr.contains(text), "{text:?} is not in:\n{run}");
    }
}

/// Runs all shards of a suite one after the other, and returns which tests each has run.
fn each_shard(project: &Project, total: u32, options: &str) -> Vec<Vec<String>> {
    let shard = |index| {
        let _ = fs::remove_file(project.root().join("ran"));
        let line = format!("--shard {index} --total-shards {total} --shard-dir shards {options}");
        let run = run(project, &line);
        assert!(matches!(run.code, 0 | 1), "{line}\n{run}");
        project.words("ran")
    };
    (0..total).map(shard).collect()
}

/// The tests of all shards, of which each must have run in one of them.
#[track_caller]
fn together(shards: &[Vec<String>]) -> Vec<String> {
    let mut all: Vec<String> = shards.concat();
    all.sort();
    let before = all.len();
    all.dedup();
    assert_eq!(before, all.len(), "a test ran twice: {shards:#?}");
    all
}

/// Runs all of it without shards, and returns what ran.
fn whole(project: &Project) -> Vec<String> {
    let _ = fs::remove_file(project.root().join("ran"));
    let whole = run(project, "-q");
    assert_eq!(whole.code, 0, "{whole}");
    let ran = project.words("ran");
    assert_eq!(ran.len(), 12, "{ran:?}");
    ran
}

#[test]
fn each_test_runs_in_one_shard_by_every_strategy_in_every_way() {
    let project = Project::new(SUITE);
    let all = whole(&project);
    for strategy in ["duration_balanced", "least_duration", "round_robin", "hash"] {
        for way in WAYS {
            let options = format!(
                "-q --shard-strategy {strategy} {}",
                way.arguments().join(" ")
            );
            let shards = each_shard(&project, 3, &options);
            let what = format!("{strategy} {way:?}");
            assert_eq!(together(&shards), all, "{what}");
            assert!(
                shards.iter().all(|ran| ran.len() < all.len()),
                "{what}: {shards:#?}"
            );
            let merged = run(&project, "merge shards");
            assert_eq!(merged.code, 0, "{what}\n{merged}");
            merged.shows(&["10 passed, 1 skipped, 1 xfailed in 3 of 3 shards"]);
        }
    }
}

#[test]
fn the_session_says_what_its_shard_is() {
    let project = Project::new(SUITE);
    for way in WAYS {
        let line = format!(
            "--no-native-collection --shard 1 --total-shards 3 {}",
            way.arguments().join(" ")
        );
        let _ = fs::remove_dir_all(project.root().join(".pytest_cache"));
        let first = run(&project, &line);
        first.shows(&[
            "collected 12 items / 8 deselected / 4 selected",
            "shard 1 of 3 (duration_balanced): 4 of 12 tests, no durations of earlier runs are known",
        ]);
        whole(&project);
        let second = run(&project, &line);
        second.shows(&["shard 1 of 3 (duration_balanced): ", "s by earlier runs"]);
    }
}

#[test]
fn a_sharded_run_does_not_change_what_shards_are_planned_by() {
    let project = Project::new(SUITE);
    whole(&project);
    let durations = ".pytest_cache/v/rpytest/durations.json";
    let before = project.read(durations);
    assert!(!before.is_empty());
    let one = each_shard(&project, 2, "-q");
    assert_eq!(project.read(durations), before);
    assert_eq!(each_shard(&project, 2, "-q -n 2"), one);
    // Joined, they are what the next run is planned by.
    let merged = run(&project, &format!("merge shards --durations {durations}"));
    assert_eq!(merged.code, 0, "{merged}");
    let shown = run(&project, "durations show");
    assert_eq!(shown.code, 0, "{shown}");
    let runs: Vec<&str> = (shown.stdout.lines())
        .filter(|line| line.contains("::"))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(runs, ["2"; 12], "{shown}");
}

#[test]
fn an_empty_shard_is_a_success_that_says_so() {
    let project = Project::new("--- test_a.py\ndef test_a():\n    pass\n");
    for way in WAYS {
        let options = way.arguments().join(" ");
        let mut empty = 0;
        for index in 0..3 {
            let line = format!("-q --shard {index} --total-shards 3 --shard-dir shards {options}");
            let run = run(&project, &line);
            assert_eq!(run.code, 0, "{line}\n{run}");
            empty += usize::from(run.stdout.contains("none of 1 test, and so it passes"));
        }
        assert_eq!(empty, 2, "{way:?}");
        let merged = run(&project, "merge shards");
        assert_eq!(merged.code, 0, "{merged}");
        merged.shows(&["1 passed in 3 of 3 shards"]);
        // That there are no tests at all is what pytest calls it.
        let line = format!("--shard 0 --total-shards 3 -k nothing --shard-dir none {options}");
        assert_eq!(run(&project, &line).code, 5, "{way:?}");
    }
}

#[test]
fn everybody_else_selects_first() {
    let project = Project::new(SUITE);
    project.write(
        "
--- conftest.py
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    yield
    items[:] = [item for item in reversed(items) if 'one' not in item.name]
",
    );
    for way in WAYS {
        let options = way.arguments().join(" ");
        let mut ids = BTreeMap::new();
        for index in 0..2 {
            let line = format!("-v --shard {index} --total-shards 2 -k unit {options}");
            let run = run(&project, &line);
            assert_eq!(run.code, 0, "{line}\n{run}");
            for line in run.stdout.lines().filter(|line| line.contains(" PASSED")) {
                let id = line.split_whitespace().next().unwrap_or_default();
                ids.insert(id.to_owned(), index);
            }
        }
        let expected = [
            "unit/test_b.py::TestB::test_two",
            "unit/test_c.py::TestC::test_c",
            "unit/test_c.py::test_twice",
        ];
        assert_eq!(ids.keys().collect::<Vec<_>>(), expected, "{way:?}");
        assert!(
            ids.values().any(|shard| *shard == 0) && ids.values().any(|shard| *shard == 1),
            "{ids:?}"
        );
    }
}

#[test]
fn workers_that_collect_for_themselves_divide_alike() {
    let project = Project::new(SUITE);
    let all = whole(&project);
    let line = |index| format!("-q --explain -n 2 --shard {index} --total-shards 2");
    let mut shards = Vec::new();
    for index in 0..2 {
        let _ = fs::remove_file(project.root().join("ran"));
        let run = rpytest(&project, &line(index))
            .env("RPYTEST_SNAPSHOT", "configured")
            .run();
        assert_eq!(run.code, 0, "{run}");
        complains(&run, &["2 workers collected for themselves"]);
        shards.push(project.words("ran"));
    }
    assert_eq!(together(&shards), all);
}

#[test]
fn bazel_is_told_that_somebody_divides() {
    let project = Project::new(SUITE);
    let told = project.base().join("told");
    let run = rpytest(&project, "-q --shard auto")
        .env("TEST_SHARD_INDEX", "1")
        .env("TEST_TOTAL_SHARDS", "2")
        .env("TEST_SHARD_STATUS_FILE", told.to_str().expect("text"))
        .run();
    assert_eq!(run.code, 0, "{run}");
    run.shows(&["shard 1 of 2"]);
    assert!(told.exists());
}

#[test]
fn a_shard_can_be_listed() {
    let project = Project::new(SUITE);
    let mut listed = Vec::new();
    for index in 0..2 {
        let line = format!("--collect-only -q --shard {index} --total-shards 2");
        let run = run(&project, &line);
        assert_eq!(run.code, 0, "{run}");
        let ids = run.stdout.lines().filter(|line| line.contains("::"));
        listed.extend(ids.map(str::to_owned));
    }
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), 12, "{listed:?}");
    assert!(
        !project
            .root()
            .join(".pytest_cache/d/rpytest/shards")
            .exists()
    );
}

#[test]
fn shard_info_tells_of_all_shards_and_runs_none() {
    let project = Project::new(SUITE);
    let info = run(&project, "--shard-info --total-shards 3 --shard 1");
    assert_eq!(info.code, 0, "{info}");
    assert_eq!(project.words("ran"), Vec::<String>::new());
    info.shows(&[
        "12 tests in 3 shards (duration_balanced), no durations of earlier runs are known",
        "     1        4            - <- this one",
    ]);
    whole(&project);
    let info = rpytest(&project, "--shard-info --shard auto -k test_a")
        .env("CI_NODE_INDEX", "2")
        .env("CI_NODE_TOTAL", "2")
        .run();
    info.shows(&[
        "4 tests in 2 shards (duration_balanced), all with durations of earlier runs",
        "the longest shard takes ",
    ]);
    project.write("--- test_broken.py\nimport nothing_of_that_name\n");
    let info = run(&project, "--shard-info --total-shards 3");
    assert_eq!(info.code, 2, "{info}");
    info.shows(&["nothing_of_that_name"]);
}

#[test]
fn what_is_wrong_is_said() {
    let project = Project::new(SUITE);
    for (line, code, text) in [
        (
            "--shard auto",
            4,
            "RPYTEST_SHARD: ${{ strategy.job-index }}",
        ),
        (
            "--shard 3 --total-shards 3",
            4,
            "--shard: 3 is none of the shards 0 to 2",
        ),
        ("--shard 0", 4, "--shard works with --total-shards only"),
        ("merge nowhere", 4, "failed to read nowhere"),
        ("merge unit", 4, "--shard-dir=DIR"),
        ("durations show", 4, "durations.json"),
        ("durations import test_a.py", 4, "neither JUnit XML nor"),
    ] {
        let run = run(&project, line);
        assert_eq!(run.code, code, "{line}\n{run}");
        assert!(run.stderr.contains(text), "{line}\n{run}");
    }
    project.write("--- shards/shard-0-of-1/manifest.json\n{\"version\": 9}\n");
    let merged = run(&project, "merge shards");
    assert_eq!(merged.code, 4, "{merged}");
    assert!(merged.stderr.contains("has version 9"), "{merged}");
}

#[test]
fn a_shard_borrows_no_collection_from_the_daemon() {
    let project = Project::new(SUITE);
    let line = |more: &str| {
        rpytest(&project, &format!("-q {more}"))
            .without("RPYTEST_NO_DAEMON")
            .run()
    };
    // Two runs of everything: the second one begins from what the daemon has collected.
    assert_eq!(line("").code, 0);
    Daemon::that_a_run_started(&project).has_settled();
    assert_eq!(line("").code, 0);
    let mut shards = Vec::new();
    for index in 0..2 {
        let _ = fs::remove_file(project.root().join("ran"));
        let run = line(&format!("--explain --shard {index} --total-shards 2"));
        assert_eq!(run.code, 0, "{run}");
        complains(&run, &["the daemon lent "]);
        assert!(!run.stderr.contains("had collected"), "{run}");
        shards.push(project.words("ran"));
    }
    assert_eq!(together(&shards).len(), 12);
    assert_eq!(rpytest(&project, "--daemon-stop").run().code, 0);
}
