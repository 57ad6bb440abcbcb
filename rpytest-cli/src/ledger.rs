//! One final status for every planned item.
//!
//! The ledger is told what happens to each item and tells, at the end, which items nobody accounts
//! for. It neither waits nor prints.
//!
//! Beside what each item cost it keeps what several have in common: fixtures that they share, and the
//! import of their file. These cost as much again in each process that runs one of them.

use std::collections::{BTreeMap, HashMap};

use rpytest_ipc::{Address, Outcome, PhaseSeconds, SharedSeconds};

use crate::convert::file_of;

/// What is known of an item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Status {
    /// Collected, and not begun.
    Planned,
    /// Begun, and not ended.
    Running,
    /// It ran to its end.
    Ended(Outcome, Spent),
    /// Its process ended while it ran.
    Crashed(String),
    /// The run was stopped before it began or, by an interrupt, before it ended.
    NotRun,
}

/// What an item took, in which process.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    pub seconds: PhaseSeconds,
    /// The part of the setup that others in this process need as well.
    pub shared: Vec<SharedSeconds>,
    /// Attempts that failed before the one that counts.
    pub reruns: u32,
    /// Whether it has failed, and is quarantined.
    pub excused: bool,
    /// A number of the process that it ran in.
    pub process: u32,
}

impl Spent {
    /// Seconds without those that belong to the item's file or class.
    pub fn own(&self, address: &Address) -> PhaseSeconds {
        let file = file_of(&address.nodeid);
        let of_file: f64 = self
            .shared
            .iter()
            .filter(|shared| file_of(&shared.scope) == file)
            .map(|shared| shared.seconds)
            .sum();
        PhaseSeconds {
            setup: (self.seconds.setup - of_file).max(0.0),
            ..self.seconds
        }
    }
}

/// The items of a run, in collection order.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    items: Vec<(Address, Status)>,
    positions: HashMap<Address, u32>,
    imports: BTreeMap<String, f64>,
}

impl Ledger {
    /// The position of an item, which is new to the ledger if a later collection brought it.
    pub fn add(&mut self, address: &Address) -> u32 {
        if let Some(position) = self.position(address) {
            return position;
        }
        let position = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.positions.insert(address.clone(), position);
        self.items.push((address.clone(), Status::Planned));
        position
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn address(&self, task: u32) -> Option<&Address> {
        self.items.get(task as usize).map(|(address, _)| address)
    }

    pub fn position(&self, address: &Address) -> Option<u32> {
        self.positions.get(address).copied()
    }

    pub fn status(&self, task: u32) -> Option<&Status> {
        self.items.get(task as usize).map(|(_, status)| status)
    }

    pub fn started(&mut self, task: u32) {
        self.set(task, Status::Running, |status| *status == Status::Planned);
    }

    pub fn ended(&mut self, task: u32, outcome: Outcome, spent: Spent) {
        self.set(task, Status::Ended(outcome, spent), Status::is_open);
    }

    /// What a process has taken to collect each file. Of several that have collected for themselves, what the
    /// slowest took stands.
    pub fn imported(&mut self, files: Vec<(String, f64)>) {
        for (file, seconds) in files {
            let known = self.imports.entry(file).or_default();
            *known = known.max(seconds);
        }
    }

    pub fn crashed(&mut self, task: u32, reason: String) {
        self.set(task, Status::Crashed(reason), Status::is_open);
    }

    /// The run was stopped on purpose: what has not ended will not.
    pub fn stopped(&mut self) {
        for (_, status) in &mut self.items {
            if status.is_open() {
                *status = Status::NotRun;
            }
        }
    }

    /// The item that runs, in a session that runs one at a time.
    pub fn running(&self) -> Option<u32> {
        let position = self
            .items
            .iter()
            .position(|(_, status)| *status == Status::Running)?;
        u32::try_from(position).ok()
    }

    /// Items without a final status.
    pub fn open(&self) -> impl Iterator<Item = &Address> {
        self.items
            .iter()
            .filter(|(_, status)| status.is_open())
            .map(|(address, _)| address)
    }

    /// The node ids of what has not ended, stopped or not.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        let has_ended = |status: &Status| matches!(status, Status::Ended(..) | Status::Crashed(_));
        let left = self
            .items
            .iter()
            .filter(move |(_, status)| !has_ended(status));
        left.map(|(address, _)| address.nodeid.as_str())
    }

    /// The node id and the outcome of everything that ran; what crashed has failed.
    pub fn outcomes(&self) -> impl Iterator<Item = (String, Outcome)> {
        self.items.iter().filter_map(|(address, status)| {
            let outcome = match status {
                Status::Ended(outcome, _) => *outcome,
                Status::Crashed(_) => Outcome::Failed,
                Status::Planned | Status::Running | Status::NotRun => return None,
            };
            Some((address.nodeid.clone(), outcome))
        })
    }

    /// Every item, and what is known of it.
    pub fn statuses(&self) -> impl Iterator<Item = (&Address, &Status)> {
        self.items.iter().map(|(address, status)| (address, status))
    }

    /// Everything that ran to its end, with what it cost.
    pub fn durations(&self) -> impl Iterator<Item = (&Address, &Spent)> {
        self.items
            .iter()
            .filter_map(|(address, status)| match status {
                Status::Ended(_, spent) => Some((address, spent)),
                _ => None,
            })
    }

    /// Files that were collected, with the seconds that took.
    pub fn imports(&self) -> impl Iterator<Item = (&str, f64)> {
        let imports = self.imports.iter();
        imports.map(|(file, seconds)| (file.as_str(), *seconds))
    }

    /// Seconds that fixtures took which another process had set up already.
    pub fn set_up_again(&self) -> f64 {
        let all = self.durations().flat_map(|(_, spent)| &spent.shared);
        let all: f64 = all.map(|shared| shared.seconds).sum();
        let once: f64 = self.shared().map(|(_, seconds)| seconds).sum();
        (all - once).max(0.0)
    }

    /// Node ids of scopes, with the seconds that fixtures of each took in the process that spent most on them.
    /// Those of a file and of its classes begin with its node id; others are of packages, or of the session.
    pub fn shared(&self) -> impl Iterator<Item = (&str, f64)> {
        let mut of_processes: BTreeMap<(&str, u32), f64> = BTreeMap::new();
        for (_, spent) in self.durations() {
            for shared in &spent.shared {
                let key = (shared.scope.as_str(), spent.process);
                *of_processes.entry(key).or_default() += shared.seconds;
            }
        }
        let mut most: BTreeMap<&str, f64> = BTreeMap::new();
        for ((scope, _), seconds) in of_processes {
            let known = most.entry(scope).or_default();
            *known = known.max(seconds);
        }
        most.into_iter()
    }

    /// The first final status stands: a late message changes nothing.
    fn set(&mut self, task: u32, status: Status, allowed: impl Fn(&Status) -> bool) {
        if let Some((_, current)) = self.items.get_mut(task as usize)
            && allowed(current)
        {
            *current = status;
        }
    }
}

impl Status {
    fn is_open(&self) -> bool {
        matches!(self, Status::Planned | Status::Running)
    }
}

/// What to say about items that nobody accounts for.
pub(crate) fn unaccounted(open: &[&Address]) -> Option<String> {
    let first: Vec<&str> = open
        .iter()
        .take(5)
        .map(|address| address.nodeid.as_str())
        .collect();
    let more = open.len().saturating_sub(first.len());
    match open.len() {
        0 => None,
        count => Some(format!(
            "{count} test{} without a result: {}{}",
            if count == 1 { "" } else { "s" },
            first.join(", "),
            if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            },
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(nodeid: &str) -> Address {
        Address {
            nodeid: nodeid.to_owned(),
            nth: 0,
        }
    }

    fn ledger(names: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for name in names {
            ledger.add(&address(name));
        }
        ledger
    }

    fn spent(setup: f64, shared: &[(&str, f64)], process: u32) -> Spent {
        let shared = shared.iter().map(|(scope, seconds)| SharedSeconds {
            scope: (*scope).to_owned(),
            seconds: *seconds,
        });
        Spent {
            seconds: PhaseSeconds {
                setup,
                call: 0.25,
                teardown: 0.5,
            },
            shared: shared.collect(),
            process,
            ..Spent::default()
        }
    }

    #[test]
    fn each_item_has_one_final_status() {
        let mut ledger = ledger(&["a", "b", "c"]);
        ledger.started(0);
        ledger.ended(0, Outcome::Passed, Spent::default());
        ledger.crashed(0, "late".into());
        ledger.started(1);
        ledger.crashed(1, "signal".into());
        ledger.ended(1, Outcome::Passed, Spent::default());
        assert!(matches!(
            ledger.status(0),
            Some(Status::Ended(Outcome::Passed, _))
        ));
        assert_eq!(ledger.status(1), Some(&Status::Crashed("signal".into())));
        assert_eq!(
            ledger.open().map(|a| a.nodeid.as_str()).collect::<Vec<_>>(),
            ["c"]
        );
        ledger.stopped();
        assert_eq!(ledger.open().count(), 0);
    }

    #[test]
    fn what_is_shared_is_not_an_items_own() {
        for (shared, setup) in [
            (&[][..], 8.0),
            (&[("a/b.py", 1.0), ("a/b.py::C", 2.0)], 5.0),
            (
                &[("", 1.0), ("a", 1.0), ("a/b.pyx", 1.0), ("a/c.py", 1.0)],
                8.0,
            ),
            (&[("a/b.py", 9.0)], 0.0),
        ] {
            let own = spent(8.0, shared, 0).own(&address("a/b.py::C::t"));
            assert_eq!(own, spent(setup, &[], 0).seconds, "{shared:?}");
        }
    }

    #[test]
    fn what_a_scope_costs_is_what_a_process_has_spent_on_it() {
        let mut ledger = ledger(&["a.py::x", "a.py::y", "a.py::z", "b.py::x"]);
        let of_items = [
            spent(0.0, &[("a.py", 1.0), ("", 4.0)], 0),
            spent(0.0, &[("a.py", 2.0)], 1),
            spent(0.0, &[("a.py", 2.0)], 0),
            spent(0.0, &[("b.py", 1.0), ("", 5.0)], 1),
        ];
        for (task, spent) in (0..).zip(of_items) {
            ledger.ended(task, Outcome::Passed, spent.clone());
            ledger.ended(task, Outcome::Passed, spent);
        }
        let shared: Vec<_> = ledger.shared().collect();
        assert_eq!(shared, [("", 5.0), ("a.py", 3.0), ("b.py", 1.0)]);
    }

    #[test]
    fn of_several_imports_of_a_file_the_slowest_counts() {
        let mut ledger = ledger(&["a.py::x"]);
        for seconds in [1.0, 3.0, 2.0] {
            ledger.imported(vec![("a.py".to_owned(), seconds)]);
        }
        assert_eq!(ledger.imports().collect::<Vec<_>>(), [("a.py", 3.0)]);
    }

    #[test]
    fn what_nobody_accounts_for_is_named() {
        let ledger = ledger(&["a", "b", "c", "d", "e", "f"]);
        let open: Vec<_> = ledger.open().collect();
        assert_eq!(
            unaccounted(&open).as_deref(),
            Some("6 tests without a result: a, b, c, d, e and 1 more")
        );
        assert_eq!(unaccounted(&[]), None);
    }
}
