//! Evens out lanes that were dealt run by run.
//!
//! Runs are coarse: the last that is dealt may cost as much as a tenth of a worker's share. Moving the
//! end of a run, and then single tasks, from the longest lane to the shortest is a local search for a shorter
//! makespan (R. L. Graham's bound holds before, and nothing here makes the longest lane longer).

use std::collections::{HashMap, VecDeque};

use super::layout::{Layout, Span};
use crate::task::GroupId;

/// Lanes that differ by less than this part of the mean lane are even.
const EVEN_PART: u64 = 200;

/// Moves at most, for each lane: each parts a group once more, and a group that is parted may have its fixtures
/// set up twice.
const MOVES: usize = 4;

/// What lanes pay to begin groups; nothing is counted where no group costs anything.
pub(super) struct Owed(HashMap<GroupId, u32>);

impl Owed {
    fn new(layout: &Layout, lane: &VecDeque<Span>) -> Self {
        let mut runs = HashMap::new();
        for span in lane.iter().filter(|_| !layout.is_free()) {
            *runs.entry(layout.group(span.lo)).or_default() += 1;
        }
        Self(runs)
    }

    /// Nanoseconds of a lane, with each of its groups begun once.
    pub fn cost(layout: &Layout, lane: &VecDeque<Span>, mean: u64) -> u64 {
        let work = (lane.iter()).fold(0u64, |sum, &span| {
            sum.saturating_add(layout.cost(span, mean))
        });
        (Self::new(layout, lane).0.keys())
            .fold(work, |sum, &group| sum.saturating_add(layout.begin(group)))
    }

    /// What a lane pays to begin a group that it may have.
    fn extra(&self, layout: &Layout, group: GroupId) -> u64 {
        if self.0.contains_key(&group) {
            0
        } else {
            layout.begin(group)
        }
    }
}

/// Moves work from long lanes to short ones, where `least` nanoseconds are worth it.
pub(super) fn level(layout: &Layout, lanes: &mut [VecDeque<Span>], mean: u64, least: u64) {
    let cost = |lane: &VecDeque<Span>| Owed::cost(layout, lane, mean);
    let mut costs: Vec<u64> = lanes.iter().map(cost).collect();
    let sum = costs
        .iter()
        .fold(0u64, |sum, &cost| sum.saturating_add(cost));
    let share = sum / costs.len().max(1) as u64;
    let even = (share / EVEN_PART).max(least);
    for _ in 0..MOVES * lanes.len() {
        let Some(longest) = (0..costs.len()).rev().max_by_key(|&lane| costs[lane]) else {
            return;
        };
        let Some(shortest) = (0..costs.len()).min_by_key(|&lane| costs[lane]) else {
            return;
        };
        let difference = costs[longest] - costs[shortest];
        if difference <= even {
            return;
        }
        let there = Owed::new(layout, &lanes[shortest]);
        // To begin a group once more is borne by both.
        let wanted = |span: Span| {
            let begin = there.extra(layout, layout.group(span.lo));
            difference.saturating_sub(begin) / 2
        };
        let tail = tail(layout, &lanes[longest], wanted, mean);
        let single = single(layout, &lanes[longest], wanted, mean);
        let off = |span: &Span| layout.cost(*span, mean).abs_diff(wanted(*span));
        let Some(moved) = [tail, single].into_iter().flatten().min_by_key(off) else {
            return;
        };
        let work = layout.cost(moved, mean);
        let gain = work.saturating_add(there.extra(layout, layout.group(moved.lo)));
        if work == 0 || gain >= difference {
            return;
        }
        take(&mut lanes[longest], moved);
        lanes[shortest].push_back(moved);
        costs[longest] = if layout.is_free() {
            costs[longest] - work
        } else {
            // The group may have gone with its last run.
            cost(&lanes[longest])
        };
        costs[shortest] += gain;
    }
}

/// The end of the last run that can be parted, of at most the cost that is wanted.
fn tail(
    layout: &Layout,
    lane: &VecDeque<Span>,
    wanted: impl Fn(Span) -> u64,
    mean: u64,
) -> Option<Span> {
    let span = *lane.iter().rev().find(|span| span.len() > 1)?;
    let lo = layout.cut_tail(span, wanted(span), mean);
    (lo < span.hi).then_some(Span { lo, hi: span.hi })
}

/// The task of which the cost is nearest to what is wanted.
fn single(
    layout: &Layout,
    lane: &VecDeque<Span>,
    wanted: impl Fn(Span) -> u64,
    mean: u64,
) -> Option<Span> {
    (lane.iter().rev())
        .flat_map(|&span| {
            let wanted = wanted(span);
            (span.lo..span.hi).rev().map(move |lo| (lo, wanted))
        })
        .map(|(lo, wanted)| (Span { lo, hi: lo + 1 }, wanted))
        .min_by_key(|&(task, wanted)| layout.cost(task, mean).abs_diff(wanted))
        .map(|(task, _)| task)
}

/// Removes a part of one of a lane's runs.
fn take(lane: &mut VecDeque<Span>, part: Span) {
    let Some(at) = lane
        .iter()
        .position(|span| span.lo <= part.lo && part.hi <= span.hi)
    else {
        return;
    };
    let span = lane[at];
    let before = Span {
        lo: span.lo,
        hi: part.lo,
    };
    let after = Span {
        lo: part.hi,
        hi: span.hi,
    };
    lane.remove(at);
    for rest in [after, before] {
        if rest.len() > 0 {
            lane.insert(at, rest);
        }
    }
}
