//! The process in which fixtures stay up, as the daemon keeps it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use rpytest_ipc::{Role, ToPython, ToRust};
use rpytest_worker::{EventKind, Supervisor, SupervisorEvent};

use super::super::keep::{Keep, tell};
use super::super::warm::Warm;
use super::super::wire::{Answer, Borrower, For, Reuse, Stage, send};
use super::{Daemon, HeldUp, Input, LAST_PATIENCE, Tells, WARM, Waiting};

impl Daemon {
    /// Whether a run can have the process that keeps fixtures, or has to wait until there is none.
    pub(super) fn warm_for(
        &mut self,
        at: usize,
        borrower: &Borrower,
        reuse: Option<Reuse>,
    ) -> Tells {
        let keep = self.keeps[at].number;
        let Some(warm) = &mut self.warm else {
            return match reuse {
                Some(_) => Tells::Warm,
                None => Tells::None { busy: false },
            };
        };
        if warm.is_busy() {
            return Tells::None { busy: true };
        }
        let unfit = match reuse {
            // What is up may be in its way.
            None => Some("a run came that reuses no fixtures".to_owned()),
            Some(_) => warm.unfit(keep, borrower),
        };
        match unfit {
            None if warm.is_idle() => Tells::Warm,
            Some(reason) if warm.is_idle() => {
                self.release(reason);
                Tells::Wait
            }
            // It is about to be idle, or gone.
            _ => Tells::Wait,
        }
    }

    /// Lends the process that keeps fixtures, or a new one that will.
    pub(super) fn lend_warm(
        &mut self,
        at: usize,
        client: UnixStream,
        whom: For,
        reuse: Reuse,
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        if self.warm.is_none() {
            self.warm = Some(self.begin_warm(at, &whom.borrower)?);
        }
        let child = self.number();
        let (Some(warm), Some(supervisor)) = (&mut self.warm, &self.of_warm) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let message = Keep::lease(child, &whom.borrower, false);
        supervisor
            .send_with(warm.process, &message, descriptors)
            .map_err(io::Error::other)?;
        warm.is_lent(&whom.borrower, reuse);
        let waiting = Waiting {
            client,
            whom,
            deepest: Stage::Interpreter,
            stage: Stage::Interpreter,
            written: Default::default(),
            reasons: Vec::new(),
            up: Some(warm.up()),
        };
        self.waiting.insert((WARM, child), waiting);
        Ok(())
    }

    pub(super) fn begin_warm(&mut self, at: usize, borrower: &Borrower) -> io::Result<Warm> {
        if self.of_warm.is_none() {
            let options = rpytest_worker::Options::new(self.python.clone());
            let (supervisor, receiver) = Supervisor::new(options).map_err(io::Error::other)?;
            let inputs = self.inputs.clone();
            std::thread::Builder::new()
                .name("rpytest-events".into())
                .stack_size(64 * 1024)
                .spawn(move || {
                    for event in receiver {
                        tell(&inputs, Input::Event(WARM, event));
                    }
                })?;
            self.of_warm = Some(supervisor);
        }
        let Some(supervisor) = &self.of_warm else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let (process, mut descriptors) = supervisor.adopt(false).map_err(io::Error::other)?;
        // It has no standard ones, and no others, before it is lent.
        for _ in 0..3 + borrower.inherited.len() {
            descriptors.push(
                File::options()
                    .read(true)
                    .write(true)
                    .open("/dev/null")?
                    .into(),
            );
        }
        let start = ToPython::Start {
            role: Role::Warm,
            argv: Vec::new(),
            worker: None,
            settled: Vec::new(),
            focus: None,
            sharded: false,
            timed: false,
            listens: false,
        };
        supervisor.send(process, &start).map_err(io::Error::other)?;
        let child = self.number();
        let keep = &mut self.keeps[at];
        keep.lend(keep.host, child, borrower, descriptors, false)?;
        keep.lent += 1;
        Ok(Warm::new(process, keep.number, borrower))
    }

    /// Has the process that keeps fixtures tear them down and end, unless it has a run.
    pub(super) fn release(&mut self, reason: String) {
        if let (Some(warm), Some(supervisor)) = (&mut self.warm, &self.of_warm)
            && warm.is_idle()
        {
            tracing::debug!(reason, "fixtures are torn down");
            warm.release(supervisor);
            self.last_released = Some(reason);
        }
    }

    /// Now and then: whether what is up may stay so, and whether what shall end does.
    pub(super) fn look_at_warm(&mut self) {
        let Some(warm) = &mut self.warm else { return };
        let number = warm.keep;
        let mut stale = warm.is_idle().then(|| warm.stale()).flatten();
        if stale.is_none() {
            let mut keeps = self.keeps.iter_mut();
            stale = match keeps.find(|keep| keep.number == number) {
                Some(keep) => keep.stale(),
                None => Some("its interpreter was dropped".to_owned()),
            };
        }
        if let Some(reason) = stale {
            self.release(reason);
        }
        if let (Some(warm), Some(supervisor)) = (&mut self.warm, &self.of_warm) {
            self.failures.extend(warm.hurry(supervisor));
        }
        // Who has gone away does not wait any more.
        self.held_up
            .retain(|one| send(&one.client, &Answer::Wait, &[]).is_ok());
    }

    pub(super) fn of_warm(&mut self, event: SupervisorEvent) {
        let SupervisorEvent { process, kind, .. } = event;
        let Some(warm) = self.warm.as_mut().filter(|warm| warm.process == process) else {
            return;
        };
        match kind {
            EventKind::Message(ToRust::Forked { child, .. }) => self.lent(WARM, child),
            EventKind::Message(ToRust::ForkFailed { child, reason }) => {
                self.failed(WARM, Some(child), &reason);
            }
            EventKind::Message(ToRust::Kept { fixtures, looked }) => {
                warm.keeps(fixtures, &looked);
                self.serve_held_up();
            }
            EventKind::Message(ToRust::Released { failures }) => {
                warm.is_released();
                self.failures.extend(failures);
            }
            kind if kind.is_last() => {
                self.warm = None;
                self.failed(WARM, None, "the process that keeps fixtures has ended");
                self.serve_held_up();
            }
            _ => {}
        }
    }

    pub(super) fn serve_held_up(&mut self) {
        for HeldUp { client, wanted } in std::mem::take(&mut self.held_up) {
            self.serve(client, wanted);
        }
    }

    /// At the daemon's end: nothing stays up.
    pub(super) fn close_warm(&mut self, inputs: &Receiver<Input>) {
        self.held_up.clear();
        let deadline = Instant::now() + LAST_PATIENCE;
        loop {
            self.release("the daemon ends".to_owned());
            let Some(warm) = &self.warm else { return };
            if warm.is_busy() {
                // The run goes on, and the process ends with it.
                if let Some(supervisor) = &self.of_warm {
                    supervisor.disown(warm.process);
                }
                return;
            }
            match inputs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Input::Event(WARM, event)) => self.of_warm(event),
                Ok(Input::Returned(_, _, None)) => {
                    if let Some(warm) = &mut self.warm {
                        warm.is_left();
                    }
                }
                Ok(_) => {}
                Err(_) => {
                    let problem = format!(
                        "after {} s the process that keeps fixtures had not ended, and was killed",
                        LAST_PATIENCE.as_secs()
                    );
                    self.failures.push(problem);
                    return;
                }
            }
        }
    }
}
