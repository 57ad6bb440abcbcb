//! Numbers that a caller chose, and what they stand for.

use std::collections::HashMap;

const NONE: u32 = u32::MAX;

/// Positions by number. Small numbers, which are the rule, are looked up in a table; others are hashed.
#[derive(Clone, Debug)]
pub(super) struct Index {
    table: Vec<u32>,
    limit: u32,
    others: HashMap<u32, u32>,
}

impl Index {
    /// An index for about `count` numbers.
    pub fn new(count: usize) -> Self {
        Self {
            table: Vec::new(),
            limit: (count as u32).saturating_mul(4).saturating_add(1024),
            others: HashMap::new(),
        }
    }

    pub fn get(&self, number: u32) -> Option<usize> {
        let found = if number < self.limit {
            self.table.get(number as usize)
        } else {
            self.others.get(&number)
        };
        found.filter(|&&at| at != NONE).map(|&at| at as usize)
    }

    /// Notes where a number is; false if it was noted before.
    pub fn insert(&mut self, number: u32, at: usize) -> bool {
        if self.get(number).is_some() {
            return false;
        }
        if number < self.limit {
            let place = number as usize;
            if self.table.len() <= place {
                self.table.resize(place + 1, NONE);
            }
            self.table[place] = at as u32;
        } else {
            self.others.insert(number, at as u32);
        }
        true
    }
}
