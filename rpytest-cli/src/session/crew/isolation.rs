//! What it costs to run each test, or each file, in a process of its own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rpytest_worker::ProcessId;

/// What is known of the processes of a run, one after the other.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    begun: HashMap<ProcessId, Instant>,
    finished: HashMap<ProcessId, Instant>,
    processes: u32,
    /// From the wish for a process to its first word.
    starting: Duration,
    ended: u32,
    /// From its last word to its end.
    ending: Duration,
}

impl Isolation {
    /// A process was asked for.
    pub fn begun(&mut self, process: ProcessId, now: Instant) {
        self.begun.insert(process, now);
    }

    /// It is there.
    pub fn ready(&mut self, process: ProcessId, now: Instant) {
        if let Some(begun) = self.begun.remove(&process) {
            self.processes += 1;
            self.starting += now.saturating_duration_since(begun);
        }
    }

    /// Its session is over.
    pub fn finished(&mut self, process: ProcessId, now: Instant) {
        self.finished.insert(process, now);
    }

    /// It is no more.
    pub fn ended(&mut self, process: ProcessId, now: Instant) {
        if let Some(finished) = self.finished.remove(&process) {
            self.ended += 1;
            self.ending += now.saturating_duration_since(finished);
        }
    }

    /// In one line, with the seconds that wider fixtures took which were set up before.
    pub fn line(&self, set_up_again: f64) -> String {
        let each = |total: f64, count: u32| 1000.0 * total / f64::from(count.max(1));
        let Self {
            processes, ended, ..
        } = *self;
        format!(
            "isolation: {processes} process{}; each took {:.1} ms to start, {:.1} ms to set up wider fixtures again, {:.1} ms to end",
            if processes == 1 { "" } else { "es" },
            each(self.starting.as_secs_f64(), processes),
            each(set_up_again, processes),
            each(self.ending.as_secs_f64(), ended),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_process_took_is_told() {
        let mut isolation = Isolation::default();
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        for (process, took) in [(1, 2), (2, 4)] {
            let process = ProcessId(process);
            isolation.begun(process, at(0));
            isolation.ready(process, at(took));
            isolation.ready(process, at(100));
            isolation.finished(process, at(100));
        }
        isolation.ended(ProcessId(1), at(105));
        assert_eq!(
            isolation.line(0.05),
            "isolation: 2 processes; each took 3.0 ms to start, 25.0 ms to set up wider fixtures again, 5.0 ms to end"
        );
    }
}
