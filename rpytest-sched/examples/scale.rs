//! How fast tasks are dealt, and how near a simulated run comes to the bound.
//!
//! `cargo run --release -p rpytest-sched --example scale`

use std::time::Instant;

use rpytest_sched::shard::{ShardTask, Strategy, shard};
use rpytest_sched::simulate::Simulation;
use rpytest_sched::{Dispatcher, GroupId, Grouping, Policy, Task, TaskId, WorkerId, plan};

/// Durations with a heavy tail: the median is under a millisecond, one in ten thousand takes 0.8 s.
fn duration(nth: u32) -> f64 {
    let mut x = u64::from(nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 32;
    let part = ((x >> 11) as f64 / (1u64 << 53) as f64).max(1e-4);
    0.0005 / part.powf(0.8)
}

/// Files of 37 tests.
fn suite(tasks: u32, known: bool) -> Vec<Task> {
    let task = |nth| {
        let task = Task::new(TaskId(nth), GroupId(nth / 37));
        if known {
            task.with_cost(duration(nth))
        } else {
            task
        }
    };
    (0..tasks).map(task).collect()
}

/// Lets each worker in turn do one task, in no time, until none is left.
fn deal(tasks: Vec<Task>, workers: u32, grouping: Grouping) -> usize {
    let policy = Policy::new().grouping(grouping);
    let mut dispatcher = Dispatcher::new(tasks, policy).expect("numbers are unique");
    for nth in 0..workers {
        dispatcher.add_worker(WorkerId(nth)).expect("is new");
    }
    let mut queues = vec![(std::collections::VecDeque::new(), false); workers as usize];
    let mut done = 0;
    while !dispatcher.is_settled() {
        for (nth, (queue, finish)) in queues.iter_mut().enumerate() {
            let worker = WorkerId(nth as u32);
            queue.extend(dispatcher.next(worker));
            *finish |= dispatcher.finish_due(worker);
            if (queue.len() > 1 || *finish)
                && let Some(task) = queue.pop_front()
            {
                dispatcher.started(worker, task).expect("it is next");
                let took = duration(task.0);
                dispatcher.complete(worker, task, took).expect("it runs");
                done += 1;
            }
        }
    }
    done
}

const GROUPINGS: [(&str, Grouping); 2] =
    [("split", Grouping::Splittable), ("whole", Grouping::Whole)];

fn main() {
    println!("The dispatcher alone: next, started, complete\n");
    println!("    tasks  workers  groups    costs  seconds  tasks/s");
    for (tasks, workers) in [(100_000, 16), (1_000_000, 16), (1_000_000, 1024)] {
        for (name, grouping) in GROUPINGS {
            for known in [true, false] {
                let list = suite(tasks, known);
                let begun = Instant::now();
                let done = deal(list, workers, grouping);
                let took = begun.elapsed().as_secs_f64();
                let costs = if known { "known" } else { "unknown" };
                let speed = done as f64 / took;
                println!("{tasks:>9} {workers:>8}  {name:>6} {costs:>8} {took:>8.3} {speed:>8.0}");
            }
        }
    }

    println!(
        "\nSimulated runs, a message takes 0.1 ms; the bound is max(sum / workers, longest)\n"
    );
    println!("    tasks  workers  groups    costs  messages  makespan/bound");
    for (tasks, workers) in [(1_000, 2), (10_000, 8), (100_000, 16), (1_000_000, 1024)] {
        let sum: f64 = (0..tasks).map(duration).sum();
        let longest = (0..tasks).map(duration).fold(0.0, f64::max);
        let bound = (sum / f64::from(workers)).max(longest);
        for (name, grouping) in GROUPINGS {
            for known in [true, false] {
                let report = Simulation::new(workers)
                    .latency(0.0001)
                    .run(
                        suite(tasks, known),
                        Policy::new().grouping(grouping),
                        |task| duration(task.0),
                    )
                    .expect("the dispatcher settles every task");
                let costs = if known { "known" } else { "unknown" };
                let (sent, ratio) = (report.sent, report.makespan / bound);
                println!("{tasks:>9} {workers:>8}  {name:>6} {costs:>8} {sent:>9} {ratio:>15.3}");
            }
        }
    }

    let list = suite(100_000, true);
    let begun = Instant::now();
    let ratio = plan(&list, 16, Grouping::Whole).ratio();
    let took = begun.elapsed().as_secs_f64() * 1e3;
    println!("\nA plan of 100,000 tasks for 16 workers: {took:.1} ms, {ratio:.5} of the bound");
    let keys: Vec<String> = (0..100_000u32)
        .map(|nth| format!("tests/test_{}.py::test_{nth}", nth / 37))
        .collect();
    let tests: Vec<ShardTask<'_>> = (keys.iter().zip(0..))
        .map(|(key, nth)| {
            let file = key.split("::").next().unwrap_or(key);
            ShardTask::new(TaskId(nth), key, file).with_cost(duration(nth))
        })
        .collect();
    for strategy in [
        Strategy::DurationBalanced,
        Strategy::LeastDuration,
        Strategy::RoundRobin,
        Strategy::Hash,
    ] {
        let begun = Instant::now();
        let shards = shard(&tests, 16, strategy);
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let loads = rpytest_sched::shard::loads(&tests, &shards);
        let most = loads.iter().copied().fold(0.0, f64::max);
        let mean = loads.iter().sum::<f64>() / loads.len() as f64;
        println!(
            "100,000 tests in 16 shards, {strategy:?}: {took:.1} ms, the longest {:.5} of the mean",
            most / mean
        );
    }
}
