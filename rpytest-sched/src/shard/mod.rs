//! Shards: one inventory divided over machines that do not talk to each other.
//!
//! Each machine computes the same shards from the same tests and costs, and runs its own. So the result does
//! not depend on the order in which tests are given, on the machine, or on the version of a hasher: ties are
//! decided by key, and hashes are 64-bit FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo; RFC 9923) of the key's UTF-8
//! bytes with offset basis `0xcbf29ce484222325` and prime `0x100000001b3`.

mod balance;
mod summary;

use std::cmp::Reverse;

use self::balance::Costs;
use crate::task::TaskId;

pub use self::summary::{Summary, loads, loads_with, summary};

/// A test to be put into a shard.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ShardTask<'a> {
    /// The test's name in the result.
    pub id: TaskId,
    /// What names the test on every machine, such as its node id.
    pub key: &'a str,
    /// What names its group on every machine, such as its file.
    pub group: &'a str,
    /// Its estimated cost in seconds, `None` when nothing is known.
    pub cost: Option<f64>,
}

impl<'a> ShardTask<'a> {
    /// A test of unknown cost.
    #[must_use]
    pub fn new(id: TaskId, key: &'a str, group: &'a str) -> Self {
        Self {
            id,
            key,
            group,
            cost: None,
        }
    }

    /// The same test with an estimated cost in seconds.
    #[must_use]
    pub fn with_cost(mut self, seconds: f64) -> Self {
        self.cost = Some(seconds);
        self
    }
}

/// How tests are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// Whole groups by LPT, then evened out by MULTIFIT and local search. A group that costs more than a shard's fair share is
    /// cut into even pieces, in the order of its keys, if that makes the longest shard shorter. With [`shard_with`], which knows
    /// what cutting costs, so is any other, if the longest shard becomes shorter by at least a 200th.
    #[default]
    DurationBalanced,
    /// Tests in the order of their keys, one to each shard in turn. Costs do not matter.
    RoundRobin,
    /// By a hash of the key alone, so that adding or removing tests moves no other test, and another number of shards
    /// moves only as many as it must: rendezvous hashing (D. G. Thaler, C. V. Ravishankar, *Using name-based mappings to
    /// increase hit rates*, IEEE/ACM Trans. Networking 6, 1998).
    Hash,
    /// Single tests by LPT, whatever their groups: the most even, and the most fixtures set up twice.
    LeastDuration,
}

/// Divides tests over `total` shards (0 counts as 1). Each test is in exactly one shard; a shard may be empty.
///
/// Tests are in the order of their numbers within a shard. Unknown costs count with the mean of the known ones.
///
/// ```
/// use rpytest_sched::TaskId;
/// use rpytest_sched::shard::{ShardTask, Strategy, shard};
///
/// let tests = [
///     ShardTask::new(TaskId(0), "a.py::test_x", "a.py").with_cost(2.0),
///     ShardTask::new(TaskId(1), "b.py::test_y", "b.py").with_cost(1.0),
///     ShardTask::new(TaskId(2), "c.py::test_z", "c.py").with_cost(1.0),
/// ];
/// let shards = shard(&tests, 2, Strategy::DurationBalanced);
/// assert_eq!(shards, [vec![TaskId(0)], vec![TaskId(1), TaskId(2)]]);
/// ```
#[must_use]
pub fn shard(tests: &[ShardTask<'_>], total: u32, strategy: Strategy) -> Vec<Vec<TaskId>> {
    divide(tests, total, strategy, None)
}

/// As [`shard`], when each shard that has tests of a group pays `group_cost` seconds to begin it: its import and its
/// shared fixtures. That matters to [`Strategy::DurationBalanced`] only; what is no sensible duration counts as 0.
///
/// ```
/// use rpytest_sched::TaskId;
/// use rpytest_sched::shard::{ShardTask, Strategy, shard_with, summary};
///
/// let tests = [
///     ShardTask::new(TaskId(0), "a.py::test_w", "a.py").with_cost(2.0),
///     ShardTask::new(TaskId(1), "a.py::test_x", "a.py").with_cost(2.0),
///     ShardTask::new(TaskId(2), "a.py::test_y", "a.py").with_cost(2.0),
///     ShardTask::new(TaskId(3), "b.py::test_z", "b.py").with_cost(1.0),
/// ];
/// // To cut a.py pays if a file is begun in 1 s, and not if that takes 5 s.
/// let shards = shard_with(&tests, 2, Strategy::DurationBalanced, |_| 1.0);
/// assert_eq!(summary(&tests, &shards, |_| 1.0).seconds, [5.0, 5.0]);
/// let shards = shard_with(&tests, 2, Strategy::DurationBalanced, |_| 5.0);
/// assert_eq!(shards, [vec![TaskId(0), TaskId(1), TaskId(2)], vec![TaskId(3)]]);
/// assert_eq!(summary(&tests, &shards, |_| 5.0).seconds, [11.0, 6.0]);
/// ```
#[must_use]
pub fn shard_with(
    tests: &[ShardTask<'_>],
    total: u32,
    strategy: Strategy,
    group_cost: impl Fn(&str) -> f64,
) -> Vec<Vec<TaskId>> {
    divide(tests, total, strategy, Some(&group_cost))
}

fn divide(
    tests: &[ShardTask<'_>],
    total: u32,
    strategy: Strategy,
    group_cost: Option<&dyn Fn(&str) -> f64>,
) -> Vec<Vec<TaskId>> {
    let count = total.max(1) as usize;
    let mut sorted: Vec<&ShardTask<'_>> = tests.iter().collect();
    sorted.sort_by_key(|test| (test.group, test.key, test.id));
    let mut shards = vec![Vec::new(); count];
    match strategy {
        Strategy::DurationBalanced | Strategy::LeastDuration => {
            let costs = Costs::new(tests);
            let packing = if strategy == Strategy::DurationBalanced {
                balance::groups(&sorted, &costs, count, group_cost)
            } else {
                balance::singles(&sorted, &costs, count)
            };
            for (shard, places) in shards.iter_mut().zip(packing) {
                shard.extend(places.into_iter().map(|place| sorted[place as usize].id));
            }
        }
        Strategy::RoundRobin => {
            sorted.sort_by_key(|test| (test.key, test.id));
            for (nth, test) in sorted.iter().enumerate() {
                shards[nth % count].push(test.id);
            }
        }
        Strategy::Hash => {
            for test in sorted {
                shards[rendezvous(fnv1a(test.key.as_bytes()), count)].push(test.id);
            }
        }
    }
    for shard in &mut shards {
        shard.sort_unstable();
    }
    shards
}

/// 64-bit FNV-1a.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The shard that scores highest for a hash. A shard's score does not depend on how many there are.
fn rendezvous(hash: u64, count: usize) -> usize {
    let score = |shard: usize| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&hash.to_le_bytes());
        bytes[8..].copy_from_slice(&(shard as u64).to_le_bytes());
        // FNV's last bytes barely reach the high bits that decide; a multiply and shift spread them.
        let score = fnv1a(&bytes);
        let score = (score ^ (score >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        score ^ (score >> 29)
    };
    (0..count)
        .max_by_key(|&shard| (score(shard), Reverse(shard)))
        .unwrap_or(0)
}
