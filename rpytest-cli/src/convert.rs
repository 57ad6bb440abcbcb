//! Between the vocabularies of the libraries: addresses and strings of the protocol on one side,
//! numbers of the scheduler on the other.

use std::collections::HashMap;

use rpytest_ipc::{Address, InventoryItem};
use rpytest_sched::{GroupId, Grouping, Order, Policy, Task, TaskId};

use crate::history::Costs;

/// The key of an item in the duration history: its node id, with the occurrence where there are
/// several.
pub(crate) fn duration_key(address: &Address) -> String {
    match address.nth {
        0 => address.nodeid.clone(),
        nth => format!("{}#{nth}", address.nodeid),
    }
}

/// The file of a node id.
pub(crate) fn file_of(nodeid: &str) -> &str {
    nodeid.split_once("::").map_or(nodeid, |(file, _)| file)
}

/// Items as the scheduler has them: the position in the inventory is a task's number, and items of equal scope are a
/// group.
pub(crate) struct Tasks<'a> {
    pub tasks: Vec<Task>,
    /// Of each group.
    scopes: Vec<&'a str>,
}

impl<'a> Tasks<'a> {
    /// With what history expects of them.
    pub fn new(items: &'a [InventoryItem], costs: &Costs<'_>) -> Self {
        Self::with(items, |_, address| costs.of(address))
    }

    /// Those of which it is known what they took, by their position.
    pub fn measured(items: &'a [InventoryItem], cost: impl Fn(u32) -> Option<f64>) -> Self {
        let mut tasks = Self::with(items, |position, _| cost(position));
        tasks.tasks.retain(|task| task.cost.is_some());
        tasks
    }

    fn with(items: &'a [InventoryItem], cost: impl Fn(u32, &Address) -> Option<f64>) -> Self {
        let mut groups: HashMap<&str, GroupId> = HashMap::new();
        let mut scopes = Vec::new();
        let mut tasks = Vec::with_capacity(items.len());
        for (position, item) in (0u32..).zip(items) {
            let group = *groups.entry(&item.scope).or_insert_with(|| {
                scopes.push(item.scope.as_str());
                GroupId(u32::try_from(scopes.len() - 1).unwrap_or(u32::MAX))
            });
            let task = Task::new(TaskId(position), group);
            tasks.push(match cost(position, &item.address) {
                Some(seconds) => task.with_cost(seconds),
                None => task,
            });
        }
        Self { tasks, scopes }
    }

    /// The scope that a group is.
    pub fn scope(&self, group: GroupId) -> Option<&'a str> {
        self.scopes.get(group.0 as usize).copied()
    }

    /// Seconds that a worker pays to begin a group. All workers have imported everything.
    pub fn begin_cost(&self, group: GroupId, costs: &Costs<'_>) -> f64 {
        self.scope(group)
            .map_or(0.0, |scope| costs.of_beginning(file_of(scope)))
    }

    /// The same of all groups.
    pub fn begin_costs(&self, costs: &Costs<'_>) -> Vec<(GroupId, f64)> {
        let groups = (0u32..).zip(&self.scopes).map(|(group, _)| GroupId(group));
        groups
            .map(|group| (group, self.begin_cost(group, costs)))
            .collect()
    }
}

/// What may be separated in a mode of `--dist`.
pub(crate) fn grouping(dist: &str) -> Grouping {
    match dist {
        "loadscope" | "loadfile" | "loadgroup" => Grouping::Whole,
        "each" => Grouping::Each,
        _ => Grouping::Splittable,
    }
}

/// Which scope is begun first. `--no-loadscope-reorder` is about scopes that stay together alone.
pub(crate) fn order(dist: &str, in_order: bool) -> Order {
    match grouping(dist) {
        Grouping::Whole if in_order => Order::Collection,
        _ => Order::Lpt,
    }
}

/// What a mode of `--dist` means to the dispatcher.
pub(crate) fn policy(dist: &str, workers: u32, max_chunk: Option<u32>) -> Policy {
    Policy::new()
        .grouping(grouping(dist))
        .workers(workers)
        .max_chunk(max_chunk)
}
