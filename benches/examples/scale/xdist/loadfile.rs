use std::cmp::Reverse;
use std::collections::VecDeque;

use super::MUST_KNOW;
use crate::pool::{Order, Orders, Scheduler};

/// `loadfile`: files as wholes, those with the most tests first. A worker gets another file when it has no more than two
/// tests, the running one included.
pub struct LoadFile {
    units: VecDeque<Vec<u32>>,
    pending: Vec<usize>,
    ending: Vec<bool>,
}

impl LoadFile {
    /// Tests of the files `file`, which are numbered from 0.
    pub fn new(file: &[u32], workers: u32) -> Self {
        let mut units: Vec<Vec<u32>> = Vec::new();
        for (&file, test) in file.iter().zip(0..) {
            let file = file as usize;
            if units.len() <= file {
                units.resize(file + 1, Vec::new());
            }
            units[file].push(test);
        }
        units.sort_by_key(|unit| Reverse(unit.len()));
        Self {
            units: units.into(),
            pending: vec![0; workers as usize],
            ending: vec![false; workers as usize],
        }
    }

    fn give(&mut self, worker: usize, orders: &mut Orders) {
        if let Some(unit) = self.units.pop_front() {
            self.pending[worker] += unit.len();
            orders.push((worker, Order::Run(unit)));
        }
    }

    /// Gives a worker the next file if it has little left, or lets it end if there is none.
    fn look_after(&mut self, worker: usize, orders: &mut Orders) {
        if self.ending[worker] {
            return;
        }
        if self.units.is_empty() {
            self.ending[worker] = true;
            orders.push((worker, Order::Shutdown));
        } else if self.pending[worker] <= MUST_KNOW {
            self.give(worker, orders);
        }
    }
}

impl Scheduler for LoadFile {
    fn start(&mut self, orders: &mut Orders) {
        let workers = self.pending.len();
        // Workers for which there is no file end at once.
        for worker in self.units.len().min(workers)..workers {
            self.ending[worker] = true;
            orders.push((worker, Order::Shutdown));
        }
        for worker in 0..self.units.len().min(workers) {
            self.give(worker, orders);
        }
        for worker in 0..workers {
            self.look_after(worker, orders);
        }
        if self.units.is_empty() {
            for worker in 0..workers {
                self.look_after(worker, orders);
            }
        }
    }

    fn completed(&mut self, worker: usize, _test: u32, _seconds: f64, orders: &mut Orders) {
        self.pending[worker] -= 1;
        self.look_after(worker, orders);
    }
}
