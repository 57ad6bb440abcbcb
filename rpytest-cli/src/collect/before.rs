//! What is known of a command line's files before Python is asked.

use std::collections::HashSet;
use std::path::PathBuf;

use rpytest_collect::{CollectedFile, Collection, Settings};

use super::answer::Form;
use super::facts::Known as Environment;
use super::merge::Known;
use super::store::{Items, Record};

/// What is known before Python is asked.
pub(super) struct Before {
    pub settings: Settings,
    pub form: Form,
    pub keys: Keys,
    /// What is known of the environment.
    pub environment: Option<Environment>,
    /// Where the items are kept, if pytest has a cache there.
    pub kept_in: Option<PathBuf>,
    pub record: Option<Record>,
    pub native: Collection,
}

impl Before {
    /// The files of the walk, with the items of those that are known, and how many are from the cache.
    pub fn known(&self) -> (Vec<Known>, usize) {
        let marks = self.marks();
        let mut cached = 0;
        let files = self.native.files.iter().map(|file| {
            let items = match is_sure(file, &marks) {
                true => Some(Items {
                    ids: file.items.iter().map(|item| item.id.to_string()).collect(),
                    deselected: file.deselected,
                }),
                false => {
                    let items = self
                        .record
                        .as_ref()
                        .and_then(|record| record.items(&file.path));
                    cached += usize::from(items.is_some());
                    items.cloned()
                }
            };
            Known {
                path: file.path.clone(),
                items,
            }
        });
        (files.collect(), cached)
    }

    /// Whether the items of a file follow from its source.
    pub fn is_sure(&self, file: &CollectedFile) -> bool {
        is_sure(file, &self.marks())
    }

    /// The paths of the files, in pytest's order.
    pub fn walk(&self) -> impl Iterator<Item = &str> {
        self.native.files.iter().map(|file| file.path.as_str())
    }

    pub fn forget_cached(&self, files: &mut [Known]) {
        let marks = self.marks();
        for (known, file) in files.iter_mut().zip(&self.native.files) {
            known.items = known.items.take().filter(|_| is_sure(file, &marks));
        }
    }

    /// Whether nothing but the files could make a difference: the plugins are known, and so are the conftests.
    pub fn needs_no_python(&self) -> bool {
        let known = self
            .environment
            .as_ref()
            .is_some_and(|known| !known.listen());
        known && (self.native.conftests.is_empty() || self.record.is_some())
    }

    /// The marks that are known to be registered.
    fn marks(&self) -> HashSet<&str> {
        let environments = self
            .environment
            .iter()
            .flat_map(|known| &known.marks)
            .flatten();
        let projects = self.record.iter().flat_map(|record| &record.marks);
        let own = self.settings.marks.iter();
        own.chain(environments)
            .chain(projects)
            .map(String::as_str)
            .collect()
    }
}

/// Whether the items of a file are known, and pytest would not warn of a mark of theirs.
fn is_sure(file: &CollectedFile, marks: &HashSet<&str>) -> bool {
    file.completeness.is_exact()
        && file.items.iter().all(|item| {
            let all = item.facts.marks.iter().chain(&item.facts.possible_marks);
            all.map(|mark| mark.name.as_str())
                .all(|name| marks.contains(name))
        })
}

/// The names under which things are kept.
pub(super) struct Keys {
    /// Of what is known of the environment.
    pub environment: String,
    /// Of the items.
    pub items: String,
}

/// Our directory below pytest's cache directory, as `Cache.mkdir` of pytest makes it.
pub(crate) fn below_pytests_cache(settings: &Settings) -> Option<PathBuf> {
    let cache = settings.cache_dir.as_deref().unwrap_or(".pytest_cache");
    // Variables and homes are pytest's to expand.
    let plain = !cache.contains(['$', '~']);
    plain.then(|| settings.rootdir.join(cache).join("d/rpytest"))
}
