//! Messages as frames over a stream: a length of four bytes, big-endian, and as many bytes of body.

use std::io::{self, Read, Write};
use std::ops::Range;

use crate::codec::{self, Message};
use crate::error::{Error, Result};

/// The largest body of a frame, in bytes, unless a reader or a writer is told otherwise: 256 MiB.
pub const MAX_FRAME: u32 = 256 * 1024 * 1024;

/// Size of the length prefix in bytes.
pub(crate) const LENGTH: usize = 4;

/// How much is asked of a stream at least.
const CHUNK: usize = 64 * 1024;

/// An idle reader keeps no more memory than this for the next frame.
const KEEP: usize = 1024 * 1024;

/// Reads messages from any [`Read`], through a buffer of its own.
///
/// It may read ahead, so whoever takes the stream back with [`into_inner`](Self::into_inner) must
/// expect no more of what was sent before. Memory grows with what arrives, not with what a length
/// claims.
#[derive(Debug)]
pub struct FrameReader<R> {
    inner: R,
    buffer: Buffer,
}

impl<R: Read> FrameReader<R> {
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

    /// Waits for a message; `None` when the stream ends between two.
    ///
    /// # Errors
    ///
    /// Those of [`read_frame`](Self::read_frame) and of [`decode`](crate::decode).
    pub fn read<M: Message>(&mut self) -> Result<Option<M>> {
        self.read_frame()?.map(codec::decode).transpose()
    }

    /// Waits for a frame and returns its body; `None` when the stream ends between two.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], which loses nothing: a stream that was not ready can be tried again.
    /// [`Error::ClosedInFrame`] and [`Error::FrameTooLarge`] will be returned again.
    pub fn read_frame(&mut self) -> Result<Option<&[u8]>> {
        loop {
            if let Some(body) = self.buffer.take()? {
                return Ok(Some(self.buffer.body(body)));
            }
            let read = match self.inner.read(self.buffer.space()) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Read(error)),
            };
            if read == 0 {
                return self.buffer.end().map(|()| None);
            }
            self.buffer.filled(read);
        }
    }
}

impl<R> FrameReader<R> {
    /// The stream.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The stream; what is read from it is lost to the reader.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The stream, without what was read ahead.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Whether a whole frame, or one that cannot be read, is buffered, so that the next read will not
    /// wait. To be asked before the stream's descriptor is polled.
    pub fn is_ready(&self) -> bool {
        self.buffer.is_ready()
    }
}

/// Writes messages to any [`Write`], each by one `write_all`, and flushes.
#[derive(Debug)]
pub struct FrameWriter<W> {
    inner: W,
    frame: Vec<u8>,
    max: u32,
}

impl<W: Write> FrameWriter<W> {
    /// A writer of frames with a body of at most [`MAX_FRAME`] bytes.
    pub fn new(inner: W) -> Self {
        Self::with_max(inner, MAX_FRAME)
    }

    /// A writer of frames with a body of at most `max` bytes.
    pub fn with_max(inner: W, max: u32) -> Self {
        Self {
            inner,
            frame: Vec::new(),
            max,
        }
    }

    /// Writes a message.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] and [`Error::FrameTooLarge`] before anything is written; after
    /// [`Error::Write`] part of the frame may be gone, and the stream is of no more use.
    pub fn write<M: Message>(&mut self, message: &M) -> Result<()> {
        self.frame.clear();
        self.frame.shrink_to(KEEP);
        codec::encode_frame_onto(message, self.max, &mut self.frame)?;
        self.inner
            .write_all(&self.frame)
            .and_then(|()| self.inner.flush())
            .map_err(Error::Write)
    }
}

impl<W> FrameWriter<W> {
    /// The stream.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The stream.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The stream.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

/// Bytes that have arrived, and where frames begin in them; knows nothing of streams.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// Its length is what memory was grown to; only `start..end` holds something.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    max: u32,
}

impl Buffer {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            max,
        }
    }

    /// Where the first frame's body lies, if all of it is there; the frame counts as read then.
    pub(crate) fn take(&mut self) -> Result<Option<Range<usize>>> {
        let Some(length) = self.length() else {
            return Ok(None);
        };
        if length > self.max {
            return Err(Error::FrameTooLarge {
                length: length.into(),
                max: self.max,
            });
        }
        let begin = self.start + LENGTH;
        // On a 32-bit machine the sum could wrap.
        match begin.checked_add(length as usize) {
            Some(end) if end <= self.end => {
                self.start = end;
                Ok(Some(begin..end))
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn body(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.length().is_some_and(|length| {
            length > self.max || length as usize <= self.end - self.start - LENGTH
        })
    }

    /// Where to read into; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.bytes.len() > KEEP {
                self.bytes.truncate(CHUNK);
                self.bytes.shrink_to(CHUNK);
            }
        } else if self.start > 0 && self.bytes.len() - self.end < CHUNK {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() == self.end {
            // In proportion to what has arrived, whatever the length says.
            let grown = self.end + self.end.max(CHUNK);
            self.bytes.resize(grown, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that so many bytes were read into [`space`](Self::space).
    pub(crate) fn filled(&mut self, read: usize) {
        self.end = (self.end + read).min(self.bytes.len());
    }

    /// What the end of the stream means now.
    pub(crate) fn end(&self) -> Result<()> {
        match self.end - self.start {
            0 => Ok(()),
            have => Err(Error::ClosedInFrame { have }),
        }
    }

    fn length(&self) -> Option<u32> {
        self.bytes[self.start..self.end]
            .first_chunk::<LENGTH>()
            .copied()
            .map(u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ToPython, ToRust};

    /// A stream that gives out what it holds in pieces of a size, and counts what is asked of it.
    struct Pieces<'a> {
        bytes: &'a [u8],
        size: usize,
        largest: usize,
        /// Fail before every piece.
        flaky: bool,
        failed: bool,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.largest = self.largest.max(into.len());
            self.failed = self.flaky && !self.failed;
            if self.failed {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let size = self.size.min(into.len()).min(self.bytes.len());
            let (now, later) = self.bytes.split_at(size);
            into[..size].copy_from_slice(now);
            self.bytes = later;
            Ok(size)
        }
    }

    fn pieces(bytes: &[u8], size: usize) -> Pieces<'_> {
        Pieces {
            bytes,
            size,
            largest: 0,
            flaky: false,
            failed: false,
        }
    }

    fn frames(count: u32) -> Vec<u8> {
        let mut writer = FrameWriter::new(Vec::new());
        for child in 0..count {
            writer
                .write(&ToPython::Fork { child })
                .expect("a vector takes all");
        }
        writer.into_inner()
    }

    #[test]
    fn frames_arrive_in_pieces_of_any_size() {
        let bytes = frames(5_000);
        for size in [1, 3, 7, 4096, usize::MAX] {
            let mut reader = FrameReader::new(pieces(&bytes, size));
            for child in 0..5_000 {
                let message = reader.read::<ToPython>().expect("the frame is whole");
                assert_eq!(message, Some(ToPython::Fork { child }));
            }
            assert!(matches!(reader.read::<ToPython>(), Ok(None)));
        }
    }

    #[test]
    fn a_failed_read_loses_nothing() {
        let bytes = frames(50);
        let mut reader = FrameReader::new(Pieces {
            flaky: true,
            ..pieces(&bytes, 5)
        });
        let mut children = Vec::new();
        loop {
            match reader.read::<ToPython>() {
                Ok(Some(ToPython::Fork { child })) => children.push(child),
                Ok(None) => break,
                Err(Error::Read(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(children, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn an_end_within_a_frame_is_an_error() {
        let bytes = frames(1);
        for cut in 1..bytes.len() {
            let mut reader = FrameReader::new(&bytes[..cut]);
            for _ in 0..2 {
                let error = reader.read::<ToPython>().expect_err("the frame is cut");
                assert!(matches!(error, Error::ClosedInFrame { have } if have == cut));
            }
        }
    }

    #[test]
    fn a_length_is_not_believed() {
        let mut bytes = MAX_FRAME.to_be_bytes().to_vec();
        bytes.resize(LENGTH + 100_000, 0);
        let mut reader = FrameReader::new(pieces(&bytes, 1000));
        assert!(matches!(
            reader.read_frame(),
            Err(Error::ClosedInFrame { have: 100_004 })
        ));
        assert!(reader.get_ref().largest <= 2 * CHUNK);
        assert!(reader.buffer.bytes.capacity() <= 4 * CHUNK);
    }

    #[test]
    fn a_length_over_the_maximum_is_refused_at_once() {
        let bytes = b"\xff\xff\xff\xff";
        let mut reader = FrameReader::new(&bytes[..]);
        let error = reader.read_frame().expect_err("it is too long");
        assert_eq!(
            error.to_string(),
            "transfer a frame of 4294967295 bytes, where the maximum is 268435456"
        );
        assert!(reader.is_ready());
        let mut reader = FrameReader::with_max(&b"\0\0\0\x02ab"[..], 1);
        assert!(matches!(
            reader.read_frame(),
            Err(Error::FrameTooLarge { length: 2, max: 1 })
        ));
        let mut reader = FrameReader::with_max(&b"\0\0\0\x02ab"[..], 2);
        assert!(matches!(reader.read_frame(), Ok(Some(b"ab"))));
    }

    #[test]
    fn a_bad_message_does_not_spoil_the_next() {
        let mut bytes = b"\0\0\0\x01\xc1".to_vec();
        bytes.extend(frames(1));
        let mut reader = FrameReader::new(&bytes[..]);
        assert!(matches!(
            reader.read::<ToPython>(),
            Err(Error::UnsupportedValue { marker: 0xc1 })
        ));
        assert!(reader.is_ready());
        assert!(matches!(
            reader.read(),
            Ok(Some(ToPython::Fork { child: 0 }))
        ));
        assert!(!reader.is_ready());
    }

    #[test]
    fn memory_of_a_large_frame_is_given_back() {
        let large = ToRust::Relay {
            payload: vec![7; 5 * KEEP].into(),
            ends_run: false,
        };
        let mut writer = FrameWriter::new(Vec::new());
        writer.write(&large).expect("a vector takes all");
        writer
            .write(&ToRust::Started { task: 1, at: None })
            .expect("a vector takes all");
        assert!(writer.frame.capacity() <= KEEP);
        let bytes = writer.into_inner();
        let mut reader = FrameReader::new(&bytes[..]);
        assert_eq!(reader.read().ok(), Some(Some(large)));
        assert_eq!(
            reader.read().ok(),
            Some(Some(ToRust::Started { task: 1, at: None }))
        );
        assert_eq!(reader.read::<ToRust>().ok(), Some(None));
        assert!(reader.buffer.bytes.capacity() <= KEEP);
    }

    #[test]
    fn a_frame_is_one_write() {
        struct Count(usize);
        impl Write for Count {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = FrameWriter::new(Count(0));
        writer.write(&ToPython::Host {}).expect("all is taken");
        assert_eq!(writer.into_inner().0, 1);
    }
}
