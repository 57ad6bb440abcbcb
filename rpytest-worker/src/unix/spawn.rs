//! Starting an interpreter, and the system calls for processes.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::thread;

use nix::sys::signal::SigSet;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitOptions, kill_process, test_kill_process, waitid, waitpid,
};

use super::{Input, Inputs};
use crate::end::ProcessEnd;
use crate::event::ProcessId;
use crate::interpreter::Interpreter;
use crate::supervisor::{Options, Signal};

/// Starts an interpreter with the child's ends of a channel, its spool and a crash file, and nothing else of
/// ours, beyond stdin, stdout and stderr.
///
/// On Linux the process is killed when the thread that called this ends.
///
/// Interrupts are blocked in it, so that one cannot strike an interpreter that has nothing of ours in it yet:
/// Python would say at length that it has failed to start. It unblocks them itself.
pub(super) fn spawn(
    options: &Options,
    interpreter: &Interpreter,
    [channel, spool]: &[OwnedFd; 2],
    crash: &File,
) -> io::Result<Child> {
    let inherited = [channel.as_raw_fd(), crash.as_raw_fd(), spool.as_raw_fd()];
    let mut command = Command::new(interpreter.path());
    command
        .arg(options.python.entry())
        .args(["--channel-fd", &inherited[0].to_string()])
        .args(["--crash-fd", &inherited[1].to_string()])
        .args(["--spool-fd", &inherited[2].to_string()]);
    if let Some(store) = &options.rewritten {
        command.arg("--rewritten").arg(store.directory());
    }
    if let Some(cwd) = &options.cwd {
        command.current_dir(cwd);
    }
    if let Some(env) = &options.env {
        command
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)));
    }
    let interrupts: SigSet = [nix::sys::signal::Signal::SIGINT].into_iter().collect();
    let prepare = move || {
        interrupts.thread_block()?;
        for fd in inherited {
            // SAFETY: all are open, as the caller's borrows last until the interpreter runs.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        Ok(())
    };
    // SAFETY: between fork and exec there are four or five system calls, and no allocation.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

/// Tells the monitor when a process that we started has ended. It stays to be reaped, so that its pid
/// stays its own.
pub(super) fn watch(process: ProcessId, child: &Child, inputs: Inputs) -> io::Result<()> {
    let pid = pid(child.id());
    thread::Builder::new()
        .name("rpytest-wait".into())
        .stack_size(64 * 1024)
        .spawn(move || {
            if let Some(pid) = pid {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
            }
            inputs.send(Input::Exited(process));
        })?;
    Ok(())
}

/// Reaps a process of which [`watch`] told that it has ended.
pub(super) fn reap(child: &mut Child) -> ProcessEnd {
    // An error means that someone else in this program has reaped it.
    child
        .try_wait()
        .ok()
        .flatten()
        .map_or(ProcessEnd::Unknown, process_end)
}

fn process_end(status: ExitStatus) -> ProcessEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ProcessEnd::Code(code),
        (None, Some(signal)) => ProcessEnd::Signal(signal),
        (None, None) => ProcessEnd::Unknown,
    }
}

/// Whether a process that another one forked is gone, and how it ended, if that can be told.
pub(super) fn probe(raw: u32) -> Option<ProcessEnd> {
    let Some(pid) = pid(raw) else {
        return Some(ProcessEnd::Unknown);
    };
    // Where we are the init process, as in a container, or a subreaper, the orphan has become our own
    // child, and is ours to reap.
    if let Ok(Some((_, status))) = waitpid(Some(pid), WaitOptions::NOHANG) {
        return Some(process_end(ExitStatus::from_raw(status.as_raw())));
    }
    let gone = test_kill_process(pid) == Err(Errno::SRCH) || is_zombie(raw);
    gone.then_some(ProcessEnd::Unknown)
}

/// Whether a process has ended and is still there, because its parent does not reap it. That may last
/// forever: in a container the process with the pid 1 is often none that does so.
#[cfg(target_os = "linux")]
fn is_zombie(raw: u32) -> bool {
    let Ok(stat) = std::fs::read(format!("/proc/{raw}/stat")) else {
        return false;
    };
    // After the name, which stands in parentheses and may have such in itself.
    let name_end = stat.iter().rposition(|&byte| byte == b')');
    name_end
        .and_then(|end| stat.get(end + 2))
        .is_some_and(|state| matches!(state, b'Z' | b'X'))
}

/// Where it cannot be told, a killed process is given up after a while.
#[cfg(not(target_os = "linux"))]
fn is_zombie(_: u32) -> bool {
    false
}

/// Sends a signal; a process that is gone has had its due.
pub(super) fn signal(raw: u32, signal: Signal) {
    let signal = rustix_signal(signal);
    if let Some(pid) = pid(raw)
        && let Err(error) = kill_process(pid, signal)
        && error != Errno::SRCH
    {
        tracing::warn!("failed to send {signal:?} to process {raw}: {error}");
    }
}

pub(super) fn rustix_signal(signal: Signal) -> rustix::process::Signal {
    match signal {
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Abort => rustix::process::Signal::ABORT,
        Signal::Stacks => rustix::process::Signal::XCPU,
        Signal::Kill => rustix::process::Signal::KILL,
        Signal::Stop => rustix::process::Signal::STOP,
        Signal::Continue => rustix::process::Signal::CONT,
    }
}

/// A pid of another process. Numbers that mean something else to `kill`, such as all processes, are
/// none.
fn pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}
