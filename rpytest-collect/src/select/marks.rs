//! The marks and attributes of items, read from the source beside the rules that found them.
//!
//! Whatever this does not recognise leaves an item's facts open. It never makes a file partial: an item
//! can be known to exist while one of its marks is not.

use super::facts::{ItemFacts, Mark, MarkValue};
use super::matching::split_id;
use crate::Item;
use crate::rules::classes;
use crate::rules::names::{Binding, Bound, Names};
use crate::syntax::{Class, Expr, Function, ModuleSummary};

/// Attributes that decorators of the standard library leave on a function.
const DECORATOR_ATTRIBUTES: [&str; 7] = [
    "__final__",
    "__no_type_check__",
    "__unittest_expecting_failure__",
    "__unittest_skip__",
    "__unittest_skip_why__",
    "__wrapped__",
    "patchings",
];

/// Decorators that add no mark, and no attribute but those.
const KNOWN_DECORATORS: [&str; 14] = [
    "builtins.classmethod",
    "builtins.staticmethod",
    "unittest.skip",
    "unittest.skipIf",
    "unittest.skipUnless",
    "unittest.expectedFailure",
    "unittest.case.skip",
    "unittest.case.skipIf",
    "typing.no_type_check",
    "typing.final",
    "unittest.mock.patch",
    "unittest.mock.patch.object",
    "unittest.mock.patch.dict",
    "unittest.mock.patch.multiple",
];

/// What other files say about the items of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    /// Whether a conftest above may give marks to the parameters of fixtures.
    pub(crate) marks: bool,
}

/// Fills in [`Item::facts`] of the items of an exact file.
pub(crate) fn attach(items: &mut [Item], summary: &ModuleSummary, around: Around) {
    let names = Names::of_module(summary);
    let reader = Reader {
        names: &names,
        fixture_marks: around.marks || has_fixture_marks(&names),
    };
    let mut module = ItemFacts::default();
    reader.pytestmark(&names, &mut module);
    let mut start = 0;
    while start < items.len() {
        let id = items[start].id.as_str();
        let base = id.split('[').next().unwrap_or_default().to_owned();
        let same = |item: &&Item| item.id.as_str().split('[').next() == Some(base.as_str());
        let count = items[start..].iter().take_while(same).count();
        reader.group(&mut items[start..start + count], &module);
        start += count;
    }
}

/// Whether a fixture of the module has parameters with marks of their own.
fn has_fixture_marks(names: &Names<'_>) -> bool {
    names.iter().any(|(_, bindings)| {
        bindings.iter().any(|binding| match binding.bound {
            Bound::Function(function) => function.decorators.iter().any(|decorator| {
                let Expr::Call { func, keywords, .. } = decorator else {
                    return false;
                };
                let is_fixture = func.dotted().is_some_and(|name| name.contains("fixture"));
                let mut calls = false;
                for (_, value) in keywords {
                    value.calls(&mut |_| calls = true);
                    calls |= !value.is_plain_data();
                }
                is_fixture && calls
            }),
            _ => false,
        })
    })
}

struct Reader<'a> {
    names: &'a Names<'a>,
    fixture_marks: bool,
}

/// The marks of each set of one `parametrize`.
type Sets = Vec<Vec<Mark>>;

impl<'a> Reader<'a> {
    /// The items of one function.
    fn group(&self, items: &mut [Item], module: &ItemFacts) {
        let Some(first) = items.first() else { return };
        let mut facts = module.clone();
        let mut parametrize: Option<Vec<Sets>> = Some(Vec::new());
        let (_, path) = split_id(first.id.as_str());
        if self.item(&path, &mut facts, &mut parametrize).is_none() {
            facts = ItemFacts::unknown();
            parametrize = None;
        }
        let parametrized = first.id.as_str().contains('[');
        let expected = parametrize
            .as_ref()
            .map(|all| all.iter().map(Vec::len).product::<usize>());
        match (parametrize.as_deref(), expected) {
            _ if !parametrized => {}
            // Only what is parametrized here takes part, unless a fixture does with a single set.
            (Some([one]), Some(count)) if count == items.len() && !self.fixture_marks => {
                for (item, own) in items.iter_mut().zip(one) {
                    item.facts = facts.clone();
                    item.facts.marks.extend(own.iter().cloned());
                }
                return;
            }
            (Some(all), Some(count)) if count == items.len() && !self.fixture_marks => {
                facts
                    .possible_marks
                    .extend(all.iter().flatten().flatten().cloned());
            }
            _ => facts.more_marks = true,
        }
        for item in items {
            item.facts = facts.clone();
        }
    }

    /// Follows the names of an id to its function. None where it is not found in this file.
    fn item(
        &self,
        path: &[&str],
        facts: &mut ItemFacts,
        parametrize: &mut Option<Vec<Sets>>,
    ) -> Option<()> {
        let (last, classes) = path.split_last()?;
        let mut scopes: Vec<Names<'a>> = Vec::new();
        let mut bodies: Vec<Names<'a>> = Vec::new();
        for (depth, name) in classes.iter().enumerate() {
            let Bound::Class(class) = self.bound(&bodies, depth, name)? else {
                return None;
            };
            let around: Vec<&Names<'a>> = scopes.iter().collect();
            let lineage = classes::lineage(self.names, &around, class).ok()?;
            bodies = lineage
                .mro
                .iter()
                .map(|class| Names::of_body(&class.body))
                .collect();
            for (class, body) in lineage.mro.iter().zip(&bodies) {
                self.class(class, facts, parametrize);
                self.pytestmark(body, facts);
            }
            scopes.push(Names::of_body(&class.body));
        }
        let name = last.split('[').next().unwrap_or_default();
        let Bound::Function(function) = self.bound(&bodies, classes.len(), name)? else {
            return None;
        };
        self.function(function, facts, parametrize);
        Some(())
    }

    /// What a name is bound to in the module, or in the first of the bodies that has it.
    fn bound(&self, bodies: &[Names<'a>], depth: usize, name: &str) -> Option<Bound<'a>> {
        let bindings: &[Binding<'a>] = match depth {
            0 => self.names.get(name),
            _ => bodies
                .iter()
                .map(|body| body.get(name))
                .find(|bindings| !bindings.is_empty())?,
        };
        let last = bindings.last()?;
        let clear = bindings.iter().all(|binding| !binding.conditional);
        clear.then_some(last.bound)
    }

    fn class(&self, class: &'a Class, facts: &mut ItemFacts, parametrize: &mut Option<Vec<Sets>>) {
        for decorator in &class.decorators {
            self.decorator(decorator, facts, parametrize);
        }
    }

    fn function(
        &self,
        function: &'a Function,
        facts: &mut ItemFacts,
        parametrize: &mut Option<Vec<Sets>>,
    ) {
        for decorator in &function.decorators {
            if self.decorator(decorator, facts, parametrize) {
                // `-k` matched this one too before pytest 9.2.
                facts.possible_attributes.push("pytestmark".to_owned());
            }
        }
    }

    /// Reads one decorator. True for a mark.
    fn decorator(
        &self,
        decorator: &Expr,
        facts: &mut ItemFacts,
        parametrize: &mut Option<Vec<Sets>>,
    ) -> bool {
        if let Some(mark) = self.mark(decorator, 8) {
            if mark.name == "parametrize" {
                match (self.sets(decorator), parametrize) {
                    (Some(sets), Some(all)) => all.push(sets),
                    (None, parametrize @ Some(_)) => *parametrize = None,
                    (_, None) => {}
                }
            }
            facts.marks.push(mark);
            return true;
        }
        let func = match self.names.resolve(decorator) {
            Expr::Call { func, .. } => func,
            other => other,
        };
        let path = self.names.qualified(func).unwrap_or_default();
        let path = path
            .strip_prefix("mock.")
            .map_or_else(|| path.clone(), |patch| format!("unittest.mock.{patch}"));
        if KNOWN_DECORATORS.contains(&path.as_str()) {
            if !path.starts_with("builtins.") {
                facts
                    .possible_attributes
                    .extend(DECORATOR_ATTRIBUTES.map(str::to_owned));
            }
        } else {
            facts.more_marks = true;
            facts.more_attributes = true;
        }
        false
    }

    /// The `pytestmark` of a body.
    fn pytestmark(&self, body: &Names<'_>, facts: &mut ItemFacts) {
        let value = match body.get("pytestmark") {
            [] => return,
            [
                Binding {
                    conditional: false,
                    bound: Bound::Value(value),
                    ..
                },
            ] => self.names.resolve(value),
            _ => {
                facts.more_marks = true;
                return;
            }
        };
        let marks = match value {
            Expr::List(items) | Expr::Tuple(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for mark in marks {
            match self.mark(mark, 8) {
                Some(mark) => facts.marks.push(mark),
                None => facts.more_marks = true,
            }
        }
    }

    /// `pytest.mark.NAME`, called any number of times.
    fn mark(&self, expr: &Expr, depth: u32) -> Option<Mark> {
        let expr = self.names.resolve(expr);
        let Expr::Call { func, keywords, .. } = expr else {
            let path = self.names.qualified(expr)?;
            let name = path.strip_prefix("pytest.mark.")?;
            return (!name.contains('.')).then(|| Mark::new(name));
        };
        let mut mark = self.mark(func, depth.checked_sub(1)?)?;
        for (name, value) in keywords {
            match name {
                Some(name) => mark = mark.with(name.as_str(), self.value(value)),
                None => {
                    // It may hold those seen before it.
                    mark.complete = false;
                    mark.kwargs.clear();
                }
            }
        }
        Some(mark)
    }

    fn value(&self, expr: &Expr) -> MarkValue {
        match self.names.resolve(expr) {
            Expr::None => MarkValue::None,
            Expr::Bool(value) => MarkValue::Bool(*value),
            Expr::Int(value) => MarkValue::Int(value.clone()),
            Expr::Str(value) => MarkValue::Str(value.clone()),
            Expr::Float(value) if value.fract() != 0.0 || !value.is_finite() => MarkValue::Other,
            // Above that, the text of a float is not the integer that it equals.
            Expr::Float(value) if value.abs() < 9e15 => MarkValue::Int(format!("{value:.0}")),
            Expr::Bytes(_) | Expr::Tuple(_) | Expr::List(_) => MarkValue::Other,
            _ => MarkValue::Unknown,
        }
    }

    /// The marks of the sets of a `parametrize`; None where they do not show.
    fn sets(&self, decorator: &Expr) -> Option<Sets> {
        let Expr::Call { args, keywords, .. } = self.names.resolve(decorator) else {
            return None;
        };
        let named = |wanted: &str| {
            let found = keywords
                .iter()
                .find(|(name, _)| name.as_deref() == Some(wanted));
            found.map(|(_, value)| value)
        };
        let reorders = named("scope").is_some() || named("indirect").is_some() || args.len() > 2;
        let values = args.get(1).or_else(|| named("argvalues"))?;
        let values = match self.names.resolve(values) {
            Expr::List(values) | Expr::Tuple(values) if !values.is_empty() && !reorders => values,
            _ => return None,
        };
        values.iter().map(|value| self.set(value)).collect()
    }

    fn set(&self, value: &Expr) -> Option<Vec<Mark>> {
        let value = self.names.resolve(value);
        if matches!(value, Expr::Starred(_)) {
            return None;
        }
        let Expr::Call { func, keywords, .. } = value else {
            // A name of another module may be a `pytest.param`.
            let plain = value.is_plain_data() || matches!(value, Expr::Lambda(_));
            return plain.then(Vec::new);
        };
        match self.names.qualified(func) {
            Some(path) if path == "pytest.param" => {}
            Some(path) if path.starts_with("builtins.") => return Some(Vec::new()),
            _ => return None,
        }
        let mut out = Vec::new();
        for (name, value) in keywords {
            match name.as_deref() {
                Some("marks") => {}
                Some("id") => continue,
                _ => return None,
            }
            let value = self.names.resolve(value);
            let marks = match value {
                Expr::List(items) | Expr::Tuple(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for mark in marks {
                out.push(self.mark(mark, 8)?);
            }
        }
        Some(out)
    }
}
