//! A plan made in advance: which of *m* workers runs what, how long that takes, and how much better it could be.
//!
//! [`plan()`] is the simple form, LPT. A [`Planner`] knows what it costs a worker to begin a group, and looks for more.

mod planner;

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::dispatch::Grouping;
use crate::lpt::{Machines, lower_bound, mean_cost};
use crate::pack::Method;
use crate::task::{GroupId, Task, TaskId, seconds};

pub use self::planner::{DEFAULT_EFFORT, Planner};

/// Tasks dealt over workers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The tasks of each worker, in the order in which it should run them.
    pub assignments: Vec<Vec<TaskId>>,
    /// Estimated seconds of work of each worker, with what it pays to begin its groups.
    pub loads: Vec<f64>,
    /// Estimated seconds until the last worker ends.
    pub makespan: f64,
    /// Estimated seconds that no plan can be below.
    pub lower_bound: f64,
    /// How many groups have tasks on more than one worker.
    pub split_groups: usize,
    /// How it was found.
    pub method: Method,
}

impl Plan {
    /// The makespan over the lower bound: 1 for a plan that is certainly the best.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.lower_bound > 0.0 {
            self.makespan / self.lower_bound
        } else {
            1.0
        }
    }
}

/// Plans tasks, given in collection order, for `workers` workers (0 counts as 1).
///
/// The jobs are the groups, or with [`Grouping::Splittable`] the single tasks. In order of falling cost (at equal
/// cost, of the smallest task number), each is given to the worker that has the least to do. This is LPT: its makespan is
/// at most 4/3 - 1/(3*m*) times the best one (R. L. Graham, *Bounds on multiprocessing timing anomalies*, SIAM J. Appl.
/// Math. 17, 1969). It takes O(*n* log *n*). A task of unknown cost counts with the mean of the known ones. To begin a
/// group costs nothing here; a [`Planner`] can be told what it costs.
///
/// The lower bound is the greatest of: the total over *m*, the longest job, and the sum of the *m*th and the next longest
/// job. With [`Grouping::Each`] every worker has everything and there is nothing to plan.
///
/// ```
/// use rpytest_sched::{GroupId, Grouping, Task, TaskId, plan};
///
/// let tasks = [3.0, 3.0, 2.0, 2.0, 2.0].iter().zip(0..);
/// let tasks: Vec<Task> = tasks
///     .map(|(cost, n)| Task::new(TaskId(n), GroupId(n)).with_cost(*cost))
///     .collect();
/// let plan = plan(&tasks, 2, Grouping::Whole);
/// assert_eq!(plan.makespan, 7.0); // {3, 2, 2} and {3, 2}, where {3, 3} and {2, 2, 2} would be best
/// assert_eq!(plan.lower_bound, 6.0);
/// ```
#[must_use]
pub fn plan(tasks: &[Task], workers: u32, grouping: Grouping) -> Plan {
    let machines = workers.max(1) as usize;
    let mean = mean_cost(tasks);
    let cost_of = |task: &Task| task.cost_nanos().unwrap_or(mean);
    if grouping == Grouping::Each {
        let all: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let total = tasks.iter().map(cost_of).fold(0, u64::saturating_add);
        return Plan {
            assignments: vec![all; machines],
            loads: vec![seconds(total); machines],
            makespan: seconds(total),
            lower_bound: seconds(total),
            split_groups: 0,
            method: Method::Lpt,
        };
    }

    let mut jobs: Vec<Job> = Vec::new();
    let mut place: HashMap<GroupId, usize> = HashMap::new();
    for task in tasks {
        let whole = grouping == Grouping::Whole;
        let known = whole.then(|| place.get(&task.group).copied()).flatten();
        let nth = known.unwrap_or_else(|| {
            place.insert(task.group, jobs.len());
            jobs.push(Job {
                cost: 0,
                least: task.id,
                group: task.group,
                tasks: Vec::new(),
            });
            jobs.len() - 1
        });
        let job = &mut jobs[nth];
        job.cost = job.cost.saturating_add(cost_of(task));
        job.least = job.least.min(task.id);
        job.tasks.push(task.id);
    }
    jobs.sort_by_key(|job| (Reverse(job.cost), job.least));

    let costs: Vec<u64> = jobs.iter().map(|job| job.cost).collect();
    let mut pool = Machines::new(machines);
    let mut assignments = vec![Vec::new(); machines];
    let mut begun: HashMap<GroupId, (usize, bool)> = HashMap::with_capacity(place.len());
    for job in jobs {
        let nth = pool.give(job.cost);
        let (first, split) = begun.entry(job.group).or_insert((nth, false));
        *split |= *first != nth;
        assignments[nth].extend(job.tasks);
    }
    let loads = pool.loads();
    Plan {
        assignments,
        makespan: seconds(loads.iter().copied().max().unwrap_or(0)),
        loads: loads.into_iter().map(seconds).collect(),
        lower_bound: seconds(lower_bound(&costs, machines)),
        split_groups: begun.values().filter(|(_, split)| *split).count(),
        method: Method::Lpt,
    }
}

struct Job {
    cost: u64,
    least: TaskId,
    group: GroupId,
    tasks: Vec<TaskId>,
}
