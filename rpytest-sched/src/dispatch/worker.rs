//! What is known of one worker.

use std::collections::{HashMap, VecDeque};

use super::layout::{Layout, Span};
use crate::task::WorkerId;

/// Whether a worker can still be given work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It can.
    Open,
    /// It was told to finish, runs what it knows, and ends.
    Closed,
    /// It has ended.
    Gone,
}

#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub id: WorkerId,
    pub life: Life,
    /// Its lane, once there is a plan.
    pub lane: Option<usize>,
    /// Which copy of the tasks it works on.
    pub row: usize,
    /// Slots that it was given and has not begun, in order.
    pub queue: VecDeque<u32>,
    queued_known: u64,
    pub queued_unknown: u32,
    /// The gauges of these, each with how many follow each other.
    unknown: VecDeque<(u32, u32)>,
    /// What slots in the queue cost beside their own time, as they begin a group.
    begins: HashMap<u32, u64>,
    /// The slot that it runs.
    pub running: Option<u32>,
    /// Nanoseconds of that one, if they are known, and by what gauge they are guessed, if not.
    running_cost: (u64, Option<u32>),
    /// What that one costs to begin its group.
    pub running_begin: u64,
    /// Nanoseconds that it has worked, which is the dispatcher's only clock.
    pub spent: u64,
    /// The worker that was asked to give some of its queue back for this one.
    pub awaiting: Option<usize>,
    /// Whether this worker was asked to give some of its queue back, and has not answered.
    pub asked: bool,
    /// Whether it was asked and had nothing to give.
    pub declined: bool,
    /// The worker for which it was asked.
    pub lending: Option<usize>,
}

impl Worker {
    pub fn new(id: WorkerId, spent: u64) -> Self {
        Self {
            id,
            life: Life::Open,
            lane: None,
            row: 0,
            queue: VecDeque::new(),
            queued_known: 0,
            queued_unknown: 0,
            unknown: VecDeque::new(),
            begins: HashMap::new(),
            running: None,
            running_cost: (0, None),
            running_begin: 0,
            spent,
            awaiting: None,
            asked: false,
            declined: false,
            lending: None,
        }
    }

    /// How many tasks it knows and has not ended.
    pub fn known(&self) -> usize {
        self.queue.len() + usize::from(self.running.is_some())
    }

    /// Nanoseconds that wait in its queue.
    pub fn backlog(&self, layout: &Layout, mean: u64) -> u64 {
        let unknown = self.unknown.iter().map(|&(gauge, count)| {
            let each = layout.estimate(gauge, mean);
            each.saturating_mul(u64::from(count))
        });
        unknown.fold(self.queued_known, u64::saturating_add)
    }

    /// When it will have worked off what it knows, on the scale of `spent`.
    ///
    /// A task that has run longer than was thought is taken to need as long again.
    pub fn ready_at(&self, layout: &Layout, mean: u64, now: u64) -> u64 {
        let base = match self.running {
            None => self.spent,
            Some(_) => {
                let (known, gauge) = self.running_cost;
                let guess = gauge.map_or(0, |gauge| layout.estimate(gauge, mean));
                let expected = self
                    .spent
                    .saturating_add(known.saturating_add(guess))
                    .saturating_add(self.running_begin);
                if expected < now {
                    now.saturating_add(now - self.spent)
                } else {
                    expected
                }
            }
        };
        base.saturating_add(self.backlog(layout, mean))
    }

    /// Gives it a slot, for which it pays `begin` nanoseconds to begin the group.
    pub fn enqueue(&mut self, layout: &Layout, slot: u32, begin: u64) {
        let (known, unknown) = layout.sums(Span::one(slot));
        self.queued_known = (self.queued_known.saturating_add(known)).saturating_add(begin);
        if unknown > 0 {
            self.queued_unknown += 1;
            let gauge = layout.gauge(slot);
            match self.unknown.back_mut() {
                Some((last, count)) if *last == gauge => *count += 1,
                _ => self.unknown.push_back((gauge, 1)),
            }
        }
        if begin > 0 {
            self.begins.insert(slot, begin);
        }
        self.queue.push_back(slot);
    }

    /// Forgets what a slot, just taken from the queue, added to the backlog. Returns its known nanoseconds or the gauge by which
    /// they are guessed, and what it would have paid to begin its group.
    fn discount(&mut self, layout: &Layout, slot: u32) -> ((u64, Option<u32>), u64) {
        let (known, unknown) = layout.sums(Span::one(slot));
        let begin = if self.begins.is_empty() {
            0
        } else {
            self.begins.remove(&slot).unwrap_or(0)
        };
        self.queued_known = (self.queued_known.saturating_sub(known)).saturating_sub(begin);
        if unknown == 0 {
            return ((known, None), begin);
        }
        self.queued_unknown -= 1;
        let gauge = layout.gauge(slot);
        let mut runs = self.unknown.iter();
        if let Some(at) = runs.position(|&(other, _)| other == gauge) {
            self.unknown[at].1 -= 1;
            if self.unknown[at].1 == 0 {
                self.unknown.remove(at);
            }
        }
        ((known, Some(gauge)), begin)
    }

    /// Whether it would begin its group with a slot of its queue.
    pub fn begins_with(&self, slot: u32) -> bool {
        self.begins.contains_key(&slot)
    }

    /// Begins the next task.
    pub fn begin(&mut self, layout: &Layout) {
        self.running = self.queue.pop_front();
        if let Some(slot) = self.running {
            (self.running_cost, self.running_begin) = self.discount(layout, slot);
        }
    }

    /// Takes the slots that `taken` holds for out of the queue, in order.
    pub fn take(&mut self, layout: &Layout, taken: impl Fn(u32) -> bool) -> Vec<u32> {
        let (out, kept): (Vec<u32>, Vec<u32>) = self.queue.iter().partition(|&&slot| taken(slot));
        for &slot in &out {
            self.discount(layout, slot);
        }
        self.queue = kept.into();
        out
    }
}
