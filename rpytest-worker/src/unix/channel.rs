//! Our end of a process's channel: a socket that never blocks, and what waits to be written to it.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rpytest_ipc::{Error, FrameReader, FrameWriter, Peer, ToRust, accept};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::spool::Spool;

/// How many messages are read in one go, so that other processes get their turn.
const TURN: usize = 512;

pub(super) struct Channel {
    reader: FrameReader<Stream>,
    /// Nothing but the welcome is written until the process has introduced itself.
    greeted: bool,
    outgoing: VecDeque<Outgoing>,
    /// Whether the other side takes no more.
    deaf: bool,
}

/// What a process says: by its socket, and what it has not sent yet by its spool.
struct Stream {
    socket: UnixStream,
    spool: Spool,
    /// Bytes that have come by the socket.
    received: u64,
    /// Bytes that have been read, from wherever.
    read: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let received = match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(received) if received > 0 => received,
                // Nothing, no more, or no longer: a peer that dies with input unread resets it.
                dry => {
                    let spooled = self.spool.read(self.read, buffer);
                    if spooled == 0 {
                        return dry;
                    }
                    self.read += spooled as u64;
                    return Ok(spooled);
                }
            };
            let known = self.read - self.received;
            self.received += received as u64;
            if self.received > self.read {
                self.read = self.received;
                let known = usize::try_from(known).unwrap_or(received);
                buffer.copy_within(known..received, 0);
                return Ok(received - known);
            }
        }
    }
}

struct Outgoing {
    frame: Vec<u8>,
    written: usize,
    /// Sent along with the first byte, and closed then.
    fds: Vec<OwnedFd>,
}

/// What a process sent.
#[derive(Debug)]
pub(super) enum Received {
    Hello(Peer),
    Message(ToRust),
}

/// How reading ended.
#[derive(Debug)]
pub(super) enum Reading {
    /// There is no more now.
    Dry,
    /// There may be more, but it is the others' turn.
    More,
    /// There will be no more.
    Closed,
    /// There is something that is not of the protocol.
    Broken(String),
}

impl Channel {
    /// Our end, and the process's: its socket, and the file of its spool.
    pub(super) fn pair() -> io::Result<(Self, [OwnedFd; 2])> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&ours, true)?;
        let spool = Spool::new()?;
        let theirs = [theirs.into(), spool.file().try_clone()?.into()];
        let reader = FrameReader::new(Stream {
            socket: ours,
            spool,
            received: 0,
            read: 0,
        });
        let channel = Channel {
            reader,
            greeted: false,
            outgoing: VecDeque::new(),
            deaf: false,
        };
        Ok((channel, theirs))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.reader.get_ref().socket.as_fd()
    }

    /// Whether there is something to write, so that it makes sense to wait until that is possible.
    pub(super) fn is_pending(&self) -> bool {
        self.greeted && !self.deaf && !self.outgoing.is_empty()
    }

    /// Queues a frame, and the descriptors that travel with it.
    pub(super) fn queue(&mut self, frame: Vec<u8>, fds: Vec<OwnedFd>) {
        if !self.deaf {
            self.outgoing.push_back(Outgoing {
                frame,
                written: 0,
                fds,
            });
        }
    }

    /// Reads what has arrived and adds it to `received`.
    pub(super) fn read(&mut self, received: &mut Vec<Received>) -> Reading {
        for _ in 0..TURN {
            match self.read_one() {
                Ok(Some(one)) => received.push(one),
                Ok(None) => return Reading::Closed,
                Err(error) => return judge(&error),
            }
        }
        Reading::More
    }

    fn read_one(&mut self) -> rpytest_ipc::Result<Option<Received>> {
        if self.greeted {
            return Ok(self.reader.read()?.map(Received::Message));
        }
        let mut answer = FrameWriter::new(Vec::new());
        let peer = accept(&mut self.reader, &mut answer)?;
        let frame = answer.into_inner();
        self.outgoing.push_front(Outgoing {
            frame,
            written: 0,
            fds: Vec::new(),
        });
        self.greeted = true;
        Ok(Some(Received::Hello(peer)))
    }

    /// Writes as much as the socket takes. An error is a fault of the system's, not of the process's.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while self.is_pending() {
            let Some(first) = self.outgoing.front_mut() else {
                break;
            };
            match first.send(&mut self.reader.get_mut().socket) {
                Ok(written) => {
                    // The process has them now.
                    first.fds.clear();
                    first.written += written;
                    if first.written == first.frame.len() {
                        self.outgoing.pop_front();
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => break,
                    // Its end is for the reading side to find, after what it still has to say.
                    io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::NotConnected => {
                        self.deaf = true;
                        self.outgoing.clear();
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }
}

impl Outgoing {
    fn send(&self, socket: &mut UnixStream) -> io::Result<usize> {
        let rest = &self.frame[self.written..];
        if self.fds.is_empty() {
            // Not `write`: SIGPIPE may have another meaning in this program.
            return Ok(rustix::net::send(&*socket, rest, no_signal())?);
        }
        let fds: Vec<BorrowedFd<'_>> = self.fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(sendmsg(
            &*socket,
            &[IoSlice::new(rest)],
            &mut control,
            no_signal(),
        )?)
    }
}

/// As many as the Python side expects with one message.
const MOST_DESCRIPTORS: usize = 64;

/// What an error of reading means for the channel.
fn judge(error: &Error) -> Reading {
    match error {
        Error::Read(error) if error.kind() == io::ErrorKind::WouldBlock => Reading::Dry,
        // A peer that died with input unread resets the channel.
        Error::Read(_) | Error::ClosedInFrame { .. } | Error::ClosedBeforeHello => {
            tracing::debug!(target: "rpytest_ipc", "{}", chain(error));
            Reading::Closed
        }
        error => Reading::Broken(chain(error)),
    }
}

/// The error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(not(target_vendor = "apple"))]
fn no_signal() -> SendFlags {
    SendFlags::NOSIGNAL
}

/// The socket has that as an option there.
#[cfg(target_vendor = "apple")]
fn no_signal() -> SendFlags {
    SendFlags::empty()
}
