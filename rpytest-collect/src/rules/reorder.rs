//! The order of items that share parameters of a wider scope than the function.
//!
//! pytest puts items with the same parameter next to each other, so that its fixture is set up once. What
//! "the same" means has changed: by the index of the parameter set up to pytest 9.1, by its value since; and
//! the parameter that counts first was the last by name in 8.0. Orders that differ between these are not known.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::scope::Scope;
use super::value::Value;

/// A parameter of an item, of a scope wider than the function.
#[derive(Debug, Clone)]
pub(crate) struct Key<'a> {
    pub(crate) argument: String,
    pub(crate) scope: Scope,
    /// Which of its parameter sets.
    pub(crate) index: usize,
    /// Whether the value is the test's and not for a fixture; it then was numbered by the item.
    pub(crate) direct: bool,
    pub(crate) value: Value<'a>,
}

/// An item with its parameters, in the order in which they were given.
#[derive(Debug)]
pub(crate) struct Keyed<'i, 'a> {
    pub(crate) keys: &'i [Key<'a>],
    /// The class that it is in.
    pub(crate) class: &'i str,
    /// Which of the items of its function it is.
    pub(crate) call: usize,
}

#[derive(Debug, Clone, Copy)]
enum Version {
    /// 8.0: by index, names sorted.
    Sorted,
    /// 8.1 to 9.1: by index.
    Index,
    /// By value, where it can be hashed.
    Value,
}

/// The order of items of one file: positions of `items`. None where it depends on the version of pytest, or is
/// not known.
pub(crate) fn order(items: &[Keyed<'_, '_>], pytest: Option<(u32, u32)>) -> Option<Vec<usize>> {
    let plain: Vec<usize> = (0..items.len()).collect();
    if items.iter().all(|item| item.keys.is_empty()) || items.len() < 3 {
        return Some(plain);
    }
    let versions: &[Version] = match pytest {
        Some(version) if version >= (9, 2) => &[Version::Value],
        _ => &[Version::Sorted, Version::Index, Version::Value],
    };
    let orders: Vec<Vec<usize>> = versions
        .iter()
        .map(|&version| Some(Reorder::new(items, version)?.run(plain.clone(), WIDE.len())))
        .collect::<Option<_>>()?;
    let [first, rest @ ..] = orders.as_slice() else {
        return None;
    };
    rest.iter()
        .all(|order| order == first)
        .then(|| first.clone())
}

/// From the narrowest to the widest.
const WIDE: [Scope; 4] = [Scope::Class, Scope::Module, Scope::Package, Scope::Session];

/// `reorder_items` of `_pytest/fixtures.py`, with numbers for items and keys.
struct Reorder {
    /// For each scope, the keys of each item in order.
    keys: Vec<Vec<Vec<usize>>>,
    /// For each scope, the items of each key in order.
    items: Vec<HashMap<usize, VecDeque<usize>>>,
}

impl Reorder {
    fn new(items: &[Keyed<'_, '_>], version: Version) -> Option<Self> {
        let mut out = Self {
            keys: vec![vec![Vec::new(); items.len()]; WIDE.len()],
            items: vec![HashMap::new(); WIDE.len()],
        };
        for (level, scope) in WIDE.into_iter().enumerate() {
            let mut known: BTreeMap<(String, String), Vec<(Identity<'_>, usize)>> = BTreeMap::new();
            let mut count = 0;
            for (at, item) in items.iter().enumerate() {
                let mut keys: Vec<&Key<'_>> =
                    item.keys.iter().filter(|key| key.scope == scope).collect();
                if matches!(version, Version::Sorted) {
                    keys.sort_by(|a, b| a.argument.cmp(&b.argument));
                }
                for key in keys {
                    let class = if scope == Scope::Class {
                        item.class
                    } else {
                        ""
                    };
                    let group = known
                        .entry((key.argument.clone(), class.to_owned()))
                        .or_default();
                    let identity = Identity::of(key, item.call, version)?;
                    let mut number = None;
                    for (other, known) in group.iter() {
                        if other.is(&identity)? {
                            number = Some(*known);
                            break;
                        }
                    }
                    let number = number.unwrap_or_else(|| {
                        count += 1;
                        group.push((identity, count));
                        count
                    });
                    if !out.keys[level][at].contains(&number) {
                        out.keys[level][at].push(number);
                        out.items[level].entry(number).or_default().push_back(at);
                    }
                }
            }
        }
        Some(out)
    }

    /// `reorder_items_atscope`; `level` counts the scopes below and including the current one.
    fn run(&mut self, items: Vec<usize>, level: usize) -> Vec<usize> {
        let Some(scope) = level.checked_sub(1) else {
            return items;
        };
        if items.len() < 3 {
            return items;
        }
        let members: HashSet<usize> = items.iter().copied().collect();
        let mut pending: VecDeque<usize> = items.into();
        let mut ignored: HashSet<usize> = HashSet::new();
        let mut done: Vec<usize> = Vec::new();
        let mut is_done: HashSet<usize> = HashSet::new();
        while !pending.is_empty() {
            let mut without: Vec<usize> = Vec::new();
            let mut in_without: HashSet<usize> = HashSet::new();
            let mut slicing = None;
            while let Some(item) = pending.pop_front() {
                if is_done.contains(&item) || in_without.contains(&item) {
                    continue;
                }
                let keys = self.keys[scope][item].iter().rev();
                let Some(&key) = keys.clone().find(|key| !ignored.contains(key)) else {
                    without.push(item);
                    in_without.insert(item);
                    continue;
                };
                slicing = Some(key);
                let matching: Vec<usize> = self.items[scope]
                    .get(&key)
                    .into_iter()
                    .flatten()
                    .copied()
                    .filter(|item| members.contains(item))
                    .collect();
                for &item in matching.iter().rev() {
                    pending.push_front(item);
                    for (keys, items) in self.keys.iter().zip(&mut self.items) {
                        for key in &keys[item] {
                            if let Some(order) = items.get_mut(key) {
                                order.retain(|&other| other != item);
                                order.push_front(item);
                            }
                        }
                    }
                }
                break;
            }
            if !without.is_empty() {
                for item in self.run(without, scope) {
                    if is_done.insert(item) {
                        done.push(item);
                    }
                }
            }
            ignored.extend(slicing);
        }
        done
    }
}

/// What makes a parameter the same as another.
#[derive(Debug)]
enum Identity<'k> {
    Index(usize),
    Value(&'k Value<'k>),
}

impl<'k> Identity<'k> {
    fn of(key: &'k Key<'_>, call: usize, version: Version) -> Option<Self> {
        Some(match version {
            // Numbered by the item and not by the set.
            Version::Sorted | Version::Index if key.direct => Identity::Index(call),
            Version::Sorted | Version::Index => Identity::Index(key.index),
            Version::Value => match &key.value {
                Value::Unknown | Value::Instance | Value::Nameless => return None,
                Value::List(_) | Value::Dict(_) | Value::Set(_) if key.direct => {
                    Identity::Index(call)
                }
                Value::List(_) | Value::Dict(_) | Value::Set(_) => Identity::Index(key.index),
                value => Identity::Value(value),
            },
        })
    }

    /// None where it is not known.
    fn is(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Identity::Index(a), Identity::Index(b)) => Some(a == b),
            (Identity::Value(a), Identity::Value(b)) => {
                let same_type = std::mem::discriminant(*a) == std::mem::discriminant(*b);
                if same_type { a.equals(b) } else { Some(false) }
            }
            _ => Some(false),
        }
    }
}
