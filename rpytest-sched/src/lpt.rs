//! LPT, "longest processing time first", shared by plans and shards.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::task::Task;

/// What an unknown task is taken to cost when nothing at all is known: 10 ms.
const NOMINAL: u64 = 10_000_000;

/// The mean of the costs that are known, in nanoseconds; of the nominal one if none is.
pub(crate) fn mean_cost(tasks: &[Task]) -> u64 {
    mean(tasks.iter().filter_map(Task::cost_nanos))
}

pub(crate) fn mean(costs: impl Iterator<Item = u64>) -> u64 {
    let (mut sum, mut count) = (0u64, 0u64);
    for cost in costs {
        sum = sum.saturating_add(cost);
        count += 1;
    }
    sum.checked_div(count).unwrap_or(NOMINAL)
}

/// Machines by what they have to do.
pub(crate) struct Machines(BinaryHeap<Reverse<(u64, usize)>>);

impl Machines {
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|nth| Reverse((0, nth))).collect())
    }

    /// Gives a job to the machine with the least to do, the first of equals, and returns that machine.
    pub fn give(&mut self, cost: u64) -> usize {
        match self.0.peek_mut() {
            Some(mut least) => {
                let (load, nth) = least.0;
                least.0.0 = load.saturating_add(cost);
                nth
            }
            None => 0,
        }
    }

    /// What each machine has to do.
    pub fn loads(self) -> Vec<u64> {
        let mut loads = vec![0; self.0.len()];
        for Reverse((load, nth)) in self.0 {
            loads[nth] = load;
        }
        loads
    }
}

/// A bound from below for the makespan of indivisible jobs on `machines` machines: the mean load, the longest
/// job, and, as two of the `machines + 1` longest jobs must share a machine, the two shortest of these together.
///
/// `jobs` are sorted, the longest first.
pub(crate) fn lower_bound(jobs: &[u64], machines: usize) -> u64 {
    let total = (jobs.iter()).fold(0u64, |sum, &job| sum.saturating_add(job));
    let mean = total.div_ceil(machines.max(1) as u64);
    let longest = jobs.first().copied().unwrap_or(0);
    let pair = match (jobs.get(machines.wrapping_sub(1)), jobs.get(machines)) {
        (Some(one), Some(two)) => one.saturating_add(*two),
        _ => 0,
    };
    mean.max(longest).max(pair)
}
