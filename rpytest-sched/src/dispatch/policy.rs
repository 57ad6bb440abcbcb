//! How a dispatcher is told to deal.

use std::collections::BTreeMap;

use crate::task::GroupId;

/// What may be separated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grouping {
    /// A group is kept together as long as that costs nothing, and split when a worker would idle
    /// or a long task would start late. pytest-xdist calls this `load` and `worksteal`.
    #[default]
    Splittable,
    /// A group is run by one worker, and by another only when that one crashed. pytest-xdist calls
    /// this `loadscope`, `loadfile` and `loadgroup`, after what a group is made of.
    Whole,
    /// Every worker runs every task. pytest-xdist calls this `each`.
    Each,
}

/// Which group is begun first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// The longest first ("longest processing time first", R. L. Graham 1969). A single worker keeps
    /// the collection order, since no order ends sooner.
    #[default]
    Lpt,
    /// As collected.
    Collection,
}

/// How a [`Dispatcher`](super::Dispatcher) deals. Made by [`Policy::new`] and the methods that set a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// What may be separated. [`Grouping::Splittable`] by default.
    pub grouping: Grouping,
    /// Which group is begun first. [`Order::Lpt`] by default.
    pub order: Order,
    /// Seconds of estimated work that a worker may hold beyond what it runs and the one task that it
    /// must know next. 0.03 by default: long enough that a worker of trivial tests does not wait for
    /// messages, and the most by which such a worker can end late. Of longer tests it may hold one more while much is left.
    pub horizon: f64,
    /// The most tasks that one call of [`next`](super::Dispatcher::next) hands out. No limit by default. A worker
    /// is still given the two tasks that it needs to begin.
    pub max_chunk: Option<u32>,
    /// How many workers are expected, for the plan that is made at the first call of
    /// [`next`](super::Dispatcher::next). 0, the default: as many as were added by then.
    pub workers: u32,
    /// Seconds that each task costs a worker beside its own measured time. 0.0001 by default.
    pub overhead: f64,
    /// Seconds that a worker pays to begin a group, again for each worker that begins it, such as for its shared
    /// fixtures. None by default, and none for a group that is not named: then splitting a group costs nothing.
    pub group_costs: BTreeMap<GroupId, f64>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            grouping: Grouping::default(),
            order: Order::default(),
            horizon: 0.03,
            max_chunk: None,
            workers: 0,
            overhead: 0.0001,
            group_costs: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// The defaults: splittable groups, longest first, a horizon of 0.03 s.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what may be separated.
    #[must_use]
    pub fn grouping(mut self, grouping: Grouping) -> Self {
        self.grouping = grouping;
        self
    }

    /// Sets which group is begun first.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets the horizon in seconds.
    #[must_use]
    pub fn horizon(mut self, seconds: f64) -> Self {
        self.horizon = seconds;
        self
    }

    /// Sets the most tasks that one call hands out; `None` for no limit.
    #[must_use]
    pub fn max_chunk(mut self, tasks: impl Into<Option<u32>>) -> Self {
        self.max_chunk = tasks.into();
        self
    }

    /// Sets how many workers are expected.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Sets the seconds that each task costs beside its own time.
    #[must_use]
    pub fn overhead(mut self, seconds: f64) -> Self {
        self.overhead = seconds;
        self
    }

    /// Sets the seconds that a worker pays to begin groups. What is no sensible duration counts as 0.
    ///
    /// They are a part of the seconds that [`complete`](super::Dispatcher::complete) is told of the task with which a worker
    /// begins a group, as the setup of shared fixtures is, and no part of that task's estimated cost.
    #[must_use]
    pub fn group_costs(mut self, costs: impl IntoIterator<Item = (GroupId, f64)>) -> Self {
        self.group_costs = costs.into_iter().collect();
        self
    }
}
