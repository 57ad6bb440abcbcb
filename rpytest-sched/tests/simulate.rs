//! How near the dispatcher comes to the bound, on suites of the kinds that people have.

use rpytest_sched::simulate::{SimReport, Simulation};
use rpytest_sched::{GroupId, Grouping, Policy, Task, TaskId};

/// 200 tests of skewed lengths, 24 s in all, in 10 files.
fn skewed() -> Vec<f64> {
    let lengths: Vec<f64> = (0..200u32)
        .map(|nth| 1.0 / f64::from(nth * 37 % 200 + 8))
        .collect();
    let sum: f64 = lengths.iter().sum();
    lengths.iter().map(|length| length * 24.0 / sum).collect()
}

fn run(lengths: &[f64], known: bool, workers: u32, grouping: Grouping) -> (SimReport, f64) {
    let tasks = (lengths.iter().zip(0..))
        .map(|(&length, nth)| {
            let task = Task::new(TaskId(nth), GroupId(nth / 20));
            if known { task.with_cost(length) } else { task }
        })
        .collect();
    let report = Simulation::new(workers)
        .latency(0.0002)
        .overhead(0.0002)
        .run(tasks, Policy::new().grouping(grouping), |task| {
            lengths[task.0 as usize]
        })
        .expect("all tasks are settled");
    let sum: f64 = lengths.iter().sum();
    let part = sum / (f64::from(workers) * report.makespan);
    (report, part)
}

#[test]
fn skewed_tests_of_known_length_keep_all_workers_busy() {
    for (workers, least) in [(2, 0.99), (4, 0.98), (8, 0.97)] {
        let (_, part) = run(&skewed(), true, workers, Grouping::Splittable);
        assert!(part >= least, "{part} with {workers} workers");
    }
}

#[test]
fn skewed_tests_of_unknown_length_keep_most_workers_busy() {
    for (workers, least) in [(2, 0.95), (4, 0.9), (8, 0.8)] {
        let (_, part) = run(&skewed(), false, workers, Grouping::Splittable);
        assert!(part >= least, "{part} with {workers} workers");
    }
}

#[test]
fn trivial_tests_take_few_messages() {
    let lengths = vec![0.0002; 10_000];
    for known in [true, false] {
        let (report, part) = run(&lengths, known, 2, Grouping::Splittable);
        assert!(report.sent < 400, "{} messages", report.sent);
        // Half of the time is overhead.
        assert!(part > 0.49, "{part}");
    }
}

#[test]
fn nobody_waits_for_messages_while_much_is_left() {
    // Longer and shorter than the horizon, and about as long as it.
    for length in [0.002, 0.014, 0.016, 0.02, 0.05, 0.3, 5.0] {
        for known in [true, false] {
            for grouping in [Grouping::Splittable, Grouping::Whole] {
                let tasks = (0..2_000).map(|nth| Task::new(TaskId(nth), GroupId(nth / 20)));
                let tasks = tasks.map(|task| if known { task.with_cost(length) } else { task });
                let report = Simulation::new(4)
                    .latency(0.0002)
                    .run(tasks.collect(), Policy::new().grouping(grouping), |_| {
                        length
                    })
                    .expect("all tasks are settled");
                let ratio = report.makespan / (500.0 * length);
                // The first messages and the last take a millisecond.
                let ends = 0.001 / (500.0 * length);
                assert!(ratio < 1.005 + ends, "{ratio}: {length} s, {grouping:?}");
            }
        }
    }
}

#[test]
fn tests_that_wait_in_queues_do_not_make_the_end_uneven() {
    // The last tests of each worker are held by it as late as if nothing were held ahead.
    for workers in [2, 4, 8] {
        for length in [0.02, 1.0, 10.0] {
            let tests = 6 * workers - 1;
            let lengths = vec![length; tests as usize];
            let (report, _) = run(&lengths, true, workers, Grouping::Splittable);
            assert!(report.makespan < 6.0 * length + 0.01, "{report:?}");
        }
    }
}

#[test]
fn one_long_test_is_no_longer_for_the_others() {
    let mut lengths = vec![0.01; 100];
    lengths[99] = 1.0;
    let (report, _) = run(&lengths, true, 2, Grouping::Splittable);
    assert!(report.makespan < 1.03, "{}", report.makespan);
}

#[test]
fn the_report_adds_up() {
    let lengths = skewed();
    let (report, _) = run(&lengths, true, 3, Grouping::Whole);
    let busy: f64 = report.busy.iter().sum();
    assert!((busy - 24.0).abs() < 1e-3);
    assert_eq!(report.completed, 200);
    assert_eq!((report.refused, report.crashed), (0, 0));
    for (busy, idle) in report.busy.iter().zip(&report.idle) {
        assert!((busy + idle - report.makespan).abs() < 1e-9);
    }
    assert!(report.efficiency() > 0.8);
}

/// Files of tests, by what it costs to begin them, on so many workers; the makespan when the dispatcher is told and when not.
fn told_and_untold(files: u32, per: u32, begin: f64, workers: u32) -> (f64, f64) {
    let length = |nth: u32| 0.02 / (1.01 - f64::from(nth * 7919 % 1009) / 1009.0);
    let tasks: Vec<Task> = (0..files * per)
        .map(|nth| Task::new(TaskId(nth), GroupId(nth / per)).with_cost(length(nth)))
        .collect();
    let costs: Vec<(GroupId, f64)> = (0..files).map(|nth| (GroupId(nth), begin)).collect();
    let pool = Simulation::new(workers)
        .latency(0.0002)
        .group_costs(costs.clone());
    let run = |policy| {
        pool.run(tasks.clone(), policy, |task| length(task.0))
            .expect("all tasks are settled")
            .makespan
    };
    (run(Policy::new().group_costs(costs)), run(Policy::new()))
}

#[test]
fn it_pays_to_tell_what_groups_cost() {
    for (files, per, begin, workers, least) in [
        (10, 20, 3.0, 4, 1.5),
        (3, 50, 2.0, 8, 1.5),
        (5, 8, 1.0, 3, 1.3),
        (10, 20, 0.5, 4, 1.1),
        (40, 10, 0.2, 8, 1.05),
    ] {
        let (told, untold) = told_and_untold(files, per, begin, workers);
        assert!(
            told * least < untold,
            "{told} told, {untold} untold: {files} files"
        );
    }
}

/// Files of 2 to 40 tests. The tests of a file are alike, and those of every seventh file are 30 times as long as the others'.
fn alike() -> Vec<(u32, f64)> {
    let tests = (0..64u32).flat_map(|file| {
        let length = if file % 7 == 3 { 0.3 } else { 0.01 };
        (0..2 + file * 29 % 39).map(move |_| (file, length))
    });
    tests.collect()
}

fn first_run(tests: &[(u32, f64)], workers: u32, grouping: Grouping) -> f64 {
    let tasks = (tests.iter().zip(0..))
        .map(|(&(file, _), nth)| Task::new(TaskId(nth), GroupId(file)))
        .collect();
    let report = Simulation::new(workers).latency(0.0002).run(
        tasks,
        Policy::new().grouping(grouping),
        |task| tests[task.0 as usize].1,
    );
    report.expect("all tasks are settled").makespan
}

#[test]
fn a_file_that_is_seen_to_be_slow_is_shared() {
    let tests = alike();
    let total: f64 = tests.iter().map(|(_, length)| length).sum();
    for workers in [2, 4, 8, 16] {
        let took = first_run(&tests, workers, Grouping::Splittable);
        // No two tests of a slow file are for one worker at the end, while another has none.
        let bound = total / f64::from(workers);
        assert!(
            took < bound + 2.0 * 0.3,
            "{took} with {workers}, {bound} at best"
        );
    }
}

#[test]
fn whole_files_of_unknown_length_go_to_who_needs_one() {
    let tests = alike();
    let mut files = vec![(0, 0.0); 64];
    for &(file, length) in &tests {
        files[file as usize].0 += 1;
        files[file as usize].1 += length;
    }
    files.sort_by_key(|&(count, _)| std::cmp::Reverse(count));
    for workers in [2u32, 4, 8, 16] {
        // The largest first, each to who is the first to have none.
        let mut loads = vec![0.0f64; workers as usize];
        for &(_, cost) in &files {
            loads.sort_by(f64::total_cmp);
            loads[0] += cost;
        }
        let listed = loads.into_iter().fold(0.0, f64::max);
        let took = first_run(&tests, workers, Grouping::Whole);
        assert!(
            took < 1.03 * listed,
            "{took} with {workers}, {listed} listed"
        );
    }
}
