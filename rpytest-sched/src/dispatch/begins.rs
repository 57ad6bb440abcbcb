//! What it costs to begin groups, and what of that a lane's owner has paid.

use std::collections::{HashMap, HashSet};

use super::layout::{Layout, Span};
use crate::task::GroupId;

/// What the owner of a lane has still to pay for the groups in it. Empty where no group costs anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Begins {
    /// How many runs of each group that costs something the lane has.
    runs: HashMap<GroupId, u32>,
    /// Groups that the owner was given a task of.
    begun: HashSet<GroupId>,
    sum: u64,
}

impl Begins {
    /// Nanoseconds to be paid for what is in the lane.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// What is to be paid for a task of a group if it is the next of this group.
    pub fn owes(&self, layout: &Layout, group: GroupId) -> u64 {
        match layout.begin(group) {
            0 => 0,
            _ if self.begun.contains(&group) => 0,
            cost => cost,
        }
    }

    /// What the lane, with a run of tasks more, would have to pay more.
    pub fn extra(&self, layout: &Layout, span: Span) -> u64 {
        let group = layout.group(span.lo);
        let has = self.runs.get(&group).is_some_and(|&runs| runs > 0);
        let first = if has { 0 } else { self.owes(layout, group) };
        first.saturating_add(layout.begins_within(span))
    }

    /// A run of tasks comes into the lane.
    pub fn enter(&mut self, layout: &Layout, span: Span) {
        if layout.is_free() || span.len() == 0 {
            return;
        }
        self.sum = self.sum.saturating_add(self.extra(layout, span));
        let group = layout.group(span.lo);
        if layout.begin(group) > 0 {
            *self.runs.entry(group).or_default() += 1;
        }
    }

    /// A run of tasks that had come leaves.
    pub fn leave(&mut self, layout: &Layout, span: Span) {
        if layout.is_free() || span.len() == 0 {
            return;
        }
        if let Some(runs) = self.runs.get_mut(&layout.group(span.lo)) {
            *runs = runs.saturating_sub(1);
        }
        self.sum = self.sum.saturating_sub(self.extra(layout, span));
    }

    /// The owner is given a task of a group; what it pays for that.
    pub fn begin(&mut self, layout: &Layout, group: GroupId) -> u64 {
        let cost = self.owes(layout, group);
        if cost > 0 {
            self.begun.insert(group);
            if self.runs.get(&group).is_some_and(|&runs| runs > 0) {
                self.sum = self.sum.saturating_sub(cost);
            }
        }
        cost
    }

    /// The owner will not begin the group after all.
    pub fn unbegin(&mut self, layout: &Layout, group: GroupId) {
        if self.begun.remove(&group) && self.runs.get(&group).is_some_and(|&runs| runs > 0) {
            self.sum = self.sum.saturating_add(layout.begin(group));
        }
    }

    /// The lane has another owner, who has paid nothing.
    pub fn forget(&mut self, layout: &Layout) {
        for group in std::mem::take(&mut self.begun) {
            if self.runs.get(&group).is_some_and(|&runs| runs > 0) {
                self.sum = self.sum.saturating_add(layout.begin(group));
            }
        }
    }

    /// Nothing is left in the lane.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.sum = 0;
    }
}
