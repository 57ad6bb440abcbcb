//! The work that no worker knows of yet: one lane of runs for each worker, and how one takes from another.

use std::collections::VecDeque;

use super::begins::Begins;
use super::layout::{Layout, Span};
use super::policy::Grouping;
use crate::task::GroupId;

/// To begin a group once more counts by this part more where it is to be decided whether that pays.
const DOUBT: u64 = 4;

/// What a worker is to do after what it knows, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    spans: VecDeque<Span>,
    /// Index of the worker that draws from it; none before it came or after it ended.
    pub owner: Option<usize>,
    /// Whether it has no owner because none came yet or the last one died, so that a new worker should have it.
    pub orphan: bool,
    /// Group of the last task that the owner was given.
    begun: Option<GroupId>,
    /// What its owner has still to pay to begin the groups in it.
    pub begins: Begins,
    /// Which copy of the tasks it holds; 0 unless every worker runs every task.
    pub row: usize,
    tasks: u32,
    known: u64,
    unknown: u32,
    /// The gauge of the first run, and how many of its tasks are of unknown cost.
    front: (u32, u32),
}

impl Lane {
    pub fn is_empty(&self) -> bool {
        self.tasks == 0
    }

    /// Nanoseconds of work left, when the groups in it are to be begun, and an unknown task costs `mean`, but for those of the
    /// first run: only of a group that is begun is something learned.
    pub fn cost(&self, layout: &Layout, mean: u64) -> u64 {
        let (gauge, first) = self.front;
        let each = match first {
            0 => mean,
            _ => layout.estimate(gauge, mean),
        };
        self.known
            .saturating_add(each.saturating_mul(u64::from(first)))
            .saturating_add(mean.saturating_mul(u64::from(self.unknown - first)))
            .saturating_add(self.begins.sum())
    }

    fn count(&mut self, layout: &Layout, span: Span) {
        let (known, unknown) = layout.sums(span);
        self.tasks += span.len();
        self.known = self.known.saturating_add(known);
        self.unknown += unknown;
    }

    fn discount(&mut self, layout: &Layout, span: Span) {
        let (known, unknown) = layout.sums(span);
        self.tasks -= span.len();
        self.known = self.known.saturating_sub(known);
        self.unknown -= unknown;
    }

    /// Looks at the first run, which is another one than it was.
    fn face(&mut self, layout: &Layout) {
        self.front = match self.spans.front() {
            Some(&span) if self.unknown > 0 => (layout.gauge(span.lo), layout.sums(span).1),
            _ => (0, 0),
        };
    }

    fn push_back(&mut self, layout: &Layout, span: Span) {
        self.count(layout, span);
        self.begins.enter(layout, span);
        self.spans.push_back(span);
        self.face(layout);
    }

    fn push_front(&mut self, layout: &Layout, span: Span) {
        self.count(layout, span);
        self.begins.enter(layout, span);
        self.spans.push_front(span);
        self.face(layout);
    }

    /// Puts one task back at the head, joined to its run if that is still there.
    fn unread(&mut self, layout: &Layout, slot: u32) {
        let span = Span::one(slot);
        match self.spans.front_mut() {
            Some(front) if layout.joins(slot, *front) => {
                self.begins.leave(layout, *front);
                front.lo = slot;
                self.begins.enter(layout, *front);
                self.count(layout, span);
                self.face(layout);
            }
            _ => self.push_front(layout, span),
        }
    }

    /// Takes the next task, with what its owner pays to begin the group.
    fn pop(&mut self, layout: &Layout) -> Option<(u32, u64)> {
        let front = self.spans.front_mut()?;
        let slot = front.lo;
        self.begins.leave(layout, *front);
        front.lo += 1;
        self.begins.enter(layout, *front);
        let over = front.len() == 0;
        if over {
            self.spans.pop_front();
        }
        let unknown = self.unknown;
        self.discount(layout, Span::one(slot));
        if over {
            self.face(layout);
        } else {
            self.front.1 -= unknown - self.unknown;
        }
        let group = layout.group(slot);
        self.begun = Some(group);
        Some((slot, self.begins.begin(layout, group)))
    }
}

/// All lanes, and the rule by which they may take from each other.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub layout: Layout,
    pub lanes: Vec<Lane>,
    /// The lane that all take from, run by run, before they take from each other.
    shared: Option<usize>,
    grouping: Grouping,
    /// Tasks in all lanes.
    left: u32,
    /// Known nanoseconds of these, and how many have no known cost.
    sums: (u64, u32),
    /// Tasks in lanes without an owner.
    unowned: u32,
}

impl Pool {
    pub fn new(
        layout: Layout,
        dealt: Vec<VecDeque<Span>>,
        shared: Option<usize>,
        grouping: Grouping,
    ) -> Self {
        let mut pool = Self {
            layout,
            lanes: Vec::new(),
            shared,
            grouping,
            left: 0,
            sums: (0, 0),
            unowned: 0,
        };
        for spans in dealt {
            pool.add_lane(spans, 0);
        }
        if let Some(shared) = shared {
            pool.lanes[shared].orphan = false;
        }
        pool
    }

    /// Adds a lane without an owner and returns its index.
    pub fn add_lane(&mut self, spans: impl IntoIterator<Item = Span>, row: usize) -> usize {
        let mut lane = Lane {
            row,
            orphan: true,
            ..Lane::default()
        };
        for span in spans {
            lane.push_back(&self.layout, span);
        }
        self.left += lane.tasks;
        self.sums.0 = self.sums.0.saturating_add(lane.known);
        self.sums.1 += lane.unknown;
        self.unowned += lane.tasks;
        self.lanes.push(lane);
        self.lanes.len() - 1
    }

    /// Tasks that no worker knows of.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// Nanoseconds of these, when an unknown task costs `mean`, without what it costs to begin groups.
    pub fn work(&self, mean: u64) -> u64 {
        let (known, unknown) = self.sums;
        known.saturating_add(mean.saturating_mul(u64::from(unknown)))
    }

    /// Tasks that no worker knows of and none is meant to get.
    pub fn unowned(&self) -> u32 {
        self.unowned
    }

    /// The lane that most needs an owner, by the work in it; the first of equals.
    pub fn vacant(&self, mean: u64) -> Option<usize> {
        (0..self.lanes.len())
            .rev()
            .filter(|&lane| self.lanes[lane].owner.is_none() && self.lanes[lane].orphan)
            .max_by_key(|&lane| {
                (
                    self.lanes[lane].cost(&self.layout, mean),
                    self.lanes[lane].tasks,
                )
            })
    }

    pub fn own(&mut self, lane: usize, worker: usize) {
        self.lanes[lane].owner = Some(worker);
        self.lanes[lane].orphan = false;
        self.unowned -= self.lanes[lane].tasks;
    }

    /// The owner will draw no more from its lane; whether that was not foreseen.
    pub fn disown(&mut self, lane: usize, died: bool) {
        let lane = &mut self.lanes[lane];
        if lane.owner.take().is_some() {
            self.unowned += lane.tasks;
            lane.orphan = died;
        }
        lane.begun = None;
        lane.begins.forget(&self.layout);
    }

    /// The cost of the next task of a lane, with beginning its group; of the rest of its group, when that is bound to one worker and
    /// not begun.
    pub fn head_cost(&self, lane: usize, mean: u64) -> Option<u64> {
        let lane = &self.lanes[lane];
        let span = *lane.spans.front()?;
        let bound = self.grouping == Grouping::Whole
            && !self.layout.sequential
            && lane.begun != Some(self.layout.group(span.lo));
        let cost = if bound {
            self.layout.cost(span, mean)
        } else {
            self.layout.cost(Span::one(span.lo), mean)
        };
        let begin = lane.begins.owes(&self.layout, self.layout.group(span.lo));
        Some(cost.saturating_add(begin))
    }

    /// Takes the next task of a lane, with what its owner pays to begin the group.
    pub fn pop(&mut self, lane: usize) -> Option<(u32, u64)> {
        let lane = &mut self.lanes[lane];
        let (known, unknown) = (lane.known, lane.unknown);
        let next = lane.pop(&self.layout)?;
        self.left -= 1;
        self.sums.0 = self.sums.0.saturating_sub(known - lane.known);
        self.sums.1 -= unknown - lane.unknown;
        if lane.owner.is_none() {
            self.unowned -= 1;
        }
        Some(next)
    }

    /// Puts tasks back at the head of a lane, such that the first is the next.
    pub fn unread(&mut self, lane: usize, slots: impl DoubleEndedIterator<Item = u32>) {
        let lane = &mut self.lanes[lane];
        for slot in slots.rev() {
            lane.unread(&self.layout, slot);
            let (known, unknown) = self.layout.sums(Span::one(slot));
            self.left += 1;
            self.sums.0 = self.sums.0.saturating_add(known);
            self.sums.1 += unknown;
            if lane.owner.is_none() {
                self.unowned += 1;
                lane.orphan = true;
            }
        }
    }

    /// Empties all lanes.
    pub fn clear(&mut self) {
        for lane in &mut self.lanes {
            lane.spans.clear();
            lane.begins.clear();
            (lane.tasks, lane.known, lane.unknown, lane.front) = (0, 0, 0, (0, 0));
        }
        (self.left, self.sums, self.unowned) = (0, (0, 0), 0);
    }

    /// What the least that can be taken from a lane would cost the owner of another, with beginning its group there; none
    /// if nothing may be taken.
    pub fn least(&self, lane: usize, to: Option<usize>, mean: u64) -> Option<u64> {
        let (part, cost) = self.least_part(lane, mean)?;
        let extra = to.map_or(0, |to| self.lanes[to].begins.extra(&self.layout, part));
        // A group that is begun twice costs time for certain, and gains some only by estimate.
        let doubt = match self.grouping {
            Grouping::Splittable => extra / DOUBT,
            _ => 0,
        };
        Some(cost.saturating_add(extra).saturating_add(doubt))
    }

    /// The least that another worker can take from a lane, and its cost.
    fn least_part(&self, lane: usize, mean: u64) -> Option<(Span, u64)> {
        let lane = &self.lanes[lane];
        let back = *lane.spans.back()?;
        match self.grouping {
            Grouping::Splittable => {
                let lo = back.hi - 1;
                Some((Span { lo, ..back }, self.layout.last_cost(back, mean)))
            }
            Grouping::Each => None,
            Grouping::Whole => {
                let begun = lane.begun == Some(self.layout.group(back.lo));
                let bound = lane.owner.is_some() && (begun || self.layout.sequential);
                (!bound).then(|| (back, self.layout.cost(back, mean)))
            }
        }
    }

    /// Moves the next run of the shared lane.
    fn share(&mut self, from: usize, to: usize) {
        let lane = &mut self.lanes[from];
        let Some(run) = lane.spans.pop_back() else {
            return;
        };
        lane.begins.leave(&self.layout, run);
        lane.discount(&self.layout, run);
        lane.face(&self.layout);
        self.lanes[to].push_front(&self.layout, run);
        if self.lanes[to].owner.is_some() {
            self.unowned -= run.len();
        }
    }

    /// Moves work of about `target` nanoseconds, at the least one task or group, from the tail of one
    /// lane to the empty lane `to`. Of the shared lane it is the next run.
    ///
    /// Beginning a group on one more lane makes the two together longer, and each has to bear half of that.
    pub fn shift(&mut self, from: usize, to: usize, target: u64, mean: u64) {
        if self.shared == Some(from) {
            self.share(from, to);
            return;
        }
        let mut moved = 0u64;
        let before = self.lanes[from].tasks;
        while self.least_part(from, mean).is_some() {
            let Some(back) = self.lanes[from].spans.pop_back() else {
                break;
            };
            let extra = self.lanes[to].begins.extra(&self.layout, back);
            let lane = &mut self.lanes[from];
            lane.begins.leave(&self.layout, back);
            let cost = self.layout.cost(back, mean);
            let room = target.saturating_sub(moved).saturating_sub(extra / 2);
            let first = lane.tasks == before;
            let mut part = back;
            if cost > room {
                if self.grouping == Grouping::Splittable && back.len() > 1 {
                    let cut = self.layout.cut_tail(back, room, mean);
                    part.lo = if first { cut.min(back.hi - 1) } else { cut };
                } else if !first {
                    part.lo = back.hi;
                }
                if part.lo > back.lo {
                    let rest = Span {
                        lo: back.lo,
                        hi: part.lo,
                    };
                    lane.begins.enter(&self.layout, rest);
                    lane.spans.push_back(rest);
                }
            }
            if part.len() == 0 {
                break;
            }
            lane.discount(&self.layout, part);
            let extra = self.lanes[to].begins.extra(&self.layout, part);
            self.lanes[to].push_front(&self.layout, part);
            let cost = self.layout.cost(part, mean);
            moved = moved.saturating_add(cost).saturating_add(extra);
            if part != back {
                break;
            }
        }
        self.lanes[from].face(&self.layout);
        let count = before - self.lanes[from].tasks;
        if self.lanes[from].owner.is_none() {
            self.unowned -= count;
        }
        if self.lanes[to].owner.is_none() {
            self.unowned += count;
        }
    }
}
