//! Who runs a suite on so many workers in what time.

use rpytest_sched::Grouping;
use rpytest_sched::shard::Strategy;

use crate::suites::{Shape, Suite};
use crate::{ours, pool, split, xdist};

/// Seconds that a message between the controller and a worker takes.
pub const LATENCY: f64 = 0.0002;

/// A way to run a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The dispatcher, with the durations of an earlier run.
    Second,
    /// The dispatcher, in a first run.
    First,
    Load,
    WorkSteal,
    WholeSecond,
    WholeFirst,
    LoadFile,
    Balanced,
    Least,
    Chunks,
    SplitLeast,
}

impl Way {
    /// Tests of a file may go to several workers.
    pub const SINGLE: [Self; 4] = [Self::Second, Self::First, Self::Load, Self::WorkSteal];
    /// Files stay whole.
    pub const WHOLE: [Self; 3] = [Self::WholeSecond, Self::WholeFirst, Self::LoadFile];
    /// Machines do not talk to each other.
    pub const SHARDS: [Self; 4] = [Self::Balanced, Self::Least, Self::Chunks, Self::SplitLeast];

    pub fn name(self) -> &'static str {
        match self {
            Self::Second | Self::WholeSecond => "rpytest, second run",
            Self::First | Self::WholeFirst => "rpytest, first run",
            Self::Load => "xdist load",
            Self::WorkSteal => "xdist worksteal",
            Self::LoadFile => "xdist loadfile",
            Self::Balanced => "`DurationBalanced`",
            Self::Least => "`LeastDuration`",
            Self::Chunks => "pytest-split `duration_based_chunks`",
            Self::SplitLeast => "pytest-split `least_duration`",
        }
    }

    pub fn is_ours(self) -> bool {
        !matches!(
            self,
            Self::Load | Self::WorkSteal | Self::LoadFile | Self::Chunks | Self::SplitLeast
        )
    }

    /// Seconds until the last worker has ended, over the seconds that no run can be below.
    fn ratio(self, suite: &Suite, workers: u32) -> f64 {
        let (single, whole) = (Grouping::Splittable, Grouping::Whole);
        let run =
            |known, grouping| ours::simulate(suite, workers, LATENCY, known, grouping).makespan;
        let xdist = |mut scheduler: Box<dyn pool::Scheduler>| {
            pool::makespan(suite, workers, LATENCY, &mut *scheduler)
        };
        let tests = suite.len() as u32;
        let shards = |shards: Vec<Vec<u32>>| split::makespan(suite, &shards);
        let seconds = match self {
            Self::Second => run(true, single),
            Self::First => run(false, single),
            Self::Load => xdist(Box::new(xdist::Load::new(tests, workers))),
            Self::WorkSteal => xdist(Box::new(xdist::WorkSteal::new(tests, workers))),
            Self::WholeSecond => run(true, whole),
            Self::WholeFirst => run(false, whole),
            Self::LoadFile => xdist(Box::new(xdist::LoadFile::new(&suite.file, workers))),
            Self::Balanced => shards(split::ours(suite, workers, Strategy::DurationBalanced)),
            Self::Least => shards(split::ours(suite, workers, Strategy::LeastDuration)),
            Self::Chunks => shards(split::duration_based_chunks(&suite.history, workers)),
            Self::SplitLeast => shards(split::least_duration(&suite.history, workers)),
        };
        seconds
            / if Self::WHOLE.contains(&self) {
                suite.whole_bound(workers)
            } else {
                suite.bound(workers)
            }
    }
}

/// One shape and size, tried in several ways.
pub struct Cell {
    pub shape: Shape,
    pub tests: u32,
    pub workers: u32,
    ratios: Vec<(Way, Vec<f64>)>,
}

impl Cell {
    /// Small suites are tried with many seeds, from 1: where durations are unknown, chance weighs more than what is compared.
    pub fn measure(shape: Shape, tests: u32, workers: u32, ways: &[Way]) -> Self {
        let mut ratios: Vec<(Way, Vec<f64>)> = ways.iter().map(|&way| (way, Vec::new())).collect();
        for seed in 1..=u64::from((300_000 / tests).clamp(1, 30)) {
            let suite = Suite::new(shape, tests, seed);
            for (way, found) in &mut ratios {
                found.push(way.ratio(&suite, workers));
            }
        }
        Self {
            shape,
            tests,
            workers,
            ratios,
        }
    }

    /// The mean over the seeds.
    pub fn ratio(&self, way: Way) -> Option<f64> {
        let (_, found) = self.ratios.iter().find(|(other, _)| *other == way)?;
        Some(found.iter().sum::<f64>() / found.len() as f64)
    }

    /// Where a competitor is better than one of ours, of those that do the same, by more than half a percent.
    pub fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        for ways in [&Way::SINGLE[..], &Way::WHOLE, &Way::SHARDS] {
            let (mine, others): (Vec<_>, Vec<_>) = (self.ratios.iter())
                .filter(|(way, _)| ways.contains(way))
                .partition(|(way, _)| way.is_ours());
            for (way, found) in mine {
                for (other, theirs) in &others {
                    for ((mine, theirs), seed) in found.iter().zip(theirs).zip(1..) {
                        if *mine > theirs * 1.005 {
                            losses.push(format!(
                                "{}, {} tests, {} workers, seed {seed}: {} {mine:.3}, {} {theirs:.3}",
                                self.shape.name(),
                                self.tests,
                                self.workers,
                                way.name(),
                                other.name(),
                            ));
                        }
                    }
                }
            }
        }
        losses
    }
}
