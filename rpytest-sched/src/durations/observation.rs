//! What one run measured, and how several runs become one number.

use std::cmp::Ordering;

use super::{DECAY, KEPT};

/// One run of a test. Durations are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Observation {
    /// Number of the run, greater for a later one.
    pub run: u64,
    /// Duration of the setup phase.
    pub setup: f64,
    /// Duration of the call.
    pub call: f64,
    /// Duration of the teardown phase.
    pub teardown: f64,
}

impl Observation {
    /// Seconds of the three phases together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.setup + self.call + self.teardown
    }
}

/// One import of a file, or one setup of what a scope shares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timing {
    /// Number of the run, greater for a later one.
    pub run: u64,
    /// How many seconds it took.
    pub seconds: f64,
}

/// What is kept of one run.
pub(super) trait Sample: Copy + PartialEq {
    /// Number of the run.
    fn run(&self) -> u64;
    /// Seconds.
    fn total(&self) -> f64;
    /// Rounded to microseconds, which keeps files small; what is no duration becomes 0.
    fn clean(self) -> Self;
    /// A total order among samples of the same run.
    fn order(&self, other: &Self) -> Ordering;
}

impl Sample for Observation {
    fn run(&self) -> u64 {
        self.run
    }

    fn total(&self) -> f64 {
        Self::total(self)
    }

    fn clean(mut self) -> Self {
        for phase in [&mut self.setup, &mut self.call, &mut self.teardown] {
            *phase = rounded(*phase);
        }
        self
    }

    fn order(&self, other: &Self) -> Ordering {
        (self.setup.total_cmp(&other.setup))
            .then(self.call.total_cmp(&other.call))
            .then(self.teardown.total_cmp(&other.teardown))
    }
}

impl Sample for Timing {
    fn run(&self) -> u64 {
        self.run
    }

    fn total(&self) -> f64 {
        self.seconds
    }

    fn clean(mut self) -> Self {
        self.seconds = rounded(self.seconds);
        self
    }

    fn order(&self, other: &Self) -> Ordering {
        self.seconds.total_cmp(&other.seconds)
    }
}

fn rounded(seconds: f64) -> f64 {
    if seconds.is_finite() && seconds > 0.0 {
        (seconds * 1e6).round() / 1e6
    } else {
        0.0
    }
}

/// Adds samples, cleaned, to those that are kept: the newest run first, none twice, no more than are kept.
pub(super) fn unite<S: Sample>(seen: &mut Vec<S>, more: impl IntoIterator<Item = S>) {
    seen.extend(more.into_iter().map(S::clean));
    seen.sort_by(|one, two| two.run().cmp(&one.run()).then_with(|| one.order(two)));
    seen.dedup();
    seen.truncate(KEPT);
}

/// The weighted lower median of the totals, given the newest first.
pub(super) fn combine<S: Sample>(seen: &[S]) -> Option<f64> {
    if let [one] = seen {
        return Some(one.total());
    }
    let mut weight = 1.0;
    let mut weighed = Vec::with_capacity(seen.len());
    for sample in seen {
        weighed.push((sample.total(), weight));
        weight *= DECAY;
    }
    weighed.sort_by(|one, two| one.0.total_cmp(&two.0));
    let half = weighed.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for &(total, weight) in &weighed {
        below += weight;
        if below >= half {
            return Some(total);
        }
    }
    weighed.last().map(|&(total, _)| total)
}

/// The lower median.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len().checked_sub(1)? / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}
