//! Histories: what they expect, and that merging loses and repeats nothing.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use rpytest_sched::durations::{Basis, DEFAULT_SECONDS, KEPT};
use rpytest_sched::{DurationHistory, Observation};

fn took(run: u64, call: f64) -> Observation {
    Observation {
        run,
        call,
        ..Observation::default()
    }
}

/// The estimate after each of the given totals, the oldest first.
fn check(totals: &str, expected: Expect) {
    let mut history = DurationHistory::new();
    let mut out = Vec::new();
    for (run, total) in (1..).zip(totals.split(' ')) {
        history.record("f", "t", took(run, total.parse().expect("is a number")));
        out.push(history.estimates().estimate("f", "t").seconds.to_string());
    }
    expected.assert_eq(&out.join(" "));
}

#[test]
fn an_outlier_does_not_rule() {
    check("1 1 1 50 1 1 1 1", expect!["1 1 1 1 1 1 1 1"]);
    check("1 1.1 0.9 1.05 0.001 1", expect!["1 1.1 1 1.05 0.9 1"]);
}

#[test]
fn the_first_cold_run_is_soon_forgotten() {
    check("9 1 1 1", expect!["9 1 1 1"]);
}

#[test]
fn a_lasting_change_is_believed() {
    check("1 1 1 1 1 3 3 3 3", expect!["1 1 1 1 1 1 3 3 3"]);
}

#[test]
fn an_unknown_test_is_like_its_file_or_like_the_suite() {
    let mut history = DurationHistory::new();
    let estimate = history.estimates().estimate("a", "a1");
    assert_eq!(
        (estimate.seconds, estimate.basis),
        (DEFAULT_SECONDS, Basis::Default)
    );
    for (file, key, total) in [
        ("a", "a1", 1.0),
        ("a", "a2", 2.0),
        ("a", "a3", 90.0),
        ("b", "b1", 5.0),
        ("b", "b2", 6.0),
    ] {
        history.record(file, key, took(1, total));
    }
    let estimates = history.estimates();
    let ask = |file, key| {
        let estimate = estimates.estimate(file, key);
        (estimate.seconds, estimate.basis)
    };
    assert_eq!(ask("a", "a3"), (90.0, Basis::Test));
    assert_eq!(ask("a", "new"), (2.0, Basis::File));
    assert_eq!(ask("b", "new"), (5.0, Basis::File));
    assert_eq!(ask("c", "new"), (5.0, Basis::Suite));
    assert_eq!(ask("b", "b2"), (6.0, Basis::Test));
}

#[test]
fn phases_add_up_and_nonsense_is_none() {
    let mut history = DurationHistory::new();
    let observation = Observation {
        run: 1,
        setup: 0.25,
        call: f64::NAN,
        teardown: 0.5000004,
    };
    history.record("f", "t", observation);
    assert_eq!(history.estimates().estimate("f", "t").seconds, 0.75);
    history.record("f", "t", took(2, -3.0));
    assert_eq!(history.observations("f", "t")[0], took(2, 0.0));
}

#[test]
fn what_is_gone_is_pruned() {
    let mut history = DurationHistory::new();
    history.record("a", "old", took(1, 1.0));
    history.record("a", "new", took(1, 1.0));
    history.record("a", "new", took(2, 1.0));
    history.record("b", "old", took(1, 1.0));
    let mut kept = history.clone();
    kept.prune(|_, key| key == "new");
    history.prune_before(2);
    assert_eq!(kept, history);
    assert_eq!(history.len(), 1);
    assert_eq!(history.iter().count(), 1);
    history.prune(|_, _| false);
    assert!(history.is_empty());
}

fn histories() -> impl Strategy<Value = DurationHistory> {
    prop::collection::vec(("[ab]", "[xyz]", 0u64..12, 0u32..4), 0..40).prop_map(|seen| {
        let mut history = DurationHistory::new();
        for (file, key, run, total) in seen {
            history.record(&file, &key, took(run, f64::from(total)));
        }
        history
    })
}

fn merged(one: &DurationHistory, two: &DurationHistory) -> DurationHistory {
    let mut both = one.clone();
    both.merge(two);
    both
}

proptest! {
    #[test]
    fn merging_is_a_union(a in histories(), b in histories(), c in histories()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(&merged(&a, &a), &a);
        prop_assert!(merged(&a, &b).iter().all(|(_, _, seen)| seen.len() <= KEPT));
    }

    #[test]
    fn one_outlier_among_three_never_decides(
        usual in 1.0..2.0, again in 1.0..2.0, outlier in 10.0..1000.0, place in 0usize..3,
    ) {
        let mut totals = vec![usual, again];
        totals.insert(place, outlier);
        let mut history = DurationHistory::new();
        for (run, total) in (1..).zip(totals) {
            history.record("f", "t", took(run, total));
        }
        prop_assert!(history.estimates().estimate("f", "t").seconds < 2.1);
    }
}

#[cfg(feature = "serde")]
mod stored {
    use super::*;
    use rpytest_sched::durations::{DurationFile, VersionError};

    #[test]
    fn the_form_is_small_and_stable() {
        let mut history = DurationHistory::new();
        let observation = Observation {
            run: 17,
            setup: 0.001,
            call: 0.2,
            teardown: 0.0,
        };
        history.record("test_a.py", "test_a.py::test_x", observation);
        let text =
            serde_json::to_string(&DurationFile::from(&history)).expect("it has a JSON form");
        expect![[
            r#"{"version":2,"files":{"test_a.py":{"test_a.py::test_x":[[17,0.001,0.2,0.0]]}}}"#
        ]]
        .assert_eq(&text);
        let file: DurationFile = serde_json::from_str(&text).expect("it was written");
        assert_eq!(DurationHistory::try_from(file), Ok(history));
    }

    #[test]
    fn another_version_is_refused() {
        let file: DurationFile = serde_json::from_str(r#"{"version": 3}"#).expect("it is a file");
        let error = VersionError { found: 3 };
        assert_eq!(DurationHistory::try_from(file), Err(error));
        assert_eq!(
            error.to_string(),
            "read durations of version 3, only 1 to 2 are known"
        );
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_back(history in histories()) {
            let text = serde_json::to_string(&DurationFile::from(&history)).expect("it has a JSON form");
            let file: DurationFile = serde_json::from_str(&text).expect("it was written");
            prop_assert_eq!(DurationHistory::try_from(file), Ok(history));
        }
    }
}
