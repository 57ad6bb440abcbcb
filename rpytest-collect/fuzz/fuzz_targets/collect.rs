//! Any bytes as a test file, a conftest and a cache: an answer, and the neighbour is not lost.
//!
//! `cargo +nightly fuzz run collect fuzz/corpus/collect PATH/TO/PYTHON/SOURCES`

#![no_main]

use libfuzzer_sys::fuzz_target;
use rpytest_collect::Collector;

fuzz_target!(|source: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.path().join(name), bytes).expect("a file");
    };
    write("pytest.ini", b"[pytest]\n");
    write("test_fuzzed.py", source);
    write("test_neighbour.py", b"def test_x(): pass\n");
    write("cache", source);
    let collector = Collector::new(dir.path()).threads(1);
    let plain = collector.collect().expect("no file keeps it from an answer");
    assert!(plain.exact_items().any(|item| item.id.as_str() == "test_neighbour.py::test_x"));
    let cached = collector.clone().cache("cache").collect().expect("nor does a cache");
    assert_eq!(plain.files, cached.files);
    let warm = collector.clone().cache("cache").collect().expect("nor does a cache");
    assert_eq!(plain.files, warm.files);
    collector.import_graph().expect("a graph");
    write("conftest.py", source);
    collector.collect().expect("no conftest keeps it from an answer");
});
