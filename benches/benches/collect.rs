//! Native collection, whole and by stages.
//!
//! The stages are not public, so each is a collection that has little else to do; `read` and `parse` are the bare
//! file system and the bare parser over the bytes of the same suite.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rpytest_collect::{Collector, Item, KeywordExpression, MarkExpression};

const FILES: usize = 1_000;

/// Files of ten tests that import a package: functions, a class, fixtures, parameters.
fn write_suite(directory: &Path) {
    let write =
        |name: &str, text: &str| std::fs::write(directory.join(name), text).expect("writable");
    write("pytest.ini", "[pytest]\n");
    write(
        "conftest.py",
        "import pytest\n\n\n@pytest.fixture\ndef shelf():\n    return []\n",
    );
    std::fs::create_dir(directory.join("shop")).expect("a directory");
    write("shop/__init__.py", "SIZES = ['small', 'large']\n");
    for file in 0..FILES {
        let mut text = String::from("import pytest\n\nfrom shop import SIZES\n\n");
        for test in 0..4 {
            let _ = writeln!(text, "def test_{test}(shelf):\n    assert shelf == []\n");
        }
        text.push_str("class TestShelf:\n");
        for test in 0..4 {
            let _ = writeln!(
                text,
                "    def test_{test}(self):\n        assert {test} == {test}\n"
            );
        }
        text.push_str("@pytest.mark.parametrize('n', SIZES)\ndef test_many(n):\n    assert n\n");
        write(&format!("test_{file:04}.py"), &text);
    }
}

/// One file of a project of its own.
fn one_file(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("pytest.ini"), "[pytest]\n").expect("writable");
    std::fs::write(directory.path().join("test_one.py"), text).expect("writable");
    directory
}

fn items(collector: &Collector, expected: usize) -> Vec<Item> {
    let collection = collector.collect().expect("readable");
    let items: Vec<Item> = collection.exact_items().cloned().collect();
    // Anything else would measure how fast it gives up.
    assert_eq!(items.len(), expected, "{:?}", collection.files.first());
    items
}

fn on_all_cores(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= count {
            break;
        }
        work(at);
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(worker);
        }
    });
}

fn suite(c: &mut Criterion) {
    let mut group = c.benchmark_group("collect");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(FILES as u64));
    let directory = tempfile::tempdir().expect("a directory");
    write_suite(directory.path());
    let paths: Vec<PathBuf> = (0..FILES)
        .map(|file| directory.path().join(format!("test_{file:04}.py")))
        .collect();
    let sources: Vec<String> = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("readable"))
        .collect();
    let read = |at: usize| {
        std::hint::black_box(std::fs::read(&paths[at]).expect("readable"));
    };
    let parse = |at: usize| {
        std::hint::black_box(ruff_python_parser::parse_module(&sources[at]).expect("Python"));
    };
    let cold = Collector::new(directory.path());
    items(&cold, FILES * 10);
    let unnamed = tempfile::tempdir().expect("a directory");
    write_suite(unnamed.path());
    let ini = "[pytest]\npython_files = none_*.py\n";
    std::fs::write(unnamed.path().join("pytest.ini"), ini).expect("writable");
    let walk = Collector::new(unnamed.path());
    let nothing = walk.collect().expect("readable");
    assert!(nothing.files.is_empty(), "{:?}", nothing.files.first());
    group.bench_function("walk", |b| b.iter(|| walk.collect().expect("readable")));
    group.bench_function("read", |b| b.iter(|| on_all_cores(FILES, read)));
    group.bench_function("parse", |b| b.iter(|| on_all_cores(FILES, parse)));
    group.bench_function("graph", |b| {
        b.iter(|| cold.import_graph().expect("readable"))
    });
    group.bench_function("cold", |b| b.iter(|| cold.collect().expect("readable")));

    // A file that has just changed may change again within the same tick, and is read again.
    std::thread::sleep(Duration::from_millis(2_100));
    let warm = cold.clone().cache(directory.path().join(".cache"));
    items(&warm, FILES * 10);
    group.bench_function("warm", |b| b.iter(|| warm.collect().expect("readable")));
    let changes = AtomicUsize::new(0);
    let change = || {
        let text = format!(
            "{}# {}\n",
            sources[0],
            changes.fetch_add(1, Ordering::Relaxed)
        );
        std::fs::write(&paths[0], text).expect("writable");
    };
    group.bench_function("warm, one file changed", |b| {
        b.iter_batched(
            change,
            |()| warm.collect().expect("readable"),
            BatchSize::PerIteration,
        );
    });
    let forget = || {
        let answers = directory.path().join(".cache.answers");
        std::fs::remove_dir_all(answers).expect("it is there");
    };
    group.bench_function("warm, a shared module changed", |b| {
        b.iter_batched(
            forget,
            |()| warm.collect().expect("readable"),
            BatchSize::PerIteration,
        );
    });
    let load = warm.clone().paths(["test_0001.py"]);
    items(&load, 10);
    group.bench_function("cache load", |b| {
        b.iter_batched(
            forget,
            |()| load.collect().expect("readable"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn rules(c: &mut Criterion) {
    let mut group = c.benchmark_group("rules");
    group.sample_size(20);
    let code: String = (0..10_000)
        .map(|n| format!("def helper_{n}(a, b=None):\n    return [a.x[{n}], f(b, key='v')]\n\n"))
        .collect();
    let directory = one_file(&format!("{code}def test_x():\n    pass\n"));
    let summarise = Collector::new(directory.path());
    items(&summarise, 1);
    group.bench_function("parse 10,000 functions", |b| {
        b.iter(|| ruff_python_parser::parse_module(&code).expect("Python"));
    });
    group.bench_function("summarise 10,000 functions", |b| {
        b.iter(|| summarise.collect().expect("readable"));
    });

    let directory = one_file(
        "import pytest\nROWS = [(n, f'row {n}', n * 0.5) for n in range(200)]\nKINDS = ['a', 'b', 'c', 'd', 'e']\n\
         @pytest.mark.parametrize('kind', KINDS)\n@pytest.mark.parametrize('size', range(10))\n\
         @pytest.mark.parametrize('n, text, half', ROWS)\n\
         def test_x(kind, size, n, text, half):\n    pass\n",
    );
    let parametrize = Collector::new(directory.path());
    let some = items(&parametrize, 10_000);
    group.bench_function("parametrize 10,000 items", |b| {
        b.iter(|| parametrize.collect().expect("readable"));
    });

    let many: Vec<Item> = std::iter::repeat_n(some, 5).flatten().collect();
    group.throughput(Throughput::Elements(many.len() as u64));
    let keyword = KeywordExpression::parse("(row and not x) or b-7").expect("an expression");
    let mark = MarkExpression::parse("not slow and (parametrize or fast)").expect("an expression");
    group.bench_function("select 50,000 by -k", |b| {
        b.iter(|| {
            many.iter()
                .map(|item| keyword.matches(item))
                .collect::<Vec<_>>()
        });
    });
    group.bench_function("select 50,000 by -m", |b| {
        b.iter(|| {
            many.iter()
                .map(|item| mark.matches(item))
                .collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group!(benches, suite, rules);
criterion_main!(benches);
