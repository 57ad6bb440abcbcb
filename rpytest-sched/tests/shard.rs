//! Shards: tables and laws.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use rpytest_sched::TaskId;
use rpytest_sched::shard::{
    ShardTask, Strategy as By, fnv1a, loads, loads_with, shard, shard_with, summary,
};

const ALL: [By; 4] = [
    By::DurationBalanced,
    By::RoundRobin,
    By::Hash,
    By::LeastDuration,
];

/// Group, key and cost of each test.
type Spec = Vec<(String, String, Option<f64>)>;

fn tests(spec: &Spec) -> Vec<ShardTask<'_>> {
    (spec.iter().zip(0..))
        .map(|((group, key, cost), nth)| {
            let mut test = ShardTask::new(TaskId(nth), key, group);
            test.cost = *cost;
            test
        })
        .collect()
}

fn check(strategy: By, expected: Expect) {
    let mut spec: Spec = Vec::new();
    for (file, costs) in [("a", "3 3 2 2"), ("b", "1 1"), ("c", "5"), ("d", "1 ? 1")] {
        for (nth, cost) in costs.split(' ').enumerate() {
            spec.push((file.to_owned(), format!("{file}{nth}"), cost.parse().ok()));
        }
    }
    let tests = tests(&spec);
    let shards = shard(&tests, 3, strategy);
    let mut out = String::new();
    for (load, shard) in loads(&tests, &shards).iter().zip(&shards) {
        let keys: Vec<&str> = shard.iter().map(|id| tests[id.0 as usize].key).collect();
        writeln!(out, "{load:.1}: {}", keys.join(" ")).expect("strings can be written to");
    }
    expected.assert_eq(&out);
}

#[test]
fn groups_are_balanced_and_a_large_one_is_cut() {
    check(
        By::DurationBalanced,
        expect![[r#"
        6.0: a0 a1
        7.0: b0 b1 c0
        8.1: a2 a3 d0 d1 d2
    "#]],
    );
}

#[test]
fn tests_are_dealt_in_turn() {
    check(
        By::RoundRobin,
        expect![[r#"
        11.0: a0 a3 c0 d2
        5.0: a1 b0 d0
        5.1: a2 b1 d1
    "#]],
    );
}

#[test]
fn tests_are_hashed() {
    check(
        By::Hash,
        expect![[r#"
        5.0: a0 a3
        9.0: a1 c0 d0
        7.1: a2 b0 b1 d1 d2
    "#]],
    );
}

#[test]
fn single_tests_are_balanced() {
    check(
        By::LeastDuration,
        expect![[r#"
        7.0: a3 c0
        7.1: a0 b1 d1 d2
        7.0: a1 a2 b0 d0
    "#]],
    );
}

/// The values that the authors of FNV publish.
#[test]
fn the_hash_is_fnv_1a() {
    assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn hashed_shards_are_of_about_equal_size() {
    let spec: Spec = (0..8000)
        .map(|nth| {
            (
                String::new(),
                format!("tests/test_{}.py::test_{nth}", nth % 90),
                None,
            )
        })
        .collect();
    for total in [2, 7, 8, 64] {
        let even = 8000.0 / f64::from(total);
        for shard in shard(&tests(&spec), total, By::Hash) {
            // Five standard deviations of a fair choice.
            let off = (shard.len() as f64 - even).abs();
            assert!(off < 5.0 * even.sqrt(), "{} in one of {total}", shard.len());
        }
    }
}

/// Shards of `file costs...` parts, each file begun in so many seconds: the seconds of each shard and its tests.
fn begun(text: &str, total: u32, begin: f64, expected: Expect) {
    let mut spec: Spec = Vec::new();
    for part in text.split('|') {
        let (file, costs) = part.trim().split_once(' ').expect("a file and costs");
        for (nth, cost) in costs.split(' ').enumerate() {
            spec.push((file.to_owned(), format!("{file}{nth}"), cost.parse().ok()));
        }
    }
    let tests = tests(&spec);
    let shards = shard_with(&tests, total, By::DurationBalanced, |_| begin);
    let sums = summary(&tests, &shards, |_| begin);
    assert_eq!(sums.seconds, loads_with(&tests, &shards, |_| begin));
    let mut out = String::new();
    for ((count, load), shard) in sums.counts.iter().zip(&sums.seconds).zip(&shards) {
        let keys: Vec<&str> = shard.iter().map(|id| tests[id.0 as usize].key).collect();
        writeln!(out, "{count} in {load:.1}: {}", keys.join(" "))
            .expect("strings can be written to");
    }
    let (imbalance, ratio) = (sums.imbalance(), sums.ratio());
    writeln!(out, "{imbalance:.3} of the mean, {ratio:.3} of the bound")
        .expect("strings can be written to");
    expected.assert_eq(&out);
}

#[test]
fn a_file_is_cut_only_where_that_pays() {
    let text = "a 2 2 2 2 2 2 | b 1 | c 1";
    begun(
        text,
        3,
        0.0,
        expect![[r#"
        3 in 5.0: a0 a1 b0
        3 in 5.0: a2 a3 c0
        2 in 4.0: a4 a5
        1.071 of the mean, 1.071 of the bound
    "#]],
    );
    begun(
        text,
        3,
        1.0,
        expect![[r#"
            3 in 7.0: a3 a4 a5
            3 in 7.0: a0 a1 b0
            2 in 5.0: a2 c0
            1.105 of the mean, 1.235 of the bound
        "#]],
    );
    begun(
        text,
        3,
        20.0,
        expect![[r#"
        6 in 32.0: a0 a1 a2 a3 a4 a5
        1 in 21.0: b0
        1 in 21.0: c0
        1.297 of the mean, 1.297 of the bound
    "#]],
    );
}

#[test]
fn a_file_of_less_than_a_share_is_cut_where_that_pays() {
    begun(
        "a 3 3 | b 3 3 | c 3 3",
        2,
        0.5,
        expect![[r#"
        3 in 10.0: a1 c0 c1
        3 in 10.0: a0 b0 b1
        1.000 of the mean, 1.026 of the bound
    "#]],
    );
    // Not where nothing is known of what it costs.
    let spec: Spec = (0..6)
        .map(|nth| (format!("{}", nth / 2), nth.to_string(), Some(3.0)))
        .collect();
    let tests = tests(&spec);
    let even = shard(&tests, 2, By::DurationBalanced);
    assert_eq!(loads(&tests, &even), [12.0, 6.0]);
}

#[test]
fn what_one_long_test_leaves_is_evened_out() {
    // The longest shard is that of the one test, whatever becomes of the others.
    let mut tests = vec![ShardTask::new(TaskId(0), "long.py::test_0", "long.py").with_cost(9.0)];
    let keys: Vec<String> = (1..=30)
        .map(|n| format!("{}.py::test_{n}", n / 11))
        .collect();
    for (key, nth) in keys.iter().zip(1..) {
        let file = key.split("::").next().unwrap_or_default();
        tests.push(ShardTask::new(TaskId(nth), key, file).with_cost(0.5));
    }
    let shards = shard_with(&tests, 4, By::DurationBalanced, |_| 0.0);
    let summary = summary(&tests, &shards, |_| 0.0);
    assert_eq!(summary.seconds, [9.0, 5.0, 5.0, 5.0]);
    assert_eq!(summary.counts, [1, 10, 10, 10]);
}

#[test]
fn files_are_exchanged_where_longest_first_is_not_the_best() {
    begun(
        "a 3 | b 3 | c 2 | d 2 | e 2",
        2,
        1.0,
        expect![[r#"
        2 in 8.0: a0 b0
        3 in 9.0: c0 d0 e0
        1.059 of the mean, 1.059 of the bound
    "#]],
    );
}

#[test]
fn an_empty_summary_is_even() {
    let sums = summary(&[], &[Vec::new(), Vec::new()], |_| 1.0);
    assert_eq!((sums.imbalance(), sums.ratio()), (1.0, 1.0));
    assert_eq!(
        (sums.counts, sums.longest, sums.lower_bound),
        (vec![0, 0], 0.0, 0.0)
    );
}

#[test]
fn one_more_shard_moves_its_part_of_what_is_hashed() {
    let spec: Spec = (0..8000)
        .map(|nth| (String::new(), format!("test_{nth}"), None))
        .collect();
    let tests = tests(&spec);
    for total in [1u32, 4, 15] {
        let before = shard(&tests, total, By::Hash);
        let after = shard(&tests, total + 1, By::Hash);
        let kept: usize = (before.iter().zip(&after))
            .map(|(old, new)| old.iter().filter(|id| new.contains(id)).count())
            .sum();
        let (moved, even) = (8000 - kept, 8000.0 / f64::from(total + 1));
        // What has moved is in the new shard, and as much as a fair choice of its size.
        assert_eq!(moved, after.last().map_or(0, Vec::len));
        assert!(
            (moved as f64 - even).abs() < 5.0 * even.sqrt(),
            "{moved} to one more than {total}"
        );
    }
}

#[test]
fn no_shards_count_as_one() {
    let spec = vec![("a".to_owned(), "x".to_owned(), None)];
    for strategy in ALL {
        assert_eq!(shard(&tests(&spec), 0, strategy), [[TaskId(0)]]);
        assert_eq!(shard(&[], 3, strategy), vec![Vec::new(); 3]);
    }
}

fn specs() -> impl Strategy<Value = Spec> {
    let costs = prop::option::of(prop_oneof![Just(1.0), 0.0..10.0]);
    prop::collection::btree_map("[a-e]/[a-z]{1,6}", costs, 0..60).prop_map(|tests| {
        (tests.into_iter())
            .map(|(key, cost)| (key[..1].to_owned(), key, cost))
            .collect()
    })
}

/// The keys of each shard.
fn keys<'a>(tests: &[ShardTask<'a>], shards: &[Vec<TaskId>]) -> Vec<BTreeSet<&'a str>> {
    let key = |id: &TaskId| tests[id.0 as usize].key;
    (shards.iter())
        .map(|shard| shard.iter().map(key).collect())
        .collect()
}

/// Whole groups, the longest first to the shard with the least.
fn whole_groups(
    tests: &[ShardTask<'_>],
    total: u32,
    begin: impl Fn(&str) -> f64,
) -> Vec<Vec<TaskId>> {
    let mut groups: BTreeMap<&str, Vec<TaskId>> = BTreeMap::new();
    for test in tests {
        groups.entry(test.group).or_default().push(test.id);
    }
    let mut jobs: Vec<(f64, Vec<TaskId>)> = (groups.into_iter())
        .map(|(group, ids)| {
            (
                loads(tests, std::slice::from_ref(&ids))[0] + begin(group),
                ids,
            )
        })
        .collect();
    jobs.sort_by(|one, two| two.0.total_cmp(&one.0));
    let mut shards = vec![(0.0f64, Vec::new()); total as usize];
    for (cost, ids) in jobs {
        let least = shards.iter_mut().min_by(|one, two| one.0.total_cmp(&two.0));
        let (load, shard) = least.expect("there is one");
        *load += cost;
        shard.extend(ids);
    }
    shards.into_iter().map(|(_, shard)| shard).collect()
}

proptest! {
    #[test]
    fn shards_are_disjoint_and_covering(spec in specs(), total in 1u32..9) {
        let tests = tests(&spec);
        for strategy in ALL {
            let shards = shard(&tests, total, strategy);
            prop_assert_eq!(shards.len(), total as usize);
            let mut all = shards.concat();
            all.sort();
            prop_assert_eq!(all, tests.iter().map(|test| test.id).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_of_tests_does_not_matter(
        (spec, other) in specs().prop_flat_map(|spec| (Just(spec.clone()), Just(spec).prop_shuffle())),
        total in 1u32..9,
    ) {
        let (one, two) = (tests(&spec), tests(&other));
        for strategy in ALL {
            let (of_one, of_two) = (shard(&one, total, strategy), shard(&two, total, strategy));
            prop_assert_eq!(keys(&one, &of_one), keys(&two, &of_two), "{:?}", strategy);
        }
    }

    #[test]
    fn a_hash_moves_nothing_but_what_it_must(spec in specs(), total in 1u32..9) {
        let mut more = spec.clone();
        more.push(("n".to_owned(), "n/new".to_owned(), None));
        let (some, all) = (tests(&spec), tests(&more));
        let before = keys(&some, &shard(&some, total, By::Hash));
        let mut after = keys(&all, &shard(&all, total, By::Hash));
        for shard in &mut after {
            shard.remove("n/new");
        }
        prop_assert_eq!(&before, &after);
        // One shard more takes from the others, and these keep the rest.
        let wider = keys(&some, &shard(&some, total + 1, By::Hash));
        for (old, new) in before.iter().zip(&wider) {
            prop_assert!(new.is_subset(old));
        }
    }

    #[test]
    fn single_tests_are_within_one_test_of_even(spec in specs(), total in 1u32..9) {
        let tests = tests(&spec);
        let loads = loads(&tests, &shard(&tests, total, By::LeastDuration));
        let most = loads.iter().copied().fold(0.0, f64::max);
        let least = loads.iter().copied().fold(f64::MAX, f64::min);
        prop_assert!(most - least <= 10.0 + 1e-6);
    }

    #[test]
    fn shards_with_group_costs_are_disjoint_ordered_and_no_worse(
        (spec, other) in specs().prop_flat_map(|spec| (Just(spec.clone()), Just(spec).prop_shuffle())),
        begin in prop::array::uniform5(prop_oneof![Just(0.0), 0.0..0.5, 0.0..20.0]),
        total in 1u32..9,
    ) {
        let cost = |group: &str| begin[usize::from(group.as_bytes()[0] - b'a')];
        let (one, two) = (tests(&spec), tests(&other));
        for strategy in ALL {
            let shards = shard_with(&one, total, strategy, cost);
            let mut all = shards.concat();
            all.sort();
            prop_assert_eq!(all, one.iter().map(|test| test.id).collect::<Vec<_>>());
            let again = shard_with(&two, total, strategy, cost);
            prop_assert_eq!(keys(&one, &shards), keys(&two, &again), "{:?}", strategy);
            if strategy != By::DurationBalanced {
                prop_assert_eq!(&shards, &shard(&one, total, strategy));
            }
            let sums = summary(&one, &shards, cost);
            prop_assert!(sums.lower_bound <= sums.longest, "{} over {}", sums.lower_bound, sums.longest);
            prop_assert!(sums.imbalance() >= 1.0 - 1e-9);
        }
        // Whole groups by LPT are the least that is to be reached.
        let lpt = whole_groups(&one, total, cost);
        let balanced = shard_with(&one, total, By::DurationBalanced, cost);
        let most = summary(&one, &balanced, cost).longest;
        prop_assert!(most <= summary(&one, &lpt, cost).longest + 1e-6);
        let plain = summary(&one, &shard(&one, total, By::DurationBalanced), |_| 0.0).longest;
        prop_assert!(plain <= summary(&one, &whole_groups(&one, total, |_| 0.0), |_| 0.0).longest + 1e-6);
    }
}
