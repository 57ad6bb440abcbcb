//! An answer as it is kept. Items are most of what there is to read, so they are written by hand: without the path that
//! each id begins with, without facts where there are none, and without those that the item before has too.

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Wide};
use crate::{CollectedClass, CollectedFile, Completeness, Diagnostic, Item, ItemFacts, NodeId};

#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    #[serde(borrow)]
    file: Option<PackedFile<'a>>,
    diagnostic: Option<Diagnostic>,
}

#[derive(Serialize, Deserialize)]
struct PackedFile<'a> {
    path: &'a str,
    /// How many items there are.
    count: u32,
    /// What their ids have after the path, one after the other.
    ids: &'a str,
    /// Of each item: how long that is, the line, and what its facts are, with [`ELSEWHERE`].
    #[serde(with = "serde_bytes")]
    items: &'a [u8],
    completeness: Completeness,
    classes: Vec<(&'a str, u32, bool)>,
    wide: Wide,
}

/// The facts of an item: none, those of the item before, or what follows, with its length.
const NONE: u32 = 0;
const SAME: u32 = 1;
const OWN: u32 = 2;
/// Beside one of them: the line is in another file.
const ELSEWHERE: u32 = 4;

/// None if it cannot be kept: an answer before anything is selected has deselected nothing, and an id starts with
/// the path of its file.
pub(super) fn pack(answer: &Answer) -> Option<Vec<u8>> {
    let (mut ids, mut items) = (String::new(), Vec::new());
    let file = match &answer.file {
        Some((file, wide)) if file.deselected == 0 => {
            let mut before = None;
            for item in &file.items {
                let rest = item.id.as_str().strip_prefix(file.path.as_str())?;
                ids.push_str(rest);
                put(&mut items, u32::try_from(rest.len()).ok()?);
                put(&mut items, item.line);
                let elsewhere = if item.elsewhere { ELSEWHERE } else { 0 };
                if item.facts == ItemFacts::default() {
                    put(&mut items, NONE | elsewhere);
                } else if before == Some(&item.facts) {
                    put(&mut items, SAME | elsewhere);
                } else {
                    let facts = rmp_serde::to_vec(&item.facts).ok()?;
                    put(&mut items, OWN | elsewhere);
                    put(&mut items, u32::try_from(facts.len()).ok()?);
                    items.extend(facts);
                    before = Some(&item.facts);
                }
            }
            Some(PackedFile {
                path: &file.path,
                count: u32::try_from(file.items.len()).ok()?,
                ids: &ids,
                items: &items,
                completeness: file.completeness.clone(),
                classes: (file.classes.iter())
                    .map(|class| (class.name.as_str(), class.line, class.elsewhere))
                    .collect(),
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
    let file = match packed.file {
        Some(file) => {
            let collected = CollectedFile {
                path: file.path.to_owned(),
                items: items(&file)?,
                deselected: 0,
                classes: (file.classes.iter())
                    .map(|(name, line, elsewhere)| CollectedClass {
                        name: (*name).to_owned(),
                        line: *line,
                        elsewhere: *elsewhere,
                    })
                    .collect(),
                completeness: file.completeness,
            };
            Some((collected, file.wide))
        }
        None => None,
    };
    Some(Answer {
        file,
        diagnostic: packed.diagnostic,
    })
}

fn items(file: &PackedFile<'_>) -> Option<Vec<Item>> {
    let (mut ids, mut bytes) = (file.ids, file.items);
    // Each takes three bytes at least.
    let count = (file.count as usize).min(bytes.len() / 3);
    let mut items = Vec::with_capacity(count);
    let mut before = None;
    while !bytes.is_empty() {
        let (rest, later) = ids.split_at_checked(take(&mut bytes)? as usize)?;
        ids = later;
        let line = take(&mut bytes)?;
        let facts = take(&mut bytes)?;
        let elsewhere = facts & ELSEWHERE != 0;
        let facts = match facts & !ELSEWHERE {
            NONE => ItemFacts::default(),
            SAME => before.clone()?,
            OWN => {
                let length = take(&mut bytes)? as usize;
                let (facts, later) = bytes.split_at_checked(length)?;
                bytes = later;
                let facts: ItemFacts = rmp_serde::from_slice(facts).ok()?;
                before = Some(facts.clone());
                facts
            }
            _ => return None,
        };
        let mut id = String::with_capacity(file.path.len() + rest.len());
        id.push_str(file.path);
        id.push_str(rest);
        items.push(Item {
            id: NodeId::new(id),
            line,
            elsewhere,
            facts,
        });
    }
    (ids.is_empty() && items.len() == file.count as usize).then_some(items)
}

/// A number, seven bits a byte, the low ones first.
fn put(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mark, Reason};

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let marked = |name: &str| ItemFacts {
            marks: vec![Mark::new(name)],
            ..ItemFacts::default()
        };
        let facts = [
            ItemFacts::unknown(),
            ItemFacts::default(),
            marked("a"),
            marked("a"),
            ItemFacts::default(),
            marked("a"),
            marked("b"),
        ];
        let lines = [0, 1, 127, 128, 300_000, u32::MAX, 16_384];
        let item = |(facts, line): (ItemFacts, u32)| Item {
            id: NodeId::new(format!(
                "tést.py::test_{}[ä]",
                "x".repeat(line as usize % 300)
            )),
            line,
            elsewhere: line % 2 == 1,
            facts,
        };
        let file = CollectedFile {
            path: "tést.py".to_owned(),
            items: facts.into_iter().zip(lines).map(item).collect(),
            deselected: 0,
            classes: vec![CollectedClass {
                name: "TestA".to_owned(),
                line: 7,
                elsewhere: true,
            }],
            completeness: Completeness::Exact,
        };
        let partial = CollectedFile {
            path: "b.py".to_owned(),
            items: Vec::new(),
            deselected: 0,
            classes: Vec::new(),
            completeness: Completeness::Partial(vec![Reason::NoParser]),
        };
        let diagnostic = Diagnostic {
            path: "b.py".to_owned(),
            line: Some(3),
            message: "no".to_owned(),
        };
        for answer in [
            Answer {
                file: Some((file.clone(), Wide::new())),
                diagnostic: None,
            },
            Answer {
                file: Some((partial, Wide::new())),
                diagnostic: Some(diagnostic),
            },
            Answer {
                file: None,
                diagnostic: None,
            },
        ] {
            let packed = pack(&answer).expect("it can be packed");
            assert_eq!(unpack(&packed).expect("it can be unpacked"), answer);
            // Whatever is cut off, nothing panics.
            for length in 0..packed.len() {
                assert_eq!(unpack(&packed[..length]), None);
            }
        }
        let outside = CollectedFile {
            path: "c.py".to_owned(),
            ..file
        };
        let answer = Answer {
            file: Some((outside, Wide::new())),
            diagnostic: None,
        };
        assert_eq!(pack(&answer), None);
    }
}
