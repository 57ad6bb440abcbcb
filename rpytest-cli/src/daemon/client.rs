//! The borrower's side.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rpytest_collect::Collector;
use rpytest_worker::{Interpreter, ProcessId, Supervisor};
use rustix::process::{Resource, getpriority_process, getrlimit, umask};
use serde_bytes::ByteBuf;

use super::place::Place;
use super::stage::Shape;
use super::wire::{
    Answer, Borrower, For, Request, Reuse, Stage, Status, Wish, bytes, program, receive, send,
};
use crate::args::SERVE_ON;
use crate::inherited;

/// How long a daemon may take. It has to start an interpreter at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long it may take to say that it has heard. One that stands still never does, and a run can do without it.
const HEARD: Duration = Duration::from_secs(3);

/// A host of the daemon's.
pub(crate) struct Loan {
    pub(crate) host: ProcessId,
    pub(crate) stage: Stage,
    /// What the session has written before it was lent: to standard output, and to standard error.
    pub(crate) written: [ByteBuf; 2],
    /// Why it is not a deeper stage.
    pub(crate) reasons: Vec<String>,
    /// How many fixtures are up in it, if it is one that keeps them: it forks nothing.
    pub(crate) up: Option<usize>,
    /// What went wrong when fixtures were torn down, before this run or after the last.
    pub(crate) failures: Vec<String>,
    /// Open as long as the run lasts.
    _connection: UnixStream,
}

/// Why there is no loan.
pub(crate) struct Denied {
    pub(crate) reason: String,
    /// Whether there is no daemon, or soon will be none: one can be started.
    pub(crate) nobody: bool,
}

impl Denied {
    fn by(reason: String) -> Self {
        let nobody = false;
        Self { reason, nobody }
    }
}

/// Borrows a host for a run with these arguments, which is forked from this stage at most, or is one in
/// which fixtures stay up.
pub(crate) fn borrow(
    supervisor: &Supervisor,
    interpreter: &Interpreter,
    arguments: &[OsString],
    deepest: Stage,
    reuse: Option<Reuse>,
) -> Result<Loan, Denied> {
    let connection = connect(interpreter.path())?;
    let text = |error: io::Error| Denied::by(format!("the daemon did not answer: {error}"));
    let borrower = Box::new(borrower(interpreter, arguments).map_err(text)?);
    let wish = Wish::Host {
        borrower,
        deepest,
        reuse,
    };
    let (host, own) = supervisor
        .adopt(true)
        .map_err(|error| Denied::by(format!("the daemon was not asked: {error}")))?;
    let standard = [
        std::io::stdin().as_fd().try_clone_to_owned(),
        std::io::stdout().as_fd().try_clone_to_owned(),
        std::io::stderr().as_fd().try_clone_to_owned(),
    ];
    let standard: io::Result<Vec<OwnedFd>> = standard.into_iter().collect();
    let standard = standard.map_err(text)?;
    let owned = own.iter().chain(&standard).map(AsFd::as_fd);
    let mut descriptors: Vec<BorrowedFd<'_>> = owned.collect();
    for fd in inherited::others() {
        descriptors.push(fd);
    }
    match ask(&connection, wish, &descriptors).map_err(text)? {
        Answer::Lent {
            stage,
            written,
            reasons,
            up,
            failures,
        } => Ok(Loan {
            host,
            stage,
            written,
            reasons,
            up,
            failures,
            _connection: connection,
        }),
        Answer::Refused(reason) => Err(Denied::by(reason)),
        Answer::OtherProgram => Err(Denied {
            reason: "the daemon was of another version, and ends".to_owned(),
            nobody: true,
        }),
        answer => Err(Denied::by(format!(
            "the daemon gave another answer: {answer:?}"
        ))),
    }
}

/// Starts a daemon for the next run, which shall find what this one would have needed.
pub(crate) fn start_for(
    interpreter: &Interpreter,
    arguments: &[OsString],
    deepest: Stage,
) -> io::Result<()> {
    let standard = [
        io::stdin().as_fd(),
        io::stdout().as_fd(),
        io::stderr().as_fd(),
    ]
    .map(|fd| fd.try_clone_to_owned());
    let standard: Vec<OwnedFd> = standard.into_iter().collect::<io::Result<_>>()?;
    let whom = For {
        borrower: borrower(interpreter, arguments)?,
        shape: Shape::of(&standard)?,
    };
    let (own, its) = UnixStream::pair()?;
    let mut daemon = std::process::Command::new(std::env::current_exe()?);
    daemon.arg(SERVE_ON).stdin(OwnedFd::from(its));
    daemon.stdout(Stdio::null()).stderr(Stdio::null());
    // It goes on when this process has ended; nobody waits for it.
    inherited::withheld(|| daemon.spawn())?;
    let wish = Wish::Prepare {
        whom: Box::new(whom),
        deepest,
        root: bytes(root()?.into_os_string()),
    };
    let program = program();
    own.set_write_timeout(Some(PATIENCE))?;
    send(&own, &Request { program, wish }, &[])
}

/// What the daemon of this directory keeps. None where there is none.
pub(crate) fn status(interpreter: &Interpreter) -> io::Result<Option<Status>> {
    let Ok(connection) = connect(interpreter.path()) else {
        return Ok(None);
    };
    match ask(&connection, Wish::Status, &[]).map_err(no_answer)? {
        Answer::Status(status) => Ok(Some(status)),
        _ => Ok(None),
    }
}

/// Ends the daemon of this directory, and waits until it is gone. Returns what went wrong with the fixtures
/// that were up; none where there is no daemon.
pub(crate) fn stop(interpreter: &Interpreter) -> io::Result<Option<Vec<String>>> {
    let Ok(connection) = connect(interpreter.path()) else {
        return Ok(None);
    };
    ask(&connection, Wish::Stop, &[]).map_err(no_answer)?;
    let failures = match receive(&connection) {
        Ok((Answer::Stopped { failures }, _)) => failures,
        _ => Vec::new(),
    };
    // It is closed by its end.
    let _ = io::copy(&mut &connection, &mut io::sink());
    Ok(Some(failures))
}

/// The root directory of the project that this process is in.
fn root() -> io::Result<PathBuf> {
    let directory = std::env::current_dir()?;
    let settings = Collector::new(&directory).settings();
    Ok(settings.map_or(directory, |settings| settings.rootdir))
}

fn connect(interpreter: &Path) -> Result<UnixStream, Denied> {
    let none = |_| Denied {
        reason: "no daemon runs".to_owned(),
        nobody: true,
    };
    let place = Place::new(&root().map_err(none)?, interpreter);
    let socket = place.socket();
    let found = std::fs::symlink_metadata(&socket).map_err(none)?;
    place
        .check()
        .map_err(|error| Denied::by(error.to_string()))?;
    if found.uid() != rustix::process::getuid().as_raw() {
        let reason = "the daemon's socket belongs to somebody else".to_owned();
        return Err(Denied::by(reason));
    }
    let connection = UnixStream::connect(&socket).map_err(none)?;
    let bounded = connection
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| connection.set_write_timeout(Some(PATIENCE)));
    bounded.map_err(none)?;
    Ok(connection)
}

fn ask(connection: &UnixStream, wish: Wish, descriptors: &[BorrowedFd<'_>]) -> io::Result<Answer> {
    let request = Request {
        program: program(),
        wish,
    };
    send(connection, &request, descriptors)?;
    connection.set_read_timeout(Some(HEARD))?;
    loop {
        match receive(connection) {
            Ok((Answer::Heard | Answer::Wait, _)) => {
                connection.set_read_timeout(Some(PATIENCE))?;
            }
            Ok((answer, _)) => return Ok(answer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, silence(connection)));
            }
            Err(error) => return Err(error),
        }
    }
}

fn no_answer(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the daemon did not answer: {error}"))
}

/// What to say of a daemon that does not.
fn silence(connection: &UnixStream) -> String {
    match peer(connection) {
        Some(pid) => format!(
            "process {pid} is silent; `kill -CONT {pid}` if it was suspended, or `kill -KILL {pid}`"
        ),
        None => "it is silent".to_owned(),
    }
}

/// The process at the other end, where the system tells.
#[cfg(target_os = "linux")]
fn peer(connection: &UnixStream) -> Option<i32> {
    let peer = rustix::net::sockopt::socket_peercred(connection).ok()?;
    Some(peer.pid.as_raw_nonzero().get())
}

#[cfg(not(target_os = "linux"))]
fn peer(_: &UnixStream) -> Option<i32> {
    None
}

fn borrower(interpreter: &Interpreter, arguments: &[OsString]) -> io::Result<Borrower> {
    let mut environment: Vec<(ByteBuf, ByteBuf)> = std::env::vars_os()
        .map(|(name, value)| (bytes(name), bytes(value)))
        .collect();
    environment.sort();
    // There is no way to ask for it but to set it.
    let mask = umask(rustix::fs::Mode::empty());
    umask(mask);
    #[allow(
        clippy::useless_conversion,
        reason = "it is a smaller number on some systems"
    )]
    let mask = mask.as_raw_mode().into();
    Ok(Borrower {
        interpreter: bytes(interpreter.path().as_os_str().to_owned()),
        arguments: arguments.iter().cloned().map(bytes).collect(),
        cwd: bytes(std::env::current_dir()?.into_os_string()),
        environment,
        umask: mask,
        inherited: inherited::numbers().collect(),
        limits: limits(),
    })
}

/// What a process has of its parent, and cannot always give to its child.
pub(super) fn limits() -> Vec<Option<u64>> {
    let resources = [
        Resource::Nofile,
        Resource::Core,
        Resource::Stack,
        Resource::As,
        Resource::Data,
        Resource::Fsize,
        Resource::Cpu,
        Resource::Nproc,
    ];
    let both = resources.into_iter().flat_map(|resource| {
        let limit = getrlimit(resource);
        [limit.current, limit.maximum]
    });
    let nice = getpriority_process(None).ok();
    let nice = nice.map(|nice| u64::try_from(i64::from(nice) + 100).unwrap_or_default());
    both.chain([nice]).collect()
}
