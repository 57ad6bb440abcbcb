//! The state of every task.

use crate::task::WorkerId;

/// Where a task is in its life. The last three are terminal: each task reaches exactly one of them, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// No worker knows of it.
    Pending,
    /// A worker knows of it and has not begun it.
    Queued(WorkerId),
    /// A worker has begun it.
    Running(WorkerId),
    /// A worker ended it, with whatever outcome.
    Done,
    /// The worker that had begun it died.
    Crashed,
    /// The run was stopped before it was begun.
    NotRun,
}

impl TaskState {
    /// Whether the state is the task's last.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Crashed | Self::NotRun)
    }

    /// How far the task has come.
    fn progress(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Queued(_) => 1,
            Self::Running(_) => 2,
            Self::Done | Self::Crashed | Self::NotRun => 3,
        }
    }
}

/// The states of one or more copies of the tasks.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    width: usize,
    states: Vec<TaskState>,
    unsettled: usize,
}

impl Ledger {
    pub fn new(tasks: usize, rows: usize) -> Self {
        Self {
            width: tasks,
            states: vec![TaskState::Pending; tasks * rows],
            unsettled: tasks * rows,
        }
    }

    /// Adds a copy and returns its number.
    pub fn add_row(&mut self) -> usize {
        let row = self.states.len().checked_div(self.width).unwrap_or(0);
        self.unsettled += self.width;
        self.states
            .resize(self.states.len() + self.width, TaskState::Pending);
        row
    }

    pub fn get(&self, row: usize, task: usize) -> Option<TaskState> {
        self.states.get(row * self.width + task).copied()
    }

    /// Sets a state. A terminal one stays.
    pub fn set(&mut self, row: usize, task: usize, state: TaskState) {
        if let Some(old) = self.states.get_mut(row * self.width + task) {
            debug_assert!(!old.is_terminal(), "{old:?} was to become {state:?}");
            if !old.is_terminal() {
                self.unsettled -= usize::from(state.is_terminal());
                *old = state;
            }
        }
    }

    /// Settles what no worker knows of.
    pub fn drop_pending(&mut self) {
        for state in &mut self.states {
            if *state == TaskState::Pending {
                *state = TaskState::NotRun;
                self.unsettled -= 1;
            }
        }
    }

    /// The least advanced state of a task in any copy.
    pub fn overall(&self, task: usize) -> TaskState {
        (self.states.iter().skip(task).step_by(self.width.max(1)))
            .copied()
            .min_by_key(|state| state.progress())
            .unwrap_or(TaskState::Pending)
    }

    pub fn unsettled_count(&self) -> usize {
        self.unsettled
    }

    /// Indices of tasks without a terminal state.
    pub fn unsettled(&self) -> impl Iterator<Item = usize> + '_ {
        let left = (self.states.iter().enumerate()).filter(|(_, state)| !state.is_terminal());
        left.map(|(entry, _)| entry % self.width)
    }
}
