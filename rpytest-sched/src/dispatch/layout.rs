//! The plan that a dispatcher starts from: tasks laid out in runs, and a lane of runs for each worker.
//!
//! Tasks are laid out in one array of *slots* such that what should run together is adjacent. A run is
//! a span of slots; sums over spans are differences of prefix sums, so that cutting a span at a given
//! cost is a binary search.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use super::level::level;
use super::policy::{Grouping, Order, Policy};
use crate::lpt::Machines;
use crate::task::{GroupId, Task, nanos};

/// A task is long, and worth starting early on its own, when it costs at least this part of a worker's
/// fair share.
const LONG_PART: u64 = 20;

/// A group is kept together, long tasks and all, when it costs at most this part of a worker's fair share.
const SMALL_PART: u64 = 4;

/// Adjacent slots, `lo` included and `hi` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub lo: u32,
    pub hi: u32,
}

impl Span {
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
    /// Nanoseconds of known cost, overhead included, before each slot.
    known: Vec<u64>,
    /// How many tasks of unknown cost come before each slot.
    unknown: Vec<u32>,
    /// Whether slots are in collection order, whatever the groups.
    pub sequential: bool,
}

impl Layout {
    fn new(order: Vec<u32>, tasks: &[Task], overhead: u64, sequential: bool) -> Self {
        let mut layout = Self {
            groups: order.iter().map(|&i| tasks[i as usize].group).collect(),
            known: Vec::with_capacity(order.len() + 1),
            unknown: Vec::with_capacity(order.len() + 1),
            slots: order,
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
        layout
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

    /// Nanoseconds of a span, when an unknown task costs `mean`.
    pub fn cost(&self, span: Span, mean: u64) -> u64 {
        let (known, unknown) = self.sums(span);
        known.saturating_add(mean.saturating_mul(u64::from(unknown)))
    }

    /// Nanoseconds of the last task of a span.
    pub fn last_cost(&self, span: Span, mean: u64) -> u64 {
        self.cost(
            Span {
                lo: span.hi - 1,
                hi: span.hi,
            },
            mean,
        )
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

/// A run to be given to a lane.
struct Unit {
    span: Span,
    /// Nanoseconds of its longest task when that one is long, otherwise none.
    long: u64,
    cost: u64,
}

/// Lays the tasks out and deals the runs over `lanes` lanes.
pub(super) fn plan(
    tasks: &[Task],
    policy: &Policy,
    lanes: usize,
    prior: u64,
) -> (Layout, Vec<VecDeque<Span>>) {
    let overhead = nanos(policy.overhead);
    let whole = Span {
        lo: 0,
        hi: tasks.len() as u32,
    };
    if lanes <= 1 || policy.grouping == Grouping::Each {
        let layout = Layout::new((0..whole.hi).collect(), tasks, overhead, true);
        let lane = (whole.len() > 0).then_some(whole).into_iter().collect();
        return (layout, vec![lane]);
    }
    let split = policy.grouping == Grouping::Splittable;
    let cost_of = |index: u32| {
        tasks[index as usize]
            .cost_nanos()
            .map_or(prior, |cost| cost.saturating_add(overhead))
    };
    let total = (0..whole.hi).fold(0u64, |sum, index| sum.saturating_add(cost_of(index)));
    let share = total.div_ceil(lanes as u64).max(1);
    let long_from = (share / LONG_PART).max(nanos(policy.horizon));
    let is_long = |index: u32| {
        split
            && policy.order == Order::Lpt
            && tasks[index as usize].cost_nanos().is_some()
            && cost_of(index) >= long_from
    };

    let mut order = Vec::with_capacity(tasks.len());
    let mut spans = Vec::new();
    for members in by_group(tasks) {
        let lo = order.len() as u32;
        let cost = (members.iter()).fold(0u64, |sum, &index| sum.saturating_add(cost_of(index)));
        let parted = cost > share / SMALL_PART;
        // The first test of a group pays for its fixtures, so that it looks long and yet must not be
        // parted from the others.
        let (alone, together): (Vec<u32>, Vec<u32>) =
            (members.iter().skip(1)).partition(|&&index| parted && is_long(index));
        let longest = (members[..1].iter().chain(&together))
            .filter(|&&index| is_long(index))
            .map(|&index| cost_of(index));
        let longest = longest.max().unwrap_or(0);
        order.push(members[0]);
        order.extend(together);
        let hi = order.len() as u32;
        spans.push((Span { lo, hi }, longest));
        for index in alone {
            let lo = order.len() as u32;
            order.push(index);
            spans.push((Span { lo, hi: lo + 1 }, cost_of(index)));
        }
    }
    let layout = Layout::new(order, tasks, overhead, false);

    let mut units = Vec::with_capacity(spans.len());
    for (span, long) in spans {
        let pieces = if split {
            cut_evenly(&layout, span, share, prior)
        } else {
            vec![span]
        };
        for (nth, piece) in pieces.into_iter().enumerate() {
            let long = if nth == 0 { long } else { 0 };
            units.push(Unit {
                span: piece,
                long,
                cost: layout.cost(piece, prior),
            });
        }
    }
    if policy.order == Order::Lpt {
        units.sort_by_key(|unit| (Reverse(unit.long), Reverse(unit.cost), unit.span.lo));
    }
    let mut dealt = deal(units, lanes);
    if split && policy.order == Order::Lpt {
        level(&layout, &mut dealt, prior, nanos(policy.horizon) / 4);
    }
    (layout, dealt)
}

/// Indices of the tasks of each group; groups by their first task, tasks in collection order.
fn by_group(tasks: &[Task]) -> Vec<Vec<u32>> {
    let mut place: HashMap<GroupId, usize> = HashMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        let nth = *place.entry(task.group).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[nth].push(index as u32);
    }
    groups
}

/// Cuts a span that is more than a worker's share into the fewest pieces of about equal cost that are not.
fn cut_evenly(layout: &Layout, span: Span, share: u64, mean: u64) -> Vec<Span> {
    let cost = layout.cost(span, mean);
    let pieces = cost.div_ceil(share).clamp(1, u64::from(span.len()));
    let mut cuts = Vec::new();
    let mut rest = span;
    for left in (1..pieces).rev() {
        if rest.len() < 2 {
            break;
        }
        let rest_cost = layout.cost(rest, mean);
        let tail = (u128::from(rest_cost) * u128::from(left) / u128::from(left + 1)) as u64;
        let at = layout.cut_tail(rest, tail, mean).min(rest.hi - 1);
        cuts.push(Span {
            lo: rest.lo,
            hi: at,
        });
        rest.lo = at;
    }
    cuts.push(rest);
    cuts
}

/// Gives each run, in order, to the lane that has the least.
fn deal(units: Vec<Unit>, lanes: usize) -> Vec<VecDeque<Span>> {
    let mut dealt = vec![VecDeque::new(); lanes];
    let mut machines = Machines::new(lanes);
    for unit in units {
        dealt[machines.give(unit.cost)].push_back(unit.span);
    }
    dealt
}
