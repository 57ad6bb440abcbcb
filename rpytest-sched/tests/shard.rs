//! Shards: tables and laws.

use std::collections::BTreeSet;
use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use rpytest_sched::TaskId;
use rpytest_sched::shard::{ShardTask, Strategy as By, fnv1a, loads, shard};

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
}
