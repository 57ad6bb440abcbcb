//! What a process has to say and has not sent yet: the last bytes of its side of the channel, in a
//! file that it has mapped into its memory, and that outlives it.
//!
//! A worker tells of each item before it begins, so that a crash has a name. A message through the
//! channel costs two system calls and wakes a thread up, which is more than many tests take; a copy
//! into a mapping costs next to nothing, and survives SIGKILL. So a worker sends what it has every few
//! milliseconds, and we look into the file when there is nothing in the channel.
//!
//! Both are one stream of bytes, of which each byte has a position. That makes it simple to take none
//! twice: what comes through the channel and was taken from here before is skipped.
//!
//! The Python side is `rpytest_worker/spool.py`.

use std::fs::File;
use std::io;

/// Where the ring begins in the file. Before it are three numbers, in the machine's byte order: the
/// first position that is in the ring, the position after the last, and the complement of that.
const HEADER: u64 = 64;

/// The bytes that the ring holds: position p is at p modulo this.
const CAPACITY: u64 = 256 * 1024;

/// How often to look into the file of a process that uses it.
#[cfg(unix)]
pub(crate) const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

/// A file without a name, so that nothing is left of it whatever happens.
#[derive(Debug)]
pub(crate) struct Spool(File);

impl Spool {
    pub(crate) fn new() -> io::Result<Self> {
        let file = memory_file()?;
        file.set_len(HEADER + CAPACITY)?;
        Ok(Spool(file))
    }

    /// The file, to be handed to the process.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// Copies bytes of the stream from `position` on, and returns how many. 0 means that there are
    /// none, or that they will come through the channel.
    pub(crate) fn read(&self, position: u64, buffer: &mut [u8]) -> usize {
        let Some(header) = self.header() else {
            return 0;
        };
        if header.start > position || header.sure_end() <= position {
            return 0;
        }
        let there = header.sure_end() - position;
        let at = position % CAPACITY;
        let size = there
            .min(buffer.len() as u64)
            .min(CAPACITY - at)
            .try_into()
            .unwrap_or(0);
        if read_exact_at(&self.0, &mut buffer[..size], HEADER + at).is_err() {
            return 0;
        }
        // The process may have gone on writing meanwhile, over what was just copied. Then it had sent
        // that before, and it will be read from the channel.
        match self.header() {
            Some(now) if now.start <= position && now.end.wrapping_sub(position) <= CAPACITY => {
                size
            }
            _ => 0,
        }
    }

    fn header(&self) -> Option<Header> {
        let mut bytes = [[0; 8]; 3];
        read_exact_at(&self.0, bytes.as_flattened_mut(), 0).ok()?;
        let [start, end, complement] = bytes.map(u64::from_ne_bytes);
        Some(Header {
            start,
            end,
            complement,
        })
    }
}

struct Header {
    start: u64,
    end: u64,
    complement: u64,
}

impl Header {
    /// A position up to which everything has been written, also while the process writes the next
    /// one: the complement is written last.
    fn sure_end(&self) -> u64 {
        if self.end == 0 {
            return 0; // an untouched file is all zeros
        }
        self.end.min(!self.complement)
    }
}

/// A file in memory: a disk would be asked to keep what nobody will read there.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn memory_file() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::sync::atomic::{AtomicU32, Ordering};
    // Only for who looks at a process's descriptors.
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("rpytest-spool-{}", MADE.fetch_add(1, Ordering::Relaxed));
    match memfd_create(name, MemfdFlags::CLOEXEC) {
        Ok(fd) => Ok(fd.into()),
        // A container may forbid it.
        Err(_) => tempfile::tempfile(),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn memory_file() -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Writes as the Python side does.
    fn put(spool: &Spool, start: Option<u64>, position: u64, data: &[u8]) {
        let number = |at: u64, value: u64| {
            spool
                .0
                .write_all_at(&value.to_ne_bytes(), at)
                .expect("write a number");
        };
        if let Some(start) = start {
            number(0, start);
        }
        for (position, byte) in (position..).zip(data) {
            spool
                .0
                .write_all_at(&[*byte], HEADER + position % CAPACITY)
                .expect("write a byte");
        }
        let end = position + data.len() as u64;
        number(8, end);
        number(16, !end);
    }

    fn all(spool: &Spool, mut position: u64) -> Vec<u8> {
        let mut found = Vec::new();
        let mut buffer = [0; 7];
        loop {
            let read = spool.read(position, &mut buffer);
            if read == 0 {
                return found;
            }
            found.extend_from_slice(&buffer[..read]);
            position += read as u64;
        }
    }

    #[test]
    fn an_untouched_file_has_nothing() {
        let spool = Spool::new().expect("a file");
        assert_eq!(all(&spool, 0), b"");
    }

    #[test]
    fn what_was_taken_before_is_not_taken_again() {
        let spool = Spool::new().expect("a file");
        put(&spool, None, 0, b"0123456789");
        assert_eq!(all(&spool, 0), b"0123456789");
        assert_eq!(all(&spool, 8), b"89");
        assert_eq!(all(&spool, 10), b"");
        assert_eq!(all(&spool, 11), b"");
    }

    #[test]
    fn the_ring_has_no_end() {
        let spool = Spool::new().expect("a file");
        let position = 3 * CAPACITY - 4;
        put(&spool, Some(position), position, b"0123456789");
        assert_eq!(all(&spool, position), b"0123456789");
        assert_eq!(all(&spool, position - 1), b"", "that was sent");
    }

    #[test]
    fn a_position_that_is_being_written_is_not_believed() {
        let spool = Spool::new().expect("a file");
        put(&spool, None, 0, b"0123456789");
        spool
            .0
            .write_all_at(&99u64.to_ne_bytes(), 8)
            .expect("write a number");
        assert_eq!(all(&spool, 0), b"0123456789");
    }

    #[test]
    fn what_was_overwritten_is_left_to_the_channel() {
        let spool = Spool::new().expect("a file");
        put(&spool, None, 0, b"old");
        put(&spool, None, CAPACITY + 1, b"new");
        assert_eq!(all(&spool, 0), b"");
    }
}
