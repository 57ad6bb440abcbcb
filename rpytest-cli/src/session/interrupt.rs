//! Whether an interrupt has reached the controller, and how many there were.
//!
//! Ctrl-C on a terminal, and `kill` of a process group, interrupt the controller as well as this
//! process; `kill` of this process alone does not. The controller must be interrupted exactly once.
//! The host is in the same process group and does nothing but count its interrupts, from when it forks
//! the controller, or from when it serves, where nothing is forked: what it has seen the controller has seen.

use crate::signals::Signals;

pub(super) struct Interrupts {
    signals: Signals,
    /// 1 if the run is to end by the will of another thread.
    from_within: usize,
    handled: usize,
    seen_by_host: u32,
    has_host: bool,
}

impl Interrupts {
    pub fn new(signals: Signals) -> Self {
        Interrupts {
            signals,
            from_within: 0,
            handled: 0,
            seen_by_host: 0,
            has_host: true,
        }
    }

    /// Somebody within this process wants the run to end; to be told again makes no difference.
    pub fn take_note_of_one(&mut self) {
        self.from_within = 1;
    }

    /// Interrupts since this was asked last.
    pub fn new_ones(&mut self) -> usize {
        let now = self.signals.interrupts() + self.from_within;
        let new = now - self.handled;
        self.handled = now;
        new
    }

    pub fn count(&self) -> usize {
        self.handled
    }

    pub fn any(&self) -> bool {
        self.handled > 0
    }

    /// What the terminal says.
    #[cfg(unix)]
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Whether the user wants the run to end, whether that has been looked at or not.
    pub fn have_come(&self) -> bool {
        self.any() || self.asked_to_end()
    }

    /// Whether a signal has come since they were looked at last.
    pub fn asked_to_end(&self) -> bool {
        self.terminated().is_some() || self.signals.interrupts() + self.from_within > self.handled
    }

    pub fn terminated(&self) -> Option<i32> {
        self.signals.terminated()
    }

    /// The host has ended, and tells nothing any more.
    pub fn has_no_host(&mut self) {
        self.has_host = false;
    }

    pub fn has_host(&self) -> bool {
        self.has_host
    }

    /// With the host's count, after an interrupt: whether nobody else has had it.
    pub fn reached_only_us(&mut self, host: u32) -> bool {
        let reached_host = host > self.seen_by_host;
        self.seen_by_host = host;
        !reached_host
    }
}
