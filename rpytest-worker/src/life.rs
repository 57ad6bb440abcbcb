//! One process's life, as far as a supervisor can know it: facts go in, what to do next comes out.
//!
//! Knows no clock, no file and no process. Whoever drives it passes the time, and sees to it that
//! whatever the process sent was read before [`Life::ended`] and [`Life::host_gone`] are told.

use std::time::{Duration, Instant};

use crate::end::{Fault, ProcessEnd};

/// How long a killed process may take until it is given up, and how long a host may owe an answer
/// about a child whose channel is closed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How often a process that nobody reaps for us is looked for: soon at first, then at leisure.
const FIRST_PROBE: Duration = Duration::from_millis(1);
const SLOWEST_PROBE: Duration = Duration::from_millis(200);

/// Where a process comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Started by us, so we reap it.
    Spawned,
    /// Forked by a host, which reaps it, and tells us.
    Forked,
}

#[derive(Debug)]
pub(crate) struct Life {
    origin: Origin,
    /// A fork: whether there is a child yet.
    exists: bool,
    /// Whether it introduced itself.
    greeted: bool,
    /// Whether it said that it was done, so that it may take its time to go.
    done: bool,
    /// Since when its channel is closed.
    closed: Option<Instant>,
    killed: Option<Instant>,
    fault: Option<Fault>,
    status: Option<ProcessEnd>,
    denied: Option<String>,
    /// Its host is gone: when to look for it next, and the interval after that.
    orphan: Option<(Instant, Duration)>,
}

/// What to do about a process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, until this moment or until something happens.
    Wait(Option<Instant>),
    /// See whether it still exists, and tell [`Life::probed`].
    Probe,
    /// Kill it, and tell [`Life::killed`].
    Kill,
    /// Forget it; its last event is this.
    End(Last),
}

/// The three ways to be heard of for the last time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Ended {
        status: ProcessEnd,
        fault: Option<Fault>,
    },
    StartFailed {
        status: ProcessEnd,
        fault: Option<Fault>,
    },
    ForkFailed {
        reason: String,
    },
}

impl Life {
    pub(crate) fn new(origin: Origin) -> Self {
        Life {
            origin,
            exists: origin == Origin::Spawned,
            greeted: false,
            done: false,
            closed: None,
            killed: None,
            fault: None,
            status: None,
            denied: None,
            orphan: None,
        }
    }

    /// A fork: its process id became known.
    pub(crate) fn exists(&mut self) {
        self.exists = true;
    }

    /// A fork: there will be no child.
    pub(crate) fn denied(&mut self, reason: String) {
        self.denied.get_or_insert(reason);
    }

    /// It introduced itself.
    pub(crate) fn greeted(&mut self) {
        self.exists = true;
        self.greeted = true;
    }

    /// It said that it was done.
    pub(crate) fn done(&mut self) {
        self.done = true;
    }

    /// Its channel is closed, from its side or, after a fault, from ours.
    pub(crate) fn closed(&mut self, now: Instant) {
        self.closed.get_or_insert(now);
    }

    /// It did what no process of ours may do, and has to go.
    pub(crate) fn faulted(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// A signal that ends any process was sent to it.
    pub(crate) fn killed(&mut self, now: Instant) {
        self.killed.get_or_insert(now);
    }

    /// Whoever reaped it told how it ended.
    pub(crate) fn ended(&mut self, status: ProcessEnd) {
        self.status.get_or_insert(status);
    }

    /// The host that forked it ended, so that nobody will tell.
    pub(crate) fn host_gone(&mut self, now: Instant) {
        self.orphan.get_or_insert((now, FIRST_PROBE));
    }

    /// It was looked for, and still exists.
    pub(crate) fn probed(&mut self, now: Instant) {
        if let Some((at, interval)) = &mut self.orphan {
            *at = now + *interval;
            *interval = (*interval * 2).min(SLOWEST_PROBE);
        }
    }

    /// What to do now. `linger` is how long a process that closed its channel may live on.
    pub(crate) fn next(&self, now: Instant, linger: Duration) -> Next {
        if let Some(status) = self.status {
            return Next::End(self.last(status));
        }
        if let Some(reason) = &self.denied {
            return Next::End(Last::ForkFailed {
                reason: reason.clone(),
            });
        }
        if self.fault.is_some() && self.killed.is_none() && self.exists {
            return Next::Kill;
        }
        let mut deadlines = Vec::with_capacity(2);
        if let Some((at, _)) = self.orphan
            && self.exists
        {
            if now >= at {
                return Next::Probe;
            }
            deadlines.push(at);
        }
        if let Some(closed) = self.closed {
            if !self.exists {
                // No descriptor of the child's end is left, so that a child is not to come; but its
                // host may be about to say why.
                let patience = closed + PATIENCE;
                if self.orphan.is_some() || now >= patience {
                    return Next::End(self.last(ProcessEnd::Unknown));
                }
                deadlines.push(patience);
            } else if let Some(killed) = self.killed {
                let patience = killed.max(closed) + PATIENCE;
                // We reap what we started, so that its status is sure to come.
                if self.origin == Origin::Forked {
                    if now >= patience {
                        return Next::End(self.last(ProcessEnd::Unknown));
                    }
                    deadlines.push(patience);
                }
            } else if !self.done {
                let lingered = closed + linger;
                if now >= lingered {
                    return Next::Kill;
                }
                deadlines.push(lingered);
            }
        }
        Next::Wait(deadlines.into_iter().min())
    }

    fn last(&self, status: ProcessEnd) -> Last {
        let fault = self.fault.clone();
        match self.origin {
            Origin::Spawned if !self.greeted => Last::StartFailed { status, fault },
            Origin::Forked if !self.exists => Last::ForkFailed {
                reason: "the process that was to fork it ended or does not answer".into(),
            },
            _ => Last::Ended { status, fault },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINGER: Duration = Duration::from_secs(5);

    fn ready(origin: Origin) -> Life {
        let mut life = Life::new(origin);
        life.exists();
        life.greeted();
        life
    }

    fn ended(status: ProcessEnd) -> Next {
        Next::End(Last::Ended {
            status,
            fault: None,
        })
    }

    #[test]
    fn a_status_ends_a_life_whatever_else_is_known() {
        let now = Instant::now();
        for origin in [Origin::Spawned, Origin::Forked] {
            for facts in 0..16 {
                let mut life = ready(origin);
                if facts & 1 != 0 {
                    life.closed(now);
                }
                if facts & 2 != 0 {
                    life.done();
                }
                if facts & 4 != 0 {
                    life.killed(now);
                }
                if facts & 8 != 0 {
                    life.host_gone(now);
                }
                assert!(!matches!(life.next(now, LINGER), Next::End(_)), "{life:?}");
                life.ended(ProcessEnd::Code(3));
                life.ended(ProcessEnd::Unknown);
                assert_eq!(life.next(now, LINGER), ended(ProcessEnd::Code(3)));
            }
        }
    }

    #[test]
    fn a_process_that_closed_its_channel_is_killed_when_it_lingers() {
        let now = Instant::now();
        let mut life = ready(Origin::Spawned);
        assert_eq!(life.next(now, LINGER), Next::Wait(None));
        life.closed(now);
        assert_eq!(life.next(now, LINGER), Next::Wait(Some(now + LINGER)));
        assert_eq!(life.next(now + LINGER, LINGER), Next::Kill);
        life.killed(now + LINGER);
        assert_eq!(life.next(now + 10 * LINGER, LINGER), Next::Wait(None));
    }

    #[test]
    fn a_process_that_is_done_may_take_its_time() {
        let now = Instant::now();
        let mut life = ready(Origin::Forked);
        life.done();
        life.closed(now);
        assert_eq!(life.next(now + 100 * LINGER, LINGER), Next::Wait(None));
    }

    #[test]
    fn a_fault_is_deadly_at_once() {
        let now = Instant::now();
        let mut life = ready(Origin::Forked);
        let fault = Fault::Protocol("garbage".into());
        life.faulted(fault.clone());
        life.closed(now);
        assert_eq!(life.next(now, LINGER), Next::Kill);
        life.killed(now);
        assert_eq!(life.next(now, LINGER), Next::Wait(Some(now + PATIENCE)));
        life.ended(ProcessEnd::Signal(9));
        let last = Last::Ended {
            status: ProcessEnd::Signal(9),
            fault: Some(fault),
        };
        assert_eq!(life.next(now, LINGER), Next::End(last));
    }

    #[test]
    fn a_killed_fork_that_nobody_reaps_is_given_up() {
        let now = Instant::now();
        let mut life = ready(Origin::Forked);
        life.killed(now);
        assert_eq!(life.next(now + 2 * PATIENCE, LINGER), Next::Wait(None));
        life.closed(now);
        assert_eq!(life.next(now, LINGER), Next::Wait(Some(now + PATIENCE)));
        assert_eq!(
            life.next(now + PATIENCE, LINGER),
            ended(ProcessEnd::Unknown)
        );
    }

    #[test]
    fn an_orphan_is_looked_for_ever_more_slowly() {
        let mut now = Instant::now();
        let mut life = ready(Origin::Forked);
        life.host_gone(now);
        for millis in [1, 2, 4, 8, 16, 32, 64, 128, 200, 200] {
            assert_eq!(life.next(now, LINGER), Next::Probe);
            life.probed(now);
            let later = now + Duration::from_millis(millis);
            assert_eq!(life.next(now, LINGER), Next::Wait(Some(later)));
            now = later;
        }
        life.ended(ProcessEnd::Unknown);
        assert_eq!(life.next(now, LINGER), ended(ProcessEnd::Unknown));
    }

    #[test]
    fn a_fork_without_a_child_says_why() {
        let now = Instant::now();
        let mut refused = Life::new(Origin::Forked);
        refused.denied("out of memory".into());
        let reason = "out of memory".to_owned();
        assert_eq!(
            refused.next(now, LINGER),
            Next::End(Last::ForkFailed { reason })
        );

        let mut forgotten = Life::new(Origin::Forked);
        assert_eq!(forgotten.next(now, LINGER), Next::Wait(None));
        forgotten.host_gone(now);
        assert_eq!(
            forgotten.next(now, LINGER),
            Next::Wait(None),
            "its host may have forked it"
        );
        forgotten.closed(now);
        let next = forgotten.next(now, LINGER);
        assert!(
            matches!(next, Next::End(Last::ForkFailed { .. })),
            "{next:?}"
        );

        let mut owed = Life::new(Origin::Forked);
        owed.closed(now);
        assert_eq!(owed.next(now, LINGER), Next::Wait(Some(now + PATIENCE)));
        owed.exists();
        owed.ended(ProcessEnd::Code(1));
        assert_eq!(owed.next(now, LINGER), ended(ProcessEnd::Code(1)));
    }

    #[test]
    fn a_start_that_ends_before_its_greeting_has_failed() {
        let now = Instant::now();
        let mut life = Life::new(Origin::Spawned);
        life.closed(now);
        life.ended(ProcessEnd::Code(97));
        let last = Last::StartFailed {
            status: ProcessEnd::Code(97),
            fault: None,
        };
        assert_eq!(life.next(now, LINGER), Next::End(last));
    }
}
