use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use super::MUST_KNOW;
use crate::pool::{Order, Orders, Scheduler};

/// `worksteal`: all tests are dealt at once, in even pieces. When a worker has fewer than two left, the one with the most is
/// asked for the last half of its own (but not for the two that it needs), one such request at a time. What comes
/// back is dealt evenly to those that have too few. If there is nothing to ask for, they are to end.
pub struct WorkSteal {
    tests: u32,
    /// What each worker has, the running test first.
    pending: Vec<VecDeque<u32>>,
    ending: Vec<bool>,
    /// Workers with too few, of those that are not ending.
    idle: BTreeSet<usize>,
    /// Tests that no worker has.
    loose: VecDeque<u32>,
    asked: bool,
}

impl WorkSteal {
    pub fn new(tests: u32, workers: u32) -> Self {
        let workers = workers as usize;
        Self {
            tests,
            pending: vec![VecDeque::new(); workers],
            ending: vec![false; workers],
            idle: (0..workers).collect(),
            loose: VecDeque::new(),
            asked: false,
        }
    }

    fn count(&mut self, worker: usize) {
        if self.pending[worker].len() < MUST_KNOW && !self.ending[worker] {
            self.idle.insert(worker);
        } else {
            self.idle.remove(&worker);
        }
    }

    fn balance(&mut self, orders: &mut Orders) {
        if !self.loose.is_empty() {
            let idle: Vec<usize> = self.idle.iter().copied().collect();
            for (nth, &worker) in idle.iter().enumerate() {
                let count = self.loose.len() / (idle.len() - nth);
                let given: Vec<u32> = self.loose.drain(..count).collect();
                if !given.is_empty() {
                    self.pending[worker].extend(&given);
                    orders.push((worker, Order::Run(given)));
                    self.count(worker);
                }
            }
        }
        if self.idle.is_empty() || self.asked {
            return;
        }
        let open = (0..self.pending.len()).filter(|&nth| !self.ending[nth]);
        let Some(from) = open.max_by_key(|&nth| (self.pending[nth].len(), Reverse(nth))) else {
            return;
        };
        let has = self.pending[from].len();
        let count = (has / 2).min(has.saturating_sub(MUST_KNOW));
        if count == 0 {
            for worker in std::mem::take(&mut self.idle) {
                self.ending[worker] = true;
                orders.push((worker, Order::Shutdown));
            }
        } else {
            let tests = self.pending[from].range(has - count..).copied().collect();
            orders.push((from, Order::Steal(tests)));
            self.asked = true;
        }
    }
}

impl Scheduler for WorkSteal {
    fn start(&mut self, orders: &mut Orders) {
        self.loose.extend(0..self.tests);
        self.balance(orders);
    }

    fn completed(&mut self, worker: usize, test: u32, _seconds: f64, orders: &mut Orders) {
        let first = self.pending[worker].pop_front();
        assert_eq!(first, Some(test), "tests are run in the order of the queue");
        self.count(worker);
        self.balance(orders);
    }

    fn returned(&mut self, worker: usize, tests: &[u32], orders: &mut Orders) {
        self.asked = false;
        let left = self.pending[worker].len() - tests.len();
        self.pending[worker].truncate(left);
        self.loose.extend(tests);
        self.count(worker);
        self.balance(orders);
    }
}
