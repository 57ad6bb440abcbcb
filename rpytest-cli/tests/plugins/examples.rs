//! Values for tests, and values of theirs: hypothesis, Faker, typeguard, syrupy.

use std::fs;

use crate::artefacts::files_below;
use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step};
use crate::support::{Project, Run};

pub const HYPOTHESIS: Plugin = Plugin {
    name: "hypothesis",
    version: "6.170.17",
    files: PROPERTIES,
    look: database,
    artefacts: "`.hypothesis/examples`: how many are kept of each test",
    note: "with a database, examples that failed are found by whichever worker runs the test next; a seed or `derandomize` is what makes two runs equal",
    steps: &[Step {
        arguments: &["--hypothesis-seed=7"],
        counts: "3 failed, 1 passed",
    }],
    ..PLAIN
};

#[test]
fn hypothesis() {
    holds(&HYPOTHESIS);
}

pub const FAKER: Plugin = Plugin {
    name: "Faker",
    version: "40.63.0",
    files: FAKES,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 6 passed, 1 warning",
    }],
    ..PLAIN
};

#[test]
fn faker() {
    holds(&FAKER);
}

pub const TYPEGUARD: Plugin = Plugin {
    name: "typeguard",
    version: "4.6.1",
    files: TYPED,
    steps: &[Step {
        arguments: &["--typeguard-packages=app"],
        counts: "1 failed, 3 passed",
    }],
    ..PLAIN
};

#[test]
fn typeguard() {
    holds(&TYPEGUARD);
}

pub const SYRUPY: Plugin = Plugin {
    name: "syrupy",
    version: "7.0.2",
    files: SNAPSHOTS,
    look: snapshots,
    knows_xdist: true,
    artefacts: "snapshot files, written, updated, deleted and read; report",
    note: "snapshots that nobody uses are found with workers, too: each tells of those it has used",
    steps: &[
        Step {
            arguments: &[],
            counts: "5 failed, 1 passed",
        },
        Step {
            arguments: &["--snapshot-update"],
            counts: "6 passed",
        },
        Step {
            arguments: &["--snapshot-details"],
            counts: "6 passed",
        },
    ],
    ..PLAIN
};

#[test]
fn syrupy() {
    holds(&SYRUPY);
}

/// How many examples are kept of each test: their names are digests of what was found.
fn database(project: &Project, _: &Run) -> String {
    let tests = fs::read_dir(project.root().join(".hypothesis/examples"));
    let tests = tests.into_iter().flatten().flatten();
    let kept = tests.map(|test| fs::read_dir(test.path()).map_or(0, Iterator::count));
    let mut kept: Vec<_> = kept.collect();
    kept.sort_unstable();
    format!("{kept:?}")
}

fn snapshots(project: &Project, _: &Run) -> String {
    let files = files_below(project, "__snapshots__");
    let text = |path: &String| format!("{path}\n{}", project.read(path));
    files.iter().map(text).collect()
}

const PROPERTIES: &str = "
--- test_a.py
from hypothesis import example, given, note, settings, strategies as st
@given(st.integers())
def test_right(x):
    assert x == x
@given(st.lists(st.integers()))
def test_sum(xs):
    note(f'{len(xs)} numbers')
    assert sum(xs) < 1000
@settings(derandomize=True, database=None)
@given(st.integers())
@example(7)
def test_example(x):
    assert x != 7
@settings(derandomize=True, database=None)
@given(st.data())
def test_data(data):
    assert data.draw(st.integers(0, 10)) <= data.draw(st.integers(0, 10))
";

const FAKES: &str = "
--- conftest.py
import pytest
@pytest.fixture(autouse=True)
def faker_seed(request):
    return 5 if 'seeded' in request.node.name else 0
--- test_a.py
import pytest
@pytest.mark.parametrize('number', range(3))
def test_same_each_time(faker, number):
    assert faker.name() == 'Norma Fisher'
def test_seeded(faker):
    print(faker.name(), faker.address())
    assert faker.name() == 'nobody'
class TestLocale:
    @pytest.fixture(scope='class', autouse=True)
    def faker_locale(self):
        return ['it_IT']
    def test_locale(self, faker):
        assert faker.locales == ['it_IT']
    def test_unique(self, faker):
        assert len({faker.unique.random_int(1, 5) for _ in range(5)}) == 5
def test_default(faker):
    assert faker.locales == ['en_US']
";

const TYPED: &str = "
--- app/__init__.py
--- app/shop.py
def price(name: str) -> int:
    return {'dune': 3}.get(name, 'none')
def names(count: int) -> list[str]:
    found: list[str] = ['dune'] * count
    return found
--- test_a.py
import pytest
from typeguard import TypeCheckError
from app.shop import names, price
def test_right():
    assert price('dune') == 3
    assert names(2) == ['dune', 'dune']
def test_argument():
    with pytest.raises(TypeCheckError, match='argument .name.'):
        price(3)
def test_wrong():
    price('emma')
def test_not_checked():
    def local(x: int) -> int:
        return x
    assert local('a') == 'a'
";

const SNAPSHOTS: &str = "
--- test_a.py
import pytest
from syrupy.extensions.json import JSONSnapshotExtension
def test_one(snapshot):
    assert {'name': 'dune', 'pages': [1, 2]} == snapshot
@pytest.mark.parametrize('name', ['dune', 'emma'])
def test_each(snapshot, name):
    assert name.upper() == snapshot
    assert len(name) == snapshot(name='length')
def test_json(snapshot):
    assert {'b': 1} == snapshot.use_extension(JSONSnapshotExtension)
--- test_b.py
def test_kept(snapshot):
    assert 'as ever' == snapshot
def test_changed(snapshot):
    assert 'new' == snapshot
--- __snapshots__/test_b.ambr
# serializer version: 1
# name: test_changed
  'old'
# ---
# name: test_gone
  'unused'
# ---
# name: test_kept
  'as ever'
# ---
";
