//! What a process has started, and what that has started.

use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

/// Everything that is to end with a process.
pub(super) struct Family {
    /// The process, if it leads a group.
    leader: Option<Pid>,
    descendants: Vec<Pid>,
}

/// Of a process that still runs.
pub(super) fn of(pid: u32) -> Family {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Family {
        leader: process.filter(|&process| getpgid(Some(process)) == Ok(process)),
        descendants: process.map_or_else(Vec::new, descendants),
    }
}

impl Family {
    /// Kills those that are still there.
    pub(super) fn kill(&self) {
        // Errors mean that they are gone.
        if let Some(leader) = self.leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
        for &pid in &self.descendants {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(target_os = "linux")]
fn descendants(process: Pid) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(i32, i32)> = numbers
        .filter_map(|pid: i32| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![process.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(&one) = found.get(next) {
        let children = parents.iter().filter(|(_, parent)| *parent == one);
        found.extend(children.map(|(pid, _)| pid));
        next += 1;
    }
    found
        .into_iter()
        .skip(1)
        .filter_map(Pid::from_raw)
        .collect()
}

#[cfg(target_os = "linux")]
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which stands in parentheses and may have such in itself: the state, and the parent.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// Where there is no list of processes, the group has to do.
#[cfg(not(target_os = "linux"))]
fn descendants(_: Pid) -> Vec<Pid> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    #[test]
    fn a_family_ends_to_the_last_member() {
        // A shell, and another one below it that leads a session of its own. That one says its pid when it has a child.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "setsid sh -c 'sleep 1000 & echo $$; wait' & wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the inner one says its pid");
        let inner = line.trim();
        let family = super::of(child.id());
        assert!(family.descendants.len() >= 2, "{:?}", family.descendants);
        child.kill().expect("it runs");
        family.kill();
        let status = child.wait().expect("it is ours");
        assert_eq!(status.signal(), Some(9));
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{inner}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z")
        };
        for _ in 0..500 {
            if gone() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{inner} is still there");
    }
}
