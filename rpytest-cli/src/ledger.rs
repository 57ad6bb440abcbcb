//! One final status for every planned item.
//!
//! The ledger is told what happens to each item and tells, at the end, which items nobody accounts
//! for. It neither waits nor prints.

use std::collections::HashMap;

use rpytest_ipc::{Address, Outcome, PhaseSeconds};

/// What is known of an item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Status {
    /// Collected, and not begun.
    Planned,
    /// Begun, and not ended.
    Running,
    /// It ran to its end.
    Ended(Outcome, PhaseSeconds),
    /// Its process ended while it ran.
    Crashed(String),
    /// The run was stopped before it began or, by an interrupt, before it ended.
    NotRun,
}

/// The items of a run, in collection order.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    items: Vec<(Address, Status)>,
    positions: HashMap<Address, u32>,
}

impl Ledger {
    pub fn new(addresses: impl IntoIterator<Item = Address>) -> Self {
        let mut ledger = Ledger::default();
        for address in addresses {
            ledger.add(&address);
        }
        ledger
    }

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

    pub fn ended(&mut self, task: u32, outcome: Outcome, seconds: PhaseSeconds) {
        self.set(task, Status::Ended(outcome, seconds), Status::is_open);
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
    pub fn durations(&self) -> impl Iterator<Item = (&Address, PhaseSeconds)> {
        self.items
            .iter()
            .filter_map(|(address, status)| match status {
                Status::Ended(_, seconds) => Some((address, *seconds)),
                _ => None,
            })
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

    fn ledger(names: &[&str]) -> Ledger {
        Ledger::new(names.iter().map(|name| Address {
            nodeid: (*name).to_owned(),
            nth: 0,
        }))
    }

    #[test]
    fn each_item_has_one_final_status() {
        let mut ledger = ledger(&["a", "b", "c"]);
        ledger.started(0);
        ledger.ended(0, Outcome::Passed, PhaseSeconds::default());
        ledger.crashed(0, "late".into());
        ledger.started(1);
        ledger.crashed(1, "signal".into());
        ledger.ended(1, Outcome::Passed, PhaseSeconds::default());
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
