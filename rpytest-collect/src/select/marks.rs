//! The marks and attributes of items, read from the source beside the rules that found them.
//!
//! Whatever this does not recognise leaves an item's facts open. It never makes a file partial: an item
//! can be known to exist while one of its marks is not.

use super::facts::{ItemFacts, Mark, MarkValue};
use super::matching::split_id;
use crate::Item;
use crate::rules::classes;
use crate::rules::names::{Binding, Bound, Names};
use crate::rules::program::Module;
use crate::rules::resolve::{Thing, World};
use crate::syntax::Expr;

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

/// Fills in [`Item::facts`] of the items of an exact file.
/// `marked` says of each whether its parameters may have marks.
pub(crate) fn attach<'a>(items: &mut [Item], marked: &[bool], own: Module<'a>, world: World<'a>) {
    let mut reader = Reader {
        world,
        own,
        around: None,
    };
    let mut module = ItemFacts::default();
    let plain = reader.pytestmark(own, &own.names, &mut module);
    let mut start = 0;
    while start < items.len() {
        let id = items[start].id.as_str();
        let base = id.split('[').next().unwrap_or_default().to_owned();
        let same = |item: &&Item| item.id.as_str().split('[').next() == Some(base.as_str());
        let count = items[start..].iter().take_while(same).count();
        let marked = marked[start..start + count].contains(&true);
        let items = &mut items[start..start + count];
        reader.group(items, marked, &module, plain);
        start += count;
    }
}

struct Reader<'a> {
    world: World<'a>,
    own: Module<'a>,
    /// The classes around the function that was looked at last: the next is likely to be in them, too.
    around: Option<Around<'a>>,
}

/// What the classes around a function have.
struct Around<'a> {
    /// Their names.
    path: Vec<String>,
    /// Of the innermost and its bases, in the order in which Python looks for a name.
    bodies: Vec<(Module<'a>, Names<'a>)>,
    facts: ItemFacts,
    /// The sets of their parameters, where they are known.
    parametrize: Option<Vec<Sets>>,
}

/// The marks of each set of one `parametrize`.
type Sets = Vec<Vec<Mark>>;

impl<'a> Reader<'a> {
    /// The items of one function.
    fn group(&mut self, items: &mut [Item], marked: bool, module: &ItemFacts, plain: bool) {
        let Some(first) = items.first() else { return };
        // What the parameters of fixtures and of a `pytestmark` carry is not followed.
        let plain = plain && !first.facts.more_marks;
        let (_, path) = split_id(first.id.as_str());
        let (mut facts, parametrize) = match self.item(&path, module, plain) {
            Some(found) => found,
            None => (ItemFacts::unknown(), None),
        };
        let parametrized = first.id.as_str().contains('[');
        let expected = parametrize
            .as_ref()
            .map(|all| all.iter().map(Vec::len).product::<usize>());
        match (parametrize.as_deref(), expected) {
            _ if !parametrized || !marked => {}
            // Only what is parametrized here takes part, unless a fixture does with a single set.
            (Some([one]), Some(count)) if count == items.len() => {
                for (item, own) in items.iter_mut().zip(one) {
                    item.facts = facts.clone();
                    item.facts.marks.extend(own.iter().cloned());
                }
                return;
            }
            (Some(all), Some(count)) if count == items.len() => {
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

    /// Follows the names of an id to its function: its facts, and the sets of its parameters where they are
    /// known. None where it is not found.
    fn item(
        &mut self,
        path: &[&str],
        module: &ItemFacts,
        plain: bool,
    ) -> Option<(ItemFacts, Option<Vec<Sets>>)> {
        let (last, classes) = path.split_last()?;
        let known = self
            .around
            .take()
            .filter(|around| around.path.iter().eq(classes));
        let around = match known {
            Some(around) => around,
            None => self.classes(classes, module)?,
        };
        let mut facts = around.facts.clone();
        let mut parametrize = around.parametrize.clone().filter(|_| plain);
        let name = last.split('[').next().unwrap_or_default();
        let thing = self.bound(&around.bodies, classes.len(), name);
        self.around = Some(around);
        let Thing::Function(at, function) = thing? else {
            return None;
        };
        for decorator in &function.decorators {
            if self.decorator(at, decorator, &mut facts, &mut parametrize) {
                // `-k` matched this one too before pytest 9.2.
                facts.possible_attributes.push("pytestmark".to_owned());
            }
        }
        Some((facts, parametrize))
    }

    fn classes(&self, names: &[&str], module: &ItemFacts) -> Option<Around<'a>> {
        let mut facts = module.clone();
        let mut parametrize: Option<Vec<Sets>> = Some(Vec::new());
        let mut scopes: Vec<Names<'a>> = Vec::new();
        let mut bodies: Vec<(Module<'a>, Names<'a>)> = Vec::new();
        for (depth, name) in names.iter().enumerate() {
            let Thing::Class(at, class) = self.bound(&bodies, depth, name)? else {
                return None;
            };
            let around: Vec<&Names<'a>> = scopes.iter().collect();
            let lineage = classes::lineage(self.world, &around, at, class).ok()?;
            bodies = lineage
                .mro
                .iter()
                .map(|(module, class)| (*module, Names::of_body(&class.body)))
                .collect();
            for ((at, class), (_, body)) in lineage.mro.iter().zip(&bodies) {
                for decorator in &class.decorators {
                    self.decorator(at, decorator, &mut facts, &mut parametrize);
                }
                if !self.pytestmark(at, body, &mut facts) {
                    parametrize = None;
                }
            }
            scopes.push(Names::of_body(&class.body));
        }
        Some(Around {
            path: names.iter().map(|name| (*name).to_owned()).collect(),
            bodies,
            facts,
            parametrize,
        })
    }

    /// What a name is in the module, or in the first of the bodies that has it.
    fn bound(
        &self,
        bodies: &[(Module<'a>, Names<'a>)],
        depth: usize,
        name: &str,
    ) -> Option<Thing<'a>> {
        let (at, bindings): (_, &[Binding<'a>]) = match depth {
            0 => match self.own.names.get(name) {
                [] => return Some(self.world.global(self.own, name)),
                bindings => (self.own, bindings),
            },
            _ => bodies
                .iter()
                .map(|(at, body)| (*at, body.get(name)))
                .find(|(_, bindings)| !bindings.is_empty())?,
        };
        let last = bindings.last()?;
        let clear = bindings.iter().all(|binding| !binding.conditional);
        clear.then(|| self.world.bound(at, last))
    }

    /// Reads one decorator. True for a mark.
    fn decorator(
        &self,
        at: Module<'a>,
        decorator: &'a Expr,
        facts: &mut ItemFacts,
        parametrize: &mut Option<Vec<Sets>>,
    ) -> bool {
        if let Some(mark) = self.mark(at, decorator, 8) {
            if mark.name == "parametrize" {
                match (self.sets(at, decorator), parametrize) {
                    (Some(sets), Some(all)) => all.push(sets),
                    (None, parametrize @ Some(_)) => *parametrize = None,
                    (_, None) => {}
                }
            }
            facts.marks.push(mark);
            return true;
        }
        let path = match self.world.thing(at, decorator) {
            Thing::Value(module, Expr::Call { func, .. }, _) => self.world.path(module, func),
            Thing::Outside(path) => Some(path),
            _ => None,
        };
        let path = path.unwrap_or_default();
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

    /// The `pytestmark` of a body. False where it may parametrize.
    fn pytestmark(&self, at: Module<'a>, body: &Names<'a>, facts: &mut ItemFacts) -> bool {
        let value = match body.get("pytestmark") {
            [] => return true,
            [
                Binding {
                    conditional: false,
                    bound: Bound::Value(value),
                    ..
                },
            ] => value,
            _ => {
                facts.more_marks = true;
                return false;
            }
        };
        let (at, value) = self.resolved(at, value);
        let marks = match value {
            Expr::List(items) | Expr::Tuple(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut plain = true;
        for mark in marks {
            match self.mark(at, mark, 8) {
                Some(mark) => {
                    plain &= mark.name != "parametrize";
                    facts.marks.push(mark);
                }
                None => (plain, facts.more_marks) = (false, true),
            }
        }
        plain
    }

    /// Follows names to the expression of their value.
    fn resolved(&self, at: Module<'a>, expr: &'a Expr) -> (Module<'a>, &'a Expr) {
        match self.world.thing(at, expr) {
            Thing::Value(module, expr, _) => (module, expr),
            _ => (at, expr),
        }
    }

    /// `pytest.mark.NAME`, called any number of times.
    fn mark(&self, at: Module<'a>, expr: &'a Expr, depth: u32) -> Option<Mark> {
        let (at, expr) = self.resolved(at, expr);
        let Expr::Call { func, keywords, .. } = expr else {
            let path = self.world.path(at, expr)?;
            let name = path.strip_prefix("pytest.mark.")?;
            return (!name.contains('.')).then(|| Mark::new(name));
        };
        let mut mark = self.mark(at, func, depth.checked_sub(1)?)?;
        for (name, value) in keywords {
            match name {
                Some(name) => mark = mark.with(name.as_str(), self.value(at, value)),
                None => {
                    // It may hold those seen before it.
                    mark.complete = false;
                    mark.kwargs.clear();
                }
            }
        }
        Some(mark)
    }

    fn value(&self, at: Module<'a>, expr: &'a Expr) -> MarkValue {
        match self.resolved(at, expr).1 {
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
    fn sets(&self, at: Module<'a>, decorator: &'a Expr) -> Option<Sets> {
        let (at, decorator) = self.resolved(at, decorator);
        let Expr::Call { args, keywords, .. } = decorator else {
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
        let (at, values) = match self.resolved(at, values) {
            (at, Expr::List(values) | Expr::Tuple(values)) if !values.is_empty() && !reorders => {
                (at, values)
            }
            _ => return None,
        };
        values.iter().map(|value| self.set(at, value)).collect()
    }

    fn set(&self, at: Module<'a>, value: &'a Expr) -> Option<Vec<Mark>> {
        let (at, value) = self.resolved(at, value);
        if matches!(value, Expr::Starred(_)) {
            return None;
        }
        let Expr::Call { func, keywords, .. } = value else {
            // A name of another module may be a `pytest.param`.
            let plain = match self.world.thing(at, value) {
                Thing::Outside(path) => path.starts_with("builtins."),
                Thing::Class(..) | Thing::Function(..) => true,
                _ => value.is_plain_data() || matches!(value, Expr::Lambda(_)),
            };
            return plain.then(Vec::new);
        };
        match self.world.path(at, func) {
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
            let (at, value) = self.resolved(at, value);
            let marks = match value {
                Expr::List(items) | Expr::Tuple(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for mark in marks {
                out.push(self.mark(at, mark, 8)?);
            }
        }
        Some(out)
    }
}
