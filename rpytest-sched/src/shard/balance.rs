//! Shards by duration.

use super::ShardTask;
use crate::lpt::mean;
use crate::pack::{EFFORT, Packing, Suite, split};
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
///
/// A test that is longer than what all others come to on the shards that are left has one of its own, since the longest shard
/// is that one anyway, and nothing would even out the others below it: estimates err, and one that errs
/// by its part of a long shard makes that the longest.
pub(super) fn groups(
    sorted: &[&ShardTask<'_>],
    costs: &Costs,
    count: usize,
    group_cost: Option<&dyn Fn(&str) -> f64>,
) -> Vec<Vec<u32>> {
    let begin = group_cost.unwrap_or(&|_| 0.0);
    let worth = group_cost.map(|_| WORTH_A_CUT);
    let divide = |tests: &[&ShardTask<'_>], count: usize| {
        let suite = costs.suite(tests, begin);
        let (packing, _) = split(&suite, count, suite.bound_split(count), EFFORT, worth);
        (packing.makespan(), packing.into_tasks(&suite))
    };
    let (longest, shards) = divide(sorted, count);
    let alone = match worth {
        Some(_) => longer_than_a_share(sorted, costs, count),
        // To take a test out of its group is to cut that.
        None => Vec::new(),
    };
    if alone.is_empty() {
        return shards;
    }
    let mut is_alone = vec![false; sorted.len()];
    for &place in &alone {
        is_alone[place as usize] = true;
    }
    let others: Vec<u32> = (0..sorted.len() as u32)
        .filter(|&place| !is_alone[place as usize])
        .collect();
    let left: Vec<&ShardTask<'_>> = (others.iter())
        .map(|&place| sorted[place as usize])
        .collect();
    let (longest_left, shards_left) = divide(&left, count - alone.len());
    let weight = |&place: &u32| {
        let test = sorted[place as usize];
        costs.of(test).saturating_add(nanos(begin(test.group)))
    };
    let longest_alone = alone.iter().map(weight).max().unwrap_or(0);
    if longest_left.max(longest_alone) > longest {
        return shards;
    }
    let back = |places: Vec<u32>| -> Vec<u32> {
        let places = places.into_iter().map(|place| others[place as usize]);
        places.collect()
    };
    let alone = alone.into_iter().map(|place| vec![place]);
    alone.chain(shards_left.into_iter().map(back)).collect()
}

/// Places of the tests that are, one after the other, at least as long as a fair share of what the longer ones leave.
fn longer_than_a_share(sorted: &[&ShardTask<'_>], costs: &Costs, count: usize) -> Vec<u32> {
    let mut left: u128 = sorted.iter().map(|test| u128::from(costs.of(test))).sum();
    let mut by_cost: Vec<(u64, u32)> = (sorted.iter().zip(0..))
        .map(|(test, place)| (costs.of(test), place))
        .collect();
    // At equal cost, in the order of keys.
    by_cost.sort_by_key(|&(cost, place)| (std::cmp::Reverse(cost), place));
    let mut alone = Vec::new();
    for (cost, place) in by_cost {
        let shards = count - alone.len();
        // The last shard has what is left, and no test is alone where all take nothing.
        if shards < 2 || cost == 0 || u128::from(cost) * shards as u128 <= left {
            break;
        }
        left -= u128::from(cost);
        alone.push(place);
    }
    alone
}
