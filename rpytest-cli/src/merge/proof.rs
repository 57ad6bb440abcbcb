//! Whether the shards of a run are together the whole of it: each test in one of them, and with a result.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use crate::shard::manifest::Manifest;

/// A shard, and the directory that it has left.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub directory: PathBuf,
    pub manifest: Manifest,
}

/// Why the shards are not the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// In one line.
    pub what: String,
    /// The tests that it concerns.
    pub tests: Vec<String>,
}

impl Problem {
    fn new(what: String, tests: impl IntoIterator<Item = String>) -> Self {
        Self {
            what,
            tests: tests.into_iter().collect(),
        }
    }
}

/// How many tests a problem names, unless all are asked for.
const NAMED: usize = 50;

impl Problem {
    /// Writes it with the tests that it concerns, or as many as are named at most.
    pub fn write(&self, out: &mut impl fmt::Write, all: bool) -> fmt::Result {
        writeln!(out, "{}", self.what)?;
        let named = if all { self.tests.len() } else { NAMED };
        for test in self.tests.iter().take(named) {
            writeln!(out, "    {test}")?;
        }
        match self.tests.len().saturating_sub(named) {
            0 => Ok(()),
            more => writeln!(out, "    and {more} more, which -v names"),
        }
    }
}

/// All reasons why the parts, at least one, are not the whole of one run. Empty: each test ran, and once.
pub(super) fn check(parts: &[Part]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(first) = parts.first() else {
        return problems;
    };
    let other_run = |part: &&Part| {
        let (one, other) = (&first.manifest, &part.manifest);
        one.total != other.total || one.strategy != other.strategy || one.run != other.run
    };
    if let Some(other) = parts.iter().find(other_run) {
        let told = |part: &Part| {
            let Manifest {
                shard,
                total,
                strategy,
                run,
                ..
            } = &part.manifest;
            let directory = part.directory.display();
            let run = run
                .as_ref()
                .map_or_else(String::new, |run| format!(", {run}"));
            format!("{directory} is shard {shard} of {total} ({strategy}{run})")
        };
        let what = format!(
            "the shards are not of one run: {}, and {}; leave out what an earlier run has left",
            told(first),
            told(other)
        );
        return vec![Problem::new(what, [])];
    }
    problems.extend(repeated(parts));
    problems.extend(different_inventories(parts));
    problems.extend(different_histories(parts));
    problems.extend(assigned_otherwise_than_once(parts));
    problems.extend(without_a_result(parts));
    problems
}

/// Shards that have left more than one manifest.
fn repeated(parts: &[Part]) -> Vec<Problem> {
    let mut directories: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for part in parts {
        let of_shard = directories.entry(part.manifest.shard).or_default();
        of_shard.push(part.directory.display().to_string());
    }
    let several = directories.into_iter().filter(|(_, all)| all.len() > 1);
    let told = several.map(|(shard, all)| {
        let what = format!("shard {shard} ran {} times: {}", all.len(), all.join(", "));
        Problem::new(what, [])
    });
    told.collect()
}

/// Shards that divided other tests than the first one.
fn different_inventories(parts: &[Part]) -> Vec<Problem> {
    let first = &parts[0].manifest;
    let others = parts
        .iter()
        .filter(|part| part.manifest.inventory != first.inventory);
    let told = others.map(|part| {
        let (one, other) = (first, &part.manifest);
        let ours: BTreeSet<&String> = one.items.iter().collect();
        let theirs: BTreeSet<&String> = other.items.iter().collect();
        let named = |tests: Vec<&&String>, shard: u32| {
            let named = tests
                .into_iter()
                .map(move |test| format!("{test} (collected by shard {shard} only)"));
            named.collect::<Vec<_>>()
        };
        let mut tests = named(ours.difference(&theirs).collect(), one.shard);
        tests.extend(named(theirs.difference(&ours).collect(), other.shard));
        let what = format!(
            "shards {} and {} collected different tests: they must run the same code with the same options",
            one.shard, other.shard
        );
        Problem::new(what, tests)
    });
    told.collect()
}

/// Shards that were planned by other durations than the first one.
fn different_histories(parts: &[Part]) -> Vec<Problem> {
    let first = &parts[0].manifest;
    let others: Vec<u32> = (parts.iter().map(|part| &part.manifest))
        .filter(|other| other.history != first.history)
        .map(|other| other.shard)
        .collect();
    if others.is_empty() || !crate::shard::strategy::depends_on_durations(&first.strategy) {
        return Vec::new();
    }
    let others = others.iter().map(u32::to_string).collect::<Vec<_>>();
    let others = match &others[..] {
        [other] => format!("shard {other}"),
        _ => format!("shards {}", others.join(", ")),
    };
    let what = format!(
        "shard {} and {others} were planned by different durations: give every shard the same pytest cache, or none",
        first.shard,
    );
    vec![Problem::new(what, [])]
}

/// Tests that no shard was to run, or more than one.
fn assigned_otherwise_than_once(parts: &[Part]) -> Vec<Problem> {
    let mut shards_of: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for Part { manifest, .. } in parts {
        for item in &manifest.items {
            shards_of.entry(item).or_default();
        }
        for &position in &manifest.assigned {
            let item = &manifest.items[position as usize];
            shards_of.entry(item).or_default().insert(manifest.shard);
        }
    }
    let mut problems = Vec::new();
    let there: BTreeSet<u32> = parts.iter().map(|part| part.manifest.shard).collect();
    let missing: Vec<String> = (0..parts[0].manifest.total)
        .filter(|shard| !there.contains(shard))
        .map(|shard| shard.to_string())
        .collect();
    let nobodys: Vec<String> = (shards_of.iter())
        .filter(|(_, shards)| shards.is_empty())
        .map(|(item, _)| (*item).to_owned())
        .collect();
    if !missing.is_empty() {
        let what = format!(
            "there is no manifest of shard {} of {}; these tests have not run:",
            missing.join(", "),
            parts[0].manifest.total
        );
        problems.push(Problem::new(what, nobodys));
    } else if !nobodys.is_empty() {
        let what = "no shard was to run these tests:".to_owned();
        problems.push(Problem::new(what, nobodys));
    }
    let twice: Vec<String> = (shards_of.iter())
        .filter(|(_, shards)| shards.len() > 1)
        .map(|(item, shards)| {
            let shards: Vec<String> = shards.iter().map(u32::to_string).collect();
            format!("{item} (shards {})", shards.join(", "))
        })
        .collect();
    if !twice.is_empty() {
        let what = "more than one shard was to run these tests:".to_owned();
        problems.push(Problem::new(what, twice));
    }
    problems
}

/// Tests that a shard was to run, and of which it has no result.
fn without_a_result(parts: &[Part]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Part { manifest, .. } in parts {
        let has: BTreeSet<u32> = manifest.results.iter().map(|result| result.0).collect();
        let lacks = manifest.assigned.iter().filter(|item| !has.contains(item));
        let tests: Vec<String> = lacks
            .map(|item| manifest.items[*item as usize].clone())
            .collect();
        let shard = manifest.shard;
        let what = match manifest.exit {
            None => format!("shard {shard} never came to its end, and has no results"),
            Some(_) if tests.is_empty() => continue,
            Some(code) => format!("shard {shard} ended (exit code {code}) without a result of"),
        };
        problems.push(Problem::new(what, tests));
    }
    problems
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::history::History;
    use crate::ledger::{Spent, Status};
    use crate::shard::{Division, Shard};
    use rpytest_ipc::{Address, Outcome};
    use rpytest_sched::shard::Strategy;

    /// What a shard leaves that has run everything that it was to run.
    fn part(items: &[&str], index: u32, total: u32) -> Part {
        let shard = Shard {
            index,
            total,
            strategy: Strategy::DurationBalanced,
            directory: None,
        };
        let items = items.iter().map(|nodeid| Address {
            nodeid: (*nodeid).to_owned(),
            nth: 0,
        });
        let division = Division::new(&shard, items.collect(), &History::default());
        let passed = Status::Ended(Outcome::Passed, Spent::default());
        let mut manifest = Manifest::new(&division);
        let share = division.share();
        manifest.add(
            share
                .iter()
                .map(|position| (division.keys()[*position as usize].clone(), &passed)),
        );
        manifest.exit = Some(0);
        // Whatever runs these tests.
        manifest.run = None;
        Part {
            directory: PathBuf::from(format!("shard-{index}-of-{total}")),
            manifest,
        }
    }

    const SUITE: [&str; 4] = ["a.py::x", "b.py::x", "c.py::x", "d.py::x"];

    fn whole() -> Vec<Part> {
        (0..3).map(|index| part(&SUITE, index, 3)).collect()
    }

    fn problems(parts: &[Part], expected: Expect) {
        let mut text = String::new();
        for problem in check(parts) {
            problem.write(&mut text, false).expect("memory takes all");
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn shards_of_one_run_are_the_whole() {
        problems(&whole(), expect![""]);
        // In whatever order they collected, and however many there are for few tests.
        let mut backwards = SUITE;
        backwards.reverse();
        let mut parts: Vec<Part> = (0..9).map(|index| part(&SUITE, index, 9)).collect();
        parts[2] = part(&backwards, 2, 9);
        problems(&parts, expect![""]);
    }

    #[test]
    fn a_shard_that_is_missing_is_named_with_its_tests() {
        let mut parts = whole();
        parts.remove(0);
        problems(
            &parts,
            expect![[r#"
                there is no manifest of shard 0 of 3; these tests have not run:
                    a.py::x
                    d.py::x
            "#]],
        );
    }

    #[test]
    fn a_test_without_a_result_is_named() {
        let mut parts = whole();
        parts[0].manifest.results.pop();
        parts[1].manifest.results.clear();
        parts[1].manifest.exit = None;
        problems(
            &parts,
            expect![[r#"
                shard 0 ended (exit code 0) without a result of
                    d.py::x
                shard 1 never came to its end, and has no results
                    b.py::x
            "#]],
        );
    }

    #[test]
    fn shards_that_collected_otherwise_are_named_with_the_difference() {
        let mut parts = whole();
        parts[2] = part(&["a.py::x", "b.py::x", "c.py::x", "e.py::x"], 2, 3);
        problems(
            &parts,
            expect![[r#"
                shards 0 and 2 collected different tests: they must run the same code with the same options
                    d.py::x (collected by shard 0 only)
                    e.py::x (collected by shard 2 only)
                no shard was to run these tests:
                    e.py::x
            "#]],
        );
    }

    #[test]
    fn shards_that_were_planned_otherwise_are_named_with_what_ran_twice() {
        let mut parts = whole();
        parts[1].manifest.history = "another".to_owned();
        parts[1].manifest.assigned = parts[2].manifest.assigned.clone();
        parts[1].manifest.results = parts[2].manifest.results.clone();
        problems(
            &parts,
            expect![[r#"
                shard 0 and shard 1 were planned by different durations: give every shard the same pytest cache, or none
                no shard was to run these tests:
                    b.py::x
                more than one shard was to run these tests:
                    c.py::x (shards 1, 2)
            "#]],
        );
    }

    #[test]
    fn manifests_of_two_runs_are_no_run() {
        let mut parts = whole();
        parts.push(part(&SUITE, 3, 4));
        problems(
            &parts,
            expect![[r#"
                the shards are not of one run: shard-0-of-3 is shard 0 of 3 (duration_balanced), and shard-3-of-4 is shard 3 of 4 (duration_balanced); leave out what an earlier run has left
            "#]],
        );
        let mut parts = whole();
        parts[2].manifest.run = Some("CI_PIPELINE_ID=7".to_owned());
        problems(
            &parts,
            expect![[r#"
                the shards are not of one run: shard-0-of-3 is shard 0 of 3 (duration_balanced), and shard-2-of-3 is shard 2 of 3 (duration_balanced, CI_PIPELINE_ID=7); leave out what an earlier run has left
            "#]],
        );
        let mut parts = whole();
        parts.push(part(&SUITE, 1, 3));
        parts[3].directory = PathBuf::from("again");
        problems(
            &parts,
            expect![[r#"
                shard 1 ran 2 times: shard-1-of-3, again
            "#]],
        );
    }
}
