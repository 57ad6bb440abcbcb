//! The keyboard, while nothing runs.
//!
//! A thread reads single keys. During a run there is none, and the terminal is as the user has it: it
//! belongs to the tests.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::getpgrp;
use rustix::stdio::stdin;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// What ran last.
    Again,
    All,
    Failed,
    Help,
    Quit,
    /// A line is being typed: nothing may run.
    Typing,
    /// The line; none: it was given up.
    Typed(Filter, Option<String>),
}

/// What of the tests is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// `-k`
    Keyword,
    /// `-m`
    Mark,
    /// Of the paths of test files.
    Path,
}

pub(super) const HELP: &str = "\
Enter  run again what ran last
a      run all tests
f      run those that failed
k      change the keyword expression (-k)
m      change the mark expression (-m)
p      change the path filter: a part of a path, or a glob pattern
q      quit, as Ctrl-C and Ctrl-D do
";

/// The keyboard of a user who can be asked.
pub(super) struct Keyboard {
    usual: Termios,
    reader: Option<Reader>,
}

struct Reader {
    thread: JoinHandle<()>,
    /// Its end of the pipe closes when it is to end.
    _open: OwnedFd,
}

impl Keyboard {
    /// None where standard input is no terminal, or is another job's.
    pub(super) fn new() -> Option<Self> {
        let is_ours = isatty(stdin()) && tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp());
        let usual = is_ours.then(|| tcgetattr(stdin()).ok())??;
        let reader = None;
        Some(Self { usual, reader })
    }

    /// Reads keys until it is told to leave.
    pub(super) fn listen(&mut self, tell: impl Fn(Key) + Send + 'static) -> io::Result<()> {
        if self.reader.is_some() {
            return Ok(());
        }
        let (leave, open) = pipe_with(PipeFlags::CLOEXEC)?;
        let usual = self.usual.clone();
        single_keys(&usual)?;
        let thread = std::thread::Builder::new().name("keys".into());
        let thread = thread.spawn(move || {
            if let Err(error) = read(&leave, &usual, tell) {
                tracing::debug!(%error, "the keyboard");
            }
        })?;
        self.reader = Some(Reader {
            thread,
            _open: open,
        });
        Ok(())
    }

    /// Gives the terminal back.
    pub(super) fn leave(&mut self) {
        let Some(Reader {
            thread,
            _open: open,
        }) = self.reader.take()
        else {
            return;
        };
        drop(open);
        let _ = thread.join();
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.usual);
    }

    /// When the user has come back to this job: a shell leaves the terminal as it likes.
    pub(super) fn renew(&self) {
        if self.reader.is_some() {
            let _ = single_keys(&self.usual);
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Keys arrive one by one, and are not shown. Ctrl-C stays a signal.
fn single_keys(usual: &Termios) -> io::Result<()> {
    let mut modes = usual.clone();
    modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    Ok(tcsetattr(stdin(), OptionalActions::Now, &modes)?)
}

/// Whether there is something to read, before it is time to leave.
fn wait(leave: &OwnedFd) -> io::Result<bool> {
    let keys = stdin();
    let mut both = [
        PollFd::new(leave, PollFlags::IN),
        PollFd::new(&keys, PollFlags::IN),
    ];
    loop {
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) if !both[0].revents().is_empty() => return Ok(false),
            Ok(_) => return Ok(true),
        }
    }
}

fn read(leave: &OwnedFd, usual: &Termios, tell: impl Fn(Key)) -> io::Result<()> {
    while wait(leave)? {
        // One at a time: the next may belong to a line.
        let mut byte = [0; 1];
        let key = match rustix::io::read(stdin(), &mut byte)? {
            0 => Key::Quit,
            _ => match byte[0] {
                b'\n' | b'\r' => Key::Again,
                b'a' => Key::All,
                b'f' => Key::Failed,
                b'?' | b'h' => Key::Help,
                // Ctrl-D
                b'q' | 4 => Key::Quit,
                b'k' => line(Filter::Keyword, leave, usual, &tell)?,
                b'm' => line(Filter::Mark, leave, usual, &tell)?,
                b'p' => line(Filter::Path, leave, usual, &tell)?,
                _ => continue,
            },
        };
        let is_last = key == Key::Quit;
        tell(key);
        if is_last {
            break;
        }
    }
    Ok(())
}

/// Lets the user type a line, with the terminal's own editing.
fn line(filter: Filter, leave: &OwnedFd, usual: &Termios, tell: &impl Fn(Key)) -> io::Result<Key> {
    tell(Key::Typing);
    tcsetattr(stdin(), OptionalActions::Now, usual)?;
    let prompt = match filter {
        Filter::Keyword => "keyword expression, nothing for none: ",
        Filter::Mark => "mark expression, nothing for none: ",
        Filter::Path => "path filter, nothing for none: ",
    };
    {
        let mut out = io::stdout().lock();
        out.write_all(prompt.as_bytes())?;
        out.flush()?;
    }
    let mut typed = Vec::new();
    let is_whole = loop {
        if !wait(leave)? {
            break false;
        }
        let mut part = [0; 256];
        let read = rustix::io::read(stdin(), &mut part)?;
        typed.extend_from_slice(&part[..read]);
        if typed.ends_with(b"\n") {
            break true;
        }
        if read == 0 {
            println!();
            break false;
        }
    };
    single_keys(usual)?;
    let typed = String::from_utf8_lossy(&typed).trim().to_owned();
    Ok(Key::Typed(filter, is_whole.then_some(typed)))
}
