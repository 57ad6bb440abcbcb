//! Processes that rewrite assertions ahead of a session that has many to rewrite.

use std::thread::available_parallelism;

use rpytest_ipc::{Sources, ToPython};
use rpytest_worker::{ProcessId, Signal, Supervisor};

use super::Processes;

/// There is little left for more of them.
const MOST: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Helpers {
    processes: Vec<ProcessId>,
    kept: u64,
    made: u64,
    refusal: Option<String>,
}

impl Helpers {
    /// Whether a process is one of them: nobody waits for them, and none is missed.
    pub(super) fn has(&self, process: ProcessId) -> bool {
        self.processes.contains(&process)
    }

    /// One for each processor that the session does not use, unless they are there.
    pub(super) fn start(&mut self, processes: &Processes, sources: &Sources) {
        // A host in which fixtures are kept is the session itself.
        if !self.processes.is_empty() || !processes.host_forks || processes.keeps_fixtures {
            return;
        }
        let others = available_parallelism().map_or(0, |all| all.get() - 1);
        let count = u32::try_from(others.min(MOST)).unwrap_or(0);
        for share in 0..count {
            let process = processes.supervisor.fork(processes.host);
            let sources = sources.clone();
            let of = count;
            processes.send(process, &ToPython::Rewrite { sources, share, of });
            self.processes.push(process);
        }
    }

    /// The session has what it needs.
    pub(super) fn are_done(
        &mut self,
        supervisor: &Supervisor,
        kept: u32,
        made: u32,
        refusal: Option<String>,
    ) {
        for process in &self.processes {
            supervisor.kill(*process, Signal::Kill);
        }
        self.kept += u64::from(kept);
        self.made += u64::from(made);
        self.refusal = self.refusal.take().or(refusal);
    }

    /// For `--explain`.
    pub(super) fn notes(&self) -> Vec<String> {
        let Helpers { kept, made, .. } = self;
        let mut notes = Vec::new();
        if kept + made > 0 {
            notes.push(format!(
                "of {} modules without bytecode {kept} had been rewritten before, for {made} it was done now",
                kept + made
            ));
        }
        if let Some(refusal) = &self.refusal {
            notes.push(format!("no rewritten assertions are kept: {refusal}"));
        }
        notes
    }
}
