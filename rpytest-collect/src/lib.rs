#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod answer;
#[cfg(feature = "cache")]
mod cache;
mod collector;
mod config;
mod disk;
mod error;
mod glob;
mod graph;
mod item;
mod parallel;
mod plugins;
mod reason;
mod rules;
mod select;
mod session;
mod sources;
mod syntax;
mod walk;

pub use collector::Collector;
pub use config::{CONFIGURATION_FILES, Settings, shell_words};
pub use error::CollectError;
pub use graph::{Affected, Dependencies, DynamicImport, ImportGraph};
pub use item::{CollectedClass, CollectedFile, Collection, Completeness, Diagnostic, Item, NodeId};
pub use plugins::{PluginFacts, PluginFixture, PluginHook};
pub use reason::Reason;
pub use select::{
    ExpressionError, ExpressionErrorKind, ItemFacts, KeywordExpression, Mark, MarkExpression,
    MarkValue, NodeArgument, Verdict,
};
