//! What variables of the environment ask of a harness of tests.

use std::env;

/// A number that a variable says, or else another one.
pub fn number(variable: &str, otherwise: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")),
        Err(_) => otherwise,
    }
}
