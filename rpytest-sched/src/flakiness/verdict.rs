//! What the outcomes of a test say of it.

use super::runs::{RunOutcome, Runs};
use super::{BROKEN, SETTLED};

/// What a test is. The order is that of what somebody should look at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum State {
    /// Good and bad without a reason that lasts.
    Flaky,
    /// Something has broken it.
    Failing,
    /// It was failing, and is good again.
    Fixed,
    /// Good.
    Stable,
    /// It was skipped in all runs.
    Skipped,
}

/// What is to be said of a test; the module has the definitions.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// What it is.
    pub state: State,
    /// The share of runs that were flips or in which it had to be run again, from 0 to 1.
    pub rate: f64,
    /// How many runs, up to the last one, were all good or all bad.
    pub streak: u32,
    /// Whether the last of them was bad.
    pub is_bad: bool,
    /// How many runs there are in which it was not skipped.
    pub runs: u32,
    /// How many of them were bad.
    pub bad: u32,
    /// In how many it passed when it was run again.
    pub reruns: u32,
}

impl Runs {
    /// What they say of the test.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (mut runs, mut bad, mut reruns, mut unsteady) = (0, 0, 0, 0);
        let (mut streak, mut clean, mut stretches) = (0, 0, 0);
        let mut before = None;
        for (count, outcome) in self.stretches() {
            let Some(is_bad) = outcome.is_bad() else {
                continue;
            };
            let needed_rerun = outcome == RunOutcome::PassedAgain;
            let flipped = before.is_some_and(|before| before != is_bad);
            runs += count;
            if is_bad {
                bad += count;
                stretches += u32::from(before != Some(true));
            }
            streak = if flipped { count } else { streak + count };
            clean = match (is_bad, needed_rerun) {
                (false, false) => clean + count,
                _ => 0,
            };
            // A run that needed a rerun counts once, flip or not.
            if needed_rerun {
                reruns += count;
                unsteady += count;
            } else {
                unsteady += u32::from(flipped);
            }
            before = Some(is_bad);
        }
        let once = stretches <= 1 && reruns == 0;
        let state = match before {
            None => State::Skipped,
            Some(true) if streak >= BROKEN || once => State::Failing,
            Some(false) if clean >= SETTLED || clean == runs => State::Stable,
            Some(false) if once => State::Fixed,
            Some(_) => State::Flaky,
        };
        Verdict {
            state,
            rate: match runs {
                0 => 0.0,
                _ => f64::from(unsteady) / f64::from(runs),
            },
            streak,
            is_bad: before == Some(true),
            runs,
            bad,
            reruns,
        }
    }
}
