//! What a worker is given next.
//!
//! Without isolation that is the [`Dispatcher`]'s to say, message by message. With isolation a
//! worker is given one file, or one test, and is done.

use std::collections::{HashMap, VecDeque};

use rpytest_ipc::{Address, InventoryItem};
use rpytest_sched::{Dispatcher, TaskId, WorkerId};

use super::Settings;
use crate::convert::{self, Tasks};
use crate::history::Costs;

/// `--isolate`: what runs in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolate {
    None,
    File,
    Test,
}

impl Isolate {
    pub fn parse(text: &str) -> Self {
        match text {
            "file" => Isolate::File,
            "test" => Isolate::Test,
            _ => Isolate::None,
        }
    }
}

/// What to say to a worker, or on its behalf.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Say {
    Run(Vec<TaskId>),
    Revoke(WorkerId, usize),
    Finish,
}

pub(super) enum Feed {
    Dispatched(Box<Dispatcher>),
    Isolated(Units),
}

impl Feed {
    pub fn new(items: &[InventoryItem], settings: &Settings, costs: &Costs<'_>) -> Self {
        if settings.isolate != Isolate::None {
            return Feed::Isolated(Units::new(items, settings.isolate, |address| {
                costs.of(address)
            }));
        }
        let tasks = Tasks::new(items, costs);
        let policy = convert::policy(&settings.dist, settings.workers, settings.max_chunk)
            .order(convert::order(&settings.dist, settings.in_order))
            .group_costs(tasks.begin_costs(costs));
        match Dispatcher::new(tasks.tasks, policy) {
            Ok(dispatcher) => Feed::Dispatched(Box::new(dispatcher)),
            // Tasks are numbered by position, so that no two are equal.
            Err(error) => unreachable!("{error}"),
        }
    }

    pub fn add(&mut self, worker: WorkerId) {
        if let Feed::Dispatched(dispatcher) = self {
            noted(dispatcher.add_worker(worker));
        }
    }

    pub fn next(&mut self, worker: WorkerId) -> Vec<Say> {
        match self {
            Feed::Dispatched(dispatcher) => {
                let mut say = Vec::new();
                let tasks = dispatcher.next(worker);
                if !tasks.is_empty() {
                    say.push(Say::Run(tasks));
                } else if let Some((victim, count)) = dispatcher.revoke_for(worker) {
                    say.push(Say::Revoke(victim, count));
                }
                if dispatcher.finish_due(worker) {
                    say.push(Say::Finish);
                }
                say
            }
            Feed::Isolated(units) => units.next(worker),
        }
    }

    pub fn started(&mut self, worker: WorkerId, task: TaskId) {
        match self {
            Feed::Dispatched(dispatcher) => noted(dispatcher.started(worker, task)),
            Feed::Isolated(units) => units.started(worker, task),
        }
    }

    pub fn completed(&mut self, worker: WorkerId, task: TaskId, seconds: f64) {
        match self {
            Feed::Dispatched(dispatcher) => noted(dispatcher.complete(worker, task, seconds)),
            Feed::Isolated(units) => units.completed(worker, task),
        }
    }

    pub fn returned(&mut self, worker: WorkerId, tasks: &[TaskId]) {
        if let Feed::Dispatched(dispatcher) = self {
            noted(dispatcher.returned(worker, tasks));
        }
    }

    /// A worker is no more; what it had queued is given to others. Returns what it was running.
    pub fn ended(&mut self, worker: WorkerId, in_order: bool) -> Option<TaskId> {
        match self {
            Feed::Dispatched(dispatcher) => {
                let outcome = if in_order {
                    dispatcher.worker_done(worker)
                } else {
                    dispatcher.crash(worker)
                };
                match outcome {
                    Ok(outcome) => outcome.running,
                    Err(error) => {
                        tracing::debug!(%error, "the end of a worker");
                        None
                    }
                }
            }
            Feed::Isolated(units) => units.ended(worker),
        }
    }

    /// A worker is not to be used.
    pub fn gone(&mut self, worker: WorkerId) {
        let _ = self.ended(worker, true);
    }

    /// Hand out nothing more.
    pub fn stop(&mut self) {
        match self {
            Feed::Dispatched(dispatcher) => dispatcher.stop(),
            Feed::Isolated(units) => units.waiting.clear(),
        }
    }

    /// A worker has been told to stop, so that it need not be told to finish.
    pub fn told_to_finish(&mut self, worker: WorkerId) {
        if let Feed::Dispatched(dispatcher) = self {
            let _ = dispatcher.finish_due(worker);
        }
    }

    /// How many runs of tests wait for a process of their own.
    pub fn waiting(&self) -> usize {
        match self {
            Feed::Dispatched(_) => 0,
            Feed::Isolated(units) => units.waiting.len(),
        }
    }

    /// Whether there is work that no worker will come to.
    pub fn is_stranded(&self) -> bool {
        match self {
            Feed::Dispatched(dispatcher) => dispatcher.is_stranded(),
            Feed::Isolated(units) => !units.waiting.is_empty(),
        }
    }
}

/// A message that does not fit what is known (of a worker that was given up, say) changes nothing.
fn noted(result: Result<(), rpytest_sched::DispatchError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a late message");
    }
}

/// Runs of tests, each for a process of its own; the longest first.
pub(super) struct Units {
    waiting: VecDeque<Vec<TaskId>>,
    given: HashMap<WorkerId, Unit>,
}

#[derive(Default)]
struct Unit {
    running: Option<TaskId>,
    rest: VecDeque<TaskId>,
}

impl Units {
    fn new(
        items: &[InventoryItem],
        isolate: Isolate,
        mut cost: impl FnMut(&Address) -> Option<f64>,
    ) -> Self {
        let mut units: Vec<(f64, Vec<TaskId>)> = Vec::new();
        let mut of_file: HashMap<&str, usize> = HashMap::new();
        for (position, item) in (0u32..).zip(items) {
            let seconds = cost(&item.address).unwrap_or(0.0);
            let file = convert::file_of(&item.address.nodeid);
            let unit = match (isolate, of_file.get(file)) {
                (Isolate::File, Some(&unit)) => unit,
                _ => {
                    units.push((0.0, Vec::new()));
                    of_file.insert(file, units.len() - 1);
                    units.len() - 1
                }
            };
            units[unit].0 += seconds;
            units[unit].1.push(TaskId(position));
        }
        units.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        Units {
            waiting: units.into_iter().map(|(_, tasks)| tasks).collect(),
            given: HashMap::new(),
        }
    }

    fn next(&mut self, worker: WorkerId) -> Vec<Say> {
        if self.given.contains_key(&worker) {
            return Vec::new();
        }
        let tasks = self.waiting.pop_front().unwrap_or_default();
        let rest = tasks.iter().copied().collect();
        self.given.insert(
            worker,
            Unit {
                running: None,
                rest,
            },
        );
        match tasks.is_empty() {
            true => vec![Say::Finish],
            false => vec![Say::Run(tasks), Say::Finish],
        }
    }

    fn started(&mut self, worker: WorkerId, task: TaskId) {
        if let Some(unit) = self.given.get_mut(&worker) {
            unit.rest.retain(|other| *other != task);
            unit.running = Some(task);
        }
    }

    fn completed(&mut self, worker: WorkerId, task: TaskId) {
        if let Some(unit) = self.given.get_mut(&worker)
            && unit.running == Some(task)
        {
            unit.running = None;
        }
    }

    fn ended(&mut self, worker: WorkerId) -> Option<TaskId> {
        let unit = self.given.remove(&worker)?;
        if !unit.rest.is_empty() {
            self.waiting.push_front(unit.rest.into_iter().collect());
        }
        unit.running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(nodeids: &[&str]) -> Vec<InventoryItem> {
        nodeids
            .iter()
            .map(|nodeid| InventoryItem {
                address: Address {
                    nodeid: (*nodeid).to_owned(),
                    nth: 0,
                },
                scope: String::new(),
            })
            .collect()
    }

    #[test]
    fn a_file_is_one_unit_and_the_longest_goes_first() {
        let items = items(&["a.py::x", "b.py::x", "a.py::y"]);
        let cost = |address: &Address| {
            Some(if address.nodeid == "b.py::x" {
                9.0
            } else {
                1.0
            })
        };
        let mut units = Units::new(&items, Isolate::File, cost);
        assert_eq!(
            units.next(WorkerId(0)),
            [Say::Run(vec![TaskId(1)]), Say::Finish]
        );
        assert_eq!(
            units.next(WorkerId(1)),
            [Say::Run(vec![TaskId(0), TaskId(2)]), Say::Finish]
        );
    }

    #[test]
    fn what_a_crashed_process_had_not_begun_is_a_unit_again() {
        let mut units = Units::new(&items(&["a.py::x", "a.py::y"]), Isolate::File, |_| None);
        units.next(WorkerId(0));
        units.started(WorkerId(0), TaskId(0));
        assert_eq!(units.ended(WorkerId(0)), Some(TaskId(0)));
        assert_eq!(
            units.next(WorkerId(1)),
            [Say::Run(vec![TaskId(1)]), Say::Finish]
        );
    }
}
