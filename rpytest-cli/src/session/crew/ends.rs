//! What becomes of a crew when one of its processes ends.

use std::time::Instant;

use rpytest_ipc::{Event, ToPython};
use rpytest_sched::TaskId;
use rpytest_worker::{End, ProcessId};

use super::feed::Feed;
use super::{Crash, Crew, Loss, Processes, Stage, Worker, name, tell};
use crate::ledger::unaccounted;

/// Workers that may end before any of them has finished an item, before the run is given up.
const FRUITLESS: u32 = 3;

impl Crew {
    /// A process that is not the controller has ended, or never came to be.
    pub fn ended(
        &mut self,
        processes: &Processes,
        process: ProcessId,
        crash: &Crash,
        end: Option<&End>,
    ) {
        self.isolation.ended(process, Instant::now());
        if self.template == Some(process) {
            self.template_ended(processes, &crash.reason, end);
        } else if let Some(worker) = self.workers.remove(&process) {
            self.worker_ended(processes, &worker, crash);
        }
        self.check_done(processes);
    }

    pub(super) fn template_ended(
        &mut self,
        processes: &Processes,
        reason: &str,
        end: Option<&End>,
    ) {
        self.template = None;
        self.shared = false;
        let by_itself = end.is_some_and(
            |end| matches!(end.status, rpytest_worker::ProcessEnd::Code(code) if code != 0),
        );
        if self.feed.is_none() {
            // With an exit code it has said what there is to say, or will not have: the controller
            // knows whether it was told.
            if !by_itself && self.stop.is_none() && !self.interrupted {
                self.problem = Some(format!("the process that collects was lost: {reason}"));
            }
            self.finish(processes);
        }
    }

    pub(super) fn worker_ended(&mut self, processes: &Processes, worker: &Worker, crash: &Crash) {
        let reason = &crash.reason;
        if worker.stage == Stage::Waiting {
            // Nobody knows of it yet.
            if worker.output.is_none() {
                self.fruitless += 1;
            }
            return;
        }
        let Some(feed) = &mut self.feed else { return };
        let in_order = worker.output.is_some();
        let lost = feed.ended(worker.id, in_order);
        if worker.interrupted && !self.stopped() {
            // One of its tests ended the session (`-x`, `pytest.exit`). The controller knows, but may
            // not have said so yet, and by then another worker would have gone on.
            self.stop = Some("interrupted".into());
            self.stop_workers(processes);
        }
        if let Some(TaskId(task)) = lost {
            // An interrupt leaves the item that it struck without a result, as in pytest.
            if !worker.interrupted && !self.interrupted {
                self.ledger.crashed(task, reason.to_owned());
                self.losses.push(Loss {
                    worker: worker.name.clone(),
                    task: Some(task),
                    reason: crash.of_the_item(),
                });
                let event = Event::Crashed {
                    task,
                    reason: reason.to_owned(),
                    limit: crash.limit.clone(),
                };
                tell(processes, &worker.name, event);
            }
        }
        if !in_order && worker.stage != Stage::Finished && !self.interrupted {
            self.crashes += 1;
            if lost.is_none() {
                self.losses.push(Loss {
                    worker: worker.name.clone(),
                    task: None,
                    reason: reason.to_owned(),
                });
            }
            self.fruitless = if lost.is_some() {
                0
            } else {
                self.fruitless + 1
            };
            if lost.is_none() && worker.told_to_finish && self.stop.is_none() {
                self.problem = Some(format!(
                    "worker {:?}, after its last test: {reason}",
                    worker.name
                ));
            }
        }
        let stranded = self.feed.as_ref().is_some_and(Feed::is_stranded);
        // With isolation: the next process of the same worker. To the suite it is the same `gw0`.
        let next = (self.workers.values())
            .any(|other| other.number == worker.number && other.stage != Stage::Finished);
        let successor = match (stranded && self.may_replace(), self.isolates()) {
            _ if next => None,
            (false, _) => None,
            (true, true) => Some(worker.number),
            (true, false) => Some(self.free_number()),
        };
        let event = Event::Down {
            payload: worker.output.clone(),
            error: (!in_order).then(|| reason.to_owned()),
            replaced_by: successor
                .filter(|number| *number != worker.number)
                .map(name),
        };
        tell(processes, &worker.name, event);
        if next {
            tell(processes, &worker.name, Event::Up {});
            self.promote(processes, worker.number);
        } else if successor.is_some() {
            self.add_worker(processes, successor);
        } else if stranded && self.workers.is_empty() && !self.stopped() {
            self.problem
                .get_or_insert_with(|| match self.settings.restarts {
                    Some(limit) if self.crashes > limit => {
                        format!("more than {limit} workers crashed (--max-worker-restart)")
                    }
                    _ => format!("workers crash before they run a test: {reason}"),
                });
        }
        self.feed_all(processes);
    }

    /// Whether another worker may be started for one that ended.
    pub(super) fn may_replace(&self) -> bool {
        let limit = self.settings.restarts.unwrap_or(u32::MAX);
        !self.stopped() && self.crashes <= limit && self.fruitless < FRUITLESS
    }

    pub(super) fn check_done(&mut self, processes: &Processes) {
        if self.feed.is_some() && self.workers.is_empty() {
            self.finish(processes);
        }
    }

    /// Nobody works any more: tell the controller, with what went wrong, if anything did.
    pub(super) fn finish(&mut self, processes: &Processes) {
        if self.done {
            return;
        }
        self.done = true;
        if self.shared
            && let Some(template) = self.template
        {
            // Nobody will be forked from it any more, and it takes a moment to end.
            processes.send(template, &ToPython::Shutdown {});
        }
        if self.stopped() {
            self.ledger.stopped();
        }
        let open: Vec<_> = self.ledger.open().collect();
        let error = match (self.problem.take(), unaccounted(&open)) {
            (Some(problem), Some(missing)) => Some(format!("{problem}; {missing}")),
            (problem, missing) => problem.or(missing),
        };
        tell(processes, "", Event::Done { error });
    }
}
