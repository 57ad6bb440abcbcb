//! Classes that tests are collected from: plain ones by `Class.collect`, `unittest` ones by `UnitTestCase.collect`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::classes::{self, Lineage};
use super::functions::Inherited;
use super::module::{Collecting, ModuleCollector};
use super::names::{Binding, Bound, Names};
use super::program::Module;
use super::resolve::Thing;
use crate::syntax::{Class, Expr};
use crate::{CollectedClass, Item, Reason};

impl<'a> ModuleCollector<'a> {
    pub(super) fn class(
        &mut self,
        id: &str,
        name: &str,
        at: Module<'a>,
        class: &'a Class,
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let line = class.line;
        let owned = || name.to_owned();
        if is_no_test(class) {
            return;
        }
        let lineage = match classes::lineage(self.rules.world, scopes, at, class) {
            Ok(lineage) => lineage,
            Err(_) if !self.is_class_name(name) && !has_test_mark(class) => {
                self.unlikely(name, line, &Thing::Class(at, class), scopes);
                return;
            }
            Err(base) => {
                self.reasons
                    .push(Reason::UnresolvedBase { name: base, line });
                return;
            }
        };
        let bodies: Vec<Names<'a>> = lineage
            .mro
            .iter()
            .map(|(_, class)| Names::of_body(&class.body))
            .collect();
        let marked = self.class_test_mark(&lineage, &bodies);
        let Ok(marked) = marked else { return };
        if !lineage.is_testcase && !self.is_class_name(name) && marked != Some(true) {
            return;
        }
        if lineage.has_keywords {
            self.reasons.push(Reason::ClassKeywords {
                name: owned(),
                line,
            });
            return;
        }
        if lineage.has_foreign {
            let name = Self::first_base(class);
            self.reasons.push(Reason::UnresolvedBase { name, line });
            return;
        }
        let Some(inherited) = self.class_marks(&lineage, &bodies, scopes, inherited) else {
            return;
        };
        for (_, class) in &lineage.mro {
            self.interest(&[], &class.name);
        }
        if marked == Some(false) {
            return;
        }
        let id = format!("{id}::{name}");
        let below_file = id.split_once("::").map_or("", |(_, name)| name).to_owned();
        self.classes.push(CollectedClass {
            name: below_file,
            line,
            elsewhere: self.is_elsewhere(at),
        });
        if lineage.is_testcase {
            // pytest makes an instance to look for fixtures, which may fail.
            for dunder in ["__init__", "__new__"] {
                if let Some(binding) = bodies.iter().flat_map(|body| body.get(dunder)).next() {
                    let line = binding.line;
                    self.reasons.push(Reason::TestMark {
                        name: format!("{name}.{dunder}"),
                        line,
                    });
                    return;
                }
            }
            let bodies: Vec<(Module<'a>, &Names<'a>)> = with_modules(&lineage, &bodies);
            self.test_case(&id, &bodies);
            return;
        }
        for dunder in ["__init__", "__new__"] {
            let found: Vec<_> = bodies.iter().flat_map(|body| body.get(dunder)).collect();
            if found
                .iter()
                .any(|binding| binding.conditional || !matches!(binding.bound, Bound::Function(_)))
            {
                self.reasons.push(Reason::ConditionalDefinition {
                    name: dunder.to_owned(),
                    line,
                });
                return;
            }
            if !found.is_empty() {
                let text = format!(
                    "cannot collect test class '{name}' because it has a {dunder} constructor"
                );
                self.rules.warnings.borrow_mut().push((line, text));
                return;
            }
        }
        let bodies = with_modules(&lineage, &bodies);
        self.holders.push(Arc::new(self.class_fixtures(&bodies)));
        self.members(&id, &bodies, scopes, &inherited);
        self.holders.pop();
    }

    /// `__test__` of a class, through its bases. `Err` after a reason was given.
    pub(super) fn class_test_mark(
        &mut self,
        lineage: &Lineage<'a>,
        bodies: &[Names<'a>],
    ) -> Result<Option<bool>, ()> {
        for ((_, class), body) in lineage.mro.iter().zip(bodies) {
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
    pub(super) fn class_marks(
        &mut self,
        lineage: &Lineage<'a>,
        bodies: &[Names<'a>],
        scopes: &[&Names<'a>],
        around: &Inherited<'a>,
    ) -> Option<Inherited<'a>> {
        // pytest lists the marks of a class from the last of its bases to itself, and for each what its body
        // has before what its decorators add.
        let mut out = Inherited::default();
        for (index, ((at, class), body)) in lineage.mro.iter().zip(bodies).enumerate().rev() {
            let scopes = if index == 0 { scopes } else { &[] };
            let mut inside = scopes.to_vec();
            inside.push(body);
            let own = self.body_marks(at, body, &inside)?;
            let decorated = match self
                .rules
                .decorated(at, &class.decorators, class.line, scopes)
            {
                Ok(decorated) => decorated,
                Err(reason) => {
                    self.reasons.push(reason);
                    return None;
                }
            };
            if decorated.is_fixture || (decorated.mocks > 0 && !lineage.is_testcase) {
                self.reasons.push(Reason::UnknownDecorator {
                    name: class.name.clone(),
                    line: class.line,
                });
                return None;
            }
            for marks in [own, decorated] {
                out.parametrize.extend(marks.parametrize);
                out.usefixtures.extend(marks.usefixtures);
                out.anyio |= marks.anyio;
            }
            if let Some(binding) = body.get("pytest_generate_tests").first() {
                self.reasons
                    .push(Reason::GenerateTestsHook { line: binding.line });
                return None;
            }
            for dunder in [
                "__getattr__",
                "__getattribute__",
                "__init_subclass__",
                "__class_getitem__",
            ] {
                if let Some(binding) = body.get(dunder).first() {
                    self.reasons.push(Reason::TestMark {
                        name: format!("{}.{dunder}", class.name),
                        line: binding.line,
                    });
                    return None;
                }
            }
        }
        out.parametrize.extend(around.parametrize.iter().cloned());
        out.usefixtures.extend(around.usefixtures.iter().cloned());
        out.anyio |= around.anyio;
        Some(out)
    }

    /// Members of a class as pytest orders them: a base's before its subclass's, each where the name is
    /// found first in the method resolution order.
    pub(super) fn members(
        &mut self,
        id: &str,
        bodies: &[(Module<'a>, &Names<'a>)],
        around: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let mut seen: HashSet<&'a str> = HashSet::new();
        let mut groups = Vec::new();
        for (at, body) in bodies {
            let items = std::mem::take(&mut self.items);
            let mut scopes = around.to_vec();
            scopes.push(body);
            for (name, bindings) in body.iter() {
                if seen.insert(name) {
                    self.name(id, name, at, bindings, &scopes, inherited);
                }
            }
            groups.push(std::mem::replace(&mut self.items, items));
        }
        self.items.extend(groups.into_iter().rev().flatten());
    }

    /// `unittest.TestLoader.getTestCaseNames`: every callable `test*`, sorted.
    pub(super) fn test_case(&mut self, id: &str, bodies: &[(Module<'a>, &Names<'a>)]) {
        let mut found: BTreeMap<&'a str, Item> = BTreeMap::new();
        let mut seen: HashSet<&'a str> = HashSet::new();
        let mut unknown = false;
        for (at, body) in bodies {
            for (name, bindings) in body.iter() {
                if !(name.starts_with("test") || name == "runTest") || !seen.insert(name) {
                    continue;
                }
                let Some(&last) = bindings.last() else {
                    continue;
                };
                let clear = bindings.iter().all(|binding| !binding.conditional);
                match last.bound {
                    Bound::Function(function) if clear && name != "runTest" => {
                        match self
                            .rules
                            .decorated(at, &function.decorators, function.line, &[body])
                        {
                            Ok(decorated) if !decorated.is_fixture => {
                                let id = format!("{id}::{name}");
                                let mut item = Item::new(id, function.line);
                                item.elsewhere = self.is_elsewhere(at);
                                found.insert(name, item);
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
            self.items.extend(found.into_values().map(Collecting::new));
        }
    }
}

fn with_modules<'b, 'a>(
    lineage: &Lineage<'a>,
    bodies: &'b [Names<'a>],
) -> Vec<(Module<'a>, &'b Names<'a>)> {
    let modules = lineage.mro.iter().map(|(module, _)| *module);
    modules.zip(bodies).collect()
}

/// Whether a class says by itself that it is no test, whatever its bases are.
fn is_no_test(class: &Class) -> bool {
    matches!(
        Names::of_body(&class.body).get("__test__"),
        [Binding {
            conditional: false,
            bound: Bound::Value(Expr::Bool(false)),
            ..
        }]
    )
}

/// Whether a class says by itself that it is a test.
fn has_test_mark(class: &Class) -> bool {
    !Names::of_body(&class.body).get("__test__").is_empty()
}
