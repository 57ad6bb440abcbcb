//! The page of `--timing=html`, looked at by a browser.
//!
//! Chromium is found by name. Where there is none the page is not looked at, unless `RPYTEST_TEST_CHROMIUM` is set, as
//! `.ci/run` does where it could install one.

use std::env;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::python::main_venv;
use crate::support::{Command, Project, RUNS_ON, Run, Way};

const SUITE: &str = r#"
--- test_a.py
import time
import pytest

@pytest.fixture(scope="module")
def shelf():
    time.sleep(0.1)
    yield
    time.sleep(0.05)

def test_first(shelf):
    time.sleep(0.05)

@pytest.mark.parametrize("name", ["</script><script>throw 1</script>", "<!--", "ß", "{{script}}", "a\\b\"c"])
def test_odd(name):
    pass

@pytest.mark.parametrize("n", range(50))
def test_many(n):
    pass
--- test_b.py
import os
import pytest

def test_fails():
    assert False

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass

@pytest.fixture
def broken():
    raise RuntimeError

def test_error(broken):
    pass

def test_dies():
    os.kill(os.getpid(), 9)
"#;

const TESTS: u64 = 60;

fn run(project: &Project, way: Way, more: &str) -> Run {
    Command::rpytest(main_venv(), project)
        .args(way.arguments())
        .args(more.split_whitespace())
        .run()
}

/// The data that a page shows.
fn data(page: &str) -> Value {
    let begin = r#"<script type="application/json" id="data">"#;
    let (_, rest) = page.split_once(begin).expect("a page has its data");
    let (data, _) = rest.split_once("</script>").expect("and an end of them");
    serde_json::from_str(data).expect("they are JSON")
}

fn column<'a>(data: &'a Value, name: &str) -> Vec<&'a Value> {
    let column = data["tests"][name].as_array().expect(name);
    column.iter().collect()
}

/// Node ids that a page has.
fn nodeids(data: &Value) -> Vec<String> {
    let files = column(data, "file").into_iter();
    let names = column(data, "name").into_iter();
    let mut ids: Vec<String> = files
        .zip(names)
        .map(|(file, name)| {
            let file = file.as_u64().expect("a number");
            let file = &data["files"][usize::try_from(file).expect("of a file")]["path"];
            let text = |value: &Value| value.as_str().expect("a string").to_owned();
            format!("{}::{}", text(file), text(name))
        })
        .collect();
    ids.sort();
    ids
}

/// What pytest collects.
fn collected(project: &Project) -> Vec<String> {
    let run = Command::pytest(main_venv(), project)
        .args(["--collect-only", "-q"])
        .run();
    let ids = run.stdout.lines().filter(|line| line.contains("::"));
    let mut ids: Vec<String> = ids.map(str::to_owned).collect();
    ids.sort();
    ids
}

#[test]
fn a_page_has_each_test_in_the_lane_of_its_process() {
    let project = Project::new(SUITE);
    let expected = collected(&project);
    assert_eq!(expected.len() as u64, TESTS);
    for (way, workers) in [
        (Way::InProcess, 0),
        (Way::OneWorker, 1),
        (Way::TwoWorkers, 2),
    ] {
        let run = run(&project, way, "-q --timing=html:made/page.html");
        assert_eq!(run.code, 1, "{run}");
        assert!(run.stderr.contains("made/page.html"), "{run}");
        let data = data(&project.read("made/page.html"));
        assert_eq!(nodeids(&data), expected, "{way:?}");
        assert_eq!(data["count"], TESTS);
        let lanes = data["lanes"].as_array().expect("lanes");
        let runs: Vec<_> = (lanes.iter())
            .filter(|lane| lane["part"] == "worker")
            .collect();
        // One was replaced.
        assert!(
            runs.len() == workers || runs.len() == workers + 1,
            "{lanes:?}"
        );
        let count = |lane: &Value| lane["tests"].as_u64().expect("a count");
        assert_eq!(lanes.iter().map(count).sum::<u64>(), TESTS, "{lanes:?}");

        // No two tests of a lane at once, and all of them within the run.
        let number = |value: &Value| value.as_u64().expect("microseconds");
        let total = data["total"].as_f64().expect("seconds") * 1e6;
        let mut ends = vec![0; lanes.len()];
        for at in 0..column(&data, "begin").len() {
            let value = |name| number(column(&data, name)[at]);
            let lane = usize::try_from(value("lane")).expect("small");
            // Each is rounded by itself.
            assert!(value("begin") + 3 >= ends[lane], "{way:?}");
            ends[lane] = value("begin") + value("setup") + value("call") + value("teardown");
            assert!(Some(ends[lane]) <= Some(total as u64 + 3), "{way:?}");
        }
        let outcome = |name: &str| {
            let names = column(&data, "name");
            let at = names.iter().position(|other| *other == name).expect(name);
            number(column(&data, "outcome")[at])
        };
        let outcomes = [
            "test_first",
            "test_skipped",
            "test_fails",
            "test_error",
            "test_dies",
        ];
        assert_eq!(outcomes.map(outcome), [0, 1, 4, 5, 6], "{way:?}");

        // The fixture of the file, apart from the test that came first; and the files' imports.
        let shared = data["tests"]["shared"].as_array().expect("fixtures");
        assert!(
            shared
                .iter()
                .any(|one| one[1] == "test_a.py" && number(&one[2]) >= 90_000)
        );
        let files = data["files"].as_array().expect("files");
        assert!(
            files.iter().all(|file| file["import"].as_f64() > Some(0.0)),
            "{files:?}"
        );
        // The steps follow each other from the beginning to the end.
        let steps = data["steps"].as_array().expect("steps");
        assert_eq!(steps[0]["begin"], 0.0);
        for pair in steps.windows(2) {
            let (end, begin) = (pair[0]["end"].as_f64(), pair[1]["begin"].as_f64());
            assert_eq!(end, begin, "{steps:?}");
        }
        assert_eq!(steps.last().expect("a last one")["end"], data["total"]);
    }
}

#[test]
fn a_test_that_the_user_interrupts_has_not_crashed() {
    for way in [Way::InProcess, Way::TwoWorkers] {
        let project = Project::new(RUNS_ON);
        let mut running = Command::rpytest(main_venv(), &project)
            .args(way.arguments())
            .args(["--timing=html:page.html", "-k", "test_a or test_b"])
            .start();
        running.until("the test runs", || project.root().join("runs").exists());
        running.signal(Signal::INT);
        let run = running.wait();
        assert_eq!(run.code, 2, "{run}");
        let data = data(&project.read("page.html"));
        assert_eq!(column(&data, "outcome"), [7], "{way:?}");
        let command = data["command"].as_str().expect("text");
        assert!(command.ends_with("-k 'test_a or test_b'"), "{command}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_refused_before_a_test_runs() {
    let project = Project::new("--- test_a.py\ndef test_a(): open('ran', 'w')\n--- file\n");
    // The last is a directory in which nobody can make a file.
    for path in [".", "file/page.html", "/proc/page.html"] {
        let run = run(&project, Way::InProcess, &format!("--timing=html:{path}"));
        assert_eq!(run.code, 4, "{run}");
        let message = format!("--timing=html: {path} cannot be written");
        assert!(run.stderr.contains(&message), "{run}");
        assert!(!project.root().join("ran").exists());
    }
    // Where the place goes away meanwhile, the run has not done all that it was asked for.
    project.write("--- test_a.py\nimport shutil\ndef test_a():\n    shutil.rmtree('made')\n    open('made', 'w')\n");
    let run = run(&project, Way::InProcess, "--timing=html:made/page.html");
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stderr.contains("failed to write the timeline"), "{run}");
}

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .flat_map(|directory| names.map(|name| directory.join(name)))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        let wanted = env::var_os("RPYTEST_TEST_CHROMIUM").is_some();
        assert!(
            !wanted,
            "there is no Chromium on PATH, which RPYTEST_TEST_CHROMIUM asks for"
        );
        eprintln!("the page is not looked at: there is no Chromium on PATH");
    }
    found
}

/// The elements of a page after its script has run.
fn elements(browser: &Path, project: &Project, fragment: &str) -> String {
    let script = format!(
        "exec '{}' --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
         --disable-background-networking --disable-component-update --disable-sync \
         --user-data-dir=\"$TMPDIR/browser\" --virtual-time-budget=5000 --dump-dom \"file://$PWD/page.html{fragment}\"",
        browser.display()
    );
    let run = Command::shell(main_venv(), project, &script)
        .output("browser")
        .run();
    assert_eq!(run.code, 0, "{run}");
    run.stdout
}

/// An attribute of the element with that id.
fn attribute(elements: &str, id: &str, name: &str) -> String {
    let tags = elements
        .split('<')
        .filter(|tag| tag.contains(&format!("id=\"{id}\"")));
    let value = tags.filter_map(|tag| {
        let (tag, _) = tag.split_once('>')?;
        let (_, value) = tag.split_once(&format!(" {name}=\""))?;
        Some(value.split('"').next()?.to_owned())
    });
    value
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("{id} has no {name}"))
}

#[test]
fn a_browser_draws_every_test_and_filters_them() {
    let Some(browser) = chromium() else { return };
    let project = Project::new(SUITE);
    let run = run(&project, Way::TwoWorkers, "-q --timing=html:page.html");
    assert_eq!(run.code, 1, "{run}");
    let lanes = data(&project.read("page.html"))["lanes"]
        .as_array()
        .map(Vec::len);
    for (fragment, matches, rows) in [
        ("", TESTS, TESTS),
        ("#q=test_many&tests=name:ascending", 50, 50),
        ("#outcome=failed&theme=dark", 1, 1),
        ("#q=%3C/script%3E", 1, 1),
        ("#q=%3E0.09s&from=nonsense&test=-7", 1, 1),
    ] {
        let elements = elements(&browser, &project, fragment);
        let html = elements.split("<head").next().unwrap_or_default();
        assert!(html.contains("data-ready=\"yes\""), "{fragment}: {html}");
        assert!(!html.contains("data-error"), "{fragment}: {html}");
        assert_eq!(
            attribute(&elements, "lanes", "data-bars"),
            TESTS.to_string(),
            "{fragment}"
        );
        let drawn = attribute(&elements, "lanes", "data-lanes").parse().ok();
        assert_eq!(drawn, lanes, "{fragment}");
        let found = attribute(&elements, "lanes", "data-matches");
        // The one that sets the fixture up sleeps for longer, whoever it is; one that died may have, too.
        let found: u64 = found.parse().expect("a number");
        match fragment.contains("0.09s") {
            true => assert!((matches..TESTS).contains(&found), "{fragment}: {found}"),
            false => assert_eq!(found, matches, "{fragment}"),
        }
        if found == matches {
            assert_eq!(attribute(&elements, "tests", "data-rows"), rows.to_string());
        }
    }
    // What is in sight is counted, not what there is.
    let elements = elements(&browser, &project, "#from=0&to=1000");
    assert_eq!(attribute(&elements, "lanes", "data-bars"), "0");
}
