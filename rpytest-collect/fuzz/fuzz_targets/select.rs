//! Any text as an expression and as a node id: an answer or an error, and `not` turns an answer round.
//!
//! `cargo +nightly fuzz run select`

#![no_main]

use libfuzzer_sys::fuzz_target;
use rpytest_collect::{Item, KeywordExpression, MarkExpression, NodeArgument};

fuzz_target!(|text: &str| {
    let item = Item::new(text.to_owned(), 1);
    if let Ok(expression) = KeywordExpression::parse(text) {
        let _ = expression.matches(&item);
    }
    if let Ok(expression) = MarkExpression::parse(text)
        && let Ok(negated) = MarkExpression::parse(&format!("not ({text})"))
        && !text.trim().is_empty()
    {
        assert_eq!(!expression.matches(&item), negated.matches(&item));
    }
    if let Some(argument) = NodeArgument::parse(text) {
        assert!(argument.names_item(&item) || argument.parameters.is_some() || text.contains('['));
    }
});
