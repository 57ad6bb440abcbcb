//! The items of a controller that runs its tests itself.
//!
//! pytest's own loop decides what runs; here it is only written down, so that a controller that
//! takes over from a crashed one knows what is settled.

use std::collections::HashMap;

use rpytest_ipc::{Settled, ToRust};
use serde_bytes::ByteBuf;

use super::Crash;
use crate::ledger::{Ledger, Spent, Status, unaccounted};

#[derive(Default)]
pub(super) struct Solo {
    ledger: Ledger,
    payloads: Vec<Option<ByteBuf>>,
    /// From the numbers that the present controller uses to the ledger's.
    numbers: Vec<u32>,
    /// How many have crashed before it.
    crashes: u32,
    stopped: bool,
    /// Which limits crashed items had exceeded, if they had.
    limits: HashMap<u32, String>,
}

impl Solo {
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn says(&mut self, message: ToRust) {
        match message {
            ToRust::Inventory { items, .. } => {
                self.numbers = items
                    .iter()
                    .map(|item| self.ledger.add(&item.address))
                    .collect();
                self.payloads.resize(self.ledger.len(), None);
            }
            ToRust::Started { task } => {
                if let Some(task) = self.number(task) {
                    self.ledger.started(task);
                }
            }
            ToRust::Result {
                task,
                outcome,
                seconds,
                payload,
                shared,
                reruns,
                excused,
            } => {
                if let Some(task) = self.number(task) {
                    let spent = Spent {
                        seconds,
                        shared,
                        reruns,
                        excused,
                        process: self.crashes,
                    };
                    self.ledger.ended(task, outcome, spent);
                    if let Some(place) = self.payloads.get_mut(task as usize) {
                        *place = Some(payload);
                    }
                }
            }
            ToRust::Imported { files } => self.ledger.imported(files),
            ToRust::StopRun { reason } => {
                tracing::debug!(reason, "the session stops");
                self.stopped = true;
            }
            message => tracing::debug!(?message, "of no use without workers"),
        }
    }

    fn number(&self, task: u32) -> Option<u32> {
        self.numbers.get(task as usize).copied()
    }

    /// The controller has died. If an item was running, that one is settled, too, and this is what
    /// another controller must know; if none was, there is no way to go on.
    pub fn crashed(&mut self, crash: Crash) -> Option<Vec<Settled>> {
        let task = self.ledger.running()?;
        self.ledger.crashed(task, crash.reason);
        if let Some(limit) = crash.limit {
            self.limits.insert(task, limit);
        }
        self.crashes += 1;
        let mut settled = Vec::new();
        for task in 0..u32::try_from(self.ledger.len()).unwrap_or(u32::MAX) {
            let Some(address) = self.ledger.address(task) else {
                continue;
            };
            let (payload, crash) = match self.ledger.status(task) {
                Some(Status::Ended(..)) => {
                    (self.payloads.get(task as usize).cloned().flatten(), None)
                }
                Some(Status::Crashed(reason)) => (None, Some(reason.clone())),
                _ => continue,
            };
            settled.push(Settled {
                address: address.clone(),
                payload,
                crash,
                limit: self.limits.get(&task).cloned(),
            });
        }
        Some(settled)
    }

    /// What to say if the session ended in order, and yet an item has no result.
    pub fn unaccounted(&self) -> Option<String> {
        if self.stopped {
            return None;
        }
        unaccounted(&self.ledger.open().collect::<Vec<_>>())
    }
}
