//! An answer as it is kept: without the path that each id begins with, and without the facts of items that have none,
//! which is most of what there would be to read.

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Wide};
use crate::{CollectedFile, Completeness, Diagnostic, Item, ItemFacts, NodeId};

#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    #[serde(borrow)]
    file: Option<PackedFile<'a>>,
    diagnostic: Option<Diagnostic>,
}

#[derive(Serialize, Deserialize)]
struct PackedFile<'a> {
    path: &'a str,
    #[serde(borrow)]
    items: Vec<PackedItem<'a>>,
    completeness: Completeness,
    wide: Wide,
}

/// What the id has after the path, the line, and the facts if there are any.
type PackedItem<'a> = (&'a str, u32, Option<ItemFacts>);

/// None if it cannot be kept: an answer before anything is selected has deselected nothing, and an id starts with
/// the path of its file.
pub(super) fn pack(answer: &Answer) -> Option<Vec<u8>> {
    let file = match &answer.file {
        Some((file, wide)) if file.deselected == 0 => {
            let items = file.items.iter().map(|item| {
                let rest = item.id.as_str().strip_prefix(file.path.as_str())?;
                let facts = (item.facts != ItemFacts::default()).then(|| item.facts.clone());
                Some((rest, item.line, facts))
            });
            Some(PackedFile {
                path: &file.path,
                items: items.collect::<Option<_>>()?,
                completeness: file.completeness.clone(),
                wide: wide.clone(),
            })
        }
        Some(_) => return None,
        None => None,
    };
    let packed = Packed {
        file,
        diagnostic: answer.diagnostic.clone(),
    };
    rmp_serde::to_vec(&packed).ok()
}

pub(super) fn unpack(bytes: &[u8]) -> Option<Answer> {
    let packed: Packed<'_> = rmp_serde::from_slice(bytes).ok()?;
    let file = packed.file.map(|file| {
        let item = |(rest, line, facts): PackedItem<'_>| Item {
            id: NodeId::new([file.path, rest].concat()),
            line,
            facts: facts.unwrap_or_default(),
        };
        let collected = CollectedFile {
            path: file.path.to_owned(),
            items: file.items.into_iter().map(item).collect(),
            deselected: 0,
            completeness: file.completeness,
        };
        (collected, file.wide)
    });
    Some(Answer {
        file,
        diagnostic: packed.diagnostic,
    })
}
