//! What shards come to.

use std::collections::HashMap;

use super::ShardTask;
use super::balance::Costs;
use crate::task::{TaskId, nanos, seconds};

/// Estimated seconds of each shard, with unknown costs as in [`shard`](super::shard).
#[must_use]
pub fn loads(tests: &[ShardTask<'_>], shards: &[Vec<TaskId>]) -> Vec<f64> {
    loads_with(tests, shards, |_| 0.0)
}

/// Estimated seconds of each shard, with what it pays to begin its groups, as in [`shard_with`](super::shard_with).
#[must_use]
pub fn loads_with(
    tests: &[ShardTask<'_>],
    shards: &[Vec<TaskId>],
    group_cost: impl Fn(&str) -> f64,
) -> Vec<f64> {
    (nanos_of(tests, shards, &group_cost).into_iter())
        .map(seconds)
        .collect()
}

fn nanos_of(
    tests: &[ShardTask<'_>],
    shards: &[Vec<TaskId>],
    group_cost: &dyn Fn(&str) -> f64,
) -> Vec<u64> {
    let costs = Costs::new(tests);
    // Group and nanoseconds of each test; nanoseconds to begin each group, and the last shard seen to begin it.
    let mut groups: HashMap<&str, usize> = HashMap::new();
    let mut begins: Vec<(u64, usize)> = Vec::new();
    let mut by_id: HashMap<TaskId, (usize, u64)> = HashMap::with_capacity(tests.len());
    for test in tests {
        let group = *groups.entry(test.group).or_insert_with(|| {
            begins.push((nanos(group_cost(test.group)), usize::MAX));
            begins.len() - 1
        });
        by_id.insert(test.id, (group, costs.of(test)));
    }
    let mut loads = Vec::with_capacity(shards.len());
    for (nth, shard) in shards.iter().enumerate() {
        let mut load = 0u64;
        for (group, cost) in shard.iter().filter_map(|id| by_id.get(id)) {
            load = load.saturating_add(*cost);
            let (begin, last) = &mut begins[*group];
            if *last != nth {
                *last = nth;
                load = load.saturating_add(*begin);
            }
        }
        loads.push(load);
    }
    loads
}

/// How large shards are, and how even. Made by [`summary`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Summary {
    /// Number of tests of each shard.
    pub counts: Vec<usize>,
    /// Estimated seconds of each shard, with what it pays to begin its groups.
    pub seconds: Vec<f64>,
    /// Estimated seconds of the longest shard.
    pub longest: f64,
    /// The mean of the shards' seconds.
    pub mean: f64,
    /// Estimated seconds that the longest shard cannot be below, however the tests are divided.
    pub lower_bound: f64,
}

impl Summary {
    /// The longest shard over the mean: 1 if all are equally long, or take no time.
    #[must_use]
    pub fn imbalance(&self) -> f64 {
        over(self.longest, self.mean)
    }

    /// The longest shard over the lower bound: 1 if there certainly is no better division.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        over(self.longest, self.lower_bound)
    }
}

fn over(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 1.0 }
}

/// Sums shards up, when each shard that has tests of a group pays `group_cost` seconds to begin it (`|_| 0.0` where that is
/// not known). A test that is in none counts for the bound only.
#[must_use]
pub fn summary(
    tests: &[ShardTask<'_>],
    shards: &[Vec<TaskId>],
    group_cost: impl Fn(&str) -> f64,
) -> Summary {
    let loads = nanos_of(tests, shards, &group_cost);
    let sum = loads
        .iter()
        .fold(0u64, |sum, &load| sum.saturating_add(load));
    let mut sorted: Vec<&ShardTask<'_>> = tests.iter().collect();
    sorted.sort_by_key(|test| (test.group, test.key, test.id));
    let suite = Costs::new(tests).suite(&sorted, &group_cost);
    Summary {
        counts: shards.iter().map(Vec::len).collect(),
        longest: seconds(loads.iter().copied().max().unwrap_or(0)),
        mean: seconds(sum) / shards.len().max(1) as f64,
        lower_bound: seconds(suite.bound_split(shards.len())),
        seconds: loads.into_iter().map(seconds).collect(),
    }
}
