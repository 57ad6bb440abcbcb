//! What is known of the plugins that pytest would load, and of the interpreter below them.

use std::path::PathBuf;

/// What a Python host found in an environment, or the caller asserts.
///
/// Without it, exact means: if no installed plugin changes collection; and what visibly depends on
/// plugins, such as coroutine tests and fixtures that the project does not define, is partial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PluginFacts {
    /// Fixtures that plugins define. Those of pytest itself may be left out.
    pub fixtures: Vec<PluginFixture>,
    /// Implementations, by plugins that are not pytest's own, of hooks that take part in collection.
    pub hooks: Vec<PluginHook>,
    /// Where Python looks for modules (`sys.path`, without what pytest adds for the tests), in order.
    /// Empty where it is not known.
    pub search_path: Vec<PathBuf>,
    /// Modules by their top-level names that need not be on the search path: built in, frozen, or of the
    /// standard library.
    pub modules: Vec<String>,
}

/// A fixture of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PluginFixture {
    /// What tests request it by.
    pub name: String,
    /// Whether every test uses it.
    pub autouse: bool,
    /// Whether it has parameters.
    pub has_params: bool,
    /// The fixtures that it requests.
    pub needs: Vec<String>,
}

/// A plugin's implementation of a hook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PluginHook {
    /// The module in which it is defined, such as `pytest_asyncio.plugin`.
    pub module: String,
    /// The hook, such as `pytest_collection_modifyitems`.
    pub hook: String,
}

impl PluginFacts {
    /// There is no plugin but pytest's own.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }
}

impl PluginFixture {
    /// A fixture without parameters that needs no other.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

impl PluginHook {
    /// The implementation of a hook in a module.
    #[must_use]
    pub fn new(module: impl Into<String>, hook: impl Into<String>) -> Self {
        Self {
            module: module.into(),
            hook: hook.into(),
        }
    }
}
