//! From durations of earlier runs to a plan for one machine, and to shards for several.
//!
//! ```sh
//! cargo run -p rpytest-examples --example shard_plan -- 4
//! ```

use rpytest_sched::shard::{ShardTask, Strategy, loads, shard};
use rpytest_sched::{DurationHistory, GroupId, Grouping, Observation, Task, TaskId, plan};

fn main() {
    let machines = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(4);

    // What an earlier run has measured: 12 files of 10 tests, some much slower than others.
    let mut history = DurationHistory::new();
    let mut names = Vec::new();
    for file in 0..12u32 {
        for test in 0..10u32 {
            let path = format!("test_{file}.py");
            let key = format!("{path}::test_{test}");
            let call = f64::from((file * 7 + test * 13) % 29) / 10.0;
            let observation = Observation {
                run: 1,
                call,
                ..Observation::default()
            };
            history.record(&path, &key, observation);
            names.push((path, key, file));
        }
    }

    let estimates = history.estimates();
    let cost = |path: &str, key: &str| estimates.estimate(path, key).seconds;

    // One machine with that many workers; files are kept together for their fixtures.
    let tasks: Vec<Task> = (0u32..)
        .zip(&names)
        .map(|(id, (path, key, file))| {
            Task::new(TaskId(id), GroupId(*file)).with_cost(cost(path, key))
        })
        .collect();
    let plan = plan(&tasks, machines, Grouping::Whole);
    println!("{} tests on {machines} workers:", tasks.len());
    println!(
        "  makespan {:.1} s, {:.2} of the lower bound",
        plan.makespan,
        plan.ratio()
    );

    // That many machines, which do not talk to each other.
    let tests: Vec<ShardTask<'_>> = (0u32..)
        .zip(&names)
        .map(|(id, (path, key, _))| {
            ShardTask::new(TaskId(id), key, path).with_cost(cost(path, key))
        })
        .collect();
    for strategy in [
        Strategy::DurationBalanced,
        Strategy::RoundRobin,
        Strategy::Hash,
    ] {
        let shards = shard(&tests, machines, strategy);
        let seconds = loads(&tests, &shards);
        let longest = seconds.iter().copied().fold(0.0, f64::max);
        println!("  {strategy:?}: the longest shard takes {longest:.1} s");
        assert_eq!(
            shards.iter().map(Vec::len).sum::<usize>(),
            tests.len(),
            "none is lost"
        );
    }
}
