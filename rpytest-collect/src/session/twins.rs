//! Test modules of one name.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::walk::Kind;

/// Test modules that Python would import by the same name, of which pytest refuses all but the first, by their positions.
pub(super) fn twins(files: &[(PathBuf, Kind)]) -> HashMap<usize, String> {
    let mut by_file: foldhash::HashMap<&OsStr, Vec<usize>> = foldhash::HashMap::default();
    for (at, (path, _)) in files.iter().enumerate() {
        if let Some(file) = path.file_name() {
            by_file.entry(file).or_default().push(at);
        }
    }
    let mut prefixes: HashMap<&Path, Vec<&OsStr>> = HashMap::new();
    let mut names: HashMap<(&[&OsStr], &OsStr), Vec<usize>> = HashMap::new();
    by_file.retain(|_, files| files.len() > 1);
    let dirs = by_file.values().flatten();
    for dir in dirs.filter_map(|&at| files[at].0.parent()) {
        prefixes.entry(dir).or_insert_with(|| {
            let packages = dir.ancestors();
            let packages = packages.take_while(|dir| dir.join("__init__.py").is_file());
            packages.filter_map(Path::file_name).collect()
        });
    }
    for (file, twins) in by_file {
        for at in twins {
            let prefix = files[at].0.parent().and_then(|dir| prefixes.get(dir));
            let prefix = prefix.map_or([].as_slice(), Vec::as_slice);
            names.entry((prefix, file)).or_default().push(at);
        }
    }
    let shared = names.into_iter().filter(|(_, twins)| {
        // A link to the same file is no other module.
        let real = |at: usize| std::fs::canonicalize(&files[at].0).ok();
        twins.len() > 1 && twins.iter().any(|&at| real(at) != real(twins[0]))
    });
    shared
        .flat_map(|((_, file), twins)| {
            let name = file.to_string_lossy().into_owned();
            twins.into_iter().map(move |at| (at, name.clone()))
        })
        .collect()
}
