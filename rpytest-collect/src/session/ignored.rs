//! `collect_ignore` and `collect_ignore_glob` of conftests.

use std::path::{Path, PathBuf};

use crate::answer::Shared;
use crate::collector::normalized;
use crate::glob;

/// Which part of `collect_ignore` is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum IgnoredBy {
    Sure,
    /// What a conftest adds under a condition.
    Perhaps,
}

/// Whether the nearest `collect_ignore` or `collect_ignore_glob` above a file, or above a directory that it is in, names it.
pub(super) fn is_ignored(
    path: &Path,
    arguments: &[PathBuf],
    shared: &Shared,
    by: IgnoredBy,
) -> bool {
    if shared.ignored.is_empty() {
        return false;
    }
    path.ancestors()
        .take_while(|path| !arguments.iter().any(|argument| argument.starts_with(path)))
        .any(|path| {
            let text = path.to_string_lossy();
            // Each list is that of the nearest conftest that has it.
            [false, true].into_iter().any(|globs| {
                let nearest = path.ancestors().skip(1).find_map(|dir| {
                    let below = shared.ignored_below(dir)?;
                    let ignored = match globs {
                        true => below.globs.as_ref()?,
                        false => below.names.as_ref()?,
                    };
                    Some((dir, ignored))
                });
                let Some((dir, ignored)) = nearest else {
                    return false;
                };
                let names = match by {
                    IgnoredBy::Sure => &ignored.sure,
                    IgnoredBy::Perhaps => &ignored.perhaps,
                };
                names.iter().any(|name| {
                    let named = normalized(&dir.join(name));
                    match globs {
                        true => glob::fnmatch(&text, &named.to_string_lossy()),
                        false => named == path,
                    }
                })
            })
        })
}
