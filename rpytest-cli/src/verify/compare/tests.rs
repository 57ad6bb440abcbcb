use proptest::prelude::*;

use super::super::facts::Scope;
use super::super::normal::Normal;
use super::super::observation::{Observation, Ran, Report};
use super::*;

/// A run, from lines such as `a passed`, `b failed: message`, `code 1`, `out text`.
fn run(text: &str) -> Facts {
    let mut ran = Ran::default();
    let mut observation = Observation::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (first, rest) = line.split_once(' ').expect("two words");
        match first {
            "code" => ran.code = rest.parse().expect("a number"),
            "out" => {
                ran.stdout.push_str(rest);
                ran.stdout.push('\n');
            }
            "file" => {
                let (path, text) = rest.split_once(' ').expect("a path and a text");
                ran.files.insert(path.to_owned(), text.replace('/', "\n"));
            }
            nodeid => {
                let (outcome, message) = match rest.split_once(": ") {
                    Some((outcome, message)) => (outcome, Some(message.replace('/', "\n"))),
                    None => (rest, None),
                };
                observation.reports.push(Report {
                    nodeid: nodeid.to_owned(),
                    when: "call".to_owned(),
                    outcome: outcome.to_owned(),
                    longrepr: message,
                    ..Report::default()
                });
            }
        }
    }
    ran.observation = Some(observation);
    Facts::of(&ran, &Normal::default(), Scope::OneProcess)
}

fn found(base: &str, again: &[&str], other: &str) -> Vec<String> {
    let (base, other) = (run(base), run(other));
    let again: Vec<Facts> = again.iter().map(|text| run(text)).collect();
    let steady = Steady::of(&base, &again);
    let found = steady.differences(&other).into_iter().map(|one| {
        let none = || "-".to_owned();
        let [pytest, other] = [one.pytest, one.other].map(|text| text.unwrap_or_else(none));
        let key = one.key;
        format!("{:?} {}: {pytest} | {other}", key.kind, key.subject).replace('\n', "/")
    });
    found.collect()
}

#[test]
fn each_kind_of_difference_is_found() {
    for (base, other, expected) in [
        ("a passed\ncode 0", "a passed\ncode 1", "ExitCode : 0 | 1"),
        ("a passed\nb passed", "a passed", "Test b: present | -"),
        ("a passed", "a passed\nb passed", "Test b: - | present"),
        (
            "a[1.5s] passed\na[2.5s] passed",
            "a[1.5s] passed",
            "Test a[2.5s]: present | -",
        ),
        ("a passed", "a failed: no", "Outcome a: passed | failed"),
        ("a failed: x", "a failed: y", "Message a: x | y"),
        (
            "a passed\nb passed",
            "b passed\na passed",
            "Order : test 1 is a | test 1 is b",
        ),
        ("out x", "out y", "Output stdout: x | y"),
        ("file a x", "file a y", "File a: x | y"),
        ("file a x", "code 0", "File a: x | -"),
    ] {
        assert_eq!(
            found(base, &[base], other),
            [expected],
            "{base} and {other}"
        );
    }
}

#[test]
fn what_a_report_has_lost_is_found() {
    let facts = |sections: &[&str], others: &[&str]| {
        let report = |when: &str, sections: &[&str], others: &[&str]| Report {
            nodeid: "a".to_owned(),
            when: when.to_owned(),
            sections: sections
                .iter()
                .map(|name| (name.to_string(), "x".to_owned()))
                .collect(),
            others: others
                .iter()
                .map(|name| (name.to_string(), "1".to_owned()))
                .collect(),
            ..Report::default()
        };
        let reports = vec![
            report("setup", &["out"], &["mark"]),
            report("call", sections, others),
        ];
        let observation = Observation {
            reports,
            ..Observation::default()
        };
        let ran = Ran {
            observation: Some(observation),
            ..Ran::default()
        };
        Facts::of(&ran, &Normal::default(), Scope::OneProcess)
    };
    let base = facts(&["out"], &["mark"]);
    for (sections, others, expected) in [
        (&["out"][..], &["mark"][..], None),
        (&["out"], &[], Some("mark: no longer")),
        (
            &[],
            &["mark"],
            Some("sections: not those of the phase before"),
        ),
    ] {
        let found = Steady::of(&base, &[]).differences(&facts(sections, others));
        let found: Vec<_> = found.into_iter().map(|one| one.other).collect();
        let expected: Vec<_> = expected
            .map(|text| Some(text.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_pytest_itself_cannot_say_twice_is_no_difference() {
    for (base, again, other) in [
        // A flaky test, with all that is said of it.
        ("a failed: x", "a passed", "a failed: y"),
        // A test that is there now and then.
        ("a passed\nb passed", "a passed", "a passed"),
        // A random number in a message, and in what is printed.
        (
            "a failed: is 1/not 3",
            "a failed: is 2/not 3",
            "a failed: is 7/not 3",
        ),
        (
            "out seed 1\nout end",
            "out seed 2\nout end",
            "out seed 3\nout end",
        ),
        // More of it or less.
        (
            "out a\nout end",
            "out a\nout b\nout c\nout end",
            "out a\nout d\nout end",
        ),
        // A random order.
        (
            "a passed\nb passed\nc passed",
            "b passed\na passed\nc passed",
            "c passed\nb passed\na passed",
        ),
        // A file with a number in its name.
        ("file d/1 x", "file d/2 x", "file d/3 x"),
    ] {
        assert_eq!(found(base, &[again], other), Vec::<String>::new(), "{base}");
    }
}

#[test]
fn what_is_steady_beside_it_still_counts() {
    for (base, again, other, expected) in [
        (
            "a failed: is 1/not 3",
            "a failed: is 2/not 3",
            "a failed: is 7/not 4",
            "Message a: is 1/not 3 | is 7/not 4",
        ),
        (
            "out seed 1\nout mid\nout end",
            "out seed 2\nout mid\nout end",
            "out seed 3\nout mid\nout more\nout end",
            "Output stdout: seed 1/mid/end | seed 3/mid/more/end",
        ),
        (
            "a failed: x\nb passed",
            "a passed\nb passed",
            "a failed: x\nb failed",
            "Outcome b: passed | failed",
        ),
        // What varies must be there all the same.
        (
            "file a 1\na passed",
            "file a 2\na passed",
            "a passed",
            "File a: 1 | -",
        ),
        (
            "file d/1 x\nfile d/steady y",
            "file d/2 x\nfile d/steady y",
            "file d/3 x",
            "File d/steady: y | -",
        ),
        (
            "a passed\nb passed",
            "a failed: x\nb passed",
            "b passed",
            "Test a: present | -",
        ),
        // Neither of pytest's two.
        (
            "a passed\ncode 0",
            "a failed: x\ncode 1",
            "a passed\ncode 3",
            "ExitCode : 0 | 3",
        ),
    ] {
        assert_eq!(found(base, &[again], other), [expected], "{base}");
    }
}

#[test]
fn lines_may_come_in_another_order() {
    for (theirs, other, expected) in [
        ("c\nx\na", "a\nx\nc", true),
        ("c\nx\na", "x\nc\na", true),
        ("c\nx\na", "a\nb\nc", true),
        ("c\nx\na", "a\ny\nc", false),
        ("c\nx\na", "a\nx\nx\nc", false),
        ("c\nx\na", "x\nc", false),
    ] {
        let found = differs_in_lines_of("a\nb\nc", theirs, other);
        assert_eq!(found, expected, "{theirs} and {other}");
    }
}

#[test]
fn the_lines_that_differ_are_shown() {
    let lines = shown("a\nb\nc\nd\ne\nf\ng", "a\nb\nc\nx\ne\nf\ng");
    assert_eq!(lines, ["  b", "  c", "- d", "+ x", "  e", "  f"]);
}

fn tests() -> impl Strategy<Value = Vec<(String, bool, String)>> {
    proptest::collection::btree_map("[a-e]", (any::<bool>(), "[xy\n]{0,5}"), 1..6).prop_map(|map| {
        let tests = map.into_iter();
        tests
            .map(|(id, (passed, text))| (id, passed, text))
            .collect()
    })
}

fn facts(tests: &[(String, bool, String)], output: &str) -> Facts {
    let reports = tests.iter().map(|(nodeid, passed, text)| Report {
        nodeid: nodeid.clone(),
        when: "call".to_owned(),
        outcome: if *passed { "passed" } else { "failed" }.to_owned(),
        longrepr: (!passed).then(|| text.clone()),
        ..Report::default()
    });
    let ran = Ran {
        stdout: output.to_owned(),
        observation: Some(Observation {
            reports: reports.collect(),
            ..Observation::default()
        }),
        ..Ran::default()
    };
    Facts::of(&ran, &Normal::default(), Scope::OneProcess)
}

proptest! {
    #[test]
    fn a_run_does_not_differ_from_itself(tests in tests(), again in tests(), output in "[a-c\n]{0,9}") {
        let one = facts(&tests, &output);
        let other = [facts(&again, "x")];
        prop_assert_eq!(Steady::of(&one, &[]).differences(&one), []);
        prop_assert_eq!(Steady::of(&one, &other).differences(&one), []);
    }

    #[test]
    fn what_a_second_run_of_pytest_has_is_never_a_difference(
        one in tests(), other in tests(), output in "[a-c\n]{0,12}", others in "[a-c\n]{0,12}"
    ) {
        let one = facts(&one, &output);
        let other = facts(&other, &others);
        let again = [other.clone()];
        prop_assert_eq!(Steady::of(&one, &again).differences(&other), []);
    }

    #[test]
    fn another_order_is_exactly_a_difference_in_order(
        (tests, shuffled) in tests().prop_flat_map(|tests| (Just(tests.clone()), Just(tests).prop_shuffle()))
    ) {
        let (one, other) = (facts(&tests, ""), facts(&shuffled, ""));
        let found = Steady::of(&one, &[]).differences(&other);
        let kinds: Vec<Kind> = found.iter().map(|one| one.key.kind).collect();
        let expected: &[Kind] = if tests == shuffled { &[] } else { &[Kind::Order] };
        prop_assert_eq!(kinds, expected);
    }
}
