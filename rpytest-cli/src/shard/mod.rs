//! One machine's part of a run that several machines share.
//!
//! Every machine divides the same items by the same durations in the same way, and runs its share. What it has divided and
//! what came of its share is written down (`manifest`), so that whoever joins the parts can prove that together they
//! are the whole (`rpytest merge`). A sharded run does not change the durations that shards are planned by, since
//! the next shard on the same machine would be divided otherwise; what it has measured lies beside its manifest.

pub(crate) mod ci;
mod division;
mod foresight;
mod info;
mod kept;
pub(crate) mod manifest;
pub(crate) mod strategy;

use std::path::PathBuf;

use rpytest_ipc::Address;
use rpytest_sched::shard::Strategy;

pub(crate) use self::division::Division;
pub(crate) use self::foresight::{Foresight, foresee};
pub(crate) use self::info::show;
pub(crate) use self::kept::{Artifacts, BELOW_CACHE, Kept};
use crate::args::ShardArguments;
use crate::history::History;
use crate::settings::Settings;

/// Which shard of how many, and how they are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub index: u32,
    pub total: u32,
    pub strategy: Strategy,
    /// `--shard-dir`.
    pub directory: Option<PathBuf>,
}

/// How many shards, and how they are made; and which of them it is, if that is said.
pub(crate) fn resolve(
    arguments: &ShardArguments,
    settings: &Settings,
) -> Result<(Shard, Option<u32>), ci::CiError> {
    let (index, total, origin) = ci::place(arguments, |name| std::env::var(name).ok())?;
    if origin == Some("Bazel") && !arguments.info {
        ci::tell_bazel();
    }
    let strategy = arguments.strategy.or(settings.default_shard_strategy);
    let shard = Shard {
        index: index.unwrap_or(0),
        total,
        strategy: strategy.unwrap_or_default(),
        directory: arguments.directory.clone(),
    };
    Ok((shard, index))
}

/// The shard of a session, from its division to what is kept of it.
#[derive(Debug)]
pub(crate) struct Sharding {
    shard: Shard,
    /// What was divided first; a process that collects later is answered by it, too.
    division: Option<Division>,
    /// What was known before the collection.
    foresight: Option<Foresight>,
    pub artifacts: Artifacts,
    /// pytest's cache directory.
    cache: Option<PathBuf>,
    /// Whether it runs what it has selected.
    runs: bool,
}

/// What was foreseen is not what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Surprise;

impl Sharding {
    pub fn new(shard: Shard, foresight: Option<Foresight>, runs: bool) -> Self {
        Self {
            shard,
            division: None,
            foresight,
            artifacts: Artifacts::default(),
            cache: None,
            runs,
        }
    }

    /// Where pytest has its cache, if it has one.
    ///
    /// # Errors
    ///
    /// If what was foreseen rests on another one.
    pub fn is_cached_in(&mut self, cache: Option<PathBuf>) -> Result<(), Surprise> {
        self.cache = cache;
        let foresight = self.foresight.as_ref();
        match foresight.is_none_or(|foresight| foresight.is_cached_in(self.cache.as_deref())) {
            true => Ok(()),
            false => Err(Surprise),
        }
    }

    /// The positions of this shard's items in a list, and what a session says of them.
    ///
    /// # Errors
    ///
    /// If other items were foreseen.
    pub fn divide(
        &mut self,
        items: Vec<Address>,
        history: &History,
    ) -> Result<(Vec<u32>, String), Surprise> {
        if self.division.is_none() {
            // Later, tests may have run: who comes then is given what it has of the same items.
            let division = match &self.foresight {
                Some(foresight) if !foresight.holds(&items) => return Err(Surprise),
                Some(foresight) => foresight.division.clone(),
                None => Division::new(&self.shard, items.clone(), history),
            };
            self.begin(division);
        }
        let answer = |division: &Division| (division.ours_of(&items), division.line());
        Ok(match &self.division {
            Some(division) if self.foresight.is_some() || division.items() == items => {
                answer(division)
            }
            // It is no part of this run, but for a controller that takes over from a crashed one.
            _ => answer(&Division::new(&self.shard, items.clone(), history)),
        })
    }

    fn begin(&mut self, division: Division) {
        if self.runs
            && let Some(kept) = self.kept()
        {
            // A shard that is killed leaves at least what it was to do.
            if let Err(error) = kept.begin(&division) {
                tracing::debug!(%error, "the manifest is written at the end");
            }
        }
        self.division = Some(division);
    }

    /// Whether there is nothing to run here, although there are tests.
    pub fn is_empty(&self) -> bool {
        let division = self.division.as_ref();
        division.is_some_and(|division| division.share().is_empty() && !division.items().is_empty())
    }

    pub fn division(&self) -> Option<&Division> {
        self.division.as_ref().filter(|_| self.runs)
    }

    /// For `--explain`.
    pub fn note(&self) -> Option<String> {
        let foresight = self.foresight.as_ref()?;
        let (files, all) = (foresight.only.len(), foresight.division.files());
        Some(format!(
            "the shards were known before Python started: {files} of {all} files were collected"
        ))
    }

    /// Where what is kept of it lies, if anywhere.
    pub fn kept(&self) -> Option<Kept> {
        Kept::of(&self.shard, self.cache.as_deref())
    }
}
