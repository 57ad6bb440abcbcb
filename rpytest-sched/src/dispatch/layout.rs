//! Tasks laid out in runs.
//!
//! Tasks are laid out in one array of *slots* such that what should run together is adjacent. A run is
//! a span of slots; sums over spans are differences of prefix sums, so that cutting a span at a given
//! cost is a binary search.

use std::collections::HashMap;

use super::gauge::Gauges;
use super::policy::Policy;
use crate::task::{GroupId, Task, nanos};

/// Adjacent slots, `lo` included and `hi` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub lo: u32,
    pub hi: u32,
}

impl Span {
    /// The span of one task.
    pub fn one(slot: u32) -> Self {
        Self {
            lo: slot,
            hi: slot + 1,
        }
    }

    pub fn len(self) -> u32 {
        self.hi - self.lo
    }
}

/// Tasks in the order of their slots, with sums.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Slot to index of the task in collection order.
    slots: Vec<u32>,
    groups: Vec<GroupId>,
    /// What is learned of groups in this run, and which one each slot belongs to. Empty where no cost is unknown.
    gauges: Gauges,
    /// Nanoseconds of known cost, overhead included, before each slot.
    known: Vec<u64>,
    /// How many tasks of unknown cost come before each slot.
    unknown: Vec<u32>,
    /// Nanoseconds to begin the groups that cost something.
    begins: HashMap<GroupId, u64>,
    /// Nanoseconds to begin groups before each slot and at it, where the group changes from slot to slot. Empty where
    /// no group costs anything.
    changes: Vec<u64>,
    /// Whether slots are in collection order, whatever the groups.
    pub sequential: bool,
}

impl Layout {
    pub fn new(order: Vec<u32>, tasks: &[Task], policy: &Policy, sequential: bool) -> Self {
        let overhead = nanos(policy.overhead);
        let mut layout = Self {
            groups: order.iter().map(|&i| tasks[i as usize].group).collect(),
            gauges: Gauges::default(),
            known: Vec::with_capacity(order.len() + 1),
            unknown: Vec::with_capacity(order.len() + 1),
            slots: order,
            begins: (policy.group_costs.iter())
                .map(|(&group, &cost)| (group, nanos(cost)))
                .filter(|&(_, cost)| cost > 0)
                .collect(),
            changes: Vec::new(),
            sequential,
        };
        let (mut known, mut unknown) = (0u64, 0u32);
        layout.known.push(known);
        layout.unknown.push(unknown);
        for &index in &layout.slots {
            match tasks[index as usize].cost_nanos() {
                Some(cost) => known = known.saturating_add(cost.saturating_add(overhead)),
                None => unknown += 1,
            }
            layout.known.push(known);
            layout.unknown.push(unknown);
        }
        if unknown > 0 && !sequential {
            layout.gauges = Gauges::new(&layout.groups);
        }
        if !layout.is_free() {
            let (mut sum, mut last) = (0u64, None);
            for slot in 0..layout.groups.len() {
                let group = layout.groups[slot];
                if last.replace(group) != Some(group) {
                    sum = sum.saturating_add(layout.begin(group));
                }
                layout.changes.push(sum);
            }
        }
        layout
    }

    /// Whether no group costs anything to begin.
    pub fn is_free(&self) -> bool {
        self.begins.is_empty()
    }

    /// Nanoseconds that a worker pays to begin a group.
    pub fn begin(&self, group: GroupId) -> u64 {
        if self.is_free() {
            return 0;
        }
        self.begins.get(&group).copied().unwrap_or(0)
    }

    /// Nanoseconds to begin the groups that follow upon the first one of a span. None does but in collection order.
    pub fn begins_within(&self, span: Span) -> u64 {
        match (self.changes.get(span.lo as usize), span.hi.checked_sub(1)) {
            (Some(before), Some(last)) => self.changes[last as usize] - before,
            _ => 0,
        }
    }

    /// The index of the task in a slot.
    pub fn task(&self, slot: u32) -> usize {
        self.slots[slot as usize] as usize
    }

    /// The group of the task in a slot.
    pub fn group(&self, slot: u32) -> GroupId {
        self.groups[slot as usize]
    }

    /// Known nanoseconds and the number of unknown tasks of a span.
    pub fn sums(&self, span: Span) -> (u64, u32) {
        let (lo, hi) = (span.lo as usize, span.hi as usize);
        (
            self.known[hi] - self.known[lo],
            self.unknown[hi] - self.unknown[lo],
        )
    }

    /// Nanoseconds of a span, when an unknown task of a group of which nothing is known costs `mean`.
    pub fn cost(&self, span: Span, mean: u64) -> u64 {
        let (known, unknown) = self.sums(span);
        if unknown == 0 {
            return known;
        }
        let each = self.gauges.estimate(self.gauge(span.lo), mean);
        known.saturating_add(each.saturating_mul(u64::from(unknown)))
    }

    /// What is learned of the group of a slot goes by this number.
    pub fn gauge(&self, slot: u32) -> u32 {
        self.gauges.of(slot)
    }

    /// Nanoseconds that a task of unknown cost is taken to need.
    pub fn estimate(&self, gauge: u32, mean: u64) -> u64 {
        self.gauges.estimate(gauge, mean)
    }

    /// A task of unknown cost took so many nanoseconds.
    pub fn learn(&mut self, slot: u32, cost: u64) {
        self.gauges.learn(slot, cost);
    }

    /// Nanoseconds of the last task of a span.
    pub fn last_cost(&self, span: Span, mean: u64) -> u64 {
        self.cost(Span::one(span.hi - 1), mean)
    }

    /// Where to cut a span so that its tail is as long as possible but costs no more than `budget`.
    /// At least the first task stays before the cut.
    pub fn cut_tail(&self, span: Span, budget: u64, mean: u64) -> u32 {
        let (mut lo, mut hi) = (span.lo + 1, span.hi);
        while lo < hi {
            let middle = lo + (hi - lo) / 2;
            let tail = Span {
                lo: middle,
                hi: span.hi,
            };
            if self.cost(tail, mean) <= budget {
                hi = middle;
            } else {
                lo = middle + 1;
            }
        }
        lo
    }

    /// Whether the slot directly before a span belongs to the same run.
    pub fn joins(&self, slot: u32, span: Span) -> bool {
        slot + 1 == span.lo && (self.sequential || self.group(slot) == self.group(span.lo))
    }
}
