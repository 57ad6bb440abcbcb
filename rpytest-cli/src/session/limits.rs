//! How long items may take, and what becomes of processes in which one takes longer.
//!
//! A process says what holds for its items, and for how long they run is known from what it tells anyway. What a
//! process could do about a test that takes too long it has done by then: nothing here takes part in it, so that
//! nothing that a test does can be in the way.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rpytest_ipc::ToRust;
use rpytest_worker::{End, ProcessId, Signal, Supervisor};

/// How long a process has to write down the stacks of its threads.
const STACKS: Duration = Duration::from_millis(700);

/// How long whoever is asked to end a session that takes too long has for it.
const GRACE: Duration = Duration::from_secs(10);

/// The limits of a run's processes.
#[derive(Debug, Default)]
pub(super) struct Limits {
    processes: HashMap<ProcessId, Watched>,
    session: Option<Duration>,
}

#[derive(Debug, Default)]
struct Watched {
    limit: Option<Limit>,
    /// Since when an item runs, or since when another limit holds for it.
    since: Option<Instant>,
    /// When it was asked for the stacks of its threads; it ends after that, whatever it does.
    asked: Option<Instant>,
    killed: bool,
}

#[derive(Clone, Debug)]
struct Limit {
    time: Duration,
    reason: String,
}

/// What is to be done about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Ask,
    Kill,
}

impl Limits {
    /// Takes note of what a process says.
    pub fn hear(&mut self, process: ProcessId, message: &ToRust, now: Instant) {
        match message {
            ToRust::Limit { seconds, reason } => {
                let watched = self.processes.entry(process).or_default();
                let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                watched.limit = time.map(|time| Limit {
                    time,
                    reason: reason.clone(),
                });
                if watched.since.is_some() {
                    watched.since = Some(now);
                }
                // It has a mind of its own again: it had been suspended, say.
                watched.asked = None;
            }
            ToRust::Started { .. } => {
                self.processes.entry(process).or_default().since = Some(now);
            }
            ToRust::Result { .. } => {
                if let Some(watched) = self.processes.get_mut(&process) {
                    watched.since = None;
                    watched.asked = None;
                }
            }
            _ => {}
        }
    }

    /// Asks, and ends, those processes for which it is time.
    pub fn enforce(&mut self, supervisor: &Supervisor, now: Instant) {
        for (process, deed) in self.due(now) {
            match deed {
                Deed::Ask => supervisor.kill(process, Signal::Stacks),
                Deed::Kill => supervisor.kill_all_of(process),
            }
        }
    }

    fn due(&mut self, now: Instant) -> Vec<(ProcessId, Deed)> {
        let mut due = Vec::new();
        for (&process, watched) in &mut self.processes {
            if watched.killed {
                continue;
            }
            if let Some(asked) = watched.asked {
                if now >= asked + STACKS {
                    watched.killed = true;
                    due.push((process, Deed::Kill));
                }
            } else if let (Some(limit), Some(since)) = (&watched.limit, watched.since)
                && now.saturating_duration_since(since) >= limit.time
            {
                watched.asked = Some(now);
                due.push((process, Deed::Ask));
            }
        }
        due
    }

    /// A process has ended. If it was ended here: which limit its item has exceeded, and the stacks that it left.
    pub fn ended(&mut self, process: ProcessId, end: &End) -> Option<(String, String)> {
        let watched = self.processes.remove(&process)?;
        if !watched.killed || !end.by_supervisor {
            return None;
        }
        let stacks = end.crash_text.clone().unwrap_or_else(|| {
            "It has not written down what its threads do: it takes no signals.".to_owned()
        });
        Some((watched.limit?.reason, stacks))
    }

    /// Whether an item runs, which the end of a session's time does not interrupt.
    fn is_busy(&self) -> bool {
        (self.processes.values()).any(|watched| watched.since.is_some())
    }

    /// The session may take so long.
    pub fn of_session(&mut self, seconds: Option<f64>) {
        self.session = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    }

    /// What is to be said of a session that took so long, if nobody else will end it: no item runs whose end would.
    pub fn is_over(&self, took: Duration) -> Option<String> {
        let limit = self.session?;
        (took >= limit + GRACE && !self.is_busy())
            .then(|| format!("session-timeout: {:?} sec exceeded", limit.as_secs_f64()))
    }

    /// Whether what was done about that has had its time.
    pub fn is_long_over(&self, took: Duration) -> bool {
        self.session
            .is_some_and(|limit| took >= limit + 2 * GRACE && !self.is_busy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpytest_ipc::{Outcome, PhaseSeconds};

    const ONE: ProcessId = ProcessId(1);

    fn limit(seconds: Option<f64>) -> ToRust {
        ToRust::Limit {
            seconds,
            reason: "too long".to_owned(),
        }
    }

    fn result() -> ToRust {
        ToRust::Result {
            task: 0,
            outcome: Outcome::Passed,
            seconds: PhaseSeconds::default(),
            payload: serde_bytes::ByteBuf::new(),
            shared: Vec::new(),
            reruns: 0,
            excused: false,
        }
    }

    #[test]
    fn a_limit_holds_for_each_item() {
        let mut limits = Limits::default();
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        limits.hear(ONE, &limit(Some(5.0)), at(0));
        assert_eq!(limits.due(at(100)), [], "nothing runs");
        limits.hear(ONE, &ToRust::Started { task: 0 }, at(100));
        limits.hear(ONE, &result(), at(104));
        limits.hear(ONE, &ToRust::Started { task: 1 }, at(104));
        assert_eq!(limits.due(at(108)), []);
        assert_eq!(limits.due(at(109)), [(ONE, Deed::Ask)]);
        assert_eq!(limits.due(at(109)), []);
        assert_eq!(limits.due(at(110)), [(ONE, Deed::Kill)]);
        assert_eq!(limits.due(at(111)), []);
    }

    #[test]
    fn another_limit_counts_from_when_it_was_told() {
        let mut limits = Limits::default();
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        limits.hear(ONE, &limit(Some(5.0)), at(0));
        limits.hear(ONE, &ToRust::Started { task: 0 }, at(0));
        limits.hear(ONE, &limit(Some(5.0)), at(4));
        assert_eq!(limits.due(at(8)), []);
        limits.hear(ONE, &limit(None), at(8));
        assert_eq!(limits.due(at(100)), []);
    }

    #[test]
    fn a_session_is_over_when_nothing_runs() {
        let mut limits = Limits::default();
        assert_eq!(limits.is_over(Duration::from_secs(1000)), None);
        limits.of_session(Some(60.0));
        let long = Duration::from_secs(71);
        assert_eq!(
            limits.is_over(long).as_deref(),
            Some("session-timeout: 60.0 sec exceeded")
        );
        assert!(!limits.is_long_over(long));
        limits.hear(ONE, &ToRust::Started { task: 0 }, Instant::now());
        assert_eq!(limits.is_over(long), None);
    }
}
