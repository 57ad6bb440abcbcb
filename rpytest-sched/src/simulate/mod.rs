//! A discrete event simulation of a pool of workers, to judge a plan by and to try the dispatcher with.
//!
//! Simulated workers keep pytest's rule: a worker begins a task only when it knows the one after it, or was told
//! to finish. Every message between the dispatcher and a worker takes the same time, and each worker's messages
//! arrive in order. A worker's first task of a group takes the [group's cost](Policy::group_costs) longer. With [`Faults`],
//! tasks kill their workers, run slow, and messages come late or twice.

mod random;
mod run;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

pub use self::random::Random;
use self::run::Run;
use crate::dispatch::{DispatchError, Dispatcher, Policy};
use crate::task::{GroupId, Task, TaskId, WorkerId};

/// A pool to run tasks on: how many workers, and what stands between them and the dispatcher.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Simulation {
    /// Number of workers at the start.
    pub workers: u32,
    /// Seconds that a message takes, either way. 0 by default.
    pub latency: f64,
    /// Seconds until a worker, at the start or in place of a dead one, is able to work. 0 by default.
    pub startup: f64,
    /// Seconds that a task takes beside its own duration. 0 by default.
    pub overhead: f64,
    /// Seconds that a worker's first task of a group takes longer. For a group that is not named here those that the policy
    /// is told count.
    pub group_costs: BTreeMap<GroupId, f64>,
    /// What goes wrong. Nothing by default.
    pub faults: Faults,
}

/// What goes wrong in a simulated pool. The same seed gives the same faults.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// Seed of the generator that decides.
    pub seed: u64,
    /// Probability that a task kills its worker, half-way through its duration.
    pub crash: f64,
    /// Probability that a task takes [`slowdown`](Self::slowdown) times as long as it should.
    pub slow: f64,
    /// How many times as long a slow task takes.
    pub slowdown: f64,
    /// Probability that a message of a worker is late, which delays those behind it.
    pub late: f64,
    /// Probability that a message of a worker comes twice, the second time late.
    pub duplicate: f64,
    /// The most seconds by which a message is late.
    pub delay: f64,
    /// How many workers may be started in place of dead ones.
    pub restarts: u32,
    /// After how many completed tasks the run is stopped.
    pub stop_after: Option<usize>,
}

/// What a simulated run came to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SimReport {
    /// Seconds from the start until the last worker ended.
    pub makespan: f64,
    /// Seconds in which each worker, in the order in which they were added, ran tasks.
    pub busy: Vec<f64>,
    /// Seconds in which each worker ran none, between the start and the end of the whole run.
    pub idle: Vec<f64>,
    /// Messages to workers, each with one or more tasks or a word.
    pub sent: u64,
    /// Messages from workers.
    pub received: u64,
    /// Messages that the dispatcher refused.
    pub refused: u64,
    /// Tasks that were run to their end.
    pub completed: u64,
    /// Workers that died.
    pub crashed: u64,
}

impl SimReport {
    /// The part of the pool's time that went into tasks, between 0 and 1.
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        let busy: f64 = self.busy.iter().sum();
        let all = self.makespan * self.busy.len() as f64;
        if all > 0.0 { busy / all } else { 1.0 }
    }
}

/// One thing that happens in a simulated run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimEvent {
    /// The dispatcher sends tasks.
    Assigned(WorkerId, Vec<TaskId>),
    /// The dispatcher tells a worker to finish.
    Finish(WorkerId),
    /// The dispatcher asks a worker for that many tasks back.
    Revoke(WorkerId, usize),
    /// A worker gives tasks back.
    Returned(WorkerId, Vec<TaskId>),
    /// A worker begins a task.
    Began(WorkerId, TaskId),
    /// A worker ends a task.
    Ended(WorkerId, TaskId),
    /// A worker dies, in the middle of a task.
    Died(WorkerId, TaskId),
    /// A worker leaves in good order.
    Left(WorkerId),
    /// The dispatcher refuses a message of a worker.
    Refused(WorkerId, DispatchError),
    /// Nothing is left to happen.
    Over,
}

/// Why a simulated run has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimError {
    /// The tasks were refused.
    Tasks(DispatchError),
    /// Nothing happens any more, yet so many tasks have no terminal state.
    Stuck(usize),
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks(error) => write!(f, "simulate the tasks: {error}"),
            Self::Stuck(tasks) => write!(f, "end the simulation: {tasks} tasks are left over"),
        }
    }
}

impl Error for SimError {}

impl Simulation {
    /// A pool of that many workers without delays or faults.
    #[must_use]
    pub fn new(workers: u32) -> Self {
        Self {
            workers,
            latency: 0.0,
            startup: 0.0,
            overhead: 0.0,
            group_costs: BTreeMap::new(),
            faults: Faults::default(),
        }
    }

    /// Sets the seconds that a message takes.
    #[must_use]
    pub fn latency(mut self, seconds: f64) -> Self {
        self.latency = seconds;
        self
    }

    /// Sets the seconds until a worker is able to work.
    #[must_use]
    pub fn startup(mut self, seconds: f64) -> Self {
        self.startup = seconds;
        self
    }

    /// Sets the seconds that a task takes beside its own duration.
    #[must_use]
    pub fn overhead(mut self, seconds: f64) -> Self {
        self.overhead = seconds;
        self
    }

    /// Sets what it truly costs to begin groups, whatever the policy is told.
    #[must_use]
    pub fn group_costs(mut self, costs: impl IntoIterator<Item = (GroupId, f64)>) -> Self {
        self.group_costs = costs.into_iter().collect();
        self
    }

    /// Sets what goes wrong.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Runs tasks whose true durations, in seconds, `truth` gives.
    ///
    /// # Errors
    ///
    /// [`SimError::Tasks`] if the dispatcher refuses the tasks. [`SimError::Stuck`] if it leaves some over, which is a
    /// defect of the dispatcher.
    pub fn run(
        &self,
        tasks: Vec<Task>,
        policy: Policy,
        truth: impl Fn(TaskId) -> f64,
    ) -> Result<SimReport, SimError> {
        self.watch(tasks, policy, truth, |_, _, _| {})
    }

    /// As [`run`](Self::run), and tells `watch` the second, what happens, and the dispatcher after it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn watch(
        &self,
        tasks: Vec<Task>,
        policy: Policy,
        truth: impl Fn(TaskId) -> f64,
        watch: impl FnMut(f64, &SimEvent, &Dispatcher),
    ) -> Result<SimReport, SimError> {
        let dispatcher = Dispatcher::new(tasks, policy).map_err(SimError::Tasks)?;
        let mut run = Run::new(self, dispatcher, truth, watch);
        run.play();
        if !run.dispatcher.is_settled() {
            return Err(SimError::Stuck(run.dispatcher.unsettled().count()));
        }
        Ok(run.into_report())
    }
}
