//! Children: this same command, with what it writes line by line.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child as Process, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use super::Told as ServerTold;

/// How long a child has to end by itself when it is told to.
const GRACE: Duration = Duration::from_secs(3);

/// How long what a child has written may take to arrive after its end.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a child tells.
#[derive(Debug)]
pub(super) enum Told {
    /// A line of its standard output.
    Line(Vec<u8>),
    /// Of its standard error.
    Report(String),
    /// It has written all that it will; the server waits for its end.
    Ended,
}

/// A child that runs.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    /// When its end was first seen.
    ended: Option<Instant>,
}

impl Child {
    /// Starts one, which tells under that number.
    pub fn start(
        number: u64,
        arguments: &[OsString],
        tell: &SyncSender<ServerTold>,
    ) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // What the server was asked for by the environment is not meant for its children.
            .env_remove("RPYTEST_MESSAGE_FORMAT")
            .env_remove("RPYTEST_GITHUB");
        #[cfg(any(target_os = "linux", target_os = "android"))]
        end_with_us(&mut command);
        let mut process = command.spawn()?;
        let out = process.stdout.take();
        let report = process.stderr.take();
        let heard = tell.clone();
        let reports = thread::Builder::new().name("report".into()).spawn(move || {
            if let Some(report) = report {
                read_report(number, report, &heard);
            }
        });
        let heard = tell.clone();
        let lines = thread::Builder::new().name("events".into()).spawn(move || {
            if let Some(out) = out {
                read_lines(number, out, &heard);
            }
            if let Ok(reports) = reports {
                let _ = reports.join();
            }
            let _ = heard.send(ServerTold::Child(number, Told::Ended));
        });
        if let Err(error) = lines {
            let _ = process.kill();
            let _ = process.wait();
            return Err(error);
        }
        Ok(Self {
            process,
            ended: None,
        })
    }

    /// Whether it has ended so long ago that nothing of it can be under way, whoever keeps its pipes.
    pub fn ended_a_while_ago(&mut self) -> bool {
        if matches!(self.process.try_wait(), Ok(None)) {
            return false;
        }
        self.ended.get_or_insert_with(Instant::now).elapsed() > PATIENCE
    }

    /// Has it end as Ctrl-C would: tests are torn down.
    pub fn interrupt(&self) {
        self.signal(Signal::Interrupt);
    }

    /// Its exit code; it has closed what it writes to.
    pub fn wait(&mut self) -> i32 {
        self.end_within(GRACE);
        match self.process.wait() {
            Ok(status) => status.code().unwrap_or(-1),
            Err(_) => -1,
        }
    }

    /// Has it end at once.
    pub fn terminate(&self) {
        self.signal(Signal::Terminate);
    }

    /// Kills it if it does not end by itself.
    fn end_within(&mut self, grace: Duration) {
        let deadline = Instant::now() + grace;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[cfg(unix)]
    fn signal(&self, signal: Signal) {
        use rustix::process::{Pid, kill_process};
        let signal = match signal {
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Terminate => rustix::process::Signal::TERM,
        };
        // Once it has been waited for, the number may be another's.
        if self.ended.is_some() {
            return;
        }
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, signal));
    }

    #[cfg(not(unix))]
    fn signal(&self, _: Signal) {}
}

/// Has a child end as if the editor had gone when the server is killed: when the thread that starts it ends, which is the main one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let prepare = || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
        Ok(())
    };
    // SAFETY: between fork and exec there is one system call, and no allocation.
    unsafe { command.pre_exec(prepare) };
}

#[derive(Clone, Copy)]
enum Signal {
    Interrupt,
    Terminate,
}

fn read_lines(number: u64, from: impl Read, tell: &SyncSender<ServerTold>) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        match from.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if tell
            .send(ServerTold::Child(number, Told::Line(line)))
            .is_err()
        {
            return;
        }
    }
}

fn read_report(number: u64, mut from: impl Read, tell: &SyncSender<ServerTold>) {
    let mut piece = vec![0; 8 << 10];
    // The beginning of a character of which the rest is still to come.
    let mut rest: Vec<u8> = Vec::new();
    while let Ok(length @ 1..) = from.read(&mut piece) {
        rest.extend_from_slice(&piece[..length]);
        let whole = match std::str::from_utf8(&rest) {
            Ok(_) => rest.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => rest.len(),
        };
        let text: Vec<u8> = rest.drain(..whole).collect();
        let text = String::from_utf8_lossy(&text).into_owned();
        if !text.is_empty()
            && tell
                .send(ServerTold::Child(number, Told::Report(text)))
                .is_err()
        {
            return;
        }
    }
}
