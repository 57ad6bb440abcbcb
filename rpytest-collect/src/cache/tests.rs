//! A collection with a cache is the one without, whatever happens to the project and to the cache.
//!
//! Here and not in `tests/`, since a file's times are trusted sooner than in earnest: else each step would take seconds,
//! or nothing kept would ever be taken.

mod edits;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use crate::{Collection, Collector, PluginFacts, PluginFixture};
use edits::{Edit, edit, start};

/// Longer than the ticks in which a file system counts, and two of them.
const SETTLE: Duration = Duration::from_millis(20);

fn settle() {
    std::thread::sleep(SETTLE * 3 / 2);
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Request {
    paths: &'static [&'static str],
    options: &'static [&'static str],
    facts: Facts,
}

/// What is known of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Facts {
    Unknown,
    Some,
    /// Of the same versions.
    Others,
}

fn collector(dir: &Path, request: &Request) -> Collector {
    let collector = Collector::new(dir.join("project"))
        .paths(request.paths)
        .options(request.options.iter().copied());
    let (marks, fixture) = match request.facts {
        Facts::Unknown => return collector,
        Facts::Some => ("known", "plugged"),
        Facts::Others => ("unheard_of", "number"),
    };
    collector.plugins(PluginFacts {
        search_path: vec![dir.join("site")],
        modules: vec!["sys".to_owned(), "unittest".to_owned()],
        marks: vec![marks.to_owned()],
        fixtures: vec![PluginFixture::new(fixture)],
        python: Some((3, 13)),
        pytest: Some((9, 0)),
        ..PluginFacts::none()
    })
}

/// Either an answer or why there is none, as text.
fn answer(collector: &Collector) -> Result<Collection, String> {
    collector.collect().map_err(|error| format!("{error:?}"))
}

const REQUESTS: [Request; 5] = [
    Request {
        paths: &[],
        options: &[],
        facts: Facts::Unknown,
    },
    Request {
        paths: &["tests/sub", "tests/test_0.py"],
        options: &["-k", "not a and not x0"],
        facts: Facts::Unknown,
    },
    Request {
        paths: &[],
        options: &["-m", "not known", "--deselect", "tests/test_1.py::test_p"],
        facts: Facts::Some,
    },
    Request {
        paths: &["tests/test_0.py::test_a", "tests/test_1.py"],
        options: &["--doctest-modules"],
        facts: Facts::Some,
    },
    Request {
        paths: &[],
        options: &[],
        facts: Facts::Others,
    },
];

/// The directory of the answers, file by file: which were written when.
fn written(cache: &Path) -> Vec<(PathBuf, u64)> {
    let mut dir = cache.as_os_str().to_owned();
    dir.push(".answers");
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut written: Vec<_> = entries
        .map(|entry| (entry.path(), entry.metadata().expect("it is there").ino()))
        .collect();
    written.sort();
    written
}

fn check(edits: &[(Edit, bool)], requests: (usize, usize)) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cache = dir.path().join("cache");
    start(dir.path());
    for step in 0..=edits.len() {
        if let Some((edit, _)) = step.checked_sub(1).map(|at| &edits[at]) {
            edit.make(dir.path());
        }
        let has_settled = step == 0 || edits[step - 1].1;
        if has_settled {
            settle();
        }
        for request in [requests.0, requests.1, requests.0] {
            let plain = collector(dir.path(), &REQUESTS[request]);
            let cached = plain.clone().cache(&cache).settle(SETTLE);
            let expected = answer(&plain);
            assert_eq!(answer(&cached), expected, "step {step}, request {request}");
            if has_settled {
                let before = written(&cache);
                assert_eq!(answer(&cached), expected, "step {step}, request {request}");
                // All of it was kept: what is made anew would be written.
                assert_eq!(written(&cache), before, "step {step}, request {request}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        // Some hundred edits. The environment asks for more.
        cases: match std::env::var_os("PROPTEST_CASES") {
            Some(_) => ProptestConfig::default().cases,
            None => 24,
        },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_same_after_any_edits(
        edits in prop::collection::vec((edit(), any::<bool>()), 1..10),
        requests in (0..REQUESTS.len(), 0..REQUESTS.len()),
    ) {
        check(&edits, requests);
    }
}

#[test]
fn no_request_is_answered_for_another() {
    for first in 0..REQUESTS.len() {
        for second in first + 1..REQUESTS.len() {
            check(&[], (first, second));
        }
    }
}

/// A project whose answers are kept and hold.
fn kept() -> (tempfile::TempDir, Collector, Collection) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    start(dir.path());
    settle();
    let plain = collector(dir.path(), &REQUESTS[0]);
    let cached = plain.clone().cache(dir.path().join("cache")).settle(SETTLE);
    let expected = plain.collect().expect("a collection");
    assert!(expected.exact_items().count() > 5, "{expected:?}");
    assert!(!expected.is_exact());
    // The second parser does not tell what is no Python.
    assert_eq!(expected.diagnostics.is_empty(), !cfg!(feature = "ruff"));
    assert_eq!(cached.collect().expect("a collection"), expected);
    (dir, cached, expected)
}

#[test]
fn what_holds_is_neither_read_nor_made_again() {
    let (dir, cached, expected) = kept();
    // It would be warned of, if it were opened.
    fs::write(dir.path().join("cache"), "no cache").expect("a file");
    assert_eq!(cached.collect().expect("a collection"), expected);
    // What selects is asked of what is kept.
    let some = cached.clone().options(["-k", "test_p"]);
    let some = some.collect().expect("a collection");
    let count = some.exact_items().count();
    assert!(count > 0 && count < expected.exact_items().count());
    assert_eq!(some.diagnostics, expected.diagnostics);
    // And one new file is read, with what it needs.
    fs::write(
        dir.path().join("project/tests/test_new.py"),
        "def test_new(): pass\n",
    )
    .expect("a file");
    let more = cached.collect().expect("a collection");
    assert_eq!(more.diagnostics.len(), expected.diagnostics.len() + 1);
    assert_eq!(more.files.len(), expected.files.len() + 1);
}

#[test]
fn one_file_of_many_is_made_again_without_the_facts_of_all() {
    let (dir, cached, _) = kept();
    for n in 0..150 {
        let text = format!("def test_{n}(number): pass\n");
        let path = dir.path().join(format!("project/tests/test_n{n}.py"));
        fs::write(path, text).expect("a file");
    }
    settle();
    cached.collect().expect("a collection");
    fs::write(dir.path().join("cache"), "no cache").expect("a file");
    for text in ["def test_x(number): pass\n", "def test_y(): pass\n"] {
        fs::write(dir.path().join("project/tests/test_n7.py"), text).expect("a file");
        let plain = collector(dir.path(), &REQUESTS[0]);
        let expected = plain.collect().expect("a collection");
        assert_eq!(cached.collect().expect("a collection"), expected);
        assert_eq!(cached.collect().expect("a collection"), expected);
    }
    // What all of them need makes all of them anew, and what is wrong with the facts is said.
    let conftest = dir.path().join("project/tests/conftest.py");
    fs::write(conftest, "").expect("a file");
    let plain = collector(dir.path(), &REQUESTS[0]);
    let expected = plain.collect().expect("a collection");
    let collection = cached.collect().expect("a collection");
    assert_eq!(collection.files, expected.files);
    assert_eq!(collection.diagnostics.len(), expected.diagnostics.len() + 1);
}

#[test]
fn answers_that_are_damaged_are_made_anew_with_one_warning() {
    let (dir, cached, expected) = kept();
    let file = written(&dir.path().join("cache")).remove(0).0;
    let good = fs::read(&file).expect("it is there");
    let places = (0..good.len()).step_by(good.len() / 40);
    let cut = places.clone().map(|at| good[..at].to_vec());
    let flipped = places.map(|at| {
        let mut text = good.clone();
        text[at] ^= 0x10;
        text
    });
    let longer = [good.as_slice(), b"x"].concat();
    for (at, bad) in cut.chain(flipped).chain([longer]).enumerate() {
        fs::write(&file, &bad).expect("a file");
        let mut collection = cached.collect().expect("a collection");
        let said: Vec<_> = collection
            .diagnostics
            .extract_if(.., |said| Path::new(&said.path) == dir.path().join("cache"))
            .collect();
        assert_eq!(collection, expected, "{at}");
        match is_of_another_version(&good, &bad) {
            true => assert_eq!(said, [], "{at}"),
            false => {
                assert_eq!(said.len(), 1, "{at}: {said:?}");
                assert_eq!(said[0].message, "the cache is made anew: it is damaged");
            }
        }
        assert_eq!(fs::read(&file).expect("it is there"), good, "{at}");
        assert_eq!(cached.collect().expect("a collection"), expected, "{at}");
    }
    // A directory of that name cannot be replaced.
    fs::remove_file(&file).expect("it is there");
    fs::create_dir(&file).expect("a directory");
    let collection = cached.collect().expect("a collection");
    assert_eq!(collection.files, expected.files);
    assert_eq!(collection.diagnostics.len(), expected.diagnostics.len() + 1);
}

/// Whether only the name of the version differs, which is nothing to warn of.
fn is_of_another_version(good: &[u8], bad: &[u8]) -> bool {
    let code = super::answers::kept::MAGIC.len()..super::answers::kept::MAGIC.len() + 16;
    good.len() == bad.len() && good[code.clone()] != bad[code]
}

#[test]
fn as_many_requests_are_kept_as_take_turns() {
    let (dir, cached, _) = kept();
    let cache = dir.path().join("cache");
    let of = |path: &str| {
        cached
            .clone()
            .paths([path])
            .collect()
            .expect("a collection")
    };
    let paths = [
        "tests",
        "tests/sub",
        "tests/test_0.py",
        "tests/test_1.py",
        "tests/test_2.py",
    ];
    for path in paths {
        // Later than the one before.
        settle();
        of(path);
    }
    let before = written(&cache);
    assert_eq!(before.len(), 4);
    for path in &paths[1..] {
        of(path);
    }
    assert_eq!(written(&cache), before);
    // What is not ours stays.
    let other = before[0].0.with_file_name("README");
    fs::write(&other, "").expect("a file");
    of(paths[0]);
    assert!(other.is_file());
    assert_eq!(written(&cache).len(), 5);
}
