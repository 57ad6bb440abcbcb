//! Items below their folders, files, classes and functions, in the order in which each was first seen.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::name_of;
use crate::collect::{Found, FoundFile, FoundItem, Place};

/// As all documents call them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Folder,
    File,
    Class,
    /// Of which there are several, with parameters.
    Function,
    Test,
}

/// One of them. What it is about is borrowed from where it was found.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub kind: Kind,
    /// What nobody else below the same node has.
    pub id: String,
    pub name: String,
    /// Of the file or folder that it is, or is in.
    pub path: PathBuf,
    pub place: Place,
    pub file: Option<&'a FoundFile>,
    pub item: Option<&'a FoundItem>,
    pub children: Vec<usize>,
}

/// The root is node 0.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub nodes: Vec<Node<'a>>,
    /// By the parent and the id.
    known: HashMap<(usize, String), usize>,
}

impl<'a> Tree<'a> {
    /// Below a directory; one above it, if something is elsewhere. `id` says what an item that is one of several has in common
    /// with the others, given what of its id stands behind the file; that is the id of the function.
    pub fn new(found: &'a Found, root: &Path, function: impl Fn(&str, &str) -> String) -> Self {
        let paths: Vec<PathBuf> = (found.files.iter())
            .map(|file| crate::collect::absolute(&found.rootdir, &file.path))
            .collect();
        let mut root = root.to_owned();
        let filled = found.files.iter().zip(&paths);
        for (_, path) in filled.filter(|(file, _)| !file.items.is_empty()) {
            while !path.starts_with(&root) && root.pop() {}
        }
        let mut tree = Self {
            nodes: Vec::new(),
            known: HashMap::new(),
        };
        tree.nodes.push(Node {
            kind: Kind::Folder,
            id: String::new(),
            name: name_of(&root),
            path: root.clone(),
            place: Place::default(),
            file: None,
            item: None,
            children: Vec::new(),
        });
        for (file, path) in found.files.iter().zip(paths) {
            tree.add_file(found, &root, file, &path, &function);
        }
        tree
    }

    fn add_file(
        &mut self,
        found: &Found,
        root: &Path,
        file: &'a FoundFile,
        path: &Path,
        function: &impl Fn(&str, &str) -> String,
    ) {
        let mut above = 0;
        let mut folder = root.to_owned();
        let below = path.strip_prefix(root).unwrap_or(path);
        for part in below.parent().iter().flat_map(|parent| parent.components()) {
            folder.push(part);
            // As an argument would have it.
            let id = folder.strip_prefix(&found.rootdir).unwrap_or(&folder);
            let id = id.to_string_lossy().into_owned();
            above = self.child(above, Kind::Folder, id, &folder, |_| {});
        }
        let at = self.child(above, Kind::File, file.path.clone(), path, |node| {
            node.file = Some(file);
        });
        let places: HashMap<&str, Place> = (file.classes.iter())
            .map(|class| (class.name.as_str(), class.place))
            .collect();
        for item in &file.items {
            let rest = item.nodeid.strip_prefix(file.path.as_str());
            let rest = rest.and_then(|rest| rest.strip_prefix("::"));
            let rest = rest.unwrap_or(&item.nodeid);
            let mut parent = at;
            let mut begin = 0;
            // Parameters may have anything in them.
            let names = rest.split('[').next().unwrap_or(rest);
            for (end, _) in names.match_indices("::") {
                let Some(place) = places.get(&rest[..end]) else {
                    break;
                };
                let id = format!("{}::{}", file.path, &rest[..end]);
                parent = self.child(parent, Kind::Class, id, path, |node| {
                    node.name = rest[begin..end].to_owned();
                    node.place = *place;
                });
                begin = end + 2;
            }
            // What is behind the classes, for whoever nests in another way than by classes.
            let name = match names.rfind("::") {
                Some(last) if last + 2 > begin => &rest[last + 2..],
                _ => &rest[begin..],
            };
            let (own, parameters) = match name.find('[') {
                Some(at) if item.parametrized => name.split_at(at),
                _ => (name, ""),
            };
            if !parameters.is_empty() {
                let id = function(&item.nodeid, own);
                parent = self.child(parent, Kind::Function, id, path, |node| {
                    node.name = own.to_owned();
                    node.place = item.place;
                });
            }
            let shown = if parameters.is_empty() {
                own
            } else {
                parameters
            };
            self.child(parent, Kind::Test, item.nodeid.clone(), path, |node| {
                node.name = shown.to_owned();
                node.place = item.place;
                node.item = Some(item);
            });
        }
    }

    /// The child of that id, which is made if there is none.
    fn child(
        &mut self,
        above: usize,
        kind: Kind,
        id: String,
        path: &Path,
        fill: impl FnOnce(&mut Node<'a>),
    ) -> usize {
        let key = (above, id);
        if let Some(at) = self.known.get(&key) {
            return *at;
        }
        let at = self.nodes.len();
        let mut node = Node {
            kind,
            id: key.1.clone(),
            name: name_of(path),
            path: path.to_owned(),
            place: Place::default(),
            file: None,
            item: None,
            children: Vec::new(),
        };
        fill(&mut node);
        self.nodes.push(node);
        self.nodes[above].children.push(at);
        self.known.insert(key, at);
        at
    }
}

/// The elements of an iterator, as a list.
pub(super) struct List<I>(pub I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}
