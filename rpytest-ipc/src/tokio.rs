//! Frames over tokio's [`AsyncRead`] and [`AsyncWrite`], with the limits of the blocking ones.
//!
//! ```
//! use rpytest_ipc::tokio::{FrameReader, FrameWriter};
//! use rpytest_ipc::{Result, ToRust};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let (near, far) = tokio::io::duplex(64);
//! FrameWriter::new(near).write(&ToRust::Started { task: 7, at: None }).await?;
//! let mut reader = FrameReader::new(far);
//! assert_eq!(reader.read().await?, Some(ToRust::Started { task: 7, at: None }));
//! // The writer was dropped, and its stream with it.
//! assert_eq!(reader.read::<ToRust>().await?, None);
//! # Ok(())
//! # }
//! ```

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::codec::{self, Message};
use crate::error::{Error, Result};
use crate::frame::{Buffer, MAX_FRAME};
use crate::handshake::{self, Peer};

/// Reads messages from any [`AsyncRead`], through a buffer of its own.
#[derive(Debug)]
pub struct FrameReader<R> {
    inner: R,
    buffer: Buffer,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader of frames with a body of at most [`MAX_FRAME`] bytes.
    pub fn new(inner: R) -> Self {
        Self::with_max(inner, MAX_FRAME)
    }

    /// A reader of frames with a body of at most `max` bytes.
    pub fn with_max(inner: R, max: u32) -> Self {
        Self {
            inner,
            buffer: Buffer::new(max),
        }
    }

    /// Waits for a message; `None` when the stream ends between two. May be cancelled without loss.
    ///
    /// # Errors
    ///
    /// Those of [`read_frame`](Self::read_frame) and of [`decode`](crate::decode).
    pub async fn read<M: Message>(&mut self) -> Result<Option<M>> {
        self.read_frame().await?.map(codec::decode).transpose()
    }

    /// Waits for a frame and returns its body; `None` when the stream ends between two. May be
    /// cancelled without loss.
    ///
    /// # Errors
    ///
    /// As of the blocking [`read_frame`](crate::FrameReader::read_frame).
    pub async fn read_frame(&mut self) -> Result<Option<&[u8]>> {
        loop {
            if let Some(body) = self.buffer.take()? {
                return Ok(Some(self.buffer.body(body)));
            }
            let read = self
                .inner
                .read(self.buffer.space())
                .await
                .map_err(Error::Read)?;
            if read == 0 {
                return self.buffer.end().map(|()| None);
            }
            self.buffer.filled(read);
        }
    }
}

impl<R> FrameReader<R> {
    /// The stream, without what was read ahead.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

/// Writes messages to any [`AsyncWrite`], each from one buffer, and flushes.
#[derive(Debug)]
pub struct FrameWriter<W> {
    inner: W,
    max: u32,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// A writer of frames with a body of at most [`MAX_FRAME`] bytes.
    pub fn new(inner: W) -> Self {
        Self::with_max(inner, MAX_FRAME)
    }

    /// A writer of frames with a body of at most `max` bytes.
    pub fn with_max(inner: W, max: u32) -> Self {
        Self { inner, max }
    }

    /// Writes a message. Cancelled, it may leave part of the frame behind, and the stream is of no
    /// more use.
    ///
    /// # Errors
    ///
    /// As of the blocking [`write`](crate::FrameWriter::write).
    pub async fn write<M: Message>(&mut self, message: &M) -> Result<()> {
        let frame = codec::encode_frame(message, self.max)?;
        self.inner.write_all(&frame).await.map_err(Error::Write)?;
        self.inner.flush().await.map_err(Error::Write)
    }
}

impl<W> FrameWriter<W> {
    /// The stream.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

/// The supervisor's side of the handshake, as the blocking [`accept`](crate::accept).
///
/// # Errors
///
/// Those of the blocking one.
pub async fn accept<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    reader: &mut FrameReader<R>,
    writer: &mut FrameWriter<W>,
) -> Result<Peer> {
    let peer = handshake::greeted(reader.read_frame().await?)?;
    writer.write(&handshake::welcome()).await?;
    Ok(peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{PROTOCOL, ToPython, ToRust};

    fn run<F: Future>(future: F) -> F::Output {
        ::tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn both_sides_talk_through_a_narrow_pipe() {
        run(async {
            let (near, far) = ::tokio::io::duplex(3);
            let (far_read, far_write) = ::tokio::io::split(far);
            let (near_read, near_write) = ::tokio::io::split(near);
            let python = async {
                let mut writer = FrameWriter::new(far_write);
                let hello = ToRust::Hello {
                    protocol: PROTOCOL,
                    pid: 1,
                    python: "3.13.0".into(),
                    pytest: "9.2.0".into(),
                };
                writer.write(&hello).await.expect("the pipe is open");
                FrameReader::new(far_read)
                    .read::<ToPython>()
                    .await
                    .expect("the pipe is open")
            };
            let (mut reader, mut writer) =
                (FrameReader::new(near_read), FrameWriter::new(near_write));
            let (peer, answer) = ::tokio::join!(accept(&mut reader, &mut writer), python);
            assert_eq!(peer.expect("the versions agree").pid, 1);
            assert_eq!(answer, Some(ToPython::Welcome { protocol: PROTOCOL }));
        });
    }

    #[test]
    fn the_limits_are_those_of_the_blocking_reader() {
        run(async {
            let mut reader = FrameReader::new(&b"\xff\xff\xff\xff"[..]);
            assert!(matches!(
                reader.read_frame().await,
                Err(Error::FrameTooLarge { .. })
            ));
            let mut reader = FrameReader::new(&b"\0\0\0\x02a"[..]);
            assert!(matches!(
                reader.read_frame().await,
                Err(Error::ClosedInFrame { have: 5 })
            ));
            let mut reader = FrameReader::with_max(&b"\0\0\0\x01ab"[..], 1);
            assert!(matches!(reader.read_frame().await, Ok(Some(b"a"))));
            let mut writer = FrameWriter::with_max(Vec::new(), 1);
            let written = writer.write(&ToPython::Host {}).await;
            assert!(matches!(written, Err(Error::FrameTooLarge { .. })));
            assert!(writer.into_inner().is_empty());
        });
    }
}
