//! What shards leave, and whether it is joined or refused; and the durations that they leave.

use std::fs;

use rustix::process::Signal;

use super::{SUITE, complains, each_shard, rpytest, run, whole};
use crate::support::{Project, WAYS, Way};

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

#[test]
fn a_directory_that_cannot_be_written_to_is_said_before_the_tests_run() {
    let project = Project::new(SUITE);
    project.write("--- occupied\n");
    for way in WAYS {
        let line = format!(
            "--shard 0 --total-shards 2 --shard-dir occupied {}",
            way.arguments().join(" ")
        );
        let run = run(&project, &line);
        assert_eq!(run.code, 4, "{way:?}\n{run}");
        complains(&run, &["--shard-dir: cannot make occupied/shard-0-of-2"]);
    }
    assert_eq!(project.words("ran"), Vec::<String>::new());
}

#[test]
fn what_could_not_be_kept_in_a_named_directory_fails_the_shard() {
    // The tests take away what was there when they began.
    let project = Project::new(
        "
--- test_a.py
import os
import shutil

def test_a():
    shutil.rmtree('shards')
    open('shards', 'w').close()
",
    );
    let run = run(&project, "-q --shard 0 --total-shards 1 --shard-dir shards");
    assert_eq!(run.code, 3, "{run}");
    run.shows(&["1 passed"]);
    complains(
        &run,
        &["error: failed to keep what shards/shard-0-of-1 has"],
    );
}
