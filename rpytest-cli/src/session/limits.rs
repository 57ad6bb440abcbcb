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

/// How long a process that has said that it is done has to end: a thread of its test's may go on. xdist gives
/// its workers as long.
const LEAVE: Duration = Duration::from_secs(10);

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
    /// Since when it has nothing more to do.
    finished: Option<Instant>,
    killed: bool,
}

impl Watched {
    /// The reason, if it was ended for its limit.
    fn exceeded(self, by_supervisor: bool) -> Option<String> {
        if self.finished.is_some() || self.asked.is_none() || !by_supervisor {
            return None;
        }
        Some(self.limit?.reason)
    }
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
    /// What a test has started may outlive its process, as it does one that ends by itself.
    KillAlone,
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
            ToRust::Finished { .. } => {
                let watched = self.processes.entry(process).or_default();
                watched.finished = Some(now);
                watched.since = None;
                watched.asked = None;
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
                Deed::KillAlone => supervisor.kill(process, Signal::Kill),
            }
        }
    }

    fn due(&mut self, now: Instant) -> Vec<(ProcessId, Deed)> {
        let mut due = Vec::new();
        for (&process, watched) in &mut self.processes {
            if watched.killed {
                continue;
            }
            if let Some(finished) = watched.finished {
                if now >= finished + LEAVE {
                    watched.killed = true;
                    due.push((process, Deed::KillAlone));
                }
            } else if let Some(asked) = watched.asked {
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
        let stacks = end.crash_text.clone().unwrap_or_else(|| {
            let why = if watched.killed {
                "it takes no signals"
            } else {
                // The test has changed what the signal does.
                "the request to do so has ended it"
            };
            format!("It has not written down what its threads do: {why}.")
        });
        Some((watched.exceeded(end.by_supervisor)?, stacks))
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
            story: None,
        }
    }

    #[test]
    fn a_limit_holds_for_each_item() {
        let mut limits = Limits::default();
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        limits.hear(ONE, &limit(Some(5.0)), at(0));
        assert_eq!(limits.due(at(100)), [], "nothing runs");
        limits.hear(ONE, &ToRust::Started { task: 0, at: None }, at(100));
        limits.hear(ONE, &result(), at(104));
        limits.hear(ONE, &ToRust::Started { task: 1, at: None }, at(104));
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
        limits.hear(ONE, &ToRust::Started { task: 0, at: None }, at(0));
        limits.hear(ONE, &limit(Some(5.0)), at(4));
        assert_eq!(limits.due(at(8)), []);
        limits.hear(ONE, &limit(None), at(8));
        assert_eq!(limits.due(at(100)), []);
    }

    #[test]
    fn a_process_that_is_done_has_some_time_to_end() {
        let mut limits = Limits::default();
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        limits.hear(ONE, &limit(Some(2.0)), at(0));
        limits.hear(ONE, &ToRust::Started { task: 0, at: None }, at(0));
        limits.hear(ONE, &result(), at(1));
        let finished = ToRust::Finished {
            payload: serde_bytes::ByteBuf::new(),
            error: None,
        };
        limits.hear(ONE, &finished, at(1));
        assert_eq!(limits.due(at(10)), []);
        assert_eq!(limits.due(at(11)), [(ONE, Deed::KillAlone)]);
        assert_eq!(limits.due(at(12)), []);
        assert_eq!(exceeded(&mut limits, true), None, "it ran no item");
    }

    fn exceeded(limits: &mut Limits, by_supervisor: bool) -> Option<String> {
        limits.processes.remove(&ONE)?.exceeded(by_supervisor)
    }

    #[test]
    fn a_process_may_die_of_being_asked() {
        for (asked, by_supervisor, is_limit) in [
            (true, true, true),
            (true, false, false),
            (false, true, false),
        ] {
            let mut limits = Limits::default();
            let begun = Instant::now();
            limits.hear(ONE, &limit(Some(2.0)), begun);
            limits.hear(ONE, &ToRust::Started { task: 0, at: None }, begun);
            let seconds = if asked { 2 } else { 1 };
            limits.due(begun + Duration::from_secs(seconds));
            let reason = exceeded(&mut limits, by_supervisor);
            assert_eq!(reason.is_some(), is_limit, "{asked} {by_supervisor}");
        }
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
        limits.hear(ONE, &ToRust::Started { task: 0, at: None }, Instant::now());
        assert_eq!(limits.is_over(long), None);
    }
}
