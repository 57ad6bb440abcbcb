//! The backend of Unix: one thread, [`monitor`], that waits on all channels at once.
//!
//! One thread rather than two for each process, because what is known of a process comes from three
//! sides (its channel, its host's channel, `waitpid`) and one thread puts that in order without a
//! lock; because it can read what is there and go on, when a grandchild holds a dead process's channel
//! open; and because `PR_SET_PDEATHSIG` is tied to the thread that started a process, which this way
//! lives as long as the supervisor does.

mod channel;
mod family;
mod monitor;
mod process;
mod spawn;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::error::SpawnError;
use crate::event::{ProcessId, SupervisorEvent};
use crate::supervisor::{Options, Pids, Request};

/// What the monitor's thread reads.
enum Input {
    Request(Request),
    /// A process that we started has ended, and can be reaped.
    Exited(ProcessId),
}

/// The sending side of the monitor's inputs; wakes it up.
#[derive(Clone, Debug)]
struct Inputs {
    queue: Sender<Input>,
    wake: Arc<UnixStream>,
}

impl Inputs {
    fn send(&self, input: Input) {
        if self.queue.send(input).is_ok() {
            // When it would block, the monitor has more than enough to wake up for.
            let _ = (&*self.wake).write(&[1]);
        }
    }
}

/// The thread behind a supervisor.
#[derive(Debug)]
pub(crate) struct Remote {
    inputs: Inputs,
    thread: Option<JoinHandle<()>>,
}

impl Remote {
    pub(crate) fn start(
        options: Options,
        events: Sender<SupervisorEvent>,
        pids: Pids,
    ) -> Result<Self, SpawnError> {
        let (queue, receiver) = mpsc::channel();
        let (wake, woken) = UnixStream::pair().map_err(SpawnError::Resources)?;
        for end in [&wake, &woken] {
            end.set_nonblocking(true).map_err(SpawnError::Resources)?;
        }
        let inputs = Inputs {
            queue,
            wake: Arc::new(wake),
        };
        let monitor = monitor::Monitor::new(options, events, pids, inputs.clone());
        let thread = thread::Builder::new()
            .name("rpytest-monitor".into())
            .spawn(move || monitor.run(&receiver, &woken))
            .map_err(SpawnError::Resources)?;
        Ok(Remote {
            inputs,
            thread: Some(thread),
        })
    }

    pub(crate) fn request(&self, request: Request) {
        self.inputs.send(Input::Request(request));
    }

    pub(crate) fn stop(&mut self) {
        self.request(Request::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there was printed, and there is nobody here to pass it on to.
            let _ = thread.join();
        }
    }
}
