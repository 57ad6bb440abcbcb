//! The thread that waits on all channels, and makes one story of what it hears.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use rpytest_ipc::{MAX_FRAME, ToPython, ToRust, encode_frame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::channel::{Channel, Reading, Received};
use super::process::{Process, Source};
use super::{Input, Inputs, family, spawn};
use crate::crash::CrashFile;
use crate::end::{Fault, ProcessEnd};
use crate::error::SpawnError;
use crate::event::{EventKind, ProcessId, SupervisorEvent};
use crate::interpreter::Interpreter;
use crate::life::{Last, Next, PATIENCE};
use crate::log;
use crate::spool::LOOK;
use crate::supervisor::{Options, Pids, Request, Signal};

/// How much of a dead process's channel is read when someone else keeps writing to it, in turns of
/// the channel.
const DRAIN_TURNS: usize = 1000;

pub(super) struct Monitor {
    options: Options,
    events: Sender<SupervisorEvent>,
    pids: Pids,
    inputs: Inputs,
    processes: BTreeMap<ProcessId, Process>,
    shutdowns: Vec<Shutdown>,
    stopped: bool,
}

struct Shutdown {
    deadline: Instant,
    /// Dropping it is the answer.
    _done: Sender<()>,
}

impl Monitor {
    pub(super) fn new(
        options: Options,
        events: Sender<SupervisorEvent>,
        pids: Pids,
        inputs: Inputs,
    ) -> Self {
        Monitor {
            options,
            events,
            pids,
            inputs,
            processes: BTreeMap::new(),
            shutdowns: Vec::new(),
            stopped: false,
        }
    }

    pub(super) fn run(mut self, inputs: &Receiver<Input>, woken: &UnixStream) {
        // Channels that have more to give than one turn took, some of it buffered already.
        let mut more: Vec<ProcessId> = Vec::new();
        // When we last looked for what processes have not sent.
        let mut looked = Instant::now();
        while !self.stopped {
            let deadline = self.settle();
            let spooling = self.processes.values().any(|process| process.spools);
            let timeout = match (more.is_empty(), spooling) {
                (false, _) => Some(Duration::ZERO),
                (true, true) => Some(deadline.map_or(LOOK, |deadline| deadline.min(LOOK))),
                (true, false) => deadline,
            };
            let mut ready = self.wait(woken, timeout);
            if spooling && looked.elapsed() >= LOOK {
                looked = Instant::now();
                let spooling = self.processes.iter().filter(|(_, process)| process.spools);
                ready.extend(spooling.map(|(&id, _)| id));
            }
            let mut wakes = [0; 1024];
            while matches!((&*woken).read(&mut wakes), Ok(read) if read == wakes.len()) {}
            loop {
                match inputs.try_recv() {
                    Ok(input) => self.input(input),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            ready.append(&mut more);
            ready.sort_unstable();
            ready.dedup();
            more.extend(ready.into_iter().filter(|&id| self.read(id)));
            for id in self.ids() {
                self.write(id);
            }
        }
    }

    /// Waits until something can be read or written, and returns which processes' channels are ready
    /// to be read.
    fn wait(&self, woken: &UnixStream, timeout: Option<Duration>) -> Vec<ProcessId> {
        let mut fds = vec![PollFd::from_borrowed_fd(woken.as_fd(), PollFlags::IN)];
        let mut ids = Vec::new();
        for (&id, process) in &self.processes {
            if let Some(channel) = &process.channel {
                let mut flags = PollFlags::IN;
                flags.set(PollFlags::OUT, channel.is_pending());
                fds.push(PollFd::from_borrowed_fd(channel.fd(), flags));
                ids.push(id);
            }
        }
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => tracing::error!("failed to wait for Python processes: {error}"),
        }
        let is_ready = |fd: &PollFd<'_>| fd.revents().intersects(PollFlags::OUT.complement());
        fds[1..]
            .iter()
            .zip(ids)
            .filter(|(fd, _)| is_ready(fd))
            .map(|(_, id)| id)
            .collect()
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Exited(id) => self.exited(id),
            Input::Request(Request::Spawn {
                process,
                interpreter,
                host,
                answer,
            }) => {
                // An error means that whoever asked is gone.
                let _ = answer.send(self.spawn(process, interpreter, host));
            }
            Input::Request(Request::Fork { child, parent }) => self.fork(child, parent),
            Input::Request(Request::Adopt {
                process,
                host,
                answer,
            }) => {
                let _ = answer.send(self.adopt(process, host));
            }
            Input::Request(Request::Disown { process }) => {
                let adopted = |process: &Process| matches!(process.source, Source::Adopted);
                if self.processes.get(&process).is_some_and(adopted) {
                    self.processes.remove(&process);
                    self.pids.set(process, None);
                }
            }
            Input::Request(Request::SendWith {
                to,
                frame,
                descriptors,
            }) => {
                if let Some(process) = self.processes.get_mut(&to) {
                    process.queue(frame, descriptors);
                }
            }
            Input::Request(Request::Send {
                to,
                frame,
                template,
            }) => {
                if let Some(process) = self.processes.get_mut(&to) {
                    process.host |= template;
                    process.queue(frame, Vec::new());
                }
            }
            Input::Request(Request::Kill { process, signal }) => self.signal(process, signal),
            Input::Request(Request::KillAllOf { process }) => {
                let pid = self.processes.get(&process).and_then(|process| process.pid);
                let family = pid.map(family::of);
                // First the one that would start more.
                self.signal(process, Signal::Kill);
                if let Some(family) = family {
                    family.kill();
                }
            }
            Input::Request(Request::Shutdown { deadline, done }) => {
                self.shutdowns.push(Shutdown {
                    deadline,
                    _done: done,
                });
            }
            Input::Request(Request::Stop) => self.stopped = true,
        }
    }

    fn spawn(
        &mut self,
        id: ProcessId,
        interpreter: Interpreter,
        host: bool,
    ) -> Result<(), SpawnError> {
        if !self.shutdowns.is_empty() {
            return Err(SpawnError::ShuttingDown);
        }
        let crash = CrashFile::new().map_err(SpawnError::Resources)?;
        let (channel, theirs) = Channel::pair().map_err(SpawnError::Resources)?;
        let mut child =
            spawn::spawn(&self.options, &interpreter, &theirs, crash.file()).map_err(|source| {
                SpawnError::NotStarted {
                    interpreter: interpreter.path().to_owned(),
                    source,
                }
            })?;
        if let Err(error) = spawn::watch(id, &child, self.inputs.clone()) {
            // Without a watch its end would go unnoticed.
            let _ = child.kill();
            let _ = child.wait();
            return Err(SpawnError::Resources(error));
        }
        let pid = child.id();
        tracing::debug!(
            "started {} as {id}, pid {pid}",
            interpreter.path().display()
        );
        let source = Source::Spawned { child, interpreter };
        let mut process = Process::new(channel, crash, source);
        if host {
            process.host = true;
            process.queue_message(id, &ToPython::Host {});
        }
        self.processes.insert(id, process);
        self.found(id, pid);
        Ok(())
    }

    fn fork(&mut self, id: ProcessId, parent: ProcessId) {
        let refuse = |reason: String| self.emit(id, EventKind::ForkFailed(reason));
        if !self.shutdowns.is_empty() {
            return refuse("the supervisor is shutting down".into());
        }
        if !self.processes.contains_key(&parent) {
            return refuse(format!("{parent}, which was to fork it, has ended"));
        }
        let (channel, crash, fds) = match ends() {
            Ok(prepared) => prepared,
            Err(error) => return refuse(format!("no channel could be made for it: {error}")),
        };
        let Some(host) = self.processes.get_mut(&parent) else {
            return;
        };
        host.host = true;
        let message = ToPython::Fork { child: id.0 };
        log::sent(parent, &message);
        match encode_frame(&message, MAX_FRAME) {
            Ok(frame) => host.queue(frame, fds),
            Err(error) => return self.emit(id, EventKind::ForkFailed(error.to_string())),
        }
        let process = Process::new(channel, crash, Source::Forked { parent });
        self.processes.insert(id, process);
    }

    fn adopt(&mut self, id: ProcessId, host: bool) -> Result<Vec<OwnedFd>, SpawnError> {
        if !self.shutdowns.is_empty() {
            return Err(SpawnError::ShuttingDown);
        }
        let (channel, crash, fds) = ends().map_err(SpawnError::Resources)?;
        let mut process = Process::new(channel, crash, Source::Adopted);
        if host {
            process.host = true;
            process.queue_message(id, &ToPython::Host {});
        }
        self.processes.insert(id, process);
        Ok(fds)
    }

    /// Sends a signal, or sees to it that it will be sent.
    fn signal(&mut self, id: ProcessId, signal: Signal) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        process.signal = Some(signal);
        if let Some(pid) = process.pid {
            spawn::signal(pid, signal);
            if signal == Signal::Kill {
                process.life.killed(Instant::now());
            }
        }
    }

    /// Notes a process's pid, if it is the first to be told.
    fn found(&mut self, id: ProcessId, pid: u32) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        process.life.exists();
        if process.pid.is_none() {
            process.pid = Some(pid);
            self.pids.set(id, Some(pid));
            if let Some(signal) = process.signal {
                self.signal(id, signal);
            }
        }
    }

    /// A process that we started can be reaped.
    fn exited(&mut self, id: ProcessId) {
        self.drain(id);
        if let Some(process) = self.processes.get_mut(&id)
            && let Source::Spawned { child, .. } = &mut process.source
        {
            process.life.ended(spawn::reap(child));
        }
    }

    /// Reads whatever a process that has ended left in its channel. Someone else may hold the other
    /// end open, so there is no waiting for it to close.
    fn drain(&mut self, id: ProcessId) {
        for _ in 0..DRAIN_TURNS {
            if !self.read(id) {
                break;
            }
        }
    }

    /// Reads from a process's channel, and returns whether there may be more.
    fn read(&mut self, id: ProcessId) -> bool {
        let mut received = Vec::new();
        let reading = match self.processes.get_mut(&id) {
            Some(Process {
                channel: Some(channel),
                ..
            }) => channel.read(&mut received),
            _ => return false,
        };
        for one in received {
            match one {
                Received::Hello(peer) => {
                    tracing::debug!(target: "rpytest_ipc", process = id.0, "shook hands: {peer:?}");
                    self.found(id, peer.pid);
                    if let Some(process) = self.processes.get_mut(&id) {
                        process.life.greeted();
                    }
                    self.emit(id, EventKind::Ready(peer));
                }
                Received::Message(message) => self.message(id, message),
            }
        }
        let Some(process) = self.processes.get_mut(&id) else {
            return false;
        };
        match reading {
            Reading::Dry => {}
            Reading::More => return true,
            Reading::Closed => process.close(),
            Reading::Broken(what) => process.fault(Fault::Protocol(what)),
        }
        false
    }

    fn write(&mut self, id: ProcessId) {
        if let Some(process) = self.processes.get_mut(&id)
            && let Some(channel) = &mut process.channel
            && let Err(error) = channel.write()
        {
            process.fault(Fault::ChannelFailed(error.to_string()));
        }
    }

    fn message(&mut self, id: ProcessId, message: ToRust) {
        log::received(id, &message);
        match message {
            ToRust::Hello { .. } => {
                if let Some(process) = self.processes.get_mut(&id) {
                    process.fault(Fault::Protocol("it introduced itself again".into()));
                }
            }
            ToRust::Forked { child, pid } => {
                let child = ProcessId(child);
                if self.is_child(child, id) {
                    self.found(child, pid);
                } else {
                    // One that was lent.
                    let child = child.0;
                    self.emit(id, EventKind::Message(ToRust::Forked { child, pid }));
                }
            }
            ToRust::ForkFailed { child, reason } => {
                if self.is_child(ProcessId(child), id) {
                    if let Some(process) = self.processes.get_mut(&ProcessId(child)) {
                        process.life.denied(reason);
                    }
                } else {
                    let failed = ToRust::ForkFailed { child, reason };
                    self.emit(id, EventKind::Message(failed));
                }
            }
            ToRust::Exited { pid, code, signal } => {
                let status = match (code, signal) {
                    (_, Some(signal)) => ProcessEnd::Signal(signal),
                    (Some(code), None) => ProcessEnd::Code(code),
                    (None, None) => ProcessEnd::Unknown,
                };
                let child = self.children(id).find(|(_, child)| child.pid == Some(pid));
                if let Some((child, _)) = child {
                    self.ended(child, status);
                }
                // A warm process's part is over, and the process goes back to its owner.
                if let Some(process) = self.processes.get_mut(&id)
                    && process.pid == Some(pid)
                {
                    process.life.ended(status);
                }
            }
            ToRust::Left { code } => self.ended(id, ProcessEnd::Code(code)),
            message => {
                if let Some(process) = self.processes.get_mut(&id) {
                    match message {
                        ToRust::Started { .. } => process.spools = true,
                        ToRust::Finished { .. } | ToRust::SessionOver { .. } => {
                            process.spools = false;
                            process.life.done();
                        }
                        _ => {}
                    }
                }
                self.emit(id, EventKind::Message(message));
            }
        }
    }

    /// A process that a host forked has ended.
    fn ended(&mut self, id: ProcessId, status: ProcessEnd) {
        self.drain(id);
        if let Some(process) = self.processes.get_mut(&id) {
            process.life.ended(status);
        }
    }

    /// Does what is due, and returns how long nothing else will be.
    fn settle(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let mut deadlines = Vec::new();
        deadlines.extend(self.settle_shutdown(now));
        for id in self.ids() {
            deadlines.extend(self.settle_process(id, now));
        }
        if self.processes.is_empty() {
            self.shutdowns.clear();
        }
        deadlines
            .into_iter()
            .min()
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    fn settle_process(&mut self, id: ProcessId, now: Instant) -> Option<Instant> {
        loop {
            let process = self.processes.get_mut(&id)?;
            match process.life.next(now, self.options.linger) {
                Next::Wait(deadline) => return deadline,
                Next::Kill => {
                    if process.channel.is_none() {
                        process.life.faulted(Fault::ChannelClosed);
                    }
                    process.life.killed(now);
                    self.signal(id, Signal::Kill);
                }
                Next::Probe => {
                    process.life.probed(now);
                    if let Some(status) = process.pid.and_then(spawn::probe) {
                        self.ended(id, status);
                    }
                }
                Next::End(last) => {
                    self.end(id, last, now);
                    return Some(now);
                }
            }
        }
    }

    /// Reports a process for the last time.
    fn end(&mut self, id: ProcessId, last: Last, now: Instant) {
        let Some(process) = self.processes.remove(&id) else {
            return;
        };
        self.pids.set(id, None);
        for (_, child) in self.children_mut(id) {
            child.life.host_gone(now);
        }
        let kind = process.into_last(last);
        tracing::debug!("{id} is over: {kind:?}");
        self.emit(id, kind);
    }

    /// Furthers the shutdowns that were asked for, and returns when to look again.
    fn settle_shutdown(&mut self, now: Instant) -> Option<Instant> {
        // Whoever is in the greatest hurry decides for all.
        let deadline = self
            .shutdowns
            .iter()
            .map(|shutdown| shutdown.deadline)
            .min()?;
        for id in self.ids() {
            // A host goes last, so that it tells of its children's ends.
            let leaf = self.children(id).next().is_none();
            let Some(process) = self.processes.get_mut(&id) else {
                continue;
            };
            if process.host && leaf && !process.dismissed {
                process.dismissed = true;
                process.queue_message(id, &ToPython::Shutdown {});
                self.write(id);
            }
            if now >= deadline
                && let Some(process) = self.processes.get(&id)
                && process.signal != Some(Signal::Kill)
            {
                self.signal(id, Signal::Kill);
            }
        }
        // A process in an uninterruptible sleep does not even heed SIGKILL.
        let patience = deadline + 2 * PATIENCE;
        if now >= patience {
            self.shutdowns.clear();
            return None;
        }
        Some(if now >= deadline { patience } else { deadline })
    }

    fn ids(&self) -> Vec<ProcessId> {
        self.processes.keys().copied().collect()
    }

    fn is_child(&self, child: ProcessId, parent: ProcessId) -> bool {
        self.processes
            .get(&child)
            .is_some_and(|process| process.is_child_of(parent))
    }

    fn children(&self, parent: ProcessId) -> impl Iterator<Item = (ProcessId, &Process)> {
        let children = self
            .processes
            .iter()
            .filter(move |(_, child)| child.is_child_of(parent));
        children.map(|(&id, child)| (id, child))
    }

    fn children_mut(
        &mut self,
        parent: ProcessId,
    ) -> impl Iterator<Item = (ProcessId, &mut Process)> {
        let children = self
            .processes
            .iter_mut()
            .filter(move |(_, child)| child.is_child_of(parent));
        children.map(|(&id, child)| (id, child))
    }

    fn emit(&self, process: ProcessId, kind: EventKind) {
        // An error means that nobody is interested any more.
        let _ = self.events.send(SupervisorEvent { process, kind });
    }
}

/// Our end of a new channel, its crash file, and what the process has to be given.
fn ends() -> io::Result<(Channel, CrashFile, Vec<OwnedFd>)> {
    let crash = CrashFile::new()?;
    let (channel, [socket, spool]) = Channel::pair()?;
    let fds = vec![socket, OwnedFd::from(crash.file().try_clone()?), spool];
    Ok((channel, crash, fds))
}
