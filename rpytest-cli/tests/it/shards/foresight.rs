//! Shards that are known before Python starts, or are taken for known.

use std::fs;

use rustix::process::Signal;

use super::{complains, rpytest, run};
use crate::support::{Project, WAYS, Way};

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
    assert n < 2, 'too large'
--- unit/test_c.py
class TestC:
    def test_5(self):
        open('ran', 'a').write('c5 ')
";

/// What a shard has left of its tests: node id and status of each, and what its JUnit XML says of it, but for the time.
fn told(project: &Project, index: u32) -> Vec<(String, String, String)> {
    let left = format!("shards/shard-{index}-of-3");
    let manifest = project.read(&format!("{left}/manifest.json"));
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("a manifest");
    let junit = project.read(&format!("{left}/junit.xml"));
    let cases: Vec<String> = (junit.split("<testcase ").skip(1))
        .map(|case| {
            let (before, rest) = case.split_once(" time=\"").expect("a time");
            let (_, after) = rest.split_once('"').expect("its end");
            format!("{before}{}", after.replace("</testsuite></testsuites>", ""))
        })
        .collect();
    let results = manifest["results"].as_array().expect("results");
    assert_eq!(results.len(), cases.len(), "{junit}");
    let result = |(result, case): (&serde_json::Value, String)| {
        let position = result[0].as_u64().expect("a position") as usize;
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        (text(&manifest["items"][position]), text(&result[1]), case)
    };
    results.iter().zip(cases).map(result).collect()
}

#[test]
fn a_shard_collects_its_own_files_alone_where_the_source_says_all() {
    let project = Project::new(EXACT);
    for way in [Way::InProcess, Way::TwoWorkers] {
        let options = way.arguments().join(" ");
        // It finds out which plugins there are.
        let info = run(
            &project,
            &format!("--shard-info --total-shards 3 --junitxml=junit.xml {options}"),
        );
        assert_eq!(info.code, 0, "{info}");
        let shards = |more: &str| {
            let mut all = Vec::new();
            for index in 0..3 {
                let _ = fs::remove_file(project.root().join("ran"));
                let line = format!(
                    "--explain --shard {index} --total-shards 3 --shard-dir shards --junitxml=junit.xml {options} {more}"
                );
                let run = run(&project, &line);
                assert!(matches!(run.code, 0 | 1), "{line}\n{run}");
                all.push((told(&project, index), run));
            }
            all
        };
        let foreseen = shards("");
        for (results, run) in &foreseen {
            complains(
                run,
                &["the shards were known before Python started: 1 of 3 files"],
            );
            run.shows(&[&format!("collected {} item", results.len())]);
        }
        let merged = run(&project, "merge shards");
        assert_eq!(merged.code, 1, "{merged}");
        merged.shows(&[
            "FAILED test_b.py::test_3[2]",
            "1 failed, 4 passed in 3 of 3 shards",
        ]);
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
        assert_eq!(all.code, 1, "{way:?}\n{all}");
        complains(&all, &["the run begins again"]);
        assert_eq!(project.words("ran"), ["a1", "b1", "b2", "c5"], "{way:?}");
        let merged = rpytest("merge shards");
        assert_eq!(merged.code, 1, "{merged}");
        merged.shows(&["1 failed, 3 passed in 1 of 1 shards"]);
        // What only one of two shards can see is seen by whoever joins them.
        fs::remove_dir_all(project.root().join("shards")).expect("it is there");
        for index in 0..2 {
            assert!(matches!(shard(index, 2).code, 0 | 1), "{way:?}");
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

#[test]
fn an_interrupt_while_plugins_are_found_out_ends_the_run() {
    // Whoever finds out which plugins there are loads the conftest, and stands still in it.
    let project = Project::new(EXACT);
    project.write(
        "
--- conftest.py
import os
import time

import pytest

if os.path.exists('wait'):
    open('waits', 'w').close()
    while True:
        time.sleep(0.01)

@pytest.fixture
def number():
    return 1
--- slow.py
import time
time.sleep(2)
--- test_b.py
import slow

def test_3():
    assert slow
",
    );
    let command = |line: &str| {
        let cache = project.base().join("cache");
        rpytest(&project, line).env("RPYTEST_CACHE_DIR", cache.to_str().expect("text"))
    };
    // Durations that say that it pays.
    assert_eq!(command("-q").run().code, 0);
    let _ = fs::remove_file(project.root().join("ran"));
    project.write("--- wait\n");
    let mut running = command("--shard 0 --total-shards 3").start();
    running.until("it waits", || project.root().join("waits").exists());
    running.signal_group(Signal::INT);
    fs::remove_file(project.root().join("wait")).expect("it is there");
    let run = running.wait();
    assert_eq!(run.code, 2, "{run}");
    assert_eq!(project.words("ran"), Vec::<String>::new(), "{run}");
}
