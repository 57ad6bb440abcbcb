//! What is wrong before a test runs: messages and exit codes.

use super::Table;
use crate::support::python::{main_venv, plain_venv, pytest_venv};
use crate::support::{Command, Project, WAYS};

const FINE: &str = "--- test_fine.py\ndef test_fine():\n    pass\n";

#[test]
fn command_line() {
    Table::new(FINE)
        .same(&[
            "missing.py",
            "missing_directory test_fine.py",
            "test_fine.py::missing",
            "test_fine.py::TestMissing::test_x",
            "-k 'not ('",
            "-m 'and and'",
            "-k '1 2'",
            "--no-such-option",
            "--no-such-option=3 -q",
            "-r",
            "--maxfail=many",
            "--tb=unknown",
            "-o no_equals",
            "-p missing_plugin_module",
            "--strict-config -o unknown_key=1",
            "-o unknown_key=1",
            "--rootdir=missing",
            "-c missing.ini",
            "--junitxml=.",
            "-W error::NoSuchWarning",
            "--import-mode=wrong",
            "--ignore=test_fine.py",
            "-k nothing",
            "--deselect=test_fine.py -q",
            "--pyargs no_such_package",
        ])
        .check();
}

#[test]
fn no_tests() {
    Table::new("--- README\nnothing here\n")
        .same(&["", "-q", "--co", "-v"])
        .check();
}

#[test]
fn configuration() {
    for ini in [
        "[pytest]\nminversion = 99.0\n",
        "[pytest]\nxfail_strict = perhaps\n",
        "[pytest]\naddopts = --no-such-option\n",
        "[pytest]\nconsole_output_style\n",
        "not an ini file\n",
        "[pytest]\nrequired_plugins = pytest-nowhere>=1\n",
        "[pytest]\ntestpaths = nowhere\n",
        "[pytest]\nno_such_key = 1\n",
    ] {
        let files = format!("{FINE}--- pytest.ini\n{ini}");
        Table::new(&files).same(&[""]).check();
    }
    // pytest says once for each phase that a filter is wrong; workers have one phase more, as
    // controller and template both enter the collection.
    let files =
        format!("{FINE}--- pytest.ini\n[pytest]\nfilterwarnings = error::no.such.Warning\n");
    Table::new(&files).same_in_process("").check();
    let files = format!("{FINE}--- pyproject.toml\n[tool.pytest.ini_options\n");
    Table::new(&files).same(&[""]).check();
}

#[test]
fn broken_conftest() {
    for conftest in [
        "raise RuntimeError('no conftest today')",
        "import no_such_module",
        "def broken(:\n    pass",
        "import pytest\npytest.exit('enough', returncode=7)",
        "import sys\nsys.exit(9)",
        "import pytest\ndef pytest_configure(config):\n    raise pytest.UsageError('do not')",
        "import pytest\ndef pytest_configure(config):\n    pytest.exit('in configure', 6)",
        "pytest_plugins = ['no_such_plugin']",
        "import pytest\ndef pytest_collection(session):\n    raise pytest.UsageError('at collection')",
    ] {
        let files = format!("{FINE}--- conftest.py\n{conftest}\n");
        Table::new(&files).same(&[""]).check();
    }
}

/// One error that comes of another, which has come through a wrapper of ours.
const CHAINED: &str = "
import pytest

def pytest_collection_modifyitems(items):
    raise ValueError('the first')

class Plugin:
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session):
        try:
            yield
        except ValueError:
            raise KeyError('the second')

def pytest_configure(config):
    config.pluginmanager.register(Plugin())
";

/// Errors of hooks, of which pytest shows each frame, and not one of ours.
#[test]
fn internal_errors() {
    let hooks = [
        "def pytest_configure(config):",
        "def pytest_sessionstart(session):",
        "def pytest_collection(session):",
        "def pytest_collectstart(collector):",
        "def pytest_collection_modifyitems(items):",
        "def pytest_collection_finish(session):",
        "def pytest_runtestloop(session):",
        "def pytest_runtest_protocol(item):",
        "def pytest_runtest_logstart(nodeid):",
        "def pytest_runtest_logreport(report):",
        "def pytest_runtest_logfinish(nodeid):",
        "def pytest_report_teststatus(report):",
        "def pytest_exception_interact(report):",
        "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n    yield",
    ];
    let errors =
        hooks.map(|hook| format!("import pytest\n\n{hook}\n    raise KeyError('of a hook')\n"));
    for conftest in errors.iter().map(String::as_str).chain([CHAINED]) {
        let files = format!("{FINE}\ndef test_fails():\n    assert 0\n--- conftest.py\n{conftest}");
        Table::new(&files).same_in_process("").check();
        for venv in [pytest_venv("8.0.2"), pytest_venv("8.4.2")] {
            let table = Table::new(&files).with(&venv);
            table.same_in_process("-q").check();
        }
    }
}

/// Errors of which pytest shows all frames, those of whoever called it as well, which cannot be the
/// same: the code is, and the error is shown.
#[test]
fn tracebacks_through_the_caller_of_pytest() {
    for (conftest, error) in [
        (
            "pytest.skip('not in a conftest', allow_module_level=True)",
            "Skipped: not in a conftest\n",
        ),
        (
            "def pytest_unknown_hook():\n    pass",
            "PluginValidationError: unknown hook 'pytest_unknown_hook'",
        ),
        (
            "def pytest_configure(config):\n    raise ValueError('in configure')",
            "ValueError: in configure\n",
        ),
        (
            "def pytest_runtest_setup(item, no_such_argument):\n    pass",
            "PluginValidationError: ",
        ),
        (
            "def pytest_sessionfinish(session):\n    raise KeyError('finish')",
            "KeyError: 'finish'\n",
        ),
    ] {
        let files = format!("{FINE}--- conftest.py\nimport pytest\n{conftest}\n");
        let expected = Command::pytest(main_venv(), &Project::new(&files)).run();
        for way in WAYS {
            let project = Project::new(&files);
            let run = Command::rpytest(main_venv(), &project)
                .args(way.arguments())
                .run();
            assert_eq!(run.code, expected.code, "{way:?}\n{run}\n{expected}");
            for (text, expected) in [
                (&run.stdout, &expected.stdout),
                (&run.stderr, &expected.stderr),
            ] {
                // Workers may have more to say: the hook is theirs, too.
                assert!(
                    text.contains(error) || !expected.contains(error),
                    "{way:?}\n{run}"
                );
            }
        }
    }
}

const MODULES: &str = r#"
--- test_import.py
import no_such_module
--- test_syntax.py
def test_x(:
    pass
--- test_raises.py
print("before the error")

def fails():
    raise ValueError("at import")

fails()
--- test_fine.py
def test_fine():
    pass
--- test_skips.py
import pytest
pytest.skip("a whole module", allow_module_level=True)
--- test_skips_wrongly.py
import pytest
pytest.skip("without the flag")
--- test_marks.py
import pytest

@pytest.mark.parametrize("a,b", [1, 2])
def test_wrong(a, b):
    pass

@pytest.mark.parametrize("c", [1])
def test_no_argument():
    pass
--- test_class.py
class TestBase:
    def test_a(self):
        pass

def test_recursive(recursive):
    pass
"#;

#[test]
fn modules_that_cannot_be_collected() {
    Table::new(MODULES)
        .same(&[
            "",
            "-q --tb=short",
            "--continue-on-collection-errors",
            "-x",
            "--maxfail=2",
            "--co -q",
            "test_fine.py test_skips.py -rs",
            "test_import.py::test_x",
            "test_skips.py",
            "--junitxml=junit.xml",
            "--tb=native test_raises.py",
            "--import-mode=importlib -q --tb=line",
        ])
        .check();
}

#[test]
fn strict_markers() {
    let files = "
--- pytest.ini
[pytest]
markers = known: is known
--- test_marks.py
import pytest

@pytest.mark.known
def test_known():
    pass

@pytest.mark.unknown
def test_unknown():
    pass
";
    Table::new(files)
        .same(&["--strict-markers", "--strict", "", "-m known"])
        .check();
}

#[test]
fn same_module_name_twice() {
    let files = "
--- a/test_same.py
def test_a():
    pass
--- b/test_same.py
def test_b():
    pass
";
    Table::new(files)
        .same(&["", "-q b", "--import-mode=importlib"])
        .check();
}

#[test]
fn exit_from_within() {
    let test = |body: &str| {
        format!(
            "--- test_exit.py\nimport os\nimport pytest\nimport sys\nimport time\n\n\
             def test_before():\n    open('before', 'w').close()\n\n\
             def test_exits():\n    \
                 # Another worker's session has begun before this one ends it.\n    \
                 while not os.path.exists('before'):\n        time.sleep(0.01)\n    {body}\n"
        )
    };
    for body in [
        "pytest.exit('enough for today')",
        "pytest.exit('with a code', returncode=11)",
        "raise KeyboardInterrupt",
        "sys.exit(3)",
        "raise SystemExit('text')",
        "raise GeneratorExit",
    ] {
        Table::new(&test(body)).same(&["", "-v"]).check();
    }
    let module = "--- test_exit.py\nimport pytest\npytest.exit('at import', returncode=5)\n";
    Table::new(module).same(&[""]).check();
    let module = "--- test_exit.py\nraise KeyboardInterrupt\n";
    Table::new(module).same(&[""]).check();
}

const FIXTURES: &str = "
--- conftest.py
import pytest

@pytest.fixture
def testrun_uid():
    '''The conftest's own.'''
    return 'mine'
--- test_a.py
def test_missing(nobody_has_it):
    pass

def test_own(testrun_uid):
    assert testrun_uid == 'mine'
";

/// xdist's fixtures are there for whoever asks, and are no fixtures where it is not installed.
#[test]
fn fixtures_that_there_are() {
    let lines = [
        "-q",
        "-v",
        "--fixtures",
        "--fixtures -v",
        "--fixtures-per-test",
    ];
    for venv in [plain_venv(), main_venv()] {
        let mut table = Table::new(FIXTURES).with(venv);
        for line in lines {
            table = table.same_in_process(line);
        }
        table.check();
    }
    let old = pytest_venv("8.0.2");
    let asks = "--- test_a.py\ndef test_a(request, worker_id):\n    assert worker_id == 'master'\n    \
                assert request.getfixturevalue('testrun_uid')\n";
    for venv in [plain_venv(), &old] {
        let project = Project::new(asks);
        Command::rpytest(venv, &project).run().expect(0, "1 passed");
    }
}
