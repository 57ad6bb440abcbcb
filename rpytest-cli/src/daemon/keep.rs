//! A warm interpreter, and the sessions that were grown from it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use rpytest_ipc::{Role, ToPython};
use rpytest_worker::{Interpreter, Options, ProcessId, PythonFiles, Supervisor, SupervisorEvent};
use serde_bytes::ByteBuf;

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
    pub(super) sessions: Vec<Session>,
}

/// A session, or why there is none.
pub(super) struct Session {
    pub(super) whom: For,
    pub(super) state: State,
    started: SystemTime,
    used: Instant,
    pub(super) lent: u64,
}

pub(super) enum State {
    Growing {
        process: ProcessId,
        stage: Stage,
    },
    Grown {
        process: ProcessId,
        /// Its descriptors stay as they are.
        _stage: Stage,
        written: [ByteBuf; 2],
        stamps: Stamps,
    },
    /// It cannot be, as long as nothing changes.
    Refused {
        reasons: Vec<String>,
        stamps: Option<Stamps>,
    },
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
    pub(super) fn is_ready(&mut self, seen: &[ByteBuf], listed: &[ByteBuf]) {
        self.stamps = Some(Stamps::since(self.started, paths(seen), paths(listed)));
    }

    /// Why it must not be lent any more.
    pub(super) fn stale(&mut self) -> Option<String> {
        let path = self.stamps.as_mut()?.changed()?;
        Some(format!("`{}` has changed", path.display()))
    }

    /// The session for a borrower, if it is as it was.
    pub(super) fn session(&mut self, whom: &For) -> Option<&mut Session> {
        let at = self.sessions.iter().position(|one| one.whom == *whom)?;
        self.sessions[at].used = Instant::now();
        if let Some(reason) = self.sessions[at].stale() {
            tracing::debug!(reason, "a session is dropped");
            self.drop_session(at);
            return None;
        }
        self.sessions.get_mut(at)
    }

    fn drop_session(&mut self, at: usize) {
        let session = self.sessions.swap_remove(at);
        if let State::Growing { process, .. } | State::Grown { process, .. } = session.state {
            self.supervisor.kill(process, rpytest_worker::Signal::Kill);
        }
    }

    /// Begins to grow a session for a borrower, if there is none and none was refused.
    pub(super) fn grow(&mut self, whom: &For) -> io::Result<()> {
        // What one collects that runs a part is of no use to the next.
        if whom.borrower.focused || self.session(whom).is_some() {
            return Ok(());
        }
        while self.sessions.len() >= SESSIONS {
            let oldest = self.sessions.iter().enumerate();
            let Some((at, _)) = oldest.min_by_key(|(_, session)| session.used) else {
                break;
            };
            self.drop_session(at);
        }
        let stage = Stage::new(whom.shape.clone())?;
        let (process, mut descriptors) = self.supervisor.adopt(false).map_err(io::Error::other)?;
        descriptors.extend(stage.descriptors()?);
        // Nothing else is to have the numbers of those that a borrower brings.
        for _ in &whom.borrower.inherited {
            descriptors.push(File::open("/dev/null")?.into());
        }
        self.lend(self.host, process.0, &whom.borrower, descriptors, true)?;
        let start = ToPython::Start {
            role: Role::Resident,
            argv: whom.borrower.arguments.clone(),
            worker: None,
            settled: Vec::new(),
            focus: None,
        };
        self.supervisor
            .send(process, &start)
            .map_err(io::Error::other)?;
        self.sessions.push(Session {
            whom: whom.clone(),
            state: State::Growing { process, stage },
            started: SystemTime::now(),
            used: Instant::now(),
            lent: 0,
        });
        Ok(())
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
        let message = ToPython::Lend {
            child,
            cwd: borrower.cwd.clone(),
            environment: borrower.environment.clone(),
            umask: borrower.umask,
            inherited: borrower.inherited.clone(),
            tied,
        };
        self.supervisor
            .send_with(from, &message, descriptors)
            .map_err(io::Error::other)
    }

    /// A session says that it has collected, or why it must not be lent.
    pub(super) fn grown(
        &mut self,
        process: ProcessId,
        refusals: Vec<String>,
        [seen, listed]: [&[ByteBuf]; 2],
    ) {
        let Some(session) = self.growing(process) else {
            return;
        };
        let stamps = Stamps::since(session.started, paths(seen), paths(listed));
        let before = std::mem::replace(
            &mut session.state,
            State::Refused {
                reasons: refusals,
                stamps: None,
            },
        );
        let State::Growing { process, stage } = before else {
            return;
        };
        match &mut session.state {
            State::Refused {
                reasons,
                stamps: why,
            } if !reasons.is_empty() => *why = Some(stamps),
            state => match stage.written() {
                Ok(written) => {
                    *state = State::Grown {
                        process,
                        _stage: stage,
                        written,
                        stamps,
                    }
                }
                Err(error) => {
                    *state = State::Refused {
                        reasons: vec![format!("what it has written cannot be read: {error}")],
                        stamps: Some(stamps),
                    }
                }
            },
        }
    }

    /// What its processes take, shared pages put down to each in part.
    pub(super) fn memory(&self) -> u64 {
        let of_sessions = self.sessions.iter().filter_map(Session::process);
        let processes = of_sessions.chain([self.host]);
        let pids = processes.filter_map(|process| self.supervisor.pid(process));
        pids.filter_map(proportional_memory).sum()
    }

    /// When something of it was used, that was not for the longest time.
    pub(super) fn last_used(&self) -> Instant {
        let of_sessions = self.sessions.iter().filter(|one| one.process().is_some());
        let oldest = of_sessions.map(|session| session.used).min();
        oldest.unwrap_or(self.used)
    }

    /// Gives up the session that was not used for the longest time, until its files change. False if there
    /// is none.
    pub(super) fn drop_oldest(&mut self, reason: &str) -> bool {
        let kept = self
            .sessions
            .iter_mut()
            .filter(|one| one.process().is_some());
        let Some(session) = kept.min_by_key(|session| session.used) else {
            return false;
        };
        let reasons = vec![reason.to_owned()];
        let stamps = None;
        let before = std::mem::replace(&mut session.state, State::Refused { reasons, stamps });
        let process = match before {
            State::Growing { process, .. } => process,
            State::Grown {
                process, stamps, ..
            } => {
                let reasons = vec![reason.to_owned()];
                let stamps = Some(stamps);
                session.state = State::Refused { reasons, stamps };
                process
            }
            State::Refused { .. } => return false,
        };
        self.supervisor.kill(process, rpytest_worker::Signal::Kill);
        true
    }

    /// A process of this interpreter's has ended. True if it was the interpreter itself.
    pub(super) fn ended(&mut self, process: ProcessId) -> bool {
        self.sessions
            .retain(|session| session.process() != Some(process));
        process == self.host
    }

    fn growing(&mut self, wanted: ProcessId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(
            |session| matches!(session.state, State::Growing { process, .. } if process == wanted),
        )
    }

    /// Sees to it that what was asked for lately is there again when it is asked for the next time.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let last = self.sessions.iter_mut().max_by_key(|session| session.used);
        let Some(last) = last.filter(|session| session.used.elapsed() < RECENT) else {
            return Ok(());
        };
        if last.stale().is_none() {
            return Ok(());
        }
        let (whom, used) = (last.whom.clone(), last.used);
        self.grow(&whom)?;
        if let Some(session) = self.sessions.last_mut() {
            session.used = used;
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
        let of_sessions = self.sessions.iter_mut().map(|session| {
            let is_grown = matches!(session.state, State::Grown { .. });
            let usable = is_grown && session.stale().is_none();
            let (pid, files, refusals) = match &session.state {
                State::Growing { process, .. } => (supervisor.pid(*process), 0, Vec::new()),
                State::Grown {
                    process, stamps, ..
                } => (supervisor.pid(*process), stamps.len(), Vec::new()),
                State::Refused { reasons, stamps } => {
                    let files = stamps.as_ref().map_or(0, Stamps::len);
                    (None, files, reasons.clone())
                }
            };
            let arguments = session.whom.borrower.arguments.iter();
            Snapshot {
                usable,
                stage: wire::Stage::Collected,
                pid,
                age_seconds: age(session.started),
                files,
                lent: session.lent,
                memory_bytes: pid.and_then(memory),
                arguments: arguments
                    .map(|argument| String::from_utf8_lossy(argument).into_owned())
                    .collect(),
                refusals,
            }
        });
        [of_host].into_iter().chain(of_sessions).collect()
    }
}

impl Session {
    fn process(&self) -> Option<ProcessId> {
        match &self.state {
            State::Growing { process, .. } | State::Grown { process, .. } => Some(*process),
            State::Refused { .. } => None,
        }
    }

    fn stale(&mut self) -> Option<String> {
        let stamps = match &mut self.state {
            State::Growing { .. } => None,
            State::Grown { stamps, .. } => Some(stamps),
            State::Refused { stamps, .. } => stamps.as_mut(),
        };
        let path = stamps?.changed()?;
        Some(format!("`{}` has changed", path.display()))
    }
}

fn paths(seen: &[ByteBuf]) -> Vec<PathBuf> {
    seen.iter()
        .map(|path| PathBuf::from(OsString::from_vec(path.to_vec())))
        .collect()
}

fn age(since: SystemTime) -> f64 {
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
fn proportional_memory(pid: u32) -> Option<u64> {
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
