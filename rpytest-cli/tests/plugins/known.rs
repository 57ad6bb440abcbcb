//! Plugins that take part in each test, and do nothing about most: those go the short way.

use crate::coverage::COV;
use crate::examples::SYRUPY;
use crate::frameworks::BENCHMARK;
use crate::support::normal::{difference, normal};
use crate::support::python::{Venv, venv_of};
use crate::support::{Command, Project};

const PLAIN: &str = "
--- pytest.ini
[pytest]
--- test_plain.py
import pytest

def test_one():
    assert True

@pytest.mark.parametrize('number', [2, 3])
def test_more(number, tmp_path):
    print(number)

@pytest.mark.skip
def test_skipped():
    pass
--- test_special.py
import pytest

";

/// What is special, by the name of a plugin; what it is run with; and how many tests go which way.
struct Row<'a> {
    venv: &'a Venv,
    special: &'a str,
    arguments: &'a [&'a str],
    ways: &'a str,
}

#[test]
fn tests_that_a_plugin_leaves_alone_go_the_short_way() {
    let codspeed = venv_of("codspeed", &["pytest==9.2.0", "pytest-codspeed==5.0.4"]);
    let benchmarks = "
def test_benchmark(benchmark):
    benchmark(int)

@pytest.mark.benchmark(group='one')
def test_marked():
    pass
";
    let rows = [
        Row {
            venv: &BENCHMARK.venv(),
            special: benchmarks,
            arguments: &["--benchmark-disable"],
            ways: "4 tests were run by the short protocol, 2 by pytest's own: \
                   test_special.py::test_benchmark takes a fixture of a plugin",
        },
        Row {
            venv: &codspeed,
            special: benchmarks,
            arguments: &[],
            ways: "5 tests were run by the short protocol, 1 by pytest's own: \
                   test_special.py::test_marked has a mark `benchmark`",
        },
        Row {
            venv: &COV.venv(),
            special: "
def test_fixture(no_cover):
    pass

@pytest.mark.no_cover
def test_marked():
    pass
",
            arguments: &["--cov"],
            ways: "4 tests were run by the short protocol, 2 by pytest's own: \
                   test_special.py::test_fixture takes a fixture of a plugin",
        },
        Row {
            venv: &SYRUPY.venv(),
            special: "
def test_snapshot(snapshot):
    assert 1 == snapshot

def test_missing(snapshot):
    assert 2 == snapshot
--- __snapshots__/test_special.ambr
# serializer version: 1
# name: test_gone
  0
# ---
# name: test_snapshot
  1
# ---
",
            arguments: &[],
            ways: "6 tests were run by the short protocol, 0 by pytest's own",
        },
    ];
    for row in rows {
        let files = format!("{PLAIN}{}", row.special.trim_start());
        let arguments = [&["-rA", "-v"], row.arguments].concat();
        let project = Project::new(&files);
        let pytest = Command::pytest(row.venv, &project).args(&arguments).run();
        let expected = normal(&pytest, &project);
        let project = Project::new(&files);
        let ours = Command::rpytest(row.venv, &project)
            .args(["--explain"])
            .args(&arguments)
            .run();
        let run = normal(&ours, &project);
        assert_eq!(run.code, expected.code, "{ours}");
        let difference = difference(&expected.stdout, &run.stdout);
        assert!(expected.stdout == run.stdout, "{difference}");
        let ways = format!("rpytest: {}\n", row.ways);
        assert!(run.stderr.contains(&ways), "{ways}\n{ours}");
    }
}
