//! A supervisor over peers that are no pytest, with a record of all that it told.

use std::cell::Cell;
use std::env;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rpytest_ipc::{Role, ToPython, ToRust};
use rpytest_worker::interpreter::ThisProcess;
use rpytest_worker::{
    End, EventKind, Interpreter, Options, ProcessId, PythonFiles, Supervisor, SupervisorEvent,
};

/// Far beyond what anything here takes; a test that waits that long has failed.
const LIMIT: Duration = Duration::from_secs(40);

pub struct Lab {
    pub supervisor: Supervisor,
    events: Receiver<SupervisorEvent>,
    seen: Vec<SupervisorEvent>,
    started: Vec<ProcessId>,
    adopted: Vec<ProcessId>,
    pids: Vec<u32>,
}

pub fn python() -> Interpreter {
    Interpreter::find(Path::new("/"), &ThisProcess).expect("the tests need a python3 on PATH")
}

/// A lab whose peers do `early` before the handshake.
pub fn lab(early: &str) -> Lab {
    lab_with(early, |_| {})
}

pub fn lab_with(early: &str, adjust: impl FnOnce(&mut Options)) -> Lab {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/peer");
    let mut options = Options::new(PythonFiles::at(peer));
    let env = env::vars_os().chain([("PEER".into(), early.into())]);
    options.env = Some(env.collect());
    adjust(&mut options);
    let (supervisor, events) = Supervisor::new(options).expect("a supervisor");
    Lab {
        supervisor,
        events,
        seen: Vec::new(),
        started: Vec::new(),
        adopted: Vec::new(),
        pids: Vec::new(),
    }
}

impl Lab {
    pub fn spawn_host(&mut self) -> ProcessId {
        let id = self.supervisor.spawn_host(&python()).expect("a process");
        self.started.push(id);
        id
    }

    pub fn adopt(&mut self, host: bool) -> (ProcessId, Vec<OwnedFd>) {
        let (id, descriptors) = self.supervisor.adopt(host).expect("a channel");
        self.started.push(id);
        self.adopted.push(id);
        (id, descriptors)
    }

    pub fn fork(&mut self, parent: ProcessId) -> ProcessId {
        let id = self.supervisor.fork(parent);
        self.started.push(id);
        id
    }

    /// A fresh interpreter, and then a fork, that do the same: how a process ends must not depend on
    /// where it comes from.
    pub fn both(&mut self, act: &str) -> [ProcessId; 2] {
        let spawned = self.supervisor.spawn_process(&python()).expect("a process");
        self.started.push(spawned);
        let host = self.spawn_host();
        let forked = self.fork(host);
        for id in [spawned, forked] {
            self.start(id, act);
        }
        [spawned, forked]
    }

    pub fn start(&self, id: ProcessId, act: &str) {
        let argv = act
            .split_whitespace()
            .map(|word| word.as_bytes().to_vec().into())
            .collect();
        let role = Role::Worker;
        let start = ToPython::Start {
            role,
            argv,
            worker: None,
            settled: Vec::new(),
            focus: None,
            sharded: false,
            timed: false,
            listens: false,
        };
        self.send(id, &start);
    }

    pub fn send(&self, id: ProcessId, message: &ToPython) {
        self.supervisor
            .send(id, message)
            .expect("it is not too large");
    }

    /// Waits for an event of a process, or finds it among those that came.
    pub fn wait(&mut self, id: ProcessId, wanted: impl Fn(&EventKind) -> bool) -> usize {
        let deadline = Instant::now() + LIMIT;
        let mut at = 0;
        loop {
            if at == self.seen.len() {
                let left = deadline.saturating_duration_since(Instant::now());
                match self.events.recv_timeout(left) {
                    Ok(event) => self.record(event),
                    Err(_) => panic!("nothing came for {id}; so far: {:#?}", self.seen),
                }
            }
            let event = &self.seen[at];
            if event.process == id && wanted(&event.kind) {
                return at;
            }
            at += 1;
        }
    }

    /// Whether the event that was waited for is the last of its process.
    pub fn is_last(&self, at: usize) -> bool {
        self.seen[at].kind.is_last()
    }

    pub fn ready(&mut self, id: ProcessId) -> u32 {
        let at = self.wait(id, |kind| matches!(kind, EventKind::Ready(_)));
        match &self.seen[at].kind {
            EventKind::Ready(peer) => peer.pid,
            _ => unreachable!("it was waited for"),
        }
    }

    /// Waits for a text that a process relays.
    pub fn relayed(&mut self, id: ProcessId, text: &str) {
        self.wait(id, |kind| {
            relay(kind).is_some_and(|relayed| relayed == text)
        });
    }

    /// Waits until a process has relayed so many texts.
    pub fn wait_for_relays(&mut self, id: ProcessId, count: usize) {
        let left = Cell::new(count);
        self.wait(id, |kind| {
            left.set(left.get() - usize::from(relay(kind).is_some()));
            left.get() == 0
        });
    }

    /// Waits for the last event of a process.
    pub fn last(&mut self, id: ProcessId) -> &EventKind {
        let at = self.wait(id, EventKind::is_last);
        &self.seen[at].kind
    }

    pub fn end(&mut self, id: ProcessId) -> End {
        match self.last(id) {
            EventKind::Ended(end) => end.clone(),
            other => panic!("{id}: {other:?}"),
        }
    }

    /// Everything that a process relayed so far.
    pub fn relays(&self, id: ProcessId) -> Vec<String> {
        let events = self.seen.iter().filter(|event| event.process == id);
        events.filter_map(|event| relay(&event.kind)).collect()
    }

    /// Ends it all, and checks what holds for every process at any time.
    pub fn finish(mut self) {
        let begin = Instant::now();
        self.supervisor.shutdown_all(LIMIT / 2);
        assert!(begin.elapsed() < LIMIT / 2, "the shutdown had to kill");
        self.check();
    }

    /// Kills it all.
    pub fn kill(mut self) {
        self.supervisor.shutdown_all(Duration::ZERO);
        self.check();
    }

    fn check(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.record(event);
        }
        for &id in &self.started {
            let story: Vec<_> = self
                .seen
                .iter()
                .filter(|event| event.process == id)
                .collect();
            let (last, before) = story.split_last().expect("each process has an event");
            assert!(last.kind.is_last(), "{id}: {story:#?}");
            assert!(
                !before.iter().any(|event| event.kind.is_last()),
                "{id}: {story:#?}"
            );
            let late = |event: &&&SupervisorEvent| matches!(event.kind, EventKind::Ready(_));
            assert!(
                before.iter().skip(1).find(late).is_none(),
                "{id}: {story:#?}"
            );
            assert_eq!(self.supervisor.pid(id), None);
        }
        // The system may still be at work on those that others reap.
        let deadline = Instant::now() + LIMIT / 4;
        while !self.adopted.is_empty()
            && self.pids.iter().any(|pid| is_running(*pid))
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        for pid in &self.pids {
            assert!(!is_running(*pid), "{pid} still runs");
        }
    }

    fn record(&mut self, event: SupervisorEvent) {
        if let EventKind::Ready(peer) = &event.kind {
            self.pids.push(peer.pid);
        }
        self.seen.push(event);
    }
}

fn relay(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Message(ToRust::Relay { payload, .. }) => {
            Some(String::from_utf8_lossy(payload).into_owned())
        }
        _ => None,
    }
}

/// Whether a process has not ended. An orphan may have ended and wait to be reaped by whoever has the
/// pid 1, which may never do it.
pub fn is_running(pid: u32) -> bool {
    if cfg!(target_os = "linux") {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.trim().chars().next());
        return state.is_some_and(|state| state != 'Z');
    }
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a pid");
    rustix::process::test_kill_process(pid).is_ok()
}
