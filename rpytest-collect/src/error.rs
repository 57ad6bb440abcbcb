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
    /// A worker thread could not be started.
    #[error("start a thread")]
    Thread(#[source] std::io::Error),
}
