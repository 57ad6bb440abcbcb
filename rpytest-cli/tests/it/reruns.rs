//! `--reruns` and its kin, where pytest-rerunfailures is not installed: what its users know.

use std::sync::OnceLock;

use crate::support::normal::{difference, junit, normal};
use crate::support::python::{Venv, plain_venv, pytest_venv, venv_of};
use crate::support::{Command, Project, Run, WAYS, Way};

/// pytest with the plugin itself.
fn genuine() -> &'static Venv {
    static VENV: OnceLock<Venv> = OnceLock::new();
    let requirements = ["pytest==9.2.0", "pytest-rerunfailures==16.7"];
    VENV.get_or_init(|| venv_of("rerunfailures", &requirements))
}

const SUITE: &str = r#"
--- test_one.py
"""
>>> nth("doctest") > 1
True
"""
import unittest
import pytest

seen = {}

def nth(key):
    seen[key] = seen.get(key, 0) + 1
    return seen[key]

def test_passes():
    pass

def test_flaky(tmp_path):
    print("attempt")
    assert nth("flaky") > 1

def test_never():
    print("out")
    raise ValueError("never")

@pytest.fixture(scope="module")
def module():
    if nth("module") < 2:
        raise RuntimeError("the module's")
    yield 1

def test_module(module):
    pass

@pytest.fixture
def down():
    yield
    assert nth("down") > 1, "teardown"

def test_down(down):
    pass

@pytest.fixture
def later():
    yield
    assert nth("later") > 1, "teardown, too"

def test_call_and_teardown(later):
    assert nth("both") > 1, "call"

@pytest.mark.xfail(strict=True)
def test_strict():
    pass

@pytest.mark.xfail
def test_expected():
    assert 0

@pytest.mark.skip(reason="not now")
def test_skipped():
    pass

def test_skips_itself():
    pytest.skip("here")

class TestClass:
    def test_state(self):
        assert not hasattr(self, "was_here")
        self.was_here = True
        assert nth("state") > 2

class Case(unittest.TestCase):
    def setUp(self):
        self.made = nth("case")

    def test_case(self):
        self.assertGreater(self.made, 1)
--- test_two.py
import pytest
from test_one import nth

@pytest.mark.flaky
def test_bare():
    assert nth("bare") > 1

@pytest.mark.flaky(reruns=2, reruns_delay=0.01)
def test_twice():
    assert nth("twice") > 2

@pytest.mark.flaky(reruns=5, condition=False)
def test_condition():
    assert 0

@pytest.mark.flaky(reruns=1, condition="sys.version_info > (3,)")
def test_text():
    assert nth("text") > 1

@pytest.mark.flaky(reruns=1, condition=lambda error: isinstance(error, OSError))
def test_function():
    if nth("function") < 2:
        raise OSError("busy")

@pytest.mark.flaky(reruns=1, only_rerun=["ValueError", OSError])
def test_only():
    if nth("only") < 2:
        raise PermissionError("once")

@pytest.mark.flaky(reruns=1, rerun_except="Value.*once")
def test_except():
    raise ValueError("not even once")

@pytest.mark.flaky(reruns=1, only_rerun="OSError")
def test_cause():
    if nth("cause") < 2:
        try:
            raise OSError("below")
        except OSError as error:
            raise ValueError("above") from error

@pytest.mark.parametrize("number", range(3))
def test_number(number):
    assert number != 1
"#;

/// A run, without what names the plugin or its environment, and its JUnit file.
fn outcome(run: &Run, project: &Project) -> (Run, String) {
    let mut run = normal(run, project);
    let lines = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with("plugins: "));
    let lines = lines.map(|line| line.split(" -- /").next().unwrap_or(line));
    run.stdout = lines.collect::<Vec<_>>().join("\n");
    (run, junit(&project.read("junit.xml"), project.base()))
}

fn compare(lines: &[(&str, &[Way])]) {
    let mut differences = Vec::new();
    for (line, ways) in lines {
        let commands: Vec<Vec<&str>> = line
            .split(" ; ")
            .map(|one| one.split_whitespace().collect())
            .collect();
        let all = |run: &dyn Fn(&Project, &[&str]) -> Run| {
            let project = Project::new(SUITE);
            let ends = commands
                .iter()
                .map(|words| outcome(&run(&project, words), &project));
            ends.collect::<Vec<_>>()
        };
        let expected = all(&|project, words| Command::pytest(genuine(), project).args(words).run());
        for way in *ways {
            let got = all(&|project, words| {
                let command = Command::rpytest(plain_venv(), project);
                command.args(way.arguments()).args(words).run()
            });
            for ((expected, expected_junit), (got, got_junit)) in expected.iter().zip(&got) {
                let texts = [
                    (&expected.stdout, &got.stdout),
                    (&expected.stderr, &got.stderr),
                    (expected_junit, got_junit),
                ];
                if expected.code != got.code || texts.iter().any(|(one, other)| one != other) {
                    let found = texts.map(|(one, other)| difference(one, other)).concat();
                    let (code, wanted) = (got.code, expected.code);
                    differences.push(format!("{line:?} {way:?}: {code}, {wanted}\n{found}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_same_as_with_the_plugin() {
    compare(&[
        ("--reruns 2 -rR --junitxml=junit.xml", &WAYS),
        ("-v", &WAYS[..2]),
        ("-v --reruns=1 --reruns-delay 0.01 test_one.py", &WAYS),
        (
            "-q --reruns 1 --only-rerun Value --only-rerun Runtime",
            &WAYS[..2],
        ),
        ("-q --reruns 1 --rerun-except ^Assertion", &WAYS[..1]),
        // As far as the attempts of a test that passes in the end count for none.
        ("--reruns 2 -x", &WAYS[..2]),
        ("--reruns 1 --maxfail 2 -rfER", &WAYS[..2]),
        ("--reruns 1 -q ; --lf --reruns 1 -q", &WAYS[..1]),
        ("-o reruns=1 -o reruns_delay=0 -rR", &WAYS[..1]),
        ("--reruns 2 --doctest-modules --capture=sys -rA", &WAYS[..2]),
    ]);
}

const FRESH: &str = r#"
--- conftest.py
import os

def pytest_runtest_logreport(report):
    if report.when != "setup" and "PYTEST_XDIST_WORKER" not in os.environ:
        with open("seen", "a") as file:
            file.write(f"{report.outcome}:{report.when} ")
--- test_fresh.py
import pytest

log = []

@pytest.fixture(scope="session")
def session():
    log.append("session up")
    yield
    log.append("session down")

@pytest.fixture(scope="module")
def shared(session, request):
    log.append("shared up")
    request.addfinalizer(lambda: log.append("shared down"))
    if log.count("shared up") < 2:
        raise RuntimeError("shared")

@pytest.fixture
def own(shared):
    log.append("own up")
    yield
    log.append("own down")

def test_own(own, tmp_path, request, record_property):
    assert not list(tmp_path.iterdir()), "another directory"
    (tmp_path / "made").touch()
    assert request.node.get_closest_marker("mine") is None
    request.node.add_marker("mine")
    assert not request.node.user_properties
    record_property("key", "value")
    assert log.count("own up") == 3, log

def test_log():
    assert log == [
        "session up",
        "shared up", "shared down",
        "shared up",
        "own up", "own down", "own up", "own down", "own up", "own down",
    ]
"#;

#[test]
fn each_attempt_has_a_fresh_setup() {
    for (arguments, variables) in [
        (&[][..], &[][..]),
        (&["-n", "1"], &[]),
        (&["-n", "1", "--dist=loadfile"], &[]),
        (&[], &[("RPYTEST_GENUINE", "1")]),
    ] {
        let project = Project::new(FRESH);
        let mut command = Command::rpytest(plain_venv(), &project)
            .args(["--reruns", "3", "-W", "ignore"])
            .args(arguments);
        for (name, value) in variables {
            command = command.env(name, value);
        }
        let run = command.run();
        run.expect(0, "2 passed, 3 rerun");
        let seen = project.read("seen");
        let expected = "passed:teardown rerun:call passed:teardown rerun:call passed:teardown \
                        passed:call passed:teardown passed:call passed:teardown ";
        assert_eq!(seen, expected, "{arguments:?}");
    }
}

/// Of what is otherwise in other versions: instances, fixtures, subtests.
#[test]
fn older_versions_of_pytest_run_tests_again() {
    for version in ["8.0.2", "8.3.5", "9.0.3"] {
        let venv = pytest_venv(version);
        for way in &WAYS[..2] {
            let project = Project::new(SUITE);
            let run = Command::rpytest(&venv, &project)
                .args(["--reruns", "2", "test_one.py"])
                .args(way.arguments())
                .run();
            run.expect(1, "2 failed, 8 passed, 2 skipped, 1 xfailed, 12 rerun");
            let project = Project::new(FRESH);
            let run = Command::rpytest(&venv, &project)
                .args(["--reruns", "3", "-W", "ignore"])
                .args(way.arguments())
                .run();
            run.expect(0, "2 passed, 3 rerun");
        }
    }
}

#[test]
fn subtests_count_once_and_stop_nothing() {
    let project = || {
        Project::new(
            r#"
--- test_a.py
import unittest

seen = []

def test_parts(subtests):
    seen.append(1)
    for number in range(3):
        with subtests.test(number=number):
            assert number != 1 or len(seen) > 1

class Case(unittest.TestCase):
    seen = []
    def test_parts(self):
        self.seen.append(1)
        for number in range(3):
            with self.subTest(number=number):
                assert number != 1 or len(self.seen) > 1

def test_broken(subtests):
    for number in range(2):
        with subtests.test(number=number):
            assert number
"#,
        )
    };
    for way in &WAYS[..2] {
        for genuine in ["", "1"] {
            let project = project();
            let run = Command::rpytest(plain_venv(), &project)
                .args(["--reruns", "1", "-x", "-v"])
                .args(way.arguments())
                .env("RPYTEST_GENUINE", genuine)
                .run();
            // The test that is broken has a failed part, and is itself a failure.
            assert_eq!(run.code, 1, "{run}");
            assert!(run.counts().contains("2 passed"), "{run}");
            run.shows(&[
                "SUBFAILED(number=0) test_a.py::test_broken",
                "test_a.py::Case::test_parts RERUN",
            ]);
            assert!(!run.stdout.contains("FAILED test_a.py::Case"), "{run}");
        }
    }
}

#[test]
fn coroutines_run_again() {
    let venv = venv_of("asyncio", &["pytest==9.2.0", "pytest-asyncio==1.3.0"]);
    for way in &WAYS[..2] {
        let project = Project::new(
            r"
--- test_a.py
import asyncio
import pytest

seen = []

@pytest.fixture
async def loop():
    await asyncio.sleep(0)
    yield asyncio.get_running_loop()

@pytest.mark.asyncio
async def test_again():
    await asyncio.sleep(0)
    seen.append(1)
    assert len(seen) > 2
",
        );
        let run = Command::rpytest(&venv, &project)
            .args(["--reruns", "2"])
            .args(way.arguments())
            .run();
        run.expect(0, "1 passed, 2 rerun");
    }
}

#[test]
fn what_takes_its_process_down_is_not_run_again() {
    for way in WAYS {
        let project = Project::new(
            r#"
--- test_a.py
import os

def test_dies():
    open("seen", "a").write("x ")
    os._exit(7)

def test_after():
    assert os.path.exists("again") or open("again", "w").close()
"#,
        );
        let run = Command::rpytest(plain_venv(), &project)
            .args(["--reruns", "2"])
            .args(way.arguments())
            .run();
        run.expect(1, "1 failed, 1 passed, 1 rerun");
        assert_eq!(project.read("seen"), "x ");
    }
}

const PLAIN: &str = r#"
--- test_a.py
import pytest

seen = []
marked = []

@pytest.mark.parametrize("number", range(20))
def test_passes(number):
    pass

def test_flaky():
    seen.append(1)
    assert len(seen) > 1

@pytest.mark.flaky
def test_marked():
    marked.append(1)
    assert len(marked) > 1
"#;

#[test]
fn what_passes_takes_the_short_way() {
    for way in &WAYS[..2] {
        let project = Project::new(PLAIN);
        let run = Command::rpytest(plain_venv(), &project)
            .args(["--reruns", "2", "--explain"])
            .args(way.arguments())
            .run();
        run.expect(0, "22 passed, 2 rerun");
        let text = "22 tests were run by the short protocol";
        assert!(run.stderr.contains(text), "{run}");
    }
}

#[test]
fn the_project_says_how_often() {
    let table = "--- pyproject.toml\n[tool.rpytest]\nreruns = 1\n";
    let run = |files: &str, venv: &Venv, variable: &str, arguments: &[&str]| {
        let project = Project::new(PLAIN);
        project.write(files);
        Command::rpytest(venv, &project)
            .env("RPYTEST_RERUNS", variable)
            .args(arguments)
            .run()
    };
    run(table, plain_venv(), "", &[]).expect(0, "22 passed, 2 rerun");
    run(table, plain_venv(), "", &["-n", "1"]).expect(0, "22 passed, 2 rerun");
    // A variable over the file, an option over both; the mark has a number of its own.
    run(table, plain_venv(), "0", &[]).expect(1, "1 failed, 21 passed, 1 rerun");
    run(table, plain_venv(), "1", &["--reruns=0"]).expect(1, "1 failed, 21 passed, 1 rerun");
    let ini = "--- pytest.ini\n[pytest]\nreruns = 1\n";
    run(ini, plain_venv(), "", &[]).expect(0, "22 passed, 2 rerun");
    // pytest-rerunfailures does it where it is there.
    run(table, genuine(), "", &[]).expect(0, "22 passed, 2 rerun");
    let refused = run(table, genuine(), "", &["--only-rerun-flaky"]);
    assert_eq!(refused.code, 4, "{refused}");
    assert!(
        refused
            .stderr
            .contains("--only-rerun-flaky works with rpytest's own reruns only"),
        "{refused}"
    );
    let marked = run("", plain_venv(), "", &["--only-rerun-flaky", "--reruns=3"]);
    marked.expect(1, "1 failed, 21 passed, 1 rerun");
    let wrong = run("", plain_venv(), "", &["--reruns=2", "--only-rerun=("]);
    assert_eq!(wrong.code, 4, "{wrong}");
    assert!(
        wrong
            .stderr
            .contains("invalid regular expression for only_rerun: '('"),
        "{wrong}"
    );
}

#[test]
fn what_the_project_wants_keeps_nobody_from_a_debugger() {
    let table = "--- pyproject.toml\n[tool.rpytest]\nreruns = 1\n";
    for venv in [plain_venv(), genuine()] {
        let project = Project::new(PLAIN);
        project.write(table);
        let script = "printf 'c\\nc\\n' | \"$rpytest\" --pdb -k 'not marked'";
        let run = Command::shell(venv, &project, script).run();
        run.expect(1, "1 failed, 20 passed, 1 deselected");
        run.shows(&["(Pdb)"]);
    }
    // Nor does a mark; of the two options both cannot be meant.
    let project = Project::new(PLAIN);
    let script = "printf 'c\\nc\\n' | \"$rpytest\" --pdb";
    let run = Command::shell(plain_venv(), &project, script).run();
    run.expect(1, "2 failed, 20 passed");
    let refused = Command::rpytest(plain_venv(), &project)
        .args(["--reruns=1", "--pdb"])
        .run();
    assert_eq!(refused.code, 4, "{refused}");
    let text = "--reruns does not work with --pdb; leave out one of them";
    assert!(refused.stderr.contains(text), "{refused}");
}

#[test]
fn the_mark_is_pytest_retrys_where_that_is() {
    let project = Project::new(PLAIN);
    project.write(
        "
--- pytest_retry.py
def pytest_configure(config):
    config.addinivalue_line('markers', 'flaky(retries=1): run it again')
",
    );
    let run = |arguments: &[&str]| {
        Command::rpytest(plain_venv(), &project)
            .env("PYTHONPATH", ".")
            .args(["-p", "pytest_retry"])
            .args(arguments)
            .run()
    };
    run(&[]).expect(1, "2 failed, 20 passed");
    let refused = run(&["--only-rerun-flaky"]);
    assert_eq!(refused.code, 4, "{refused}");
}

/// A mark of that name which says nothing of reruns may be the project's, from before it knew rpytest.
#[test]
fn a_mark_of_the_projects_own_means_what_it_meant() {
    let project = Project::new(PLAIN);
    project.write("--- pytest.ini\n[pytest]\nmarkers = flaky: on bad days\n");
    let run = Command::rpytest(plain_venv(), &project)
        .args(["--strict-markers"])
        .run();
    run.expect(1, "2 failed, 20 passed");
    let run = Command::rpytest(plain_venv(), &project)
        .args(["--reruns=3"])
        .run();
    run.expect(0, "22 passed, 2 rerun");
    // Nor does one say anything of them that has arguments of its own, whoever has registered it.
    let project = Project::new(
        "
--- test_a.py
import pytest

@pytest.mark.flaky(reason='JIRA-1')
def test_keyword(): assert False

@pytest.mark.flaky('JIRA-2')
def test_text(): assert False
",
    );
    let run = Command::rpytest(plain_venv(), &project).run();
    run.expect(1, "2 failed");
}

/// Whether a test is run again is not certain before it is torn down.
#[test]
fn a_teardown_that_rules_it_out_brings_everything_down() {
    for way in &WAYS[..2] {
        let project = Project::new(
            r#"
--- test_a.py
import pytest

@pytest.fixture(scope="module")
def shared():
    yield
    print("shared is down")
    open("seen", "a").write("down ")

@pytest.fixture
def own():
    yield
    raise KeyError("fatal")

@pytest.mark.flaky(reruns=2, rerun_except="KeyError")
def test_fails(shared, own):
    assert 0
--- test_b.py
def test_after():
    assert open("seen").read() == "down "
"#,
        );
        let run = Command::rpytest(plain_venv(), &project)
            .args(way.arguments())
            .run();
        run.expect(1, "1 failed, 1 passed, 1 error");
        assert!(!run.stdout.contains("shared is down"), "{run}");
    }
}
