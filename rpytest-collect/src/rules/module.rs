//! One module's items: pytest's `PyCollector.collect` over names instead of objects.

use std::collections::{BTreeMap, HashSet};

use super::classes::{self, Lineage};
use super::conftest::Conftest;
use super::fixtures::{Fixtures, Visible};
use super::functions::{Inherited, Rules};
use super::names::{Binding, Bound, Names};
use super::marks;
use crate::config::Config;
use crate::glob::prefix_or_glob;
use crate::syntax::{Class, Expr, ModuleSummary, Stmt, StmtKind};
use crate::{Item, PluginFacts, Reason};

pub(crate) struct Source<'a> {
    /// The node id of the file.
    pub(crate) id: &'a str,
    pub(crate) summary: &'a ModuleSummary,
    pub(crate) config: &'a Config,
    pub(crate) plugins: Option<&'a PluginFacts>,
    /// The conftests above the file, outermost first.
    pub(crate) conftests: &'a [&'a Conftest],
}

/// The items of a module and what is not proved about them.
pub(crate) fn collect(source: &Source<'_>) -> (Vec<Item>, Vec<Reason>) {
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
    };
    collector.module(source.id);
    (collector.items, collector.reasons)
}

struct ModuleCollector<'a> {
    rules: Rules<'a>,
    summary: &'a ModuleSummary,
    items: Vec<Item>,
    reasons: Vec<Reason>,
    /// Classes and functions that items come from.
    of_interest: HashSet<&'a str>,
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
            names.qualified(function).is_none_or(|path| {
                path.starts_with("pytest.") && !path.starts_with("pytest.mark.")
            })
        });
        let leaves = self.summary.leaves.into_iter();
        let leaves = leaves.chain(skips.map(|(line, _)| *line)).min();
        self.reasons.extend(leaves.map(|line| Reason::ModuleSkip { line }));
        for (line, module) in &names.stars {
            self.reasons.push(Reason::StarImport {
                name: (*module).to_owned(),
                line: *line,
            });
        }
        if let Some(binding) = names.get("pytest_generate_tests").first() {
            self.reasons.push(Reason::GenerateTestsHook { line: binding.line });
        }
        if let Some(binding) = names.get("pytest_plugins").first() {
            self.reasons.push(Reason::PytestPlugins { line: binding.line });
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
    fn body_marks(&mut self, names: &Names<'a>) -> Option<Vec<String>> {
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

    fn is_function_name(&self, name: &str) -> bool {
        prefix_or_glob(&self.rules.config.python_functions, name)
    }

    fn is_class_name(&self, name: &str) -> bool {
        prefix_or_glob(&self.rules.config.python_classes, name)
    }

    /// Everything that one name of a module or class body gives. `scopes` are the class bodies around it.
    fn name(
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
        let unclear = bindings.iter().any(|binding| binding.conditional || matches!(binding.bound, Bound::Deleted));
        if unclear && test_like {
            let harmless = bindings.iter().all(|binding| match binding.bound {
                Bound::Value(value) => value.is_plain_data(),
                Bound::Module(_) => true,
                _ => false,
            });
            if !harmless {
                self.reasons.push(Reason::ConditionalDefinition { name: owned(), line });
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
                        self.items.extend(
                            suffixes
                                .iter()
                                .map(|suffix| Item::new(format!("{id}::{name}{suffix}"), function.line)),
                        );
                    }
                    Err(reason) => self.reasons.push(reason),
                }
            }
            Bound::Function(function) => {
                let unknown = self.rules.decorated(&function.decorators, function.line, scopes);
                if self.is_class_name(name) && unknown.is_err() {
                    self.reasons.push(Reason::DynamicName { name: owned(), line });
                }
            }
            Bound::Class(class) => self.class(id, name, class, scopes, inherited),
            Bound::Value(value) if test_like && !value.is_plain_data() => {
                self.reasons.push(Reason::DynamicName { name: owned(), line });
            }
            Bound::Unknown if test_like => {
                self.reasons.push(Reason::DynamicName { name: owned(), line });
            }
            _ => self.unlikely(name, &last, scopes),
        }
    }

    /// A binding that is no test unless it is a test case under some other name.
    fn unlikely(&mut self, name: &'a str, binding: &Binding<'a>, scopes: &[&Names<'a>]) {
        let line = binding.line;
        match binding.bound {
            Bound::From { level, module, name: imported } => {
                let test_like = self.is_function_name(name)
                    || self.is_class_name(name)
                    || imported.contains("TestCase")
                    || (imported.ends_with("Case") || imported.ends_with("Tests") || imported.ends_with("Test"));
                let std = level == 0 && matches!(module, "unittest" | "unittest.case" | "unittest.mock" | "typing");
                if test_like && !std {
                    let name = name.to_owned();
                    self.reasons.push(Reason::ImportedTest { name, line });
                }
            }
            Bound::Class(class) => {
                let lineage = classes::lineage(self.rules.names, scopes, class);
                match lineage {
                    Err(base) => self.reasons.push(Reason::UnresolvedBase { name: base, line }),
                    Ok(lineage) if lineage.is_testcase => {
                        let name = name.to_owned();
                        self.reasons.push(Reason::ConditionalDefinition { name, line });
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
                        !path.starts_with("unittest.") && (last.contains("TestCase") || last.ends_with("Test"))
                    });
                }
                if mentions {
                    let name = name.to_owned();
                    self.reasons.push(Reason::DynamicName { name, line });
                }
            }
            Bound::Module(_) | Bound::Function(_) | Bound::Unknown | Bound::Deleted => {}
        }
    }

    /// Whether an expression has a test case class in it, by its import or its own name.
    fn mentions_test_case(&self, value: &Expr) -> bool {
        match value {
            Expr::Attr(inner, attr) => attr.contains("TestCase") || self.mentions_test_case(inner),
            Expr::Call {
                func,
                args,
                keywords,
            } => {
                self.mentions_test_case(func)
                    || args.iter().any(|arg| self.mentions_test_case(arg))
                    || keywords.iter().any(|(_, value)| self.mentions_test_case(value))
            }
            Expr::Tuple(items) | Expr::List(items) => items.iter().any(|item| self.mentions_test_case(item)),
            other => {
                let mut found = false;
                other.names(&mut |name| found |= name.contains("TestCase"));
                found
            }
        }
    }

    fn interest(&mut self, scopes: &[&Names<'a>], name: &'a str) {
        if scopes.is_empty() {
            self.of_interest.insert(name);
        }
    }

    fn class(
        &mut self,
        id: &str,
        name: &'a str,
        class: &'a Class,
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let line = class.line;
        let owned = || name.to_owned();
        let lineage = match classes::lineage(self.rules.names, scopes, class) {
            Ok(lineage) => lineage,
            Err(base) => {
                self.reasons.push(Reason::UnresolvedBase { name: base, line });
                return;
            }
        };
        let bodies: Vec<Names<'a>> = lineage.mro.iter().map(|class| Names::of_body(&class.body)).collect();
        let marked = self.class_test_mark(&lineage, &bodies);
        let Ok(marked) = marked else { return };
        if !lineage.is_testcase && !self.is_class_name(name) && marked != Some(true) {
            return;
        }
        if lineage.has_keywords {
            self.reasons.push(Reason::ClassKeywords { name: owned(), line });
            return;
        }
        if lineage.has_foreign {
            let name = class.bases.first().and_then(Expr::dotted).unwrap_or_default();
            self.reasons.push(Reason::UnresolvedBase { name, line });
            return;
        }
        let Some(inherited) = self.class_marks(&lineage, &bodies, scopes, inherited) else {
            return;
        };
        for class in &lineage.mro {
            self.interest(&[], &class.name);
        }
        if marked == Some(false) {
            return;
        }
        let id = format!("{id}::{name}");
        if lineage.is_testcase {
            self.test_case(&id, &bodies);
            return;
        }
        for dunder in ["__init__", "__new__"] {
            let found: Vec<_> = bodies.iter().flat_map(|body| body.get(dunder)).collect();
            if found.iter().any(|binding| binding.conditional || !matches!(binding.bound, Bound::Function(_))) {
                self.reasons.push(Reason::ConditionalDefinition { name: dunder.to_owned(), line });
                return;
            }
            if !found.is_empty() {
                return;
            }
        }
        self.members(&id, &bodies, scopes, &inherited);
    }

    /// `__test__` of a class, through its bases. `Err` after a reason was given.
    fn class_test_mark(&mut self, lineage: &Lineage<'a>, bodies: &[Names<'a>]) -> Result<Option<bool>, ()> {
        for (class, body) in lineage.mro.iter().zip(bodies) {
            match body.get("__test__") {
                [] => {}
                [
                    Binding {
                        conditional: false,
                        bound: Bound::Value(Expr::Bool(value)),
                        ..
                    },
                ] => return Ok(Some(*value)),
                [binding, ..] => {
                    self.reasons.push(Reason::TestMark {
                        name: format!("{}.__test__", class.name),
                        line: binding.line,
                    });
                    return Err(());
                }
            }
        }
        Ok(None)
    }

    /// What the decorators and `pytestmark` of a class and its bases add. None after a reason was given.
    fn class_marks(
        &mut self,
        lineage: &Lineage<'a>,
        bodies: &[Names<'a>],
        scopes: &[&Names<'a>],
        around: &Inherited<'a>,
    ) -> Option<Inherited<'a>> {
        let mut out = Inherited::default();
        for (index, (class, body)) in lineage.mro.iter().zip(bodies).enumerate() {
            let scopes = if index == 0 { scopes } else { &[] };
            let decorated = match self.rules.decorated(&class.decorators, class.line, scopes) {
                Ok(decorated) if decorated.is_fixture => Err("pytest.fixture".to_owned()),
                Ok(decorated) => Ok(decorated),
                Err(reason) => {
                    self.reasons.push(reason);
                    return None;
                }
            };
            let known = decorated.map(|decorated| (decorated.mocks, self.rules.inherited(decorated)));
            match known {
                // The order of marks from bases is left to Python.
                Ok((mocks, known))
                    if (index == 0 || known.parametrize.is_empty())
                        && (mocks == 0 || lineage.is_testcase) =>
                {
                    out.parametrize.extend(known.parametrize);
                    out.usefixtures.extend(known.usefixtures);
                }
                _ => {
                    self.reasons.push(Reason::UnknownDecorator {
                        name: class.name.clone(),
                        line: class.line,
                    });
                    return None;
                }
            }
            out.usefixtures.extend(self.body_marks(body)?);
            if let Some(binding) = body.get("pytest_generate_tests").first() {
                self.reasons.push(Reason::GenerateTestsHook { line: binding.line });
                return None;
            }
            for dunder in ["__getattr__", "__getattribute__", "__init_subclass__", "__class_getitem__"] {
                if let Some(binding) = body.get(dunder).first() {
                    self.reasons.push(Reason::TestMark {
                        name: format!("{}.{dunder}", class.name),
                        line: binding.line,
                    });
                    return None;
                }
            }
        }
        out.parametrize.extend(around.parametrize.iter().copied());
        out.usefixtures.extend(around.usefixtures.iter().cloned());
        Some(out)
    }

    /// Members of a class as pytest orders them: a base's before its subclass's, each where the name is
    /// found first in the method resolution order.
    fn members(
        &mut self,
        id: &str,
        bodies: &[Names<'a>],
        around: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let mut seen: HashSet<&'a str> = HashSet::new();
        let mut groups = Vec::new();
        for body in bodies {
            let items = std::mem::take(&mut self.items);
            let mut scopes = around.to_vec();
            scopes.push(body);
            for (name, bindings) in body.iter() {
                if seen.insert(name) {
                    self.name(id, name, bindings, &scopes, inherited);
                }
            }
            groups.push(std::mem::replace(&mut self.items, items));
        }
        self.items.extend(groups.into_iter().rev().flatten());
    }

    /// `unittest.TestLoader.getTestCaseNames`: every callable `test*`, sorted.
    fn test_case(&mut self, id: &str, bodies: &[Names<'a>]) {
        let mut found: BTreeMap<&'a str, Item> = BTreeMap::new();
        let mut seen: HashSet<&'a str> = HashSet::new();
        let mut unknown = false;
        for body in bodies {
            for (name, bindings) in body.iter() {
                if !(name.starts_with("test") || name == "runTest") || !seen.insert(name) {
                    continue;
                }
                let Some(&last) = bindings.last() else { continue };
                let clear = bindings.iter().all(|binding| !binding.conditional);
                match last.bound {
                    Bound::Function(function) if clear && name != "runTest" => {
                        match self.rules.decorated(&function.decorators, function.line, &[body]) {
                            Ok(decorated) if !decorated.is_fixture => {
                                let id = format!("{id}::{name}");
                                found.insert(name, Item::new(id, function.line));
                            }
                            Ok(_) => self.reasons.push(Reason::UnknownDecorator {
                                name: "pytest.fixture".to_owned(),
                                line: last.line,
                            }),
                            Err(reason) => self.reasons.push(reason),
                        }
                    }
                    Bound::Value(value) if clear && value.is_plain_data() => {}
                    _ => {
                        unknown = true;
                        self.reasons.push(Reason::DynamicName {
                            name: name.to_owned(),
                            line: last.line,
                        });
                    }
                }
            }
        }
        if !unknown {
            self.items.extend(found.into_values());
        }
    }

    fn touch(&mut self, line: u32, name: &str) {
        if self.of_interest.contains(name) {
            self.reasons.push(Reason::NameTouched {
                name: name.to_owned(),
                line,
            });
        }
    }

    /// Code that runs on import and has a test in its hands may do anything with it.
    fn effects(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            let mut touch = |expr: &Expr| expr.names(&mut |name| self.touch(stmt.line, name));
            match &stmt.kind {
                StmtKind::Expr(value) => touch(value),
                StmtKind::Assign { targets, value } => {
                    touch(value);
                    for target in targets {
                        if !matches!(target, Expr::Name(_)) {
                            touch(target);
                        }
                    }
                }
                StmtKind::Delete(targets) => targets.iter().for_each(touch),
                StmtKind::Block { header, body, .. } => {
                    header.iter().for_each(touch);
                    self.effects(body);
                }
                StmtKind::Function(function) => function.decorators.iter().for_each(|decorator| {
                    if let super::marks::Effect::Unknown(_) = marks::effect(self.rules.names, decorator) {
                        decorator.names(&mut |name| self.touch(stmt.line, name));
                    }
                }),
                StmtKind::Class(class) => {
                    class.decorators.iter().for_each(&mut touch);
                    self.effects(&class.body);
                }
                StmtKind::Import(_) | StmtKind::From { .. } => {}
            }
        }
    }
}

/// `_pytest.python.IGNORED_ATTRIBUTES`: no dunder is a test.
fn is_ignored(name: &str) -> bool {
    name.starts_with("__") && name.ends_with("__")
}
