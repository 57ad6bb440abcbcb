//! What the editor is told. A thread of its own writes it: an editor that does not read keeps the server waiting, but not from
//! ending.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::{WAITING, frame};
use crate::signals::Signals;

/// How long an editor that has closed its side may take to read what is left.
const GRACE: Duration = Duration::from_secs(3);

/// How often it is looked whether there is room.
const TICK: Duration = Duration::from_millis(5);

/// When the editor has closed its side.
pub(super) type Closed = Arc<OnceLock<Instant>>;

/// Why something will never be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// Nobody reads any more.
    Broken,
    /// The server has to end, and the editor does not read.
    GivenUp,
}

pub(super) struct Output {
    bodies: SyncSender<Vec<u8>>,
    /// Is disconnected when nothing more will be written.
    written: Receiver<()>,
    signals: Signals,
    closed: Closed,
}

impl Output {
    pub fn new(
        mut out: impl Write + Send + 'static,
        signals: Signals,
        closed: Closed,
    ) -> io::Result<Self> {
        let (bodies, waiting) = sync_channel::<Vec<u8>>(WAITING);
        let (writes, written) = channel();
        let writer = thread::Builder::new().name("output".into());
        writer.spawn(move || {
            let _writes = writes;
            for body in waiting {
                if let Err(error) = frame::write(&mut out, &body) {
                    tracing::debug!(%error, "the editor does not listen any more");
                    return;
                }
            }
        })?;
        Ok(Self {
            bodies,
            written,
            signals,
            closed,
        })
    }

    /// Has a body written. It waits for an editor that has much left to read.
    pub fn send(&self, mut body: Vec<u8>) -> Result<(), Unsent> {
        loop {
            body = match self.bodies.try_send(body) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Unsent::Broken),
                Err(TrySendError::Full(body)) => body,
            };
            let closed = self.closed.get();
            let is_gone = closed.is_some_and(|since| since.elapsed() > GRACE);
            if is_gone || self.signals.ended_by().is_some() {
                return Err(Unsent::GivenUp);
            }
            thread::sleep(TICK);
        }
    }

    /// Waits until the rest is written, for as long as an editor may take that reads. The thread may be in a write without an
    /// end, so that nobody waits for it.
    pub fn end(self) {
        drop(self.bodies);
        let _ = self.written.recv_timeout(GRACE);
    }
}
