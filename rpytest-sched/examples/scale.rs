//! How fast tasks are dealt, and how near the simulated end is to the bound.
//!
//! `cargo run --release -p rpytest-sched --example scale`

use std::time::Instant;

use rpytest_sched::simulate::Simulation;
use rpytest_sched::{GroupId, Grouping, Policy, Task, TaskId};

/// Durations with a heavy tail: most are short, a few are a thousand times as long.
fn duration(nth: u32) -> f64 {
    let mut x = u64::from(nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 32;
    let part = ((x >> 11) as f64 / (1u64 << 53) as f64).max(1e-4);
    0.0005 / part.powf(0.8)
}

fn main() {
    println!(
        "grouping   costs    tasks workers   planned   dispatched     tasks/s  efficiency  makespan/bound"
    );
    for (tasks, workers) in [
        (1_000, 8),
        (100_000, 16),
        (1_000_000, 16),
        (1_000_000, 1024),
    ] {
        for (name, grouping) in [("split", Grouping::Splittable), ("whole", Grouping::Whole)] {
            for known in [true, false] {
                let list: Vec<Task> = (0..tasks)
                    .map(|nth| {
                        let task = Task::new(TaskId(nth), GroupId(nth / 37));
                        if known {
                            task.with_cost(duration(nth))
                        } else {
                            task
                        }
                    })
                    .collect();
                let sum: f64 = (0..tasks).map(duration).sum();
                let most = (0..tasks).map(duration).fold(0.0, f64::max);
                let bound = (sum / f64::from(workers)).max(most);
                let policy = Policy::new().grouping(grouping).overhead(0.0);
                let begun = Instant::now();
                let report = Simulation::new(workers)
                    .latency(0.0001)
                    .run(list, policy, |task| duration(task.0))
                    .expect("the dispatcher settles every task");
                let took = begun.elapsed().as_secs_f64();
                println!(
                    "{name:8} {:>7} {tasks:>8} {workers:>7} {:>12} {took:>10.3} s {:>11.0} {:>11.3} {:>15.3}",
                    if known { "known" } else { "unknown" },
                    report.sent,
                    f64::from(tasks) / took,
                    report.efficiency(),
                    report.makespan / bound,
                );
            }
        }
    }
}
