//! Puts the items that are known and those that Python has collected into pytest's order.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use rpytest_collect::Collection;

use super::answer::Answer;
use super::python::Collected;

/// The whole answer, or why it is not known to be pytest's.
pub(super) fn merge(
    native: &Collection,
    collected: &Collected,
    counts: bool,
) -> Result<Answer, String> {
    check(native, collected, counts)?;
    let theirs: HashMap<&str, &Vec<String>> = collected
        .answer
        .files
        .iter()
        .map(|(path, ids)| (path.as_str(), ids))
        .collect();
    let mut answer = Answer {
        files: Vec::new(),
        deselected: collected.answer.deselected,
    };
    for file in &native.files {
        let known = file.completeness.is_exact();
        let ids: Vec<String> = match theirs.get(file.path.as_str()) {
            // A file that is named on the command line is never left out.
            Some(ids) if known => {
                let ours = file.items.iter().map(|item| item.id.as_str());
                if !ours.eq(ids.iter().map(String::as_str)) {
                    return Err(format!("{} has other items than it seems", file.path));
                }
                ids.to_vec()
            }
            Some(ids) => ids.to_vec(),
            None => file.items.iter().map(|item| item.id.to_string()).collect(),
        };
        if !(known && theirs.contains_key(file.path.as_str())) {
            answer.deselected += file.deselected;
        }
        if !ids.is_empty() {
            answer.files.push((file.path.clone(), ids));
        }
    }
    Ok(answer)
}

/// Whether what Python says is all that it has to say, and stands where the walk would have it.
fn check(native: &Collection, collected: &Collected, counts: bool) -> Result<(), String> {
    let theirs = &collected.answer;
    if collected.exit != i32::from(theirs.exit_code()) {
        return Err(format!("pytest exits with {}", collected.exit));
    }
    if !theirs.is_all_of(&collected.output, counts) {
        return Err("pytest has more to say than ids".to_owned());
    }
    let exact_parameters = native
        .files
        .iter()
        .filter(|file| file.completeness.is_exact())
        .flat_map(|file| &file.items)
        .any(|item| item.id.as_str().ends_with(']'));
    if collected.wide.len() > 1 || (collected.wide.len() == 1 && exact_parameters) {
        return Err(format!(
            "parameters of {} have a scope above a module's",
            collected.wide[0]
        ));
    }
    let mut seen = HashSet::new();
    if let Some((path, _)) = theirs.files.iter().find(|(path, _)| !seen.insert(path)) {
        return Err(format!("the items of {path} do not stand together"));
    }
    let mut walk = native.files.iter();
    for (path, _) in &theirs.files {
        if !walk.any(|file| file.path == *path) {
            return Err(format!("{path} stands where the walk does not have it"));
        }
    }
    Ok(())
}

/// The path of a file of a collection.
pub(super) fn absolute(rootdir: &Path, path: &str) -> PathBuf {
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
