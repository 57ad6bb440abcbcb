//! Evens out lanes that were dealt run by run.
//!
//! Runs are coarse: the last that is dealt may cost as much as a tenth of a worker's share. Moving the
//! end of a run, and then single tasks, from the longest lane to the shortest is a local search for a shorter
//! makespan (R. L. Graham's bound holds before, and nothing here makes the longest lane longer).

use std::collections::VecDeque;

use super::layout::{Layout, Span};

/// Lanes that differ by less than this part of the mean lane are even.
const EVEN_PART: u64 = 200;

/// Moves at most, for each lane: each parts a group once more, and a group that is parted may have its fixtures
/// set up twice.
const MOVES: usize = 4;

/// Moves work from long lanes to short ones, where `least` nanoseconds are worth it.
pub(super) fn level(layout: &Layout, lanes: &mut [VecDeque<Span>], mean: u64, least: u64) {
    let cost = |lane: &VecDeque<Span>| {
        (lane.iter())
            .map(|&span| layout.cost(span, mean))
            .sum::<u64>()
    };
    let mut costs: Vec<u64> = lanes.iter().map(cost).collect();
    let share = costs.iter().sum::<u64>() / costs.len().max(1) as u64;
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
        let tail = tail(layout, &lanes[longest], difference / 2, mean);
        let single = single(layout, &lanes[longest], difference / 2, mean);
        let off = |span: &Span| layout.cost(*span, mean).abs_diff(difference / 2);
        let Some(moved) = [tail, single].into_iter().flatten().min_by_key(off) else {
            return;
        };
        let gain = layout.cost(moved, mean);
        if gain == 0 || gain >= difference {
            return;
        }
        take(&mut lanes[longest], moved);
        lanes[shortest].push_back(moved);
        costs[longest] -= gain;
        costs[shortest] += gain;
    }
}

/// The end of the last run that can be parted, of at most that cost.
fn tail(layout: &Layout, lane: &VecDeque<Span>, budget: u64, mean: u64) -> Option<Span> {
    let span = *lane.iter().rev().find(|span| span.len() > 1)?;
    let lo = layout.cut_tail(span, budget, mean);
    (lo < span.hi).then_some(Span { lo, hi: span.hi })
}

/// The task of which the cost is nearest to that.
fn single(layout: &Layout, lane: &VecDeque<Span>, wanted: u64, mean: u64) -> Option<Span> {
    lane.iter()
        .rev()
        .flat_map(|span| (span.lo..span.hi).rev())
        .map(|lo| Span { lo, hi: lo + 1 })
        .min_by_key(|&task| layout.cost(task, mean).abs_diff(wanted))
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
