//! Pieces of groups dealt over machines, where a machine pays once for each group that it has a piece of.
//!
//! Plans and shards are made of this. First the pieces are dealt by LPT, longest processing time first; then
//! [`improve`] looks for something shorter, by MULTIFIT ([`multifit`]) and by local search ([`search`]).
//! All is integers, and decided by the order of the tasks given, never by that of a hash table.

mod multifit;
mod search;

use std::cmp::Reverse;
use std::collections::HashMap;

pub(crate) use self::search::Cuts;

use crate::lpt::{Machines, lower_bound};

/// Steps that are searched at most, where nothing else is said.
pub(crate) const EFFORT: u64 = 200_000;

/// How a plan was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// By LPT, longest processing time first: nothing better was found, or looked for.
    Lpt,
    /// By MULTIFIT.
    Multifit,
    /// By local search from one of the others.
    LocalSearch,
}

/// The tasks to be dealt, in an order in which those of a group are adjacent.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    /// Nanoseconds of all tasks before each one.
    before: Vec<u64>,
    /// The first task of each group, and the number of tasks.
    firsts: Vec<u32>,
    /// Nanoseconds that a machine pays to begin each group.
    begin: Vec<u64>,
}

/// The tasks `lo..hi` of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub group: u32,
    pub lo: u32,
    pub hi: u32,
}

impl Piece {
    fn len(self) -> u32 {
        self.hi - self.lo
    }
}

impl Suite {
    /// A suite without groups. `tasks` says about how many there will be.
    pub fn new(tasks: usize) -> Self {
        let mut before = Vec::with_capacity(tasks + 1);
        before.push(0);
        Self {
            before,
            firsts: vec![0],
            begin: Vec::new(),
        }
    }

    /// Adds a group of tasks of those costs.
    pub fn push(&mut self, begin: u64, costs: impl IntoIterator<Item = u64>) {
        let mut sum = self.total();
        for cost in costs {
            sum = sum.saturating_add(cost);
            self.before.push(sum);
        }
        self.firsts.push(self.before.len() as u32 - 1);
        self.begin.push(begin);
    }

    /// Nanoseconds of all tasks.
    fn total(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    pub fn work(&self, piece: Piece) -> u64 {
        self.before[piece.hi as usize] - self.before[piece.lo as usize]
    }

    pub fn begin(&self, group: u32) -> u64 {
        self.begin[group as usize]
    }

    /// What a piece costs a machine that has no other of its group.
    pub fn weight(&self, piece: Piece) -> u64 {
        self.work(piece).saturating_add(self.begin(piece.group))
    }

    /// Whether no group costs anything to begin.
    pub fn is_free(&self) -> bool {
        self.begin.iter().all(|&begin| begin == 0)
    }

    /// Whether sums may be so large that they are not exact.
    fn saturates(&self, machines: usize) -> bool {
        let begins: u128 = self.begin.iter().map(|&begin| u128::from(begin)).sum();
        begins * machines as u128 + u128::from(self.total()) >= u128::from(u64::MAX)
    }

    /// Each group as one piece.
    pub fn whole(&self) -> Vec<Piece> {
        (self.firsts.windows(2).zip(0..))
            .map(|(ends, group)| Piece {
                group,
                lo: ends[0],
                hi: ends[1],
            })
            .filter(|piece| piece.len() > 0)
            .collect()
    }

    /// Each task as one piece.
    pub fn singles(&self) -> Vec<Piece> {
        let single = |group, lo| Piece {
            group,
            lo,
            hi: lo + 1,
        };
        (self.whole().into_iter())
            .flat_map(|piece| (piece.lo..piece.hi).map(move |lo| single(piece.group, lo)))
            .collect()
    }

    /// Each group that costs more than a share cut into the fewest even pieces that do not, where the cost of beginning it
    /// leaves room for that.
    pub fn cut(&self, share: u64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for whole in self.whole() {
            let room = share.saturating_sub(self.begin(whole.group));
            if room == 0 || self.weight(whole) <= share {
                pieces.push(whole);
                continue;
            }
            let mut rest = whole;
            for left in (1..=self.work(whole).div_ceil(room)).rev() {
                let mut piece = Piece {
                    hi: rest.lo,
                    ..rest
                };
                let aim = self.work(rest).div_ceil(left);
                while piece.hi < rest.hi && (self.work(piece) < aim || left == 1) {
                    piece.hi += 1;
                }
                if piece.len() == 0 {
                    break;
                }
                pieces.push(piece);
                rest.lo = piece.hi;
            }
        }
        pieces
    }

    /// A machine's fair share of all work, with each group begun once; at least 1.
    pub fn share(&self, machines: usize) -> u64 {
        let begins = self
            .begin
            .iter()
            .fold(0u64, |sum, &one| sum.saturating_add(one));
        let all = self.total().saturating_add(begins);
        all.div_ceil(machines.max(1) as u64).max(1)
    }

    /// Nanoseconds that no arrangement on that many machines can be below, when groups stay whole.
    pub fn bound_whole(&self, machines: usize) -> u64 {
        let mut jobs: Vec<u64> = (self.whole().into_iter())
            .map(|piece| self.weight(piece))
            .collect();
        jobs.sort_unstable_by(|one, two| two.cmp(one));
        lower_bound(&jobs, machines)
    }

    /// The same, when each task may be anywhere. The mean load, with each group begun once; the longest task with its group's
    /// beginning; and, as two of the `machines + 1` longest tasks must share a machine, the two shortest of these with the
    /// cheapest beginning among them.
    pub fn bound_split(&self, machines: usize) -> u64 {
        let machines = machines.max(1);
        if self.total() == 0 && self.is_free() {
            return 0;
        }
        let mean = self.share(machines);
        let mut tasks: Vec<(u64, u64)> = (self.singles().into_iter())
            .map(|task| (self.work(task), self.begin(task.group)))
            .collect();
        let longest = tasks
            .iter()
            .map(|&(cost, begin)| cost.saturating_add(begin))
            .max();
        let mut pair = 0;
        if tasks.len() > machines {
            tasks.select_nth_unstable_by_key(machines, |&task| Reverse(task));
            let most = &tasks[..=machines];
            let cheapest = most.iter().map(|task| task.1).min().unwrap_or(0);
            let last = most[machines].0;
            let before = most[..machines]
                .iter()
                .map(|task| task.0)
                .min()
                .unwrap_or(0);
            pair = last.saturating_add(before).saturating_add(cheapest);
        }
        mean.max(longest.unwrap_or(0)).max(pair)
    }
}

/// Which machine has which pieces.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    pub machines: Vec<Vec<Piece>>,
    pub loads: Vec<u64>,
    /// How many pieces of a group a machine has, for groups that cost something to begin.
    held: HashMap<(usize, u32), u32>,
}

impl Packing {
    pub fn new(machines: usize) -> Self {
        Self {
            machines: vec![Vec::new(); machines],
            loads: vec![0; machines],
            held: HashMap::new(),
        }
    }

    /// Longest processing time first: each piece, in order of falling weight (at equal weight, in the order of tasks), to
    /// the machine with the least to do.
    pub fn lpt(suite: &Suite, pieces: &[Piece], machines: usize) -> Self {
        let mut packing = Self::new(machines);
        let mut pool = Machines::new(machines);
        for piece in longest_first(suite, pieces) {
            packing.add(suite, pool.give(suite.weight(piece)), piece);
        }
        packing
    }

    /// Whole groups by LPT, or groups that are cut where they cost more than a share, if that is shorter.
    pub fn whole_or_cut(suite: &Suite, share: u64, machines: usize) -> Self {
        let (whole, cut) = (suite.whole(), suite.cut(share));
        let uncut = Self::lpt(suite, &whole, machines);
        if cut.len() == whole.len() {
            return uncut;
        }
        let cut = Self::lpt(suite, &cut, machines);
        if cut.makespan() < uncut.makespan() {
            cut
        } else {
            uncut
        }
    }

    /// How many groups more than one machine has pieces of.
    pub fn split_groups(&self, suite: &Suite) -> usize {
        let mut owner: Vec<Option<usize>> = vec![None; suite.begin.len()];
        let mut split = vec![false; suite.begin.len()];
        for (nth, pieces) in self.machines.iter().enumerate() {
            for piece in pieces {
                let owner = owner[piece.group as usize].get_or_insert(nth);
                split[piece.group as usize] |= *owner != nth;
            }
        }
        split.iter().filter(|&&split| split).count()
    }

    pub fn makespan(&self) -> u64 {
        self.loads.iter().copied().max().unwrap_or(0)
    }

    fn add(&mut self, suite: &Suite, machine: usize, piece: Piece) {
        let cost = self.entering(suite, machine, piece);
        self.loads[machine] = self.loads[machine].saturating_add(cost);
        self.machines[machine].push(piece);
        if suite.begin(piece.group) > 0 {
            *self.held.entry((machine, piece.group)).or_default() += 1;
        }
    }

    fn remove(&mut self, suite: &Suite, machine: usize, piece: Piece) {
        let Some(at) = self.machines[machine]
            .iter()
            .position(|&other| other == piece)
        else {
            return;
        };
        let cost = self.leaving(suite, machine, piece);
        self.machines[machine].swap_remove(at);
        self.loads[machine] = self.loads[machine].saturating_sub(cost);
        if let Some(count) = self.held.get_mut(&(machine, piece.group)) {
            *count -= 1;
        }
    }

    fn holds(&self, machine: usize, group: u32) -> u32 {
        self.held.get(&(machine, group)).copied().unwrap_or(0)
    }

    /// What a machine has to do more with a piece.
    fn entering(&self, suite: &Suite, machine: usize, piece: Piece) -> u64 {
        let begin = suite.begin(piece.group);
        let pays = begin > 0 && self.holds(machine, piece.group) == 0;
        suite
            .work(piece)
            .saturating_add(if pays { begin } else { 0 })
    }

    /// What a machine has to do less without one of its pieces.
    fn leaving(&self, suite: &Suite, machine: usize, piece: Piece) -> u64 {
        let begin = suite.begin(piece.group);
        let paid = begin > 0 && self.holds(machine, piece.group) == 1;
        suite
            .work(piece)
            .saturating_add(if paid { begin } else { 0 })
    }

    /// The tasks of each machine, group after group: the group of which it has most first, tasks in their order.
    pub fn into_tasks(self, suite: &Suite) -> Vec<Vec<u32>> {
        let tasks = |mut pieces: Vec<Piece>| {
            pieces.sort_unstable_by_key(|piece| piece.lo);
            let mut groups: Vec<(u64, &[Piece])> = (pieces)
                .chunk_by(|one, two| one.group == two.group)
                .map(|group| (group.iter().map(|&piece| suite.work(piece)).sum(), group))
                .collect();
            // They are in the order of tasks, and stay so at equal cost.
            groups.sort_by_key(|&(work, _)| Reverse(work));
            (groups.iter().flat_map(|(_, group)| group.iter()))
                .flat_map(|piece| piece.lo..piece.hi)
                .collect()
        };
        self.machines.into_iter().map(tasks).collect()
    }
}

fn longest_first(suite: &Suite, pieces: &[Piece]) -> impl Iterator<Item = Piece> {
    let mut sorted: Vec<(Reverse<u64>, Piece)> = (pieces.iter())
        .map(|&piece| (Reverse(suite.weight(piece)), piece))
        .collect();
    sorted.sort_unstable_by_key(|&(weight, piece)| (weight, piece.lo));
    sorted.into_iter().map(|(_, piece)| piece)
}

/// Looks for a shorter arrangement, for at most so many steps. `bound` is one that none can be below.
pub(crate) fn improve(
    suite: &Suite,
    base: Packing,
    bound: u64,
    effort: u64,
    cuts: Cuts,
) -> (Packing, Method) {
    let machines = base.machines.len();
    if base.makespan() <= bound || machines < 2 || effort == 0 || suite.saturates(machines) {
        return (base, Method::Lpt);
    }
    let (mut best, mut method, mut left) = (base, Method::Lpt, effort);
    // A pass costs the same for any number of machines, and does the more good the fewer jobs there are.
    if let Some(fitted) = multifit::multifit(suite, &best, bound, effort / 2, &mut left) {
        (best, method) = (fitted, Method::Multifit);
    }
    let before = best.makespan();
    let best = search::search(suite, best, bound, left, cuts);
    if best.makespan() < before {
        method = Method::LocalSearch;
    }
    (best, method)
}
