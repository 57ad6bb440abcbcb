//! Finds the manifests.

use std::io;
use std::path::{Path, PathBuf};

use super::proof::Part;
use crate::shard::manifest::{FILE, Manifest, ManifestError};

/// Why there is nothing to join. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
pub(super) enum PartsError {
    #[error("read {}: {source}", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error(
        "find a {FILE} in {directories}; rpytest --shard-dir=DIR leaves one in DIR for each shard"
    )]
    Nothing { directories: String },
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// The shards below directories, by their numbers.
pub(super) fn read(directories: &[PathBuf]) -> Result<Vec<Part>, PartsError> {
    let mut found = Vec::new();
    for directory in directories {
        find(directory, &mut found)
            .map_err(|(path, source)| PartsError::Directory { path, source })?;
    }
    found.sort();
    found.dedup();
    let mut parts = Vec::new();
    for directory in found {
        let manifest = Manifest::read(&directory.join(FILE))?;
        parts.push(Part {
            directory,
            manifest,
        });
    }
    if parts.is_empty() {
        let named = directories.iter().map(|path| path.display().to_string());
        return Err(PartsError::Nothing {
            directories: named.collect::<Vec<_>>().join(", "),
        });
    }
    parts.sort_by_key(|part| part.manifest.shard);
    Ok(parts)
}

/// Adds the directories with a manifest, at any depth. Links are not followed: they may lead anywhere.
fn find(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |source| (directory.to_owned(), source);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            find(&entry.path(), found)?;
        } else if entry.file_name() == FILE {
            found.push(directory.to_owned());
        }
    }
    Ok(())
}
