//! The daemon's loop: one thread handles one thing after the other.

mod fixtures;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rpytest_ipc::ToRust;
use rpytest_worker::interpreter::ThisProcess;
use rpytest_worker::{EventKind, Interpreter, PythonFiles, Supervisor, SupervisorEvent};

use super::client::limits;
use super::keep::{Keep, Key, memory, proportional_memory, tell};
use super::place::{Place, take};
use super::session::Best;
use super::stage::Shape;
use super::warm::Warm;
use super::wire::{
    Answer, Borrower, DESCRIPTORS, For, Request, Reuse, Stage, Status, Wish, bytes, program,
    receive, send,
};
use crate::args::Limits;
use crate::inherited;
use crate::settings::{Settings, idle};
use crate::signals::Signals;

/// How often it is looked whether files have changed.
const TICK: Duration = Duration::from_millis(500);
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a daemon is there without being asked for anything, in seconds.
const IDLE: u64 = 3600;
/// How often it is looked how much memory is taken.
const WEIGHED: Duration = Duration::from_secs(5);
/// Interpreters that are kept.
const KEEPS: usize = 4;
/// How long a daemon that ends waits for fixtures to be torn down.
const LAST_PATIENCE: Duration = Duration::from_secs(15);
/// The number of no keep: of the process that keeps fixtures.
const WARM: usize = usize::MAX;
/// Numbers of processes that are lent, which are none of a supervisor's own.
const FIRST_LENT: u32 = 1 << 31;

/// Something that happens.
enum Input {
    Client(UnixStream, Request, Vec<OwnedFd>),
    /// A run is over that had borrowed.
    /// The last is the deepest stage that is wanted for the next one, if it is to be grown.
    Returned(Key, For, Option<Stage>),
    /// Of a keep's process, or of the warm one.
    Event(usize, SupervisorEvent),
}

struct Daemon {
    python: PythonFiles,
    inputs: Sender<Input>,
    keeps: Vec<Keep>,
    next_keep: usize,
    next_lent: u32,
    /// Who waits for which fork.
    waiting: HashMap<(usize, u32), Waiting>,
    started: Instant,
    /// Runs that have a host of ours.
    running: usize,
    used: Instant,
    last_dropped: Option<String>,
    /// Of the warm process alone, which outlives its interpreter.
    of_warm: Option<Supervisor>,
    warm: Option<Warm>,
    /// Who waits for fixtures to be torn down.
    held_up: Vec<HeldUp>,
    last_released: Option<String>,
    /// What went wrong with that, and was not told yet.
    failures: Vec<String>,
    /// The project's. Without it there is nothing to serve.
    root: PathBuf,
    idle: Option<Duration>,
    memory: Option<u64>,
}

struct Waiting {
    client: UnixStream,
    whom: For,
    deepest: Stage,
    stage: Stage,
    written: [serde_bytes::ByteBuf; 2],
    reasons: Vec<String>,
    up: Option<usize>,
}

struct HeldUp {
    client: UnixStream,
    wanted: Wanted,
}

/// What a run wants.
struct Wanted {
    borrower: Borrower,
    deepest: Stage,
    reuse: Option<Reuse>,
    descriptors: Vec<OwnedFd>,
}

/// What the process that keeps fixtures means for a run.
enum Tells {
    /// It has it.
    Warm,
    /// It has to wait for its end.
    Wait,
    /// Nothing; but another run may have it.
    None { busy: bool },
}

/// Who has asked a daemon to end.
struct Last {
    client: UnixStream,
    /// By a command, to which it may be said how it went.
    by_command: bool,
}

/// Serves in the foreground until nobody has borrowed for too long, or until it is told to end.
pub(crate) fn serve(limits: Limits) -> Result<(), Box<dyn std::error::Error>> {
    serve_first(limits, None)
}

/// Serves in the background, beginning with what is asked for on standard input.
pub(crate) fn serve_on() -> Result<(), Box<dyn std::error::Error>> {
    let first = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    first.set_read_timeout(Some(PATIENCE))?;
    let (request, _) = receive(&first)?;
    let nothing = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    // No terminal is to take it along when it is closed.
    rustix::process::setsid()?;
    serve_first(Limits::default(), Some(request))
}

fn serve_first(limits: Limits, first: Option<Request>) -> Result<(), Box<dyn std::error::Error>> {
    inherited::withhold()?;
    let signals = Signals::install_anyway()?;
    let directory = std::env::current_dir()?;
    let interpreter = Interpreter::find(&directory, &ThisProcess)?;
    let (settings, root) = Settings::of_the_project()?;
    if let Some(Wish::Prepare { root: wanted, .. }) = first.as_ref().map(|first| &first.wish)
        && *wanted != bytes(root.clone().into_os_string())
    {
        return Err("the project is not there any more".into());
    }
    let place = Place::new(&root, interpreter.path());
    place.prepare()?;
    let patience = match first {
        // One of another version may be about to end.
        Some(_) => PATIENCE,
        None => Duration::ZERO,
    };
    let Some(lock) = locked(&place, patience)? else {
        return Err("a daemon for this project and interpreter runs already".into());
    };
    let socket = place.socket();
    // Of a daemon that was killed: whoever has the lock is alone.
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(&socket)?;
    let (inputs, receiver) = mpsc::channel();
    accept(listener, inputs.clone())?;
    let python = PythonFiles::unpack(&ThisProcess)?;
    // It must keep no directory busy.
    std::env::set_current_dir("/")?;
    let mut daemon = Daemon {
        python,
        inputs,
        keeps: Vec::new(),
        next_keep: 0,
        next_lent: FIRST_LENT,
        waiting: HashMap::new(),
        started: Instant::now(),
        running: 0,
        used: Instant::now(),
        last_dropped: None,
        of_warm: None,
        warm: None,
        held_up: Vec::new(),
        last_released: None,
        failures: failures_before(&place),
        root,
        idle: idle(
            limits
                .idle_timeout
                .or(settings.daemon_idle_timeout)
                .unwrap_or(IDLE),
        ),
        memory: limits.memory.or(settings.daemon_memory).or_else(a_quarter),
    };
    if let Some(request) = first
        && request.program == program()
        && let Wish::Prepare { whom, deepest, .. } = request.wish
    {
        daemon.prepare(&whom, deepest);
    }
    let last = daemon.run(&receiver, &signals);
    // Nobody shall find it who is not answered.
    let removed = std::fs::remove_file(&socket);
    daemon.close_warm(&receiver);
    daemon.keeps.clear();
    let failures = std::mem::take(&mut daemon.failures);
    match &last {
        Some(Last {
            client,
            by_command: true,
        }) => {
            if let Err(error) = send(client, &Answer::Stopped { failures }, &[]) {
                tracing::debug!(%error, "an answer");
            }
        }
        _ if failures.is_empty() => {}
        _ => std::fs::write(place.failures(), serde_json::to_vec(&failures)?)?,
    }
    drop(last);
    // As long as it is held; whoever waits for it sees that it is gone. In namespaces of a container there may never be another.
    let unlocked = std::fs::remove_file(place.lock());
    drop(lock);
    removed.and(unlocked)?;
    Ok(())
}

/// What the daemon before this one could tell nobody.
fn failures_before(place: &Place) -> Vec<String> {
    let path = place.failures();
    let Ok(text) = std::fs::read(&path) else {
        return Vec::new();
    };
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!(%error, "the failures of the last daemon");
    }
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Takes the lock, as soon as it is free.
fn locked(place: &Place, patience: Duration) -> io::Result<Option<File>> {
    let deadline = Instant::now() + patience;
    loop {
        let lock = take(&place.lock())?;
        if lock.is_some() || Instant::now() >= deadline {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A quarter of the machine's memory, where it tells.
fn a_quarter() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024 / 4)
}

/// Reads what each client wants, apart from the loop, which nobody shall hold up.
fn accept(listener: UnixListener, inputs: Sender<Input>) -> io::Result<()> {
    let read = move |client: UnixStream, inputs: &Sender<Input>| -> io::Result<()> {
        if !is_own(&client)? {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        client.set_read_timeout(Some(PATIENCE))?;
        client.set_write_timeout(Some(PATIENCE))?;
        let (request, descriptors) = receive(&client)?;
        send(&client, &Answer::Heard, &[])?;
        tell(inputs, Input::Client(client, request, descriptors));
        Ok(())
    };
    std::thread::Builder::new()
        .name("rpytest-accept".into())
        .spawn(move || {
            for client in listener.incoming().flatten() {
                let inputs = inputs.clone();
                let started = std::thread::Builder::new()
                    .name("rpytest-client".into())
                    .spawn(move || {
                        if let Err(error) = read(client, &inputs) {
                            tracing::debug!(%error, "a client");
                        }
                    });
                if let Err(error) = started {
                    tracing::error!(%error, "a client");
                }
            }
        })?;
    Ok(())
}

/// Whether a client is of the same user. Where the system cannot say, the directory's mode has to do.
#[cfg(target_os = "linux")]
fn is_own(client: &UnixStream) -> io::Result<bool> {
    let peer = rustix::net::sockopt::socket_peercred(client)?;
    Ok(peer.uid == rustix::process::getuid())
}

#[cfg(not(target_os = "linux"))]
fn is_own(_: &UnixStream) -> io::Result<bool> {
    Ok(true)
}

impl Daemon {
    /// Returns the client that asked for the end, if one did, which is told by the end of its connection.
    fn run(&mut self, inputs: &Receiver<Input>, signals: &Signals) -> Option<Last> {
        let mut looked = Instant::now();
        let mut weighed = Instant::now();
        loop {
            match inputs.recv_timeout(TICK) {
                Ok(Input::Client(client, request, descriptors)) => {
                    self.used = Instant::now();
                    if let Some(last) = self.client(client, request, descriptors) {
                        return Some(last);
                    }
                }
                Ok(Input::Returned(key, whom, deepest)) => self.returned(&key, &whom, deepest),
                Ok(Input::Event(keep, event)) => self.event(keep, event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            if signals.interrupts() > 0 || signals.terminated().is_some() {
                return None;
            }
            if looked.elapsed() >= TICK {
                looked = Instant::now();
                if !self.root.exists() {
                    return None;
                }
                for keep in &mut self.keeps {
                    if let Err(error) = keep.refresh() {
                        tracing::error!(%error, "a session cannot be grown");
                    }
                }
                self.look_at_warm();
            }
            if weighed.elapsed() >= WEIGHED {
                weighed = Instant::now();
                self.keep_within_memory();
            }
            let is_idle = self.running == 0 && self.waiting.is_empty() && self.held_up.is_empty();
            if is_idle && self.idle.is_some_and(|idle| self.used.elapsed() >= idle) {
                return None;
            }
        }
    }

    /// Answers a client, or sees to it that it will be. Returns one that asked for the end.
    fn client(
        &mut self,
        client: UnixStream,
        request: Request,
        descriptors: Vec<OwnedFd>,
    ) -> Option<Last> {
        let say = |answer: &Answer| {
            if let Err(error) = send(&client, answer, &[]) {
                tracing::debug!(%error, "an answer");
            }
        };
        match request.wish {
            Wish::Stop => {
                say(&Answer::Stopping);
                let by_command = true;
                return Some(Last { client, by_command });
            }
            Wish::Status => say(&Answer::Status(self.status())),
            Wish::Prepare { .. } => say(&Answer::Refused("a run is over already".to_owned())),
            Wish::Host { .. } if request.program != program() => {
                say(&Answer::OtherProgram);
                let by_command = false;
                return Some(Last { client, by_command });
            }
            Wish::Host {
                borrower,
                deepest,
                reuse,
            } => {
                let wanted = Wanted {
                    borrower: *borrower,
                    deepest,
                    reuse,
                    descriptors,
                };
                self.serve(client, wanted);
            }
        }
        None
    }

    /// Gets ready for a run like one that is over.
    fn prepare(&mut self, whom: &For, deepest: Stage) {
        let grown = self.keep(&whom.borrower).and_then(|at| {
            let grown = self.keeps[at].grow(whom, deepest);
            grown.map_err(|error| error.to_string())
        });
        if let Err(error) = grown {
            tracing::error!(%error, "nothing is prepared");
        }
    }

    /// Drops what was not used for the longest time until the rest fits.
    fn keep_within_memory(&mut self) {
        let Some(limit) = self.memory else { return };
        loop {
            let own = memory(std::process::id()).unwrap_or_default();
            let kept: u64 = self.keeps.iter().map(Keep::memory).sum();
            let pid = match (&self.warm, &self.of_warm) {
                (Some(warm), Some(supervisor)) => supervisor.pid(warm.process),
                _ => None,
            };
            let warm = pid.and_then(proportional_memory).unwrap_or_default();
            if own + kept + warm <= limit {
                return;
            }
            let reason = format!("all together took more than {} MiB", limit >> 20);
            let oldest = self.keeps.iter_mut().min_by_key(|keep| keep.last_used());
            let warm = self.warm.as_ref().filter(|warm| !warm.is_busy());
            let is_older = |oldest: &Keep| warm.is_some_and(|one| one.used < oldest.last_used());
            if warm.is_some() && oldest.as_deref().is_none_or(is_older) {
                // It takes its time; the rest is looked at again then.
                self.release(reason);
                return;
            }
            let Some(oldest) = oldest else { return };
            self.last_dropped = Some(reason.clone());
            if oldest.drop_oldest(&reason) {
                continue;
            }
            let number = oldest.number;
            self.keeps.retain(|keep| keep.number != number);
            self.failed(number, None, &reason);
        }
    }

    fn serve(&mut self, client: UnixStream, wanted: Wanted) {
        if let Err(reason) = self.lend(&client, wanted)
            && let Err(error) = send(&client, &Answer::Refused(reason), &[])
        {
            tracing::debug!(%error, "an answer");
        }
    }

    fn lend(&mut self, client: &UnixStream, wanted: Wanted) -> Result<(), String> {
        let Wanted {
            borrower,
            descriptors,
            ..
        } = &wanted;
        if descriptors.len() != DESCRIPTORS + borrower.inherited.len() {
            return Err("the client sent no descriptors".to_owned());
        }
        if borrower.limits != limits() {
            return Err("the daemon has other resource limits, or another niceness".to_owned());
        }
        let text = |error: io::Error| format!("the daemon failed: {error}");
        let client = client.try_clone().map_err(text)?;
        let shape = Shape::of(&descriptors[DESCRIPTORS - 3..DESCRIPTORS]).map_err(text)?;
        let at = self.keep(borrower)?;
        let busy = match self.warm_for(at, borrower, wanted.reuse) {
            Tells::Wait => {
                self.held_up.push(HeldUp { client, wanted });
                return Ok(());
            }
            Tells::Warm => false,
            Tells::None { busy } => busy,
        };
        let Wanted {
            borrower,
            deepest,
            reuse,
            descriptors,
        } = wanted;
        let whom = For { borrower, shape };
        if let Some(reuse) = reuse
            && !busy
        {
            return self
                .lend_warm(at, client, whom, reuse, descriptors)
                .map_err(text);
        }
        let child = self.number();
        let keep = &mut self.keeps[at];
        let Best {
            from,
            stage,
            written,
            mut reasons,
        } = keep.best(&whom, deepest);
        if busy && reuse.is_some() {
            let reason = "another run has the process that keeps fixtures".to_owned();
            reasons.insert(0, reason);
        }
        keep.lend(from, child, &whom.borrower, descriptors, false)
            .map_err(text)?;
        let waiting = Waiting {
            client,
            whom,
            deepest,
            stage,
            written,
            reasons,
            up: None,
        };
        self.waiting.insert((keep.number, child), waiting);
        Ok(())
    }

    fn number(&mut self) -> u32 {
        let child = self.next_lent;
        self.next_lent = child.checked_add(1).unwrap_or(FIRST_LENT);
        child
    }

    /// The interpreter for a borrower, which is started if there is none.
    fn keep(&mut self, borrower: &Borrower) -> Result<usize, String> {
        let key = Key::of(borrower);
        if let Some(at) = self.keeps.iter().position(|keep| keep.key == key) {
            match self.keeps[at].stale() {
                None => {
                    self.keeps[at].used = Instant::now();
                    return Ok(at);
                }
                Some(reason) => {
                    self.keeps.swap_remove(at);
                    self.last_dropped = Some(reason);
                }
            }
        }
        while self.keeps.len() >= KEEPS {
            let oldest = self.keeps.iter().enumerate();
            let Some((at, _)) = oldest.min_by_key(|(_, keep)| keep.used) else {
                break;
            };
            self.keeps.swap_remove(at);
            self.last_dropped = Some("there were too many".to_owned());
        }
        let number = self.next_keep;
        self.next_keep += 1;
        let inputs = self.inputs.clone();
        let events = move |keep, event| tell(&inputs, Input::Event(keep, event));
        let keep = Keep::start(number, borrower, self.python.clone(), events)
            .map_err(|error| format!("the daemon failed to {error}"))?;
        self.keeps.push(keep);
        Ok(self.keeps.len() - 1)
    }

    fn event(&mut self, number: usize, event: SupervisorEvent) {
        if number == WARM {
            return self.of_warm(event);
        }
        let Some(at) = self.keeps.iter().position(|keep| keep.number == number) else {
            return;
        };
        let SupervisorEvent { process, kind, .. } = event;
        match kind {
            EventKind::Message(ToRust::Forked { child, .. }) => self.lent(number, child),
            EventKind::Message(ToRust::ForkFailed { child, reason }) => {
                self.failed(number, Some(child), &reason);
            }
            EventKind::Message(ToRust::Grown { refusals, looked }) => {
                let keep = &mut self.keeps[at];
                if process == keep.host {
                    keep.is_ready(&looked);
                } else if let Err(error) = keep.grown(process, refusals, &looked) {
                    tracing::error!(%error, "a session cannot be grown");
                }
            }
            kind if kind.is_last() && self.keeps[at].ended(process) => {
                self.keeps.swap_remove(at);
                self.failed(number, None, "its interpreter has ended");
            }
            _ => {}
        }
    }

    /// A host was forked, and is its borrower's now.
    fn lent(&mut self, number: usize, child: u32) {
        let Some(waiting) = self.waiting.remove(&(number, child)) else {
            return;
        };
        let Waiting {
            client,
            whom,
            deepest,
            stage,
            written,
            reasons,
            up,
        } = waiting;
        let answer = Answer::Lent {
            stage,
            written,
            reasons,
            up,
            failures: self.failures.clone(),
        };
        if send(&client, &answer, &[]).is_err() {
            return;
        }
        self.failures.clear();
        self.running += 1;
        let inputs = self.inputs.clone();
        let key = Key::of(&whom.borrower);
        let waits = move || {
            let _ = client.set_read_timeout(None);
            let _ = io::copy(&mut &client, &mut io::sink());
            let deepest = up.is_none().then_some(deepest);
            tell(&inputs, Input::Returned(key, whom, deepest));
        };
        let thread = std::thread::Builder::new().stack_size(64 * 1024);
        if let Err(error) = thread.spawn(waits) {
            tracing::error!(%error, "a run's end will not be seen");
            self.running -= 1;
        }
    }

    /// One of those who wait, or all, will get nothing from a keep.
    fn failed(&mut self, number: usize, child: Option<u32>, reason: &str) {
        let of = |key: &(usize, u32)| key.0 == number && child.is_none_or(|child| key.1 == child);
        let keys: Vec<(usize, u32)> = self.waiting.keys().copied().filter(of).collect();
        for key in keys {
            if let Some(waiting) = self.waiting.remove(&key) {
                let _ = send(&waiting.client, &Answer::Refused(reason.to_owned()), &[]);
            }
        }
    }

    /// A run is over: the next of its kind shall find more.
    fn returned(&mut self, key: &Key, whom: &For, deepest: Option<Stage>) {
        self.running = self.running.saturating_sub(1);
        self.used = Instant::now();
        let Some(deepest) = deepest else {
            if let Some(warm) = &mut self.warm {
                warm.is_left();
            }
            return;
        };
        let Some(keep) = self.keeps.iter_mut().find(|keep| keep.key == *key) else {
            return;
        };
        if let Err(error) = keep.grow(whom, deepest) {
            tracing::error!(%error, "a session cannot be grown");
        }
    }

    fn status(&mut self) -> Status {
        Status {
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            memory_bytes: memory(std::process::id()),
            runs: self.running,
            snapshots: self.keeps.iter_mut().flat_map(Keep::snapshots).collect(),
            last_dropped: self.last_dropped.clone(),
            warm: match (&mut self.warm, &self.of_warm) {
                (Some(warm), Some(supervisor)) => Some(warm.status(supervisor)),
                _ => None,
            },
            last_released: self.last_released.clone(),
            failures: self.failures.clone(),
        }
    }
}
