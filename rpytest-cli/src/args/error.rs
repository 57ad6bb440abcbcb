//! Why a command line is refused.

/// Why a command line is refused before pytest sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// An option that will exist, and does not yet.
    #[error("{option} is not supported by this version of rpytest{remedy}")]
    NotYet {
        /// The option as it was given.
        option: String,
        /// What to do instead, if there is something.
        remedy: &'static str,
    },
    /// An option that makes no sense here.
    #[error("{option} is not supported: {reason}")]
    Never {
        /// The option as it was given.
        option: String,
        /// Why, and what to do instead.
        reason: &'static str,
    },
    /// An option whose value is missing, or is none.
    #[error("{option}: {problem}")]
    Value {
        /// The option.
        option: &'static str,
        /// What is wrong, and what it can be.
        problem: String,
    },
    /// Arguments of one of the commands that stand for themselves.
    #[error("{0}")]
    Command(String),
    /// Arguments that a command does not take.
    #[error("{command} takes no arguments, but {arguments} was given")]
    Arguments {
        /// The command.
        command: &'static str,
        /// What else there is.
        arguments: String,
    },
    /// An option that needs a daemon where there is none.
    #[error("{option} needs the daemon, and there is none: {reason}")]
    NoDaemon {
        /// The option.
        option: &'static str,
        /// Why there is none.
        reason: String,
    },
    /// Two options that exclude each other.
    #[error("{option} does not work with {other}{remedy}")]
    Together {
        /// One of them.
        option: &'static str,
        /// The other one, as it was given.
        other: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// An option that has no meaning without another.
    #[error("{option} works with {needs} only{remedy}")]
    Alone {
        /// The option.
        option: &'static str,
        /// The option that it needs.
        needs: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
}
