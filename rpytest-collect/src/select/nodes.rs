//! Node ids as arguments: `file.py::Class::test[parameters]`.

use crate::Item;

use super::matching::split_id;

/// An argument of the command line: a path, and which node of it is meant.
///
/// `resolve_collection_argument` of `_pytest/main.py`. The parameters are all that follows the first `[`,
/// so that they may hold `::`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeArgument {
    /// The path, as given.
    pub path: String,
    /// Classes and function. None for the whole of the path.
    pub names: Vec<String>,
    /// With their brackets. Without, an argument means all items of its function.
    pub parameters: Option<String>,
}

impl NodeArgument {
    /// Splits an argument. None where it has parameters and no name, which pytest refuses.
    #[must_use]
    pub fn parse(argument: &str) -> Option<Self> {
        let end = argument.find('[').unwrap_or(argument.len());
        let (base, parameters) = argument.split_at(end);
        let mut parts = base.split("::").map(str::to_owned);
        let path = parts.next()?;
        let names: Vec<String> = parts.collect();
        if names.is_empty() && !parameters.is_empty() {
            return None;
        }
        Some(Self {
            path,
            names,
            parameters: (!parameters.is_empty()).then(|| parameters.to_owned()),
        })
    }

    /// Whether the node is the item, or holds it. The paths are not compared.
    #[must_use]
    pub fn names_item(&self, item: &Item) -> bool {
        let (_, nodes) = split_id(item.id.as_str());
        let Some((last, above)) = self.names.split_last() else {
            return true;
        };
        let Some(node) = nodes.get(above.len()) else {
            return false;
        };
        let (name, parameters) = node.split_at(node.find('[').unwrap_or(node.len()));
        above.iter().zip(&nodes).all(|(a, b)| a == b)
            && name == last
            && self
                .parameters
                .as_ref()
                .is_none_or(|wanted| wanted == parameters)
    }

    /// Whether every node of the other argument is one of this, for the same path.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.names.starts_with(&self.names)
            && (self.parameters.is_none()
                || (self.names == other.names && self.parameters == other.parameters))
    }
}
