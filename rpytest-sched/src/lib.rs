#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod dispatch;
pub mod durations;
mod lpt;
mod plan;
pub mod shard;
pub mod simulate;
mod task;

pub use dispatch::{CrashOutcome, DispatchError, Dispatcher, Grouping, Order, Policy, TaskState};
pub use durations::{DurationHistory, Observation};
pub use plan::{Plan, plan};
pub use task::{GroupId, Task, TaskId, WorkerId};
