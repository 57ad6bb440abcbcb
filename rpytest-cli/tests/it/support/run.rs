//! Commands in a known environment, none of which outlives its test.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{self, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::Project;
use super::python::Venv;

/// Far beyond what anything here takes; a command that takes longer hangs.
pub const LIMIT: Duration = Duration::from_secs(120);

/// How long it takes at most until a condition is looked at again.
const GLANCE: Duration = Duration::from_millis(5);

/// A command to be run in a project.
#[derive(Debug)]
pub struct Command<'a> {
    project: &'a Project,
    command: process::Command,
    output: &'static str,
}

/// A command that runs, in a process group of its own.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    ended: Receiver<ExitStatus>,
    output: PathBuf,
    over: bool,
}

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// Its exit code; 128 and the signal's number for one that was killed, as in a shell.
    pub code: i32,
}

impl<'a> Command<'a> {
    /// `rpytest` in a project, with the pytest of an environment.
    pub fn rpytest(venv: &Venv, project: &'a Project) -> Command<'a> {
        Command::new(Path::new(env!("CARGO_BIN_EXE_rpytest")), venv, project)
    }

    /// `pytest` itself.
    pub fn pytest(venv: &Venv, project: &'a Project) -> Command<'a> {
        Command::new(&venv.bin().join("pytest"), venv, project)
    }

    /// A script for the shell, in which `$rpytest` is the command.
    pub fn shell(venv: &Venv, project: &'a Project, script: &str) -> Command<'a> {
        let shell = Command::new(Path::new("/bin/sh"), venv, project);
        shell
            .env("rpytest", env!("CARGO_BIN_EXE_rpytest"))
            .args(["-c", script])
    }

    fn new(program: &Path, venv: &Venv, project: &'a Project) -> Command<'a> {
        let mut command = process::Command::new(program);
        let path = env::join_paths([venv.bin(), "/usr/bin".into(), "/bin".into()]);
        // Nothing of the environment in which the tests run: pytest reads much of it.
        let kept: BTreeMap<_, _> = [
            "LLVM_PROFILE_FILE",
            "LD_LIBRARY_PATH",
            "RPYTEST_LOG",
            "RPYTEST_PYTHON_SOURCE",
        ]
        .into_iter()
        .filter_map(|name| Some((name, env::var_os(name)?)))
        .collect();
        command
            .env_clear()
            .envs(kept)
            .env("PATH", path.expect("a path"))
            .env("VIRTUAL_ENV", venv.root())
            .env("HOME", project.home())
            // Python files, by content; shared, so that they are compiled once.
            .env(
                "RPYTEST_CACHE_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            )
            .env("TMPDIR", project.temporary_files())
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("RPYTEST_NO_DAEMON", "1")
            // What a terminal shows is compared with what pytest writes.
            .env("RPYTEST_NO_PROGRESS", "1")
            .current_dir(project.root())
            .stdin(Stdio::null());
        Command {
            project,
            command,
            output: "output",
        }
    }

    /// For a command during which others run.
    pub fn output(mut self, directory: &'static str) -> Self {
        self.output = directory;
        self
    }

    /// In a directory of the project.
    pub fn within(mut self, directory: &str) -> Self {
        self.command
            .current_dir(self.project.root().join(directory));
        self
    }

    /// On a terminal, as its three standard descriptors. It leads a session of its own.
    pub fn on_terminal(mut self, terminal: &File) -> Running {
        let standard = || terminal.try_clone().expect("a descriptor");
        self.command
            .stdin(standard())
            .stdout(standard())
            .stderr(standard());
        let leads = || {
            rustix::process::setsid()?;
            // SAFETY: the descriptor is open here, and it is a terminal.
            let stdin = unsafe { std::os::fd::BorrowedFd::borrow_raw(0) };
            Ok(rustix::process::ioctl_tiocsctty(stdin)?)
        };
        // SAFETY: two system calls.
        unsafe { self.command.pre_exec(leads) };
        self.spawn()
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Adds arguments.
    pub fn args<I: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = I>) -> Self {
        for argument in arguments {
            self.command.arg(argument.as_ref());
        }
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        // Files, not pipes: a process that outlives the command must not keep anybody waiting.
        let output = self.project.base().join(self.output);
        fs::create_dir_all(&output).expect("a directory");
        self.command
            .stdout(File::create(output.join("stdout")).expect("a file"));
        self.command
            .stderr(File::create(output.join("stderr")).expect("a file"));
        self.command.process_group(0);
        self.spawn()
    }

    fn spawn(mut self) -> Running {
        let output = self.project.base().join(self.output);
        let mut child = self.command.spawn().expect("the command starts");
        let pid = Pid::from_child(&child);
        let (tell, ended) = channel();
        thread::spawn(move || {
            let status = child.wait().expect("it is ours");
            let _ = tell.send(status);
        });
        Running {
            pid,
            ended,
            output,
            over: false,
        }
    }

    /// Starts it with pipes for its input and output. Whoever has it sees to its end.
    pub fn piped(mut self) -> process::Child {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        self.command.spawn().expect("the command starts")
    }

    /// Runs it to its end.
    pub fn run(self) -> Run {
        self.start().wait()
    }
}

impl Running {
    /// The pid of the command.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("it runs");
    }

    /// Sends a signal to its process group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid, signal).expect("it runs");
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Run {
        let status = match self.ended.recv_timeout(LIMIT) {
            Ok(status) => status,
            Err(RecvTimeoutError::Timeout) => {
                let text = self.text();
                panic!(
                    "it hangs; it has written:\n{}\n{}\n{}",
                    text.0,
                    text.1,
                    self.whats_there()
                );
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("its status is sent"),
        };
        self.over = true;
        let (stdout, stderr) = self.text();
        let signal = status.signal().map(|signal| 128 + signal);
        let code = status.code().or(signal).expect("it has ended");
        Run {
            stdout,
            stderr,
            code,
        }
    }

    /// Waits until something is so, as long as the command runs.
    pub fn until(&mut self, what: &str, condition: impl Fn() -> bool) {
        self.until_it(what, |_| condition());
    }

    /// Waits until it has written something to its standard output.
    pub fn until_it_shows(&mut self, text: &str) {
        self.until_it(text, |running| running.text().0.contains(text));
    }

    fn until_it(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !condition(self) {
            let (stdout, stderr) = self.text();
            assert!(
                Instant::now() < deadline,
                "{what}: never\n{stdout}\n{stderr}"
            );
            match self.ended.recv_timeout(GLANCE) {
                Err(RecvTimeoutError::Timeout) => {}
                end => {
                    self.over = true;
                    // What is waited for may have been the last thing that it did.
                    let (stdout, stderr) = self.text();
                    assert!(
                        condition(self),
                        "{what}: not before the end ({end:?})\n{stdout}\n{stderr}"
                    );
                }
            }
        }
    }

    /// What is to be known of a command that hangs: each process of it, what it waits for, and its signals. The
    /// stacks of the interpreters as well, if the variable `RPYTEST_TEST_STACKS` has a program that shows those of
    /// the pid that it is given, such as `py-spy dump --pid`.
    fn whats_there(&self) -> String {
        let base = self.output.parent().expect("it is below the project's");
        let stacks = env::var("RPYTEST_TEST_STACKS").unwrap_or_default();
        let mut text = String::new();
        if !Path::new("/proc").exists() {
            return text;
        }
        for (pid, command) in processes_below(base) {
            let place = PathBuf::from(format!("/proc/{pid}"));
            let of = |name| fs::read_to_string(place.join(name)).unwrap_or_default();
            let wanted = ["State:", "PPid:", "Sig", "ShdPnd:"];
            let status = of("status");
            let lines = status.lines();
            let lines: Vec<&str> = lines
                .filter(|line| wanted.iter().any(|start| line.starts_with(start)))
                .collect();
            let _ = writeln!(
                text,
                "{pid} {command}\n  {}\n  in {}",
                lines.join(", "),
                of("wchan")
            );
            let mut words = stacks.split_whitespace();
            if let Some(program) = words.next() {
                let mut show = process::Command::new(program);
                let shown = show.args(words).arg(pid.to_string()).output();
                let shown = shown.expect("RPYTEST_TEST_STACKS names a program");
                text.push_str(&String::from_utf8_lossy(&shown.stdout));
            }
        }
        text
    }

    fn text(&self) -> (String, String) {
        let read = |name| {
            let bytes = fs::read(self.output.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        (read("stdout"), read("stderr"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over && self.ended.try_recv().is_err() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }
}

impl Run {
    /// The line with the numbers, without its rule and time: `1 failed, 2 passed`.
    pub fn counts(&self) -> &str {
        let last = self.stdout.lines().rev().find(|line| line.contains(" in "));
        let line = last
            .unwrap_or_else(|| panic!("there is no summary:\n{self}"))
            .trim_matches(['=', ' ']);
        line.split(" in ").next().unwrap_or(line)
    }

    /// Checks the exit code and the line with the numbers.
    #[track_caller]
    pub fn expect(&self, code: i32, counts: &str) {
        assert_eq!((self.code, self.counts()), (code, counts), "\n{self}");
    }

    /// Checks that each text is in the output.
    #[track_caller]
    pub fn shows(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.stdout.contains(text), "{text:?} is not in:\n{self}");
        }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "[exit {}]\n{}\n[stderr]\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// Waits until something is so, for a bounded time.
#[track_caller]
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT / 4;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: never");
        thread::sleep(GLANCE);
    }
}

/// Whether a process is suspended.
pub fn stands_still(pid: i32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before it may have anything in it.
    let rest = text.rsplit(')').next().unwrap_or_default();
    rest.trim_start().starts_with('T')
}

/// The processes that belong to a project: those that have its directory in their environment.
pub fn processes_of(project: &Project) -> Vec<(i32, String)> {
    processes_below(project.base())
}

fn processes_below(base: &Path) -> Vec<(i32, String)> {
    let base = base.as_os_str().as_encoded_bytes();
    let processes = fs::read_dir("/proc").expect("the tests of ends need /proc");
    let numbers = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found = Vec::new();
    for pid in numbers {
        let place = PathBuf::from(format!("/proc/{pid}"));
        let environment = fs::read(place.join("environ")).unwrap_or_default();
        if environment.windows(base.len()).any(|window| window == base) {
            let command = fs::read(place.join("cmdline")).unwrap_or_default();
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}
