//! What is scheduled, and the small integers that name it.

use std::fmt;

/// A test to run, named by a number that the caller chose.
///
/// Numbers need not be dense, but each may be used once in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskId(pub u32);

/// A worker (a process, a machine), named by a number that the caller chose.
///
/// The number of a worker that ended may not be used again in the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WorkerId(pub u32);

/// Tasks that share something worth sharing: a file, a class, a named group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupId(pub u32);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.0)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.0)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}", self.0)
    }
}

/// One test: its name, its scope group and what it is thought to cost.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Task {
    /// The test's name.
    pub id: TaskId,
    /// The group that it belongs to.
    pub group: GroupId,
    /// Its estimated cost in seconds, `None` when nothing is known.
    ///
    /// A negative, infinite or NaN cost counts as unknown.
    pub cost: Option<f64>,
}

impl Task {
    /// A task of unknown cost.
    #[must_use]
    pub fn new(id: TaskId, group: GroupId) -> Self {
        Self {
            id,
            group,
            cost: None,
        }
    }

    /// The same task with an estimated cost in seconds.
    #[must_use]
    pub fn with_cost(mut self, seconds: f64) -> Self {
        self.cost = Some(seconds);
        self
    }

    /// The cost in whole nanoseconds, `None` when it is unknown or no sensible number.
    pub(crate) fn cost_nanos(&self) -> Option<u64> {
        cost_nanos(self.cost)
    }
}

/// An estimate in whole nanoseconds, `None` when it is unknown or no sensible number.
pub(crate) fn cost_nanos(cost: Option<f64>) -> Option<u64> {
    cost.filter(|cost| cost.is_finite() && *cost >= 0.0)
        .map(nanos)
}

/// The longest single duration that the arithmetic takes at face value: about 28 hours.
const LONGEST: f64 = 1e5;

/// Seconds as whole nanoseconds. Integers add up to the same sum in any order, so that equal inputs
/// give equal plans on every machine. What is no sensible duration counts as none.
pub(crate) fn nanos(seconds: f64) -> u64 {
    if seconds > 0.0 {
        (seconds.min(LONGEST) * 1e9).round() as u64
    } else {
        0
    }
}

/// Whole nanoseconds as seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
