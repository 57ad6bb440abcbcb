//! `--timing=html`: when what happened in which process, as a page.
//!
//! [`Timeline`] is told of each event of a run and keeps when it was. The beginning of a test is the word of the process that
//! runs it, since what it tells comes in batches; everything else is when it was heard of. [`document`] makes of that what
//! the page shows, and [`page`] the page.

mod critical;
mod document;
mod page;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rpytest_ipc::{Outcome, PhaseSeconds, SharedSeconds, ToRust};
use rpytest_worker::EventKind;

pub(crate) use self::document::About;
use crate::whole_file;

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The user's session, which reports; without workers it runs the tests as well.
    Session,
    /// The process that collects for workers.
    Template,
    /// One that runs tests.
    Worker,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    As(Outcome),
    /// With its process.
    Crashed,
    /// It did not: the run was stopped.
    Never,
}

/// What a process, or several of one name, one after the other, did. Times are seconds since the run began.
#[derive(Debug)]
struct Lane {
    name: String,
    part: Part,
    begin: f64,
    end: f64,
    /// When it told what it had collected.
    collected: Option<f64>,
    /// The files that it collected, in their order, with the seconds that each took.
    files: Vec<(String, f64)>,
    /// The test that runs, and since when.
    running: Option<(String, f64)>,
    /// When the last test before that ended.
    free: f64,
}

#[derive(Debug)]
struct Test {
    nodeid: String,
    lane: usize,
    begin: f64,
    seconds: PhaseSeconds,
    ended: Ended,
    /// The part of the setup that others needed, too.
    shared: Vec<SharedSeconds>,
}

impl Test {
    fn seconds(&self) -> f64 {
        self.seconds.setup + self.seconds.call + self.seconds.teardown
    }

    fn end(&self) -> f64 {
        self.begin + self.seconds()
    }
}

/// What is kept of a run.
#[derive(Debug)]
pub(crate) struct Timeline {
    path: PathBuf,
    begun: Instant,
    /// The same in seconds since 1970, as processes say when a test begins.
    epoch: f64,
    lanes: Vec<Lane>,
    names: HashMap<String, usize>,
    tests: Vec<Test>,
}

impl Timeline {
    /// Of a run that began at that time, for a page at this path, which must be one that can be written.
    pub fn new(path: &Path, begun: Instant) -> io::Result<Self> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // The run may change the directory that a relative path is below.
        let path = std::path::absolute(path)?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
            // Whether a file can be made there is seen by making one; it is gone at once.
            tempfile::NamedTempFile::new_in(parent)?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs_f64();
        Ok(Self {
            path,
            begun,
            epoch: now - begun.elapsed().as_secs_f64(),
            lanes: Vec::new(),
            names: HashMap::new(),
            tests: Vec::new(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Something happened to a process; the test that it is about, if it is about one.
    pub fn saw(&mut self, name: &str, part: Part, event: &EventKind, nodeid: Option<&str>) {
        let now = self.begun.elapsed().as_secs_f64();
        let lane = self.lane(name, part, now);
        let place = &mut self.lanes[lane];
        place.end = now;
        match event {
            EventKind::Message(ToRust::Started { at, .. }) => {
                let begin = at.map_or(now, |at| at - self.epoch);
                // Clocks can be set, and a lane has one test at a time.
                let begin = begin.min(now).max(place.free);
                place.running = nodeid.map(|nodeid| (nodeid.to_owned(), begin));
            }
            EventKind::Message(ToRust::Result {
                outcome,
                seconds,
                shared,
                ..
            }) => {
                let Some((nodeid, begin)) = place.running.take() else {
                    return;
                };
                let test = Test {
                    nodeid,
                    lane,
                    begin,
                    seconds: *seconds,
                    ended: Ended::As(*outcome),
                    shared: shared.clone(),
                };
                place.free = test.end();
                self.tests.push(test);
            }
            EventKind::Message(ToRust::Imported { files }) => {
                place.files.extend(files.iter().cloned());
            }
            EventKind::Message(ToRust::Inventory { .. }) => place.collected = Some(now),
            EventKind::Ended(_) => self.breaks_off(lane, now, Ended::Crashed),
            _ => {}
        }
    }

    /// The run is being stopped: what a process is about to leave behind did not crash it.
    pub fn stopped(&mut self, name: &str) {
        if let Some(lane) = self.names.get(name) {
            let now = self.begun.elapsed().as_secs_f64();
            self.breaks_off(*lane, now, Ended::Never);
        }
    }

    /// Writes the page.
    pub fn write(mut self, about: About) -> io::Result<()> {
        for lane in 0..self.lanes.len() {
            let end = self.lanes[lane].end;
            self.breaks_off(lane, end, Ended::Never);
        }
        let document = document::document(self.lanes, self.tests, self.epoch, about);
        whole_file::write(&self.path, page::page(&document)?.as_bytes())
    }

    fn lane(&mut self, name: &str, part: Part, now: f64) -> usize {
        if let Some(lane) = self.names.get(name) {
            return *lane;
        }
        let lane = self.lanes.len();
        self.names.insert(name.to_owned(), lane);
        self.lanes.push(Lane {
            name: name.to_owned(),
            part,
            // The session is what the run began with.
            begin: if part == Part::Session { 0.0 } else { now },
            end: now,
            collected: None,
            files: Vec::new(),
            running: None,
            free: 0.0,
        });
        lane
    }

    /// A test that runs has no result, and will have none.
    fn breaks_off(&mut self, lane: usize, now: f64, ended: Ended) {
        let place = &mut self.lanes[lane];
        let Some((nodeid, begin)) = place.running.take() else {
            return;
        };
        place.free = now;
        self.tests.push(Test {
            nodeid,
            lane,
            begin,
            // In which of the phases is not known.
            seconds: PhaseSeconds {
                call: (now - begin).max(0.0),
                ..PhaseSeconds::default()
            },
            ended,
            shared: Vec::new(),
        });
    }
}
