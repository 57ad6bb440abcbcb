//! Where lines go: a thread of their own writes them, so that a run waits for no reader.
//!
//! A line is written whole or not at all, as far as that can be had: of a file on a full disk the last piece is
//! taken back. Whatever fails, the run goes on; at its end it is said.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::Error;

/// How often it is asked whether to wait on, and how long a pipe that is full may be left alone.
const GLANCE: Duration = Duration::from_millis(20);

/// Lines that are written together.
const TOGETHER: usize = 64 * 1024;

pub(super) struct Sink {
    /// What it is called where something goes wrong.
    name: String,
    lines: Sender<Vec<u8>>,
    ended: Receiver<io::Result<()>>,
}

impl Sink {
    /// It is opened by the thread that writes: a pipe may have to wait for its reader.
    pub(super) fn new(
        name: String,
        open: impl FnOnce() -> io::Result<File> + Send + 'static,
    ) -> Result<Self, Error> {
        let (lines, coming) = channel();
        let (tell, ended) = channel();
        let writer = thread::Builder::new().name("rpytest-messages".into());
        let started = writer.spawn(move || {
            let result = open().and_then(|file| write_all(&mut Output::new(file), &coming));
            // Whoever waits for it no longer has given up.
            let _ = tell.send(result);
        });
        match started {
            Ok(_) => Ok(Self { name, lines, ended }),
            Err(source) => Err(Error::Write { name, source }),
        }
    }

    /// Writes a line, or several.
    pub(super) fn write(&self, lines: Vec<u8>) {
        // The thread that has gone has met an error, of which is told at the end.
        let _ = self.lines.send(lines);
    }

    /// Waits until all is written.
    pub(super) fn close(self, gives_up: &dyn Fn() -> bool) -> Result<(), Error> {
        let Self { name, lines, ended } = self;
        drop(lines);
        loop {
            match ended.recv_timeout(GLANCE) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(source)) => return Err(Error::Write { name, source }),
                Err(RecvTimeoutError::Timeout) if !gives_up() => {}
                Err(_) => return Err(Error::Unread { name }),
            }
        }
    }
}

fn write_all(output: &mut Output, coming: &Receiver<Vec<u8>>) -> io::Result<()> {
    while let Ok(mut lines) = coming.recv() {
        while lines.len() < TOGETHER
            && let Ok(more) = coming.try_recv()
        {
            lines.extend(more);
        }
        output.write(&lines)?;
    }
    Ok(())
}

struct Output {
    file: File,
    /// Whether what was written can be taken back.
    is_regular: bool,
}

impl Output {
    fn new(file: File) -> Self {
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Self { file, is_regular }
    }

    /// Writes all of it. Of what a full disk has taken only whole lines stay.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => return self.failed(&lines[..written], ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody else has made it so that nobody waits in a write to it.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(GLANCE),
                Err(error) => return self.failed(&lines[..written], error),
            }
        }
        Ok(())
    }

    fn failed(&mut self, written: &[u8], error: io::Error) -> io::Result<()> {
        let piece = written.iter().rev().take_while(|byte| **byte != b'\n');
        let piece = piece.count() as u64;
        if piece > 0 && self.is_regular {
            let end = self.file.stream_position()?;
            self.file.set_len(end.saturating_sub(piece))?;
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_there_when_it_is_closed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("lines");
        let file = path.clone();
        let sink = Sink::new("x".into(), || File::create(file)).expect("a thread");
        for number in 0..1000 {
            sink.write(format!("{number}\n").into_bytes());
        }
        sink.close(&|| false).expect("written");
        let text = std::fs::read_to_string(&path).expect("a file");
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_piece_of_a_line_is_taken_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("lines");
        std::fs::write(&path, "before\n").expect("a file");
        let file = File::options().append(true).open(&path).expect("a file");
        let mut output = Output::new(file);
        output.write(b"whole\npie").expect("written");
        let error = output.failed(b"whole\npie", ErrorKind::StorageFull.into());
        assert_eq!(
            error.expect_err("it").kind(),
            ErrorKind::StorageFull,
            "what was wrong is told"
        );
        let text = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(text, "before\nwhole\n");
    }

    #[cfg(unix)]
    #[test]
    fn who_does_not_read_keeps_nobody_waiting_for_ever() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let sink = Sink::new("a pipe".into(), || Ok(writer.into())).expect("a thread");
        sink.write(vec![b'x'; 1 << 20]);
        let error = sink.close(&|| true).expect_err("nobody reads");
        assert_eq!(
            error.to_string(),
            "write messages to a pipe: nobody has read them to the end"
        );
        drop(reader);
    }

    #[cfg(unix)]
    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        drop(reader);
        let sink = Sink::new("a pipe".into(), || Ok(writer.into())).expect("a thread");
        sink.write(b"x\n".to_vec());
        let error = sink.close(&|| false).expect_err("nobody reads");
        assert!(error.to_string().starts_with("write messages to a pipe: "));
    }
}
