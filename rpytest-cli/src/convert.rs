//! Between the vocabularies of the libraries: addresses and strings of the protocol on one side,
//! numbers of the scheduler on the other.

use std::collections::HashMap;

use rpytest_ipc::{Address, InventoryItem};
use rpytest_sched::{GroupId, Grouping, Policy, Task, TaskId};

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

/// Tasks for the dispatcher: the position in the inventory is the task's number, equal scopes are a
/// group, and `cost` estimates seconds.
pub(crate) fn tasks(
    items: &[InventoryItem],
    mut cost: impl FnMut(&Address) -> Option<f64>,
) -> Vec<Task> {
    let mut groups: HashMap<&str, GroupId> = HashMap::new();
    let mut tasks = Vec::with_capacity(items.len());
    for (position, item) in (0u32..).zip(items) {
        let next = GroupId(u32::try_from(groups.len()).unwrap_or(u32::MAX));
        let group = *groups.entry(&item.scope).or_insert(next);
        let task = Task::new(TaskId(position), group);
        tasks.push(match cost(&item.address) {
            Some(seconds) => task.with_cost(seconds),
            None => task,
        });
    }
    tasks
}

/// What a mode of `--dist` means to the dispatcher.
pub(crate) fn policy(dist: &str, workers: u32, max_chunk: Option<u32>) -> Policy {
    let grouping = match dist {
        "loadscope" | "loadfile" | "loadgroup" => Grouping::Whole,
        "each" => Grouping::Each,
        _ => Grouping::Splittable,
    };
    Policy::new()
        .grouping(grouping)
        .workers(workers)
        .max_chunk(max_chunk)
}
