//! What tasks of unknown cost take, as is seen in this run.

use std::collections::HashMap;

use crate::task::GroupId;

const NONE: u64 = u64::MAX;

/// Tasks of a group are alike: what those that ended took tells of the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauges {
    /// The number of the group of each slot.
    numbers: Vec<u32>,
    /// By number: nanoseconds, and of how many tasks.
    seen: Vec<(u64, u32)>,
    /// By number: the mean of these, which is asked for often. `NONE` if there are none.
    means: Vec<u64>,
}

impl Gauges {
    pub fn new(groups: &[GroupId]) -> Self {
        let mut known: HashMap<GroupId, u32> = HashMap::new();
        let mut numbers = Vec::with_capacity(groups.len());
        for run in groups.chunk_by(|one, two| one == two) {
            let next = known.len() as u32;
            let number = *known.entry(run[0]).or_insert(next);
            numbers.extend(run.iter().map(|_| number));
        }
        Self {
            numbers,
            seen: vec![(0, 0); known.len()],
            means: vec![NONE; known.len()],
        }
    }

    pub fn of(&self, slot: u32) -> u32 {
        self.numbers.get(slot as usize).copied().unwrap_or(u32::MAX)
    }

    pub fn learn(&mut self, slot: u32, cost: u64) {
        let number = self.of(slot) as usize;
        if let Some((sum, count)) = self.seen.get_mut(number) {
            *sum = sum.saturating_add(cost);
            *count += 1;
            self.means[number] = *sum / u64::from(*count);
        }
    }

    /// The mean of those that ended; of all groups, `mean`, if none has.
    pub fn estimate(&self, number: u32, mean: u64) -> u64 {
        match self.means.get(number as usize) {
            Some(&own) if own != NONE => own,
            _ => mean,
        }
    }
}
