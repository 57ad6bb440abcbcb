//! What is in reports, without what two runs of pytest differ in.

use std::fs;

use serde_json::Value;

use crate::support::Project;
use crate::support::normal::normal_text;

/// A JSON file, without the values of some keys, wherever they are.
pub fn json_file(project: &Project, path: &str, without: &[&str]) -> Value {
    let text = normal_text(&project.read(path), project.base());
    let json = serde_json::from_str(&text);
    let mut json: Value = json.unwrap_or_else(|error| panic!("{path}: {error}\n{text}"));
    drop_keys(&mut json, without);
    json
}

/// Takes some keys out of all objects.
pub fn drop_keys(value: &mut Value, without: &[&str]) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !without.contains(&&**key));
            map.values_mut().for_each(|value| drop_keys(value, without));
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| drop_keys(value, without)),
        _ => {}
    }
}

/// Texts between two marks become something else.
pub fn between(text: &str, before: &str, after: &str, instead: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(before) {
        let (kept, tail) = rest.split_at(at + before.len());
        let Some(end) = tail.find(after) else { break };
        out.push_str(kept);
        out.push_str(instead);
        rest = &tail[end..];
    }
    out + rest
}

/// The paths of all files below a directory of the project, sorted.
pub fn files_below(project: &Project, directory: &str) -> Vec<String> {
    let root = project.root();
    let mut directories = vec![root.join(directory)];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(path) = path.strip_prefix(&root) {
                files.push(path.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}
