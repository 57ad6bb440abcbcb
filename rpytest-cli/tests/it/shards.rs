//! Shards: each test in one of them, whatever makes the run, and a proof of it afterwards.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::Signal;

use crate::support::python::main_venv;
use crate::support::{Command, Project, Run, WAYS, Way};

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
fn without_a_directory_a_shard_is_kept_in_pytests_cache() {
    let project = Project::new(SUITE);
    for index in 0..2 {
        let line = format!("-q --shard {index} --total-shards 2 --junitxml=junit.xml");
        assert_eq!(run(&project, &line).code, 0);
    }
    let merged = run(
        &project,
        "merge .pytest_cache/d/rpytest/shards --junitxml all.xml",
    );
    assert_eq!(merged.code, 0, "{merged}");
    let joined = project.read("all.xml");
    assert_eq!(joined.matches("<testcase ").count(), 12, "{joined}");
    assert_eq!(joined.matches("<testsuite ").count(), 2, "{joined}");
    let shard = project
        .root()
        .join(".pytest_cache/d/rpytest/shards/shard-1-of-2");
    fs::remove_dir_all(shard).expect("it is there");
    let merged = run(&project, "merge .pytest_cache");
    assert_eq!(merged.code, 3, "{merged}");
    complains(&merged, &["there is no manifest of shard 1 of 2"]);
    // Where pytest has no cache, nothing is written.
    let project = Project::new(SUITE);
    let line = "-q --shard 0 --total-shards 2 -p no:cacheprovider";
    assert_eq!(run(&project, line).code, 0);
    assert!(!project.root().join(".pytest_cache").exists());
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

const SAD: &str = "
--- test_a.py
def test_good():
    pass

def test_bad():
    assert not 'good'
--- test_b.py
import os

def test_crash():
    os._exit(7)

def test_after():
    pass
";

#[test]
fn what_failed_and_what_crashed_is_joined() {
    for way in WAYS {
        let project = Project::new(SAD);
        each_shard(&project, 2, &format!("-q {}", way.arguments().join(" ")));
        let merged = run(&project, "merge shards");
        assert_eq!(merged.code, 1, "{way:?}\n{merged}");
        merged.shows(&[
            "FAILED test_a.py::test_bad (shard ",
            "CRASHED test_b.py::test_crash (shard ",
            "1 failed, 1 crashed, 2 passed in 2 of 2 shards",
        ]);
    }
}

#[test]
fn what_a_shard_was_to_run_and_did_not_is_named() {
    let project = Project::new(
        "
--- test_a.py
def test_1():
    assert False

def test_2():
    pass

def test_3():
    pass
",
    );
    let stopped = run(
        &project,
        "-x -q --shard 0 --total-shards 1 --shard-dir shards",
    );
    assert_eq!(stopped.code, 1, "{stopped}");
    let merged = run(&project, "merge shards");
    assert_eq!(merged.code, 3, "{merged}");
    let named = "shard 0 ended (exit code 1) without a result of\n    test_a.py::test_2\n    test_a.py::test_3\n";
    assert!(merged.stderr.contains(named), "{merged}");
}

#[test]
fn a_shard_that_is_killed_leaves_what_it_was_to_run() {
    for way in [Way::InProcess, Way::TwoWorkers] {
        let project = Project::new(
            "
--- test_a.py
import time

def test_waits():
    open('waits', 'w').close()
    time.sleep(60)

def test_more():
    pass
",
        );
        let line = format!(
            "-q --shard 0 --total-shards 1 --shard-dir shards {}",
            way.arguments().join(" ")
        );
        let mut running = rpytest(&project, &line).start();
        running.until("the test has begun", || {
            project.root().join("waits").exists()
        });
        running.signal(Signal::KILL);
        running.wait();
        let merged = run(&project, "merge shards");
        assert_eq!(merged.code, 3, "{way:?}\n{merged}");
        let named = "shard 0 never came to its end, and has no results\n    test_a.py::test_more\n    test_a.py::test_waits\n";
        assert!(merged.stderr.contains(named), "{way:?}\n{merged}");
    }
}

#[test]
fn shards_of_different_tests_or_durations_are_no_whole() {
    let project = Project::new(SUITE);
    run(&project, "-q --shard 0 --total-shards 2 --shard-dir shards");
    project.write("--- test_e.py\ndef test_new():\n    pass\n");
    run(&project, "-q --shard 1 --total-shards 2 --shard-dir shards");
    let merged = run(&project, "merge shards");
    assert_eq!(merged.code, 3, "{merged}");
    complains(
        &merged,
        &[
            "shards 0 and 1 collected different tests",
            "test_e.py::test_new (collected by shard 1 only)",
        ],
    );

    // One shard has another past: of two files a slow and a quick one change their places.
    let project = Project::new(
        "
--- test_a.py
def test_a():
    pass
--- test_b.py
def test_b():
    pass
--- test_c.py
def test_c():
    pass
--- durations_1
{\"test_a.py::test_a\": 9, \"test_b.py::test_b\": 4, \"test_c.py::test_c\": 4}
--- durations_2
{\"test_a.py::test_a\": 4, \"test_b.py::test_b\": 4, \"test_c.py::test_c\": 9}
",
    );
    for index in 0..2 {
        let imported = run(
            &project,
            &format!(
                "durations import durations_{} -o .pytest_cache/v/rpytest/durations.json",
                index + 1
            ),
        );
        assert_eq!(imported.code, 0, "{imported}");
        let line = format!("-q --shard {index} --total-shards 2 --shard-dir shards");
        assert_eq!(run(&project, &line).code, 0);
    }
    let merged = run(&project, "merge shards");
    assert_eq!(merged.code, 3, "{merged}");
    complains(
        &merged,
        &[
            "were planned by different durations",
            "test_a.py::test_a (shards 0, 1)",
        ],
    );
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
fn durations_are_pruned_by_what_is_there() {
    let project = Project::new(SUITE);
    whole(&project);
    fs::remove_file(project.root().join("test_d.py")).expect("it is there");
    let pruned = run(&project, "durations prune");
    assert_eq!(pruned.code, 0, "{pruned}");
    pruned.shows(&["4 forgotten, 8 left in "]);
    let merged = run(
        &project,
        "durations merge .pytest_cache/v/rpytest/durations.json -o all.json",
    );
    merged.shows(&["8 tests are known in all.json"]);
}

/// Files of which the source says all items, and a conftest that does not matter to them.
const EXACT: &str = "
--- conftest.py
import pytest

@pytest.fixture
def number():
    return 1
--- test_a.py
def test_1(number):
    open('ran', 'a').write('a1 ')

def test_2():
    open('ran', 'a').write('a2 ')
--- test_b.py
import pytest

@pytest.mark.parametrize('n', [1, 2])
def test_3(n):
    open('ran', 'a').write(f'b{n} ')
--- unit/test_c.py
class TestC:
    def test_5(self):
        open('ran', 'a').write('c5 ')
";

#[test]
fn a_shard_collects_its_own_files_alone_where_the_source_says_all() {
    let project = Project::new(EXACT);
    for way in [Way::InProcess, Way::TwoWorkers] {
        let options = way.arguments().join(" ");
        // It finds out which plugins there are.
        let info = run(
            &project,
            &format!("--shard-info --total-shards 3 {options}"),
        );
        assert_eq!(info.code, 0, "{info}");
        let shards = |more: &str| {
            let mut all = Vec::new();
            for index in 0..3 {
                let _ = fs::remove_file(project.root().join("ran"));
                let line = format!(
                    "--explain --shard {index} --total-shards 3 --shard-dir shards {options} {more}"
                );
                let run = run(&project, &line);
                assert_eq!(run.code, 0, "{line}\n{run}");
                all.push((project.words("ran"), run));
            }
            all
        };
        let foreseen = shards("");
        for (ran, run) in &foreseen {
            complains(
                run,
                &["the shards were known before Python started: 1 of 3 files"],
            );
            run.shows(&[&format!("collected {} item", ran.len())]);
        }
        let merged = run(&project, "merge shards");
        assert_eq!(merged.code, 0, "{merged}");
        merged.shows(&["5 passed in 3 of 3 shards"]);
        // One that has collected everything belongs to the same run.
        for (one, other) in foreseen.iter().zip(shards("--no-native-collection")) {
            assert_eq!(one.0, other.0);
            assert!(!other.1.stderr.contains("before Python started"));
            other.1.shows(&["collected 5 items"]);
        }
    }
}

#[test]
fn a_shard_begins_again_where_the_source_has_not_said_all() {
    // A plugin that nobody could know of: it is loaded by the interpreter's own start, and changes its mind.
    let project = Project::new(EXACT);
    project.write(
        "
--- hidden/sitecustomize.py
import os
os.environ['PYTEST_PLUGINS'] = 'hidden_plugin'
--- hidden/hidden_plugin.py
import os
if os.path.exists('drop'):
    def pytest_collection_modifyitems(items):
        items[:] = [item for item in items if 'test_2' not in item.name]
",
    );
    let rpytest = |line: &str| {
        let path = project.root().join("hidden");
        rpytest(&project, line)
            .env("PYTHONPATH", path.to_str().expect("text"))
            .run()
    };
    for way in WAYS {
        let options = way.arguments().join(" ");
        let _ = fs::remove_file(project.root().join("drop"));
        let _ = fs::remove_dir_all(project.root().join("shards"));
        rpytest(&format!("--shard-info --total-shards 1 {options}"));
        project.write("--- drop\n");
        let _ = fs::remove_file(project.root().join("ran"));
        let shard = |index, total| {
            rpytest(&format!(
                "--shard {index} --total-shards {total} --shard-dir shards {options}"
            ))
        };
        let all = shard(0, 1);
        assert_eq!(all.code, 0, "{way:?}\n{all}");
        complains(&all, &["the run begins again"]);
        assert_eq!(project.words("ran"), ["a1", "b1", "b2", "c5"], "{way:?}");
        let merged = rpytest("merge shards");
        assert_eq!(merged.code, 0, "{merged}");
        merged.shows(&["4 passed in 1 of 1 shards"]);
        // What only one of two shards can see is seen by whoever joins them.
        fs::remove_dir_all(project.root().join("shards")).expect("it is there");
        for index in 0..2 {
            assert_eq!(shard(index, 2).code, 0, "{way:?}");
        }
        let merged = rpytest("merge shards");
        assert_eq!(merged.code, 3, "{merged}");
        complains(
            &merged,
            &[
                "collected different tests",
                "test_a.py::test_2 (collected by shard 1 only)",
            ],
        );
    }
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

#[test]
fn what_plugins_there_are_is_found_out_where_imports_are_worth_it() {
    let project = Project::new(EXACT);
    // Two seconds that two shards of three need not spend.
    project.write(
        "
--- slow.py
import time
time.sleep(2)
--- test_b.py
import slow

def test_3():
    assert slow
",
    );
    let rpytest = |line: &str| {
        let cache = project.base().join("cache");
        rpytest(&project, line)
            .env("RPYTEST_CACHE_DIR", cache.to_str().expect("text"))
            .run()
    };
    let shard = "--explain --shard 0 --total-shards 3";
    let unknown = rpytest(shard);
    assert_eq!(unknown.code, 0, "{unknown}");
    assert!(
        !unknown.stderr.contains("before Python started"),
        "{unknown}"
    );
    assert_eq!(rpytest("-q").code, 0);
    let known = rpytest(shard);
    assert_eq!(known.code, 0, "{known}");
    complains(
        &known,
        &["the shards were known before Python started: 1 of 3 files"],
    );
    // It is known from now on.
    fs::remove_dir_all(project.root().join(".pytest_cache")).expect("it is there");
    complains(
        &rpytest(shard),
        &["the shards were known before Python started"],
    );
    // Unless nobody may know better than pytest.
    let genuine = rpytest("--no-native-collection --explain --shard 0 --total-shards 3");
    assert!(
        !genuine.stderr.contains("before Python started"),
        "{genuine}"
    );
}
