//! Planning, sharding and dispatching.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rpytest_sched::durations::Import;
use rpytest_sched::shard::{ShardTask, Strategy, shard, shard_with};
use rpytest_sched::{
    Dispatcher, DurationHistory, GroupId, Grouping, Observation, Planner, Policy, Task, TaskId,
    WorkerId, plan,
};

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
        for grouping in [Grouping::Whole, Grouping::Splittable] {
            let planner = Planner::new(16).grouping(grouping);
            for cost in [0.0, 0.3] {
                let name = format!("{count} improved {grouping:?}, groups begun in {cost} s");
                group.bench_function(name, |b| {
                    b.iter(|| planner.plan(black_box(&tasks), |_| cost));
                });
            }
        }
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
    group.bench_function("DurationBalanced with group costs", |b| {
        b.iter(|| shard_with(black_box(&tests), 16, Strategy::DurationBalanced, |_| 0.3));
    });
    group.finish();
}

/// What a run asks of 100,000 tests with a history, when nothing has changed and when all files were renamed.
fn estimating(c: &mut Criterion) {
    let mut history = DurationHistory::new();
    for nth in 0..100_000u32 {
        let file = format!("tests/test_{}.py", nth / 37);
        for run in 1..=5 {
            let observation = Observation {
                run,
                call: f64::from(nth % 97) / 100.0,
                ..Observation::default()
            };
            history.record(&file, &format!("{file}::test_{nth}"), observation);
        }
        history.record_import(&file, 1, 0.3);
    }
    let mut group = c.benchmark_group("estimate 100000");
    group.sample_size(10);
    for (name, directory) in [("known", "tests"), ("renamed", "moved")] {
        let asked: Vec<(String, String)> = (0..100_000u32)
            .map(|nth| {
                let file = format!("{directory}/test_{}.py", nth / 37);
                let key = format!("{file}::test_{nth}");
                (file, key)
            })
            .collect();
        group.bench_function(name, |b| {
            b.iter(|| {
                let estimates = black_box(&history).estimates();
                let tests: f64 = (asked.iter())
                    .map(|(file, key)| estimates.estimate(file, key).seconds)
                    .sum();
                tests + estimates.begin_cost(&asked[0].0, Import::Paid)
            });
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

criterion_group!(benches, planning, sharding, estimating, dispatching);
criterion_main!(benches);
