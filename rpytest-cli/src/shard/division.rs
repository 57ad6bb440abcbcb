//! The items of all shards, as every machine computes them.

use std::collections::HashSet;

use rpytest_ipc::Address;
use rpytest_sched::TaskId;
use rpytest_sched::shard::{ShardTask, Summary, shard_with, summary};

use super::{Shard, strategy};
use crate::convert::{duration_key, file_of};
use crate::history::History;

/// What is to be divided, and which shard has which of it.
#[derive(Clone, Debug)]
pub(crate) struct Division {
    shard: Shard,
    items: Vec<Address>,
    keys: Vec<String>,
    /// Positions in `items`, ascending, for each shard.
    shares: Vec<Vec<u32>>,
    summary: Summary,
    /// How many items have durations of their own.
    known: usize,
    /// A digest of the durations that it was planned by.
    history: String,
}

impl Division {
    pub fn new(shard: &Shard, items: Vec<Address>, history: &History) -> Self {
        let keys: Vec<String> = items.iter().map(duration_key).collect();
        let costs = history.estimates();
        let tests: Vec<ShardTask<'_>> = (0u32..)
            .zip(items.iter().zip(&keys))
            .map(|(position, (address, key))| {
                let test = ShardTask::new(TaskId(position), key, file_of(&address.nodeid));
                match costs.of(address) {
                    Some(seconds) => test.with_cost(seconds),
                    None => test,
                }
            })
            .collect();
        // Each shard sets up what its tests of a file share. That it imports the file is nothing that the division could
        // change, unless it is known beforehand which files it needs; and then all shards gain by it.
        let begin = |file: &str| costs.of_beginning(file);
        let shares = shard_with(&tests, shard.total, shard.strategy, begin);
        let summary = summary(&tests, &shares, begin);
        let positions = |share: Vec<TaskId>| share.into_iter().map(|task| task.0).collect();
        Self {
            shard: shard.clone(),
            known: tests.iter().filter(|test| test.cost.is_some()).count(),
            shares: shares.into_iter().map(positions).collect(),
            summary,
            history: history.digest(),
            items,
            keys,
        }
    }

    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// In the order in which they were given.
    pub fn items(&self) -> &[Address] {
        &self.items
    }

    /// What names each item on every machine.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Positions of this shard's items.
    pub fn share(&self) -> Vec<u32> {
        let share = self.shares.get(self.shard.index as usize);
        share.cloned().unwrap_or_default()
    }

    /// Positions in another list of the items that are this shard's, in ascending order.
    pub fn ours_of(&self, items: &[Address]) -> Vec<u32> {
        if self.items == items {
            return self.share();
        }
        let share = self.share().into_iter();
        let ours: HashSet<&Address> = share
            .filter_map(|position| self.items.get(position as usize))
            .collect();
        let positions = (0u32..).zip(items).filter(|(_, item)| ours.contains(item));
        positions.map(|(position, _)| position).collect()
    }

    /// How many files the items are of.
    pub fn files(&self) -> usize {
        let files: HashSet<&str> = (self.items.iter())
            .map(|item| file_of(&item.nodeid))
            .collect();
        files.len()
    }

    /// Seconds that each shard is expected to take, and how even they are; where nothing is known every test counts
    /// the same.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Seconds that this shard is expected to take, if durations are known.
    pub fn predicted(&self) -> Option<f64> {
        let own = self.summary.seconds.get(self.shard.index as usize);
        own.copied().filter(|_| self.known > 0)
    }

    /// How many items have durations.
    pub fn known(&self) -> usize {
        self.known
    }

    pub fn history(&self) -> &str {
        &self.history
    }

    /// What a session says of its shard.
    pub fn line(&self) -> String {
        let Shard {
            index,
            total,
            strategy,
            ..
        } = self.shard;
        let (all, ours) = (self.items.len(), self.share().len());
        let mut line = format!("shard {index} of {total} ({}): ", strategy::name(strategy));
        match (ours, all) {
            (_, 0) => line.push_str("there are no tests"),
            (0, _) => line.push_str(&format!("none of {}, and so it passes", tests(all))),
            _ => line.push_str(&format!("{ours} of {}", tests(all))),
        }
        if let Some(own) = self.predicted().filter(|_| ours > 0) {
            let sum: f64 = self.summary.seconds.iter().sum();
            line.push_str(&format!(", {own:.1} s of {sum:.1} s by earlier runs"));
        } else if ours > 0 && strategy::looks_at_durations(strategy) {
            line.push_str(", no durations of earlier runs are known");
        }
        line
    }
}

/// `1 test`, `2 tests`
pub(super) fn tests(count: usize) -> String {
    match count {
        1 => "1 test".to_owned(),
        _ => format!("{count} tests"),
    }
}
