//! How a process ended, in values and in words.

use std::fmt;

/// How a process ended, as the operating system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessEnd {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nobody could tell: the process that forked it ended first.
    Unknown,
}

impl ProcessEnd {
    /// Whether it exited with code 0.
    pub fn success(self) -> bool {
        self == ProcessEnd::Code(0)
    }
}

/// `exited with code 3`, `killed by signal 11 (SIGSEGV)`.
impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ProcessEnd::Code(code) => write!(f, "exited with code {code}"),
            ProcessEnd::Signal(signal) => match signal_name(signal) {
                Some(name) => write!(f, "killed by signal {signal} ({name})"),
                None => write!(f, "killed by signal {signal}"),
            },
            ProcessEnd::Unknown => {
                f.write_str("ended in an unknown way, after the process that forked it")
            }
        }
    }
}

/// Why the supervisor has to kill a process of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It closed its channel, in the middle of its work, and lived on.
    ChannelClosed,
    /// What it sent is not of the protocol; the text says in what respect.
    Protocol(String),
    /// The system could not write to its channel, for the reason given.
    ChannelFailed(String),
}

/// `closed its channel`, `broke the protocol (...)`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::ChannelClosed => f.write_str("closed its channel"),
            Fault::Protocol(what) => write!(f, "broke the protocol ({what})"),
            Fault::ChannelFailed(why) => write!(f, "could not be written to ({why})"),
        }
    }
}

/// The end of a process: the last that is heard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct End {
    /// How it ended.
    pub status: ProcessEnd,
    /// What its fault handler wrote, if it wrote anything; at most 64 KiB of it.
    pub crash_text: Option<String>,
    /// Why the supervisor killed it, if it did so of its own accord.
    pub fault: Option<Fault>,
    /// Whether the signal that ended it was sent by this supervisor: on
    /// [`Supervisor::kill`](crate::Supervisor::kill), at a shutdown, or for its fault.
    pub by_supervisor: bool,
}

impl End {
    /// Whether it ended by itself, with code 0 and no fault.
    pub fn success(&self) -> bool {
        self.fault.is_none() && self.status.success()
    }
}

/// One line, without the text of the fault handler.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fault) = &self.fault {
            return match self.by_supervisor {
                true => write!(f, "{fault} and was killed"),
                false => write!(f, "{fault} and {}", self.status),
            };
        }
        write!(f, "{}", self.status)?;
        if self.status == ProcessEnd::Signal(SIGKILL) && !self.by_supervisor {
            f.write_str(", perhaps by the kernel for lack of memory")?;
        }
        Ok(())
    }
}

/// The same number on every Unix.
pub(crate) const SIGKILL: i32 = 9;

/// The name of a signal of this platform, `SIGSEGV` for 11.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    let index = usize::try_from(signal).ok()?.checked_sub(1)?;
    let names = if cfg!(any(target_os = "linux", target_os = "android")) {
        &LINUX
    } else {
        &BSD
    };
    names.get(index).copied()
}

// Numbers 1 to 31, of every Linux architecture but MIPS, SPARC and Alpha.
const LINUX: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

// macOS and the BSDs.
const BSD: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGEMT",
    "SIGFPE",
    "SIGKILL",
    "SIGBUS",
    "SIGSEGV",
    "SIGSYS",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGURG",
    "SIGSTOP",
    "SIGTSTP",
    "SIGCONT",
    "SIGCHLD",
    "SIGTTIN",
    "SIGTTOU",
    "SIGIO",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGINFO",
    "SIGUSR1",
    "SIGUSR2",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn end(status: ProcessEnd) -> End {
        End {
            status,
            crash_text: None,
            fault: None,
            by_supervisor: false,
        }
    }

    #[test]
    fn ends_read_as_sentences() {
        let table = [
            (end(ProcessEnd::Code(0)), "exited with code 0"),
            (end(ProcessEnd::Code(3)), "exited with code 3"),
            (end(ProcessEnd::Signal(11)), "killed by signal 11 (SIGSEGV)"),
            (end(ProcessEnd::Signal(40)), "killed by signal 40"),
            (
                end(ProcessEnd::Signal(9)),
                "killed by signal 9 (SIGKILL), perhaps by the kernel for lack of memory",
            ),
            (
                End {
                    by_supervisor: true,
                    ..end(ProcessEnd::Signal(9))
                },
                "killed by signal 9 (SIGKILL)",
            ),
            (
                End {
                    by_supervisor: true,
                    fault: Some(Fault::ChannelClosed),
                    ..end(ProcessEnd::Signal(9))
                },
                "closed its channel and was killed",
            ),
            (
                End {
                    fault: Some(Fault::Protocol("a frame of 4 GiB".into())),
                    ..end(ProcessEnd::Code(1))
                },
                "broke the protocol (a frame of 4 GiB) and exited with code 1",
            ),
            (
                end(ProcessEnd::Unknown),
                "ended in an unknown way, after the process that forked it",
            ),
        ];
        for (end, text) in table {
            assert_eq!(end.to_string(), text);
        }
    }

    #[test]
    fn signals_have_the_names_of_their_platform() {
        assert_eq!(signal_name(6), Some("SIGABRT"));
        assert_eq!(signal_name(15), Some("SIGTERM"));
        let bus = if cfg!(target_os = "linux") { 7 } else { 10 };
        assert_eq!(signal_name(bus), Some("SIGBUS"));
        for nameless in [i32::MIN, -1, 0, 32, 64, i32::MAX] {
            assert_eq!(signal_name(nameless), None);
        }
    }
}
