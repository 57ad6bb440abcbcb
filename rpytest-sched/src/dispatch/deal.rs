//! The plan that a dispatcher starts from: a lane of runs for each worker.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use super::layout::{Layout, Span};
use super::level::{Owed, level};
use super::policy::{Grouping, Order, Policy};
use crate::lpt::Machines;
use crate::pack::{Cuts, Packing, Piece, Suite, improve};
use crate::task::{GroupId, Task, nanos};

/// A task is long, and worth starting early on its own, when it costs at least this part of a worker's
/// fair share.
const LONG_PART: u64 = 20;

/// A group is kept together, long tasks and all, when it costs at most this part of a worker's fair share.
const SMALL_PART: u64 = 4;

/// A layout with more parts, or lanes other than LPT's, must be shorter by this part: estimates are no better.
const WORTH_IT: u64 = 200;

/// Steps that are searched for better lanes at most.
const EFFORT: u64 = 50_000;

/// How far groups are taken apart from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parting {
    /// Not at all.
    Together,
    /// Those beyond one share are cut into even pieces.
    Cut,
    /// So they are, and long tasks are parted from the others.
    Parted,
}

/// A run to be given to a lane.
struct Unit {
    span: Span,
    /// Nanoseconds of its longest task when that one is long, otherwise none.
    long: u64,
    cost: u64,
}

/// Lays the tasks out and deals the runs over `lanes` lanes. If there is one more, it is shared by all.
pub(super) fn plan(
    tasks: &[Task],
    policy: &Policy,
    lanes: usize,
    prior: u64,
) -> (Layout, Vec<VecDeque<Span>>) {
    if lanes <= 1 || policy.grouping == Grouping::Each {
        let whole = Span {
            lo: 0,
            hi: tasks.len() as u32,
        };
        let layout = Layout::new((0..whole.hi).collect(), tasks, policy, true);
        let lane = (whole.len() > 0).then_some(whole).into_iter().collect();
        return (layout, vec![lane]);
    }
    let ways: &[Parting] = if policy.grouping == Grouping::Whole {
        &[Parting::Together]
    } else if policy.group_costs.values().all(|&cost| nanos(cost) == 0) {
        &[Parting::Parted]
    } else {
        &[Parting::Together, Parting::Cut, Parting::Parted]
    };
    let groups = by_group(tasks);
    let mut best: Option<(u64, Layout, Vec<VecDeque<Span>>)> = None;
    for &parting in ways {
        let (layout, dealt) = arrange(tasks, &groups, policy, lanes, prior, parting);
        let costs = dealt.iter().map(|lane| Owed::cost(&layout, lane, prior));
        let longest = costs.max().unwrap_or(0);
        let shorter = best
            .as_ref()
            .is_none_or(|(least, ..)| longest.saturating_add(least / WORTH_IT) < *least);
        if shorter {
            best = Some((longest, layout, dealt));
        }
    }
    match best {
        Some((_, layout, dealt)) => (layout, dealt),
        None => (Layout::new(Vec::new(), tasks, policy, true), Vec::new()),
    }
}

/// One way to lay the tasks out and to deal the runs.
fn arrange(
    tasks: &[Task],
    groups: &[Vec<u32>],
    policy: &Policy,
    lanes: usize,
    prior: u64,
    parting: Parting,
) -> (Layout, Vec<VecDeque<Span>>) {
    let overhead = nanos(policy.overhead);
    let split = policy.grouping == Grouping::Splittable;
    let cost_of = |index: u32| {
        tasks[index as usize]
            .cost_nanos()
            .map_or(prior, |cost| cost.saturating_add(overhead))
    };
    let count = tasks.len() as u32;
    let total = (0..count).fold(0u64, |sum, index| sum.saturating_add(cost_of(index)));
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
    for members in groups {
        let lo = order.len() as u32;
        let cost = (members.iter()).fold(0u64, |sum, &index| sum.saturating_add(cost_of(index)));
        let parted = parting == Parting::Parted && cost > share / SMALL_PART;
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
    let layout = Layout::new(order, tasks, policy, false);

    let mut units = Vec::with_capacity(spans.len());
    for (span, long) in spans {
        let begin = layout.begin(layout.group(span.lo));
        let pieces = if split && parting != Parting::Together && begin < share {
            cut_evenly(&layout, span, share - begin, prior)
        } else {
            vec![span]
        };
        for (nth, piece) in pieces.into_iter().enumerate() {
            let long = if nth == 0 { long } else { 0 };
            units.push(Unit {
                span: piece,
                long,
                cost: layout.cost(piece, prior).saturating_add(begin),
            });
        }
    }
    if policy.order == Order::Lpt {
        units.sort_by_key(|unit| (Reverse(unit.long), Reverse(unit.cost), unit.span.lo));
    }
    let unknown = layout.sums(Span { lo: 0, hi: count }).1;
    // Lanes that are made of guesses are no better than any others.
    if policy.grouping == Grouping::Whole && policy.order == Order::Lpt && unknown > count / 2 {
        return (layout, share_out(&units, lanes));
    }
    let whole: Vec<Span> = units.iter().map(|unit| unit.span).collect();
    let mut dealt = deal(units, lanes);
    if policy.order == Order::Lpt {
        if parting == Parting::Together {
            exchange(&layout, &whole, &mut dealt, prior);
        }
        if split {
            level(&layout, &mut dealt, prior, nanos(policy.horizon) / 4);
            if unknown > 0 {
                for lane in &mut dealt {
                    explore(&layout, lane, prior, |slot| {
                        is_long(layout.task(slot) as u32)
                    });
                }
            }
        }
    }
    if !layout.is_free() {
        for lane in &mut dealt {
            rejoin(&layout, lane);
        }
    }
    (layout, dealt)
}

/// Deals whole groups, given the longest first, anew if that makes the longest lane shorter.
fn exchange(layout: &Layout, whole: &[Span], dealt: &mut [VecDeque<Span>], mean: u64) {
    let (mut known, mut guessed) = (0u64, 0u64);
    let mut suite = Suite::new(whole.len());
    for &span in whole {
        let sums = layout.sums(span);
        known = known.saturating_add(sums.0);
        guessed = guessed.saturating_add(mean.saturating_mul(u64::from(sums.1)));
        suite.push(
            layout.begin(layout.group(span.lo)),
            [layout.cost(span, mean)],
        );
    }
    // What is mostly guessed is not worth a search.
    if guessed > known / 4 {
        return;
    }
    let pieces = suite.whole();
    let base = Packing::lpt(&suite, &pieces, dealt.len());
    let (before, bound) = (base.makespan(), suite.bound_whole(dealt.len()));
    let (packing, _) = improve(&suite, base, bound, EFFORT, Cuts::Never);
    if packing.makespan().saturating_add(before / WORTH_IT) > before {
        return;
    }
    for (lane, mut pieces) in dealt.iter_mut().zip(packing.machines) {
        pieces.sort_unstable_by_key(|piece: &Piece| piece.lo);
        *lane = pieces
            .iter()
            .map(|piece| whole[piece.lo as usize])
            .collect();
    }
}

/// Puts runs of a group that costs something next to each other, so that it is begun once.
fn rejoin(layout: &Layout, lane: &mut VecDeque<Span>) {
    let mut first: HashMap<GroupId, usize> = HashMap::new();
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(lane.len());
    for (at, span) in lane.iter().enumerate() {
        let group = layout.group(span.lo);
        let place = match layout.begin(group) {
            0 => at,
            _ => *first.entry(group).or_insert(at),
        };
        places.push((place, at));
    }
    places.sort_unstable();
    *lane = places.into_iter().map(|(_, at)| lane[at]).collect();
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

/// A run for each lane, and behind them a lane that all share, from the tail of which they take the others in order.
fn share_out(units: &[Unit], lanes: usize) -> Vec<VecDeque<Span>> {
    let (first, others) = units.split_at(lanes.min(units.len()));
    let mut dealt = vec![VecDeque::new(); lanes];
    for (lane, unit) in dealt.iter_mut().zip(first) {
        lane.push_back(unit.span);
    }
    dealt.push(others.iter().rev().map(|unit| unit.span).collect());
    dealt
}

/// Puts runs of unknown cost before those of which all is known but that no task is long, the smallest first: so that many of them
/// are known in time, and that what is unknown to the end is a run that can be parted among many.
fn explore(layout: &Layout, lane: &mut VecDeque<Span>, mean: u64, is_long: impl Fn(u32) -> bool) {
    let place = |span: &Span| {
        let unknown = 2 * layout.sums(*span).1 > span.len();
        if unknown {
            (1, layout.cost(*span, mean))
        } else if (span.lo..span.hi).any(&is_long) {
            (0, 0)
        } else {
            (2, 0)
        }
    };
    lane.make_contiguous().sort_by_key(place);
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
