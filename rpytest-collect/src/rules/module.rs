//! One module's items: pytest's `PyCollector.collect` over names instead of objects.

use std::collections::HashSet;

use super::classes;
use super::conftest::{Conftest, contains};
use super::fixtures::{Fixtures, Visible};
use super::functions::{Inherited, Rules};
use super::marks;
use super::names::{Binding, Bound, Names};
use crate::config::Config;
use crate::glob::prefix_or_glob;
use crate::syntax::{Expr, ModuleSummary, StmtKind};
use crate::{Item, PluginFacts, Reason};

pub(crate) struct Source<'a> {
    /// The node id of the file.
    pub(crate) id: &'a str,
    pub(crate) summary: &'a ModuleSummary,
    pub(crate) config: &'a Config,
    pub(crate) plugins: Option<&'a PluginFacts>,
    /// The conftests above the file, outermost first.
    pub(crate) conftests: &'a [&'a Conftest],
    pub(crate) text: &'a [u8],
    /// The text of the module of the project that a `from` import names.
    pub(crate) imported: Imported<'a>,
}

/// By leading dots, module and name.
pub(crate) type Imported<'a> = &'a dyn Fn(u32, &str, &str) -> Option<Vec<u8>>;

/// The items of a module and what is not proved about them.
pub(crate) fn collect<'a>(source: &'a Source<'a>) -> (Vec<Item>, Vec<Reason>) {
    let names = Names::of_module(source.summary);
    let own = Fixtures::of(&source.summary.body, &names);
    let above = source.conftests.iter().map(|conftest| &conftest.fixtures);
    let mut collector = ModuleCollector {
        rules: Rules {
            config: source.config,
            plugins: source.plugins,
            names: &names,
            visible: Visible::new(above.chain([&own])),
        },
        summary: source.summary,
        items: Vec::new(),
        reasons: Vec::new(),
        of_interest: HashSet::new(),
        imported: source.imported,
        text: source.text,
    };
    collector.module(source.id);
    (collector.items, collector.reasons)
}

pub(super) struct ModuleCollector<'a> {
    pub(super) rules: Rules<'a>,
    pub(super) summary: &'a ModuleSummary,
    pub(super) items: Vec<Item>,
    pub(super) reasons: Vec<Reason>,
    /// Classes and functions that items come from.
    pub(super) of_interest: HashSet<&'a str>,
    pub(super) imported: Imported<'a>,
    pub(super) text: &'a [u8],
}

impl<'a> ModuleCollector<'a> {
    fn module(&mut self, id: &str) {
        if !self.whole_module() {
            return;
        }
        let names = self.rules.names;
        let mut inherited = Inherited::default();
        if let Some(fixtures) = self.body_marks(names) {
            inherited.usefixtures = fixtures;
        }
        for (name, bindings) in names.iter() {
            self.name(id, name, bindings, &[], &inherited);
        }
        for (name, bindings) in names.iter() {
            let has_tests = |binding: &Binding<'_>| match binding.bound {
                Bound::Class(class) => class.body.iter().any(|stmt| match &stmt.kind {
                    StmtKind::Function(def) => {
                        def.name.starts_with("test") || self.is_function_name(&def.name)
                    }
                    _ => false,
                }),
                _ => false,
            };
            if bindings.iter().any(has_tests) {
                self.of_interest.insert(name);
            }
        }
        self.effects(&self.summary.body);
        let touched = self.summary.touched.iter();
        for (line, name) in touched {
            self.touch(*line, name);
        }
    }

    /// What concerns the module as a whole. False where it has no items.
    fn whole_module(&mut self) -> bool {
        let names = self.rules.names;
        if let Some((line, name)) = &self.summary.dynamic {
            self.reasons.push(Reason::DynamicNamespace {
                name: name.clone(),
                line: *line,
            });
        }
        let skips = self.summary.skips.iter().filter(|(_, function)| {
            names
                .qualified(function)
                .is_none_or(|path| path.starts_with("pytest.") && !path.starts_with("pytest.mark."))
        });
        let leaves = self.summary.leaves.into_iter();
        let leaves = leaves.chain(skips.map(|(line, _)| *line)).min();
        self.reasons
            .extend(leaves.map(|line| Reason::ModuleSkip { line }));
        for (line, module) in &names.stars {
            self.reasons.push(Reason::StarImport {
                name: (*module).to_owned(),
                line: *line,
            });
        }
        if let Some(binding) = names.get("pytest_generate_tests").first() {
            self.reasons
                .push(Reason::GenerateTestsHook { line: binding.line });
        }
        if let Some(binding) = names.get("pytest_plugins").first() {
            self.reasons
                .push(Reason::PytestPlugins { line: binding.line });
        }
        for name in ["__getattr__", "__test__"] {
            match names.get(name) {
                [] => {}
                [
                    Binding {
                        conditional: false,
                        bound: Bound::Value(Expr::Bool(false)),
                        ..
                    },
                ] if self.reasons.is_empty() => return false,
                [binding, ..] => self.reasons.push(Reason::TestMark {
                    name: name.to_owned(),
                    line: binding.line,
                }),
            }
        }
        true
    }

    /// The fixtures that a body's `pytestmark` uses.
    pub(super) fn body_marks(&mut self, names: &Names<'a>) -> Option<Vec<String>> {
        let known = match names.get("pytestmark") {
            [] => return Some(Vec::new()),
            [
                Binding {
                    conditional: false,
                    bound: Bound::Value(value),
                    ..
                },
            ] => marks::pytestmark(self.rules.names, value),
            _ => None,
        };
        if known.is_none() {
            self.reasons.push(Reason::TestMark {
                name: "pytestmark".to_owned(),
                line: names.get("pytestmark")[0].line,
            });
        }
        known
    }

    pub(super) fn is_function_name(&self, name: &str) -> bool {
        prefix_or_glob(&self.rules.config.python_functions, name)
    }

    pub(super) fn is_class_name(&self, name: &str) -> bool {
        prefix_or_glob(&self.rules.config.python_classes, name)
    }

    /// Everything that one name of a module or class body gives. `scopes` are the class bodies around it.
    pub(super) fn name(
        &mut self,
        id: &str,
        name: &'a str,
        bindings: &[Binding<'a>],
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let Some(&last) = bindings.last() else { return };
        if is_ignored(name) {
            return;
        }
        let line = last.line;
        let test_like = self.is_function_name(name) || self.is_class_name(name);
        let owned = || name.to_owned();
        let unclear = bindings
            .iter()
            .any(|binding| binding.conditional || matches!(binding.bound, Bound::Deleted));
        if unclear && test_like {
            let harmless = bindings.iter().all(|binding| match binding.bound {
                Bound::Value(value) => value.is_plain_data(),
                Bound::Module(_) => true,
                _ => false,
            });
            if !harmless {
                self.reasons.push(Reason::ConditionalDefinition {
                    name: owned(),
                    line,
                });
            }
            return;
        }
        if unclear {
            // Any of them may be what stays.
            for binding in bindings {
                self.unlikely(name, binding, scopes);
            }
            return;
        }
        match last.bound {
            Bound::Function(function) if self.is_function_name(name) => {
                match self.rules.items(function, scopes, inherited) {
                    Ok(None) => {}
                    Ok(Some(suffixes)) => {
                        self.interest(scopes, name);
                        self.items.extend(suffixes.iter().map(|suffix| {
                            Item::new(format!("{id}::{name}{suffix}"), function.line)
                        }));
                    }
                    Err(reason) => self.reasons.push(reason),
                }
            }
            Bound::Function(function) => {
                let unknown = self
                    .rules
                    .decorated(&function.decorators, function.line, scopes);
                if self.is_class_name(name) && unknown.is_err() {
                    self.reasons.push(Reason::DynamicName {
                        name: owned(),
                        line,
                    });
                }
            }
            Bound::Class(class) => self.class(id, name, class, scopes, inherited),
            Bound::Value(value) if test_like && !value.is_plain_data() => {
                self.reasons.push(Reason::DynamicName {
                    name: owned(),
                    line,
                });
            }
            Bound::Unknown if test_like => {
                self.reasons.push(Reason::DynamicName {
                    name: owned(),
                    line,
                });
            }
            _ => self.unlikely(name, &last, scopes),
        }
    }

    /// A binding that is no test unless it is a test case under some other name.
    fn unlikely(&mut self, name: &'a str, binding: &Binding<'a>, scopes: &[&Names<'a>]) {
        let line = binding.line;
        match binding.bound {
            Bound::From {
                level,
                module,
                name: imported,
            } => {
                let test_like = self.is_function_name(name)
                    || self.is_class_name(name)
                    || imported.contains("TestCase")
                    || (imported.ends_with("Case")
                        || imported.ends_with("Tests")
                        || imported.ends_with("Test"));
                let std = level == 0
                    && matches!(
                        module,
                        "unittest" | "unittest.case" | "unittest.mock" | "typing"
                    );
                let text = if std {
                    None
                } else {
                    (self.imported)(level, module, imported)
                };
                let has = |word: &str| text.as_ref().is_some_and(|text| contains(text, word));
                if (test_like && !std) || (has("TestCase") && starts_upper(imported)) {
                    let name = name.to_owned();
                    self.reasons.push(Reason::ImportedTest { name, line });
                } else if has("autouse") && has("params") {
                    let name = name.to_owned();
                    self.reasons.push(Reason::UnknownFixture { name, line });
                }
            }
            Bound::Class(class) => {
                let lineage = classes::lineage(self.rules.names, scopes, class);
                match lineage {
                    Err(base) => self
                        .reasons
                        .push(Reason::UnresolvedBase { name: base, line }),
                    Ok(lineage) if lineage.is_testcase => {
                        let name = name.to_owned();
                        self.reasons
                            .push(Reason::ConditionalDefinition { name, line });
                    }
                    Ok(_) => {}
                }
            }
            Bound::Value(value) => {
                let mut mentions = self.mentions_test_case(value);
                if let Some(path) = self.rules.names.qualified(value) {
                    // `from unittest import TestCase as Base` and the like give no items by themselves.
                    mentions &= !path.starts_with("unittest.");
                    mentions |= path.rsplit('.').next().is_some_and(|last| {
                        !path.starts_with("unittest.")
                            && (last.contains("TestCase") || last.ends_with("Test"))
                    });
                }
                if mentions || (is_camel(name) && self.may_make_class(value)) {
                    let name = name.to_owned();
                    self.reasons.push(Reason::DynamicName { name, line });
                }
            }
            Bound::Unknown if is_camel(name) => {
                let name = name.to_owned();
                self.reasons.push(Reason::DynamicName { name, line });
            }
            Bound::Module(_) | Bound::Function(_) | Bound::Unknown | Bound::Deleted => {}
        }
    }

    pub(super) fn interest(&mut self, scopes: &[&Names<'a>], name: &'a str) {
        if scopes.is_empty() {
            self.of_interest.insert(name);
        }
    }
}

fn starts_upper(name: &str) -> bool {
    name.trim_start_matches('_').starts_with(char::is_uppercase)
}

/// A name in the style of a class, which `CONSTANTS` and `functions` are not.
fn is_camel(name: &str) -> bool {
    starts_upper(name) && name.contains(char::is_lowercase)
}

/// `_pytest.python.IGNORED_ATTRIBUTES`: no dunder is a test.
fn is_ignored(name: &str) -> bool {
    name.starts_with("__") && name.ends_with("__")
}
