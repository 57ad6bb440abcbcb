//! From durations of earlier runs to a plan for one machine, and to shards for several.
//!
//! ```sh
//! cargo run -p rpytest-examples --example shard_plan -- 4
//! ```

use rpytest_sched::durations::{Basis, Estimates, Import};
use rpytest_sched::shard::{ShardTask, Strategy, shard_with, summary};
use rpytest_sched::{
    DurationHistory, GroupId, Grouping, Observation, Plan, Planner, Task, TaskId, plan,
};

/// A test of today's suite: its file, its key in the history, and the file's number.
type Test = (String, String, u32);

/// What an earlier run has measured: 12 files of 10 tests, some much slower than others. One has a database to set up.
fn measured() -> DurationHistory {
    let mut history = DurationHistory::new();
    for file in 0..12u32 {
        let path = format!("test_{file}.py");
        for test in 0..10u32 {
            let observation = Observation {
                run: 1,
                call: f64::from((file * 7 + test * 13) % 29) / 10.0,
                ..Observation::default()
            };
            history.record(&path, &format!("{path}::test_{test}"), observation);
        }
        history.record_import(&path, 1, 0.4);
        let fixtures = if file == 3 { 9.0 } else { 0.1 };
        history.record_scope(&path, &path, 1, fixtures);
    }
    history
}

/// The suite of today: the last file was moved since.
fn collected() -> Vec<Test> {
    let mut tests = Vec::new();
    for file in 0..12u32 {
        let directory = if file == 11 { "moved/" } else { "" };
        let path = format!("{directory}test_{file}.py");
        for test in 0..10u32 {
            tests.push((path.clone(), format!("{path}::test_{test}"), file));
        }
    }
    tests
}

/// One machine with that many workers. They are forks of a process that has imported everything, so that a worker which
/// begins a file pays for its fixtures only.
fn one_machine(tests: &[Test], estimates: &Estimates<'_>, workers: u32) {
    let tasks: Vec<Task> = (0u32..)
        .zip(tests)
        .map(|(id, (path, key, file))| {
            let seconds = estimates.estimate(path, key).seconds;
            Task::new(TaskId(id), GroupId(*file)).with_cost(seconds)
        })
        .collect();
    let begin: Vec<f64> = (tests.chunks(10))
        .map(|file| estimates.begin_cost(&file[0].0, Import::Shared))
        .collect();
    let begin = |group: GroupId| begin[group.0 as usize];
    let show = |name: &str, plan: &Plan| {
        println!(
            "  {name}: {:.1} s, {:.3} of the lower bound, {} files split ({:?})",
            plan.makespan,
            plan.ratio(),
            plan.split_groups,
            plan.method
        );
    };
    println!("{} tests on {workers} workers:", tasks.len());
    show(
        "by LPT, files whole, fixtures not counted",
        &plan(&tasks, workers, Grouping::Whole),
    );
    let planner = Planner::new(workers);
    let whole = planner.plan(&tasks, begin);
    show("files whole", &whole);
    let split = (planner.grouping(Grouping::Splittable)).plan(&tasks, begin);
    show("files split where that pays", &split);
    assert!(split.makespan <= whole.makespan);
}

/// That many machines, which do not talk to each other: each pays for the import of a file, too.
fn several_machines(tests: &[Test], estimates: &Estimates<'_>, machines: u32) {
    let tests: Vec<ShardTask<'_>> = (0u32..)
        .zip(tests)
        .map(|(id, (path, key, _))| {
            let seconds = estimates.estimate(path, key).seconds;
            ShardTask::new(TaskId(id), key, path).with_cost(seconds)
        })
        .collect();
    let begin = |file: &str| estimates.begin_cost(file, Import::Paid);
    println!("in {machines} shards:");
    for strategy in [
        Strategy::DurationBalanced,
        Strategy::LeastDuration,
        Strategy::RoundRobin,
        Strategy::Hash,
    ] {
        let shards = shard_with(&tests, machines, strategy, begin);
        let sums = summary(&tests, &shards, begin);
        println!(
            "  {strategy:?}: the longest takes {:.1} s, {:.3} of the mean, {:.3} of the lower bound",
            sums.longest,
            sums.imbalance(),
            sums.ratio()
        );
        assert_eq!(
            sums.counts.iter().sum::<usize>(),
            tests.len(),
            "none is lost"
        );
    }
}

fn main() {
    let machines = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(4);
    let history = measured();
    let estimates = history.estimates();
    let tests = collected();

    // A file that was moved is known by its tests.
    let (path, key, _) = &tests[tests.len() - 1];
    let moved = estimates.estimate(path, key);
    println!("{key}: {} s ({:?})", moved.seconds, moved.basis);
    assert_eq!(moved.basis, Basis::Renamed);

    one_machine(&tests, &estimates, machines);
    several_machines(&tests, &estimates, machines);
}
