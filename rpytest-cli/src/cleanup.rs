//! `--cleanup`: removes what rpytest can make anew, and what nobody needs any more.
//!
//! Results are never removed: durations, and what shards have left for `rpytest merge`. What a running process may look at is
//! left alone: the Python side that a daemon of another version was started from, its socket and its lock. Caches are
//! written beside their place and renamed, and whoever finds nothing makes it again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rpytest_collect::Collector;
use rpytest_worker::embedded::{cache_directory, of_other_versions};
use rpytest_worker::interpreter::ThisProcess;

use crate::amounts::{Amount, count};
use crate::collect;
use crate::exit;
use crate::history::HISTORY_FILE;
use crate::shard::BELOW_CACHE as SHARDS;

/// The names of what the commands keep in the cache directory begin so, besides directories of their own.
const OF_ENVIRONMENTS: &str = "environment-";
const REWRITTEN: &str = "rewritten";
/// The same in pytest's cache directory.
const OF_PROJECTS: [&str; 3] = ["items-", "sources", ".rpytest-"];

/// Lines of what was done.
#[derive(Default)]
struct Done {
    removed: Amount,
    failures: u64,
}

/// Cleans up, says what it has done, and returns the exit code.
pub(crate) fn run() -> u8 {
    let mut done = Done::default();
    if let Some(directory) = cache_directory(&ThisProcess) {
        done.in_cache(&directory);
    }
    let settings = std::env::current_dir()
        .ok()
        .and_then(|directory| Collector::new(directory).settings().ok());
    if let Some(ours) = settings.as_ref().and_then(collect::below_pytests_cache) {
        done.in_project(&ours);
    }
    done.of_daemons();
    println!("removed in all: {}", done.removed.size());
    match done.failures {
        0 => 0,
        _ => exit::INTERNAL_ERROR,
    }
}

impl Done {
    fn in_cache(&mut self, directory: &Path) {
        let others = of_other_versions(directory);
        let (used, unused): (Vec<_>, Vec<_>) = match commands() {
            Some(commands) => others.into_iter().partition(|path| {
                let path = path.to_string_lossy();
                commands.iter().any(|command| command.contains(&*path))
            }),
            None => (others, Vec::new()),
        };
        self.remove("the Python sides of other versions", directory, &unused);
        if !used.is_empty() {
            let many = count(used.len() as u64, "Python side");
            println!("kept: {many} of other versions, which processes may still use");
        }
        let environments: Vec<PathBuf> = entries(directory)
            .into_iter()
            .filter(|path| name(path).starts_with(OF_ENVIRONMENTS))
            .collect();
        self.remove("what is known of environments", directory, &environments);
        let rewritten = directory.join(REWRITTEN);
        self.remove(
            "code with rewritten assertions",
            &rewritten,
            &entries(&rewritten),
        );
    }

    fn in_project(&mut self, ours: &Path) {
        // By their names: something else may be a result.
        let known = |path: &PathBuf| {
            OF_PROJECTS
                .iter()
                .any(|known| name(path).starts_with(known))
        };
        let caches: Vec<PathBuf> = entries(ours).into_iter().filter(known).collect();
        self.remove(
            "what is known of this project's sources and items",
            ours,
            &caches,
        );
        let Some(cache) = collect::cache_of(Some(ours)) else {
            return;
        };
        for (path, what, how) in [
            (SHARDS, "results of shards", "rpytest merge joins them"),
            (
                HISTORY_FILE,
                "durations of tests",
                "rpytest durations prune shortens them",
            ),
        ] {
            let path = cache.join(path);
            let amount = Amount::of(&path);
            if amount.files > 0 {
                println!(
                    "kept: {what}, {}, in {}; {how}",
                    amount.size(),
                    path.display()
                );
            }
        }
    }

    #[cfg(unix)]
    fn of_daemons(&mut self) {
        match crate::daemon::remove_stale() {
            Ok((gone, running)) => {
                if gone > 0 {
                    println!(
                        "removed: {} of daemons that are gone",
                        count(gone, "socket")
                    );
                }
                if running > 0 {
                    let many = count(running, "daemon");
                    println!("kept: {many} running; --daemon-stop ends the one of a project");
                }
            }
            Err(error) => self.failed("the sockets of daemons", &error),
        }
    }

    #[cfg(not(unix))]
    fn of_daemons(&mut self) {}

    /// Removes files and directories, and says how much that was.
    fn remove(&mut self, what: &str, directory: &Path, paths: &[PathBuf]) {
        let mut removed = Amount::default();
        for path in paths {
            let amount = Amount::of(path);
            match delete(path) {
                Ok(()) => removed = removed + amount,
                Err(error) => self.failed(&path.display().to_string(), &error),
            }
        }
        if removed.files > 0 {
            println!(
                "removed: {what}, {} in {}, from {}",
                removed.size(),
                count(removed.files, "file"),
                directory.display()
            );
        }
        self.removed = self.removed + removed;
    }

    fn failed(&mut self, what: &str, error: &io::Error) {
        self.failures += 1;
        eprintln!("rpytest: error: failed to remove {what}: {error}");
    }
}

fn delete(path: &Path) -> io::Result<()> {
    let result = fs::symlink_metadata(path).and_then(|metadata| match metadata.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    });
    match result {
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// The command lines of all processes of this user's. None where the system does not tell.
fn commands() -> Option<Vec<String>> {
    if let Ok(processes) = fs::read_dir("/proc/self").and_then(|_| fs::read_dir("/proc")) {
        let lines = processes.flatten().filter_map(|process| {
            let line = fs::read(process.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).into_owned())
        });
        return Some(lines.collect());
    }
    let output = std::process::Command::new("ps")
        .args(["-axww", "-o", "command="])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.lines().map(str::to_owned).collect())
}
