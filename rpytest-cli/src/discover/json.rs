//! Our own form of the tree. `docs/editor.md` describes it.

use std::io;
use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::tree::{Kind, List, Tree};
use crate::collect::{Found, NotFound};
use crate::convert::file_of;

/// The version of the form. Fields may be added to it; what is changed or taken away makes another one.
const FORMAT: u32 = 1;

#[derive(Debug)]
pub(crate) struct Document<'a> {
    rootdir: Option<&'a Path>,
    tests: usize,
    errors: Vec<Problem<'a>>,
    tree: Option<Tree<'a>>,
}

#[derive(Debug, Serialize)]
struct Problem<'a> {
    path: Option<&'a str>,
    line: Option<u32>,
    message: &'a str,
}

impl<'a> Document<'a> {
    pub fn new(found: &'a Result<Found, NotFound>) -> Self {
        match found {
            Ok(found) => Self::of(found),
            Err(error) => Self {
                rootdir: None,
                tests: 0,
                errors: vec![Problem {
                    path: None,
                    line: None,
                    message: &error.message,
                }],
                tree: None,
            },
        }
    }

    pub fn of(found: &'a Found) -> Self {
        // A folder may have a bracket in its name, too.
        let function = |nodeid: &str, _: &str| {
            let file = file_of(nodeid).len();
            let end = nodeid[file..].find('[').map(|at| file + at);
            nodeid[..end.unwrap_or(nodeid.len())].to_owned()
        };
        let errors = found.errors.iter().map(|error| Problem {
            path: Some(&error.path),
            line: error.line,
            message: &error.message,
        });
        Self {
            rootdir: Some(&found.rootdir),
            tests: found.files.iter().map(|file| file.items.len()).sum(),
            errors: errors.collect(),
            tree: Some(Tree::new(found, &found.rootdir, function)),
        }
    }

    /// As a value, for an answer of which it is a part.
    pub fn value(&self) -> io::Result<serde_json::Value> {
        Ok(serde_json::to_value(self)?)
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("format", &FORMAT)?;
        let rootdir = self.rootdir.map(Path::to_string_lossy);
        map.serialize_entry("rootdir", &rootdir)?;
        map.serialize_entry("tests", &self.tests)?;
        map.serialize_entry("errors", &self.errors)?;
        let tree = self.tree.as_ref().map(|tree| Shown { tree, at: 0 });
        map.serialize_entry("tree", &tree)?;
        map.end()
    }
}

struct Shown<'a> {
    tree: &'a Tree<'a>,
    at: usize,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let node = &self.tree.nodes[self.at];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", &node.kind)?;
        map.serialize_entry("id", &node.id)?;
        map.serialize_entry("name", &node.name)?;
        if matches!(node.kind, Kind::Folder | Kind::File) {
            map.serialize_entry("path", &node.path.to_string_lossy())?;
        } else {
            map.serialize_entry("line", &node.place.line)?;
            if node.place.elsewhere {
                map.serialize_entry("elsewhere", &true)?;
            }
        }
        if let Some(file) = node.file {
            let completeness = match file.reasons.is_empty() {
                true => "exact",
                false => "partial",
            };
            map.serialize_entry("completeness", completeness)?;
            map.serialize_entry("reasons", &file.reasons)?;
        }
        if let Some(item) = node.item {
            map.serialize_entry("marks", &item.marks)?;
        }
        if node.kind != Kind::Test {
            let tree = self.tree;
            let children = node.children.iter().map(|&at| Shown { tree, at });
            map.serialize_entry("children", &List(children))?;
        }
        map.end()
    }
}
