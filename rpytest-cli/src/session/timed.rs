//! `--timing=html`: what of a session goes into its timeline.

use std::time::Instant;

use rpytest_ipc::ToRust;
use rpytest_worker::{EventKind, ProcessId};

use super::{Part, Session};
use crate::args::RunArguments;
use crate::exit;
use crate::quoted::quoted;
use crate::timeline::{self, About, Timeline};

/// The timeline that is asked for, or why it cannot be.
pub(super) fn begin(arguments: &RunArguments, begun: Instant) -> Result<Option<Timeline>, String> {
    let Some(path) = &arguments.timing.page else {
        return Ok(None);
    };
    match Timeline::new(path, begun) {
        Ok(timeline) => Ok(Some(timeline)),
        Err(error) => Err(format!(
            "--timing=html: {} cannot be written: {error}; --timing=html:PATH writes to another place",
            path.display()
        )),
    }
}

impl Session {
    /// Notes what happened to a process that has a lane.
    pub(super) fn chart(&mut self, process: ProcessId, event: &EventKind) {
        let Some(timeline) = &mut self.timeline else {
            return;
        };
        let crew = match &self.part {
            Part::Crew(crew) => Some(crew),
            Part::Solo(_) | Part::Undecided => None,
        };
        let (name, part) = if process == self.controller {
            ("session", timeline::Part::Session)
        } else if let Some(name) = crew.and_then(|crew| crew.name_of(process)) {
            (name, timeline::Part::Worker)
        } else if self.template == Some(process)
            || crew.is_some_and(|crew| crew.is_template(process))
        {
            ("template", timeline::Part::Template)
        } else {
            return;
        };
        let is_over = self.interrupts.have_come();
        if is_over && matches!(event, EventKind::Ended(_)) {
            // It ends because the user wants it to: the test is not to blame.
            timeline.stopped(name);
        }
        let nodeid = match event {
            EventKind::Message(ToRust::Started { task, .. }) => match &self.part {
                Part::Solo(solo) => solo.nodeid(*task),
                Part::Crew(crew) => crew.nodeid(*task),
                Part::Undecided => None,
            },
            _ => None,
        };
        timeline.saw(name, part, event, nodeid);
    }

    /// Writes the page, and returns the exit code: what was asked for and is not there fails the run.
    pub(super) fn write_timeline(&mut self, code: u8) -> u8 {
        let Some(timeline) = self.timeline.take() else {
            return code;
        };
        let (planned, measured) = match &self.part {
            Part::Crew(crew) => (crew.bound().cloned(), crew.measured_bound()),
            Part::Solo(_) | Part::Undecided => (None, None),
        };
        let words = self.argv.iter().map(|word| quoted(word));
        let about = About {
            command: std::iter::once("rpytest".into())
                .chain(words)
                .collect::<Vec<_>>()
                .join(" "),
            exit: code,
            stages: self.timing.stages_in_seconds(),
            planned,
            measured,
        };
        let path = timeline.path().to_owned();
        match timeline.write(about) {
            Ok(()) => {
                eprintln!("rpytest: the timeline is in {}", path.display());
                code
            }
            Err(error) => {
                eprintln!(
                    "rpytest: error: failed to write the timeline to {}: {error}",
                    path.display()
                );
                match code {
                    0 | 1 => exit::INTERNAL_ERROR,
                    code => code,
                }
            }
        }
    }
}
