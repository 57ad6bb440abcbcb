//! What the arguments and options of one run leave of a file's items.

use std::path::{Path, PathBuf};

use super::matching::{KeywordExpression, MarkExpression, Verdict};
use super::nodes::NodeArgument;
use crate::{CollectError, CollectedFile, Completeness, Item, Reason, glob};

/// `-k`, `-m`, `--deselect`, `--ignore` and `--ignore-glob`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) keyword: Option<KeywordExpression>,
    pub(crate) mark: Option<MarkExpression>,
    /// Prefixes of node ids.
    pub(crate) deselect: Vec<String>,
    /// Absolute paths.
    pub(crate) ignore: Vec<PathBuf>,
    /// Absolute patterns.
    pub(crate) ignore_globs: Vec<String>,
}

impl Selection {
    /// Whether a file, or a directory between it and the argument that it was found through, is ignored.
    /// An argument itself, and what is above one, never is (`Session.isinitpath`).
    pub(crate) fn leaves_out(&self, path: &Path, arguments: &[PathBuf]) -> bool {
        if self.ignore.is_empty() && self.ignore_globs.is_empty() {
            return false;
        }
        path.ancestors()
            .take_while(|path| !arguments.iter().any(|argument| argument.starts_with(path)))
            .any(|path| {
                let text = path.to_string_lossy();
                self.ignore.iter().any(|ignored| ignored == path)
                    || self
                        .ignore_globs
                        .iter()
                        .any(|pattern| glob::fnmatch(&text, pattern))
            })
    }

    /// Takes out what is deselected. A file in which that is not known of an item becomes partial.
    pub(crate) fn keep(&self, file: &mut CollectedFile) -> Result<(), CollectError> {
        if self.keyword.is_none() && self.mark.is_none() && self.deselect.is_empty() {
            return Ok(());
        }
        let mut unknown = None;
        let before = file.items.len();
        let mut kept = Vec::with_capacity(before);
        for item in std::mem::take(&mut file.items) {
            let id = item.id.as_str();
            if self.deselect.iter().any(|prefix| id.starts_with(prefix)) {
                continue;
            }
            match self.verdict(&item)? {
                (Verdict::Selected, _) => kept.push(item),
                (Verdict::Deselected, _) => {}
                (Verdict::Unknown, option) => {
                    unknown.get_or_insert(Reason::Selection {
                        option: option.to_owned(),
                        line: item.line,
                    });
                }
            }
        }
        match unknown {
            None => {
                file.deselected = before - kept.len();
                file.items = kept;
            }
            Some(reason) => file.completeness = Completeness::Partial(vec![reason]),
        }
        Ok(())
    }

    fn verdict(&self, item: &Item) -> Result<(Verdict, &'static str), CollectError> {
        let keyword = match &self.keyword {
            Some(keyword) => keyword.matches(item)?,
            None => Verdict::Selected,
        };
        if keyword == Verdict::Deselected {
            return Ok((keyword, "-k"));
        }
        let mark = match &self.mark {
            Some(mark) => mark.matches(item),
            None => Verdict::Selected,
        };
        Ok(match (keyword, mark) {
            (_, Verdict::Deselected) => (mark, "-m"),
            (Verdict::Unknown, _) => (keyword, "-k"),
            (_, mark) => (mark, "-m"),
        })
    }
}

/// The node ids among the arguments, by the file that they are in.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    files: Vec<(PathBuf, Vec<NodeArgument>)>,
    /// Files of which versions of pytest order the items differently.
    disputed: Vec<PathBuf>,
}

impl Nodes {
    /// `paths` are those of all arguments, in order.
    pub(crate) fn new(nodes: Vec<(PathBuf, NodeArgument)>, paths: &[PathBuf]) -> Self {
        let mut out = Self::default();
        for (path, node) in nodes {
            let whole = paths
                .iter()
                .any(|other| path.starts_with(other) && path != *other);
            if whole {
                continue;
            }
            match out.files.iter_mut().find(|(other, _)| *other == path) {
                Some((_, nodes)) => nodes.push(node),
                None => out.files.push((path, vec![node])),
            }
        }
        for (path, nodes) in &out.files {
            let given: Vec<usize> = (0..paths.len()).filter(|&at| paths[at] == *path).collect();
            let adjacent = given.windows(2).all(|pair| pair[0] + 1 == pair[1]);
            let overlap = nodes.iter().enumerate().any(|(at, one)| {
                nodes
                    .iter()
                    .enumerate()
                    .any(|(other, node)| at != other && one.covers(node))
            });
            if !adjacent || overlap || given.len() != nodes.len() {
                out.disputed.push(path.clone());
            }
        }
        out
    }

    /// Keeps the items that the arguments name, in the order of the arguments.
    pub(crate) fn keep(&self, path: &Path, file: &mut CollectedFile) -> Result<(), CollectError> {
        let Some((_, nodes)) = self.files.iter().find(|(other, _)| other == path) else {
            return Ok(());
        };
        if !file.completeness.is_exact() {
            return Ok(());
        }
        if self.disputed.iter().any(|other| other == path) {
            file.items.clear();
            file.completeness = Completeness::Partial(vec![Reason::Configuration {
                name: "overlapping arguments".to_owned(),
            }]);
            return Ok(());
        }
        let mut kept = Vec::new();
        for node in nodes {
            let before = kept.len();
            kept.extend(
                file.items
                    .iter()
                    .filter(|item| node.names_item(item))
                    .cloned(),
            );
            if kept.len() == before {
                // A class without tests is found by pytest, and has none. Names are not kept for those.
                file.items.clear();
                file.completeness = Completeness::Partial(vec![Reason::NodeNotFound {
                    name: node.names.join("::"),
                }]);
                return Ok(());
            }
        }
        file.items = kept;
        Ok(())
    }
}
