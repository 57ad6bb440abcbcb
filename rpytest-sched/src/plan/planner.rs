//! Plans that know what it costs to begin a group.

use std::collections::HashMap;

use super::Plan;
use crate::dispatch::Grouping;
use crate::lpt::mean_cost;
use crate::pack::{Cuts, EFFORT, Method, Packing, Suite, improve};
use crate::task::{GroupId, Task, TaskId, nanos, seconds};

/// Steps that a [`Planner`] searches at most, unless it is told otherwise: a few milliseconds.
pub const DEFAULT_EFFORT: u64 = EFFORT;

/// Makes plans in which a worker pays to begin a group.
///
/// Each worker that has tasks of a group pays the group's cost once: the import of a file and its shared fixtures. So a
/// group that is on *k* workers is paid for *k* times, and with [`Grouping::Splittable`] one is split only where the
/// predicted makespan becomes shorter by it.
///
/// # Algorithm
///
/// 1. Whole groups are dealt by LPT. With [`Grouping::Splittable`] so are groups of which those beyond a worker's fair
///    share are cut into even pieces, and the shorter plan is taken.
/// 2. MULTIFIT (E. G. Coffman, M. R. Garey, D. S. Johnson, *An application of bin-packing to multiprocessor scheduling*,
///    SIAM J. Comput. 7, 1978) looks for a shorter one with the same pieces.
/// 3. Local search: a piece of the longest worker is moved to another, or exchanged for one of its; if nothing of that kind
///    helps, a part of a piece is moved. What did not shorten the plan in the end is undone.
/// 4. Where splitting is free and the bound is not reached, the same is tried from single tasks.
///
/// Steps 2 and 3 stop at the lower bound, or when the [effort](Self::effort) is spent; for many small jobs there is little to
/// gain, for few workers and big jobs often all that LPT leaves. The plan is never longer than without them, depends
/// on neither a clock nor the order of the tasks given, and lists the tasks of a group in the order of their numbers.
///
/// The lower bound is the greatest of: all work, with each group begun once, over *m*; the longest job with its beginning;
/// and the least that two of the *m* + 1 longest jobs come to, which must share a worker.
///
/// ```
/// use rpytest_sched::{GroupId, Grouping, Planner, Task, TaskId};
///
/// // Two files: one of four tests of 2 s each, and one of a single test of 1 s.
/// let mut tasks: Vec<Task> = (0..4).map(|n| Task::new(TaskId(n), GroupId(0)).with_cost(2.0)).collect();
/// tasks.push(Task::new(TaskId(4), GroupId(1)).with_cost(1.0));
/// let planner = Planner::new(2).grouping(Grouping::Splittable);
///
/// // A file is begun in 0.5 s: to split the large one pays.
/// let plan = planner.plan(&tasks, |_| 0.5);
/// assert_eq!((plan.makespan, plan.split_groups), (6.0, 1));
/// // In 10 s: it does not.
/// let plan = planner.plan(&tasks, |_| 10.0);
/// assert_eq!((plan.makespan, plan.split_groups), (18.0, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Planner {
    /// How many workers there are; 0 counts as 1.
    pub workers: u32,
    /// What may be separated. [`Grouping::Whole`] by default.
    pub grouping: Grouping,
    /// How many candidates MULTIFIT and the local search look at. [`DEFAULT_EFFORT`] by default.
    pub effort: u64,
}

impl Planner {
    /// A planner for so many workers.
    #[must_use]
    pub fn new(workers: u32) -> Self {
        Self {
            workers,
            grouping: Grouping::Whole,
            effort: DEFAULT_EFFORT,
        }
    }

    /// Sets what may be separated.
    #[must_use]
    pub fn grouping(mut self, grouping: Grouping) -> Self {
        self.grouping = grouping;
        self
    }

    /// Sets how many candidates MULTIFIT and the local search look at, each a piece that is tried on a worker: some ten
    /// nanoseconds. 0 leaves it at LPT.
    #[must_use]
    pub fn effort(mut self, steps: u64) -> Self {
        self.effort = steps;
        self
    }

    /// Plans tasks, when a worker pays `group_cost` seconds to begin a group. What is no sensible duration counts as 0; a
    /// task of unknown cost counts with the mean of the known ones.
    #[must_use]
    pub fn plan(&self, tasks: &[Task], group_cost: impl Fn(GroupId) -> f64) -> Plan {
        let machines = self.workers.max(1) as usize;
        let (sorted, suite) = arrange(tasks, group_cost);
        let ids = |places: Vec<u32>| -> Vec<TaskId> {
            let ids = places.into_iter().map(|place| sorted[place as usize].id);
            ids.collect()
        };
        if self.grouping == Grouping::Each {
            let alone = Packing::lpt(&suite, &suite.whole(), 1);
            let total = seconds(alone.makespan());
            let mut all: Vec<TaskId> = alone.into_tasks(&suite).into_iter().flat_map(ids).collect();
            all.sort_unstable();
            return Plan {
                assignments: vec![all; machines],
                loads: vec![total; machines],
                makespan: total,
                lower_bound: total,
                split_groups: 0,
                method: Method::Lpt,
            };
        }
        let (packing, method, bound) = match self.grouping {
            Grouping::Splittable => self.split(&suite, machines),
            _ => self.whole(&suite, machines),
        };
        Plan {
            makespan: seconds(packing.makespan()),
            loads: packing.loads.iter().copied().map(seconds).collect(),
            lower_bound: seconds(bound),
            split_groups: packing.split_groups(&suite),
            method,
            assignments: packing.into_tasks(&suite).into_iter().map(ids).collect(),
        }
    }

    fn whole(&self, suite: &Suite, machines: usize) -> (Packing, Method, u64) {
        let bound = suite.bound_whole(machines);
        let base = Packing::lpt(suite, &suite.whole(), machines);
        let (packing, method) = improve(suite, base, bound, self.effort, Cuts::Never);
        (packing, method, bound)
    }

    fn split(&self, suite: &Suite, machines: usize) -> (Packing, Method, u64) {
        let bound = suite.bound_split(machines);
        let base = Packing::whole_or_cut(suite, suite.share(machines).max(bound), machines);
        let mut best = improve(suite, base, bound, self.effort, Cuts::From(1));
        if suite.is_free() && best.0.makespan() > bound {
            let singles = Packing::lpt(suite, &suite.singles(), machines);
            let singles = improve(suite, singles, bound, self.effort, Cuts::Never);
            if singles.0.makespan() < best.0.makespan() {
                best = singles;
            }
        }
        (best.0, best.1, bound)
    }
}

/// The tasks group by group, in an order that does not depend on theirs: by number within a group, groups by their least.
fn arrange(tasks: &[Task], group_cost: impl Fn(GroupId) -> f64) -> (Vec<&Task>, Suite) {
    let mean = mean_cost(tasks);
    let mut by_id: Vec<&Task> = tasks.iter().collect();
    by_id.sort_by_key(|task| task.id);
    let mut place: HashMap<GroupId, usize> = HashMap::new();
    let mut groups: Vec<Vec<&Task>> = Vec::new();
    let mut last: Option<(GroupId, usize)> = None;
    for task in by_id {
        // Tasks of a group are mostly adjacent already.
        let nth = match last {
            Some((group, nth)) if group == task.group => nth,
            _ => *place.entry(task.group).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            }),
        };
        last = Some((task.group, nth));
        groups[nth].push(task);
    }
    let mut suite = Suite::new(tasks.len());
    for group in &groups {
        let begin = group
            .first()
            .map_or(0, |task| nanos(group_cost(task.group)));
        let costs = group.iter().map(|task| task.cost_nanos().unwrap_or(mean));
        suite.push(begin, costs);
    }
    (groups.concat(), suite)
}
