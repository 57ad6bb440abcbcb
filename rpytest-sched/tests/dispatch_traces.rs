//! What the dispatcher does in small, readable cases: a simulated pool, one line for each message.

use std::fmt::Write;

use expect_test::{Expect, expect};
use rpytest_sched::simulate::{Faults, SimEvent, Simulation};
use rpytest_sched::{GroupId, Grouping, Order, Policy, Task, TaskId, WorkerId};

/// Groups of costs in milliseconds, `?` for an unknown one, which then takes 100 ms: `"10 20 | 30 ?"`.
fn suite(text: &str) -> (Vec<Task>, Vec<f64>) {
    let (mut tasks, mut truth) = (Vec::new(), Vec::new());
    for (group, costs) in text.split('|').enumerate() {
        for cost in costs.split_whitespace() {
            let task = Task::new(TaskId(tasks.len() as u32), GroupId(group as u32));
            match cost.parse::<f64>() {
                Ok(cost) => {
                    truth.push(cost / 1e3);
                    tasks.push(task.with_cost(cost / 1e3));
                }
                Err(_) => {
                    truth.push(0.1);
                    tasks.push(task);
                }
            }
        }
    }
    (tasks, truth)
}

fn names(tasks: &[TaskId]) -> String {
    let names: Vec<String> = tasks.iter().map(|task| task.0.to_string()).collect();
    names.join(" ")
}

fn trace(text: &str, pool: Simulation, policy: Policy) -> String {
    let (tasks, truth) = suite(text);
    let mut out = String::new();
    let report = pool
        .watch(
            tasks,
            policy.overhead(0.0),
            |task| truth[task.0 as usize],
            |at, event, _| {
                let at = (at * 1e3).round();
                let line = match event {
                    SimEvent::Assigned(w, tasks) => {
                        format!("{at} ms: w{} gets {}", w.0, names(tasks))
                    }
                    SimEvent::Finish(w) => format!("{at} ms: w{} is to finish", w.0),
                    SimEvent::Revoke(w, count) => format!("{at} ms: w{} is asked for {count}", w.0),
                    SimEvent::Returned(w, tasks) => {
                        format!("{at} ms: w{} returns {}", w.0, names(tasks))
                    }
                    SimEvent::Died(w, task) => format!("{at} ms: w{} dies in {}", w.0, task.0),
                    _ => return,
                };
                writeln!(out, "{line}").expect("strings can be written to");
            },
        )
        .expect("all tasks are settled");
    writeln!(out, "{} ms: end", (report.makespan * 1e3).round())
        .expect("strings can be written to");
    out
}

fn check(text: &str, workers: u32, policy: Policy, expected: Expect) {
    expected.assert_eq(&trace(text, Simulation::new(workers), policy));
}

#[test]
fn one_worker_keeps_collection_order() {
    check(
        "300 100 | 200 | 400",
        1,
        Policy::new(),
        expect![[r#"
            0 ms: w0 gets 0 1
            0 ms: w0 gets 2
            400 ms: w0 gets 3
            600 ms: w0 is to finish
            1000 ms: end
        "#]],
    );
}

#[test]
fn long_tasks_begin_first_and_are_nobodys_look_ahead() {
    check(
        "100 100 100 900 | 1000 100 | 100 100",
        2,
        Policy::new(),
        expect![[r#"
            0 ms: w0 gets 4 0
            0 ms: w1 gets 3 6
            900 ms: w1 gets 7
            1000 ms: w0 gets 1
            1000 ms: w1 gets 2
            1100 ms: w0 gets 5
            1100 ms: w1 is to finish
            1200 ms: w0 is to finish
            1300 ms: end
        "#]],
    );
}

#[test]
fn as_many_tasks_as_workers_run_at_once() {
    check(
        "500 500 500 500",
        4,
        Policy::new(),
        expect![[r#"
            0 ms: w0 gets 0
            0 ms: w0 is to finish
            0 ms: w1 gets 1
            0 ms: w1 is to finish
            0 ms: w2 gets 2
            0 ms: w2 is to finish
            0 ms: w3 gets 3
            0 ms: w3 is to finish
            500 ms: end
        "#]],
    );
    check(
        "? ? ? ?",
        4,
        Policy::new(),
        expect![[r#"
            0 ms: w0 gets 0
            0 ms: w0 is to finish
            0 ms: w1 gets 1
            0 ms: w1 is to finish
            0 ms: w2 gets 2
            0 ms: w2 is to finish
            0 ms: w3 gets 3
            0 ms: w3 is to finish
            100 ms: end
        "#]],
    );
}

#[test]
fn trivial_tasks_come_in_batches() {
    let text = ["10 "; 20].concat();
    check(
        &text,
        2,
        Policy::new().horizon(0.04),
        expect![[r#"
            0 ms: w0 gets 0 1 2 3
            0 ms: w1 gets 10 11 12 13
            10 ms: w0 gets 4 5
            10 ms: w1 gets 14 15
            30 ms: w0 gets 6 7
            30 ms: w1 gets 16 17
            50 ms: w0 gets 8 9
            50 ms: w1 gets 18 19
            90 ms: w0 is to finish
            90 ms: w1 is to finish
            100 ms: end
        "#]],
    );
}

#[test]
fn a_chunk_may_be_limited() {
    let text = ["10 "; 8].concat();
    check(
        &text,
        1,
        Policy::new().max_chunk(1),
        expect![[r#"
            0 ms: w0 gets 0 1
            0 ms: w0 gets 2
            10 ms: w0 gets 3
            20 ms: w0 gets 4
            30 ms: w0 gets 5
            40 ms: w0 gets 6
            50 ms: w0 gets 7
            70 ms: w0 is to finish
            80 ms: end
        "#]],
    );
}

#[test]
fn a_whole_group_stays_with_its_worker() {
    let policy = Policy::new().grouping(Grouping::Whole);
    check(
        "100 100 100 100 | 100 | 100 | 100",
        2,
        policy,
        expect![[r#"
            0 ms: w0 gets 0 1
            0 ms: w1 gets 4 5
            100 ms: w0 gets 2
            100 ms: w1 gets 6
            200 ms: w0 gets 3
            200 ms: w1 is to finish
            300 ms: w0 is to finish
            400 ms: end
        "#]],
    );
}

#[test]
fn an_idle_worker_splits_what_is_left_of_a_group() {
    check(
        "? ? ? ? ? ? | 100",
        2,
        Policy::new().order(Order::Collection),
        expect![[r#"
            0 ms: w0 gets 0 1
            0 ms: w1 gets 3 4
            100 ms: w0 gets 2
            100 ms: w1 gets 5
            200 ms: w0 gets 6
            200 ms: w1 is to finish
            300 ms: w0 is to finish
            400 ms: end
        "#]],
    );
}

#[test]
fn each_worker_runs_everything() {
    let policy = Policy::new().grouping(Grouping::Each);
    check(
        "100 200",
        2,
        policy,
        expect![[r#"
            0 ms: w0 gets 0 1
            0 ms: w1 gets 0 1
            100 ms: w0 is to finish
            100 ms: w1 is to finish
            300 ms: end
        "#]],
    );
}

#[test]
fn no_tasks_and_no_work() {
    check(
        "",
        2,
        Policy::new(),
        expect![[r#"
            0 ms: w0 is to finish
            0 ms: w1 is to finish
            0 ms: end
        "#]],
    );
}

#[test]
fn a_crashed_workers_group_goes_to_its_successor() {
    let mut faults = Faults::default();
    (faults.seed, faults.crash, faults.restarts) = (3, 0.2, 2);
    let policy = Policy::new().grouping(Grouping::Whole);
    let text = trace(
        "100 100 100 100 | 100 100 100",
        Simulation::new(2).faults(faults),
        policy,
    );
    expect![[r#"
        0 ms: w0 gets 0 1
        0 ms: w1 gets 4 5
        50 ms: w0 dies in 0
        50 ms: w2 gets 1 2
        100 ms: w1 gets 6
        150 ms: w1 dies in 5
        150 ms: w2 gets 3
        150 ms: w3 gets 6
        150 ms: w3 is to finish
        250 ms: w2 is to finish
        300 ms: w2 dies in 3
        300 ms: end
    "#]]
    .assert_eq(&text);
}

#[test]
fn unknown_tasks_behind_a_long_one_are_taken_back() {
    use rpytest_sched::Dispatcher;
    let (tasks, _) = suite("? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ?");
    let [a, b] = [WorkerId(0), WorkerId(1)];
    let mut dispatcher =
        Dispatcher::new(tasks, Policy::new().horizon(0.1)).expect("numbers are unique");
    dispatcher.add_worker(a).expect("is new");
    dispatcher.add_worker(b).expect("is new");
    let mut out = String::new();
    let mut first = dispatcher.next(a);
    let mut second = dispatcher.next(b);
    writeln!(out, "a gets {}\nb gets {}", names(&first), names(&second)).expect("written");
    dispatcher.started(a, first[0]).expect("a begins");
    // The second worker does everything else in no time.
    while second.len() > 1 {
        let task = second.remove(0);
        dispatcher.started(b, task).expect("b begins");
        dispatcher.complete(b, task, 0.0001).expect("b ends");
        second.extend(dispatcher.next(b));
    }
    assert_eq!(dispatcher.undispatched(), 0);
    let (victim, count) = dispatcher.revoke_for(b).expect("a has a queue");
    writeln!(out, "worker {} is asked for {count}", victim.0).expect("written");
    assert!(!dispatcher.finish_due(b), "an answer is due");
    let given = first.split_off(first.len() - count);
    dispatcher.returned(a, &given).expect("they wait on a");
    writeln!(out, "b gets {}", names(&dispatcher.next(b))).expect("written");
    expect![[r#"
        a gets 0 1 2 3
        b gets 10 11 12 13
        worker 0 is asked for 1
        b gets 3
    "#]]
    .assert_eq(&out);
}

/// Both groups are begun in so many milliseconds.
fn begun_in(cost: f64) -> Policy {
    Policy::new().group_costs([(GroupId(0), cost / 1e3), (GroupId(1), cost / 1e3)])
}

#[test]
fn a_group_that_is_dear_to_begin_stays_together() {
    check(
        "100 100 100 100 | 100",
        2,
        begun_in(1000.0),
        expect![[r#"
        0 ms: w0 gets 0 1
        0 ms: w1 gets 4
        0 ms: w1 is to finish
        1100 ms: w0 gets 2
        1200 ms: w0 gets 3
        1300 ms: w0 is to finish
        1400 ms: end
    "#]],
    );
}

#[test]
fn a_group_that_is_cheap_to_begin_is_split_and_begun_twice() {
    check(
        "100 100 100 100 100 | 100",
        2,
        begun_in(50.0),
        expect![[r#"
        0 ms: w0 gets 5 4
        0 ms: w1 gets 0 1
        150 ms: w0 gets 3
        150 ms: w1 gets 2
        250 ms: w1 is to finish
        300 ms: w0 is to finish
        400 ms: end
    "#]],
    );
}

#[test]
fn a_thief_takes_no_part_of_a_group_that_it_would_begin_at_a_loss() {
    // The first group is begun later than was thought and the second sooner, so that one worker runs dry.
    let run = |cost: f64| {
        let told = [(GroupId(0), cost), (GroupId(1), 0.5)];
        let pool = Simulation::new(2).group_costs([(GroupId(0), 0.8), (GroupId(1), 0.0)]);
        let text = "100 100 100 100 100 100 | 100 100 100 100 100 100";
        trace(text, pool, Policy::new().group_costs(told))
    };
    expect![[r#"
        0 ms: w0 gets 6 7
        0 ms: w1 gets 0 1
        0 ms: w0 gets 8
        200 ms: w0 gets 9
        300 ms: w0 gets 10
        400 ms: w0 gets 11
        500 ms: w0 gets 2
        600 ms: w0 gets 3
        900 ms: w1 gets 4
        1000 ms: w1 gets 5
        1100 ms: w1 is to finish
        1500 ms: w0 is to finish
        1600 ms: end
    "#]]
    .assert_eq(&run(0.05));
    expect![[r#"
        0 ms: w0 gets 0 1
        0 ms: w1 gets 6 7
        0 ms: w0 gets 2
        100 ms: w1 gets 8
        200 ms: w1 gets 9
        300 ms: w1 gets 10
        400 ms: w1 gets 11
        500 ms: w1 is to finish
        1000 ms: w0 gets 3
        1100 ms: w0 gets 4
        1200 ms: w0 gets 5
        1300 ms: w0 is to finish
        1400 ms: end
    "#]]
    .assert_eq(&run(0.5));
}
