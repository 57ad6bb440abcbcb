//! What is known of the plugins that pytest would load, and of the interpreter below them.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::Reason;

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
    /// Marks that are registered.
    pub marks: Vec<String>,
    /// Python's version: major and minor.
    pub python: Option<(u32, u32)>,
    /// pytest's version: major and minor.
    pub pytest: Option<(u32, u32)>,
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

/// Hooks that see a run, or report one, and not what is collected.
const INERT: [&str; 33] = [
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_assertion_pass",
    "pytest_assertrepr_compare",
    "pytest_cmdline_main",
    "pytest_cmdline_parse",
    "pytest_collectreport",
    "pytest_configure",
    "pytest_enter_pdb",
    "pytest_exception_interact",
    "pytest_fixture_post_finalizer",
    "pytest_fixture_setup",
    "pytest_internalerror",
    "pytest_keyboard_interrupt",
    "pytest_leave_pdb",
    "pytest_load_initial_conftests",
    "pytest_markeval_namespace",
    "pytest_plugin_registered",
    "pytest_pyfunc_call",
    "pytest_report_collectionfinish",
    "pytest_report_from_serializable",
    "pytest_report_header",
    "pytest_report_teststatus",
    "pytest_report_to_serializable",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_testnodeready",
    "pytest_unconfigure",
    "pytest_warning_recorded",
    "pytest_configure_node",
];

/// Hooks of the start of a session, in which a plugin could change what is collected: they are let through
/// only for plugins that have been read.
const AT_START: [&str; 5] = [
    "pytest_cmdline_main",
    "pytest_cmdline_parse",
    "pytest_configure",
    "pytest_load_initial_conftests",
    "pytest_sessionstart",
];

/// Plugins whose source has been read, by the first part of their modules' names, and which of their hooks
/// take part in collection without an effect on the items that are no coroutines. What each does:
///
/// - hypothesis gives its tests a mark, and warns of a directory that is left out in any case;
/// - anyio and pytest-asyncio collect coroutines;
/// - xdist, with workers only, has a collection of its own; there are none with `--collect-only`;
/// - pytest-sugar counts items.
const UNDERSTOOD: [(&str, &[&str]); 17] = [
    (
        "_hypothesis_pytestplugin",
        &["pytest_collection_modifyitems", "pytest_ignore_collect"],
    ),
    (
        "anyio",
        &["pytest_pycollect_makeitem", "pytest_collection_finish"],
    ),
    ("faker", &[]),
    (
        "pytest_asyncio",
        &["pytest_pycollect_makeitem", "pytest_generate_tests"],
    ),
    ("pytest_cov", &[]),
    ("pytest_html", &[]),
    ("pytest_httpx", &[]),
    ("pytest_instafail", &[]),
    ("pytest_metadata", &[]),
    ("pytest_mock", &[]),
    ("pytest_subtests", &[]),
    (
        "pytest_sugar",
        &["pytest_collection_finish", "pytest_deselected"],
    ),
    ("pytest_timeout", &[]),
    ("requests_mock", &[]),
    ("respx", &[]),
    ("rpytest_worker", &[]),
    ("xdist", &["pytest_collection"]),
];

impl PluginFacts {
    /// There is no plugin but pytest's own.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Why no file is exact: a plugin takes part in collection in a way that is not understood.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        let hooks = self.hooks.iter().filter(|hook| !hook.is_understood());
        let hooks = hooks.map(|hook| (hook.module.clone(), hook.hook.clone()));
        let fixtures = self.fixtures.iter();
        let fixtures = fixtures
            .filter(|fixture| fixture.autouse && self.parametrizes(&fixture.name))
            .map(|fixture| ("an autouse fixture".to_owned(), fixture.name.clone()));
        hooks
            .chain(fixtures)
            .map(|(module, hook)| Reason::PluginHook { module, hook })
            .collect()
    }

    /// Whether a plugin is there, by the first part of its modules' names.
    #[must_use]
    pub fn has_plugin(&self, package: &str) -> bool {
        self.hooks.iter().any(|hook| hook.package() == package)
    }

    /// Whether a test that requests a plugin's fixture is parametrized by it, or by one that it needs.
    #[must_use]
    pub fn parametrizes(&self, name: &str) -> bool {
        let mut todo = vec![name];
        let mut seen = HashSet::new();
        while let Some(name) = todo.pop() {
            if !seen.insert(name) {
                continue;
            }
            for fixture in self.fixtures.iter().filter(|fixture| fixture.name == name) {
                if fixture.has_params {
                    return true;
                }
                todo.extend(fixture.needs.iter().map(String::as_str));
            }
        }
        false
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
    /// The first part of the module's name.
    fn package(&self) -> &str {
        self.module.split('.').next().unwrap_or_default()
    }

    /// Whether it is of a plugin whose source has been read.
    #[must_use]
    pub fn is_of_known_plugin(&self) -> bool {
        UNDERSTOOD
            .iter()
            .any(|(package, _)| *package == self.package())
    }

    fn is_understood(&self) -> bool {
        let hook = self.hook.as_str();
        let read = UNDERSTOOD
            .iter()
            .find(|(package, _)| *package == self.package());
        match read {
            Some((_, hooks)) if hooks.contains(&hook) => true,
            None if AT_START.contains(&hook) => false,
            _ => !takes_part(hook),
        }
    }

    /// The implementation of a hook in a module.
    #[must_use]
    pub fn new(module: impl Into<String>, hook: impl Into<String>) -> Self {
        Self {
            module: module.into(),
            hook: hook.into(),
        }
    }
}

/// Whether a hook is called for what is collected. Hooks that are not pytest's are called by plugins.
fn takes_part(hook: &str) -> bool {
    const OTHERS: [&str; 13] = [
        "pytest_collect_directory",
        "pytest_collect_file",
        "pytest_collection",
        "pytest_collection_finish",
        "pytest_collection_modifyitems",
        "pytest_collectstart",
        "pytest_deselected",
        "pytest_generate_tests",
        "pytest_ignore_collect",
        "pytest_itemcollected",
        "pytest_make_collect_report",
        "pytest_make_parametrize_id",
        "pytest_pycollect_makeitem",
    ];
    !INERT.contains(&hook) && (OTHERS.contains(&hook) || hook.starts_with("pytest_pycollect_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(hooks: &[(&str, &str)]) -> Vec<String> {
        let facts = PluginFacts {
            hooks: hooks
                .iter()
                .map(|(module, hook)| PluginHook::new(*module, *hook))
                .collect(),
            ..PluginFacts::default()
        };
        facts.reasons().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_understood_is_a_reason() {
        let understood = [
            ("_hypothesis_pytestplugin", "pytest_collection_modifyitems"),
            ("xdist.plugin", "pytest_cmdline_main"),
            ("unheard_of", "pytest_runtest_setup"),
            ("unheard_of", "pytest_terminal_summary"),
            ("unheard_of.sub", "pytest_of_another_plugin"),
        ];
        assert_eq!(reasons(&understood), [""; 0]);
        for (module, hook) in [
            ("pytest_randomly", "pytest_collection_modifyitems"),
            ("pytest_cov.plugin", "pytest_collection_modifyitems"),
            ("unheard_of", "pytest_configure"),
            ("unheard_of", "pytest_pycollect_makemodule"),
        ] {
            assert_eq!(
                reasons(&[(module, hook)]),
                [format!("plugin {module} implements {hook}")]
            );
        }
    }

    #[test]
    fn parameters_are_found_through_what_a_fixture_needs() {
        let mut facts = PluginFacts {
            fixtures: vec![
                PluginFixture {
                    has_params: true,
                    ..PluginFixture::new("backend")
                },
                PluginFixture {
                    needs: vec!["backend".to_owned(), "client".to_owned()],
                    ..PluginFixture::new("client")
                },
                PluginFixture::new("mocker"),
            ],
            ..PluginFacts::default()
        };
        assert!(facts.parametrizes("client") && facts.parametrizes("backend"));
        assert!(!facts.parametrizes("mocker") && !facts.parametrizes("of_nobody"));
        assert_eq!(facts.reasons(), []);
        facts.fixtures[1].autouse = true;
        assert_eq!(facts.reasons().len(), 1);
    }
}
