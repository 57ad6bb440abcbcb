//! What of the messages of a session those are told who listen to it.

use std::time::Instant;

use rpytest_ipc::ToRust;
use rpytest_worker::{EventKind, ProcessId};

use super::crew::Crew;
use super::{Part, Session};
use crate::events::{Stream, Test};
use crate::exit;
use crate::ledger::Ledger;

impl Session {
    /// Looks at what comes, before anybody does something about it. What only listeners want is taken out.
    pub(super) fn listen(&mut self, process: ProcessId, kind: &mut EventKind) {
        let EventKind::Message(message) = kind else {
            return;
        };
        if let Some(progress) = &mut self.progress {
            match message {
                ToRust::Started { task, .. } => {
                    if let Some(test) = test(&self.part, process, *task) {
                        progress.started(process, test.address, Instant::now());
                    }
                }
                ToRust::Result {
                    outcome, seconds, ..
                } => {
                    let spent = seconds.setup + seconds.call + seconds.teardown;
                    progress.ended(process, *outcome, spent);
                }
                _ => {}
            }
        }
        let Some(stream) = &mut self.stream else {
            return;
        };
        match message {
            ToRust::Told { told } if process == self.controller => {
                std::mem::take(told)
                    .into_iter()
                    .for_each(|told| stream.told(told));
            }
            ToRust::Started { task, .. } => {
                if let Some(test) = test(&self.part, process, *task) {
                    stream.started(test);
                }
            }
            ToRust::Result {
                task,
                outcome,
                seconds,
                story,
                ..
            } => {
                if let Some(test) = test(&self.part, process, *task) {
                    let story = story.take().map(|story| *story);
                    stream.ended(test, *outcome, *seconds, story);
                }
            }
            _ => {}
        }
    }

    /// The run is over with this code. Who could not be told of it to its end was promised otherwise: then the run has
    /// failed, whatever its tests say.
    pub(super) fn end_stream(&mut self, code: u8) -> u8 {
        let Some(stream) = self.stream.take() else {
            return code;
        };
        let signals = &self.interrupts;
        // Who has interrupted twice waits for nothing.
        let gives_up = || signals.asked_to_end() || signals.count() > 1;
        let errors = stream.end(code, &gives_up);
        for error in &errors {
            eprintln!("rpytest: error: failed to {error}");
        }
        match code {
            0 | 1 if !errors.is_empty() => exit::INTERNAL_ERROR,
            code => code,
        }
    }
}

/// The test that a process has this number for.
fn test(part: &Part, process: ProcessId, task: u32) -> Option<Test<'_>> {
    let (address, worker) = match part {
        Part::Solo(solo) => (solo.address(task)?, None),
        Part::Crew(crew) => (crew.ledger().address(task)?, Some(crew.name_of(process)?)),
        Part::Undecided => return None,
    };
    Some(Test { address, worker })
}

/// Workers have died.
pub(super) fn tell_of_losses(crew: &mut Crew, stream: &mut Stream) {
    for loss in crew.losses() {
        let address = loss.task.and_then(|task| crew.ledger().address(task));
        let worker = Some(loss.worker.as_str());
        match address {
            Some(address) => stream.crashed(Test { address, worker }, &loss.reason),
            None => stream.lost(worker, &loss.reason),
        }
    }
}

/// A controller that runs its tests itself has died in one of them, and another takes over.
pub(super) fn tell_of_crash(
    ledger: &Ledger,
    running: Option<u32>,
    stream: &mut Stream,
    reason: &str,
) {
    if let Some(address) = running.and_then(|task| ledger.address(task)) {
        let worker = None;
        stream.crashed(Test { address, worker }, reason);
    }
    stream.is_taken_over();
}
