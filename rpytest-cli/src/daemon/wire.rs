//! What a client and its daemon say to each other: one request on each connection, which is heard at once, and one answer.
//!
//! A message is its length, four bytes with the lowest first, and a MessagePack map. Descriptors travel
//! with the first byte. Client and daemon are the same program, and the first field makes sure of that.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::time::UNIX_EPOCH;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::stage::Shape;

/// More than any environment has, and a bound on what a stranger can make us read.
const LARGEST: u32 = 64 << 20;
/// The process's own three, and the three standard ones. Those that were inherited come after them.
pub(super) const DESCRIPTORS: usize = 6;
/// What travels with one message.
const MOST_DESCRIPTORS: usize = 64;

/// What a client asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) program: String,
    pub(super) wish: Wish,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Wish {
    /// A host, for a run with these arguments. Its descriptors come with it.
    Host {
        borrower: Box<Borrower>,
        /// The last stage that it may be forked from.
        deepest: Stage,
        /// Whether fixtures shall stay up.
        reuse: Option<Reuse>,
    },
    /// From the run that has started the daemon: to be ready for the next one like it.
    Prepare {
        whom: Box<For>,
        /// As above.
        deepest: Stage,
        /// Its project's, which may be about to vanish.
        root: ByteBuf,
    },
    Status,
    Stop,
}

/// How fixtures stay up between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reuse {
    /// Seconds after which they are torn down; 0 is never.
    pub(crate) max_age: u64,
}

/// Where a borrowed host is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Borrower {
    pub(super) interpreter: ByteBuf,
    pub(super) arguments: Vec<ByteBuf>,
    pub(super) cwd: ByteBuf,
    pub(super) environment: Vec<(ByteBuf, ByteBuf)>,
    pub(super) umask: u32,
    /// The numbers of other descriptors that it has inherited.
    pub(super) inherited: Vec<u32>,
    /// Resource limits and niceness, which a fork has of the daemon.
    pub(super) limits: Vec<Option<u64>>,
}

/// Whom a session can be lent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct For {
    pub(super) borrower: Borrower,
    pub(super) shape: Shape,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Lent {
        stage: Stage,
        /// What the session has written before: to standard output, and to standard error.
        written: [ByteBuf; 2],
        /// Why it is not a deeper stage.
        reasons: Vec<String>,
        /// How many fixtures are up, where they stay so.
        up: Option<usize>,
        /// What went wrong when others were torn down.
        failures: Vec<String>,
    },
    /// The request is there whole. The answer follows.
    Heard,
    /// Fixtures are being torn down that would be in the way. The answer follows.
    Wait,
    Refused(String),
    /// It is another program, and ends to make room.
    OtherProgram,
    Status(Status),
    /// What went wrong with it follows.
    Stopping,
    Stopped {
        failures: Vec<String>,
    },
}

/// How far a process has come that others are forked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It has imported pytest, and nothing of the user's.
    Interpreter,
    /// It has configured a session, which has not begun to collect.
    Configured,
    /// It has collected as well.
    Collected,
}

/// What `--daemon-status` shows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) pid: u32,
    pub(crate) uptime_seconds: f64,
    /// Resident memory in bytes, where the system tells.
    pub(crate) memory_bytes: Option<u64>,
    /// Runs that have borrowed and are not over.
    pub(crate) runs: usize,
    pub(crate) snapshots: Vec<Snapshot>,
    /// Why the last snapshot was dropped.
    pub(crate) last_dropped: Option<String>,
    /// The process that keeps fixtures up, if there is one.
    pub(crate) warm: Option<WarmStatus>,
    /// Why the last one was ended.
    pub(crate) last_released: Option<String>,
    /// What went wrong when fixtures were torn down, and no run has told yet.
    pub(crate) failures: Vec<String>,
}

/// What `--session-status` shows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WarmStatus {
    pub(crate) pid: Option<u32>,
    /// `idle`, `busy`, or `ending`.
    pub(crate) state: String,
    pub(crate) age_seconds: f64,
    /// None: for ever.
    pub(crate) max_age_seconds: Option<u64>,
    /// How many it has run.
    pub(crate) runs: u64,
    /// How many paths the fixtures depend on.
    pub(crate) files: usize,
    pub(crate) memory_bytes: Option<u64>,
    /// Of the last run.
    pub(crate) arguments: Vec<String>,
    pub(crate) fixtures: Vec<UpFixture>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UpFixture {
    pub(crate) name: String,
    pub(crate) scope: String,
    pub(crate) file: String,
    pub(crate) age_seconds: f64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) stage: Stage,
    /// Whether nothing has changed since it was made.
    pub(crate) usable: bool,
    pub(crate) pid: Option<u32>,
    pub(crate) age_seconds: f64,
    /// How many paths it depends on.
    pub(crate) files: usize,
    /// How often it was lent.
    pub(crate) lent: u64,
    pub(crate) memory_bytes: Option<u64>,
    /// The arguments of the session, for a stage of one.
    pub(crate) arguments: Vec<String>,
    /// Why there is none, if there could be one.
    pub(crate) refusals: Vec<String>,
}

/// Which program this is: a daemon of another one is of no use.
pub(super) fn program() -> String {
    let own = std::env::current_exe().and_then(|path| Ok((path.metadata()?, path)));
    let file = own.map_or_else(
        |_| String::new(),
        |(metadata, path)| {
            let modified = metadata.modified().ok();
            let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let nanoseconds = since.unwrap_or_default().as_nanos();
            format!("{} {} {nanoseconds}", path.display(), metadata.len())
        },
    );
    format!("{} {file}", env!("CARGO_PKG_VERSION"))
}

pub(super) fn send<M: Serialize>(
    stream: &UnixStream,
    message: &M,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let body = rmp_serde::to_vec_named(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).ok().filter(|n| *n <= LARGEST);
    let length = length.ok_or_else(|| io::Error::other("the message is too large"))?;
    if descriptors.len() > MOST_DESCRIPTORS {
        return Err(io::Error::other("there are too many descriptors"));
    }
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend(body);
    let mut written = 0;
    while written < frame.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if written == 0 && !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let rest = [IoSlice::new(&frame[written..])];
        written += match sendmsg(stream.as_fd(), &rest, &mut control, no_signal()) {
            Ok(sent) => sent,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn no_signal() -> SendFlags {
    SendFlags::NOSIGNAL
}

/// Rust's own programs ignore SIGPIPE.
#[cfg(target_vendor = "apple")]
fn no_signal() -> SendFlags {
    SendFlags::empty()
}

pub(super) fn receive<M: DeserializeOwned>(
    mut stream: &UnixStream,
) -> io::Result<(M, Vec<OwnedFd>)> {
    let mut first = [0; 4];
    let mut descriptors = Vec::new();
    let read = {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut first)];
        let flags = RecvFlags::empty();
        #[cfg(not(target_vendor = "apple"))]
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(stream.as_fd(), &mut into, &mut control, flags)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                descriptors.extend(fds);
            }
        }
        received.bytes
    };
    stream.read_exact(&mut first[read..])?;
    let length = u32::from_le_bytes(first);
    if read == 0 || length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = Vec::new();
    stream.take(length.into()).read_to_end(&mut body)?;
    let message = rmp_serde::from_slice(&body).map_err(io::Error::other)?;
    Ok((message, descriptors))
}

/// Text of the system's as bytes.
pub(super) fn bytes(text: OsString) -> ByteBuf {
    ByteBuf::from(text.into_vec())
}
