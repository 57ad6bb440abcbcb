//! What happened to workers, and what that makes of their tasks.

use super::worker::Life;
use super::{DispatchError, Dispatcher, TaskState};
use crate::task::{TaskId, WorkerId, nanos};

/// What became of the work of a worker that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrashOutcome {
    /// The task that it had begun and not ended. It is [`TaskState::Crashed`] and is not run again.
    pub running: Option<TaskId>,
    /// The tasks that it knew and had not begun, in order. They are [`TaskState::Pending`] again.
    pub requeued: Vec<TaskId>,
    /// The same, after [`Dispatcher::stop`]: they are [`TaskState::NotRun`].
    pub not_run: Vec<TaskId>,
}

impl Dispatcher {
    /// Notes that a worker has begun a task.
    ///
    /// # Errors
    ///
    /// [`NotQueued`](DispatchError::NotQueued) if the task does not wait on this worker (it was begun before, or is
    /// another's), [`Busy`](DispatchError::Busy), [`OutOfOrder`](DispatchError::OutOfOrder), or that the task or worker is
    /// unknown or gone.
    pub fn started(&mut self, worker: WorkerId, task: TaskId) -> Result<(), DispatchError> {
        let (nth, index) = self.known_pair(worker, task)?;
        let it = &self.workers[nth];
        if self.ledger.get(it.row, index) != Some(TaskState::Queued(worker)) {
            return Err(DispatchError::NotQueued(worker, task));
        }
        let Some(pool) = &self.pool else {
            return Err(DispatchError::NotQueued(worker, task));
        };
        let id_of = |slot: u32| self.tasks[pool.layout.task(slot)].id;
        if let Some(running) = it.running {
            return Err(DispatchError::Busy(worker, task, id_of(running)));
        }
        match it.queue.front() {
            Some(&front) if id_of(front) != task => {
                return Err(DispatchError::OutOfOrder(worker, task, id_of(front)));
            }
            _ => {}
        }
        let it = &mut self.workers[nth];
        it.begin(&pool.layout);
        self.ledger.set(it.row, index, TaskState::Running(worker));
        Ok(())
    }

    /// Notes that a worker has ended a task, whatever its outcome, after `seconds`. These include what it paid to begin the
    /// group, if it did so with this task.
    ///
    /// # Errors
    ///
    /// [`NotRunning`](DispatchError::NotRunning) if this worker is not running this task, or that the task or worker is
    /// unknown or gone.
    pub fn complete(
        &mut self,
        worker: WorkerId,
        task: TaskId,
        seconds: f64,
    ) -> Result<(), DispatchError> {
        let (nth, index) = self.known_pair(worker, task)?;
        let it = &mut self.workers[nth];
        if self.ledger.get(it.row, index) != Some(TaskState::Running(worker)) {
            return Err(DispatchError::NotRunning(worker, task));
        }
        let slot = it.running.take();
        let cost = nanos(seconds).saturating_add(self.overhead);
        let begin = std::mem::take(&mut it.running_begin);
        it.spent = it.spent.saturating_add(cost);
        self.now = self.now.max(it.spent);
        self.ledger.set(it.row, index, TaskState::Done);
        if self.tasks[index].cost_nanos().is_none() {
            let alone = cost.saturating_sub(begin);
            self.learned.0 = self.learned.0.saturating_add(alone);
            self.learned.1 = self.learned.1.saturating_add(1);
            if let (Some(pool), Some(slot)) = (&mut self.pool, slot) {
                pool.layout.learn(slot, alone);
            }
        }
        Ok(())
    }

    /// Notes that a worker died. What it ran is [`TaskState::Crashed`], what it knew goes back to the head of the work
    /// that was planned for it, for the next worker that is added or for the others.
    ///
    /// All messages of the worker are to be given before this one.
    ///
    /// # Errors
    ///
    /// [`UnknownWorker`](DispatchError::UnknownWorker) or [`WorkerGone`](DispatchError::WorkerGone).
    pub fn crash(&mut self, worker: WorkerId) -> Result<CrashOutcome, DispatchError> {
        let nth = self.living(worker)?;
        let mut outcome = CrashOutcome::default();
        let Some(pool) = &mut self.pool else {
            self.close(nth, Life::Gone);
            return Ok(outcome);
        };
        let it = &mut self.workers[nth];
        if let Some(slot) = it.running.take() {
            let task = pool.layout.task(slot);
            self.ledger.set(it.row, task, TaskState::Crashed);
            outcome.running = Some(self.tasks[task].id);
        }
        let queue = it.take(&pool.layout, |_| true);
        let (row, lane) = (it.row, it.lane);
        self.close(nth, Life::Gone);
        let left = self.put_back(row, lane, &queue);
        if self.stopped {
            outcome.not_run = left;
        } else {
            outcome.requeued = left;
        }
        Ok(outcome)
    }

    /// Notes that a worker ended in good order. What it knew and did not run is treated as after a [crash](Self::crash);
    /// after an orderly finish that is nothing.
    ///
    /// # Errors
    ///
    /// [`UnknownWorker`](DispatchError::UnknownWorker) or [`WorkerGone`](DispatchError::WorkerGone).
    pub fn worker_done(&mut self, worker: WorkerId) -> Result<CrashOutcome, DispatchError> {
        self.crash(worker)
    }

    /// Hands nothing more out. What no worker knows is [`TaskState::NotRun`] at once, what one knows becomes so when it
    /// ends without having run it.
    pub fn stop(&mut self) {
        self.stopped = true;
        if let Some(pool) = &mut self.pool {
            pool.clear();
        }
        self.ledger.drop_pending();
        for worker in &mut self.workers {
            // One that was asked still answers.
            (worker.awaiting, worker.lending) = (None, None);
        }
    }

    /// Gives a worker no more work, for good.
    pub(super) fn close(&mut self, nth: usize, life: Life) {
        let worker = &mut self.workers[nth];
        if worker.life == Life::Open {
            self.open -= 1;
        }
        worker.life = life;
        if let (Some(pool), Some(lane)) = (&mut self.pool, worker.lane)
            && pool.lanes[lane].owner == Some(nth)
        {
            pool.disown(lane, life == Life::Gone);
        }
        if let Some(victim) = worker.awaiting.take() {
            self.workers[victim].lending = None;
        }
        if life == Life::Gone
            && let Some(thief) = self.workers[nth].lending.take()
        {
            self.workers[thief].awaiting = None;
        }
    }

    /// Returns slots of a worker's queue to a lane, or settles them if the run was stopped.
    pub(super) fn put_back(
        &mut self,
        row: usize,
        lane: Option<usize>,
        slots: &[u32],
    ) -> Vec<TaskId> {
        let (Some(pool), Some(lane)) = (&mut self.pool, lane) else {
            return Vec::new();
        };
        let state = if self.stopped {
            TaskState::NotRun
        } else {
            pool.unread(lane, slots.iter().copied());
            TaskState::Pending
        };
        let mut ids = Vec::with_capacity(slots.len());
        for &slot in slots {
            let task = pool.layout.task(slot);
            self.ledger.set(row, task, state);
            ids.push(self.tasks[task].id);
        }
        ids
    }
}
