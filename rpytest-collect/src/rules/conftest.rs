//! What a `conftest.py` may do to the collection of the files below it, or of all.

use std::sync::Arc;

use super::closure;
use super::eval::Evaluator;
use super::fixtures::{Fixtures, Reader};
use super::names::{Binding, Bound};
use super::program::{Found, Module};
use super::value::Value;
use crate::Reason;
use crate::syntax::{Expr, Operator, Stmt, StmtKind, contains};

#[derive(Debug, Default)]
pub(crate) struct Conftest<'a> {
    /// Reasons for the files below it.
    pub(crate) below: Vec<Reason>,
    /// Reasons for every file of the session.
    pub(crate) session: Vec<Reason>,
    pub(crate) fixtures: Arc<Fixtures<'a>>,
    /// Those of the modules that it names as plugins.
    pub(crate) plugins: Vec<Arc<Fixtures<'a>>>,
    /// `collect_ignore`, where it is a literal list that nothing unseen changes.
    pub(crate) ignored: Option<Ignored>,
    /// `collect_ignore_glob`.
    pub(crate) ignored_globs: Option<Ignored>,
    /// Whether a hook of its gives marks to items of the session.
    pub(crate) gives_marks: bool,
}

/// Hooks that see a run but not what is collected.
const INERT: [&str; 29] = [
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_assertion_pass",
    "pytest_assertrepr_compare",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_enter_pdb",
    "pytest_exception_interact",
    "pytest_fixture_post_finalizer",
    "pytest_fixture_setup",
    "pytest_internalerror",
    "pytest_keyboard_interrupt",
    "pytest_leave_pdb",
    "pytest_markeval_namespace",
    "pytest_pyfunc_call",
    "pytest_report_collectionfinish",
    "pytest_report_from_serializable",
    "pytest_report_header",
    "pytest_report_teststatus",
    "pytest_report_to_serializable",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_testnodeready",
    "pytest_unconfigure",
    "pytest_warning_captured",
    "pytest_warning_recorded",
    "pytest_xdist_auto_num_workers",
];

/// Hooks that pytest calls only for what lies below the conftest.
const BELOW: [&str; 10] = [
    "pytest_collect_directory",
    "pytest_collect_file",
    "pytest_collectstart",
    "pytest_generate_tests",
    "pytest_ignore_collect",
    "pytest_itemcollected",
    "pytest_make_collect_report",
    "pytest_make_parametrize_id",
    "pytest_pycollect_makeitem",
    "pytest_pycollect_makemodule",
];

/// Plugins that pytest has and loads on demand, whose fixtures have no parameters.
const OWN_PLUGINS: [&str; 2] = ["pytester", "_pytest.pytester"];

/// Words in a conftest's text by which an inert hook is not.
const SUSPICIOUS: [&str; 9] = [
    "pluginmanager",
    "markexpr",
    "option.keyword",
    "inicfg",
    "_inicache",
    "python_functions",
    "python_classes",
    "python_files",
    "_pytest.python",
];

impl<'a> Conftest<'a> {
    /// `initial` is whether pytest loads it before it starts a session.
    pub(crate) fn new(path: &str, module: Module<'a>, reader: Reader<'a>, initial: bool) -> Self {
        let (summary, names) = (module.summary, &module.names);
        let text = module.words.as_bytes();
        let mut fixtures = reader.of_module(module);
        let mut conftest = Self { ..Self::default() };
        let dynamic = |name: &str| Reason::ConftestDynamic {
            file: path.to_owned(),
            name: name.to_owned(),
        };
        let lists = ["collect_ignore", "collect_ignore_glob"];
        let [listed, globs] = lists.map(|list| ignored(module, reader, list));
        // Mentioned by these alone, and by no function that might change one.
        let known: usize = [&listed, &globs]
            .into_iter()
            .flatten()
            .map(|list| list.mentions)
            .sum();
        if contains_times(text, "collect_ignore") == known {
            conftest.ignored = listed;
            conftest.ignored_globs = globs;
        }
        if let Some(Binding {
            bound: Bound::Function(hook),
            ..
        }) = names.single("pytest_generate_tests")
            && let Some(guards) = &hook.guards
            && !guards.iter().any(|guard| closure::is_builtin(&guard.name))
        {
            fixtures.generated = reader.generated(module, hook.line, guards, initial);
        }
        for (name, _) in names.iter() {
            let hook = Reason::ConftestHook {
                file: path.to_owned(),
                name: name.to_owned(),
            };
            match name {
                "pytest_plugins" => match conftest.load_plugins(module, reader) {
                    Some(()) => {}
                    None => conftest.session.push(dynamic(name)),
                },
                "collect_ignore" if conftest.ignored.is_some() => {}
                "collect_ignore_glob" if conftest.ignored_globs.is_some() => {}
                "collect_ignore" | "collect_ignore_glob" => conftest.below.push(dynamic(name)),
                "pytest_generate_tests" if !fixtures.generated.is_empty() => {}
                "pytest_collection_modifyitems" if only_marks(names.get(name)) => {
                    conftest.gives_marks = true;
                }
                name if BELOW.contains(&name) => conftest.below.push(hook),
                name if name.starts_with("pytest_")
                    && !name.starts_with("pytest_runtest_")
                    && !INERT.contains(&name) =>
                {
                    conftest.session.push(hook);
                }
                _ => {}
            }
        }
        for star in &names.stars {
            // Hooks may come in by it.
            let known = reader.star(module, star);
            if known.is_none_or(|names| names.iter().any(|name| name.starts_with("pytest_"))) {
                let module = star.module;
                conftest
                    .session
                    .push(dynamic(&format!("import * from {module}")));
            }
        }
        if let Some((line, name)) = super::imports::missing(reader.world, module) {
            conftest.session.push(Reason::MissingImport { name, line });
        }
        if super::program::may_skip(reader.world, module) {
            conftest.below.push(dynamic("a skip"));
        }
        if let Some((_, name)) = &summary.dynamic {
            conftest.session.push(dynamic(name));
        }
        if let Some(word) = SUSPICIOUS.iter().find(|word| contains(text, word)) {
            conftest.session.push(dynamic(word));
        }
        if fixtures.marked.is_some() {
            conftest.session.push(dynamic("a fixture with marks"));
        }
        conftest.fixtures = fixtures.into();
        conftest
    }

    /// Reads the modules of the project that `pytest_plugins` names. None where it names others.
    fn load_plugins(&mut self, module: Module<'a>, reader: Reader<'a>) -> Option<()> {
        let Bound::Value(value) = module.names.single("pytest_plugins")?.bound else {
            return None;
        };
        let names = match value {
            Expr::List(items) | Expr::Tuple(items) => super::marks::literal_names(items)?,
            Expr::Str(name) => vec![name.clone()],
            _ => return None,
        };
        if module.is_exposed("pytest_plugins") {
            return None;
        }
        for name in names {
            if OWN_PLUGINS.contains(&name.as_str()) {
                continue;
            }
            let Found::Module(plugin) = reader.world.modules.find(module, 0, &name) else {
                return None;
            };
            // One plugin may load another, and that the first.
            if plugin.path == module.path || !plugin.names.get("pytest_plugins").is_empty() {
                return None;
            }
            let plugin = Conftest::new(&name, plugin, reader, true);
            self.session.extend(plugin.below);
            self.session.extend(plugin.session);
            self.gives_marks |= plugin.gives_marks;
            self.plugins.push(plugin.fixtures);
        }
        Some(())
    }

    pub(crate) fn unreadable(path: &str) -> Self {
        Self {
            session: vec![Reason::ConftestUnreadable {
                file: path.to_owned(),
            }],
            ..Self::default()
        }
    }
}

/// Whether a hook does nothing but to give marks to items.
fn only_marks(bindings: &[Binding<'_>]) -> bool {
    matches!(bindings, [Binding { bound: Bound::Function(hook), .. }] if hook.only_marks)
}

/// The value of `collect_ignore` or `collect_ignore_glob`.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Ignored {
    pub(crate) sure: Vec<String>,
    /// What is added under a condition that is not known.
    pub(crate) perhaps: Vec<String>,
    /// How many statements make it.
    mentions: usize,
}

/// A list of texts, and what is added to it, in a branch or not.
fn ignored<'a>(module: Module<'a>, reader: Reader<'a>, list: &str) -> Option<Ignored> {
    let bindings = module.names.get(list);
    let mut ignored = Ignored {
        sure: Vec::new(),
        perhaps: Vec::new(),
        mentions: bindings.len(),
    };
    for (index, binding) in bindings.iter().enumerate() {
        let Bound::Value(value) = binding.bound else {
            return None;
        };
        let added = match value {
            Expr::List(_) if index == 0 && !binding.conditional => value,
            Expr::Binary(old, Operator::Add, added)
                if index > 0 && matches!(&**old, Expr::Name(name) if name == list) =>
            {
                added
            }
            _ => return None,
        };
        let names = Evaluator::new(reader.world, None).iterate(module, added)?;
        let kept = match binding.conditional {
            true => &mut ignored.perhaps,
            false => &mut ignored.sure,
        };
        for name in names {
            let Value::Str(name) = name else { return None };
            kept.push(name.to_string());
        }
    }
    let additions = additions(&module.summary.body, list);
    ignored.mentions += additions.len();
    ignored.perhaps.extend(additions.into_iter().flatten());
    (!bindings.is_empty()).then_some(ignored)
}

fn contains_times(text: &[u8], word: &str) -> usize {
    let windows = text.windows(word.len());
    windows.filter(|window| *window == word.as_bytes()).count()
}

/// What each `extend([..])` or `append(..)` of literals adds to a list, in a branch or not.
fn additions(body: &[Stmt], list: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    for stmt in body {
        match &stmt.kind {
            StmtKind::Block { body, .. } => out.extend(additions(body, list)),
            StmtKind::Expr(Expr::Call {
                func,
                args,
                keywords,
            }) if keywords.is_empty() => {
                let func = func.dotted().unwrap_or_default();
                let method = func.strip_prefix(list);
                let added = match (method, args.as_slice()) {
                    (Some(".extend"), [Expr::List(items) | Expr::Tuple(items)]) => {
                        super::marks::literal_names(items)
                    }
                    (Some(".append"), [Expr::Str(name)]) => Some(vec![name.clone()]),
                    _ => None,
                };
                out.extend(added);
            }
            _ => {}
        }
    }
    out
}
