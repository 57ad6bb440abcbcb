//! Histories: what they expect, and that merging loses and repeats nothing.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use rpytest_sched::durations::{Basis, DEFAULT_SECONDS, Import, KEPT};
use rpytest_sched::{DurationHistory, Observation, Timing};

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

#[test]
fn the_import_and_the_scopes_of_a_file_go_with_it() {
    let mut history = DurationHistory::new();
    history.record("a", "t", took(2, 1.0));
    history.record_import("a", 2, 1.0);
    history.record_scope("a", "a", 1, 1.0);
    history.record_import("conftest", 2, 1.0);
    assert_eq!(history.last_run(), 2);

    let mut recent = history.clone();
    recent.prune_before(2);
    assert_eq!(recent.scopes("a", "a"), []);
    assert_eq!(recent.imports("a").len(), 1);
    assert_eq!(recent.imports("conftest").len(), 1);
    recent.prune_before(3);
    assert_eq!(recent, DurationHistory::new());

    history.prune(|file, _| file == "a");
    assert_eq!(history.scopes("a", "a").len(), 1);
    assert_eq!(history.imports("conftest"), [], "it has no tests");
    history.prune(|_, _| false);
    assert_eq!(history, DurationHistory::new());
    assert_eq!(history.last_run(), 0);
}

#[test]
fn beginning_a_file_costs_its_import_and_its_fixtures() {
    let mut history = DurationHistory::new();
    for (run, seconds) in [(1, 9.0), (2, 1.0), (3, 1.25), (4, f64::INFINITY)] {
        history.record_import("a", run, seconds);
    }
    history.record_scope("a", "a", 1, 0.5000004);
    history.record_scope("a", "a::TestX", 1, 7.0);
    let estimates = history.estimates();
    assert_eq!(
        history.imports("a")[0],
        Timing {
            run: 4,
            seconds: 0.0
        }
    );
    assert_eq!(estimates.import("a"), Some(1.0), "an outlier does not rule");
    assert_eq!(estimates.scope("a", "a::TestX"), Some(7.0));
    assert_eq!(estimates.scope("a", "a::TestY"), None);
    assert_eq!(estimates.begin_cost("a", Import::Paid), 1.5);
    assert_eq!(estimates.begin_cost("a", Import::Shared), 0.5);
    assert_eq!(estimates.import("b"), None);
    assert_eq!(estimates.begin_cost("b", Import::Paid), 0.0);
}

#[test]
fn what_is_known_only_in_all_counts_as_the_call() {
    let mut history = DurationHistory::new();
    history.record_total("a", "t", 3, 0.25);
    assert_eq!(history.observations("a", "t"), [took(3, 0.25)]);
}

/// Each known test as `file name seconds`; then questions, with the answers that are expected.
fn table(known: &str, questions: &str, expected: Expect) {
    let mut history = DurationHistory::new();
    for line in known.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (file, name) = (words.next().expect("a file"), words.next().expect("a name"));
        let seconds = words.next().expect("a number").parse().expect("a number");
        history.record(file, &format!("{file}::{name}"), took(1, seconds));
    }
    let estimates = history.estimates();
    let mut out = String::new();
    for line in questions.lines().filter(|line| !line.trim().is_empty()) {
        let (file, name) = line.trim().split_once(' ').expect("a file and a name");
        let estimate = estimates.estimate(file, &format!("{file}::{name}"));
        let (seconds, basis) = (estimate.seconds, estimate.basis);
        out += &format!("{file} {name}: {seconds} ({basis:?})\n");
    }
    expected.assert_eq(&out);
}

#[test]
fn a_test_without_history_is_like_those_next_to_it() {
    table(
        "
        x/test_a.py test_one 1
        x/test_a.py test_two[0] 2
        x/test_a.py test_two[1] 4
        x/test_a.py test_two[2] 8
        x/test_a.py C::test_two[9] 90
        y/test_b.py test_same 16
        z/test_c.py test_same 32
        z/test_c.py test_init 64
        ",
        "
        x/test_a.py test_one
        x/test_a.py test_two[new]
        x/test_a.py test_two
        x/test_a.py test_two_more
        x/test_a.py test_init
        x/renamed.py test_one
        moved/test_a.py test_two[1]
        moved/test_a.py test_two[7]
        moved/test_b.py test_same
        moved/test_d.py test_same
        ",
        expect![[r#"
            x/test_a.py test_one: 1 (Test)
            x/test_a.py test_two[new]: 4 (Function)
            x/test_a.py test_two: 4 (Function)
            x/test_a.py test_two_more: 4 (File)
            x/test_a.py test_init: 64 (Renamed)
            x/renamed.py test_one: 1 (Renamed)
            moved/test_a.py test_two[1]: 4 (Renamed)
            moved/test_a.py test_two[7]: 8 (Suite)
            moved/test_b.py test_same: 16 (Renamed)
            moved/test_d.py test_same: 8 (Suite)
        "#]],
    );
}

#[test]
fn two_files_of_the_same_base_name_leave_doubt() {
    table(
        "
        x/test_a.py test_one 1
        y/test_a.py test_one 2
        y/test_b.py test_one 4
        ",
        "
        z/test_a.py test_one
        z/test_b.py test_one
        ",
        expect![[r#"
            z/test_a.py test_one: 2 (Suite)
            z/test_b.py test_one: 4 (Renamed)
        "#]],
    );
}

fn histories() -> impl Strategy<Value = DurationHistory> {
    let seen = ("[ab]", "[xyz]", 0u64..12, 0u32..4, 0u8..4);
    prop::collection::vec(seen, 0..60).prop_map(|seen| {
        let mut history = DurationHistory::new();
        for (file, key, run, total, kind) in seen {
            let total = f64::from(total);
            match kind {
                0 => history.record_import(&file, run, total),
                1 => history.record_scope(&file, &key, run, total),
                _ => history.record(&file, &key, took(run, total)),
            }
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
        let all = merged(&a, &b);
        prop_assert!(all.iter().all(|(_, _, seen)| seen.len() <= KEPT));
        prop_assert!(all.imports("a").len() <= KEPT && all.scopes("a", "x").len() <= KEPT);
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
    use rpytest_sched::durations::{DurationFile, SplitDurations, VersionError};

    fn read(text: &str) -> Result<DurationHistory, VersionError> {
        let file: DurationFile = serde_json::from_str(text).expect("it is a file");
        file.try_into()
    }

    fn written(history: &DurationHistory) -> String {
        serde_json::to_string(&DurationFile::from(history)).expect("it has a JSON form")
    }

    fn test_x() -> DurationHistory {
        let mut history = DurationHistory::new();
        let observation = Observation {
            run: 17,
            setup: 0.001,
            call: 0.2,
            teardown: 0.0,
        };
        history.record("test_a.py", "test_a.py::test_x", observation);
        history
    }

    #[test]
    fn version_2_is_small_and_stable() {
        let mut history = test_x();
        history.record_import("test_a.py", 16, 0.35);
        history.record_import("test_a.py", 17, 0.3);
        history.record_scope("test_a.py", "test_a.py::TestX", 17, 0.5);
        let text = concat!(
            r#"{"version":2,"#,
            r#""files":{"test_a.py":{"test_a.py::test_x":[[17,0.001,0.2,0.0]]}},"#,
            r#""imports":{"test_a.py":[[17,0.3],[16,0.35]]},"#,
            r#""scopes":{"test_a.py":{"test_a.py::TestX":[[17,0.5]]}}}"#
        );
        assert_eq!(written(&history), text);
        assert_eq!(read(text), Ok(history));
    }

    #[test]
    fn empty_maps_are_left_out() {
        assert_eq!(written(&DurationHistory::new()), r#"{"version":2}"#);
        assert_eq!(read(r#"{"version":2}"#), Ok(DurationHistory::new()));
        let text =
            r#"{"version":2,"files":{"test_a.py":{"test_a.py::test_x":[[17,0.001,0.2,0.0]]}}}"#;
        assert_eq!(written(&test_x()), text);
    }

    #[test]
    fn version_1_is_still_read() {
        let text =
            r#"{"version":1,"files":{"test_a.py":{"test_a.py::test_x":[[17,0.001,0.2,0.0]]}}}"#;
        assert_eq!(read(text), Ok(test_x()));
    }

    #[test]
    fn another_version_is_refused() {
        for found in [0, 3] {
            let error = VersionError { found };
            assert_eq!(read(&format!(r#"{{"version": {found}}}"#)), Err(error));
            let text = format!("read durations of version {found}, only 1 to 2 are known");
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn both_forms_of_pytest_split_are_read() {
        let object = r#"{
            "tests/test_a.py::TestX::test_y[1::2]": 0.25,
            "tests/test_b.py::test_z": 3
        }"#;
        let pairs = r#"[
            ["tests/test_b.py::test_z", 7.5],
            ["tests/test_a.py::TestX::test_y[1::2]", 0.25],
            ["tests/test_b.py::test_z", 3.0]
        ]"#;
        let mut expected = DurationHistory::new();
        let y = "tests/test_a.py::TestX::test_y[1::2]";
        expected.record("tests/test_a.py", y, took(5, 0.25));
        expected.record("tests/test_b.py", "tests/test_b.py::test_z", took(5, 3.0));
        for text in [object, pairs] {
            let durations: SplitDurations = serde_json::from_str(text).expect("it is known");
            assert_eq!(durations.iter().count(), 2);
            assert_eq!(durations.history(5), expected);
        }
        for empty in ["{}", "[]"] {
            let durations: SplitDurations = serde_json::from_str(empty).expect("it is known");
            assert_eq!(durations.history(1), DurationHistory::new());
        }
    }

    #[test]
    fn what_is_not_of_pytest_split_is_refused() {
        for text in ["3", r#"{"a.py::x": "fast"}"#, r#"[["a.py::x"]]"#, r#"[1]"#] {
            assert!(
                serde_json::from_str::<SplitDurations>(text).is_err(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_back(history in histories()) {
            let text = written(&history);
            prop_assert_eq!(read(&text), Ok(history.clone()));
            // Equal histories have equal texts, however they came about.
            prop_assert_eq!(written(&merged(&DurationHistory::new(), &history)), text);
        }
    }
}
