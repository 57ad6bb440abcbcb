//! The supervisor: the handle that its user holds, and what it asks of the thread behind it.

use std::collections::HashMap;
use std::ffi::OsString;
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rpytest_ipc::{MAX_FRAME, Role, ToPython, encode_frame};

use crate::embedded::PythonFiles;
use crate::error::{SendError, SpawnError};
use crate::event::{ProcessId, SupervisorEvent};
use crate::interpreter::Interpreter;
use crate::rewritten::RewrittenStore;
use crate::{log, platform};

/// How a [`Supervisor`] starts its processes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The Python side.
    pub python: PythonFiles,
    /// The working directory of started interpreters; this process's own if `None`.
    pub cwd: Option<PathBuf>,
    /// The whole environment of started interpreters; this process's own if `None`.
    pub env: Option<Vec<(OsString, OsString)>>,
    /// How long a process may live on that closed its channel without having said that it was done;
    /// it is killed then. 10 seconds.
    pub linger: Duration,
    /// Where started interpreters keep code with rewritten assertions; nowhere if `None`.
    pub rewritten: Option<RewrittenStore>,
}

impl Options {
    /// The defaults, with this Python side.
    pub fn new(python: PythonFiles) -> Self {
        Options {
            python,
            cwd: None,
            env: None,
            linger: Duration::from_secs(10),
            rewritten: None,
        }
    }
}

/// A signal that a supervisor's user may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGINT, `KeyboardInterrupt` in Python.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGABRT, on which Python's fault handler writes down where it is.
    Abort,
    /// On which a process that has told of a [`ToRust::Limit`](rpytest_ipc::ToRust::Limit) writes down the stacks of
    /// all its threads, to be found in [`End::crash_text`](crate::End::crash_text). It ends others.
    Stacks,
    /// SIGKILL.
    Kill,
    /// SIGSTOP, which suspends a process.
    Stop,
    /// SIGCONT, which wakes a suspended one.
    Continue,
}

/// Starts, watches and ends Python processes.
///
/// All methods return without waiting for a Python process, but for [`Supervisor::shutdown_all`]. What
/// becomes of the processes is told by the events that [`Supervisor::new`] returns the receiver of.
/// Events are queued without bound, so that a slow receiver holds up nobody.
///
/// No process outlives its supervisor: whatever runs when it is dropped is killed. Only of those that it has
/// adopted the system may still take the memory apart, when they have closed everything.
#[derive(Debug)]
pub struct Supervisor {
    remote: platform::Remote,
    next: AtomicU32,
    pids: Pids,
}

impl Supervisor {
    /// A supervisor without processes, and the receiver of its events.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Resources`] without a socket or a thread; [`SpawnError::Unsupported`].
    pub fn new(options: Options) -> Result<(Self, Receiver<SupervisorEvent>), SpawnError> {
        let (events, receiver) = mpsc::channel();
        let pids = Pids::default();
        let remote = platform::Remote::start(options, events, pids.clone())?;
        let supervisor = Supervisor {
            remote,
            next: AtomicU32::new(1),
            pids,
        };
        Ok((supervisor, receiver))
    }

    /// Starts an interpreter that serves as a host of forks.
    ///
    /// It is told to after the handshake, before anything that is sent or forked meanwhile, so there
    /// is no need to await its readiness.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NotStarted`], [`SpawnError::Resources`] and [`SpawnError::ShuttingDown`]. What
    /// goes wrong later, such as an interpreter without pytest, is an event.
    pub fn spawn_host(&self, interpreter: &Interpreter) -> Result<ProcessId, SpawnError> {
        self.start(interpreter, true)
    }

    /// Starts an interpreter that plays one part, for where forks are not possible. The part is named
    /// by the [`ToPython::Start`] that has to be sent to it.
    ///
    /// # Errors
    ///
    /// Those of [`Supervisor::spawn_host`].
    pub fn spawn_process(&self, interpreter: &Interpreter) -> Result<ProcessId, SpawnError> {
        self.start(interpreter, false)
    }

    /// Expects a process that somebody else makes, and returns the descriptors that it must be given, in the
    /// order of [`ToPython::Fork`]. As a host it is told to serve, as by [`Supervisor::spawn_host`].
    ///
    /// That it has ended is known by its channel. If it never comes, since all copies of the descriptors are
    /// closed, its only event is [`EventKind::ForkFailed`](crate::EventKind::ForkFailed).
    ///
    /// # Errors
    ///
    /// [`SpawnError::Resources`] and [`SpawnError::ShuttingDown`].
    #[cfg(unix)]
    pub fn adopt(&self, host: bool) -> Result<(ProcessId, Vec<OwnedFd>), SpawnError> {
        let process = self.number();
        let (answer, wait) = mpsc::channel();
        self.remote.request(Request::Adopt {
            process,
            host,
            answer,
        });
        let descriptors = wait.recv().unwrap_or(Err(SpawnError::ShuttingDown))?;
        Ok((process, descriptors))
    }

    /// Queues a message that descriptors travel with: [`ToPython::Lend`]. What the host answers is an event,
    /// since the child is not this supervisor's.
    ///
    /// # Errors
    ///
    /// If the message is too large for a frame.
    #[cfg(unix)]
    pub fn send_with(
        &self,
        to: ProcessId,
        message: &ToPython,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), SendError> {
        let frame = encode_frame(message, MAX_FRAME)?;
        log::sent(to, message);
        self.remote.request(Request::SendWith {
            to,
            frame,
            descriptors,
        });
        Ok(())
    }

    /// Lets a process be that was adopted: it is not this supervisor's to end any more. Its channel is closed,
    /// and it has no further event.
    #[cfg(unix)]
    pub fn disown(&self, process: ProcessId) {
        self.remote.request(Request::Disown { process });
    }

    /// Asks a host, or a template that has collected, to fork.
    ///
    /// The child's number is known at once, and messages to it are queued. If nothing comes of it, not
    /// least because `parent` has ended, its only event is
    /// [`EventKind::ForkFailed`](crate::EventKind::ForkFailed).
    pub fn fork(&self, parent: ProcessId) -> ProcessId {
        let child = self.number();
        self.remote.request(Request::Fork { child, parent });
        child
    }

    /// Queues a message. It is sent after the handshake; one for a process that has ended is dropped.
    ///
    /// # Errors
    ///
    /// If the message is too large for a frame.
    pub fn send(&self, to: ProcessId, message: &ToPython) -> Result<(), SendError> {
        self.send_all(to, std::slice::from_ref(message))
    }

    /// Queues messages that are sent one right after the other, which costs less than to send each by
    /// itself. Nothing is sent if it fails.
    ///
    /// # Errors
    ///
    /// If one of the messages is too large for a frame.
    pub fn send_all(&self, to: ProcessId, messages: &[ToPython]) -> Result<(), SendError> {
        let mut frames = Vec::new();
        for message in messages {
            let frame = encode_frame(message, MAX_FRAME)?;
            log::sent(to, message);
            if frames.is_empty() {
                frames = frame;
            } else {
                frames.extend_from_slice(&frame);
            }
        }
        let template = (messages.iter()).any(|message| {
            matches!(
                message,
                ToPython::Start {
                    role: Role::Template,
                    ..
                }
            )
        });
        self.remote.request(Request::Send {
            to,
            frame: frames,
            template,
        });
        Ok(())
    }

    /// Sends a signal to a process; nothing happens if it has ended. One that is being forked gets it
    /// as soon as it exists.
    pub fn kill(&self, process: ProcessId, signal: Signal) {
        self.remote.request(Request::Kill { process, signal });
    }

    /// Kills a process with all that it has started: its process group, if it leads one, and on Linux its descendants as
    /// well, but for those that have got themselves adopted by another process.
    pub fn kill_all_of(&self, process: ProcessId) {
        self.remote.request(Request::KillAllOf { process });
    }

    /// The pid of a process that is known to run.
    pub fn pid(&self, process: ProcessId) -> Option<u32> {
        self.pids.get(process)
    }

    /// The pids of all processes that are known to run.
    pub fn pids(&self) -> Vec<u32> {
        self.pids.all()
    }

    /// Ends all processes and waits until they are gone.
    ///
    /// Hosts are asked to go once their children have; what still runs after `grace` is killed. Workers
    /// are not asked, as it takes the user of this crate to know in which words. Nothing can be started
    /// meanwhile. Each process has its last event, unless the operating system did not let go of it
    /// within seconds after its SIGKILL.
    pub fn shutdown_all(&self, grace: Duration) {
        let (done, wait) = mpsc::channel();
        self.remote.request(Request::Shutdown {
            deadline: Instant::now() + grace,
            done,
        });
        // An error means that there is no thread any more, and so no process.
        let _ = wait.recv();
    }

    fn start(&self, interpreter: &Interpreter, host: bool) -> Result<ProcessId, SpawnError> {
        let process = self.number();
        let (answer, wait) = mpsc::channel();
        let interpreter = interpreter.clone();
        self.remote.request(Request::Spawn {
            process,
            interpreter,
            host,
            answer,
        });
        wait.recv().unwrap_or(Err(SpawnError::ShuttingDown))?;
        Ok(process)
    }

    fn number(&self) -> ProcessId {
        ProcessId(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.shutdown_all(Duration::ZERO);
        self.remote.stop();
    }
}

/// What the thread behind a supervisor is asked to do.
#[derive(Debug)]
pub(crate) enum Request {
    Spawn {
        process: ProcessId,
        interpreter: Interpreter,
        host: bool,
        answer: Sender<Result<(), SpawnError>>,
    },
    Fork {
        child: ProcessId,
        parent: ProcessId,
    },
    #[cfg(unix)]
    Adopt {
        process: ProcessId,
        host: bool,
        answer: Sender<Result<Vec<OwnedFd>, SpawnError>>,
    },
    #[cfg(unix)]
    Disown {
        process: ProcessId,
    },
    #[cfg(unix)]
    SendWith {
        to: ProcessId,
        frame: Vec<u8>,
        descriptors: Vec<OwnedFd>,
    },
    Send {
        to: ProcessId,
        frame: Vec<u8>,
        /// Whether it makes the process a template, which will serve as a host.
        template: bool,
    },
    Kill {
        process: ProcessId,
        signal: Signal,
    },
    KillAllOf {
        process: ProcessId,
    },
    Shutdown {
        deadline: Instant,
        /// Dropped when nothing runs any more.
        done: Sender<()>,
    },
    Stop,
}

/// The pids of the processes that are known to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pids(Arc<Mutex<HashMap<ProcessId, u32>>>);

impl Pids {
    pub(crate) fn get(&self, process: ProcessId) -> Option<u32> {
        self.lock().get(&process).copied()
    }

    fn all(&self) -> Vec<u32> {
        self.lock().values().copied().collect()
    }

    pub(crate) fn set(&self, process: ProcessId, pid: Option<u32>) {
        match pid {
            Some(pid) => self.lock().insert(process, pid),
            None => self.lock().remove(&process),
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ProcessId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
