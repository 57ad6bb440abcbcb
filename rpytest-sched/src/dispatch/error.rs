//! What a dispatcher refuses.

use std::error::Error;
use std::fmt;

use crate::task::{TaskId, WorkerId};

/// Why a message was refused, as a text that completes "failed to". The dispatcher is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DispatchError {
    /// Two tasks of a run have the same number.
    DuplicateTask(TaskId),
    /// A worker of this number was added before.
    DuplicateWorker(WorkerId),
    /// No task has this number.
    UnknownTask(TaskId),
    /// No worker has this number.
    UnknownWorker(WorkerId),
    /// The worker has ended or crashed: the message came late.
    WorkerGone(WorkerId),
    /// The task is not waiting on this worker: it was never given to it, was taken back, or has begun.
    NotQueued(WorkerId, TaskId),
    /// The worker gave tasks back without being asked, or twice.
    NotAsked(WorkerId),
    /// The worker is not running this task: it has not begun, has ended, or is another worker's.
    NotRunning(WorkerId, TaskId),
    /// The worker cannot begin the first task, as it has not ended the second.
    Busy(WorkerId, TaskId, TaskId),
    /// The worker cannot begin the first task, as the second is before it in its queue.
    OutOfOrder(WorkerId, TaskId, TaskId),
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateTask(task) => write!(f, "add {task}: it was added before"),
            Self::DuplicateWorker(worker) => write!(f, "add {worker}: it was added before"),
            Self::UnknownTask(task) => write!(f, "find {task} in the run"),
            Self::UnknownWorker(worker) => write!(f, "find {worker} in the run"),
            Self::WorkerGone(worker) => write!(f, "hear {worker}: it has ended"),
            Self::NotQueued(worker, task) => {
                write!(f, "find {task} in the queue of {worker}")
            }
            Self::NotAsked(worker) => write!(f, "take tasks back from {worker}: it was not asked"),
            Self::NotRunning(worker, task) => {
                write!(f, "end {task} on {worker}: it does not run there")
            }
            Self::Busy(worker, task, other) => {
                write!(f, "begin {task} on {worker}: {other} has not ended")
            }
            Self::OutOfOrder(worker, task, other) => {
                write!(f, "begin {task} on {worker}: {other} is before it")
            }
        }
    }
}

impl Error for DispatchError {}
