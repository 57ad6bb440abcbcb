//! Byte offset to 1-based line.

/// Where the lines of a decoded source begin. Decoding has left no other line end than `\n`.
pub(super) struct Lines(Vec<u32>);

impl Lines {
    pub(super) fn new(source: &str) -> Self {
        let ends = memchr::memchr_iter(b'\n', source.as_bytes());
        let starts = ends.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX));
        Self(std::iter::once(0).chain(starts).collect())
    }

    pub(super) fn of(&self, at: impl Into<u32>) -> u32 {
        let at = at.into();
        u32::try_from(self.0.partition_point(|&start| start <= at)).unwrap_or(u32::MAX)
    }
}
