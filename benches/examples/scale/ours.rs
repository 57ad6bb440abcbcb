//! Simulated runs and timings of `rpytest_sched`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::hint::black_box;

use rpytest_sched::shard::{Strategy, shard_with};
use rpytest_sched::simulate::{SimEvent, SimReport, Simulation};
use rpytest_sched::{Dispatcher, GroupId, Grouping, Policy, Task, TaskId, WorkerId, plan};
use rustix::time::{ClockId, clock_gettime};

use crate::split;
use crate::suites::{Shape, Suite};

/// Tasks whose costs, without their files' fixtures, are those of an earlier run, if there was one.
pub fn tasks(suite: &Suite, known: bool) -> Vec<Task> {
    let task = |nth: u32| {
        let task = Task::new(TaskId(nth), GroupId(suite.file[nth as usize]));
        if known {
            task.with_cost(suite.earlier[nth as usize])
        } else {
            task
        }
    };
    (0..suite.len() as u32).map(task).collect()
}

/// A run in which fixtures are paid for by each worker that comes to a file. What they cost is known of an earlier run, as the
/// durations are.
pub fn simulate(
    suite: &Suite,
    workers: u32,
    latency: f64,
    known: bool,
    grouping: Grouping,
) -> SimReport {
    // A test is begun by the worker to which it was assigned last.
    let assigned: Vec<Cell<u32>> = vec![Cell::new(0); suite.len()];
    let last: RefCell<Vec<Option<u32>>> = RefCell::new(vec![None; workers as usize]);
    let truth = |task: TaskId| {
        let worker = assigned[task.0 as usize].get() as usize;
        let file = suite.file[task.0 as usize];
        let last = last.borrow_mut()[worker].replace(file);
        suite.cost(task.0, last)
    };
    let watch = |_, event: &SimEvent, _: &Dispatcher| {
        if let SimEvent::Assigned(worker, tasks) = event {
            for task in tasks {
                assigned[task.0 as usize].set(worker.0);
            }
        }
    };
    let files = || (0..).map(GroupId);
    let mut policy = Policy::new().grouping(grouping);
    if known {
        let costs = files().zip(suite.earlier_setup.iter().copied());
        policy = policy.group_costs(costs);
    }
    Simulation::new(workers)
        .latency(latency)
        // The truth has them.
        .group_costs(files().zip(suite.earlier_setup.iter().map(|_| 0.0)))
        .watch(tasks(suite, known), policy, truth, watch)
        .expect("the dispatcher settles every task")
}

/// What planning and dispatching take of a processor.
pub struct Speed {
    pub tests: u32,
    pub workers: u32,
    /// Milliseconds for a plan of whole files, and of single tests.
    pub plan: [f64; 2],
    /// Milliseconds for shards balanced by duration, one for each worker.
    pub shard: f64,
    /// Tests a second through the dispatcher alone, with known and with unknown costs.
    pub dispatch: [f64; 2],
    /// Messages to workers in a simulated run, with known and with unknown costs.
    pub messages: [u64; 2],
}

impl Speed {
    pub fn measure(tests: u32, workers: u32, latency: f64) -> Self {
        let suite = Suite::new(Shape::HeavyTail, tests, 1);
        let known = tasks(&suite, true);
        let names = split::names(&suite);
        let named = split::shard_tasks(&suite, &names);
        let milliseconds = |grouping| {
            1e3 * least(3, || {
                black_box(plan(black_box(&known), workers, grouping));
            })
        };
        let dispatch = |known| {
            let deal = || deal(&suite, tasks(&suite, known), workers);
            f64::from(tests) / (0..3).map(|_| deal()).fold(f64::INFINITY, f64::min)
        };
        let messages = |known| simulate(&suite, workers, latency, known, Grouping::Splittable).sent;
        Self {
            tests,
            workers,
            plan: [Grouping::Whole, Grouping::Splittable].map(milliseconds),
            shard: 1e3
                * least(3, || {
                    black_box(shard_with(
                        &named,
                        workers,
                        Strategy::DurationBalanced,
                        |_| 0.0,
                    ));
                }),
            dispatch: [true, false].map(dispatch),
            messages: [true, false].map(messages),
        }
    }
}

/// The least seconds of some turns.
fn least(turns: u32, mut work: impl FnMut()) -> f64 {
    let turn = |_| {
        let begun = processor_time();
        work();
        processor_time() - begun
    };
    (0..turns).map(turn).fold(f64::INFINITY, f64::min)
}

/// Seconds that this thread has had a processor, so that it does not matter what else the machine does.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Lets each worker in turn do one test, in no time, until none is left. Returns seconds of processor time.
fn deal(suite: &Suite, tasks: Vec<Task>, workers: u32) -> f64 {
    let begun = processor_time();
    let mut dispatcher = Dispatcher::new(tasks, Policy::new()).expect("numbers are unique");
    for nth in 0..workers {
        dispatcher.add_worker(WorkerId(nth)).expect("is new");
    }
    let mut queues = vec![(VecDeque::new(), false); workers as usize];
    while !dispatcher.is_settled() {
        for ((queue, finish), nth) in queues.iter_mut().zip(0..) {
            let worker = WorkerId(nth);
            queue.extend(dispatcher.next(worker));
            *finish |= dispatcher.finish_due(worker);
            if (queue.len() > 1 || *finish)
                && let Some(task) = queue.pop_front()
            {
                dispatcher.started(worker, task).expect("it is next");
                let took = suite.history[task.0 as usize];
                dispatcher.complete(worker, task, took).expect("it runs");
            }
        }
    }
    processor_time() - begun
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_pays_for_the_fixtures_of_each_file_and_is_not_below_the_bound() {
        let suite = Suite::new(Shape::Fixtures, 500, 1);
        for (workers, known) in [(1, true), (1, false), (4, true), (4, false)] {
            let whole = simulate(&suite, workers, 0.0, known, Grouping::Whole);
            assert!(whole.makespan >= suite.whole_bound(workers) - 1e-6);
            let split = simulate(&suite, workers, 0.0, known, Grouping::Splittable);
            assert!(split.makespan >= suite.bound(workers) - 1e-6);
            let busy = |report: &SimReport| report.busy.iter().sum::<f64>();
            let all = suite.bound(1);
            assert!((busy(&whole) - all).abs() < 1e-3 * all, "{}", busy(&whole));
            assert!(busy(&split) >= all - 1e-6);
        }
    }

    #[test]
    fn every_test_is_dealt() {
        let suite = Suite::new(Shape::HeavyTail, 300, 1);
        for known in [true, false] {
            assert!(deal(&suite, tasks(&suite, known), 7) > 0.0);
        }
    }
}
