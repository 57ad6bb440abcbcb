//! Planning, sharding and dispatching.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rpytest_sched::shard::{ShardTask, Strategy, shard};
use rpytest_sched::{Dispatcher, GroupId, Grouping, Policy, Task, TaskId, WorkerId, plan};

/// Tests in files of 37, with costs that have a heavy tail.
fn tasks(count: u32) -> Vec<Task> {
    (0..count)
        .map(|n| {
            let unit = f64::from(n.wrapping_mul(2_654_435_761) >> 8) / f64::from(1u32 << 24);
            Task::new(TaskId(n), GroupId(n / 37)).with_cost(0.002 / (1.001 - unit))
        })
        .collect()
}

fn planning(c: &mut Criterion) {
    let mut group = c.benchmark_group("plan");
    for count in [10_000, 100_000] {
        let tasks = tasks(count);
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| plan(black_box(&tasks), 16, Grouping::Whole));
        });
    }
    group.finish();
}

fn sharding(c: &mut Criterion) {
    let names: Vec<String> = (0..100_000)
        .map(|n| format!("test_{}.py::test_{n}", n / 37))
        .collect();
    let tests: Vec<ShardTask<'_>> = (0u32..)
        .zip(&names)
        .map(|(n, name)| {
            let file = name.split("::").next().unwrap_or(name);
            ShardTask::new(TaskId(n), name, file).with_cost(f64::from(n % 97) / 100.0)
        })
        .collect();
    let mut group = c.benchmark_group("shard 100000 over 16");
    for strategy in [
        Strategy::DurationBalanced,
        Strategy::RoundRobin,
        Strategy::Hash,
    ] {
        group.bench_function(format!("{strategy:?}"), |b| {
            b.iter(|| shard(black_box(&tests), 16, strategy));
        });
    }
    group.finish();
}

/// Everything that a run asks of the dispatcher, with workers that take turns.
fn dispatch(tasks: Vec<Task>, workers: u32) -> usize {
    let mut dispatcher = Dispatcher::new(tasks, Policy::new().workers(workers)).expect("numbered");
    let mut queues: Vec<Vec<TaskId>> = vec![Vec::new(); workers as usize];
    let mut finishing = vec![false; workers as usize];
    for worker in 0..workers {
        dispatcher.add_worker(WorkerId(worker)).expect("new");
    }
    let mut done = 0;
    while !dispatcher.is_settled() {
        for worker in 0..workers {
            let at = worker as usize;
            queues[at].extend(dispatcher.next(WorkerId(worker)));
            finishing[at] |= dispatcher.finish_due(WorkerId(worker));
            if queues[at].len() > 1 || (finishing[at] && !queues[at].is_empty()) {
                let task = queues[at].remove(0);
                dispatcher.started(WorkerId(worker), task).expect("queued");
                dispatcher
                    .complete(WorkerId(worker), task, 0.002)
                    .expect("running");
                done += 1;
            }
        }
    }
    done
}

fn dispatching(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch");
    group.sample_size(10);
    for (count, workers) in [(10_000, 2), (100_000, 2), (100_000, 16)] {
        let tasks = tasks(count);
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(
            BenchmarkId::from_parameter(format!("{count} to {workers} workers")),
            |b| {
                b.iter(|| dispatch(tasks.clone(), workers));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, planning, sharding, dispatching);
criterion_main!(benches);
