//! What can happen to a run, and how it is made to happen.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rpytest_sched::simulate::Random;
use rustix::process::Signal;

use crate::processes::{self, Role};
use crate::suite::{OF_ITS_OWN, Suite};
use crate::support::Project;

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Kill,
    Terminate,
    Interrupt,
    StandStill,
    ClosedDescriptor,
    ClosedPipe,
    FullDisk,
    FewDescriptors,
    NoDirectory,
    Deed,
}

/// As often as they stand here: what strikes processes may strike each of several at each moment.
const KINDS: [Kind; 18] = [
    Kind::Kill,
    Kind::Kill,
    Kind::Terminate,
    Kind::StandStill,
    Kind::ClosedDescriptor,
    Kind::Kill,
    Kind::FullDisk,
    Kind::Terminate,
    Kind::FewDescriptors,
    Kind::Kill,
    Kind::NoDirectory,
    Kind::Interrupt,
    Kind::ClosedPipe,
    Kind::StandStill,
    Kind::Deed,
    Kind::Kill,
    Kind::FullDisk,
    Kind::Deed,
];

/// The exit code of a script that could not make its fault happen.
pub const NOT_INJECTED: i32 = 99;

/// Whether this user may mount something in a namespace of its own. Where it may not, disks are full for output alone.
fn can_mount() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", OF_ITS_OWN, "sh", "mount -t tmpfs none /mnt"]);
        let can = shell.stderr(Stdio::null()).status();
        let can = can.is_ok_and(|status| status.success());
        if !can {
            println!("no disk is full but that of the output: `unshare --mount` is not to be had");
        }
        can
    })
}

/// What a test may do to the process that it runs in. Each is a statement.
pub const DEEDS: [&str; 5] = [
    "os.closerange(3, 1024)",
    "os.closerange(0, 1024)",
    "KEPT.extend(iter(descriptor, None))",
    "os.kill(os.getppid(), 9)",
    "os.killpg(os.getpgrp(), 9)",
];

impl Kind {
    /// The kind of the n-th fault: however few there are, none is missing for chance.
    pub fn of_number(number: u64) -> Self {
        KINDS[(number % KINDS.len() as u64) as usize]
    }

    /// As it is counted.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Kill => "SIGKILL",
            Kind::Terminate => "SIGTERM",
            Kind::Interrupt => "SIGINT",
            Kind::StandStill => "SIGSTOP",
            Kind::ClosedDescriptor => "closed descriptor",
            Kind::ClosedPipe => "closed pipe",
            Kind::FullDisk => "full disk",
            Kind::FewDescriptors => "few descriptors",
            Kind::NoDirectory => "unusable directory",
            Kind::Deed => "deed of a test",
        }
    }
}

/// Where a disk is full, or no directory is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Output,
    ProjectCache,
    UserCache,
    Temporary,
    Report,
}

const PLACES: [Place; 5] = [
    Place::Output,
    Place::ProjectCache,
    Place::UserCache,
    Place::Temporary,
    Place::Report,
];

/// Something that happens to a run.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A process gets a signal after some time.
    Signal {
        role: Role,
        /// Which of them, if there are several.
        nth: f64,
        signal: Signal,
        after: Duration,
    },
    /// A process stands still after some time, and goes on after some more, or when the run is over.
    StandStill {
        role: Role,
        nth: f64,
        after: Duration,
        lasts: Option<Duration>,
    },
    /// A test does something to its own process.
    Deed(&'static str),
    /// The command begins without some of its standard descriptors.
    ClosedDescriptors(&'static str),
    /// Nobody reads what the command writes, after so many bytes.
    ClosedPipe { bytes: u32 },
    /// There is so much room left.
    FullDisk { place: Place, kilobytes: u32 },
    /// The command may have so many descriptors.
    FewDescriptors(u32),
    /// There is something else where a directory is looked for, or it may not be entered.
    NoDirectory(Place),
}

impl Fault {
    /// One of a kind.
    pub fn any(kind: Kind, suite: &Suite, random: &mut Random) -> Self {
        // A little beyond the end, too.
        let after = suite.usual.mul_f64(random.part() * 1.15);
        let role = {
            let part = random.part();
            match suite.mode.daemon {
                true if part < 0.2 => Role::Daemon,
                _ if part < 0.35 => Role::Client,
                _ if part < 0.55 => Role::Host,
                _ => Role::Fork,
            }
        };
        let nth = random.part();
        let signal = |signal| Fault::Signal {
            role,
            nth,
            signal,
            after,
        };
        match kind {
            Kind::Kill => signal(Signal::KILL),
            Kind::Terminate => signal(Signal::TERM),
            Kind::Interrupt => Fault::Signal {
                role: Role::Client,
                nth: 0.0,
                signal: Signal::INT,
                after,
            },
            Kind::StandStill => Fault::StandStill {
                role,
                nth,
                after,
                // A run can do without a daemon, but not without what is its own.
                lasts: (role != Role::Daemon)
                    .then(|| Duration::from_secs_f64(0.05 + random.part())),
            },
            Kind::ClosedDescriptor => {
                Fault::ClosedDescriptors(pick(&["<&-", ">&-", "2>&-", "<&- >&- 2>&-"], random))
            }
            Kind::ClosedPipe => Fault::ClosedPipe {
                bytes: (random.part() * 4000.0) as u32,
            },
            Kind::FullDisk => Fault::FullDisk {
                place: match can_mount() {
                    true => pick(&PLACES, random),
                    false => Place::Output,
                },
                kilobytes: pick(&[0, 4, 16, 64, 256], random),
            },
            Kind::FewDescriptors => Fault::FewDescriptors(4 + (random.part() * 60.0) as u32),
            Kind::NoDirectory => Fault::NoDirectory(pick(&PLACES[1..], random)),
            Kind::Deed => Fault::Deed(pick(&DEEDS, random)),
        }
    }

    /// The script by which the command begins, with its arguments: `"$rpytest" "$@"`, in other circumstances.
    pub fn script(&self, project: &Project) -> String {
        let run = r#"exec "$rpytest" "$@""#;
        match self {
            Fault::Signal { .. }
            | Fault::StandStill { .. }
            | Fault::NoDirectory(_)
            | Fault::Deed(_) => run.to_owned(),
            Fault::ClosedDescriptors(which) => format!("{run} {which}"),
            Fault::FewDescriptors(count) => format!("ulimit -n {count}; {run}"),
            // The code of the command, not that of the reader.
            Fault::ClosedPipe { bytes } => {
                format!(
                    r#"{{ "$rpytest" "$@"; echo $? >../code; }} | head -c {bytes}; exit $(cat ../code)"#
                )
            }
            Fault::FullDisk {
                place: Place::Output,
                ..
            } => format!("{run} >/dev/full"),
            Fault::FullDisk { place, kilobytes } => {
                let at = place.directory(project);
                // No size is no limit to it; a page is the least that there is. Links are in the way of `mount`.
                let size = (*kilobytes).max(4);
                let fill = match kilobytes {
                    0 => format!("head -c 4096 /dev/zero >'{}/full'; ", at.display()),
                    _ => String::new(),
                };
                format!(
                    "mkdir -p '{0}' && mount -t tmpfs -o size={size}k none '{0}' || exit {NOT_INJECTED}; {fill}{run}",
                    at.display()
                )
            }
        }
    }

    /// Whether its script is one for a mount namespace of its own.
    pub fn mounts(&self) -> bool {
        matches!(self, Fault::FullDisk { place, .. } if *place != Place::Output)
    }

    /// Makes it happen to a run, in time. Returns whether there was whom it could happen to.
    pub fn strike(&self, project: &Project, is_over: impl Fn() -> bool) -> bool {
        match self {
            Fault::Signal {
                role,
                nth,
                signal,
                after,
            } => {
                sleep(*after);
                let victim = victim(project, *role, *nth);
                victim
                    .inspect(|pid| processes::signal(*pid, *signal))
                    .is_some()
            }
            Fault::StandStill {
                role,
                nth,
                after,
                lasts,
            } => {
                sleep(*after);
                let Some(pid) = victim(project, *role, *nth) else {
                    return false;
                };
                processes::signal(pid, Signal::STOP);
                let begun = Instant::now();
                let goes_on = || lasts.is_some_and(|lasts| begun.elapsed() > lasts);
                while !is_over() && !goes_on() {
                    sleep(Duration::from_millis(5));
                }
                processes::signal(pid, Signal::CONT);
                true
            }
            _ => true,
        }
    }
}

impl Place {
    /// The directory that it is.
    pub fn directory(self, project: &Project) -> std::path::PathBuf {
        match self {
            Place::Output | Place::Report => project.root().join("reports"),
            Place::ProjectCache => project.root().join(".pytest_cache"),
            Place::UserCache => project.base().join("cache"),
            Place::Temporary => project.temporary_files(),
        }
    }
}

fn victim(project: &Project, role: Role, nth: f64) -> Option<i32> {
    let mut found = processes::all(project);
    found.retain(|process| process.role == role);
    found.sort_by_key(|process| process.pid);
    let at = (nth * found.len() as f64) as usize;
    Some(found.get(at)?.pid)
}

fn pick<T: Copy>(of: &[T], random: &mut Random) -> T {
    of[(random.part() * of.len() as f64) as usize]
}

/// Puts something in the place of a directory, and it back when this is dropped.
#[derive(Debug)]
pub struct Obstacle {
    at: std::path::PathBuf,
    aside: std::path::PathBuf,
}

impl Obstacle {
    /// Where no directory is to be had.
    pub fn new(at: &Path) -> Self {
        let aside = at.with_extension("aside");
        let _ = std::fs::rename(at, &aside);
        std::fs::write(at, "no directory").expect("a file");
        Self {
            at: at.to_owned(),
            aside,
        }
    }
}

impl Drop for Obstacle {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.at);
        let _ = std::fs::rename(&self.aside, &self.at);
    }
}
