//! Reports that are files: pytest-html, pytest-json-report, allure-pytest; and pytest-metadata, which is in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::artefacts::{between, drop_keys, files_below, json_file};
use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step, Workers};
use crate::support::normal::normal_text;
use crate::support::{Project, Run};

pub const HTML: Plugin = Plugin {
    name: "pytest-html",
    version: "4.2.0",
    files: WITH_EXTRAS,
    look: page,
    knows_xdist: true,
    artefacts: "both kinds of HTML report with all that is in them, assets",
    note: "with workers the rows are in the order of the collection, as without",
    steps: &[
        Step {
            arguments: &["--html=report.html", "--self-contained-html"],
            counts: "2 failed, 3 passed, 1 skipped, 1 xfailed, 1 error",
        },
        Step {
            arguments: &["--html=report.html", "test_a.py"],
            counts: "2 failed, 2 passed, 1 skipped, 1 error",
        },
    ],
    ..PLAIN
};

#[test]
fn html() {
    holds(&HTML);
}

pub const JSON_REPORT: Plugin = Plugin {
    name: "pytest-json-report",
    version: "1.5.0",
    files: WITH_METADATA,
    look: json,
    workers: Workers::AsXdist,
    artefacts: "JSON report with streams, logs, tracebacks, warnings, metadata, collectors",
    note: "with workers the report has no `collectors`, as under xdist: a worker's collection that passes is not told of",
    steps: &[
        Step {
            arguments: &["--json-report", "-rA"],
            counts: "2 failed, 3 passed, 1 skipped, 1 xfailed, 1 warning, 1 error",
        },
        Step {
            arguments: &[
                "--json-report",
                "--json-report-omit",
                "collectors",
                "log",
                "-k",
                "not wrong",
                "-rA",
            ],
            counts: "3 passed, 1 skipped, 3 deselected, 1 xfailed, 1 warning",
        },
    ],
    ..PLAIN
};

#[test]
fn json_report() {
    holds(&JSON_REPORT);
}

pub const ALLURE: Plugin = Plugin {
    name: "allure-pytest",
    version: "2.16.2",
    with: &["allure-python-commons==2.16.2"],
    files: WITH_STEPS,
    look: results,
    knows_xdist: true,
    artefacts: "all files of `--alluredir`: results, containers, attachments",
    note: "with workers a fixture that several of them have set up has a container for each, as under xdist",
    steps: &[
        Step {
            arguments: &["--alluredir=allure"],
            counts: "2 failed, 5 passed, 1 skipped, 1 error",
        },
        Step {
            arguments: &[
                "--alluredir=allure",
                "--clean-alluredir",
                "--allure-severities=critical",
            ],
            counts: "1 passed, 8 deselected",
        },
    ],
    ..PLAIN
};

#[test]
fn allure() {
    holds(&ALLURE);
}

pub const METADATA: Plugin = Plugin {
    name: "pytest-metadata",
    version: "3.1.1",
    files: METADATA_SUITE,
    knows_xdist: true,
    look: junit_properties,
    plain: without_plugins,
    artefacts: "header, `metadata` fixture, JUnit XML properties",
    steps: &[Step {
        arguments: &[
            "-v",
            "--metadata",
            "shop",
            "books",
            "--metadata-from-json={\"floor\": 3}",
            "--junitxml=junit.xml",
        ],
        counts: "1 failed, 2 passed",
    }],
    ..PLAIN
};

#[test]
fn metadata() {
    holds(&METADATA);
}

/// The data of the page, and the page around them.
fn page(project: &Project, _: &Run) -> String {
    let page = normal_text(&project.read("report.html"), project.base());
    let mark = "data-jsonblob=\"";
    let at = page.find(mark).expect("the data") + mark.len();
    let end = at + page[at..].find('"').expect("its end");
    let data = page[at..end].replace("&#34;", "\"").replace("&#39;", "'");
    let data = data
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let mut data: Value = serde_json::from_str(&data).expect("JSON");
    drop_keys(&mut data, &["duration", "xdist"]);
    let data = between(&format!("{data:#}"), "col-duration\\\">", "<", "");
    let around = format!("{}{}", &page[..at], &page[end..]);
    let around = between(&around, "Report generated on ", " by", "");
    let around = between(&around, " took ", ".", "");
    format!("{data}\n{around}\n{:?}", files_below(project, "assets"))
}

const TIMES: [&str; 2] = ["created", "duration"];

/// Beside them, what a record of logging has of its time and its process.
fn json(project: &Project, _: &Run) -> String {
    let of_records = [
        "msecs",
        "relativeCreated",
        "thread",
        "process",
        "threadName",
        "processName",
    ];
    let without = [&TIMES[..], &of_records, &["xdist"]].concat();
    let mut report = json_file(project, ".report.json", &without);
    // In the order in which workers have finished.
    if let Some(tests) = report["tests"].as_array_mut() {
        tests.sort_by_key(|test| test["nodeid"].to_string());
    }
    format!("{report:#}")
}

/// Results by their tests' names; attachments by what is in them. A fixture that several workers have set up is one container, of
/// all whom it was for.
fn results(project: &Project, _: &Run) -> String {
    let files = files_below(project, "allure");
    let mut texts = Vec::new();
    let mut names = BTreeMap::new();
    for path in files.iter().filter(|path| path.ends_with("-result.json")) {
        let mut result = json_file(project, path, &["start", "stop"]);
        let id = result["uuid"].as_str().unwrap_or_default().to_owned();
        names.insert(id, result["name"].to_string());
        drop_keys(&mut result, &["uuid"]);
        // A process and a machine are two runs' own.
        let labels = result["labels"].as_array_mut().expect("labels");
        labels.retain(|label| label["name"] != "thread" && label["name"] != "host");
        // In the order of a set.
        labels.sort_by_key(|label| label.to_string());
        texts.push(format!("{:#}", with_attachments(project, result)));
    }
    let mut containers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for path in files
        .iter()
        .filter(|path| path.ends_with("-container.json"))
    {
        let mut container = json_file(project, path, &["start", "stop", "uuid"]);
        let children = container["children"].take();
        let children = children.as_array().into_iter().flatten();
        let children = children.filter_map(|id| Some(&**names.get(id.as_str()?)?));
        let container = format!("{:#}", with_attachments(project, container));
        containers.entry(container).or_default().extend(children);
    }
    texts.extend(
        containers
            .iter()
            .map(|(text, of)| format!("{text} of {of:?}")),
    );
    texts.sort();
    texts.join("\n")
}

/// Attachments with what is in them in the place of their names.
fn with_attachments(project: &Project, mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            if let Some(Value::String(source)) = map.get_mut("source") {
                let path = project.root().join("allure").join(&*source);
                let content = std::fs::read(path).expect("an attachment");
                *source = String::from_utf8_lossy(&content).into_owned();
            }
            for value in map.values_mut() {
                *value = with_attachments(project, value.take());
            }
        }
        Value::Array(values) => {
            for value in values {
                *value = with_attachments(project, value.take());
            }
        }
        _ => {}
    }
    value
}

fn junit_properties(project: &Project, _: &Run) -> String {
    let junit = crate::support::normal::junit(&project.read("junit.xml"), project.base());
    without_plugins(junit)
}

/// Which plugins there are is another thing beside xdist.
fn without_plugins(text: String) -> String {
    text.replace(", 'xdist': '3.8.0'", "")
        .replace("'xdist': '3.8.0', ", "")
}

const WITH_EXTRAS: &str = r#"
--- pytest.ini
[pytest]
render_collapsed = passed
--- conftest.py
import pytest
import pytest_html
def pytest_html_report_title(report):
    report.title = 'The shop'
def pytest_html_results_summary(prefix, summary, postfix):
    prefix.append('<p>before</p>')
def pytest_html_results_table_header(cells):
    cells.insert(2, '<th>Description</th>')
def pytest_html_results_table_row(report, cells):
    cells.insert(2, f'<td>{getattr(report, "description", "")}</td>')
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    report.description = str(item.function.__doc__)
    extras = getattr(report, 'extras', [])
    if report.when == 'call' and report.failed:
        extras.append(pytest_html.extras.url('http://shop.test/failed'))
    report.extras = extras
--- test_a.py
import logging, sys, pytest
from pytest_html import extras as kinds
def test_right(extras):
    """Right."""
    extras.append(kinds.text('some text', name='note'))
    extras.append(kinds.json({'a': [1, 2]}))
    extras.append(kinds.html('<b>bold</b>'))
    extras.append(kinds.png('iVBORw0KGgo='))
@pytest.fixture
def broken():
    print('setting up')
    raise RuntimeError('no such shelf')
def test_setup(broken):
    pass
def test_wrong():
    print('on <stdout>')
    print('on stderr', file=sys.stderr)
    logging.getLogger().warning('logged')
    assert [1, 2] == [1, 3]
@pytest.fixture
def after():
    yield
    print('torn down')
def test_wrong_too(after):
    assert 0
def test_after(after):
    print('called')
@pytest.mark.skip(reason='not today')
def test_skipped():
    pass
--- test_b.py
import pytest
def test_other():
    pass
@pytest.mark.xfail(reason='not yet')
def test_expected():
    assert 0
"#;

const WITH_METADATA: &str = "
--- conftest.py
def pytest_json_runtest_metadata(item, call):
    return {'phase': call.when} if call.when == 'call' else {}
def pytest_json_modifyreport(json_report):
    json_report['shop'] = 'books'
--- test_a.py
import logging, sys, warnings, pytest
def test_right(json_metadata):
    json_metadata['pages'] = [1, {'two': 2}]
@pytest.fixture
def broken():
    raise RuntimeError('no such shelf')
def test_wrong_setup(broken):
    pass
def test_wrong():
    print('on stdout')
    print('on stderr', file=sys.stderr)
    logging.getLogger('shop').warning('logged %s', 1)
    assert [1, 2] == [1, 3]
def test_wrong_too():
    {}['dune']
def test_property(record_property):
    record_property('price', 3)
    warnings.warn('be careful')
@pytest.mark.skip(reason='not today')
def test_skipped():
    pass
@pytest.mark.xfail(reason='not yet')
@pytest.mark.parametrize('a', [1])
def test_expected(a):
    assert 0
class TestClass:
    def test_method(self):
        pass
";

const WITH_STEPS: &str = r#"
--- pytest.ini
[pytest]
markers =
    slow: takes long
--- test_a.py
import allure, pytest
@allure.step('look for {name}')
def look(name):
    allure.attach(f'found {name}', 'what was found', allure.attachment_type.TEXT)
@pytest.fixture(scope='module')
def shop():
    with allure.step('open'):
        pass
    yield 'shop'
    with allure.step('close'):
        pass
@pytest.fixture
def shelf(shop):
    yield shop + '/shelf'
@allure.epic('books')
@allure.feature('shelf')
@allure.story('finding')
@allure.severity(allure.severity_level.CRITICAL)
@allure.link('http://shop.test', name='the shop')
@allure.issue('7')
@allure.title('Finds {param}')
@pytest.mark.parametrize('param', ['dune'])
def test_finds(shelf, param):
    """Finds a book."""
    look(param)
    allure.dynamic.label('owner', 'nobody')
    allure.dynamic.description('described')
@pytest.mark.slow
@pytest.mark.parametrize('number', [1, 2])
def test_numbers(number):
    with allure.step(f'number {number}'):
        assert number == 1
def test_broken(shelf):
    print('on stdout')
    raise ValueError('broken')
@pytest.fixture
def no_shelf():
    raise RuntimeError('no shelf')
def test_setup(no_shelf):
    pass
@pytest.mark.skip(reason='not today')
def test_skipped():
    pass
@allure.parent_suite('parent')
@allure.suite('suite')
class TestClass:
    @allure.tag('a', 'b')
    def test_method(self, shelf):
        allure.attach(b'\\x00\\x01', 'bytes', extension='bin')
    @allure.id('77')
    def test_id(self):
        pass
--- test_b.py
def test_other():
    print('said')
"#;

const METADATA_SUITE: &str = "
--- conftest.py
def pytest_metadata(metadata):
    metadata['from'] = 'conftest'
--- test_a.py
def test_metadata(metadata):
    assert metadata['shop'] == 'books' and metadata['floor'] == 3
def test_wrong(metadata):
    assert metadata['from'] == 'nowhere'
def test_properties(include_metadata_in_junit_xml):
    pass
";
