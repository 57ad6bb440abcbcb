//! What keeps a collection from starting.

use std::path::PathBuf;

/// Why [`Collector::collect`](crate::Collector::collect) has no answer. The text completes "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The directory or a path below it does not exist or cannot be read.
    #[error("find {}", path.display())]
    NotFound {
        /// The path as looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A configuration file that pytest would refuse too.
    #[error("read the configuration in {}: {message}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// An argument that pytest refuses: a directory with a node, or parameters of no test.
    #[error("read the argument {argument}")]
    Argument {
        /// The argument as given.
        argument: String,
    },
    /// A `-k` or `-m` that pytest refuses.
    #[error("select: {0}")]
    Expression(#[from] crate::ExpressionError),
    /// A worker thread could not be started.
    #[error("start a thread")]
    Thread(#[source] std::io::Error),
}
