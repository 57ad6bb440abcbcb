//! Suites with the shapes that real ones have.
//!
//! The numbers come from two sources. The first is 17 projects that were run with rpytest (attrs, click, gunicorn, h2, httpx,
//! jinja2, jsonschema, starlette, ...; 170 to 7,800 tests each). A project's median is 0.04 to 10 ms, in the middle
//! 0.7 ms; the logarithm of its durations has a standard deviation of 0.9 to 1.9, and 0.06 to 0.7 of the square of that is
//! between files; the longest fiftieth has a tail with Hill's index 0.4 to 6, in the middle 1.3; files have 20 tests,
//! with a standard deviation of the logarithm of 1.5; from run to run a test of more than 20 ms varies by 0.2. The
//! second is what a web application, onegov-cloud, keeps for pytest-split: 3,600 tests with a median of 1 s and a standard deviation
//! of 2.7, 0.8 of the square of it between files of 4 tests, with 1.0. The shapes stand between the two.

use crate::random::Random;

/// How long the tests of a suite take. Files have a lognormal number of tests, with median 15 and standard deviation 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 20 ms each.
    Equal,
    /// Lognormal with median 20 ms and standard deviation 1.7, of whose square one half is between files.
    Lognormal,
    /// Pareto's distribution from 0.4 ms (median 0.7 ms) with index 1.3, up to 30 s: a library with a few tests that wait.
    HeavyTail,
    /// As lognormal, and whoever runs a test of a file after one of another file first pays for its fixtures:
    /// lognormal with median 0.2 s and standard deviation 1. How much that is in real suites was not measured.
    Fixtures,
}

impl Shape {
    pub const ALL: [Self; 4] = [
        Self::Equal,
        Self::Lognormal,
        Self::HeavyTail,
        Self::Fixtures,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Lognormal => "lognormal",
            Self::HeavyTail => "heavy tail",
            Self::Fixtures => "file fixtures",
        }
    }
}

/// Tests in collection order, with what they take and what an earlier run said that they take, in seconds.
pub struct Suite {
    /// What a test takes once its file's fixtures are set up.
    own: Vec<f64>,
    /// The file of each test. Files are numbered in collection order.
    pub file: Vec<u32>,
    /// What the fixtures of each file take.
    setup: Vec<f64>,
    /// What each test took in an earlier run, and what the fixtures of each file did.
    pub earlier: Vec<f64>,
    pub earlier_setup: Vec<f64>,
    /// The same for who does not tell them apart: the first test of each file paid for the fixtures, in one process.
    pub history: Vec<f64>,
    /// `own`, and what whole files take, the longest first.
    longest_tests: Vec<f64>,
    longest_files: Vec<f64>,
}

impl Suite {
    pub fn new(shape: Shape, tests: u32, seed: u64) -> Self {
        const SIGMA: f64 = 1.7;
        let half = SIGMA / 2f64.sqrt();
        let mut random = Random::new(seed);
        let (mut own, mut file, mut setup) = (Vec::new(), Vec::new(), Vec::new());
        while own.len() < tests as usize {
            let size = random.lognormal(15.0, 1.2).ceil() as usize;
            let median = random.lognormal(0.02, half);
            let fixtures = random.lognormal(0.2, 1.0);
            for _ in 0..size.min(tests as usize - own.len()) {
                file.push(setup.len() as u32);
                own.push(match shape {
                    Shape::Equal => 0.02,
                    Shape::Lognormal | Shape::Fixtures => random.lognormal(median, half),
                    Shape::HeavyTail => random.pareto(0.0004, 1.3).min(30.0),
                });
            }
            let pays = shape == Shape::Fixtures;
            setup.push(if pays { fixtures } else { 0.0 });
        }
        let varies = if shape == Shape::Equal { 0.0 } else { 0.2 };
        Self::of(own, file, setup, |cost| random.lognormal(cost, varies))
    }

    /// A suite of given durations, in files that are numbered from 0 in collection order.
    pub fn of(
        own: Vec<f64>,
        file: Vec<u32>,
        setup: Vec<f64>,
        mut earlier: impl FnMut(f64) -> f64,
    ) -> Self {
        let mut files = setup.clone();
        let earlier_own: Vec<f64> = own.iter().map(|&cost| earlier(cost)).collect();
        let earlier_setup: Vec<f64> = setup.iter().map(|&cost| earlier(cost)).collect();
        let mut history = Vec::new();
        let mut last = None;
        for ((&cost, &took), &file) in own.iter().zip(&earlier_own).zip(&file) {
            let began = last.replace(file) != Some(file);
            history.push(
                took + if began {
                    earlier_setup[file as usize]
                } else {
                    0.0
                },
            );
            files[file as usize] += cost;
        }
        let mut longest_tests = own.clone();
        longest_tests.sort_by(|one, two| two.total_cmp(one));
        files.sort_by(|one, two| two.total_cmp(one));
        Self {
            own,
            file,
            setup,
            earlier: earlier_own,
            earlier_setup,
            history,
            longest_tests,
            longest_files: files,
        }
    }

    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Seconds that a test takes in a process whose last test was one of the file `last`: pytest sets up the fixtures of
    /// a module when it comes from another one.
    pub fn cost(&self, test: u32, last: Option<u32>) -> f64 {
        let file = self.file[test as usize];
        let setup = if last == Some(file) {
            0.0
        } else {
            self.setup[file as usize]
        };
        self.own[test as usize] + setup
    }

    /// Seconds that no run on so many workers can be below.
    pub fn bound(&self, workers: u32) -> f64 {
        let total = self.own.iter().chain(&self.setup).sum::<f64>() / f64::from(workers);
        let alone = (0..self.len() as u32).map(|test| self.cost(test, None));
        let longest = alone.fold(0.0, f64::max);
        (total.max(longest)).max(bound(&self.longest_tests, workers))
    }

    /// Seconds that no run on so many workers can be below if files are to stay whole.
    pub fn whole_bound(&self, workers: u32) -> f64 {
        bound(&self.longest_files, workers)
    }
}

/// Of jobs that are sorted, the longest first: the mean load, the longest, and the two that must share a worker.
fn bound(jobs: &[f64], workers: u32) -> f64 {
    let mean = jobs.iter().sum::<f64>() / f64::from(workers);
    let longest = jobs.first().copied().unwrap_or(0.0);
    let workers = workers as usize;
    let pair = match (jobs.get(workers - 1), jobs.get(workers)) {
        (Some(one), Some(two)) => one + two,
        _ => 0.0,
    };
    mean.max(longest).max(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures_are_paid_for_when_the_file_changes() {
        let suite = Suite::of(vec![1.0, 2.0, 3.0], vec![0, 0, 1], vec![10.0, 0.5], |c| c);
        assert_eq!(suite.history, [11.0, 2.0, 3.5]);
        assert_eq!(suite.cost(1, Some(0)), 2.0);
        assert_eq!(suite.cost(1, Some(1)), 12.0);
        assert_eq!(suite.bound(1), 16.5);
        // The second test and the fixtures that it needs.
        assert_eq!(suite.bound(2), 12.0);
        assert_eq!(suite.whole_bound(2), 13.0);
    }

    #[test]
    fn two_of_three_long_jobs_share_one_of_two_workers() {
        assert_eq!(bound(&[3.0, 3.0, 3.0], 2), 6.0);
    }

    #[test]
    fn a_seed_gives_one_suite_of_the_size_that_was_asked_for() {
        for shape in Shape::ALL {
            let [one, two] = [1, 1].map(|seed| Suite::new(shape, 1_000, seed));
            assert_eq!(one.len(), 1_000);
            assert_eq!(one.history, two.history);
            assert!(one.file.windows(2).all(|two| two[1] - two[0] <= 1));
        }
    }

    #[test]
    fn the_shapes_are_what_they_are_said_to_be() {
        let median = |shape| {
            let suite = Suite::new(shape, 100_000, 1);
            (suite.longest_tests[50_000], suite.setup.len())
        };
        let (lognormal, files) = median(Shape::Lognormal);
        assert!((0.015..0.027).contains(&lognormal), "{lognormal}");
        assert!((2_700..3_500).contains(&files), "{files}");
        let (heavy, _) = median(Shape::HeavyTail);
        assert!((0.00065..0.00072).contains(&heavy), "{heavy}");
    }
}
