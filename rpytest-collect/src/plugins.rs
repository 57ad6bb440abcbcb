//! What is known of the plugins that pytest would load.

/// What the caller asserts about the plugins of the environment.
///
/// Without it, exact means: if no installed plugin changes collection; and what visibly depends on
/// plugins, such as coroutine tests and fixtures that the project does not define, is partial.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginFacts {}

impl PluginFacts {
    /// There is no plugin but pytest's own.
    #[must_use]
    pub fn none() -> Self {
        Self {}
    }
}
