//! Shards by duration.

use super::ShardTask;
use crate::lpt::mean;
use crate::pack::{Cuts, EFFORT, Packing, Suite, improve};
use crate::task::{cost_nanos, nanos};

/// A group that fits into a shard is cut only if that makes the longest shard shorter by this part: estimates are no better.
const WORTH_A_CUT: u64 = 200;

/// What tests cost, in nanoseconds.
pub(super) struct Costs {
    unknown: u64,
}

impl Costs {
    pub fn new(tests: &[ShardTask<'_>]) -> Self {
        Self {
            unknown: mean(tests.iter().filter_map(|test| cost_nanos(test.cost))),
        }
    }

    pub fn of(&self, test: &ShardTask<'_>) -> u64 {
        cost_nanos(test.cost).unwrap_or(self.unknown)
    }

    /// The tests, sorted by group, with what it costs to begin each group.
    pub fn suite(&self, sorted: &[&ShardTask<'_>], begin: &dyn Fn(&str) -> f64) -> Suite {
        let mut suite = Suite::new(sorted.len());
        for group in sorted.chunk_by(|one, two| one.group == two.group) {
            let begin = group.first().map_or(0, |test| nanos(begin(test.group)));
            suite.push(begin, group.iter().map(|test| self.of(test)));
        }
        suite
    }
}

/// Single tests by LPT: for each shard, places in `sorted`.
pub(super) fn singles(sorted: &[&ShardTask<'_>], costs: &Costs, count: usize) -> Vec<Vec<u32>> {
    let suite = costs.suite(sorted, &|_| 0.0);
    Packing::lpt(&suite, &suite.singles(), count).into_tasks(&suite)
}

/// Groups, whole or cut, evened out: for each shard, places in `sorted`.
pub(super) fn groups(
    sorted: &[&ShardTask<'_>],
    costs: &Costs,
    count: usize,
    group_cost: Option<&dyn Fn(&str) -> f64>,
) -> Vec<Vec<u32>> {
    let suite = costs.suite(sorted, group_cost.unwrap_or(&|_| 0.0));
    let base = Packing::whole_or_cut(&suite, suite.share(count), count);
    let cuts = match group_cost {
        Some(_) => Cuts::From(base.makespan() / WORTH_A_CUT),
        None => Cuts::Never,
    };
    let bound = suite.bound_split(count);
    let (packing, _) = improve(&suite, base, bound, EFFORT, cuts);
    packing.into_tasks(&suite)
}
