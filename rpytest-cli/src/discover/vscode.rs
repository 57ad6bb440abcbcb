//! The document that the Python extension of VS Code makes of a session with `--collect-only` by its plugin `vscode_pytest`, read at
//! its commit 03f6e24: `build_test_tree`, `send_discovery_message`.

use std::io;
use std::path::{Path, PathBuf};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::tree::{Kind, List, Tree};
use crate::collect::{Found, NotFound};

/// The variable that names the directory of the project, where a workspace has several.
const PROJECT: &str = "PROJECT_ROOT_PATH";

pub(super) struct Payload<'a> {
    cwd: PathBuf,
    tree: Option<Tree<'a>>,
    errors: Vec<String>,
}

impl<'a> Payload<'a> {
    pub fn new(found: &'a Result<Found, NotFound>) -> io::Result<Self> {
        let project = std::env::var_os(PROJECT).filter(|path| !path.is_empty());
        let project = project.map(PathBuf::from);
        let cwd = match &project {
            Some(project) => project.clone(),
            None => std::env::current_dir()?,
        };
        Ok(match found {
            Ok(found) => {
                let errors = found.errors.iter();
                Self {
                    cwd,
                    errors: errors
                        .map(|error| format!("{}: {}", error.path, error.message))
                        .collect(),
                    tree: Some(Tree::new(
                        found,
                        project.as_deref().unwrap_or(&found.rootdir),
                        function,
                    )),
                }
            }
            Err(error) => Self {
                cwd,
                tree: None,
                errors: vec![error.message.clone()],
            },
        })
    }
}

/// What it calls a function of several items, behind the file: `process_parameterized_test` looks for the last `::`, in the
/// parameters, too.
fn function(nodeid: &str, name: &str) -> String {
    let above = nodeid.rsplit_once("::").map_or(nodeid, |(above, _)| above);
    let classes = above.rsplit_once(".py").map_or("", |(_, classes)| classes);
    format!("{classes}::{name}")
}

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("cwd", &self.cwd.to_string_lossy())?;
        let status = if self.errors.is_empty() {
            "success"
        } else {
            "error"
        };
        map.serialize_entry("status", status)?;
        match &self.tree {
            Some(tree) => map.serialize_entry("tests", &Shown { tree, at: 0 })?,
            None => map.serialize_entry("tests", &Nothing(&self.cwd))?,
        }
        map.serialize_entry("error", &self.errors)?;
        map.end()
    }
}

/// The node of a session that came to nothing.
struct Nothing<'a>(&'a Path);

impl Serialize for Nothing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("name", "")?;
        map.serialize_entry("path", &self.0.to_string_lossy())?;
        map.serialize_entry("type_", "error")?;
        map.serialize_entry("id_", "")?;
        map.serialize_entry("children", &[(); 0])?;
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
        let path = node.path.to_string_lossy();
        // Ids are absolute: what they are relative to is the reader's question.
        let id = match node.kind {
            Kind::Folder | Kind::File => path.clone().into_owned(),
            Kind::Function => format!("{path}{}", node.id),
            Kind::Class | Kind::Test => match node.id.split_once("::") {
                Some((_, below)) => format!("{path}::{below}"),
                None => path.clone().into_owned(),
            },
        };
        let line = || (node.place.line).map_or_else(String::new, |line| line.to_string());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &node.name)?;
        map.serialize_entry("path", &path)?;
        map.serialize_entry("type_", &node.kind)?;
        map.serialize_entry("id_", &id)?;
        if matches!(node.kind, Kind::Class | Kind::Test) {
            map.serialize_entry("lineno", &line())?;
        }
        if node.kind == Kind::Test {
            map.serialize_entry("runID", &id)?;
        } else {
            let tree = self.tree;
            // A file or folder without tests has no node there.
            let children = (node.children.iter())
                .filter(|&&at| holds_tests(tree, at))
                .map(|&at| Shown { tree, at });
            map.serialize_entry("children", &List(children))?;
        }
        map.end()
    }
}

fn holds_tests(tree: &Tree<'_>, at: usize) -> bool {
    let node = &tree.nodes[at];
    node.kind == Kind::Test || node.children.iter().any(|&at| holds_tests(tree, at))
}
