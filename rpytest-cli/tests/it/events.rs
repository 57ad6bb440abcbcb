//! What machines are told of a run: the same of each kind of run, each thing once, and by the schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::normal::{difference, normal, normal_text};
use crate::support::project::Files;
use crate::support::python::{main_venv, plain_venv, venv_of};
use crate::support::{Command, Project, RUNS_ON, Run, WAYS, Way};

/// A project with all that a test can come to.
const SUITE: Files<'_> = Files::Directory("examples/suite");

/// Two that pass and one that ends its process, which stands in the middle.
const CRASH: &str = "
--- test_a.py
import os
import warnings

warnings.warn('of the module', UserWarning)

def test_1():
    warnings.warn('of the test', UserWarning)

def test_2():
    os._exit(7)

def test_3():
    pass
";

/// The lines of a text, each as JSON.
#[track_caller]
pub fn lines(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

/// What is the same in all runs: without times, and without who ran what.
pub fn alike(events: &[Value], base: &Path) -> Vec<String> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for key in ["time", "seconds", "worker", "args"] {
                    map.remove(key);
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let stripped = events.iter().map(|event| {
        let mut event = event.clone();
        strip(&mut event);
        normal_text(&event.to_string(), base)
    });
    let mut stripped: Vec<String> = stripped.collect();
    stripped.sort();
    stripped
}

#[track_caller]
fn are_equal(expected: &[String], got: &[String]) {
    let differs = difference(&expected.join("\n"), &got.join("\n"));
    assert!(expected == got, "{differs}");
}

fn kind(event: &Value) -> &str {
    event["event"].as_str().expect("it has a kind")
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(kind).collect()
}

/// Checks what holds for any run to its end: the order, and that each test begins and ends once.
#[track_caller]
pub fn are_in_order(events: &[Value]) {
    let kinds = kinds(events);
    let place = |wanted| kinds.iter().position(|kind| *kind == wanted);
    assert_eq!(place("session_started"), Some(0), "{kinds:?}");
    assert_eq!(events[0]["v"], 1);
    assert_eq!(place("session_finished"), Some(kinds.len() - 1));
    let collected = place("collected").expect("it has collected");
    let mut tests: BTreeMap<[String; 3], Vec<&str>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        if kind(event).starts_with("test_") {
            assert!(at > collected, "{event} before the collection is over");
            let key = [&event["nodeid"], &event["nth"], &event["worker"]].map(Value::to_string);
            tests.entry(key).or_default().push(kind(event));
        }
    }
    for (test, kinds) in &tests {
        assert_eq!(*kinds, ["test_started", "test_finished"], "{test:?}");
    }
    let ran: BTreeSet<_> = tests.keys().map(|[nodeid, nth, _]| (nodeid, nth)).collect();
    let told = &events[collected]["tests"];
    assert_eq!(*told, ran.len(), "each test that was collected has run");
    let times: Vec<f64> = events
        .iter()
        .filter_map(|event| event["time"].as_f64())
        .collect();
    assert!(times.iter().all(|time| *time > 1e9), "{times:?}");
}

fn json(project: &Project, way: Way, arguments: &[&str]) -> (Run, Vec<Value>) {
    let run = Command::rpytest(main_venv(), project)
        .args(way.arguments())
        .args(["--message-format", "json"])
        .args(arguments)
        .run();
    let events = lines(&run.stdout);
    (run, events)
}

/// The counts in the last line of a report.
fn counts(report: &str) -> BTreeMap<String, u64> {
    let last = report
        .lines()
        .rfind(|line| line.contains(" in "))
        .expect("a last line");
    let counted = last
        .trim_matches(['=', ' '])
        .split(" in ")
        .next()
        .expect("counts");
    let named = counted.split(", ").map(|part| {
        let (number, name) = part.split_once(' ').expect("a number and a name");
        let name = match name {
            "warning" => "warnings",
            "errors" => "error",
            name => name,
        };
        (name.to_owned(), number.parse().expect("a number"))
    });
    named.collect()
}

#[test]
fn each_way_to_run_tells_the_same_and_shows_the_report_on_standard_error() {
    let mut first: Option<(Vec<String>, Project)> = None;
    let mut written: Vec<PathBuf> = Vec::new();
    let mut kept = Vec::new();
    for way in WAYS {
        let project = Project::of(SUITE);
        // What pytest writes into the output of a test with subtests is not there with workers.
        let subtests = [
            "--deselect",
            "tests/unit/test_case.py::ShelfCase::test_each",
        ];
        let (run, events) = json(&project, way, &subtests);
        assert_eq!(run.code, 1, "{run}");
        are_in_order(&events);
        let worker = |event: &Value| event.get("worker").is_some();
        let with_workers = events.iter().any(worker);
        assert_eq!(with_workers, way != Way::InProcess);
        let last = events.last().expect("it ends");
        let told: BTreeMap<String, u64> =
            serde_json::from_value(last["counts"].clone()).expect("counts");
        assert_eq!(told, counts(&run.stderr), "pytest's last line");
        assert_eq!(last["exit"], 1);
        let plain = Command::pytest(main_venv(), &project).args(subtests).run();
        let ours = normal_text(&run.stderr, project.base());
        assert_eq!(
            ours,
            normal(&plain, &project).stdout,
            "the report is pytest's"
        );
        let alike = alike(&events, project.base());
        match &first {
            None => first = Some((alike, project)),
            Some((expected, _)) => are_equal(expected, &alike),
        }
        let path = kept_at(&mut kept, &run.stdout);
        written.push(path);
    }
    let (alike_first, _) = first.expect("it has run");
    // Without short cuts it is the same again.
    let project = Project::of(SUITE);
    let genuine = Command::rpytest(main_venv(), &project)
        .env("RPYTEST_GENUINE", "1")
        .args([
            "--json",
            "--deselect",
            "tests/unit/test_case.py::ShelfCase::test_each",
        ])
        .run();
    are_equal(
        &alike_first,
        &alike(&lines(&genuine.stdout), project.base()),
    );
    let project = Project::new(CRASH);
    written.push(kept_at(
        &mut kept,
        &json(&project, Way::TwoWorkers, &[]).0.stdout,
    ));
    let only = json(&project, Way::InProcess, &["--collect-only"]).0.stdout;
    written.push(kept_at(&mut kept, &only));
    fit_the_schema(&written);
}

fn kept_at(kept: &mut Vec<tempfile::TempDir>, text: &str) -> PathBuf {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("lines");
    fs::write(&path, text).expect("written");
    kept.push(directory);
    path
}

/// Checks lines against `docs/events.schema.json`, and that each kind of event is among them.
fn fit_the_schema(paths: &[PathBuf]) {
    let venv = venv_of("schema", &["jsonschema==4.25.1"]);
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = process::Command::new(venv.bin().join("python"))
        .arg(crate_root.join("tests/it/schema.py"))
        .arg(crate_root.join("../docs/events.schema.json"))
        .args(paths)
        .output()
        .expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let all = "collect_report collected crash session_finished session_started test_collected test_finished test_started warning\n";
    assert_eq!(text(&output.stdout), all);
}

#[test]
fn a_crash_is_told_once_and_nothing_is_told_twice() {
    for way in WAYS {
        let project = Project::new(CRASH);
        let (run, events) = json(&project, way, &[]);
        assert_eq!(run.code, 1, "{run}");
        are_in_order(&events);
        let of = |wanted: &str| -> Vec<&Value> {
            events
                .iter()
                .filter(|event| kind(event) == wanted)
                .collect()
        };
        let crashes = of("crash");
        assert_eq!(crashes.len(), 1, "{way:?}");
        assert_eq!(crashes[0]["nodeid"], "test_a.py::test_2");
        let reason = crashes[0]["reason"].as_str().expect("a reason");
        assert_eq!(reason, "exited with code 7");
        let ended = of("test_finished");
        let failed: Vec<_> = ended
            .iter()
            .filter(|event| event["outcome"] == "failed")
            .collect();
        assert_eq!(failed.len(), 1);
        let text = failed[0]["reports"][0]["text"].as_str().expect("a text");
        assert!(
            text.contains("crashed while running 'test_a.py::test_2': "),
            "{text}"
        );
        assert_eq!(
            of("warning").len(),
            2,
            "{way:?}: one of the module, one of the test"
        );
        let last = events.last().expect("it ends");
        let counted = &last["counts"];
        assert_eq!(
            (&counted["passed"], &counted["failed"]),
            (&2.into(), &1.into()),
            "{last}"
        );
        assert_eq!(last["tests"], serde_json::json!({"failed": 1, "passed": 2}));
    }
}

#[test]
fn a_path_leaves_the_report_where_it_was() {
    let project = Project::of(SUITE);
    let plain = Command::rpytest(main_venv(), &project).run();
    fs::write(project.root().join("out.jsonl"), "of an earlier run\n").expect("written");
    let run = Command::rpytest(main_venv(), &project)
        .args(["--message-format=json=out.jsonl"])
        .run();
    let (plain, run) = (normal(&plain, &project), normal(&run, &project));
    assert_eq!((run.stdout, run.stderr), (plain.stdout, plain.stderr));
    are_in_order(&lines(&project.read("out.jsonl")));
}

#[test]
fn what_cannot_be_written_fails_the_run_and_loses_nothing_of_it() {
    let project = Project::new("--- test_a.py\ndef test_a():\n    pass\n");
    let nowhere = Command::rpytest(main_venv(), &project)
        .args(["--message-format", "json=no/such/directory"])
        .run();
    assert_eq!(nowhere.code, 4, "{nowhere}");
    let said = "rpytest: error: failed to open no/such/directory for messages: ";
    assert!(nowhere.stderr.starts_with(said), "{nowhere}");
    assert_eq!(nowhere.stdout, "", "nothing has run");
    // The reader goes when the first line is there.
    let script = "{ \"$rpytest\" --json -q 2>report; echo $? >code; } | head -n 1 >first";
    for way in [Way::InProcess, Way::TwoWorkers] {
        let many = "--- test_a.py\nimport pytest\n@pytest.mark.parametrize('n', range(3000))\ndef test_a(n):\n    pass\n";
        let project = Project::new(many);
        let script = script.replace("-q", &format!("-q {}", way.arguments().join(" ")));
        Command::shell(main_venv(), &project, &script).run();
        assert_eq!(
            project.read("code").trim(),
            "3",
            "{}",
            project.read("report")
        );
        let report = project.read("report");
        assert!(report.contains("3000 passed"), "{report}");
        assert!(
            report.contains(
                "rpytest: error: failed to write messages to standard output: Broken pipe"
            ),
            "{report}"
        );
        assert_eq!(kinds(&lines(&project.read("first"))), ["session_started"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_does_not_end_the_run() {
    let project = Project::new("--- test_a.py\ndef test_a():\n    pass\n");
    let run = Command::rpytest(main_venv(), &project)
        .args(["--message-format", "json=/dev/full"])
        .run();
    run.expect(3, "1 passed");
    let said = "rpytest: error: failed to write messages to /dev/full: No space left on device";
    assert!(run.stderr.starts_with(said), "{run}");
}

#[test]
fn a_session_that_only_collects_tells_its_tests() {
    let project = Project::of(SUITE);
    let (run, events) = json(
        &project,
        Way::InProcess,
        &["--collect-only", "-q", "tests/unit"],
    );
    assert_eq!(run.code, 0, "{run}");
    let tests: Vec<&Value> = events
        .iter()
        .filter(|event| kind(event) == "test_collected")
        .collect();
    let ids: Vec<&str> = tests
        .iter()
        .filter_map(|test| test["nodeid"].as_str())
        .collect();
    let listed: Vec<&str> = run
        .stderr
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(ids, listed);
    assert_eq!(
        (&tests[0]["file"], &tests[0]["line"]),
        (&"tests/unit/test_case.py".into(), &9.into())
    );
}

#[test]
fn a_session_that_does_not_begin_or_finds_errors_says_so() {
    let project = Project::new(
        "--- test_a.py\nimport nothing_of_that_name\n--- test_b.py\ndef test_b():\n    pass\n",
    );
    let (run, events) = json(&project, Way::InProcess, &["--no-such-option"]);
    assert_eq!(
        (run.code, kinds(&events)),
        (4, vec!["session_finished"]),
        "{run}"
    );
    assert_eq!(events[0]["exit"], 4);
    for way in WAYS {
        let (run, events) = json(&project, way, &[]);
        assert_eq!(run.code, 2, "{run}");
        let expected = [
            "session_started",
            "collect_report",
            "collected",
            "session_finished",
        ];
        assert_eq!(kinds(&events), expected, "{way:?}");
        assert_eq!(events[1]["outcome"], "error");
        assert!(
            events[1]["text"]
                .as_str()
                .is_some_and(|text| text.contains("nothing_of_that_name"))
        );
        assert_eq!(
            (&events[2]["tests"], &events[2]["errors"]),
            (&1.into(), &1.into()),
            "{way:?}"
        );
    }
}

#[test]
fn an_interrupt_leaves_a_test_without_an_end() {
    for way in [Way::InProcess, Way::TwoWorkers] {
        let project = Project::new(RUNS_ON);
        let mut running = Command::rpytest(main_venv(), &project)
            .args(way.arguments())
            .args(["--json"])
            .start();
        running.until("the test runs", || project.root().join("runs").exists());
        running.signal(Signal::INT);
        let run = running.wait();
        assert_eq!(run.code, 2, "{run}");
        let events = lines(&run.stdout);
        let expected = [
            "session_started",
            "collected",
            "test_started",
            "session_finished",
        ];
        assert_eq!(kinds(&events), expected, "{way:?}");
        assert_eq!(events[3]["exit"], 2);
    }
}

#[test]
fn who_interrupts_does_not_wait_for_the_reader_of_a_pipe() {
    let project = Project::new(RUNS_ON);
    let pipe = project.root().join("pipe");
    let made = process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.expect("it starts").success());
    let mut running = Command::rpytest(main_venv(), &project)
        .args(["--message-format", "json=pipe"])
        .start();
    running.until("the test runs", || project.root().join("runs").exists());
    running.signal(Signal::INT);
    let report = project.base().join("output/stdout");
    let reported = || fs::read_to_string(&report).is_ok_and(|text| text.contains("KeyboardInt"));
    running.until("the run is over", reported);
    running.signal(Signal::INT);
    let run = running.wait();
    assert_eq!(run.code, 2, "{run}");
    let said =
        "rpytest: error: failed to write messages to pipe: nobody has read them to the end\n";
    assert!(run.stderr.ends_with(said), "{run}");
}

#[test]
fn a_session_whose_process_dies_has_crashed() {
    let project = Project::new(
        "
--- conftest.py
import os

def pytest_sessionfinish():
    os._exit(5)
--- test_a.py
def test_a():
    assert 0
",
    );
    for way in WAYS {
        let (run, events) = json(&project, way, &[]);
        assert_eq!(run.code, 5, "{way:?} {run}");
        are_in_order(&events);
        let crash = &events[events.len() - 2];
        assert_eq!(kind(crash), "crash", "{way:?}");
        assert_eq!(crash["reason"], "exited with code 5");
        assert!(crash.get("nodeid").is_none(), "{crash}");
    }
    // The line of letters is open still.
    let run = Command::rpytest(main_venv(), &project)
        .args(["--github", "-q"])
        .run();
    assert!(run.stdout.contains("\n::error "), "{run}");
}

#[test]
fn the_exit_code_that_is_told_is_that_of_the_command() {
    let project = Project::new(
        "--- test_a.py\nimport shutil\ndef test_a():\n    shutil.rmtree('made')\n    open('made', 'w')\n",
    );
    let (run, events) = json(&project, Way::InProcess, &["--timing=html:made/page.html"]);
    assert_eq!(run.code, 3, "{run}");
    assert_eq!(events.last().expect("it ends")["exit"], 3);
}

#[test]
fn with_dist_each_a_test_is_told_of_once_by_each_worker() {
    let project = Project::new("--- test_a.py\ndef test_a(): pass\ndef test_b(): pass\n");
    let (run, events) = json(&project, Way::TwoWorkers, &["--dist", "each"]);
    assert_eq!(run.code, 0, "{run}");
    are_in_order(&events);
    let ended = events.iter().filter(|event| kind(event) == "test_finished");
    assert_eq!(ended.count(), 4, "two by each of two workers");
}

/// Of what a report is called, those who say so are asked as often as by pytest.
#[test]
fn to_listen_asks_no_hook_again() {
    let project = Project::new(
        "
--- conftest.py
import os

asked = []

def pytest_report_teststatus(report):
    assert 'PYTEST_XDIST_WORKER' not in os.environ, 'nothing is shown there'
    asked.append(report.when)
    if report.when == 'call' and report.failed:
        return 'broken', 'B', f'BROKEN {len(asked)}'

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f'asked {len(asked)} times')
--- test_a.py
def test_a():
    pass

def test_b():
    assert 0
",
    );
    let pytest = Command::pytest(main_venv(), &project).args(["-v"]).run();
    pytest.shows(&["asked 6 times"]);
    let pytest = normal(&pytest, &project).stdout;
    for way in WAYS {
        let (run, events) = json(&project, way, &["-v"]);
        let report = normal_text(&run.stderr, project.base());
        match way {
            Way::InProcess => assert_eq!(report, pytest),
            Way::OneWorker | Way::TwoWorkers => {
                assert!(report.contains("asked 6 times"), "{way:?} {run}");
            }
        }
        are_in_order(&events);
        let failed = events.iter().find(|event| event["outcome"] == "failed");
        // In a worker the hook raises.
        let called = match way {
            Way::InProcess => "broken",
            Way::OneWorker | Way::TwoWorkers => "failed",
        };
        let reports = &failed.expect("it has failed")["reports"];
        assert_eq!(reports[0]["outcome"], called, "{way:?}");
    }
}

#[test]
fn an_attempt_that_fails_in_two_phases_is_one() {
    let project = Project::new(
        "
--- test_a.py
import pytest

@pytest.fixture
def broken():
    yield
    assert 0, 'teardown'

def test_a(broken):
    assert 0, 'call'
",
    );
    for way in WAYS {
        let run = Command::rpytest(plain_venv(), &project)
            .args(way.arguments())
            .args(["--json", "--reruns", "2"])
            .run();
        assert_eq!(run.code, 1, "{run}");
        let events = lines(&run.stdout);
        let ended = events.iter().find(|event| kind(event) == "test_finished");
        let ended = ended.expect("it has ended");
        assert_eq!(ended["attempts"], 3, "{way:?} {ended}");
        let reports = ended["reports"].as_array().expect("reports").iter();
        let attempts: Vec<u64> = reports
            .filter_map(|report| report["attempt"].as_u64())
            .collect();
        assert_eq!(attempts, [1, 1, 2, 2, 3, 3], "{way:?} {ended}");
    }
}

#[test]
fn attempts_are_counted_where_a_plugin_runs_tests_again() {
    let conftest = "
--- conftest.py
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for last in (False, False, True):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = any(report.failed for report in reports)
        for report in reports:
            if report.failed and not last:
                report.outcome = 'rerun'
            item.ihook.pytest_runtest_logreport(report=report)
        if not failed:
            break
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True

def pytest_report_teststatus(report):
    if report.outcome == 'rerun':
        return 'rerun', 'R', 'RERUN'
--- test_a.py
seen = []

def test_a():
    seen.append(1)
    print('attempt', len(seen))
    assert len(seen) == 3
";
    for way in WAYS {
        let project = Project::new(conftest);
        let (run, events) = json(&project, way, &[]);
        assert_eq!(run.code, 0, "{run}");
        are_in_order(&events);
        let ended = events.iter().find(|event| kind(event) == "test_finished");
        let ended = ended.expect("it has ended");
        assert_eq!(
            (&ended["outcome"], &ended["attempts"]),
            (&"passed".into(), &3.into())
        );
        let reports = ended["reports"].as_array().expect("reports").iter();
        let calls = reports.filter(|report| report["when"] == "call");
        let told: Vec<String> = calls
            .map(|report| {
                let out = report["sections"][0][1].as_str().unwrap_or_default();
                format!("{} {} {}", report["attempt"], report["outcome"], out.trim())
            })
            .collect();
        let expected = [
            "1 \"rerun\" attempt 1",
            "2 \"rerun\" attempt 2",
            "3 \"passed\" attempt 3",
        ];
        assert_eq!(told, expected, "{way:?}");
    }
}

#[test]
fn a_shard_tells_of_its_own_tests() {
    let project = Project::new(
        "--- pytest.ini\n[pytest]\n--- test_a.py\ndef test_a():\n    pass\n--- test_b.py\ndef test_b():\n    pass\n",
    );
    let shard = ["--shard", "0", "--total-shards", "2"];
    let (run, events) = json(&project, Way::InProcess, &shard);
    assert_eq!(run.code, 0, "{run}");
    are_in_order(&events);
    assert_eq!(kinds(&events).len(), 5, "one test");
}

#[test]
fn each_run_of_watch_mode_is_a_session_in_the_same_stream() {
    let project = Project::new("--- test_a.py\ndef test_a():\n    pass\n");
    let mut running = Command::rpytest(main_venv(), &project)
        .args(["--watch", "--message-format", "json=out.jsonl"])
        .start();
    let sessions = |count: usize| {
        let told = || {
            project
                .read("out.jsonl")
                .matches("session_finished")
                .count()
        };
        move || told() >= count
    };
    running.until("a session", sessions(1));
    let waits = project.base().join("output/stdout");
    let waits =
        || fs::read_to_string(&waits).is_ok_and(|text| text.contains("waiting for changes"));
    running.until("it waits", waits);
    project.put("test_a.py", "def test_a():\n    assert 0\n");
    running.until("another session", sessions(2));
    running.signal(Signal::INT);
    running.wait();
    let events = lines(&project.read("out.jsonl"));
    let sessions: Vec<&[Value]> = events
        .split_inclusive(|event| kind(event) == "session_finished")
        .collect();
    assert_eq!(sessions.len(), 2);
    for (session, exit) in sessions.iter().zip([0, 1]) {
        are_in_order(session);
        assert_eq!(session.last().expect("it ends")["exit"], exit);
    }
}

#[test]
fn teamcitys_messages_are_a_tree_for_each_worker() {
    let project = Project::of(SUITE);
    let run = Command::rpytest(main_venv(), &project)
        .args(["-n", "2", "--message-format", "teamcity"])
        .run();
    assert_eq!(run.code, 1, "{run}");
    let mut open: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut tests = 0;
    for line in run.stdout.lines() {
        let message = line
            .strip_prefix("##teamcity[")
            .and_then(|line| line.strip_suffix(']'));
        let message = message.unwrap_or_else(|| panic!("no message: {line}"));
        let attribute = |key: &str| {
            let start = message.find(&format!(" {key}='"))? + key.len() + 3;
            let end = message[start..]
                .find("' ")
                .unwrap_or(message.len() - start - 1);
            Some(message[start..start + end].to_owned())
        };
        let flow = open
            .entry(attribute("flowId").unwrap_or_default())
            .or_default();
        let name = attribute("name").unwrap_or_default();
        match message.split(' ').next().expect("a name") {
            "testSuiteStarted" => flow.push(name),
            "testStarted" => {
                tests += 1;
                flow.push(name);
            }
            "testSuiteFinished" | "testFinished" => assert_eq!(flow.pop(), Some(name), "{line}"),
            "testFailed" | "testIgnored" | "testStdOut" | "testStdErr" => {
                assert_eq!(flow.last(), Some(&name), "{line}");
            }
            other => assert!(
                ["flowStarted", "flowFinished", "testCount"].contains(&other),
                "{line}"
            ),
        }
    }
    assert!(open.values().all(Vec::is_empty), "{open:?}");
    assert_eq!(tests, 58 + 1, "each test, and the module that is skipped");
    let flows: Vec<&str> = open.keys().map(String::as_str).collect();
    assert_eq!(flows, ["", "gw0", "gw1"]);
}

#[test]
fn github_is_told_where_tests_have_failed() {
    let project = Project::of(SUITE);
    let root = project.root();
    for (way, argument, variable) in [
        (Way::InProcess, "--github", ""),
        (Way::TwoWorkers, "-v", "1"),
    ] {
        let summary = root.join(format!("summary-{}", variable.len()));
        let run = Command::rpytest(main_venv(), &project)
            .env("GITHUB_WORKSPACE", &project.base().to_string_lossy())
            .env("GITHUB_STEP_SUMMARY", &summary.to_string_lossy())
            .env("RPYTEST_GITHUB", variable)
            .args(way.arguments())
            .args([argument])
            .run();
        assert_eq!(run.code, 1, "{run}");
        let mut errors: Vec<&str> = run
            .stdout
            .lines()
            .filter(|line| line.starts_with("::error "))
            .collect();
        errors.sort_unstable();
        assert_eq!(errors.len(), 8, "{run}");
        let failed = "::error file=project/tests/test_outcomes.py,line=20,title=tests/test_outcomes.py%3A%3Atest_fails failed::borrowed = ['dune', 'emma']%0A%0A";
        assert!(
            errors.iter().any(|line| line.starts_with(failed)),
            "{errors:#?}"
        );
        let text = fs::read_to_string(&summary).expect("a summary");
        assert!(text.starts_with("### Tests failed in "), "{text}");
        assert_eq!(text.matches("<details>").count(), 8, "{text}");
    }
    // The report alone is not asked about GitHub.
    let run = Command::rpytest(main_venv(), &project)
        .env("GITHUB_ACTIONS", "true")
        .run();
    assert!(!run.stdout.contains("::error"), "{run}");
}
