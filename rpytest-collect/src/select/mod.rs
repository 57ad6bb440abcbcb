//! Which items a run is asked for: `-k`, `-m`, node ids and `--deselect`.

// What is made of a file is kept with all that was asked for it, so that nothing may be asked in another way.
#![deny(clippy::disallowed_methods)]

mod expression;
mod facts;
mod marks;
mod matching;
mod nodes;
mod session;

pub use expression::{ExpressionError, ExpressionErrorKind};
pub use facts::{ItemFacts, Mark, MarkValue};
pub use matching::{KeywordExpression, MarkExpression, Verdict};
pub use nodes::NodeArgument;

pub(crate) use marks::attach;
pub(crate) use session::{Nodes, Selection};
