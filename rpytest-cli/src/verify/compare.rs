//! The comparison itself: values in, values out.
//!
//! pytest has run more than once. In what its own runs differ nothing can be said of another's: such a fact, or such
//! lines of a text, are unsteady. Everything else must be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::facts::{Facts, Key, Kind};

/// For one text.
const PATIENCE: Duration = Duration::from_secs(3);

/// A fact that two runs do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) key: Key,
    /// None: it is not there.
    pub(super) pytest: Option<String>,
    /// The same of the other run.
    pub(super) other: Option<String>,
}

/// What pytest's own runs say.
#[derive(Debug)]
pub(super) struct Steady<'a> {
    base: &'a Facts,
    again: &'a [Facts],
    unsteady: Vec<Difference>,
    keys: BTreeSet<Key>,
    /// Whose outcomes are unsteady, so that nothing about them is certain.
    tests: BTreeSet<String>,
    /// In which files come and go.
    directories: BTreeSet<String>,
}

impl<'a> Steady<'a> {
    /// From a run of pytest, and further runs of it.
    pub(super) fn of(base: &'a Facts, again: &'a [Facts]) -> Self {
        let mut unsteady: BTreeMap<Key, Difference> = BTreeMap::new();
        for run in again {
            for difference in raw(base, run) {
                unsteady.entry(difference.key.clone()).or_insert(difference);
            }
        }
        let of_kind = |kinds: &'static [Kind]| {
            let keys = unsteady.keys().filter(|key| kinds.contains(&key.kind));
            keys.map(|key| key.subject.clone())
        };
        let directories = unsteady.values().filter(|one| {
            one.key.kind == Kind::File && (one.pytest.is_none() || one.other.is_none())
        });
        Self {
            base,
            again,
            tests: of_kind(&[Kind::Test, Kind::Outcome]).collect(),
            directories: directories.map(|one| parent(&one.key.subject)).collect(),
            keys: unsteady.keys().cloned().collect(),
            unsteady: unsteady.into_values().collect(),
        }
    }

    /// In what runs of pytest differ.
    pub(super) fn unsteady(&self) -> &[Difference] {
        &self.unsteady
    }

    /// In what a run differs from all that pytest has done.
    pub(super) fn differences(&self, run: &Facts) -> Vec<Difference> {
        let mut found = raw(self.base, run);
        found.retain(|difference| !self.is_excused(difference));
        found
    }

    fn is_excused(&self, difference: &Difference) -> bool {
        let Key { kind, subject, .. } = &difference.key;
        // A test that pytest has always had must be there, whatever comes of it.
        if kind.is_of_a_test() && *kind != Kind::Test && self.tests.contains(subject) {
            return true;
        }
        // And so must a file.
        let has_come = difference.pytest.is_none();
        if *kind == Kind::File && has_come && self.directories.contains(&parent(subject)) {
            return true;
        }
        let key = &difference.key;
        if !self.keys.contains(key) {
            return false;
        }
        let mut again = self.again.iter().map(|run| run.facts.get(key));
        match (&difference.pytest, &difference.other) {
            // Where pytest wavers between two, a third is another matter.
            (_, other) if *kind == Kind::ExitCode => again.any(|code| code == other.as_ref()),
            // It varies, but pytest has never been without it.
            (Some(_), None) => again.any(|text| text.is_none()),
            (Some(pytest), Some(other)) if is_text(*kind) => {
                // Where it is missing now and then, all of it is unsteady.
                let again: Option<Vec<&str>> = again.map(|text| text.map(String::as_str)).collect();
                again.is_none_or(|again| differs_where_unsteady(pytest, &again, other))
            }
            _ => true,
        }
    }
}

/// Whether single lines of it are compared.
pub(super) fn is_text(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::ExitCode | Kind::Test | Kind::Order | Kind::Outcome
    )
}

fn parent(path: &str) -> String {
    path.rsplit_once('/')
        .map_or("", |(parent, _)| parent)
        .to_owned()
}

/// All differences, whatever is steady. A test that is missing is one difference, and what follows from another
/// outcome none of its own.
fn raw(base: &Facts, run: &Facts) -> Vec<Difference> {
    let mut found = Vec::new();
    let keys: BTreeSet<&Key> = base.facts.keys().chain(run.facts.keys()).collect();
    let missing = |id: &str, facts: &Facts| {
        let key = Key::new(Kind::Test, id, "");
        !facts.facts.contains_key(&key)
    };
    let outcome = |key: &Key, facts: &Facts| {
        let key = Key::new(Kind::Outcome, &key.subject, &key.part);
        facts.facts.get(&key).cloned()
    };
    for key in keys {
        let (pytest, other) = (base.facts.get(key), run.facts.get(key));
        if pytest == other {
            continue;
        }
        let of_a_test = key.kind.is_of_a_test() && key.kind != Kind::Test;
        let known = !missing(&key.subject, base) || !missing(&key.subject, run);
        if of_a_test && known {
            if missing(&key.subject, base) || missing(&key.subject, run) {
                continue;
            }
            if key.kind != Kind::Outcome && outcome(key, base) != outcome(key, run) {
                continue;
            }
        }
        found.push(Difference {
            key: key.clone(),
            pytest: pytest.cloned(),
            other: other.cloned(),
        });
    }
    found.extend(other_order(base, run));
    found.sort_by(|one, other| one.key.cmp(&other.key));
    found
}

/// Whether the tests that both have come in another order.
fn other_order(base: &Facts, run: &Facts) -> Option<Difference> {
    let common = |one: &'_ [String], other: &[String]| -> Vec<String> {
        let other: BTreeSet<_> = other.iter().collect();
        one.iter()
            .filter(|id| other.contains(id))
            .cloned()
            .collect()
    };
    let pytest = common(&base.order, &run.order);
    let other = common(&run.order, &base.order);
    let at = (0..pytest.len()).find(|at| pytest[*at] != other[*at])?;
    let text = |ids: &[String]| Some(format!("test {} is {}", at + 1, ids[at]));
    Some(Difference {
        key: Key::new(Kind::Order, "", ""),
        pytest: text(&pytest),
        other: text(&other),
    })
}

/// Whether `other` differs from `base` only in lines in which one of `again` differs from it, too.
fn differs_where_unsteady(base: &str, again: &[&str], other: &str) -> bool {
    let lines: Vec<&str> = base.lines().collect();
    let mut unsteady = vec![false; lines.len()];
    // Between which lines there is sometimes more: before this one.
    let mut gaps = vec![false; lines.len() + 1];
    for text in again {
        for (old, _) in changes(&lines, &text.lines().collect::<Vec<_>>()) {
            unsteady[old.clone()].fill(true);
            // What takes the place of lines may be longer than they are.
            gaps[old.start..=old.end].fill(true);
        }
    }
    let other: Vec<&str> = other.lines().collect();
    changes(&lines, &other).into_iter().all(|(old, _)| {
        let gap = !old.is_empty() || gaps[old.start];
        gap && unsteady[old].iter().all(|unsteady| *unsteady)
    })
}

/// Whether `other` has no lines more and no lines less than `base` but such as `theirs` has more or less, too. Workers
/// bring them in any order.
pub(super) fn differs_in_lines_of(base: &str, theirs: &str, other: &str) -> bool {
    let mut counts: BTreeMap<&str, [i64; 3]> = BTreeMap::new();
    for (at, text) in [base, theirs, other].into_iter().enumerate() {
        for line in text.lines() {
            counts.entry(line).or_default()[at] += 1;
        }
    }
    counts.values().all(|[base, theirs, other]| {
        let (least, most) = (base.min(theirs), base.max(theirs));
        (least..=most).contains(&other)
    })
}

type Range = std::ops::Range<usize>;

/// Which lines of `old` are others in `new`.
fn changes(old: &[&str], new: &[&str]) -> Vec<(Range, Range)> {
    // Long texts that have little in common would take for ever; what is found then is coarser, and still true.
    let deadline = Instant::now().checked_add(PATIENCE);
    let ops = capture_diff_slices_deadline(Algorithm::Myers, old, new, deadline);
    let changed = ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    changed.map(|op| (op.old_range(), op.new_range())).collect()
}

/// The lines in which two texts differ, with a few around them: `-` is pytest's, `+` the other's.
pub(super) fn shown(pytest: &str, other: &str) -> Vec<String> {
    const AROUND: usize = 2;
    let (old, new): (Vec<_>, Vec<_>) = (pytest.lines().collect(), other.lines().collect());
    let mut out = Vec::new();
    let mut last = 0;
    for (from, to) in changes(&old, &new) {
        let start = from.start.saturating_sub(AROUND).max(last);
        if start > last && !out.is_empty() {
            out.push("...".to_owned());
        }
        out.extend(
            old[start..from.start]
                .iter()
                .map(|line| format!("  {line}")),
        );
        out.extend(old[from.clone()].iter().map(|line| format!("- {line}")));
        out.extend(new[to].iter().map(|line| format!("+ {line}")));
        last = from.end;
    }
    out.extend(
        old[last..]
            .iter()
            .take(AROUND)
            .map(|line| format!("  {line}")),
    );
    out
}

#[cfg(test)]
mod tests;
