//! Which items a run is asked for: `-k`, `-m`, node ids and `--deselect`.

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
