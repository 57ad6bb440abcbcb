//! What plugins and conftests know of xdist is there under `-n`, with xdist installed and without.

use crate::support::python::{Venv, main_venv, plain_venv, pytest_venv};
use crate::support::{Command, Project, Run};

/// Runs a check in both environments.
fn everywhere(check: impl Fn(&Venv)) {
    check(plain_venv());
    check(main_venv());
}

fn rpytest(venv: &Venv, project: &Project, arguments: &[&str]) -> Run {
    Command::rpytest(venv, project).args(arguments).run()
}

/// Which worker ran each test, from the lines `test worker` of the file `ran`.
fn workers(project: &Project) -> Vec<(String, String)> {
    let lines = project.read("ran");
    let mut pairs: Vec<(String, String)> = lines
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(test, worker)| (test.to_owned(), worker.to_owned()))
        .collect();
    pairs.sort();
    pairs
}

/// Checks that the tests whose names begin alike, up to the character, ran on one worker each, and
/// that all of them ran once.
#[track_caller]
fn one_worker_for_each(project: &Project, count: usize, group: impl Fn(&str) -> String) {
    let ran = workers(project);
    assert_eq!(ran.len(), count, "{ran:?}");
    for (test, worker) in &ran {
        for (other, other_worker) in &ran {
            if group(test) == group(other) {
                assert_eq!(worker, other_worker, "{test} and {other}: {ran:?}");
            }
        }
    }
}

const IDENTITY: &str = r#"
--- conftest.py
import json
import os

def pytest_configure_node(node):
    node.workerinput["greeting"] = f"hello {node.gateway.id}"
    node.workerinput["numbers"] = [1, 2.5, None, {"a": True}]

def pytest_sessionfinish(session):
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["farewell"] = config.workerinput["workerid"]

def pytest_testnodedown(node, error):
    with open("down", "a") as down:
        down.write(f"{node.gateway.id}:{node.workeroutput['farewell']}:{error} ")

def pytest_testnodeready(node):
    with open("up", "a") as up:
        up.write(f"{node.gateway.id} ")
--- test_identity.py
import os
import pytest

@pytest.mark.parametrize("number", range(20))
def test_identity(number, worker_id, testrun_uid, request, tmp_path_factory):
    config = request.config
    assert worker_id in ("gw0", "gw1")
    assert os.environ["PYTEST_XDIST_WORKER"] == worker_id
    assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "2"
    assert os.environ["PYTEST_XDIST_TESTRUNUID"] == testrun_uid
    assert config.workerinput["workerid"] == worker_id
    assert config.workerinput["workercount"] == 2
    assert config.workerinput["testrunuid"] == testrun_uid
    assert config.workerinput["greeting"] == f"hello {worker_id}"
    assert config.workerinput["numbers"] == [1, 2.5, None, {"a": True}]
    assert config.pluginmanager.hasplugin("xdist")
    assert tmp_path_factory.getbasetemp().name == f"popen-{worker_id}"
    with open("uids", "a") as uids:
        uids.write(f"{testrun_uid}\n")
"#;

#[test]
fn identity_of_workers() {
    everywhere(|venv| {
        let project = Project::new(IDENTITY);
        rpytest(venv, &project, &["-n", "2"]).expect(0, "20 passed");
        let mut uids = project.words("uids");
        uids.dedup();
        assert_eq!(uids.len(), 1, "{uids:?}");
        assert_eq!(project.words("up"), ["gw0", "gw1"]);
        assert_eq!(project.words("down"), ["gw0:gw0:None", "gw1:gw1:None"]);
    });
}

#[test]
fn testrun_uid_is_the_users_if_there_is_one() {
    let files = "
--- test_uid.py
def test_uid(testrun_uid):
    assert testrun_uid == 'mine'
";
    everywhere(|venv| {
        let project = Project::new(files);
        rpytest(venv, &project, &["-n", "2", "--testrunuid=mine"]).expect(0, "1 passed");
    });
}

#[test]
fn identity_without_workers() {
    let files = "
--- test_master.py
import os

def test_master(worker_id, testrun_uid, request):
    assert worker_id == 'master'
    assert testrun_uid
    assert 'PYTEST_XDIST_WORKER' not in os.environ
    assert not hasattr(request.config, 'workerinput')
";
    everywhere(|venv| {
        let project = Project::new(files);
        for arguments in [&[][..], &["-n", "0"], &["-n0", "--dist", "load"]] {
            rpytest(venv, &project, arguments).expect(0, "1 passed");
        }
    });
}

const GROUPS: &str = r#"
--- conftest.py
import pytest

@pytest.fixture(autouse=True)
def recorded(request, worker_id):
    yield
    with open("ran", "a") as ran:
        ran.write(f"{request.node.nodeid} {worker_id}\n")
--- test_one.py
import pytest

@pytest.mark.xdist_group("red")
@pytest.mark.parametrize("number", range(4))
def test_red(number):
    pass

@pytest.mark.parametrize("number", range(12))
@pytest.mark.xdist_group(name="blue")
def test_blue(number):
    pass

class TestScope:
    @pytest.mark.parametrize("number", range(6))
    def test_scoped(self, number):
        pass

class TestOther:
    @pytest.mark.parametrize("number", range(6))
    def test_scoped(self, number):
        pass
--- test_two.py
import pytest

@pytest.mark.xdist_group("red")
@pytest.mark.parametrize("number", range(4))
def test_red(number):
    pass

def test_loose():
    pass
--- test_three.py
def test_three():
    pass

def test_three_again():
    pass
"#;

const GROUPS_COUNT: usize = 35;

/// The group of a test, or itself. Node ids are pytest's: no group is added to them.
fn group_of(test: &str) -> String {
    let name = test.rsplit("::").next().unwrap_or_default();
    let group = ["test_red", "test_blue"]
        .into_iter()
        .find(|group| name.starts_with(group));
    group.unwrap_or(test).to_owned()
}

#[test]
fn groups_are_never_split() {
    everywhere(|venv| {
        let project = Project::new(GROUPS);
        rpytest(venv, &project, &["-n", "2", "--dist", "loadgroup"]).expect(0, "35 passed");
        one_worker_for_each(&project, GROUPS_COUNT, group_of);
    });
}

#[test]
fn files_are_never_split() {
    everywhere(|venv| {
        let project = Project::new(GROUPS);
        rpytest(venv, &project, &["-n", "2", "--dist=loadfile"]).expect(0, "35 passed");
        one_worker_for_each(&project, GROUPS_COUNT, |test| {
            test.split("::").next().unwrap_or_default().to_owned()
        });
    });
}

#[test]
fn scopes_are_never_split() {
    everywhere(|venv| {
        let project = Project::new(GROUPS);
        rpytest(venv, &project, &["-n", "2", "--dist", "loadscope"]).expect(0, "35 passed");
        one_worker_for_each(&project, GROUPS_COUNT, |test| {
            test.rsplit_once("::")
                .map(|(scope, _)| scope.to_owned())
                .unwrap_or_default()
        });
    });
}

#[test]
fn each_worker_runs_every_test() {
    everywhere(|venv| {
        let project = Project::new(GROUPS);
        rpytest(venv, &project, &["-n", "2", "--dist", "each"]).expect(0, "70 passed");
        let mut ran = workers(&project);
        assert_eq!(ran.len(), 2 * GROUPS_COUNT);
        ran.dedup();
        assert_eq!(ran.len(), 2 * GROUPS_COUNT, "each once on each: {ran:?}");
    });
}

#[test]
fn other_modes_run_each_test_once() {
    everywhere(|venv| {
        for mode in ["load", "worksteal"] {
            let project = Project::new(GROUPS);
            rpytest(venv, &project, &["-n", "2", "--dist", mode]).expect(0, "35 passed");
            one_worker_for_each(&project, GROUPS_COUNT, str::to_owned);
        }
        let project = Project::new(GROUPS);
        rpytest(venv, &project, &["--tx", "2*popen", "-d"]).expect(0, "35 passed");
        assert!(
            workers(&project)
                .iter()
                .all(|(_, worker)| worker.starts_with("gw"))
        );
        let project = Project::new(GROUPS);
        rpytest(venv, &project, &["--dist", "no"]).expect(0, "35 passed");
        assert!(
            workers(&project)
                .iter()
                .all(|(_, worker)| worker == "master")
        );
    });
}

/// A conftest that asks who it is while it is imported must be imported in each worker.
#[test]
fn worker_that_is_asked_for_at_import() {
    let files = "
--- conftest.py
import os
NAME = os.environ.get('PYTEST_XDIST_WORKER', 'none')
open('imported', 'a').write(NAME + ' ')
--- test_import.py
import os
import pytest
from conftest import NAME
import threading

@pytest.mark.parametrize('number', range(10))
def test_name(number, worker_id):
    assert NAME == worker_id == os.environ['PYTEST_XDIST_WORKER']
";
    everywhere(|venv| {
        let project = Project::new(files);
        rpytest(venv, &project, &["-n", "2"]).expect(0, "10 passed");
        let mut imported = project.words("imported");
        imported.retain(|word| word != "none");
        assert!(imported.contains(&"gw0".to_owned()), "{imported:?}");
        assert!(imported.contains(&"gw1".to_owned()), "{imported:?}");
    });
}

#[test]
fn each_worker_has_its_own_session() {
    let files = "
--- conftest.py
import os

def name(config):
    return getattr(config, 'workerinput', {'workerid': 'controller'})['workerid']

def pytest_configure(config):
    open('hooks', 'a').write(f'configure:{name(config)}:{os.getpid()}\\n')

def pytest_sessionstart(session):
    open('hooks', 'a').write(f'start:{name(session.config)}:{os.getpid()}\\n')

def pytest_sessionfinish(session):
    open('hooks', 'a').write(f'finish:{name(session.config)}:{os.getpid()}\\n')

def pytest_unconfigure(config):
    open('hooks', 'a').write(f'unconfigure:{name(config)}:{os.getpid()}\\n')
--- test_hooks.py
import os
import pytest

@pytest.mark.parametrize('number', range(10))
def test_pid(number, worker_id):
    started = [line.split(':') for line in open('hooks').read().split()]
    assert ['start', worker_id, str(os.getpid())] in started
";
    everywhere(|venv| {
        let project = Project::new(files);
        rpytest(venv, &project, &["-n", "2"]).expect(0, "10 passed");
        let hooks = project.words("hooks");
        let named: Vec<_> = hooks
            .iter()
            .filter_map(|hook| hook.rsplit_once(':'))
            .collect();
        for who in ["controller", "gw0", "gw1"] {
            let mut pids: Vec<_> = ["configure", "start", "finish", "unconfigure"]
                .iter()
                .map(|hook| {
                    let name = format!("{hook}:{who}");
                    let pids: Vec<_> = named.iter().filter(|(hook, _)| *hook == name).collect();
                    assert_eq!(pids.len(), 1, "{name}: {hooks:?}");
                    pids[0].1
                })
                .collect();
            pids.dedup();
            assert_eq!(
                pids.len(),
                1,
                "the session of {who} is one process: {hooks:?}"
            );
        }
    });
}

const SUMMARY: &str = r#"
--- conftest.py
import os

def pytest_terminal_summary(terminalreporter):
    with open("summaries", "a") as file:
        print(os.environ.get("PYTEST_XDIST_WORKER", "controller"), file=file)
--- test_a.py
def test_a():
    pass
"#;

#[test]
fn only_the_controller_is_asked_for_a_summary() {
    everywhere(|venv| {
        let project = Project::new(SUMMARY);
        let run = rpytest(venv, &project, &["-n", "2"]);
        run.expect(0, "1 passed");
        assert_eq!(project.words("summaries"), ["controller"], "{run}");
    });
}

#[test]
fn options_of_the_command_are_listed_and_not_parsed() {
    let project = Project::new("--- test_a.py\ndef test(): pass\n");
    for venv in [main_venv(), &pytest_venv("8.0.2")] {
        let help = Command::rpytest(venv, &project).args(["--help"]).run();
        assert_eq!(help.code, 0, "{help}");
        for option in [
            "usage: rpytest [options]",
            "OPTIONS OF PYTEST:",
            "OPTIONS OF RPYTEST:",
            "--watch ",
            "--no-daemon ",
            "--daemon-memory=SIZE",
            "--native-collect-only",
            "--isolate",
        ] {
            assert!(help.stdout.contains(option), "{option}: {help}");
        }
        let elsewhere = Command::rpytest(venv, &project)
            .env("PYTEST_ADDOPTS", "--watch")
            .run();
        assert_eq!(elsewhere.code, 4, "{elsewhere}");
        assert!(
            elsewhere.stderr.contains("unrecognized arguments: --watch"),
            "{elsewhere}"
        );
    }
    // A plugin may have an option of such a name, which counts in its configuration.
    let project = Project::new(
        "
--- conftest.py
def pytest_addoption(parser):
    parser.addoption('--json', action='store_true', help='of the plugin')
--- pytest.ini
[pytest]
addopts = --json
--- test_a.py
def test(pytestconfig): assert pytestconfig.option.json
",
    );
    let run = |arguments: &[&str]| {
        let command = Command::rpytest(main_venv(), &project);
        command.args(arguments).run()
    };
    run(&[]).expect(0, "1 passed");
    let help = run(&["--help"]);
    assert!(help.stdout.contains("of the plugin"), "{help}");
}

/// Options and settings of the user's that have names, or values, of ours: each in a conftest and in a plugin.
const THEIR_OPTIONS: &str = r#"
--- conftest.py
import os

if "IN_PLUGIN" not in os.environ:
    from theirs import pytest_addoption
--- theirs.py
def pytest_addoption(parser):
    group = parser.getgroup("timeout")
    for name in (
        "explain", "isolate", "no-progress", "only-rerun", "only-rerun-flaky", "quarantine", "reruns", "timeout"
    ):
        group.addoption(f"--{name}", default=f"no {name}", help="of the server")
--- test_a.py
import os

def test_it(pytestconfig):
    for name in os.environ["NAMES"].split():
        expected = "mine" if "GIVEN" in os.environ else f"no {name}"
        assert pytestconfig.getoption(f"--{name}") == expected
"#;

#[test]
fn options_and_settings_of_the_users_stay_theirs() {
    let names = "explain isolate no-progress only-rerun only-rerun-flaky quarantine reruns timeout";
    let given: Vec<String> = names
        .split(' ')
        .map(|name| format!("--{name}=mine"))
        .collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let project = Project::new(THEIR_OPTIONS);
    let root = project.root().display().to_string();
    for venv in [plain_venv(), &pytest_venv("8.0.2")] {
        for workers in [&[][..], &["-n", "1"]] {
            for is_plugin in [false, true] {
                let plugin: &[&str] = if is_plugin { &["-p", "theirs"] } else { &[] };
                for given in [&[][..], &given] {
                    let mut command = Command::rpytest(venv, &project)
                        .env("NAMES", names)
                        .env("PYTHONPATH", &root)
                        .args([workers, plugin, given].concat());
                    if is_plugin {
                        command = command.env("IN_PLUGIN", "1");
                    }
                    if !given.is_empty() {
                        command = command.env("GIVEN", "1");
                    }
                    let run = command.run();
                    run.expect(0, "1 passed");
                    assert!(!run.stderr.contains("short protocol"), "{run}");
                }
            }
        }
    }
}

/// The value of an option and a setting, which have one name for all, are the user's as well.
const THEIR_VALUES: &str = r#"
--- conftest.py
import os

if "IN_PLUGIN" not in os.environ:
    from theirs import pytest_addoption
--- theirs.py
def pytest_addoption(parser):
    parser.addoption("--server-timeout", dest="timeout", default="never")
    parser.addini("reruns", "of the server", type="bool")
--- pytest.ini
[pytest]
reruns = yes
--- test_a.py
def test_it(pytestconfig):
    assert pytestconfig.option.timeout == "never"
    assert pytestconfig.getini("reruns") is True
    assert not pytestconfig.pluginmanager.hasplugin("rpytest-timeout")
    assert not pytestconfig.pluginmanager.hasplugin("rpytest-reruns")
"#;

#[test]
fn values_of_the_users_stay_theirs() {
    let project = Project::new(THEIR_VALUES);
    let root = project.root().display().to_string();
    for venv in [plain_venv(), &pytest_venv("8.0.2")] {
        rpytest(venv, &project, &["-n", "1"]).expect(0, "1 passed");
        let plugin = Command::rpytest(venv, &project)
            .env("IN_PLUGIN", "1")
            .env("PYTHONPATH", &root)
            .args(["-p", "theirs"]);
        plugin.run().expect(0, "1 passed");
    }
}

/// xdist's options go together: where one of these names is the user's, there are no workers to ask for.
const THEIR_DISTRIBUTION: &str = r#"
--- conftest.py
import os

if "IN_PLUGIN" not in os.environ:
    from theirs import pytest_addoption
--- theirs.py
def pytest_addoption(parser):
    parser.addoption("--dist", default="wheel", help="what is tested")
    parser.addoption("--transaction", dest="tx", default="none")
--- test_a.py
import os

def test_it(pytestconfig):
    assert pytestconfig.getoption("--dist") == os.environ.get("DIST", "wheel")
    assert pytestconfig.option.tx == "none"
    assert not hasattr(pytestconfig.option, "numprocesses")
"#;

#[test]
fn options_of_the_users_that_xdist_has_stay_theirs() {
    let project = Project::new(THEIR_DISTRIBUTION);
    let root = project.root().display().to_string();
    for venv in [plain_venv(), &pytest_venv("8.0.2")] {
        for arguments in [&[][..], &["--dist=sdist"]] {
            for is_plugin in [false, true] {
                let mut command = Command::rpytest(venv, &project)
                    .env("PYTHONPATH", &root)
                    .args(arguments);
                if is_plugin {
                    command = command.env("IN_PLUGIN", "1").args(["-p", "theirs"]);
                }
                if arguments == ["--dist=sdist"] {
                    command = command.env("DIST", "sdist");
                }
                command.run().expect(0, "1 passed");
            }
        }
        // Isolation needs a worker, too.
        for arguments in [&["-n", "2"][..], &["--isolate=test"]] {
            let run = rpytest(venv, &project, arguments);
            assert_eq!(run.code, 4, "{run}");
            assert!(run.stderr.contains("unrecognized arguments: -n"), "{run}");
        }
    }
}

/// A conftest that is found while tests are collected has its options for their defaults.
#[test]
fn options_of_conftests_that_are_found_late_stay_theirs() {
    let project = Project::new(
        r#"
--- pkg/sub/conftest.py
def pytest_addoption(parser):
    for name in ("timeout", "quarantine", "reruns"):
        parser.addoption(f"--{name}", default=f"no {name}")
    parser.addini("session_timeout", "of the server", default="never")
--- pkg/sub/test_a.py
tries = []

def test_it(pytestconfig):
    for name in ("timeout", "quarantine", "reruns"):
        assert pytestconfig.getoption(f"--{name}") == f"no {name}"
    assert pytestconfig.getini("session_timeout") == "never"

def test_flaky():
    tries.append(1)
    assert len(tries) > 1
"#,
    );
    for venv in [plain_venv(), &pytest_venv("8.0.2")] {
        for workers in [&[][..], &["-n", "1"]] {
            let run = rpytest(venv, &project, workers);
            run.expect(1, "1 failed, 1 passed");
            let run = rpytest(venv, &project, &[workers, &["--reruns=1"]].concat());
            run.expect(0, "2 passed, 1 rerun");
        }
    }
}

/// What nobody else has is ours, and a value that it does not take is refused as ever.
#[test]
fn an_option_that_nobody_else_has_is_checked() {
    let project = Project::new("--- test_a.py\ndef test(): pass\n");
    for (option, problem) in [
        ("--isolate=mine", "invalid choice: 'mine'"),
        ("--reruns=mine", "invalid _count value: 'mine'"),
        ("--explain=mine", "ignored explicit argument 'mine'"),
    ] {
        let run = rpytest(plain_venv(), &project, &[option]);
        assert_eq!(run.code, 4, "{run}");
        assert!(run.stderr.contains(problem), "{run}");
    }
}

const AT_ITS_END: &str = r#"
--- conftest.py
import pytest

def pytest_unconfigure(config):
    if getattr(config, "workerinput", {}).get("workerid") == "gw0":
        raise pytest.UsageError("of the end") if config.option.verbose > 0 else ValueError("of the end")
--- test_a.py
import time
import pytest

@pytest.mark.parametrize("number", range(12))
def test_a(number):
    time.sleep(0.02)
"#;

/// An error of a worker that comes after all that its session has to tell changes nothing, as with xdist.
#[test]
fn errors_of_workers_at_their_end() {
    for more in ["-q", "-v"] {
        let arguments = ["-n", "2", more];
        let project = Project::new(AT_ITS_END);
        let xdist = Command::pytest(main_venv(), &project).args(arguments).run();
        xdist.expect(0, "12 passed");
        everywhere(|venv| {
            let project = Project::new(AT_ITS_END);
            let run = rpytest(venv, &project, &arguments);
            run.clone().expect(0, "12 passed");
            assert!(run.stderr.contains("rpytest: gw0, at its end:\n"), "{run}");
            assert!(run.stderr.contains("of the end"), "{run}");
        });
    }
}
