//! Whole ways to test: pytest-django, pytest-bdd, pytest-benchmark; and pytest-xdist itself.

use std::collections::BTreeSet;
use std::fs;

use crate::artefacts::{between, files_below, json_file};
use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step, Workers};
use crate::support::{Project, Run};

pub const DJANGO: Plugin = Plugin {
    name: "pytest-django",
    version: "4.14.0",
    with: &["Django==6.1.3"],
    files: SHOP,
    knows_xdist: true,
    note: "with workers each has a database of its own, with the worker's id in its name, as under xdist",
    steps: &[
        Step {
            arguments: &[],
            counts: "2 failed, 11 passed, 1 skipped, 1 warning",
        },
        Step {
            arguments: &["--ds=shop.other", "-k", "setting"],
            counts: "4 passed, 10 deselected, 1 warning",
        },
        Step {
            arguments: &[
                "--reuse-db",
                "--no-migrations",
                "--fail-on-template-vars",
                "-k",
                "not live",
            ],
            counts: "2 failed, 10 passed, 1 skipped, 1 deselected, 1 warning",
        },
    ],
    ..PLAIN
};

#[test]
fn django() {
    holds(&DJANGO);
}

pub const BDD: Plugin = Plugin {
    name: "pytest-bdd",
    version: "9.0.1",
    files: FEATURES,
    look: cucumber,
    workers: Workers::AsXdist,
    artefacts: "`--cucumberjson`",
    note: "with workers `--cucumberjson` writes an empty list, as under xdist: the plugin keeps what a step did in the process that ran it",
    steps: &[
        Step {
            arguments: &["--cucumberjson=cucumber.json", "-v", "-rA"],
            counts: "1 failed, 4 passed",
        },
        Step {
            arguments: &["-m", "urgent", "-rA"],
            counts: "1 passed, 4 deselected",
        },
    ],
    ..PLAIN
};

#[test]
fn bdd() {
    holds(&BDD);
}

pub const BENCHMARK: Plugin = Plugin {
    name: "pytest-benchmark",
    version: "5.3.1",
    files: MEASURED,
    look: benchmarks,
    plain: without_figures,
    workers: Workers::AsXdist,
    artefacts: "tables, `--benchmark-json`, saved runs, `--benchmark-compare`: all but the figures",
    note: "it measures nothing with workers, and says so: nor does it under xdist",
    steps: &[
        Step {
            arguments: &[
                "-rA",
                "--benchmark-json=out.json",
                "--benchmark-autosave",
                "--benchmark-columns=rounds,iterations",
                "--benchmark-sort=fullname",
            ],
            counts: "1 failed, 5 passed",
        },
        Step {
            arguments: &[
                "-rA",
                "--benchmark-compare",
                "--benchmark-columns=rounds",
                "--benchmark-sort=fullname",
                "--benchmark-group-by=func",
            ],
            counts: "1 failed, 5 passed",
        },
        Step {
            arguments: &["-rA", "--benchmark-skip"],
            counts: "1 passed, 5 skipped",
        },
        Step {
            arguments: &["-rA", "--benchmark-disable"],
            counts: "1 failed, 5 passed",
        },
    ],
    ..PLAIN
};

#[test]
fn benchmark() {
    holds(&BENCHMARK);
}

pub const XDIST: Plugin = Plugin {
    name: "pytest-xdist",
    version: "3.8.0",
    files: WORKERS,
    workers: Workers::AsXdist,
    look: workers_seen,
    artefacts: "what workers see of themselves, and which tests share one",
    note: "with `-x` rpytest exits with 1, as pytest does; xdist with 2",
    steps: &[
        Step {
            arguments: &["-rA"],
            counts: "1 failed, 9 passed",
        },
        Step {
            arguments: &["-rA", "--dist=loadgroup"],
            counts: "1 failed, 9 passed",
        },
        Step {
            arguments: &["-rA", "--dist=loadfile", "--maxprocesses=1"],
            counts: "1 failed, 9 passed",
        },
    ],
    ..PLAIN
};

#[test]
fn xdist() {
    holds(&XDIST);
}

fn cucumber(project: &Project, _: &Run) -> String {
    format!("{:#}", json_file(project, "cucumber.json", &["duration"]))
}

/// What was measured, without the figures; and the names of what was saved.
fn benchmarks(project: &Project, _: &Run) -> String {
    let mut left = String::new();
    let saved = files_below(project, "saved");
    left.push_str(&format!("{} saved\n", saved.len()));
    if project.read("out.json").is_empty() {
        return left;
    }
    let json = json_file(
        project,
        "out.json",
        &["machine_info", "commit_info", "datetime"],
    );
    for benchmark in json["benchmarks"].as_array().into_iter().flatten() {
        let of = |name: &str| benchmark[name].to_string();
        let names = [
            "group",
            "name",
            "fullname",
            "params",
            "param",
            "extra_info",
            "options",
        ];
        left.push_str(&names.map(of).join(" "));
        let stats = &benchmark["stats"];
        let data = stats["data"].as_array().map_or(0, Vec::len);
        left.push_str(&format!(
            " {} {} {data}\n",
            stats["rounds"], stats["iterations"]
        ));
    }
    left
}

/// Tables of the numbers of rounds alone are the same each time, but for their unit and the name of what is saved.
fn without_figures(output: String) -> String {
    let output = between(&output, "Saved benchmark data in: ", "\n", "<path>");
    let output = between(&output, "benchmarks from: ", "\n", "<path>");
    between(&output, "Name (time in ", ")", "<unit>")
}

/// Each test that has run; and with groups, whether those of one have shared a worker.
fn workers_seen(project: &Project, run: &Run) -> String {
    let words = project.words("../seen");
    // The next step has its own.
    fs::remove_file(project.base().join("seen")).expect("it is there");
    let seen: Vec<_> = words
        .iter()
        .filter_map(|word| word.split_once('='))
        .collect();
    let names: Vec<_> = seen.iter().map(|(name, _)| name).collect();
    let grouped = seen.iter().filter(|(name, _)| name.contains("group"));
    let workers: BTreeSet<_> = grouped.map(|(_, worker)| worker).collect();
    if run.stdout.contains("@one") {
        format!("{names:?} {}", workers.len())
    } else {
        format!("{names:?}")
    }
}

const SHOP: &str = "
--- pytest.ini
[pytest]
DJANGO_SETTINGS_MODULE = shop.settings
pythonpath = .
python_files = tests.py test_*.py
--- shop/__init__.py
--- shop/settings.py
SECRET_KEY = 'not secret'
INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'shop']
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}
ROOT_URLCONF = 'shop.urls'
USE_TZ = True
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
TEMPLATES = [{'BACKEND': 'django.template.backends.django.DjangoTemplates', 'DIRS': ['templates'], 'OPTIONS': {}}]
PRICE = 3
STATIC_URL = 'static/'
--- shop/other.py
from .settings import *
PRICE = 4
--- shop/models.py
from django.db import models
class Book(models.Model):
    name = models.CharField(max_length=50, unique=True)
--- shop/migrations/__init__.py
--- shop/migrations/0001_initial.py
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel('Book', [
        ('id', models.BigAutoField(primary_key=True, auto_created=True)),
        ('name', models.CharField(max_length=50, unique=True)),
    ])]
--- shop/urls.py
from django.http import JsonResponse
from django.shortcuts import render
from django.urls import path
from .models import Book
def books(request):
    return JsonResponse({'books': list(Book.objects.values_list('name', flat=True))})
def page(request):
    return render(request, 'page.html', {'name': 'dune'})
urlpatterns = [path('books/', books), path('page/', page)]
--- templates/page.html
<p>{{ name }}</p>
--- shop/tests.py
import pytest
from django.db import connection, transaction
from django.test import TestCase
from .models import Book
@pytest.fixture
def dune(db):
    return Book.objects.create(name='dune')
def test_database(dune):
    assert Book.objects.count() == 1
@pytest.mark.django_db
def test_rolled_back():
    assert Book.objects.count() == 0
def test_forbidden():
    Book.objects.count()
@pytest.mark.django_db(transaction=True)
def test_transactions():
    with transaction.atomic():
        Book.objects.create(name='emma')
    assert not connection.in_atomic_block
def test_client(client, dune):
    assert client.get('/books/').json() == {'books': ['dune']}
def test_template(client):
    assert client.get('/page/').content.strip() == b'<p>dune</p>'
def test_admin(admin_user, django_user_model):
    assert django_user_model.objects.get().is_superuser
def test_queries(dune, django_assert_num_queries):
    with django_assert_num_queries(1):
        list(Book.objects.all())
@pytest.mark.skipif(connection.vendor != 'postgresql', reason='not this database')
def test_other_database(db):
    pass
class BookTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.book = Book.objects.create(name='persuasion')
    def test_unit(self):
        self.assertEqual(Book.objects.get(), self.book)
--- test_settings.py
import threading
import urllib.request
from django.core.signals import request_finished
def test_setting(settings):
    settings.PRICE = 7
    from django.conf import settings as others
    assert others.PRICE == 7
def test_setting_is_undone(settings):
    assert settings.PRICE == 4
def test_live(live_server):
    # Django's own receiver, which asks for the database, comes before this one. It may not any more
    # when the test is over.
    finished = threading.Event()
    def finish(**_):
        finished.set()
    request_finished.connect(finish)
    assert urllib.request.urlopen(live_server.url + '/page/').status == 200
    assert finished.wait(30)
def test_mail(mailoutbox):
    from django.core.mail import send_mail
    send_mail('subject', 'body', 'from@shop.test', ['to@shop.test'])
    assert [mail.subject for mail in mailoutbox] == ['subject']
";

const FEATURES: &str = r#"
--- pytest.ini
[pytest]
bdd_features_base_dir = features
markers =
    urgent: now
--- features/shelf.feature
Feature: A shelf
  Background:
    Given an empty shelf
  @urgent
  Scenario: One book
    When I put "dune" on it
    Then there is 1 book
  Scenario Outline: Some books
    When I put <count> books on it
    Then there are <left> books
    Examples:
      | count | left |
      | 2     | 2    |
      | 3     | 3    |
  Scenario: Wrong
    When I put "dune" on it
    Then there are 2 books
  Scenario: A table
    When I put these on it:
      | name | pages |
      | dune | 600   |
      | emma | 400   |
    Then there are 2 books
--- test_shelf.py
from pytest_bdd import given, parsers, scenarios, then, when
scenarios('shelf.feature')
@given('an empty shelf', target_fixture='shelf')
def shelf():
    return []
@when(parsers.parse('I put "{name}" on it'))
def put(shelf, name):
    shelf.append(name)
@when(parsers.parse('I put {count:d} books on it'))
def put_some(shelf, count):
    shelf.extend(range(count))
@when('I put these on it:')
def put_table(shelf, datatable):
    shelf.extend(datatable[1:])
@then(parsers.re(r'there (is|are) (?P<count>[0-9]+) books?'), converters={'count': int})
def there_are(shelf, count):
    assert len(shelf) == count
"#;

const MEASURED: &str = "
--- pytest.ini
[pytest]
addopts = --benchmark-min-rounds=3 --benchmark-max-time=0.001 --benchmark-warmup=off --benchmark-storage=file://saved
--- test_a.py
import pytest
@pytest.mark.parametrize('size', [1, 100])
def test_sum(benchmark, size):
    assert benchmark.pedantic(sum, args=(range(size),), rounds=4, iterations=2) >= 0
@pytest.mark.benchmark(group='lists')
def test_list(benchmark):
    benchmark.extra_info['shop'] = 'books'
    assert benchmark.pedantic(list, rounds=3) == []
@pytest.mark.benchmark(group='lists')
def test_sorted(benchmark):
    assert benchmark.pedantic(sorted, args=([2, 1],), rounds=3) == [1, 2]
def test_wrong(benchmark):
    assert benchmark.pedantic(len, args=('a',), rounds=3) == 2
def test_plain():
    pass
";

const WORKERS: &str = r#"
--- pytest.ini
[pytest]
markers =
    serial: by itself
--- conftest.py
import os, pytest, xdist
@pytest.fixture(autouse=True)
def seen(request, worker_id):
    yield
    with open('../seen', 'a') as file:
        file.write(f'{request.node.name}={worker_id}\n')
--- test_a.py
import os, pytest, xdist
@pytest.mark.parametrize('a', range(4))
def test_each(a):
    pass
@pytest.mark.xdist_group('one')
def test_in_a_group(worker_id):
    pass
@pytest.mark.xdist_group(name='one')
def test_in_the_same_group(worker_id):
    pass
def test_who_am_i(request, worker_id, testrun_uid):
    assert xdist.get_xdist_worker_id(request) == worker_id
    assert xdist.is_xdist_worker(request) == (worker_id != 'master')
    assert os.environ.get('PYTEST_XDIST_WORKER', 'master') == worker_id
    assert os.environ.get('PYTEST_XDIST_TESTRUNUID', testrun_uid) == testrun_uid
def test_count(request, worker_id):
    assert ('PYTEST_XDIST_WORKER_COUNT' in os.environ) == (worker_id != 'master')
--- test_b.py
def test_first():
    pass
def test_wrong():
    assert 0
"#;
