#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod dispatch;
pub mod durations;
pub mod flakiness;
mod lpt;
mod pack;
mod plan;
pub mod shard;
pub mod simulate;
mod task;

pub use dispatch::{CrashOutcome, DispatchError, Dispatcher, Grouping, Order, Policy, TaskState};
pub use durations::{DurationHistory, Observation, Timing};
pub use pack::Method;
pub use plan::{DEFAULT_EFFORT, Plan, Planner, plan};
pub use task::{GroupId, Task, TaskId, WorkerId};
