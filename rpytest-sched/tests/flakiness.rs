//! What the outcomes of earlier runs say of a test.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rpytest_sched::flakiness::{BROKEN, KEPT, Outcomes, RunOutcome, Runs, SETTLED, State};

fn state(text: &str) -> State {
    text.parse::<Runs>().expect(text).verdict().state
}

#[test]
fn what_has_broken_a_test_is_told_from_what_makes_it_flaky() {
    for (runs, expected) in [
        ("p", State::Stable),
        ("50p", State::Stable),
        ("5pxX", State::Stable),
        ("3s", State::Skipped),
        ("", State::Skipped),
        // A change has broken it: from the first run on, and however long it stays so.
        ("40pf", State::Failing),
        ("40p10f", State::Failing),
        ("f", State::Failing),
        ("40p2f3s4ec", State::Failing),
        // It was mended.
        ("40p3fp", State::Fixed),
        ("28p3f19p", State::Fixed),
        ("30p3f17p", State::Fixed),
        ("20p3f20p", State::Stable),
        // It fails now and then.
        ("10pf10pf5p", State::Flaky),
        ("10pf10pf", State::Flaky),
        ("10pf10p4f", State::Flaky),
        ("pfpfpfpf", State::Flaky),
        // It passes when it is run again.
        ("30pr", State::Flaky),
        ("r", State::Flaky),
        ("r19p", State::Flaky),
        ("r20p", State::Stable),
        ("20prf", State::Flaky),
        // It did, and by now it is broken.
        ("10pf10p5f", State::Failing),
        ("20pr5f", State::Failing),
        // What is skipped neither ends a streak nor makes one.
        ("10pf2sf", State::Failing),
        ("10pfsp", State::Fixed),
    ] {
        assert_eq!(state(runs), expected, "{runs}");
    }
}

#[test]
fn a_verdict_has_numbers() {
    let verdict = "8pfprs4f".parse::<Runs>().expect("runs").verdict();
    assert_eq!((verdict.runs, verdict.bad, verdict.reruns), (15, 5, 1));
    assert_eq!((verdict.streak, verdict.is_bad), (4, true));
    // To bad, to good, a rerun, to bad.
    assert!((verdict.rate - 4.0 / 15.0).abs() < 1e-9, "{verdict:?}");
}

#[test]
fn a_streak_knows_when_it_began() {
    let mut outcomes = Outcomes::new();
    let all = [
        (RunOutcome::Passed, 10),
        (RunOutcome::Failed, 20),
        (RunOutcome::Skipped, 30),
        (RunOutcome::Crashed, 40),
    ];
    for (outcome, at) in all {
        outcomes.record("a.py::x", outcome, at);
    }
    outcomes.record("a.py::y", RunOutcome::Passed, 15);
    let runs = outcomes.get("a.py::x").expect("known");
    assert_eq!((runs.since(), runs.seen()), (20, 40));
    outcomes.prune_before(16);
    let left: Vec<_> = outcomes.iter().map(|(key, _)| key).collect();
    assert_eq!(left, ["a.py::x"]);
}

#[test]
fn a_run_that_was_recorded_elsewhere_is_added_once() {
    let run = |outcome, at| {
        let mut run = Outcomes::new();
        run.record("a.py::x", outcome, at);
        run
    };
    let mut outcomes = run(RunOutcome::Passed, 10);
    outcomes.add_newer(&run(RunOutcome::Failed, 20));
    let mut other = run(RunOutcome::Failed, 20);
    other.record("a.py::y", RunOutcome::PassedAgain, 20);
    outcomes.add_newer(&other);
    outcomes.add_newer(&run(RunOutcome::Skipped, 15));
    let known: Vec<_> = (outcomes.iter())
        .map(|(key, runs)| (key, runs.to_string(), runs.seen(), runs.since()))
        .collect();
    assert_eq!(
        known,
        [
            ("a.py::x", "pf".to_owned(), 20, 20),
            ("a.py::y", "r".to_owned(), 20, 20)
        ]
    );
}

#[test]
fn texts_that_are_no_outcomes_are_refused() {
    for text in ["q", "3", "p3", "0p", "51p", "30p30f", "99999999999p", "p p"] {
        assert!(text.parse::<Runs>().is_err(), "{text}");
    }
}

fn outcomes() -> impl Strategy<Value = Vec<RunOutcome>> {
    vec(select(RunOutcome::ALL.to_vec()), 0..120)
}

proptest! {
    #[test]
    fn the_last_outcomes_are_kept_and_survive_as_text(all in outcomes()) {
        let mut runs = Runs::default();
        for (at, outcome) in (0..).zip(&all) {
            runs.push(*outcome, at);
        }
        let kept = &all[all.len().saturating_sub(KEPT as usize)..];
        prop_assert_eq!(runs.iter().collect::<Vec<_>>(), kept);
        let read: Runs = runs.to_string().parse().expect("its own text");
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), kept);
        prop_assert_eq!(read.verdict(), runs.verdict());
    }

    #[test]
    fn long_streaks_decide(all in outcomes()) {
        let mut runs = Runs::default();
        for outcome in &all {
            runs.push(*outcome, 0);
        }
        let verdict = runs.verdict();
        prop_assert!((0.0..=1.0).contains(&verdict.rate));
        prop_assert!(verdict.streak <= verdict.runs && verdict.bad + verdict.reruns <= verdict.runs);
        let (mut broken, mut settled) = (runs.clone(), runs);
        for _ in 0..BROKEN {
            broken.push(RunOutcome::Failed, 1);
        }
        prop_assert_eq!(broken.verdict().state, State::Failing);
        for _ in 0..SETTLED {
            settled.push(RunOutcome::Passed, 1);
        }
        prop_assert_eq!(settled.verdict().state, State::Stable);
    }
}

#[cfg(feature = "serde")]
mod stored {
    use super::*;
    use rpytest_sched::flakiness::{OutcomeFile, OutcomeFileError};

    /// The form on disk. It changes with a new version only.
    const GOLDEN: &str = include_str!("golden/outcomes-1.json");

    fn known() -> Outcomes {
        let mut outcomes = Outcomes::new();
        for at in 1..=38 {
            outcomes.record("tests/test_a.py::test_x", RunOutcome::Passed, at);
        }
        for (at, outcome) in (39..).zip(RunOutcome::ALL) {
            outcomes.record("tests/test_a.py::test_x", outcome, at);
        }
        outcomes.record(
            "tests/test_\u{e4}.py::T::test_y[1-\u{1F980}]",
            RunOutcome::Passed,
            46,
        );
        outcomes
    }

    #[test]
    fn the_stored_form_is_as_recorded() {
        let text = serde_json::to_string_pretty(&OutcomeFile::from(&known())).expect("json");
        assert_eq!(text, GOLDEN.trim_end());
        let file: OutcomeFile = serde_json::from_str(GOLDEN).expect("json");
        assert_eq!(Outcomes::try_from(file), Ok(known()));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let read = |text: &str| -> OutcomeFileError {
            let file: OutcomeFile = serde_json::from_str(text).expect("json");
            Outcomes::try_from(file).expect_err(text)
        };
        for version in [0, 2] {
            let text = format!("{{\"version\": {version}, \"tests\": {{}}}}");
            assert_eq!(
                read(&text).to_string(),
                format!("read outcomes of version {version}, only 1 is known")
            );
        }
        let error = read(r#"{"version": 1, "tests": {"a": ["7q", 1, 1]}}"#);
        assert_eq!(error.to_string(), "read outcomes from \"7q\"");
    }
}
