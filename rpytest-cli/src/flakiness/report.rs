//! `rpytest --flaky-report`: what the last runs say of each test.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;

use rpytest_sched::flakiness::{Outcomes, RunOutcome, Runs, State, Verdict};
use serde::Serialize;

use crate::exit;

/// How many of the last outcomes are shown.
const SHOWN: usize = 20;

/// Version of what `--json` prints.
const VERSION: u32 = 1;

/// Prints it, and returns the exit code.
pub(crate) fn run(json: bool) -> u8 {
    match text(json) {
        Ok(text) => crate::print(text.as_bytes()),
        Err(error) => {
            eprintln!("rpytest: error: failed to {error}");
            exit::USAGE_ERROR
        }
    }
}

fn text(json: bool) -> Result<String, Box<dyn Error>> {
    let path = super::file_of_the_project()?;
    let outcomes = super::read(&path).map_err(|error| {
        let path = path.display();
        format!("read the outcomes of earlier runs in {path}: {error}; remove the file, and runs make it again")
    })?;
    let outcomes = outcomes.ok_or_else(|| {
        let path = path.display();
        format!("find {path}: a run that pytest may keep a cache of makes it")
    })?;
    Ok(if json {
        as_json(&outcomes)?
    } else {
        as_table(&outcomes, super::now())
    })
}

/// What matters most comes first: the state, then the rate, then the length of the streak.
fn sorted(outcomes: &Outcomes) -> Vec<(&str, &Runs, Verdict)> {
    let mut tests: Vec<_> = outcomes
        .iter()
        .map(|(key, runs)| (key, runs, runs.verdict()))
        .collect();
    tests.sort_by(|(key, _, one), (other_key, _, other)| {
        (one.state.cmp(&other.state))
            .then(other.rate.total_cmp(&one.rate))
            .then(other.streak.cmp(&one.streak))
            .then(key.cmp(other_key))
    });
    tests
}

fn as_table(outcomes: &Outcomes, now: u64) -> String {
    let mut text = String::new();
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    let tests = sorted(outcomes);
    let shown = |state| matches!(state, State::Flaky | State::Failing | State::Fixed);
    if tests.iter().any(|(.., verdict)| shown(verdict.state)) {
        // Writing to memory does not fail.
        let _ = writeln!(
            text,
            "{:<8} {:>4}  {:<10} {:<8} {:<8} {:<SHOWN$}  test",
            "state", "rate", "streak", "since", "seen", "last runs"
        );
    }
    for (key, runs, verdict) in &tests {
        *counts.entry(verdict.state).or_default() += 1;
        if !shown(verdict.state) {
            continue;
        }
        let streak = match verdict.is_bad {
            true => format!("{} failed", verdict.streak),
            false => format!("{} passed", verdict.streak),
        };
        let _ = writeln!(
            text,
            "{:<8} {:>3.0}%  {streak:<10} {:<8} {:<8} {:<SHOWN$}  {key}",
            name(verdict.state),
            verdict.rate * 100.0,
            age(now, runs.since()),
            age(now, runs.seen()),
            letters(runs),
        );
    }
    let count = |state| counts.get(&state).copied().unwrap_or_default();
    let _ = writeln!(
        text,
        "{} flaky, {} failing, {} fixed, {} stable, {} skipped",
        count(State::Flaky),
        count(State::Failing),
        count(State::Fixed),
        count(State::Stable),
        count(State::Skipped),
    );
    text
}

fn name(state: State) -> &'static str {
    match state {
        State::Flaky => "flaky",
        State::Failing => "failing",
        State::Fixed => "fixed",
        State::Stable => "stable",
        State::Skipped => "skipped",
        _ => "unknown",
    }
}

/// The last outcomes by pytest's letters, the newest last; `R` passed when it was run again, `C` took its process down.
fn letters(runs: &Runs) -> String {
    let all: Vec<char> = runs.iter().map(letter).collect();
    all[all.len().saturating_sub(SHOWN)..].iter().collect()
}

fn letter(outcome: RunOutcome) -> char {
    match outcome {
        RunOutcome::Passed => '.',
        RunOutcome::PassedAgain => 'R',
        RunOutcome::Failed => 'F',
        RunOutcome::Error => 'E',
        RunOutcome::Crashed => 'C',
        other => other.letter(),
    }
}

/// How long ago something was, in one unit.
fn age(now: u64, then: u64) -> String {
    let seconds = now.saturating_sub(then);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
struct Test<'a> {
    nodeid: &'a str,
    state: State,
    /// From 0 to 1.
    rate: f64,
    streak: u32,
    failing: bool,
    runs: u32,
    failed: u32,
    reruns: u32,
    /// Seconds since 1970.
    since: u64,
    last_seen: u64,
    /// The oldest first.
    outcomes: Vec<&'static str>,
}

fn as_json(outcomes: &Outcomes) -> Result<String, serde_json::Error> {
    let tests = sorted(outcomes).into_iter().map(|(nodeid, runs, verdict)| {
        let outcomes = runs.iter().map(|outcome| match outcome {
            RunOutcome::Passed => "passed",
            RunOutcome::PassedAgain => "passed-on-rerun",
            RunOutcome::Failed => "failed",
            RunOutcome::Error => "error",
            RunOutcome::Crashed => "crashed",
            RunOutcome::Skipped => "skipped",
            RunOutcome::Xfailed => "xfailed",
            RunOutcome::Xpassed => "xpassed",
            _ => "unknown",
        });
        Test {
            nodeid,
            state: verdict.state,
            rate: verdict.rate,
            streak: verdict.streak,
            failing: verdict.is_bad,
            runs: verdict.runs,
            failed: verdict.bad,
            reruns: verdict.reruns,
            since: runs.since(),
            last_seen: runs.seen(),
            outcomes: outcomes.collect(),
        }
    });
    let report = Report {
        version: VERSION,
        tests: tests.collect(),
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_most_comes_first() {
        let mut outcomes = Outcomes::new();
        for (key, letters) in [
            ("a::stable", "pppp"),
            ("a::fixed", "ppffp"),
            ("a::broken", "ppppffff"),
            ("a::rare", "ppppppfppppfp"),
            ("a::often", "pfpfpf"),
            ("a::again", "ppppr"),
            ("a::skipped", "ss"),
        ] {
            for (at, letter) in (1_000..).zip(letters.chars()) {
                let mut all = RunOutcome::ALL.into_iter();
                let outcome = all.find(|outcome| outcome.letter() == letter);
                outcomes.record(key, outcome.expect("a letter"), at);
            }
        }
        let table = as_table(&outcomes, 1_000 + 7_205);
        expect_test::expect![[r"
            state    rate  streak     since    seen     last runs             test
            flaky     83%  1 failed   2 h      2 h      .F.F.F                a::often
            flaky     31%  1 passed   1 h      1 h      ......F....F.         a::rare
            flaky     20%  5 passed   2 h      2 h      ....R                 a::again
            failing   12%  4 failed   2 h      1 h      ....FFFF              a::broken
            fixed     40%  1 passed   2 h      2 h      ..FF.                 a::fixed
            3 flaky, 1 failing, 1 fixed, 1 stable, 1 skipped
        "]]
        .assert_eq(&table);
        let json = as_json(&outcomes).expect("json");
        let report: serde_json::Value = serde_json::from_str(&json).expect("json");
        assert_eq!(report["version"], 1);
        let first = &report["tests"][0];
        assert_eq!(first["nodeid"], "a::often");
        assert_eq!(first["state"], "flaky");
        assert_eq!(first["outcomes"][1], "failed");
        assert_eq!(report["tests"].as_array().map(Vec::len), Some(7));
    }
}
