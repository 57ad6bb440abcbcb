//! Chance that is the same everywhere.

/// A generator of random numbers, of which equal seeds give equal ones on every machine: "SplitMix64" (G. L. Steele, D. Lea,
/// C. H. Flood, *Fast splittable pseudorandom number generators*, 2014). It decides what goes wrong in a simulated pool, and is
/// there for whoever makes up the tasks for one.
///
/// ```
/// use rpytest_sched::simulate::Random;
///
/// let (mut one, mut other) = (Random::new(7), Random::new(7));
/// assert_eq!(one.part(), other.part());
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number from 0 to below 1, a multiple of 2^-53.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability. Nothing is drawn for one of 0.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.part() < probability
    }
}
