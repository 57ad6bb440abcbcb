//! A warm interpreter, and the sessions that were grown from it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use rpytest_ipc::{Looked, Role, ToPython};
use rpytest_worker::{
    Interpreter, Options, ProcessId, PythonFiles, Signal, Supervisor, SupervisorEvent,
};
use serde_bytes::ByteBuf;

use super::session::{Best, Growth, Session};
use super::stage::Stage;
use super::stamps::Stamps;
use super::wire::{self, Borrower, For, Snapshot};

/// Sessions that are kept of one interpreter.
const SESSIONS: usize = 4;
/// How long nobody may have asked for a session that is grown again when a file changes.
const RECENT: Duration = Duration::from_secs(600);

/// Variables that neither an interpreter nor pytest looks at when it starts. A fork is given the borrower's.
const OF_NO_CONSEQUENCE: [&str; 16] = [
    "_",
    "COLUMNS",
    "LINES",
    "OLDPWD",
    "PWD",
    "SHLVL",
    "SSH_AUTH_SOCK",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "STY",
    "TERM_SESSION_ID",
    "TMUX",
    "TMUX_PANE",
    "WINDOWID",
    "XDG_SESSION_ID",
];

/// Whom an interpreter can be lent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    interpreter: ByteBuf,
    environment: Vec<(ByteBuf, ByteBuf)>,
    /// Where it was started, if its search path is relative to that.
    cwd: Option<ByteBuf>,
}

impl Key {
    pub(super) fn of(borrower: &Borrower) -> Self {
        let matters = |name: &ByteBuf| {
            let harmless = |other: &&str| other.as_bytes() == name.as_slice();
            !OF_NO_CONSEQUENCE.iter().any(harmless)
        };
        let path = borrower
            .environment
            .iter()
            .find(|(name, _)| name.as_slice() == b"PYTHONPATH");
        let relative = path.is_some_and(|(_, path)| {
            path.split(|byte| *byte == b':')
                .any(|directory| !directory.starts_with(b"/"))
        });
        Self {
            interpreter: borrower.interpreter.clone(),
            environment: borrower
                .environment
                .iter()
                .filter(|(name, _)| matters(name))
                .cloned()
                .collect(),
            cwd: relative.then(|| borrower.cwd.clone()),
        }
    }
}

/// A warm interpreter.
pub(super) struct Keep {
    pub(super) number: usize,
    pub(super) key: Key,
    pub(super) supervisor: Supervisor,
    pub(super) host: ProcessId,
    pub(super) used: Instant,
    started: SystemTime,
    stamps: Option<Stamps>,
    pub(super) lent: u64,
    sessions: Vec<Session>,
}

impl Keep {
    /// Starts an interpreter. Its events come with its number.
    pub(super) fn start(
        number: usize,
        borrower: &Borrower,
        python: PythonFiles,
        events: impl Fn(usize, SupervisorEvent) + Send + 'static,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let text = |bytes: &ByteBuf| OsString::from_vec(bytes.to_vec());
        let mut options = Options::new(python);
        options.cwd = Some(PathBuf::from(text(&borrower.cwd)));
        options.env = Some(
            borrower
                .environment
                .iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
        );
        let (supervisor, receiver) = Supervisor::new(options)?;
        std::thread::Builder::new()
            .name("rpytest-events".into())
            .stack_size(64 * 1024)
            .spawn(move || {
                for event in receiver {
                    events(number, event);
                }
            })?;
        let started = SystemTime::now();
        let interpreter = Interpreter::at(text(&borrower.interpreter));
        let host = supervisor.spawn_host(&interpreter)?;
        supervisor.send(host, &ToPython::Look {})?;
        Ok(Self {
            number,
            key: Key::of(borrower),
            supervisor,
            host,
            used: Instant::now(),
            started,
            stamps: None,
            lent: 0,
            sessions: Vec::new(),
        })
    }

    /// The interpreter says what it has loaded.
    pub(super) fn is_ready(&mut self, looked: &Looked) {
        self.stamps = Some(Stamps::since(self.started, looked));
    }

    /// Why it must not be lent any more.
    pub(super) fn stale(&mut self) -> Option<String> {
        let path = self.stamps.as_mut()?.changed()?;
        Some(format!("`{}` has changed", path.display()))
    }

    /// Where the session for a borrower is, if it is as it was.
    fn session(&mut self, whom: &For) -> Option<usize> {
        let at = self.sessions.iter().position(|one| one.whom == *whom)?;
        let session = &mut self.sessions[at];
        session.used = Instant::now();
        if let Some(reason) = session.configured.stale() {
            tracing::debug!(reason, "a session is dropped");
            self.drop_session(at);
            return None;
        }
        session.drop_stale_collection(&self.supervisor);
        Some(at)
    }

    fn drop_session(&mut self, at: usize) {
        let session = self.sessions.swap_remove(at);
        for process in session.processes() {
            self.supervisor.kill(process, Signal::Kill);
        }
    }

    /// From which process a borrower's is forked, of this stage at most.
    pub(super) fn best(&mut self, whom: &For, deepest: wire::Stage) -> Best {
        let mut best = Best {
            from: self.host,
            stage: wire::Stage::Interpreter,
            written: Default::default(),
            reasons: Vec::new(),
        };
        let is_wanted = deepest > wire::Stage::Interpreter;
        let found = is_wanted.then(|| self.session(whom)).flatten();
        match found.map(|at| &mut self.sessions[at]) {
            Some(session) => session.improve(&mut best, deepest),
            None if !is_wanted => {}
            None => best.reasons = vec!["no session has been kept for it".to_owned()],
        }
        if best.stage == wire::Stage::Interpreter {
            self.lent += 1;
        }
        best
    }

    /// Begins to grow a session for a borrower to this stage, if there is none and none was refused.
    pub(super) fn grow(&mut self, whom: &For, deepest: wire::Stage) -> io::Result<()> {
        if deepest == wire::Stage::Interpreter {
            return Ok(());
        }
        let at = match self.session(whom) {
            Some(at) => at,
            None => {
                while self.sessions.len() >= SESSIONS {
                    let oldest = self.sessions.iter().enumerate();
                    let Some((at, _)) = oldest.min_by_key(|(_, session)| session.used) else {
                        break;
                    };
                    self.drop_session(at);
                }
                let configured = self.begin(self.host, whom)?;
                self.sessions.push(Session::new(whom.clone(), configured));
                self.sessions.len() - 1
            }
        };
        self.sessions[at].wants(deepest);
        self.deepen(at)
    }

    /// Has a session that is configured collect, if that is wanted.
    fn deepen(&mut self, at: usize) -> io::Result<()> {
        let session = &self.sessions[at];
        if !session.collects() || session.collected.is_some() {
            return Ok(());
        }
        let Some(from) = session.configured.grown() else {
            return Ok(());
        };
        let collected = self.begin(from, &session.whom)?;
        self.sessions[at].collected = Some(collected);
        Ok(())
    }

    /// Has a fork grow to the next stage.
    fn begin(&self, from: ProcessId, whom: &For) -> io::Result<Growth> {
        let stage = Stage::new(whom.shape.clone())?;
        let (process, mut descriptors) = self.supervisor.adopt(false).map_err(io::Error::other)?;
        descriptors.extend(stage.descriptors()?);
        // Nothing else is to have the numbers of those that a borrower brings.
        for _ in &whom.borrower.inherited {
            descriptors.push(File::open("/dev/null")?.into());
        }
        self.lend(from, process.0, &whom.borrower, descriptors, true)?;
        let start = ToPython::Start {
            role: Role::Resident,
            argv: whom.borrower.arguments.clone(),
            worker: None,
            settled: Vec::new(),
            focus: None,
            sharded: false,
            timed: false,
            listens: false,
        };
        self.supervisor
            .send(process, &start)
            .map_err(io::Error::other)?;
        Ok(Growth::begun(process, stage))
    }

    /// Has a process forked for somebody, who has the other end of the first descriptor.
    pub(super) fn lend(
        &self,
        from: ProcessId,
        child: u32,
        borrower: &Borrower,
        descriptors: Vec<OwnedFd>,
        tied: bool,
    ) -> io::Result<()> {
        let message = Self::lease(child, borrower, tied);
        self.supervisor
            .send_with(from, &message, descriptors)
            .map_err(io::Error::other)
    }

    pub(super) fn lease(child: u32, borrower: &Borrower, tied: bool) -> ToPython {
        ToPython::Lend {
            child,
            cwd: borrower.cwd.clone(),
            environment: borrower.environment.clone(),
            umask: borrower.umask,
            inherited: borrower.inherited.clone(),
            tied,
        }
    }

    /// A session says that it has reached its next stage, or why it must not be lent.
    pub(super) fn grown(
        &mut self,
        process: ProcessId,
        refusals: Vec<String>,
        looked: &Looked,
    ) -> io::Result<()> {
        let found = self
            .sessions
            .iter()
            .position(|one| one.processes().contains(&process));
        let Some(at) = found else { return Ok(()) };
        self.sessions[at].grown(process, refusals, looked);
        self.deepen(at)
    }

    /// What its processes take, shared pages put down to each in part.
    pub(super) fn memory(&self) -> u64 {
        let of_sessions = self.sessions.iter().flat_map(Session::processes);
        let processes = of_sessions.chain([self.host]);
        let pids = processes.filter_map(|process| self.supervisor.pid(process));
        pids.filter_map(proportional_memory).sum()
    }

    /// When something of it was used, that was not for the longest time.
    pub(super) fn last_used(&self) -> Instant {
        let kept = self
            .sessions
            .iter()
            .filter(|one| !one.processes().is_empty());
        let oldest = kept.map(|session| session.used).min();
        oldest.unwrap_or(self.used)
    }

    /// Gives up the last stage of the session that was not used for the longest time, until its files change.
    /// False if there is none.
    pub(super) fn drop_oldest(&mut self, reason: &str) -> bool {
        let sessions = self.sessions.iter_mut();
        let kept = sessions.filter(|one| !one.processes().is_empty());
        let Some(session) = kept.min_by_key(|session| session.used) else {
            return false;
        };
        if let Some(process) = session.give_up(reason) {
            self.supervisor.kill(process, Signal::Kill);
        }
        true
    }

    /// A process of this interpreter's has ended. True if it was the interpreter itself.
    pub(super) fn ended(&mut self, process: ProcessId) -> bool {
        self.sessions
            .retain(|session| session.configured.process() != Some(process));
        for session in &mut self.sessions {
            let collected = session.collected.as_ref().and_then(Growth::process);
            if collected == Some(process) {
                session.collected = None;
            }
        }
        process == self.host
    }

    /// Sees to it that what was asked for lately is there again when it is asked for the next time: the session
    /// that was used last when its files change, and those that their own run's files were too young for.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let last = self.sessions.iter().map(|session| session.used).max();
        let recent = self
            .sessions
            .iter_mut()
            .filter(|session| session.used.elapsed() < RECENT);
        let wanted = recent.filter_map(|session| {
            let is_last = Some(session.used) == last;
            let again = session.is_unsettled() || is_last && session.is_stale();
            again.then(|| (session.whom.clone(), session.used, session.deepest))
        });
        for (whom, used, deepest) in wanted.collect::<Vec<_>>() {
            self.grow(&whom, deepest)?;
            if let Some(session) = self.sessions.iter_mut().find(|one| one.whom == whom) {
                session.used = used;
            }
        }
        Ok(())
    }

    pub(super) fn snapshots(&mut self) -> Vec<Snapshot> {
        let of_host = Snapshot {
            usable: self.stamps.is_some() && self.stale().is_none(),
            stage: wire::Stage::Interpreter,
            pid: self.supervisor.pid(self.host),
            age_seconds: age(self.started),
            files: self.stamps.as_ref().map_or(0, Stamps::len),
            lent: self.lent,
            memory_bytes: self.supervisor.pid(self.host).and_then(memory),
            arguments: Vec::new(),
            refusals: Vec::new(),
        };
        let supervisor = &self.supervisor;
        let sessions = self.sessions.iter_mut();
        let of_sessions = sessions.flat_map(|session| session.snapshots(supervisor));
        [of_host].into_iter().chain(of_sessions).collect()
    }
}

pub(super) fn path(bytes: &ByteBuf) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

pub(super) fn age(since: SystemTime) -> f64 {
    since.elapsed().unwrap_or_default().as_secs_f64()
}

/// Resident memory of a process, where `/proc` tells.
pub(super) fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The same, with what others have as well put down to each of them in part.
pub(super) fn proportional_memory(pid: u32) -> Option<u64> {
    let Ok(rollup) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
        return memory(pid);
    };
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Sends to the daemon's loop, which may be over.
pub(super) fn tell<T>(to: &Sender<T>, what: T) {
    let _ = to.send(what);
}
