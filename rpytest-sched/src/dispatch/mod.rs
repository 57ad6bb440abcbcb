//! The online dispatcher: which worker is to run what next, as a state machine.
//!
//! [`Dispatcher`] neither waits nor sends. It is told what happened ([`started`](Dispatcher::started),
//! [`complete`](Dispatcher::complete), [`crash`](Dispatcher::crash), ...) and asked what to do
//! ([`next`](Dispatcher::next), [`revoke_for`](Dispatcher::revoke_for), [`finish_due`](Dispatcher::finish_due)).
//!
//! # The next item
//!
//! pytest tears fixtures down with the next item in view, so that a worker cannot begin an item before it
//! knows the one after it or that there is none. A worker that knows *k* items can therefore run *k - 1*
//! of them, and the last only when it is told to finish. For each open worker that asks, one of these holds:
//!
//! - `next` gave it enough that it knows two items, the running one included;
//! - `revoke_for` named a worker that gives some of its queue back, and the answer is on its way;
//! - `finish_due` is true: it is told to finish, runs what it knows and ends.
//!
//! # How work is chosen
//!
//! At the first `next` the groups are dealt over one *lane* for each worker by LPT (longest processing time
//! first; R. L. Graham, *Bounds on multiprocessing timing anomalies*, SIAM J. Appl. Math. 17, 1969). With
//! [`Grouping::Splittable`], a group of more than a quarter of a worker's fair share parts with its long tasks, those of at
//! least a twentieth (but not with its first, which may look long because it pays for fixtures). Long tasks, and groups
//! with such, are dealt before the others,
//! and a group beyond one share is cut into even pieces. A worker draws from its own lane: long tasks first,
//! then group by group, in collection order within a group. Its next item is thus what the plan wants
//! it to do next, and not merely the longest task that is left, which another worker may reach sooner.
//!
//! Where nothing is known of most tasks, whole groups are dealt as workers come to need them, the largest first. Lanes of
//! splittable groups begin with those of unknown cost (after known tasks that are long), the smallest first: so what is still
//! unknown at the end are parts of few large groups.
//!
//! A worker whose lane is empty takes from the tail of the lane that will be worked off last, half of the
//! difference; at the end it takes something only if that other worker would get to it no sooner. Otherwise it
//! is told to finish. Time is the sum of the seconds that a worker has reported, so that no clock is needed:
//! all workers begin together and none idles. A task that has overrun its estimate is taken to need as long again.
//!
//! Whole groups ([`Grouping::Whole`]) are moved and exchanged between lanes before the run, by MULTIFIT and local search as in
//! a [`Planner`](crate::Planner), where the longest lane becomes shorter by at least a 200th.
//!
//! # What it costs to begin a group
//!
//! With [`Policy::group_costs`] a worker pays for each group of which it runs a task, once. Then groups are laid out in three
//! ways (whole; cut where they are beyond one share; parted with their long tasks as above), and the one with the shortest
//! lanes is taken, a coarser one unless a finer is shorter by a 200th. Runs of a group are next to each other in a lane. A
//! worker takes from another's lane only if it would be through sooner although it has to begin the group, a quarter of that
//! cost as a margin for what estimates are worth; and it takes the less, since both bear that cost. Without costs nothing
//! of this happens.
//!
//! # How much is handed out
//!
//! Beyond the two items above, the queue is filled up to [`Policy::horizon`] seconds of estimated work, and is
//! filled again when it has fallen below half of that. A worker whose tests are longer than that is given a third item all the
//! same, from its own lane, so that it need not wait for a message after each test, while what it then holds is less than half of
//! its part of what is left (and less than 32 horizons: beyond that a message's time is nothing). A task of unknown cost counts with the mean of those of its group
//! that completed in this run, or of all if there are none, for thefts too; until some have, and again near the end, fewer are handed out, since any of them may be
//! long.
//!
//! # Cost
//!
//! `next` is O(log n) amortised for each task handed out, and O(workers) when a lane runs dry; the other calls
//! are O(1), but for `crash`, `returned` and `worker_done`, which are linear in the worker's queue, and `stop`, which is
//! linear in the tasks.

mod begins;
mod deal;
mod error;
mod events;
mod gauge;
mod index;
mod layout;
mod level;
mod policy;
mod pool;
mod state;
mod steal;
mod worker;

use std::collections::HashSet;

pub use self::error::DispatchError;
pub use self::events::CrashOutcome;
pub use self::policy::{Grouping, Order, Policy};
pub use self::state::TaskState;

use self::index::Index;
use self::layout::Span;
use self::pool::Pool;
use self::state::Ledger;
use self::worker::{Life, Worker};
use crate::lpt::mean_cost;
use crate::task::{GroupId, Task, TaskId, WorkerId, nanos, seconds};

/// How many tasks a worker must know to run one of them.
const MUST_KNOW: usize = 2;

/// A queue of that many horizons of work, 1 s, is so long that the time of a message does not matter.
const PATIENCE: u64 = 32;

/// How many tasks of unknown cost a worker may hold before anything is known of the run.
const FIRST_CONTACT: u32 = 4;

/// Deals tasks to workers as these come, work, crash and go. The [module](self) says how.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    tasks: Vec<Task>,
    index: Index,
    policy: Policy,
    horizon: u64,
    overhead: u64,
    prior: u64,
    /// Sum and number of completed tasks whose cost was unknown.
    learned: (u64, u32),
    workers: Vec<Worker>,
    by_id: Index,
    /// Workers that can still be given work.
    open: usize,
    pool: Option<Pool>,
    /// Indices of tasks that a worker was asked for and gave back.
    given_back: HashSet<usize>,
    ledger: Ledger,
    /// The largest `spent` of any worker: about the time since the run began.
    now: u64,
    stopped: bool,
}

impl Dispatcher {
    /// A dispatcher for tasks given in collection order.
    ///
    /// # Errors
    ///
    /// [`DispatchError::DuplicateTask`] if two tasks have the same number.
    pub fn new(tasks: Vec<Task>, policy: Policy) -> Result<Self, DispatchError> {
        let mut index = Index::new(tasks.len());
        for (nth, task) in tasks.iter().enumerate() {
            if !index.insert(task.id.0, nth) {
                return Err(DispatchError::DuplicateTask(task.id));
            }
        }
        let overhead = nanos(policy.overhead);
        let rows = usize::from(policy.grouping != Grouping::Each);
        Ok(Self {
            index,
            horizon: nanos(policy.horizon),
            overhead,
            prior: mean_cost(&tasks).saturating_add(overhead),
            learned: (0, 0),
            workers: Vec::new(),
            by_id: Index::new(0),
            open: 0,
            pool: None,
            given_back: HashSet::new(),
            ledger: Ledger::new(tasks.len(), rows),
            now: 0,
            stopped: false,
            tasks,
            policy,
        })
    }

    /// Adds a worker. It may be added before it is able to work; until it asks, it is given nothing.
    ///
    /// Workers that are added before the first [`next`](Self::next) are planned for. One that is added later
    /// carries on for one that crashed, if there is such, and otherwise takes from the others.
    ///
    /// # Errors
    ///
    /// [`DispatchError::DuplicateWorker`] if a worker of this number was ever added.
    pub fn add_worker(&mut self, worker: WorkerId) -> Result<(), DispatchError> {
        let nth = self.workers.len();
        if !self.by_id.insert(worker.0, nth) {
            return Err(DispatchError::DuplicateWorker(worker));
        }
        self.workers.push(Worker::new(worker, self.now));
        self.open += 1;
        if self.pool.is_some() {
            self.give_lane(nth);
        } else if self.policy.grouping == Grouping::Each {
            self.plan();
        }
        Ok(())
    }

    /// What to append to a worker's queue now, in order; often nothing.
    ///
    /// To be asked when a worker is ready, and after each [`complete`](Self::complete), [`returned`](Self::returned)
    /// and, for all workers, [`crash`](Self::crash). For a worker that is unknown, was told to finish or has ended,
    /// and after [`stop`](Self::stop), there is nothing.
    pub fn next(&mut self, worker: WorkerId) -> Vec<TaskId> {
        let mut handed = Vec::new();
        let Some(nth) = self.open_worker(worker) else {
            return handed;
        };
        if self.stopped {
            return handed;
        }
        self.plan();
        let mean = self.mean();
        let unknown = self.most_unknown(mean);
        let refill = self.backlog_of(nth, mean) <= self.horizon / 2
            && self.workers[nth].queued_unknown <= unknown / 2;
        loop {
            let needed = self.workers[nth].known() < MUST_KNOW;
            let may = self.may_chunk(handed.len());
            let own = self.lane_of(nth).is_some_and(|lane| !lane.is_empty());
            let limit = match self.workers[nth].known() {
                ..MUST_KNOW => u64::MAX,
                MUST_KNOW if may && own => self.horizon.max(self.most_ahead(mean)),
                _ if may && refill => self.horizon,
                _ => break,
            };
            let Some((slot, begin)) = self.draw(nth, needed, limit, mean, unknown) else {
                break;
            };
            let Some(pool) = &self.pool else { break };
            let worker = &mut self.workers[nth];
            if worker.known() == 0 {
                worker.spent = worker.spent.max(self.now);
            }
            worker.enqueue(&pool.layout, slot, begin);
            let task = pool.layout.task(slot);
            self.ledger
                .set(worker.row, task, TaskState::Queued(worker.id));
            handed.push(self.tasks[task].id);
        }
        handed
    }

    fn backlog_of(&self, nth: usize, mean: u64) -> u64 {
        let layout = self.pool.as_ref().map(|pool| &pool.layout);
        layout.map_or(0, |layout| self.workers[nth].backlog(layout, mean))
    }

    fn may_chunk(&self, handed: usize) -> bool {
        self.policy
            .max_chunk
            .is_none_or(|most| handed < most as usize)
    }

    /// Nanoseconds of work that a worker may hold beyond what it runs, if that is no more than the task that it must know and
    /// one that follows: half of its part of what is left, so that enough is left to even out what is late.
    fn most_ahead(&self, mean: u64) -> u64 {
        let left = self.pool.as_ref().map_or(0, |pool| pool.work(mean));
        let part = left / (2 * self.open.max(1) as u64);
        part.min(self.horizon.saturating_mul(PATIENCE))
    }

    /// How many tasks of unknown cost a worker's queue may be filled with. Any of them may be long, so that where others
    /// could run them it is no more than half of a worker's part of what is left, though not so few that trivial
    /// tasks come one by one.
    fn most_unknown(&self, mean: u64) -> u32 {
        let guess = FIRST_CONTACT.saturating_add(self.learned.1.saturating_mul(2));
        if self.open <= 1 {
            return guess;
        }
        let left = self.pool.as_ref().map_or(0, Pool::left) / (2 * self.open as u32);
        let few = (self.horizon / 8).checked_div(mean).unwrap_or(1) as u32;
        guess.min(left.max(few).max(1))
    }

    /// The next slot for a worker, and what it pays to begin its group: whatever there is if it must know one more, otherwise only what fits its queue.
    fn draw(
        &mut self,
        nth: usize,
        needed: bool,
        limit: u64,
        mean: u64,
        unknown: u32,
    ) -> Option<(u32, u64)> {
        let lane = self.workers[nth].lane?;
        if self.pool.as_ref()?.lanes[lane].is_empty() {
            let (from, target) = self.victim(nth, needed, mean)?;
            self.pool.as_mut()?.shift(from, lane, target, mean);
        }
        let pool = self.pool.as_mut()?;
        if !needed {
            let worker = &self.workers[nth];
            let filled = worker
                .backlog(&pool.layout, mean)
                .saturating_add(pool.head_cost(lane, mean)?);
            if filled > limit || worker.queued_unknown >= unknown {
                return None;
            }
        }
        pool.pop(lane)
    }

    /// True once for each worker, when it will be given no more: tell it to finish.
    ///
    /// To be asked after [`next`](Self::next), and after [`revoke_for`](Self::revoke_for) if that is used. It is true when the
    /// worker needs to know what follows its last task and there is nothing, or nothing that others would not reach
    /// sooner; and at once after [`stop`](Self::stop).
    pub fn finish_due(&mut self, worker: WorkerId) -> bool {
        let Some(nth) = self.open_worker(worker) else {
            return false;
        };
        if !self.stopped {
            self.plan();
            let it = &self.workers[nth];
            if it.known() >= MUST_KNOW || it.awaiting.is_some() {
                return false;
            }
            let own = self.lane_of(nth).is_some_and(|lane| !lane.is_empty());
            if own || self.victim(nth, true, self.mean()).is_some() {
                return false;
            }
        }
        self.close(nth, Life::Closed);
        true
    }

    /// Whether [`stop`](Self::stop) was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// How many tasks no worker knows of.
    #[must_use]
    pub fn undispatched(&self) -> usize {
        match &self.pool {
            Some(pool) => pool.left() as usize,
            None => self.ledger.unsettled_count(),
        }
    }

    /// Whether there is work that no worker will come to: add a worker, or [stop](Self::stop).
    #[must_use]
    pub fn is_stranded(&self) -> bool {
        match (&self.pool, self.policy.grouping) {
            (Some(pool), Grouping::Each) => pool.unowned() > 0,
            _ => self.undispatched() > 0 && self.open == 0,
        }
    }

    /// Estimated seconds of work that a worker knows and has not begun.
    #[must_use]
    pub fn backlog(&self, worker: WorkerId) -> f64 {
        let nth = self.by_id.get(worker.0);
        nth.map_or(0.0, |nth| seconds(self.backlog_of(nth, self.mean())))
    }

    /// The state of a task, `None` if it is not part of the run. With [`Grouping::Each`] the state that is furthest from
    /// its end among the workers'; [`state_on`](Self::state_on) tells them apart.
    #[must_use]
    pub fn state(&self, task: TaskId) -> Option<TaskState> {
        let index = self.index.get(task.0)?;
        Some(self.ledger.overall(index))
    }

    /// The state of a task in the copy that a worker works on (all share one unless [`Grouping::Each`]), `None` if task or
    /// worker are not part of the run.
    #[must_use]
    pub fn state_on(&self, worker: WorkerId, task: TaskId) -> Option<TaskState> {
        let index = self.index.get(task.0)?;
        let nth = self.by_id.get(worker.0)?;
        self.ledger.get(self.workers[nth].row, index)
    }

    /// Whether every task has a terminal state. With [`Grouping::Each`], for every worker that was added.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.ledger.unsettled_count() == 0
    }

    /// Tasks without a terminal state, in collection order; with [`Grouping::Each`], once for each worker that owes them.
    pub fn unsettled(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.ledger.unsettled().map(|index| self.tasks[index].id)
    }

    /// The group of a task, and the nanoseconds that a worker pays to begin it.
    pub(crate) fn group_of(&self, task: TaskId) -> Option<(GroupId, u64)> {
        let group = self.tasks[self.index.get(task.0)?].group;
        let cost = self.policy.group_costs.get(&group);
        Some((group, cost.map_or(0, |&cost| nanos(cost))))
    }

    /// Nanoseconds that a task of unknown cost, of a group of which nothing is known, is taken to need.
    fn mean(&self) -> u64 {
        let (sum, count) = self.learned;
        sum.checked_div(u64::from(count)).unwrap_or(self.prior)
    }

    fn open_worker(&self, worker: WorkerId) -> Option<usize> {
        let nth = self.by_id.get(worker.0)?;
        (self.workers[nth].life == Life::Open).then_some(nth)
    }

    fn living(&self, worker: WorkerId) -> Result<usize, DispatchError> {
        let nth = (self.by_id.get(worker.0)).ok_or(DispatchError::UnknownWorker(worker))?;
        if self.workers[nth].life == Life::Gone {
            return Err(DispatchError::WorkerGone(worker));
        }
        Ok(nth)
    }

    fn known_pair(&self, worker: WorkerId, task: TaskId) -> Result<(usize, usize), DispatchError> {
        let nth = self.living(worker)?;
        let index = (self.index.get(task.0)).ok_or(DispatchError::UnknownTask(task))?;
        Ok((nth, index))
    }

    fn lane_of(&self, nth: usize) -> Option<&pool::Lane> {
        Some(&self.pool.as_ref()?.lanes[self.workers[nth].lane?])
    }

    /// Makes the plan, if there is none yet.
    fn plan(&mut self) {
        if self.pool.is_some() {
            return;
        }
        let lanes = self.workers.len().max(self.policy.workers as usize);
        let (layout, mut dealt) = deal::plan(&self.tasks, &self.policy, lanes, self.prior);
        if self.policy.grouping == Grouping::Each {
            dealt.clear();
        }
        let shared = (dealt.len() > lanes).then_some(lanes);
        let pool = Pool::new(layout, dealt, shared, self.policy.grouping);
        self.pool = Some(pool);
        for nth in 0..self.workers.len() {
            if self.workers[nth].life == Life::Open {
                self.give_lane(nth);
            }
        }
    }

    /// Gives a worker the lane that most needs one, or a new one.
    fn give_lane(&mut self, nth: usize) {
        let mean = self.mean();
        let Some(pool) = &mut self.pool else { return };
        let lane = pool.vacant(mean).unwrap_or_else(|| {
            if self.policy.grouping == Grouping::Each && !self.stopped {
                let (lo, hi) = (0, self.tasks.len() as u32);
                let row = self.ledger.add_row();
                pool.add_lane((hi > 0).then_some(Span { lo, hi }), row)
            } else {
                pool.add_lane(None, 0)
            }
        });
        pool.own(lane, nth);
        self.workers[nth].lane = Some(lane);
        self.workers[nth].row = pool.lanes[lane].row;
    }
}
