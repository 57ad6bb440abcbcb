//! Puts the items that are known and those that Python has collected into pytest's order.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use super::answer::Answer;
use super::python::Collected;
use super::store::Items;

/// A file of the walk, and its items if they are known without Python.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub path: String,
    pub items: Option<Items>,
}

impl Known {
    /// The same file, with nothing known of its items.
    pub fn without_items(self) -> Self {
        Self {
            items: None,
            ..self
        }
    }
}

/// The answer, where all is known.
pub(super) fn all_known(files: &[Known]) -> Option<Answer> {
    let mut answer = Answer::default();
    for file in files {
        let items = file.items.as_ref()?;
        answer.deselected += items.deselected;
        if !items.ids.is_empty() {
            answer.files.push((file.path.clone(), items.ids.clone()));
        }
    }
    Some(answer)
}

/// The whole answer, or why it is not known to be pytest's.
pub(super) fn merge(
    files: &[Known],
    collected: &Collected,
    counts: bool,
) -> Result<Answer, String> {
    check(files, collected, counts)?;
    let theirs: HashMap<&str, &Vec<String>> = collected
        .answer
        .files
        .iter()
        .map(|(path, ids)| (path.as_str(), ids))
        .collect();
    let mut answer = Answer::default();
    let mut deselected = collected.deselected.clone();
    for file in files {
        let found = theirs.get(file.path.as_str()).copied();
        let count = deselected.remove(&file.path);
        let ids = match (&file.items, found) {
            // A file that is named on the command line is never left out.
            (Some(known), Some(_)) if found != Some(&known.ids) => {
                return Err(format!("{} has other items than it seems", file.path));
            }
            (Some(known), _) => {
                answer.deselected += known.deselected;
                known.ids.clone()
            }
            (None, found) => {
                answer.deselected += count.unwrap_or_default();
                found.cloned().unwrap_or_default()
            }
        };
        if !ids.is_empty() {
            answer.files.push((file.path.clone(), ids));
        }
    }
    match deselected.keys().next() {
        None => Ok(answer),
        Some(path) => Err(format!("the walk does not have {path}")),
    }
}

/// Whether what Python says is all that it has to say, and stands where the walk would have it.
fn check(files: &[Known], collected: &Collected, counts: bool) -> Result<(), String> {
    let theirs = &collected.answer;
    if collected.exit != i32::from(theirs.exit_code()) {
        return Err(format!("pytest exits with {}", collected.exit));
    }
    if !theirs.is_all_of(&collected.output, counts) {
        return Err("pytest has more to say than ids".to_owned());
    }
    stands_with(files, collected)
}

/// Whether the items that Python has collected stand where the walk would have them, and the known ones beside them stay as they are.
pub(super) fn stands_with(files: &[Known], collected: &Collected) -> Result<(), String> {
    let theirs = &collected.answer;
    let known_parameters = files
        .iter()
        .filter_map(|file| file.items.as_ref())
        .flat_map(|items| &items.ids)
        .any(|id| id.ends_with(']'));
    if collected.wide.len() > 1 || (collected.wide.len() == 1 && known_parameters) {
        return Err(format!(
            "parameters of {} have a scope above a module's",
            collected.wide[0]
        ));
    }
    let mut seen = HashSet::new();
    if let Some((path, _)) = theirs.files.iter().find(|(path, _)| !seen.insert(path)) {
        return Err(format!("the items of {path} do not stand together"));
    }
    let mut walk = files.iter();
    for (path, _) in &theirs.files {
        if !walk.any(|file| file.path == *path) {
            return Err(format!("{path} stands where the walk does not have it"));
        }
    }
    Ok(())
}

/// The path of a file of a collection.
pub(crate) fn absolute(rootdir: &Path, path: &str) -> PathBuf {
    let mut out = rootdir.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
