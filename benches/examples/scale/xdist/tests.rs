use std::fmt::Write as _;

use super::{Load, LoadFile, WorkSteal};
use crate::pool::{Order, Orders, Scheduler, makespan};
use crate::suites::{Shape, Suite};

/// Writes down what another scheduler orders.
struct Traced<S>(S, String);

impl<S: Scheduler> Traced<S> {
    fn tell(&mut self, when: &str, orders: &Orders) {
        let _ = write!(self.1, "{when}:");
        for (worker, order) in orders {
            let _ = match order {
                Order::Run(tests) => write!(self.1, " {worker} runs {tests:?}"),
                Order::Steal(tests) => write!(self.1, " {worker} returns {tests:?}"),
                Order::Shutdown => write!(self.1, " {worker} ends"),
            };
        }
        self.1.push('\n');
    }
}

impl<S: Scheduler> Scheduler for Traced<S> {
    fn start(&mut self, orders: &mut Orders) {
        self.0.start(orders);
        self.tell("start", orders);
    }

    fn completed(&mut self, worker: usize, test: u32, seconds: f64, orders: &mut Orders) {
        self.0.completed(worker, test, seconds, orders);
        if !orders.is_empty() {
            self.tell(&format!("{worker} ran {test}"), orders);
        }
    }

    fn returned(&mut self, worker: usize, tests: &[u32], orders: &mut Orders) {
        self.0.returned(worker, tests, orders);
        self.tell(&format!("{worker} returned {tests:?}"), orders);
    }
}

/// Runs tests of given lengths, all in one file or in the files that are given, on two workers.
fn check(
    costs: &[f64],
    files: Option<&[u32]>,
    scheduler: impl Scheduler,
    seconds: f64,
    want: &str,
) {
    let files = files.map_or_else(|| vec![0; costs.len()], <[u32]>::to_vec);
    let setup = vec![0.0; files.len()];
    let suite = Suite::of(costs.to_vec(), files, setup, |cost| cost);
    let mut traced = Traced(scheduler, String::new());
    let took = makespan(&suite, 2, 0.0, &mut traced);
    let want: Vec<&str> = want.trim().lines().map(str::trim).collect();
    assert_eq!(traced.1.trim().lines().collect::<Vec<_>>(), want);
    assert_eq!(took, seconds);
}

#[test]
fn load_begins_with_a_quarter_and_refills_below_an_eighth_of_a_share() {
    check(
        &[1.0; 24],
        None,
        Load::new(24, 2),
        12.0,
        "start: 0 runs [0, 1, 2] 1 runs [3, 4, 5]
        0 ran 1: 0 runs [6, 7, 8]
        1 ran 4: 1 runs [9, 10]
        1 ran 9: 1 runs [11, 12]
        0 ran 7: 0 runs [13]
        1 ran 11: 1 runs [14]
        0 ran 8: 0 runs [15]
        1 ran 12: 1 runs [16]
        0 ran 13: 0 runs [17]
        1 ran 14: 1 runs [18]
        0 ran 15: 0 runs [19]
        1 ran 16: 1 runs [20]
        0 ran 17: 0 runs [21]
        1 ran 18: 1 runs [22]
        0 ran 19: 0 runs [23]
        1 ran 20: 1 ends
        0 ran 21: 0 ends",
    );
}

#[test]
fn load_gives_a_slow_worker_nothing_that_it_does_not_need() {
    let ordered = |seconds: f64| {
        let mut load = Load::new(100, 2);
        let mut orders = Orders::new();
        load.start(&mut orders);
        assert_eq!(orders[0], (0, Order::Run((0..12).collect())));
        orders.clear();
        for test in 0..10 {
            load.completed(0, test, seconds, &mut orders);
        }
        orders
    };
    // 76 are left: a worker has too few below 9, and enough with 19.
    assert_eq!(ordered(0.05)[0], (0, Order::Run((24..35).collect())));
    assert_eq!(ordered(0.2), []);
}

#[test]
fn load_deals_one_by_one_when_there_are_few() {
    check(
        &[1.0; 3],
        None,
        Load::new(3, 2),
        2.0,
        "start: 0 runs [0] 1 runs [1] 0 runs [2] 0 ends 1 ends",
    );
}

#[test]
fn loadfile_begins_with_the_most_tests_and_looks_two_tests_ahead() {
    let files = [0, 1, 1, 1, 2, 2, 3];
    check(
        &[1.0; 7],
        Some(&files),
        LoadFile::new(&files, 2),
        4.0,
        "start: 0 runs [1, 2, 3] 1 runs [4, 5] 1 runs [0]
        0 ran 1: 0 runs [6]
        1 ran 4: 1 ends
        0 ran 2: 0 ends",
    );
}

#[test]
fn loadfile_sends_home_whom_there_is_no_file_for() {
    check(
        &[1.0; 3],
        None,
        LoadFile::new(&[0; 3], 2),
        3.0,
        "start: 1 ends 0 runs [0, 1, 2] 0 ends",
    );
}

#[test]
fn worksteal_takes_the_last_half_of_the_longest_queue() {
    check(
        &[10.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        None,
        WorkSteal::new(10, 2),
        11.0,
        "start: 0 runs [0, 1, 2, 3, 4] 1 runs [5, 6, 7, 8, 9]
        1 ran 8: 0 returns [3, 4]
        0 returned [3, 4]: 1 runs [3, 4]
        1 ran 3: 0 returns [2]
        0 returned [2]: 1 runs [2]
        1 ran 4: 1 ends
        0 ran 0: 0 ends",
    );
}

#[test]
fn each_test_is_run_once_and_no_run_ends_before_the_bound() {
    for (shape, seed) in Shape::ALL.into_iter().zip(1..) {
        for tests in [0, 1, 5, 300] {
            let suite = Suite::new(shape, tests, seed);
            for (workers, latency) in [(1, 0.0), (3, 0.0002), (16, 0.01), (64, 0.0)] {
                let mut load = Load::new(tests, workers);
                let mut steal = WorkSteal::new(tests, workers);
                let mut file = LoadFile::new(&suite.file, workers);
                let schedulers: [&mut dyn Scheduler; 3] = [&mut load, &mut steal, &mut file];
                // That each is run once is asserted by the pool.
                let took = schedulers.map(|it| makespan(&suite, workers, latency, it));
                for took in took {
                    assert!(took >= suite.bound(workers) - 1e-6);
                }
                assert!(took[2] >= suite.whole_bound(workers) - 1e-6);
            }
        }
    }
}
