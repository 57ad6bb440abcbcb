//! Messages that are refused, and that they change nothing.

use expect_test::{Expect, expect};
use rpytest_sched::{
    DispatchError, Dispatcher, GroupId, Grouping, Policy, Task, TaskId, TaskState, WorkerId,
};

const A: WorkerId = WorkerId(1);
const B: WorkerId = WorkerId(2);

fn dispatcher(tasks: u32, policy: Policy) -> Dispatcher {
    let tasks = (0..tasks).map(|nth| Task::new(TaskId(nth), GroupId(nth / 3)).with_cost(0.001));
    let mut dispatcher = Dispatcher::new(tasks.collect(), policy).expect("numbers are unique");
    dispatcher.add_worker(A).expect("is new");
    dispatcher.add_worker(B).expect("is new");
    dispatcher
}

fn states(dispatcher: &Dispatcher, tasks: u32) -> Vec<Option<TaskState>> {
    (0..tasks)
        .map(|nth| dispatcher.state(TaskId(nth)))
        .collect()
}

fn refuses(refused: Result<(), DispatchError>, expected: Expect) {
    expected.assert_eq(&refused.expect_err("it is refused").to_string());
}

#[test]
fn late_and_wrong_messages_change_nothing() {
    let mut it = dispatcher(6, Policy::new());
    assert_eq!(it.next(A), [TaskId(0), TaskId(1), TaskId(2)]);
    assert_eq!(it.next(B), [TaskId(3), TaskId(4), TaskId(5)]);
    it.started(A, TaskId(0)).expect("it is next");
    let before = states(&it, 6);

    refuses(
        it.add_worker(A),
        expect!["add worker 1: it was added before"],
    );
    refuses(
        it.started(A, TaskId(0)),
        expect!["find task 0 in the queue of worker 1"],
    );
    refuses(
        it.started(A, TaskId(1)),
        expect!["begin task 1 on worker 1: task 0 has not ended"],
    );
    refuses(
        it.started(A, TaskId(3)),
        expect!["find task 3 in the queue of worker 1"],
    );
    refuses(
        it.started(B, TaskId(4)),
        expect!["begin task 4 on worker 2: task 3 is before it"],
    );
    refuses(
        it.started(B, TaskId(99)),
        expect!["find task 99 in the run"],
    );
    refuses(
        it.started(WorkerId(9), TaskId(0)),
        expect!["find worker 9 in the run"],
    );
    refuses(
        it.complete(A, TaskId(1), 0.1),
        expect!["end task 1 on worker 1: it does not run there"],
    );
    refuses(
        it.complete(B, TaskId(0), 0.1),
        expect!["end task 0 on worker 2: it does not run there"],
    );
    refuses(
        it.returned(A, &[TaskId(1)]),
        expect!["take tasks back from worker 1: it was not asked"],
    );
    assert_eq!(states(&it, 6), before);

    it.complete(A, TaskId(0), 0.1).expect("it runs");
    refuses(
        it.complete(A, TaskId(0), 0.1),
        expect!["end task 0 on worker 1: it does not run there"],
    );
    it.crash(A).expect("it lives");
    refuses(
        it.crash(A).map(|_| ()),
        expect!["hear worker 1: it has ended"],
    );
    refuses(
        it.complete(A, TaskId(0), 0.1),
        expect!["hear worker 1: it has ended"],
    );
    assert_eq!(it.next(A), []);
    assert!(!it.finish_due(A));
}

#[test]
fn numbers_are_given_once() {
    let task = Task::new(TaskId(7), GroupId(0));
    let twice = Dispatcher::new(vec![task, task], Policy::new()).map(|_| ());
    refuses(twice, expect!["add task 7: it was added before"]);
}

#[test]
fn after_a_stop_what_was_begun_ends_and_nothing_else_runs() {
    let mut it = dispatcher(6, Policy::new().max_chunk(1));
    it.next(A);
    it.started(A, TaskId(0)).expect("it is next");
    it.stop();
    assert_eq!(it.next(A), []);
    assert_eq!(it.revoke_for(B), None);
    assert!(it.finish_due(A) && it.finish_due(B));
    assert!(!it.finish_due(A), "it is due once");
    assert_eq!(it.state(TaskId(5)), Some(TaskState::NotRun));
    assert_eq!(it.state(TaskId(1)), Some(TaskState::Queued(A)));
    assert_eq!(it.unsettled().collect::<Vec<_>>(), [TaskId(0), TaskId(1)]);
    it.complete(A, TaskId(0), 0.1).expect("it runs");
    let outcome = it.worker_done(A).expect("it lives");
    assert_eq!(outcome.not_run, [TaskId(1)]);
    assert!(it.is_settled());
}

#[test]
fn work_that_nobody_will_do_is_told() {
    let policy = Policy::new().grouping(Grouping::Whole).horizon(0.0);
    let mut it = dispatcher(6, policy);
    it.next(A);
    it.next(B);
    it.crash(A).expect("it lives");
    assert!(!it.is_stranded(), "the other takes over");
    it.crash(B).expect("it lives");
    assert!(it.is_stranded());
    it.add_worker(WorkerId(3)).expect("is new");
    assert!(!it.is_stranded());
    assert_eq!(it.next(WorkerId(3)), [TaskId(0), TaskId(1)]);
}

#[test]
fn with_each_a_successor_finishes_what_one_began() {
    let policy = Policy::new().grouping(Grouping::Each).horizon(0.0);
    let mut it = dispatcher(4, policy);
    assert_eq!(it.next(A), [TaskId(0), TaskId(1)]);
    it.started(A, TaskId(0)).expect("it is next");
    it.complete(A, TaskId(0), 0.1).expect("it runs");
    it.next(A);
    it.started(A, TaskId(1)).expect("it is next");
    let outcome = it.crash(A).expect("it lives");
    assert_eq!(
        (outcome.running, outcome.requeued),
        (Some(TaskId(1)), vec![TaskId(2)])
    );
    assert!(it.is_stranded(), "the other has its own copy");
    let successor = WorkerId(3);
    it.add_worker(successor).expect("is new");
    assert_eq!(it.next(successor), [TaskId(2), TaskId(3)]);
    assert_eq!(it.state_on(successor, TaskId(0)), Some(TaskState::Done));
    assert_eq!(it.state_on(successor, TaskId(1)), Some(TaskState::Crashed));
    assert_eq!(it.state_on(B, TaskId(1)), Some(TaskState::Pending));
    assert_eq!(
        it.state(TaskId(1)),
        Some(TaskState::Pending),
        "the least advanced"
    );
}
