//! The shards of a run before Python has started, where the items are known from the source.
//!
//! Then a shard collects the files that it has tests of, and no others. What it finds in them must be what the source
//! says, to the last item: else all of it was for nothing, and the run begins again without.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use rpytest_ipc::Address;

use super::{Division, Shard};
use crate::args::RunArguments;
use crate::collect::{cache_of, foresee as known};
use crate::convert::file_of;
use crate::history::History;

/// A process that finds out which plugins there are takes some tenths of a second: as many seconds of imports as this
/// have to be saved by it.
const WORTH: f64 = 1.0;

/// What a shard will have.
#[derive(Debug)]
pub(crate) struct Foresight {
    pub division: Division,
    /// The files that it has tests of, absolute paths.
    pub only: Vec<PathBuf>,
    /// All items of these files.
    expected: HashSet<Address>,
    /// pytest's cache directory, with the durations that it was divided by.
    cache: PathBuf,
}

/// Divides what the arguments name, if that is known.
pub(crate) fn foresee(arguments: &RunArguments, shard: &Shard) -> Option<Foresight> {
    let may_learn = |below_cache: Option<&Path>| {
        let cache = cache_of(below_cache);
        let saved = cache.map_or(0.0, |cache| History::load(&cache).seconds_of_imports())
            * (1.0 - 1.0 / f64::from(shard.total));
        saved > WORTH
    };
    let foreseen = match known(arguments, may_learn) {
        Ok(foreseen) => foreseen?,
        Err(error) => {
            tracing::debug!(%error, "the shards are not known before the collection");
            return None;
        }
    };
    let cache = foreseen.inventory.cache.clone()?;
    let history = History::load(&cache);
    let division = Division::new(shard, foreseen.inventory.items.clone(), &history);
    let items = division.items();
    let ours = division
        .share()
        .into_iter()
        .filter_map(|position| items.get(position as usize));
    let only: BTreeSet<PathBuf> = ours.clone().map(|item| foreseen.file_of(item)).collect();
    let files: BTreeSet<&str> = ours.map(|item| file_of(&item.nodeid)).collect();
    let expected = items
        .iter()
        .filter(|item| files.contains(file_of(&item.nodeid)))
        .cloned()
        .collect();
    Some(Foresight {
        only: only.into_iter().collect(),
        expected,
        cache,
        division,
    })
}

impl Foresight {
    /// Whether the durations that it was divided by are those of the run.
    pub fn is_cached_in(&self, cache: Option<&Path>) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        cache.is_some_and(|cache| real(cache) == real(&self.cache))
    }

    /// Whether these are the items of its files.
    pub fn holds(&self, items: &[Address]) -> bool {
        items.len() == self.expected.len() && items.iter().all(|item| self.expected.contains(item))
    }
}
