//! What a message costs on the Rust side.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rpytest_ipc::{Address, InventoryItem, Outcome, PhaseSeconds, ToRust, decode, encode};

fn messages(c: &mut Criterion) {
    let result = ToRust::Result {
        task: 4711,
        outcome: Outcome::Passed,
        seconds: PhaseSeconds {
            setup: 0.0001,
            call: 0.002,
            teardown: 0.0001,
        },
        payload: vec![7; 300].into(),
        shared: Vec::new(),
        reruns: 0,
        excused: false,
    };
    let items = (0..10_000)
        .map(|n| InventoryItem {
            address: Address {
                nodeid: format!("tests/test_{}.py::test_{n}", n / 37),
                nth: 0,
            },
            scope: format!("tests/test_{}.py", n / 37),
        })
        .collect();
    let inventory = ToRust::Inventory {
        items,
        unshareable: Vec::new(),
        payload: vec![7; 300].into(),
    };
    for (name, message) in [("result", result), ("inventory of 10000", inventory)] {
        let bytes = encode(&message).expect("encodes");
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("encode", |b| b.iter(|| encode(black_box(&message))));
        group.bench_function("decode", |b| b.iter(|| decode::<ToRust>(black_box(&bytes))));
        group.finish();
    }
}

criterion_group!(benches, messages);
criterion_main!(benches);
