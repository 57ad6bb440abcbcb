//! What becomes of a session when one of its processes ends.

use rpytest_worker::{End, ProcessEnd, ProcessId};

use super::timing::Stage;
use super::{Crash, Part, Session, describe, listening};
use crate::exit;
use crate::ledger::Ledger;
use crate::settings::Snapshot;

impl Session {
    /// What is told of the item that a process ran when it ended.
    pub(super) fn crash(&mut self, process: ProcessId, end: &End) -> Crash {
        match self.limits.ended(process, end) {
            Some((limit, stacks)) => Crash {
                reason: stacks,
                limit: Some(limit),
            },
            None => describe(end).into(),
        }
    }

    /// A process other than host and controller is no more.
    pub(super) fn lost(&mut self, process: ProcessId, crash: Crash, end: Option<&End>) {
        if self.template == Some(process) {
            self.template = None;
        }
        if let Part::Crew(crew) = &mut self.part {
            crew.ended(&self.processes, process, &crash, end);
            if let Some(progress) = &mut self.progress {
                progress.gone(process);
            }
            if let Some(stream) = &mut self.stream {
                listening::tell_of_losses(crew, stream);
            }
            if crew.is_done() {
                self.timing.ended(Stage::Teardown);
            }
        }
    }

    pub(super) fn controller_ended(&mut self, end: &End, crash: Crash) {
        if let Some(code) = self.over {
            let code = self.checked(code);
            self.exit.get_or_insert(code);
            return;
        }
        if let Some(reason) = self.again.take()
            && !self.interrupts.any()
        {
            return self.start_over(&reason);
        }
        let reason = crash.of_the_item();
        let running = self.ledger().and_then(Ledger::running);
        if let Part::Solo(solo) = &mut self.part
            && let Some(settled) = solo.crashed(crash)
            && !self.interrupts.any()
        {
            if let Some(progress) = &mut self.progress {
                progress.erase();
                progress.gone(self.controller);
            }
            if let Some(stream) = &mut self.stream {
                listening::tell_of_crash(solo.ledger(), running, stream, &reason);
            }
            self.controller = self.start_controller(settled);
            return;
        }
        if self.interrupts.have_come() {
            // It has not come to its own end, where pytest says so.
            self.interrupted();
            return;
        }
        if let Some(stream) = &mut self.stream {
            stream.lost(None, &reason);
        }
        self.clear_the_terminal();
        eprintln!("rpytest: error: the session's process {end}; no further test was run");
        if let Some(text) = &end.crash_text {
            eprintln!("{text}");
        }
        let code = match end.status {
            ProcessEnd::Code(code) if code != 0 => {
                u8::try_from(code).unwrap_or(exit::INTERNAL_ERROR)
            }
            _ => exit::INTERNAL_ERROR,
        };
        self.exit.get_or_insert(code);
    }

    /// The run ends by an interrupt of which nobody else has said anything.
    pub(super) fn interrupted(&mut self) {
        if self.exit.is_none() {
            self.clear_the_terminal();
            eprintln!("rpytest: interrupted");
            self.exit = Some(exit::INTERRUPTED);
        }
    }

    /// Nothing of the tests has run yet.
    pub(super) fn start_over(&mut self, reason: &str) {
        eprintln!(
            "rpytest: no fixtures are reused: {reason}; the run begins again in a new process"
        );
        match self
            .processes
            .supervisor
            .spawn_host(&self.processes.interpreter)
        {
            Ok(host) => {
                self.processes.host = host;
                self.processes.is_lent = false;
                self.processes.keeps_fixtures = false;
                self.processes.host_forks = self.processes.snapshot != Snapshot::Off;
                self.part = Part::Undecided;
                if let Some(stream) = &mut self.stream {
                    stream.begins_again();
                }
                self.controller = self.start_controller(Vec::new());
            }
            Err(error) => {
                eprintln!("rpytest: error: failed to {error}");
                self.exit.get_or_insert(exit::INTERNAL_ERROR);
            }
        }
    }

    /// The session's exit code, unless an item was lost on the way to it.
    pub(super) fn checked(&self, code: i32) -> u8 {
        let code = u8::try_from(code).unwrap_or(exit::INTERNAL_ERROR);
        let unaccounted = match &self.part {
            Part::Solo(solo) => solo.unaccounted(),
            // The crew has told the controller, which has told the user.
            Part::Crew(_) | Part::Undecided => None,
        };
        match unaccounted {
            Some(message) if code <= 1 => {
                eprintln!("rpytest: error: {message}");
                exit::INTERNAL_ERROR
            }
            _ => code,
        }
    }

    pub(super) fn host_ended(&mut self, end: &End) {
        self.processes.host_forks = false;
        self.interrupts.has_no_host();
        if self.over.is_none() && !end.by_supervisor {
            tracing::warn!("the host {end}");
        }
    }
}
