//! Laws of the dispatcher, tried with random suites on a simulated pool in which workers die, tasks are slow, and
//! messages come late or twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rpytest_sched::simulate::{Faults, SimEvent, SimReport, Simulation};
use rpytest_sched::{
    Dispatcher, GroupId, Grouping, Order, Policy, Task, TaskId, TaskState, WorkerId,
};

#[derive(Clone, Debug)]
struct Case {
    tasks: Vec<(Task, f64)>,
    policy: Policy,
    pool: Simulation,
}

fn costs() -> impl Strategy<Value = (Option<f64>, f64)> {
    let truth = prop_oneof![0.0001..0.001, 0.01..0.1, 0.5..2.0];
    (prop_oneof![Just(0u8), Just(1), Just(2)], truth, 0.0001..2.0).prop_map(
        |(kind, truth, other)| match kind {
            0 => (None, truth),
            1 => (Some(truth), truth),
            _ => (Some(other), truth),
        },
    )
}

/// What it costs to begin some of the groups.
fn group_costs() -> impl Strategy<Value = Vec<(GroupId, f64)>> {
    let cost = prop_oneof![Just(0.0), Just(f64::NAN), 0.0001..0.01, 0.1..3.0];
    prop::collection::vec(
        (0u32..6)
            .prop_map(GroupId)
            .prop_flat_map(move |group| (Just(group), cost.clone())),
        0..6,
    )
}

fn cases() -> impl Strategy<Value = Case> {
    let tasks = prop::collection::vec((0u32..6, costs()), 0..60);
    let grouping = prop_oneof![
        Just(Grouping::Splittable),
        Just(Grouping::Whole),
        Just(Grouping::Each)
    ];
    let order = prop_oneof![Just(Order::Lpt), Just(Order::Collection)];
    let policy = (
        grouping,
        order,
        prop_oneof![Just(0.0), Just(0.03), Just(1.0)],
        prop_oneof![Just(None), (1u32..5).prop_map(Some)],
        0u32..5,
        prop_oneof![Just(Vec::new()), group_costs()],
    )
        .prop_map(|(grouping, order, horizon, chunk, workers, costs)| {
            Policy::new()
                .grouping(grouping)
                .order(order)
                .horizon(horizon)
                .max_chunk(chunk)
                .workers(workers)
                .group_costs(costs)
        });
    (
        tasks,
        policy,
        1u32..6,
        prop_oneof![Just(0.0), Just(0.001), Just(0.2)],
    )
        .prop_map(|(tasks, policy, workers, latency)| Case {
            tasks: (tasks.into_iter().enumerate())
                .map(|(nth, (group, (cost, truth)))| {
                    // Numbers are neither dense nor in order.
                    let id = TaskId((nth as u32 * 7919) % 10007);
                    let mut task = Task::new(id, GroupId(group));
                    task.cost = cost;
                    (task, truth)
                })
                .collect(),
            policy,
            pool: Simulation::new(workers).latency(latency),
        })
}

fn faults() -> impl Strategy<Value = Faults> {
    (
        any::<u64>(),
        prop_oneof![Just(0.0), Just(0.05), Just(0.5)],
        prop_oneof![Just(0.0), Just(0.2)],
        prop_oneof![Just(0.0), Just(0.3)],
        0u32..8,
        prop_oneof![4 => Just(None), 1 => (1usize..30).prop_map(Some)],
    )
        .prop_map(|(seed, crash, slow, noise, restarts, stop_after)| {
            let mut faults = Faults::default();
            faults.seed = seed;
            (faults.crash, faults.restarts) = (crash, restarts);
            (faults.slow, faults.slowdown) = (slow, 20.0);
            (faults.late, faults.duplicate, faults.delay) = (noise, noise, 0.5);
            faults.stop_after = stop_after;
            faults
        })
}

/// What the world saw, apart from what the dispatcher believes.
#[derive(Default)]
struct Witness {
    /// Who holds each task.
    holder: BTreeMap<(u32, TaskId), WorkerId>,
    dead: BTreeSet<WorkerId>,
    began: BTreeMap<(u32, TaskId), usize>,
    ended: BTreeSet<(u32, TaskId)>,
    died: BTreeSet<(u32, TaskId)>,
    /// Workers that each group was run by.
    ran_by: BTreeMap<GroupId, BTreeSet<WorkerId>>,
    refused: usize,
    last: Option<Dispatcher>,
}

fn run(case: &Case) -> (SimReport, Witness) {
    let truth: BTreeMap<TaskId, f64> = (case.tasks.iter()).map(|(t, cost)| (t.id, *cost)).collect();
    let group: BTreeMap<TaskId, GroupId> =
        (case.tasks.iter()).map(|(t, _)| (t.id, t.group)).collect();
    let each = case.policy.grouping == Grouping::Each;
    let mut seen = Witness::default();
    let tasks = case.tasks.iter().map(|(task, _)| *task).collect();
    let copy = |worker: WorkerId| if each { worker.0 } else { 0 };
    let report = case
        .pool
        .watch(
            tasks,
            case.policy.clone(),
            |task| truth[&task],
            |_, event, dispatcher| {
                match event {
                    SimEvent::Assigned(worker, tasks) => {
                        for &task in tasks {
                            let before = seen.holder.insert((copy(*worker), task), *worker);
                            let before = before.filter(|holder| !seen.dead.contains(holder));
                            assert_eq!(before, None, "{task} is in two hands");
                            let state = dispatcher.state_on(*worker, task);
                            assert_eq!(state, Some(TaskState::Queued(*worker)));
                        }
                    }
                    SimEvent::Returned(worker, tasks) => {
                        for task in tasks {
                            seen.holder.remove(&(copy(*worker), *task));
                        }
                    }
                    SimEvent::Began(worker, task) => {
                        assert_eq!(seen.holder.get(&(copy(*worker), *task)), Some(worker));
                        *seen.began.entry((copy(*worker), *task)).or_default() += 1;
                        seen.ran_by.entry(group[task]).or_default().insert(*worker);
                    }
                    SimEvent::Ended(worker, task) => {
                        assert!(seen.ended.insert((copy(*worker), *task)));
                    }
                    SimEvent::Died(worker, task) => {
                        seen.died.insert((copy(*worker), *task));
                        seen.dead.insert(*worker);
                    }
                    SimEvent::Refused(..) => seen.refused += 1,
                    _ => {}
                }
                if *event == SimEvent::Over {
                    seen.last = Some(dispatcher.clone());
                }
            },
        )
        .expect("every task has a terminal state");
    (report, seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Without faults every task is run once, and a whole group by one worker.
    #[test]
    fn each_task_runs_exactly_once(case in cases()) {
        let (report, seen) = run(&case);
        let copies = if case.policy.grouping == Grouping::Each { case.pool.workers as usize } else { 1 };
        prop_assert_eq!(seen.ended.len(), case.tasks.len() * copies);
        prop_assert!(seen.began.values().all(|&times| times == 1));
        prop_assert_eq!(report.refused, 0);
        if case.policy.grouping == Grouping::Whole {
            prop_assert!(seen.ran_by.values().all(|workers| workers.len() == 1), "{:?}", seen.ran_by);
        }
        if let Some(last) = seen.last {
            prop_assert!(last.is_settled());
            for (task, _) in &case.tasks {
                prop_assert_eq!(last.state(task.id), Some(TaskState::Done));
            }
        }
    }

    /// Whatever goes wrong, every task ends in one terminal state, the true one, and is begun at most once.
    #[test]
    fn faults_lose_and_repeat_nothing(case in cases(), faults in faults()) {
        let mut case = case;
        case.pool = case.pool.faults(faults);
        let (report, seen) = run(&case);
        prop_assert!(seen.began.values().all(|&times| times == 1), "{:?}", seen.began);
        if report.crashed == 0 && case.policy.grouping == Grouping::Whole {
            prop_assert!(seen.ran_by.values().all(|workers| workers.len() == 1), "{:?}", seen.ran_by);
        }
        let Some(last) = seen.last.filter(|_| case.policy.grouping != Grouping::Each) else {
            return Ok(());
        };
        for (task, _) in &case.tasks {
            let expected = if seen.ended.contains(&(0, task.id)) {
                TaskState::Done
            } else if seen.died.contains(&(0, task.id)) {
                TaskState::Crashed
            } else {
                TaskState::NotRun
            };
            prop_assert_eq!(last.state(task.id), Some(expected));
        }
    }

    /// A worker that was served can run something, is told to finish, or waits for what another gives back.
    #[test]
    fn a_worker_knows_what_is_next(case in cases(), steps in prop::collection::vec((any::<prop::sample::Index>(), 0u8..40), 0..400)) {
        let tasks: Vec<Task> = case.tasks.iter().map(|(task, _)| *task).collect();
        let mut dispatcher = Dispatcher::new(tasks, case.policy.clone()).expect("numbers are unique");
        // Per worker: what it knows, whether it runs the first, whether it was told to finish, whom it waits for.
        let mut known: Vec<(Vec<TaskId>, bool, bool)> = Vec::new();
        let mut asked: Vec<(usize, usize)> = Vec::new();
        for nth in 0..case.pool.workers {
            dispatcher.add_worker(WorkerId(nth)).expect("is new");
            known.push((Vec::new(), false, false));
        }
        let mut todo: Vec<usize> = (0..known.len()).collect();
        for (pick, dice) in steps {
            for nth in todo.drain(..) {
                let id = WorkerId(nth as u32);
                let more = dispatcher.next(id);
                prop_assert!(more.is_empty() || !known[nth].2, "a finished worker got more");
                let nothing = more.is_empty();
                known[nth].0.extend(more);
                let mut waits = asked.iter().any(|&(thief, _)| thief == nth);
                if nothing && let Some((victim, count)) = dispatcher.revoke_for(id) {
                    prop_assert!(!known[nth].2 && count > 0);
                    prop_assert!(known[victim.0 as usize].0.len() >= 2 + count);
                    asked.push((nth, victim.0 as usize));
                    waits = true;
                }
                known[nth].2 |= dispatcher.finish_due(id);
                prop_assert!(!dispatcher.finish_due(id), "it is due once");
                prop_assert!(known[nth].0.len() >= 2 || known[nth].2 || waits);
            }
            let nth = pick.index(known.len());
            let id = WorkerId(nth as u32);
            if dice == 0 && let Some(place) = asked.iter().position(|&(_, victim)| victim == nth) {
                asked.remove(place);
                let (tasks, running, finish) = &mut known[nth];
                let kept = if *finish { usize::from(*running) } else { 2 };
                let given = tasks.split_off(tasks.len().min(kept));
                dispatcher.returned(id, &given).expect("they wait there");
                todo.extend(0..known.len());
                continue;
            }
            let (tasks, running, finish) = &mut known[nth];
            if *running {
                let task = tasks.remove(0);
                *running = false;
                dispatcher.complete(id, task, f64::from(dice) / 100.0).expect("it runs");
                prop_assert!(dispatcher.complete(id, task, 0.1).is_err(), "it ended before");
                todo.push(nth);
            } else if tasks.len() >= 2 || (*finish && !tasks.is_empty()) {
                *running = true;
                dispatcher.started(id, tasks[0]).expect("it is the next");
                prop_assert!(dispatcher.started(id, tasks[0]).is_err(), "it was begun before");
            }
        }
    }

    /// The same events give the same answers.
    #[test]
    fn equal_inputs_give_equal_runs(case in cases(), faults in faults()) {
        let mut case = case;
        case.pool = case.pool.faults(faults);
        prop_assert_eq!(run(&case).0, run(&case).0);
    }

    /// One worker has nothing to gain from another order.
    #[test]
    fn a_single_worker_keeps_collection_order(case in cases()) {
        let mut case = case;
        case.pool.workers = 1;
        let tasks: Vec<Task> = case.tasks.iter().map(|(task, _)| *task).collect();
        let mut order = Vec::new();
        case.pool
            .watch(tasks.clone(), case.policy.workers(1), |_| 0.001, |_, event, _| {
                if let SimEvent::Began(_, task) = event {
                    order.push(*task);
                }
            })
            .expect("all tasks are settled");
        prop_assert_eq!(order, tasks.iter().map(|task| task.id).collect::<Vec<_>>());
    }
}
