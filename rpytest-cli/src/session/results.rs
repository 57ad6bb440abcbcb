//! What a session keeps of its run, and what it says, when it is over.

use super::{GRACE, Part, Session};
use crate::exit;
use crate::flakiness;
use crate::shard::Sharding;

impl Session {
    /// Keeps what there is to keep, says what there is to say, and returns the exit code.
    pub(super) fn finish(&mut self, code: u8) -> u8 {
        if self.is_surprised {
            return code;
        }
        self.notes
            .extend(self.sharding.as_ref().and_then(Sharding::note));
        let isolation = match &self.part {
            Part::Crew(crew) => {
                self.notes.extend(crew.notes());
                crew.isolation()
            }
            Part::Solo(_) | Part::Undecided => None,
        };
        self.notes.extend(isolation.clone());
        let code = self.keep_results(code);
        let code = self.write_timeline(code);
        // After all else that may change the code, which listeners are told.
        let code = self.end_stream(code);
        self.notes.extend(
            self.built
                .note("tests were collected the short way", "by pytest itself"),
        );
        self.notes.extend(
            self.ways
                .note("tests were run by the short protocol", "by pytest's own"),
        );
        self.notes.extend(self.helpers.notes());
        if self.explain {
            for note in &self.notes {
                eprintln!("rpytest: {note}");
            }
        }
        if self.shows_timing {
            let bound = match &self.part {
                Part::Crew(crew) => crew.bound(),
                Part::Solo(_) | Part::Undecided => None,
            };
            for line in self.timing.lines(bound).into_iter().chain(isolation) {
                eprintln!("rpytest: {line}");
            }
        }
        self.processes.supervisor.shutdown_all(GRACE);
        code
    }

    /// Keeps what the run has measured; of a shard what came of it, too. A shard that cannot be joined as it was asked to be
    /// has failed, whatever its tests say.
    fn keep_results(&mut self, code: u8) -> u8 {
        let ledger = match &self.part {
            Part::Solo(solo) => solo.ledger(),
            Part::Crew(crew) => crew.ledger(),
            Part::Undecided => return code,
        };
        let outcomes = flakiness::of_run(ledger);
        if let Some(cache) = self.history.cache() {
            flakiness::keep(cache, &outcomes);
        }
        let Some(sharding) = &self.sharding else {
            self.history.record(ledger);
            if let Err(error) = self.history.save() {
                eprintln!("rpytest: warning: failed to {error}");
            }
            return code;
        };
        let (Some(division), Some(kept)) = (sharding.division(), sharding.kept()) else {
            return code;
        };
        let measured = self.history.measured(ledger);
        let results = ledger.statuses();
        let artifacts = &sharding.artifacts;
        let Err(error) = kept.end(division, results, &measured, &outcomes, artifacts, code) else {
            return code;
        };
        if kept.is_named() {
            eprintln!("rpytest: error: failed to {error}");
            return match code {
                0 | 1 => exit::INTERNAL_ERROR,
                // It says already that the run is not what it should have been.
                code => code,
            };
        }
        eprintln!("rpytest: warning: failed to {error}");
        code
    }

    /// pytest takes it for an error that there is nothing to run; for a shard it is none if others have something.
    pub(super) fn of_an_empty_shard(&self, code: u8) -> u8 {
        let is_empty = self.sharding.as_ref().is_some_and(Sharding::is_empty);
        match code {
            exit::NO_TESTS_COLLECTED if is_empty => 0,
            code => code,
        }
    }
}
