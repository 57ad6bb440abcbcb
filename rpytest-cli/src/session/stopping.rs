//! What stops a session from outside: signals, the terminal, limits of time.

use std::time::{Duration, Instant};

use rpytest_ipc::ToPython;
use rpytest_worker::Signal;

use super::{Part, Session};
use crate::exit;
#[cfg(unix)]
use crate::signals::Signals;

impl Session {
    /// A terminal tells its foreground processes, of which those in a group of their own are none.
    #[cfg(unix)]
    fn look_at_the_terminal(&mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        let pass_on = |signal| {
            for pid in self.processes.supervisor.pids() {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                // It may have ended.
                let _ = pid.map(|pid| kill_process(pid, signal));
            }
        };
        let signals = self.interrupts.signals();
        if signals.resized() && self.processes.is_lent {
            pass_on(Signal::WINCH);
        }
        if signals.suspended() {
            // Whoever has the terminal meanwhile writes there.
            if let Some(progress) = &mut self.progress {
                progress.erase();
            }
            pass_on(Signal::STOP);
            Signals::stand_still();
            pass_on(Signal::CONT);
        }
    }

    /// Whoever takes longer than they may is seen to.
    pub(super) fn look_at_limits(&mut self) {
        self.limits
            .enforce(&self.processes.supervisor, Instant::now());
        if self.over.is_some() {
            return;
        }
        let took = self.timing.elapsed();
        if self.interrupts.any() {
            if self.is_late && self.limits.is_long_over(took) {
                self.processes.supervisor.shutdown_all(Duration::ZERO);
                self.clear_the_terminal();
                eprintln!("\nrpytest: the session does not end, and was ended at once");
                self.exit = Some(exit::INTERRUPTED);
            }
        } else if let Some(text) = self.limits.is_over(took) {
            self.clear_the_terminal();
            eprintln!("\nrpytest: {text}; interrupted");
            self.is_late = true;
            self.interrupts.take_note_of_one();
        }
    }

    pub(super) fn look_at_signals(&mut self) {
        if self.stop.is_set() {
            self.interrupts.take_note_of_one();
        }
        #[cfg(unix)]
        self.look_at_the_terminal();
        if let Some(signal) = self.interrupts.terminated() {
            self.processes.supervisor.shutdown_all(Duration::ZERO);
            self.exit = Some(128u8.saturating_add(u8::try_from(signal).unwrap_or(0)));
            return;
        }
        match self.interrupts.new_ones() {
            0 => {}
            _ if self.interrupts.count() > 1 => {
                self.processes.supervisor.shutdown_all(Duration::ZERO);
                self.clear_the_terminal();
                eprintln!("\nrpytest: interrupted twice, ended at once");
                self.exit = Some(exit::INTERRUPTED);
            }
            _ => {
                // Whether the controller has had the signal, too, depends on who sent it to whom.
                if self.processes.keeps_fixtures || !self.interrupts.has_host() {
                    // It is in a session of its own, and no terminal's; or nobody could say.
                    self.interrupt(true);
                } else {
                    let probe = ToPython::Probe { token: 0 };
                    self.processes.send(self.processes.host, &probe);
                }
            }
        }
    }

    /// Interrupts all who run for the session, the controller first: it would take the end of its workers for that of
    /// the run.
    pub(super) fn interrupt(&mut self, and_controller: bool) {
        let supervisor = &self.processes.supervisor;
        if and_controller {
            supervisor.kill(self.controller, Signal::Interrupt);
        }
        match (&mut self.part, self.template) {
            (Part::Crew(crew), _) => crew.interrupt(&self.processes),
            (Part::Undecided, Some(template)) => supervisor.kill(template, Signal::Kill),
            _ => {}
        }
    }
}
