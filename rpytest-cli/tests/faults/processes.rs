//! The processes of a project, and which is which.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Project;
use crate::support::run::processes_of;

/// How long what was begun may take to end, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a process is of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The command that the user has typed.
    Client,
    /// The daemon.
    Daemon,
    /// An interpreter that others are forked from: its parent is one of the two above.
    Host,
    /// What has been forked from it: controllers, templates, sessions that wait.
    Fork,
}

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    pub role: Role,
}

/// The processes of a project that run or stand still.
pub fn all(project: &Project) -> Vec<Process> {
    let found = processes_of(project);
    let roles: BTreeMap<i32, Option<Role>> = found
        .iter()
        .map(|(pid, command)| (*pid, own_role(command)))
        .collect();
    let role = |(pid, _): &(i32, String)| {
        let role = roles[pid].or_else(|| match parent(*pid).map(|it| roles.get(&it)) {
            // Of a parent that has ended, too.
            None | Some(None) => Some(Role::Fork),
            Some(Some(Some(_))) => Some(Role::Host),
            Some(Some(None)) => Some(Role::Fork),
        })?;
        is_there(*pid).then_some(Process { pid: *pid, role })
    };
    found.iter().filter_map(role).collect()
}

/// The role that a command line tells.
fn own_role(command: &str) -> Option<Role> {
    let mut words = command.split_whitespace();
    let is_ours = words
        .next()
        .is_some_and(|program| Path::new(program).ends_with("rpytest"));
    let serves = words.any(|word| word.starts_with("--daemon-for") || word == "--daemon");
    is_ours.then_some(match serves {
        true => Role::Daemon,
        false => Role::Client,
    })
}

fn stat(pid: i32) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before them may have anything in it.
    let mut rest = text.rsplit(')').next()?.split_whitespace();
    let state = rest.next()?.chars().next()?;
    Some((state, rest.next()?.parse().ok()?))
}

fn parent(pid: i32) -> Option<i32> {
    Some(stat(pid)?.1)
}

/// Whether it has not ended.
fn is_there(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// Asks daemons to end that are in a mount namespace of their own.
pub fn end_daemons_elsewhere(project: &Project) {
    let place = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let here = place("self");
    for process in all(project) {
        let there = place(&process.pid.to_string());
        if process.role == Role::Daemon && there.is_some() && there != here {
            signal(process.pid, Signal::TERM);
        }
    }
}

/// Sends a signal, if the process is still there.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Waits until none is left but those of which this is said, and describes what did not end.
pub fn end(project: &Project, may_stay: impl Fn(&Process) -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left: Vec<Process> = all(project)
            .into_iter()
            .filter(|process| !may_stay(process))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let state = |process: &Process| {
                let wait = fs::read_to_string(format!("/proc/{}/wchan", process.pid));
                format!("{process:?} {:?} {wait:?}", stat(process.pid))
            };
            let left: Vec<String> = left.iter().map(state).collect();
            return Err(format!("processes are left: {left:?}"));
        }
        sleep(Duration::from_millis(10));
    }
}
