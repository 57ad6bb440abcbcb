//! Tests divided over machines that do not talk to each other: pytest-split's two algorithms, written anew from its README
//! and from what they are seen to do in release 0.11, and the strategies of `rpytest_sched::shard` beside them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rpytest_sched::TaskId;
use rpytest_sched::shard::{ShardTask, Strategy, shard_with};

use crate::suites::Suite;

/// What each machine runs, in collection order.
type Shards = Vec<Vec<u32>>;

/// `duration_based_chunks`: a machine takes tests in collection order until it has its share of the time, then the next
/// one does.
pub fn duration_based_chunks(history: &[f64], machines: u32) -> Shards {
    let share = history.iter().sum::<f64>() / f64::from(machines);
    let mut shards = vec![Vec::new(); machines as usize];
    let (mut nth, mut load) = (0, 0.0);
    for (&cost, test) in history.iter().zip(0..) {
        if load >= share && nth + 1 < shards.len() {
            (nth, load) = (nth + 1, 0.0);
        }
        shards[nth].push(test);
        load += cost;
    }
    shards
}

/// `least_duration`: the longest test first, each to the machine that has the least.
pub fn least_duration(history: &[f64], machines: u32) -> Shards {
    let mut tests: Vec<u32> = (0..history.len() as u32).collect();
    tests.sort_by(|&one, &two| history[two as usize].total_cmp(&history[one as usize]));
    let mut shards = vec![Vec::new(); machines as usize];
    // Durations are not negative, and the bits of such are in their order.
    let mut loads: BinaryHeap<Reverse<(u64, usize)>> =
        (0..shards.len()).map(|nth| Reverse((0, nth))).collect();
    for test in tests {
        if let Some(mut least) = loads.peek_mut() {
            let Reverse((load, nth)) = *least;
            let load = f64::from_bits(load) + history[test as usize];
            *least = Reverse((load.to_bits(), nth));
            shards[nth].push(test);
        }
    }
    for shard in &mut shards {
        shard.sort_unstable();
    }
    shards
}

/// Names that sort as the tests were collected, each with its file's.
pub fn names(suite: &Suite) -> Vec<(String, String)> {
    let name = |(&file, test): (&u32, u32)| {
        let file = format!("tests/test_{file:06}.py");
        (format!("{file}::test_{test:07}"), file)
    };
    suite.file.iter().zip(0..).map(name).collect()
}

/// What `rpytest_sched::shard` is told: durations of an earlier run, without the files' fixtures.
pub fn shard_tasks<'a>(suite: &Suite, names: &'a [(String, String)]) -> Vec<ShardTask<'a>> {
    (names.iter().zip(&suite.earlier).zip(0..))
        .map(|(((key, file), &cost), nth)| ShardTask::new(TaskId(nth), key, file).with_cost(cost))
        .collect()
}

/// The shards of `rpytest_sched`, which is told what the fixtures of each file took in an earlier run.
pub fn ours(suite: &Suite, machines: u32, strategy: Strategy) -> Shards {
    let names = names(suite);
    let begins: HashMap<&str, f64> = (names.iter().zip(&suite.file))
        .map(|((_, name), &file)| (name.as_str(), suite.earlier_setup[file as usize]))
        .collect();
    let begin = |file: &str| begins.get(file).copied().unwrap_or(0.0);
    let shards = shard_with(&shard_tasks(suite, &names), machines, strategy, begin);
    (shards.into_iter())
        .map(|shard| shard.into_iter().map(|test| test.0).collect())
        .collect()
}

/// Seconds until the last machine has run its tests, in one process each.
pub fn makespan(suite: &Suite, shards: &[Vec<u32>]) -> f64 {
    let seconds = |shard: &Vec<u32>| {
        let mut last = None;
        let cost = |&test| suite.cost(test, last.replace(suite.file[test as usize]));
        shard.iter().map(cost).sum()
    };
    shards.iter().map(seconds).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::Shape;

    #[test]
    fn chunks_end_when_they_have_their_share() {
        // The share is 5. The first machine goes over it, the last gets what is left.
        let shards = duration_based_chunks(&[3.0, 1.0, 3.0, 1.0, 1.0, 1.0], 2);
        assert_eq!(shards, [vec![0, 1, 2], vec![3, 4, 5]]);
        let shards = duration_based_chunks(&[4.0, 1.0, 1.0], 3);
        assert_eq!(shards, [vec![0], vec![1, 2], vec![]]);
    }

    #[test]
    fn the_longest_test_goes_to_the_machine_with_the_least() {
        let shards = least_duration(&[2.0, 3.0, 2.0, 3.0, 2.0], 2);
        assert_eq!(shards, [vec![0, 1, 4], vec![2, 3]]);
    }

    #[test]
    fn each_test_is_in_one_shard_and_no_shard_ends_before_the_bound() {
        for (shape, seed) in Shape::ALL.into_iter().zip(0..) {
            let suite = Suite::new(shape, 700, seed);
            for machines in [1, 2, 7, 64] {
                for shards in [
                    duration_based_chunks(&suite.history, machines),
                    least_duration(&suite.history, machines),
                    ours(&suite, machines, Strategy::DurationBalanced),
                    ours(&suite, machines, Strategy::LeastDuration),
                ] {
                    assert_eq!(shards.len(), machines as usize);
                    let mut all = shards.concat();
                    all.sort_unstable();
                    assert!(all.into_iter().eq(0..700));
                    assert!(makespan(&suite, &shards) >= suite.bound(machines) - 1e-9);
                }
            }
        }
    }
}
