//! Plans made in advance: tables, and bounds against the best plan there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use rpytest_sched::{GroupId, Grouping, Method, Plan, Planner, Task, TaskId, plan};

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
    expected.assert_eq(&told(&plan(&tasks(text), workers, grouping)));
}

/// One line for each worker, then the makespan and the lower bound.
fn told(plan: &Plan) -> String {
    let mut out = String::new();
    for (assigned, load) in plan.assignments.iter().zip(&plan.loads) {
        let names: Vec<String> = assigned.iter().map(|task| format!(" {}", task.0)).collect();
        writeln!(out, "{load}:{}", names.concat()).expect("strings can be written to");
    }
    let (ends, bound) = (plan.makespan, plan.lower_bound);
    writeln!(out, "{ends} over {bound}").expect("strings can be written to");
    out
}

/// A plan in which every group is begun in so many seconds.
fn improved(text: &str, workers: u32, grouping: Grouping, begin: f64, expected: Expect) {
    let plan = (Planner::new(workers).grouping(grouping)).plan(&tasks(text), |_| begin);
    let (method, split) = (plan.method, plan.split_groups);
    expected.assert_eq(&format!("{}{method:?}, {split} split\n", told(&plan)));
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

#[test]
fn grahams_worst_case_is_solved() {
    let text = "3 | 3 | 2 | 2 | 2";
    improved(
        text,
        2,
        Grouping::Whole,
        0.0,
        expect![[r#"
        6: 0 1
        6: 2 3 4
        6 over 6
        Multifit, 0 split
    "#]],
    );
    // 4/3 - 1/(3*m) is reached by 2m-1, 2m-1, ..., m+1, m+1, m, m, m.
    improved(
        "5 | 5 | 4 | 4 | 3 | 3 | 3",
        3,
        Grouping::Whole,
        0.0,
        expect![[r#"
            9: 0 2
            9: 1 3
            9: 4 5 6
            9 over 9
            Multifit, 0 split
        "#]],
    );
    improved(
        "7 | 7 | 6 | 6 | 5 | 5 | 4 | 4 | 4",
        4,
        Grouping::Whole,
        1.0,
        expect![[r#"
            15: 0 2
            15: 1 3
            12: 4 5
            15: 6 7 8
            15 over 14.25
            Multifit, 0 split
        "#]],
    );
}

#[test]
fn a_group_is_split_only_where_that_pays() {
    let text = "2 2 2 2 | 1";
    improved(
        text,
        2,
        Grouping::Splittable,
        0.0,
        expect![[r#"
            4: 2 3
            5: 0 1 4
            5 over 4.5
            LocalSearch, 1 split
        "#]],
    );
    improved(
        text,
        2,
        Grouping::Splittable,
        0.5,
        expect![[r#"
            4.5: 2 3
            6: 0 1 4
            6 over 5
            LocalSearch, 1 split
        "#]],
    );
    improved(
        text,
        2,
        Grouping::Splittable,
        10.0,
        expect![[r#"
        18: 0 1 2 3
        11: 4
        18 over 14.5
        Lpt, 0 split
    "#]],
    );
    improved(
        text,
        2,
        Grouping::Whole,
        0.5,
        expect![[r#"
        8.5: 0 1 2 3
        1.5: 4
        8.5 over 8.5
        Lpt, 0 split
    "#]],
    );
}

#[test]
fn whole_groups_that_are_even_stay_whole() {
    improved(
        "1 1 1 | 1 1 1 | 3 | 2 1",
        2,
        Grouping::Splittable,
        0.0,
        expect![[r#"
            6: 0 1 2 6
            6: 3 4 5 7 8
            6 over 6
            Lpt, 0 split
        "#]],
    );
}

#[test]
fn a_large_group_is_spread() {
    improved(
        "1 1 1 1 1 1 1 1 1 1 1 1 | 1",
        4,
        Grouping::Splittable,
        0.5,
        expect![[r#"
            3.5: 9 10 11
            4: 0 1 12
            4.5: 2 3 4 5
            3.5: 6 7 8
            4.5 over 3.5
            LocalSearch, 1 split
        "#]],
    );
}

#[test]
fn every_worker_begins_every_group() {
    improved(
        "4 | 2",
        2,
        Grouping::Each,
        1.0,
        expect![[r#"
        8: 0 1
        8: 0 1
        8 over 8
        Lpt, 0 split
    "#]],
    );
}

#[test]
fn a_cost_that_is_none_is_free() {
    let tasks = tasks("1 1 | 1 1");
    for cost in [f64::NAN, -1.0, f64::NEG_INFINITY] {
        let plan = Planner::new(2).plan(&tasks, |_| cost);
        assert_eq!((plan.makespan, plan.lower_bound), (2.0, 2.0));
    }
    let huge = Planner::new(2).plan(&tasks, |_| f64::INFINITY);
    assert!(huge.makespan.is_finite());
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

/// Tasks in five groups, and what it costs to begin each group.
fn suites() -> impl Strategy<Value = (Vec<Task>, Vec<f64>)> {
    let costs = prop_oneof![Just(Some(1.0)), prop::option::of(0.0..10.0)];
    let tasks = prop::collection::vec((0u32..5, costs), 0..40);
    let begin = prop_oneof![Just(0.0), 0.0..0.5, 0.0..20.0];
    (tasks, prop::collection::vec(begin, 5)).prop_map(|(tasks, begin)| {
        let tasks = (tasks.into_iter().zip(0u32..)).map(|((group, cost), nth)| {
            // Numbers are neither dense nor in order.
            let mut task = Task::new(TaskId((nth * 7919) % 10007), GroupId(group));
            task.cost = cost;
            task
        });
        (tasks.collect(), begin)
    })
}

/// A plan has each task once, and its loads are the sums of tasks and of the groups begun.
fn check_sums(plan: &Plan, tasks: &[Task], begin: impl Fn(GroupId) -> f64) {
    let known: Vec<f64> = tasks.iter().filter_map(|task| task.cost).collect();
    let mean = match known.len() {
        0 => 0.01,
        count => known.iter().sum::<f64>() / count as f64,
    };
    let by_id: BTreeMap<TaskId, &Task> = tasks.iter().map(|task| (task.id, task)).collect();
    let mut planned: Vec<TaskId> = plan.assignments.concat();
    planned.sort();
    assert_eq!(planned, by_id.keys().copied().collect::<Vec<_>>());
    let mut workers: BTreeMap<GroupId, usize> = BTreeMap::new();
    for (ids, load) in plan.assignments.iter().zip(&plan.loads) {
        let groups: BTreeSet<GroupId> = ids.iter().map(|id| by_id[id].group).collect();
        let work: f64 = ids.iter().map(|id| by_id[id].cost.unwrap_or(mean)).sum();
        let begun: f64 = groups.iter().map(|&group| begin(group)).sum();
        assert!(
            (work + begun - load).abs() < 1e-6,
            "{load} is not {work} + {begun}"
        );
        for group in groups {
            *workers.entry(group).or_default() += 1;
        }
    }
    let split = workers.values().filter(|&&count| count > 1).count();
    assert_eq!(plan.split_groups, split);
    assert_eq!(
        plan.makespan,
        plan.loads.iter().copied().fold(0.0, f64::max)
    );
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
    fn an_improved_plan_is_between_the_best_and_lpt(
        costs in prop::collection::vec(prop_oneof![1u64..10, 1u64..1000], 1..11),
        workers in 1u32..5,
    ) {
        let tasks: Vec<Task> = (costs.iter().zip(0..))
            .map(|(&cost, nth)| Task::new(TaskId(nth), GroupId(nth)).with_cost(cost as f64))
            .collect();
        let lpt = plan(&tasks, workers, Grouping::Whole);
        let improved = Planner::new(workers).plan(&tasks, |_| 0.0);
        let best = best(&costs, &mut vec![0; workers as usize], u64::MAX) as f64;
        prop_assert!(improved.makespan <= lpt.makespan, "{} over {}", improved.makespan, lpt.makespan);
        prop_assert!(improved.makespan >= best - 1e-6, "{} under {best}", improved.makespan);
        prop_assert_eq!(improved.makespan < lpt.makespan, improved.method != Method::Lpt);
        // Groups of one task have no parts.
        let split = Planner::new(workers).grouping(Grouping::Splittable).plan(&tasks, |_| 0.0);
        prop_assert!(split.makespan <= lpt.makespan);
    }

    #[test]
    fn a_plan_with_group_costs_is_no_worse_than_whole_groups_and_adds_up(suite in suites(), workers in 1u32..6) {
        let (tasks, begin) = suite;
        let begin = |group: GroupId| begin[group.0 as usize];
        let of = |grouping| Planner::new(workers).grouping(grouping);
        let none = of(Grouping::Whole).effort(0).plan(&tasks, begin);
        let whole = of(Grouping::Whole).plan(&tasks, begin);
        let cut = of(Grouping::Splittable).effort(0).plan(&tasks, begin);
        let split = of(Grouping::Splittable).plan(&tasks, begin);
        prop_assert!(whole.makespan <= none.makespan);
        prop_assert!(cut.makespan <= none.makespan);
        prop_assert!(split.makespan <= cut.makespan);
        // The bounds hold for every plan that their grouping allows.
        prop_assert!(split.lower_bound <= whole.lower_bound);
        if split.split_groups > 0 {
            prop_assert!(split.makespan < none.makespan, "a group was split for nothing");
        }
        for plan in [&none, &whole, &cut, &split] {
            prop_assert!(plan.lower_bound <= plan.makespan);
            check_sums(plan, &tasks, begin);
        }
    }

    #[test]
    fn splitting_for_nothing_is_no_worse_than_single_tasks(
        costs in prop::collection::vec((0u32..5, 0.0..10.0), 0..40), workers in 1u32..6,
    ) {
        let tasks: Vec<Task> = (costs.iter().zip(0..))
            .map(|(&(group, cost), nth)| Task::new(TaskId(nth), GroupId(group)).with_cost(cost))
            .collect();
        let lpt = plan(&tasks, workers, Grouping::Splittable);
        let split = Planner::new(workers).grouping(Grouping::Splittable).plan(&tasks, |_| 0.0);
        // Groups are not taken apart for less than a thousandth.
        prop_assert!(split.makespan <= lpt.makespan * 1.0011);
        check_sums(&split, &tasks, |_| 0.0);
        check_sums(&lpt, &tasks, |_| 0.0);
    }

    /// The best of all divisions of single tasks, groups begun once on each worker, by trying every one.
    #[test]
    fn the_bound_holds_for_every_division(
        costs in prop::collection::vec((0u32..3, 0u64..10), 1..8),
        begin in prop::array::uniform3(0u64..6),
        workers in 1u32..4,
    ) {
        let tasks: Vec<Task> = (costs.iter().zip(0..))
            .map(|(&(group, cost), nth)| Task::new(TaskId(nth), GroupId(group)).with_cost(cost as f64))
            .collect();
        let planner = Planner::new(workers).grouping(Grouping::Splittable);
        let plan = planner.plan(&tasks, |group| begin[group.0 as usize] as f64);
        let mut best = u64::MAX;
        for code in 0..workers.pow(costs.len() as u32) {
            let mut loads = vec![(0u64, 0u8); workers as usize];
            let mut rest = code;
            for &(group, cost) in &costs {
                let (load, begun) = &mut loads[(rest % workers) as usize];
                rest /= workers;
                let first = *begun & (1 << group) == 0;
                *load += cost + if first { begin[group as usize] } else { 0 };
                *begun |= 1 << group;
            }
            best = best.min(loads.iter().map(|load| load.0).max().unwrap_or(0));
        }
        prop_assert!(plan.lower_bound <= best as f64, "{} over {best}", plan.lower_bound);
        prop_assert!(plan.makespan >= best as f64);
    }

    #[test]
    fn the_order_of_tasks_does_not_matter(
        (suite, shuffled) in suites().prop_flat_map(|suite| (Just(suite.clone()), Just(suite.0).prop_shuffle())),
        workers in 1u32..6,
        splittable in any::<bool>(),
    ) {
        let (tasks, begin) = suite;
        let begin = |group: GroupId| begin[group.0 as usize];
        let grouping = if splittable { Grouping::Splittable } else { Grouping::Whole };
        let planner = Planner::new(workers).grouping(grouping);
        prop_assert_eq!(planner.plan(&tasks, begin), planner.plan(&shuffled, begin));
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
