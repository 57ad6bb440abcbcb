//! Plans made in advance: tables, and LPT's bound against the best plan there is.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use rpytest_sched::{GroupId, Grouping, Task, TaskId, plan};

fn tasks(text: &str) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (group, costs) in text.split('|').enumerate() {
        for cost in costs.split_whitespace() {
            let mut task = Task::new(TaskId(tasks.len() as u32), GroupId(group as u32));
            task.cost = cost.parse().ok();
            tasks.push(task);
        }
    }
    tasks
}

fn check(text: &str, workers: u32, grouping: Grouping, expected: Expect) {
    let plan = plan(&tasks(text), workers, grouping);
    let mut out = String::new();
    for (assigned, load) in plan.assignments.iter().zip(&plan.loads) {
        let names: Vec<String> = assigned.iter().map(|task| format!(" {}", task.0)).collect();
        writeln!(out, "{load}:{}", names.concat()).expect("strings can be written to");
    }
    let (ends, bound) = (plan.makespan, plan.lower_bound);
    writeln!(out, "{ends} over {bound}").expect("strings can be written to");
    expected.assert_eq(&out);
}

#[test]
fn the_longest_comes_first() {
    check(
        "1 2 3 4 5 6",
        2,
        Grouping::Splittable,
        expect![[r#"
        11: 5 2 1
        10: 4 3 0
        11 over 10.5
    "#]],
    );
}

#[test]
fn grahams_worst_case() {
    check(
        "3 3 2 2 2",
        2,
        Grouping::Splittable,
        expect![[r#"
        7: 0 2 4
        5: 1 3
        7 over 6
    "#]],
    );
}

#[test]
fn ties_are_decided_by_number() {
    check(
        "1 1 1 1 1",
        3,
        Grouping::Splittable,
        expect![[r#"
        2: 0 3
        2: 1 4
        1: 2
        2 over 2
    "#]],
    );
}

#[test]
fn whole_groups_stay_together() {
    check(
        "1 1 1 | 4 | 1 1 | 2",
        2,
        Grouping::Whole,
        expect![[r#"
        6: 3 6
        5: 0 1 2 4 5
        6 over 5.5
    "#]],
    );
}

#[test]
fn a_group_is_a_lower_bound() {
    check(
        "5 5 5 | 1 | 1",
        2,
        Grouping::Whole,
        expect![[r#"
        15: 0 1 2
        2: 3 4
        15 over 15
    "#]],
    );
}

#[test]
fn an_unknown_cost_is_the_mean_of_the_known() {
    check(
        "4 2 ? nan -1",
        2,
        Grouping::Splittable,
        expect![[r#"
        7: 0 4
        8: 2 3 1
        8 over 7.5
    "#]],
    );
    check(
        "? ? ?",
        2,
        Grouping::Splittable,
        expect![[r#"
        0.02: 0 2
        0.01: 1
        0.02 over 0.02
    "#]],
    );
}

#[test]
fn every_worker_may_run_everything() {
    check(
        "4 2",
        2,
        Grouping::Each,
        expect![[r#"
        6: 0 1
        6: 0 1
        6 over 6
    "#]],
    );
}

#[test]
fn nothing_to_do_and_nobody_to_do_it() {
    check(
        "",
        2,
        Grouping::Whole,
        expect![[r#"
            0:
            0:
            0 over 0
        "#]],
    );
    check(
        "1",
        0,
        Grouping::Whole,
        expect![[r#"
        1: 0
        1 over 1
    "#]],
    );
}

/// The best makespan of all, by trying every plan.
fn best(jobs: &[u64], loads: &mut [u64], bound: u64) -> u64 {
    let Some((&job, rest)) = jobs.split_first() else {
        return bound.min(loads.iter().copied().max().unwrap_or(0));
    };
    let mut bound = bound;
    for nth in 0..loads.len() {
        // Machines that have as much to do are alike.
        if loads[..nth].contains(&loads[nth]) || loads[nth] + job >= bound {
            continue;
        }
        loads[nth] += job;
        bound = bound.min(best(rest, loads, bound));
        loads[nth] -= job;
    }
    bound
}

proptest! {
    #[test]
    fn lpt_is_within_grahams_bound(
        costs in prop::collection::vec(prop_oneof![1u64..10, 1u64..1000], 1..11),
        workers in 1u32..5,
    ) {
        let tasks: Vec<Task> = (costs.iter().zip(0..))
            .map(|(&cost, nth)| Task::new(TaskId(nth), GroupId(nth)).with_cost(cost as f64))
            .collect();
        let plan = plan(&tasks, workers, Grouping::Whole);
        let best = best(&costs, &mut vec![0; workers as usize], u64::MAX) as f64;
        let ratio = 4.0 / 3.0 - 1.0 / (3.0 * f64::from(workers));
        prop_assert!(plan.makespan <= best * ratio + 1e-6, "{} over {best}", plan.makespan);
        prop_assert!(plan.lower_bound <= best + 1e-6, "{} over {best}", plan.lower_bound);
    }

    #[test]
    fn each_task_is_planned_once(
        tasks in prop::collection::vec((0u32..5, prop::option::of(0.0..10.0)), 0..50),
        workers in 0u32..6,
        whole in any::<bool>(),
    ) {
        let tasks: Vec<Task> = (tasks.into_iter().zip(0..))
            .map(|((group, cost), nth)| {
                let mut task = Task::new(TaskId(nth), GroupId(group));
                task.cost = cost;
                task
            })
            .collect();
        let grouping = if whole { Grouping::Whole } else { Grouping::Splittable };
        let plan = plan(&tasks, workers, grouping);
        let mut planned: Vec<TaskId> = plan.assignments.concat();
        planned.sort();
        prop_assert_eq!(planned, tasks.iter().map(|task| task.id).collect::<Vec<_>>());
        prop_assert!(plan.ratio() >= 1.0 - 1e-9);
    }
}
