//! Random numbers that are the same everywhere.

use std::f64::consts::TAU;

/// Numbers of the distributions that durations are drawn from.
pub struct Random(rpytest_sched::simulate::Random);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(rpytest_sched::simulate::Random::new(seed))
    }

    /// A number above 0, whose logarithm is needed, and at most 1.
    pub fn part(&mut self) -> f64 {
        self.0.part() + 1.0 / (1u64 << 53) as f64
    }

    /// A number of the standard normal distribution (G. E. P. Box, M. E. Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.part().ln()).sqrt();
        radius * (TAU * self.part()).cos()
    }

    /// A number whose logarithm is normal with standard deviation `sigma`.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// A number of Pareto's distribution, the least of which is `least`.
    pub fn pareto(&mut self, least: f64, index: f64) -> f64 {
        least / self.part().powf(1.0 / index)
    }
}
