//! Local search: a piece of a longest machine goes to another, or changes places with one of its, or is cut.
//!
//! Each step makes the longest machine shorter and leaves the other of the two shorter than that one was, so that the
//! search ends, and ends no worse than it began.

use super::{Packing, Piece, Suite};

/// Whether pieces may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// They may not.
    Never,
    /// They may, where that makes the longest machine shorter by at least so many nanoseconds, and nothing else does.
    From(u64),
}

/// Pieces that change machines: first those that leave, then those that come.
#[derive(Clone, Debug, Default)]
struct Change {
    out: Vec<(usize, Piece)>,
    into: Vec<(usize, Piece)>,
}

struct Search<'a> {
    suite: &'a Suite,
    packing: Packing,
    left: u64,
    cuts: Cuts,
}

/// Shortens the longest machines until nothing helps, `bound` is reached, or so many candidates were looked at.
pub(super) fn search(
    suite: &Suite,
    packing: Packing,
    bound: u64,
    effort: u64,
    cuts: Cuts,
) -> Packing {
    let mut search = Search {
        suite,
        packing,
        left: effort,
        cuts,
    };
    // Where several machines are the longest, all must become shorter before anything is gained. Changes that came to
    // nothing are undone, so that no group is cut for them.
    let mut journal = Vec::new();
    let (mut best, mut kept) = (search.packing.makespan(), 0);
    while best > bound && search.left > 0 {
        let Some(change) = search.find() else { break };
        search.apply(&change);
        journal.push(change);
        let makespan = search.packing.makespan();
        if makespan < best {
            (best, kept) = (makespan, journal.len());
        }
    }
    for change in journal.drain(kept..).rev() {
        search.apply(&Change {
            out: change.into,
            into: change.out,
        });
    }
    search.packing
}

impl Search<'_> {
    fn apply(&mut self, change: &Change) {
        for &(machine, piece) in &change.out {
            self.packing.remove(self.suite, machine, piece);
        }
        for &(machine, piece) in &change.into {
            self.packing.add(self.suite, machine, piece);
        }
    }

    fn spend(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(steps as u64);
    }

    /// Something that makes the first of the longest machines shorter.
    fn find(&mut self) -> Option<Change> {
        let loads = &self.packing.loads;
        let longest = (0..loads.len())
            .rev()
            .max_by_key(|&machine| loads[machine])?;
        let mut others: Vec<usize> = (0..loads.len())
            .filter(|&machine| loads[machine] < loads[longest])
            .collect();
        others.sort_by_key(|&machine| loads[machine]);
        self.spend(others.len());
        for &other in &others {
            if self.left == 0 {
                return None;
            }
            if let Some(change) = self.exchange(longest, other) {
                return Some(change);
            }
        }
        let Cuts::From(least) = self.cuts else {
            return None;
        };
        for &other in &others {
            if self.left == 0 {
                return None;
            }
            if let Some(change) = self.cut(longest, other, least.max(1)) {
                return Some(change);
            }
        }
        None
    }

    /// The move or swap of whole pieces between two machines after which the longer of them is the shortest.
    fn exchange(&mut self, from: usize, to: usize) -> Option<Change> {
        let (suite, packing) = (self.suite, &self.packing);
        let (long, short) = (packing.loads[from], packing.loads[to]);
        let mut best = (long, Change::default());
        let mut theirs: Vec<(u64, Piece)> = (packing.machines[to].iter())
            .map(|&piece| (suite.weight(piece), piece))
            .collect();
        theirs.sort_unstable_by_key(|&(weight, piece)| (weight, piece.lo));
        for &piece in &packing.machines[from] {
            let leaves = packing.leaving(suite, from, piece);
            let enters = packing.entering(suite, to, piece);
            let after = (long - leaves).max(short + enters);
            if after < best.0 {
                let change = Change {
                    out: vec![(from, piece)],
                    into: vec![(to, piece)],
                };
                best = (after, change);
            }
            // The best piece to have for it would make both equally long.
            let wanted = suite.weight(piece).saturating_sub((long - short) / 2);
            let at = theirs.partition_point(|&(weight, _)| weight < wanted);
            for &(_, other) in &theirs[at.saturating_sub(1)..theirs.len().min(at + 1)] {
                let after = if other.group == piece.group {
                    let (ours, other) = (suite.work(piece), suite.work(other));
                    (long - ours + other).max(short - other + ours)
                } else {
                    let back = packing.entering(suite, from, other);
                    let rest = short - packing.leaving(suite, to, other);
                    (long - leaves + back).max(rest + enters)
                };
                if after < best.0 {
                    let change = Change {
                        out: vec![(from, piece), (to, other)],
                        into: vec![(to, piece), (from, other)],
                    };
                    best = (after, change);
                }
            }
        }
        let steps = 3 * packing.machines[from].len() + theirs.len();
        self.spend(steps);
        (best.0 < long).then_some(best.1)
    }

    /// The part of a piece which, moved to the other machine, leaves the longer of the two the shortest.
    fn cut(&mut self, from: usize, to: usize, least: u64) -> Option<Change> {
        let (suite, packing) = (self.suite, &self.packing);
        let (long, short) = (packing.loads[from], packing.loads[to]);
        let mut steps = 0;
        let mut best: Option<(u64, Piece, Piece)> = None;
        for &piece in &packing.machines[from] {
            steps += 1;
            let begin = packing.entering(suite, to, piece) - suite.work(piece);
            let Some(room) = (long - short).checked_sub(begin).filter(|&room| room > 0) else {
                continue;
            };
            if piece.len() < 2 {
                continue;
            }
            steps += piece.len() as usize;
            for part in parts(suite, piece, room / 2) {
                let moved = suite.work(part);
                let after = (long - moved).max(short + begin + moved);
                let gains = after.saturating_add(least) <= long;
                if gains && best.is_none_or(|(other, ..)| after < other) {
                    best = Some((after, piece, part));
                }
            }
        }
        self.spend(steps);
        let (_, piece, part) = best?;
        let head = Piece {
            hi: part.lo,
            ..piece
        };
        let tail = Piece {
            lo: part.hi,
            ..piece
        };
        let rest = [head, tail].into_iter().filter(|rest| rest.len() > 0);
        let mut into: Vec<(usize, Piece)> = rest.map(|rest| (from, rest)).collect();
        into.push((to, part));
        Some(Change {
            out: vec![(from, piece)],
            into,
        })
    }
}

/// Ends of a piece, and a task of it, that cost about as much as is wanted. None is all of it.
fn parts(suite: &Suite, piece: Piece, wanted: u64) -> impl Iterator<Item = Piece> {
    let work = |lo, hi| suite.work(Piece { lo, hi, ..piece });
    // The longest head and tail of at most that cost, and each with one task more.
    let (mut low, mut high) = (piece.lo, piece.hi);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if work(piece.lo, middle) <= wanted {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    let head = low;
    let (mut low, mut high) = (piece.lo, piece.hi);
    while low < high {
        let middle = low + (high - low) / 2;
        if work(middle, piece.hi) <= wanted {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let tail = low;
    let ends = [
        (piece.lo, head),
        (piece.lo, head + 1),
        (tail, piece.hi),
        (tail.saturating_sub(1), piece.hi),
    ];
    let single = (piece.lo..piece.hi).min_by_key(|&task| work(task, task + 1).abs_diff(wanted));
    let single = single.map(|task| (task, task + 1));
    (ends.into_iter().chain(single))
        .filter(move |&(lo, hi)| piece.lo <= lo && lo < hi && hi <= piece.hi)
        .filter(move |&(lo, hi)| (lo, hi) != (piece.lo, piece.hi))
        .map(move |(lo, hi)| Piece { lo, hi, ..piece })
}
