//! pytest-xdist's `--dist load`, `loadfile` and `worksteal`, written anew from its documentation (`docs/distribution.rst`, the
//! help of `--maxschedchunk` and `--loadscope-reorder`) and from what its schedulers are seen to do, in release 3.8.
//!
//! No worker dies here, so that nothing is said of that.

mod load;
mod loadfile;
mod worksteal;

pub use self::load::Load;
pub use self::loadfile::LoadFile;
pub use self::worksteal::WorkSteal;

/// A worker needs to know so many tests, the running one included.
const MUST_KNOW: usize = 2;

#[cfg(test)]
mod tests;
