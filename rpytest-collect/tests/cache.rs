//! A collection with a cache is the one without, whatever happens to the cache.
#![cfg(all(any(feature = "ruff", feature = "rustpython"), feature = "cache"))]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rpytest_collect::{Collection, Collector, Diagnostic};

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = [
        ("pytest.ini", "[pytest]\n"),
        ("conftest.py", "collect_ignore = ['test_no.py']\n"),
        ("test_no.py", "def test_no(): pass\n"),
        (
            "test_many.py",
            "import pytest\nfrom helpers import thing\nx = thing()\nclass TestA:\n    @pytest.mark.parametrize('a', [1.5, 'x', b'y', None, -3, [1]])\n    def test_b(self, a): pass\n",
        ),
        ("helpers.py", "def thing(): pass\n"),
        ("test_bad.py", "def ("),
        ("test_doc.py", "def f():\n    '''>>> 1'''\n"),
        ("test_args.py", "def test_x(unknown): pass\n"),
    ];
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    for n in 0..30 {
        let text = format!("def test_{n}(): pass\n");
        fs::write(dir.path().join(format!("test_n{n}.py")), text).expect("a file");
    }
    dir
}

/// The collection without what is said of the cache, and that.
fn collect(dir: &Path, cache: &Path) -> (Collection, Vec<Diagnostic>) {
    let collector = Collector::new(dir).cache(cache);
    let mut collection = collector.collect().expect("a collection");
    let of_cache = |diagnostic: &Diagnostic| Path::new(&diagnostic.path) == cache;
    let said = collection.diagnostics.iter().filter(|d| of_cache(d));
    let said = said.cloned().collect();
    collection.diagnostics.retain(|d| !of_cache(d));
    (collection, said)
}

fn plain(dir: &Path) -> Collection {
    Collector::new(dir).collect().expect("a collection")
}

#[test]
fn the_same_with_a_cache() {
    let dir = project();
    let cache = dir.path().join("below/cache");
    let check = |what: &str| {
        for _ in 0..2 {
            let (collection, said) = collect(dir.path(), &cache);
            assert_eq!(collection, plain(dir.path()), "{what}");
            assert_eq!(said, [], "{what}");
        }
    };
    check("new");
    assert!(cache.is_file());
    fs::write(
        dir.path().join("test_n1.py"),
        "def test_1(): PASS\ndef test_more(): pass\n",
    )
    .expect("a file");
    check("changed");
    fs::write(dir.path().join("helpers.py"), "def thing(): skip()\n").expect("a file");
    check("an imported file changed");
    fs::remove_file(dir.path().join("test_n2.py")).expect("it is there");
    check("removed");
    fs::rename(dir.path().join("test_n3.py"), dir.path().join("test_n2.py")).expect("it is there");
    check("renamed");
    fs::write(dir.path().join("conftest.py"), "").expect("a file");
    check("a conftest changed");

    // Another run of fewer files forgets nothing.
    fs::write(dir.path().join("test_n4.py"), "def test_4(): Pass\n").expect("a file");
    let some = Collector::new(dir.path())
        .cache("below/cache")
        .paths(["test_n4.py"]);
    assert_eq!(some.collect().expect("a collection").files.len(), 1);
    let kept = fs::read(&cache).expect("it is there");
    assert!(kept.windows(11).any(|name| name == b"test_n29.py"));
    let graph = Collector::new(dir.path())
        .cache(&cache)
        .import_graph()
        .expect("a graph");
    assert_eq!(graph.diagnostics(), []);
    let without = Collector::new(dir.path()).import_graph().expect("a graph");
    assert_eq!(
        graph.dependencies("test_many.py"),
        without.dependencies("test_many.py")
    );
}

#[test]
fn a_cache_that_is_none_is_made_anew_with_one_warning() {
    let dir = project();
    let place = tempfile::tempdir().expect("a temporary directory");
    let cache = place.path().join("cache");
    let expected = plain(dir.path());
    collect(dir.path(), &cache);
    let good = fs::read(&cache).expect("it is there");
    let mut bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{}".to_vec(),
        vec![0; 4096],
        b"rpytest-collect cache 1\n".to_vec(),
    ];
    bad.extend(
        (0..good.len())
            .step_by(good.len() / 20)
            .map(|at| good[..at].to_vec()),
    );
    bad.extend((0..good.len()).step_by(good.len() / 20).map(|at| {
        let mut text = good.clone();
        text[at] ^= 0x40;
        text
    }));
    for (at, bad) in bad.into_iter().enumerate() {
        fs::write(&cache, bad).expect("a file");
        // While these hold, nobody looks at the facts.
        fs::remove_dir_all(place.path().join("cache.answers")).expect("it is there");
        let (collection, said) = collect(dir.path(), &cache);
        assert_eq!(collection, expected, "{at}");
        assert_eq!(said.len(), 1, "{at} {said:?}");
        assert!(
            said[0].message.starts_with("the cache is made anew: "),
            "{said:?}"
        );
        let (collection, said) = collect(dir.path(), &cache);
        assert_eq!((collection, said), (expected.clone(), Vec::new()), "{at}");
    }
    // One that can be neither read nor written.
    fs::remove_file(&cache).expect("it is there");
    fs::create_dir(&cache).expect("a directory");
    fs::remove_dir_all(place.path().join("cache.answers")).expect("it is there");
    let (collection, said) = collect(dir.path(), &cache);
    assert_eq!(collection, expected);
    assert_eq!(said.len(), 1, "{said:?}");
}

/// Not a test by itself: what the next one starts, and kills.
#[test]
fn child() {
    let Some(dir) = std::env::var_os("RPYTEST_CACHE_TEST") else {
        return;
    };
    let dir = Path::new(&dir);
    for n in 0_u32.. {
        let text = format!("def test_{}(): pass\n", n % 7);
        fs::write(
            dir.join(format!("test_own_{}.py", std::process::id())),
            text,
        )
        .expect("a file");
        let (_, said) = collect(dir, &dir.join("cache"));
        assert_eq!(said, []);
    }
}

#[test]
fn two_processes_and_a_kill_at_any_moment() {
    let dir = project();
    let cache = dir.path().join("cache");
    let start = || {
        Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "child", "--nocapture"])
            .env("RPYTEST_CACHE_TEST", dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("it starts")
    };
    for round in 0..8 {
        let mut children = [start(), start()];
        std::thread::sleep(Duration::from_millis(60 + 37 * round));
        for child in &mut children {
            assert_eq!(
                child.try_wait().expect("it can be asked"),
                None,
                "it must run until it is killed"
            );
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
        let (collection, said) = collect(dir.path(), &cache);
        assert_eq!(collection, plain(dir.path()));
        assert_eq!(said, []);
    }
}
