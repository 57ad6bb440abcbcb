//! The cases.

use super::Like::{ButForTheCode, ProbesAlone, Pytests, PytestsInProcess};
use super::Probe::{Exits, Hides, Nothing, Shows, Tells, Turns, Writes};
use super::{Case, Like, Probe};
use crate::support::Project;

type Options = &'static [(&'static str, Probe)];

/// A case whose command line without the options is empty.
const fn case(with: &'static str, options: Options, like: Like) -> Case {
    Case {
        files: SUITE,
        before: "",
        without: "",
        with,
        options,
        like,
    }
}

impl Case {
    const fn of(mut self, files: &'static str) -> Self {
        self.files = files;
        self
    }

    const fn without(mut self, without: &'static str) -> Self {
        self.without = without;
        self
    }

    const fn after(mut self, before: &'static str) -> Self {
        self.before = before;
        self
    }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Case> {
    let tables: [&'static [Case]; 8] = [
        SELECTING,
        CONFIGURING,
        STOPPING,
        REMEMBERING,
        REPORTING,
        LOGGING,
        DOCTESTS,
        WORKERS,
    ];
    tables.into_iter().flatten()
}

/// Options that are refused, and what is said of them.
pub const REFUSED: &[(&str, &str)] = &[("-f", "--watch"), ("--looponfail", "--watch")];

const SUITE: &str = r#"
--- pytest.ini
[pytest]
pythonpath = .
markers =
    slow: takes long
--- other.ini
[pytest]
addopts = --tb=line
--- conftest.py
import pytest

def pytest_report_header():
    return "header of the conftest"

@pytest.fixture(scope="module")
def base():
    """Shared by a module."""
    return 1

@pytest.fixture
def number(base):
    """One for each test."""
    return base + 1
--- debugger.py
import pdb

class Own(pdb.Pdb):
    def __init__(self, *args, **kwargs):
        print("a debugger of our own")
        super().__init__(*args, **kwargs)
--- test_one.py
import logging
import sys
import time
import warnings
import pytest

log = logging.getLogger("one")

def helper(value):
    raise ValueError(f"of a helper: {value}")

def test_passes(number, tmp_path):
    print("printed by a pass")
    (tmp_path / "left").write_text("here")

@pytest.mark.slow
def test_slow():
    time.sleep(0.3)

def test_fails(number):
    local_value = number + 40
    print("on stdout")
    print("on stderr", file=sys.stderr)
    log.warning("logged")
    assert local_value == 43

def test_raises():
    helper([1, 2, 3])

def test_long():
    assert "x" * 120 == "y" * 120

@pytest.mark.skip(reason="not today")
def test_skipped_one():
    pass

@pytest.mark.skip(reason="not today")
def test_skipped_two():
    pass

@pytest.mark.xfail(reason="known")
def test_expected():
    wrong = 2
    assert wrong == 3

def test_warns():
    warnings.warn("careful")
--- test_two.py
def test_two():
    pass
--- package/__init__.py
--- package/test_three.py
def test_three():
    pass
--- environment/pyvenv.cfg
home = nowhere
--- environment/bin/activate
--- environment/bin/python
--- environment/conda-meta/history
--- environment/test_inside.py
def test_inside():
    pass
"#;

pub const SELECTING: &[Case] = &[
    case(
        "-k 'not fails' -m 'not slow'",
        &[
            ("-k", Hides("::test_fails ")),
            ("-m", Hides("::test_slow ")),
        ],
        Pytests,
    )
    .without("-v --no-header"),
    case(
        "--ignore=test_two.py --ignore-glob=*package* --deselect=test_one.py::test_warns",
        &[
            ("--ignore", Hides("test_two.py::")),
            ("--ignore-glob", Hides("package/test_three.py::")),
            ("--deselect", Hides("test_one.py::test_warns PASSED")),
        ],
        Pytests,
    )
    .without("-v --no-header"),
    case(
        "--collect-in-virtualenv",
        &[(
            "--collect-in-virtualenv",
            Shows("environment/test_inside.py"),
        )],
        Pytests,
    ),
    case("--pyargs", &[("--pyargs", Shows("1 passed"))], Pytests).without("package.test_three"),
    case(
        "--keep-duplicates",
        &[("--keep-duplicates", Shows("collected 2 items"))],
        Pytests,
    )
    .without("package package"),
    case(
        "--confcutdir=package",
        &[("--confcutdir", Hides("header of the conftest"))],
        Pytests,
    )
    .without("package"),
    case(
        "--noconftest",
        &[("--noconftest", Hides("header of the conftest"))],
        Pytests,
    )
    .without("package"),
    case(
        "--collect-only",
        &[("--collect-only", Shows("<Function test_two>"))],
        Pytests,
    ),
    case(
        "--continue-on-collection-errors",
        &[(
            "--continue-on-collection-errors",
            Shows("1 passed, 1 error"),
        )],
        Pytests,
    )
    .of("--- test_a.py\ndef test(): pass\n--- test_b.py\nimport nothing_of_this_name\n"),
    case(
        "--import-mode=importlib",
        &[("--import-mode", Exits(2))],
        Pytests,
    )
    .of("--- tests/sibling.py\n--- tests/test_a.py\nimport sibling\ndef test(): pass\n"),
];

const STRICT: &str = r#"
--- pytest.ini
[pytest]
unknown_key = 1
--- test_strict.py
import pytest

@pytest.mark.unknown_mark
def test_strict():
    pass
"#;

pub const CONFIGURING: &[Case] = &[
    case("--strict-config", &[("--strict-config", Exits(4))], Pytests).of(STRICT),
    case(
        "--strict-markers",
        &[(
            "--strict-markers",
            Shows("not found in `markers` configuration option"),
        )],
        Pytests,
    )
    .of(STRICT)
    .without("--disable-warnings"),
    case("--strict", &[("--strict", Shows("unknown_key"))], Pytests)
        .of(STRICT)
        .without("--disable-warnings -q"),
    case(
        "-c other.ini --rootdir=package -o console_output_style=count",
        &[
            ("-c", Shows("configfile: ../other.ini")),
            ("--rootdir", Shows("/project/package")),
            ("-o", Shows("[ 1/11]")),
        ],
        Pytests,
    ),
    case(
        "-p no:logging --assert=plain",
        &[
            ("-p", Hides("Captured log call")),
            ("--assert", Hides("assert 42 == 43")),
        ],
        Pytests,
    ),
    case(
        "--disable-plugin-autoload",
        &[("--disable-plugin-autoload", Hides("plugins: xdist"))],
        Pytests,
    ),
    case(
        "--trace-config",
        &[("--trace-config", Shows("active plugins:"))],
        ProbesAlone,
    )
    .without("test_two.py"),
    case(
        "--debug",
        &[("--debug", Shows("wrote pytest debug information to"))],
        ProbesAlone,
    )
    .without("test_two.py"),
    case("--version", &[("--version", Shows("pytest 9."))], Pytests),
    case("--help", &[("--help", Shows("--maxfail=num"))], ProbesAlone),
    case(
        "--basetemp=temporary",
        &[("--basetemp", Writes("temporary/test_passes0/left", "here"))],
        PytestsInProcess,
    ),
    case(
        "-W error::UserWarning",
        &[("-W", Shows("FAILED test_one.py::test_warns"))],
        Pytests,
    ),
    case("--max-warnings=0", &[("--max-warnings", Exits(6))], Pytests).without("-k warns"),
];

pub const STOPPING: &[Case] = &[
    case(
        "-x",
        &[("-x", Shows("stopping after 1 failures"))],
        PytestsInProcess,
    ),
    case(
        "--maxfail=2",
        &[("--maxfail", Shows("stopping after 2 failures"))],
        PytestsInProcess,
    ),
    case(
        "--pdb --pdbcls=debugger:Own",
        &[
            ("--pdb", Shows("entering PDB")),
            ("--pdbcls", Shows("a debugger of our own")),
        ],
        Pytests,
    )
    .without("-k fails"),
    case("--trace", &[("--trace", Shows("PDB runcall"))], Pytests).without("test_two.py"),
    case(
        "--capture=no",
        &[("--capture", Shows("printed by a pass"))],
        PytestsInProcess,
    ),
    case(
        "-s",
        &[("-s", Shows("printed by a pass"))],
        PytestsInProcess,
    ),
    case(
        "--runxfail",
        &[("--runxfail", Shows("FAILED test_one.py::test_expected"))],
        Pytests,
    ),
    case(
        "--setup-only",
        &[("--setup-only", Shows("SETUP    M base"))],
        Pytests,
    ),
    case(
        "--setup-show",
        &[("--setup-show", Shows("SETUP    M base"))],
        Pytests,
    ),
    case(
        "--setup-plan",
        &[("--setup-plan", Shows("SETUP    M base"))],
        Pytests,
    ),
    // The marks of reruns and timeouts are there without their plugins.
    case(
        "--markers",
        &[("--markers", Shows("@pytest.mark.slow: takes long"))],
        ProbesAlone,
    ),
    case(
        "--fixtures",
        &[("--fixtures", Shows("Shared by a module."))],
        Pytests,
    ),
    case(
        "--fixtures-per-test",
        &[("--fixtures-per-test", Shows("fixtures used by test_passes"))],
        Pytests,
    ),
];

pub const REMEMBERING: &[Case] = &[
    case(
        "--lf",
        &[("--lf", Shows("run-last-failure: rerun previous 3 failures"))],
        Pytests,
    )
    .after("-q"),
    case("--ff", &[("--ff", Shows("failures first"))], Pytests).after("-q"),
    case(
        "--nf",
        &[(
            "--nf",
            Turns(
                "PASSED test_two.py::test_two",
                "PASSED test_one.py::test_slow",
            ),
        )],
        Pytests,
    )
    .after("-q")
    .without("-q -rA --tb=no"),
    case(
        "--cache-show=cache/*",
        &[("--cache-show", Shows("cache values for"))],
        PytestsInProcess,
    )
    .after("-q test_two.py")
    .without("test_two.py"),
    case(
        "--cache-clear",
        &[("--cache-clear", Shows("no previously failed tests"))],
        Pytests,
    )
    .after("-q")
    .without("--lf"),
    case("--lfnf=none", &[("--lfnf", Shows("1 deselected"))], Pytests)
        .after("-q test_two.py")
        .without("--lf test_two.py"),
    case(
        "--sw",
        &[(
            "--sw",
            Shows("Test failed, continuing from this test next run"),
        )],
        Pytests,
    ),
    case(
        "--sw-skip",
        &[("--sw-skip", Shows("already passed items"))],
        Pytests,
    )
    .after("--sw")
    .without("-k 'passes or fails or raises'"),
    case(
        "--sw-reset",
        &[("--sw-reset", Shows("resetting state"))],
        Pytests,
    )
    .after("--sw")
    .without("--sw"),
];

pub const REPORTING: &[Case] = &[
    case(
        "-v -l -rs --no-fold-skipped --no-header --durations=2 --durations-min=0.25 --show-capture=stdout \
         --junitxml=junit.xml --junitprefix=pre",
        &[
            ("-v", Shows("test_one.py::test_passes PASSED")),
            ("-l", Shows("local_value = 42")),
            ("-r", Shows("SKIPPED ")),
            (
                "--no-fold-skipped",
                Shows("SKIPPED test_one.py::test_skipped_one - "),
            ),
            ("--no-header", Hides("rootdir: ")),
            ("--durations", Shows("slowest 2 durations")),
            ("--durations-min", Shows("durations < 0.25s hidden")),
            ("--show-capture", Hides("Captured stderr call")),
            ("--junitxml", Writes("junit.xml", "<testsuites")),
            (
                "--junitprefix",
                Writes("junit.xml", "classname=\"pre.test_one\""),
            ),
        ],
        Pytests,
    ),
    case(
        "-q --no-summary --disable-warnings --color=yes",
        &[
            ("-q", Hides("test session starts")),
            ("--no-summary", Hides("short test summary info")),
            ("--disable-warnings", Hides("warnings summary")),
            ("--color", Shows("\u{1b}[")),
        ],
        Pytests,
    ),
    case(
        "--code-highlight=no",
        &[("--code-highlight", Hides("\u{1b}[94massert\u{1b}"))],
        Pytests,
    )
    .without("--color=yes"),
    case(
        "--verbosity=1",
        &[("--verbosity", Shows("test_one.py::test_passes PASSED"))],
        Pytests,
    ),
    case(
        "--no-showlocals",
        &[("--no-showlocals", Hides("local_value = 42"))],
        Pytests,
    )
    .without("-l"),
    case(
        "--tb=native",
        &[("--tb", Shows("Traceback (most recent call last)"))],
        Pytests,
    ),
    case("--xfail-tb", &[("--xfail-tb", Shows("wrong = 2"))], Pytests).without("-rx"),
    // Among what pluggy shows are the plugins of rpytest.
    case(
        "--full-trace",
        &[("--full-trace", Shows("pytest_pyfunc_call"))],
        ProbesAlone,
    )
    .without("-k raises --tb=short"),
    case(
        "--force-short-summary",
        &[("--force-short-summary", Shows("xxx...\n"))],
        Pytests,
    )
    .without("-vv"),
    case(
        "--pastebin=failed",
        &[("--pastebin", Shows("Sending information to Paste Service"))],
        Pytests,
    )
    .without("-k fails --disable-warnings"),
];

const LOGS: &str = r#"
--- log.txt
before
--- test_log.py
import logging

def test_log():
    # Not as the source has it, which a traceback shows.
    logging.getLogger("noisy").error("no" + "ise")
    logging.getLogger("quiet").debug("whis" + "pered\nin two " + "lines")
    assert 0
"#;

pub const LOGGING: &[Case] = &[
    case(
        "--log-level=DEBUG --log-format=%(asctime)s!%(message)s --log-date-format=DATE \
         --log-auto-indent=true --log-disable=noisy",
        &[
            ("--log-level", Shows("whispered")),
            ("--log-format", Shows("!whispered")),
            ("--log-date-format", Shows("DATE!whispered")),
            ("--log-auto-indent", Shows("     in two lines")),
            ("--log-disable", Hides("noise\n")),
        ],
        Pytests,
    )
    .of(LOGS),
    case(
        "--log-file=log.txt --log-file-mode=a --log-file-level=DEBUG --log-file-format=%(asctime)s?%(message)s \
         --log-file-date-format=DATE",
        &[
            ("--log-file", Writes("log.txt", "noise")),
            ("--log-file-mode", Writes("log.txt", "before\nDATE")),
            ("--log-file-level", Writes("log.txt", "whispered")),
            ("--log-file-format", Writes("log.txt", "?whispered")),
            ("--log-file-date-format", Writes("log.txt", "DATE?whispered")),
        ],
        PytestsInProcess,
    )
    .of(LOGS),
    case(
        "--log-cli-level=DEBUG --log-cli-format=%(asctime)s~%(message)s --log-cli-date-format=DATE",
        &[
            ("--log-cli-level", Shows("live log call")),
            ("--log-cli-format", Shows("~whispered")),
            ("--log-cli-date-format", Shows("DATE~whispered")),
        ],
        PytestsInProcess,
    )
    .of(LOGS),
];

const DOCUMENTED: &str = r#"
--- module.py
def double(number):
    """
    >>> double(2)
    5
    >>> double(3)
    7
    """
    return 2 * number
--- broken.py
import nothing_of_this_name
--- notes.rst
>>> 1 + 1
3
--- test_a.py
def test(): pass
"#;

pub const DOCTESTS: &[Case] = &[
    case(
        "--doctest-glob=notes.rst",
        &[("--doctest-glob", Shows("notes.rst"))],
        Pytests,
    )
    .of(DOCUMENTED),
    case(
        "--doctest-modules",
        &[("--doctest-modules", Shows("broken.py"))],
        Pytests,
    )
    .of(DOCUMENTED),
    case(
        "--doctest-report=ndiff --doctest-continue-on-failure --doctest-ignore-import-errors",
        &[
            ("--doctest-report", Shows("Differences (ndiff")),
            ("--doctest-continue-on-failure", Shows("+ 6")),
            (
                "--doctest-ignore-import-errors",
                Hides("nothing_of_this_name"),
            ),
        ],
        Pytests,
    )
    .of(DOCUMENTED)
    .without("--doctest-modules"),
];

const PARALLEL: &str = r#"
--- conftest.py
import os
import pytest

@pytest.fixture(autouse=True)
def who(request, worker_id, testrun_uid):
    count = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")
    with open("ran", "a") as ran:
        ran.write(f"{request.node.name}|{worker_id}|{count}|{testrun_uid}\n")
--- test_a.py
def test_a(): pass
--- test_b.py
import pytest

@pytest.mark.parametrize("number", range(6))
def test_b(number): pass
"#;

const CRASHES: &str = r#"
--- test_a.py
import os
import pytest

@pytest.mark.parametrize("number", range(3))
def test_crashes(number):
    with open("ran", "a") as ran:
        ran.write("crashes\n")
    os._exit(1)
"#;

/// The fields of what the tests have written, of each test.
fn fields(project: &Project, field: usize) -> Vec<String> {
    let text = project.read("ran");
    let of_line = |line: &str| line.split('|').nth(field).unwrap_or_default().to_owned();
    text.lines().map(of_line).collect()
}

/// How many workers the tests were told of.
fn told(project: &Project) -> String {
    let mut counts = fields(project, 2);
    counts.dedup();
    counts.join(" ")
}

/// The order of the files.
fn order(project: &Project) -> String {
    let mut files: Vec<String> = fields(project, 0);
    files.iter_mut().for_each(|name| name.truncate(6));
    files.dedup();
    files.join(" ")
}

fn uid(project: &Project) -> String {
    let mut uids = fields(project, 3);
    uids.dedup();
    match uids.as_slice() {
        [one] if one == "mine" => one.clone(),
        _ => "made up".to_owned(),
    }
}

pub const WORKERS: &[Case] = &[
    case(
        "-n 2 --testrunuid=mine",
        &[("-n", Tells(told)), ("--testrunuid", Tells(uid))],
        ProbesAlone,
    )
    .of(PARALLEL),
    case(
        "--maxprocesses=1",
        &[("--maxprocesses", Tells(told))],
        ProbesAlone,
    )
    .of(PARALLEL)
    .without("-n 2"),
    case(
        "--tx 2*popen -d",
        &[("--tx", Tells(told)), ("-d", Tells(told))],
        ProbesAlone,
    )
    .of(PARALLEL),
    case("--dist=each", &[("--dist", Tells(all_tests))], ProbesAlone)
        .of(PARALLEL)
        .without("-n 2"),
    // With a single worker: with more, which of them is quicker decides as well.
    case(
        "--no-loadscope-reorder",
        &[("--no-loadscope-reorder", Tells(order))],
        ProbesAlone,
    )
    .of(PARALLEL)
    .without("-n 1 --dist=loadscope"),
    case(
        "--loadscope-reorder --maxschedchunk=1 --px id=way//popen",
        &[
            ("--loadscope-reorder", Nothing("it is so without it")),
            (
                "--maxschedchunk",
                Nothing("it only paces what workers are given"),
            ),
            ("--px", Nothing("no worker goes by that way")),
        ],
        ProbesAlone,
    )
    .of(PARALLEL)
    .without("-n 1 -q --dist=loadscope"),
    case(
        "--rsyncdir=.",
        &[("--rsyncdir", Shows("The --rsyncdir command line argument"))],
        ProbesAlone,
    )
    .of(PARALLEL)
    .without("-n 1 -q"),
    case(
        "--rsyncignore=*.txt",
        &[(
            "--rsyncignore",
            Nothing("nothing is copied to workers on this machine"),
        )],
        ProbesAlone,
    )
    .of(PARALLEL)
    .without("-n 1 -q"),
    case(
        "--max-worker-restart=0",
        &[("--max-worker-restart", Tells(all_tests))],
        ButForTheCode,
    )
    .of(CRASHES)
    .without("-n 1"),
];

/// How often tests ran.
fn all_tests(project: &Project) -> String {
    fields(project, 0).len().to_string()
}
