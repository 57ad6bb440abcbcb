//! Native collection of a suite that was made for it.

use std::fmt::Write as _;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rpytest_collect::Collector;

/// Files of ten tests: functions, a class, parameters.
fn write_suite(directory: &Path, files: u32) {
    std::fs::write(directory.join("pytest.ini"), "[pytest]\n").expect("writable");
    for file in 0..files {
        let mut text = String::from("import pytest\n\n");
        for test in 0..4 {
            let _ = writeln!(text, "def test_{test}(): assert {test} == {test}\n");
        }
        text.push_str("class TestShelf:\n");
        for test in 0..3 {
            let _ = writeln!(text, "    def test_{test}(self): assert {test} == {test}\n");
        }
        text.push_str("@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_many(n): assert n\n");
        std::fs::write(directory.join(format!("test_{file:04}.py")), text).expect("writable");
    }
}

fn collecting(c: &mut Criterion) {
    let mut group = c.benchmark_group("collect");
    group.sample_size(20);
    for files in [100u32, 1_000] {
        let directory = tempfile::tempdir().expect("a directory");
        write_suite(directory.path(), files);
        let collect = || {
            Collector::new(directory.path())
                .collect()
                .expect("readable")
        };
        // Anything else would measure how fast it gives up.
        assert_eq!(collect().exact_items().count(), files as usize * 10);
        group.throughput(Throughput::Elements(u64::from(files) * 10));
        group.bench_function(BenchmarkId::from_parameter(format!("{files} files")), |b| {
            b.iter(collect);
        });
    }
    group.finish();
}

criterion_group!(benches, collecting);
criterion_main!(benches);
