use super::MUST_KNOW;
use crate::pool::{Order, Orders, Scheduler};

/// `load`: a quarter of the tests is dealt in even pieces, the others as they are wanted, in collection order.
///
/// A worker gets more when it has less than an eighth of its share of what is left, and then enough for a quarter
/// of that share; at least two. One whose test took a tenth of a second or more is given none before it must be.
pub struct Load {
    tests: u32,
    next: u32,
    pending: Vec<usize>,
    ending: Vec<bool>,
}

/// From so many seconds a test is long.
const LONG: f64 = 0.1;

impl Load {
    pub fn new(tests: u32, workers: u32) -> Self {
        Self {
            tests,
            next: 0,
            pending: vec![0; workers as usize],
            ending: vec![false; workers as usize],
        }
    }

    fn left(&self) -> usize {
        (self.tests - self.next) as usize
    }

    fn give(&mut self, worker: usize, count: usize, orders: &mut Orders) {
        let count = count.min(self.left());
        if count > 0 {
            let end = self.next + count as u32;
            orders.push((worker, Order::Run((self.next..end).collect())));
            self.next = end;
            self.pending[worker] += count;
        }
    }

    fn end(&mut self, worker: usize, orders: &mut Orders) {
        if !std::mem::replace(&mut self.ending[worker], true) {
            orders.push((worker, Order::Shutdown));
        }
    }
}

impl Scheduler for Load {
    fn start(&mut self, orders: &mut Orders) {
        let workers = self.pending.len();
        if self.left() < MUST_KNOW * workers {
            for nth in 0..self.left() {
                self.give(nth % workers, 1, orders);
            }
        } else {
            let count = (self.left() / workers / 4).max(MUST_KNOW);
            for worker in 0..workers {
                self.give(worker, count, orders);
            }
        }
        if self.left() == 0 {
            for worker in 0..workers {
                self.end(worker, orders);
            }
        }
    }

    fn completed(&mut self, worker: usize, _test: u32, seconds: f64, orders: &mut Orders) {
        self.pending[worker] -= 1;
        if self.left() == 0 {
            self.end(worker, orders);
            return;
        }
        let share = self.left() / self.pending.len();
        let has = self.pending[worker];
        let waits = seconds >= LONG && has >= MUST_KNOW;
        if has < (share / 4).max(MUST_KNOW) && !waits {
            self.give(worker, (share / 2).max(MUST_KNOW) - has, orders);
        }
    }
}
