//! Simulated workers of pytest-xdist, under the rules of `rpytest_sched::simulate`: every message takes the same time, and
//! a worker begins a test when it knows the next one, or that there is none.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::suites::Suite;

/// What a scheduler sends to a worker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Append these to the queue.
    Run(Vec<u32>),
    /// Give these back, all of them or, if one has been begun or is the next, none.
    Steal(Vec<u32>),
    /// End when the queue is empty.
    Shutdown,
}

/// Orders for workers, which are numbered from 0.
pub type Orders = Vec<(usize, Order)>;

/// One of pytest-xdist's ways to distribute tests.
pub trait Scheduler {
    /// All workers are ready.
    fn start(&mut self, orders: &mut Orders);

    /// A worker has run a test, which took so many seconds.
    fn completed(&mut self, worker: usize, test: u32, seconds: f64, orders: &mut Orders);

    /// A worker answers [`Order::Steal`].
    fn returned(&mut self, _worker: usize, _tests: &[u32], _orders: &mut Orders) {}
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Receive(usize, Order),
    End(usize, u32, u64),
    Completed(usize, u32, u64),
    Returned(usize, Vec<u32>),
}

#[derive(Debug, Default)]
struct Worker {
    queue: VecDeque<u32>,
    running: bool,
    shutdown: bool,
    last: Option<u32>,
    ended: Option<u64>,
}

struct Run<'a> {
    suite: &'a Suite,
    latency: u64,
    now: u64,
    serial: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, What)>>,
    workers: Vec<Worker>,
    begun: Vec<bool>,
}

/// Seconds until the last worker has ended.
///
/// # Panics
///
/// If a test is begun twice or never, or a worker is not told to end: the scheduler is wrong.
pub fn makespan(suite: &Suite, workers: u32, latency: f64, scheduler: &mut dyn Scheduler) -> f64 {
    let mut run = Run {
        suite,
        latency: nanos(latency),
        now: 0,
        serial: 0,
        agenda: BinaryHeap::new(),
        workers: (0..workers).map(|_| Worker::default()).collect(),
        begun: vec![false; suite.len()],
    };
    let mut orders = Orders::new();
    scheduler.start(&mut orders);
    run.send(&mut orders);
    while let Some(Reverse((at, _, what))) = run.agenda.pop() {
        run.now = at;
        match what {
            What::Receive(nth, order) => run.receive(nth, order),
            What::End(nth, test, took) => {
                run.workers[nth].running = false;
                run.schedule(run.latency, What::Completed(nth, test, took));
                run.go_on(nth);
            }
            What::Completed(nth, test, took) => {
                scheduler.completed(nth, test, took as f64 / 1e9, &mut orders);
            }
            What::Returned(nth, tests) => scheduler.returned(nth, &tests, &mut orders),
        }
        run.send(&mut orders);
    }
    assert!(run.begun.iter().all(|&begun| begun), "a test was left over");
    let ends = (run.workers.iter()).map(|worker| worker.ended.expect("it was told to end"));
    ends.max().unwrap_or(0) as f64 / 1e9
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

impl Run<'_> {
    fn schedule(&mut self, after: u64, what: What) {
        self.serial += 1;
        let entry = (self.now + after, self.serial, what);
        self.agenda.push(Reverse(entry));
    }

    fn send(&mut self, orders: &mut Orders) {
        for (nth, order) in orders.drain(..) {
            self.schedule(self.latency, What::Receive(nth, order));
        }
    }

    fn receive(&mut self, nth: usize, order: Order) {
        let worker = &mut self.workers[nth];
        match order {
            Order::Run(tests) => worker.queue.extend(tests),
            Order::Shutdown => worker.shutdown = true,
            Order::Steal(tests) => {
                // The first in the queue is known as the next, or waits for one.
                let at = (worker.queue.iter().skip(1))
                    .position(|test| Some(test) == tests.first())
                    .map(|at| at + 1);
                let all = at.is_some_and(|at| worker.queue.range(at..).eq(tests.iter()));
                let given = if all { tests } else { Vec::new() };
                worker.queue.truncate(worker.queue.len() - given.len());
                self.schedule(self.latency, What::Returned(nth, given));
            }
        }
        self.go_on(nth);
    }

    /// Begins the next test if the rule allows it, or ends.
    fn go_on(&mut self, nth: usize) {
        let worker = &mut self.workers[nth];
        if worker.running {
            return;
        }
        if worker.queue.is_empty() && worker.shutdown {
            worker.ended.get_or_insert(self.now);
        }
        if worker.queue.len() < 2 && !worker.shutdown {
            return;
        }
        if let Some(test) = worker.queue.pop_front() {
            let seen = std::mem::replace(&mut self.begun[test as usize], true);
            assert!(!seen, "test {test} was begun twice");
            worker.running = true;
            let took = nanos(self.suite.cost(test, worker.last));
            worker.last = Some(self.suite.file[test as usize]);
            self.schedule(took, What::End(nth, test, took));
        }
    }
}
