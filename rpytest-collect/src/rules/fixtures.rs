//! Fixtures: what a module, a class or a conftest defines, and which of them a test uses.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::closure;
use super::eval::Evaluator;
use super::marks::{self, Effect};
use super::names::{Bound, Names, Star};
use super::parametrize::{ParameterSets, Parametrize};
use super::program::{Found, Module};
use super::resolve::{Thing, World};
use super::scope::Scope;
use super::value::Value;
use crate::Reason;
use crate::config::Config;
use crate::syntax::{Expr, Function, Guard};

/// A fixture function.
#[derive(Debug, Clone)]
pub(crate) struct FixtureDef<'a> {
    pub(crate) name: String,
    pub(crate) line: u32,
    /// None where it is chosen when the tests are collected.
    pub(crate) scope: Option<Scope>,
    pub(crate) params: Params<'a>,
    pub(crate) autouse: bool,
    /// The fixtures that it requests.
    pub(crate) needs: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Params<'a> {
    None,
    Known(Arc<ParameterSets<'a>>),
    Unknown,
}

/// What one holder (a conftest, a module or a class) brings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fixtures<'a> {
    /// In the order in which pytest finds them: by the names of the attributes.
    pub(crate) defs: Vec<FixtureDef<'a>>,
    /// Names that may be fixtures of which nothing is known.
    pub(crate) opaque: Vec<String>,
    /// The line of a fixture that has marks, which pytest 9 refuses.
    pub(crate) marked: Option<u32>,
    /// A fixture whose very name is not known.
    pub(crate) nameless: Option<u32>,
    /// What a `pytest_generate_tests` does for the tests that use one of these.
    pub(crate) generated: Vec<Generated<'a>>,
}

/// What a `pytest_generate_tests` does for tests that use a fixture.
#[derive(Debug, Clone)]
pub(crate) struct Generated<'a> {
    pub(crate) name: String,
    /// The parameters that it gives, if it does nothing else.
    pub(crate) sets: Option<Arc<ParameterSets<'a>>>,
    /// Whether its conftest is loaded before a session starts, so that it runs after parametrized fixtures.
    pub(crate) initial: bool,
}

/// Reads the fixtures of holders.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) world: World<'a>,
    pub(crate) config: &'a Config,
}

impl<'a> Reader<'a> {
    /// The fixtures of a module or conftest, those of its classes apart.
    pub(crate) fn of_module(&self, module: Module<'a>) -> Fixtures<'a> {
        let mut fixtures = self.of_bodies(&[(module, &module.names)], false);
        for star in &module.names.stars {
            // What a star brings is found by name; what it brings unseen may be a fixture for every test.
            for name in self.star(module, star).into_iter().flatten() {
                if module.names.get(&name).is_empty() {
                    let thing = self.world.global(module, &name);
                    self.add(&mut fixtures, &name, thing, None);
                }
            }
        }
        if !module.names.stars.is_empty() {
            fixtures.defs.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let mut seen = HashSet::new();
        for def in &fixtures.defs {
            // Which of two in one holder is the nearer is not the same in all versions of pytest.
            if !seen.insert(&def.name) {
                fixtures.opaque.push(def.name.clone());
            }
        }
        fixtures
    }

    /// What the guarded parts of a `pytest_generate_tests` do.
    pub(crate) fn generated(
        &self,
        module: Module<'a>,
        line: u32,
        guards: &'a [Guard],
        initial: bool,
    ) -> Vec<Generated<'a>> {
        let maker = Parametrize {
            world: self.world,
            config: self.config,
            line,
            scope: None,
        };
        let sets = |call: &'a Expr| match call {
            Expr::Call { args, keywords, .. } => maker.sets(marks::Arguments {
                at: module,
                here: true,
                args,
                keywords,
            }),
            _ => Err(Reason::GenerateTestsHook { line }),
        };
        guards
            .iter()
            .map(|guard| Generated {
                initial,
                name: guard.name.clone(),
                sets: guard
                    .parametrize
                    .as_ref()
                    .and_then(|call| sets(call).ok())
                    .map(Arc::new),
            })
            .collect()
    }

    /// The names that a star import brings, if they are known.
    pub(crate) fn star(&self, module: Module<'a>, star: &Star<'a>) -> Option<Vec<String>> {
        match self.world.modules.find(module, star.level, star.module) {
            Found::Module(inner) if !star.conditional => self.world.exports(inner),
            _ => None,
        }
    }

    /// The fixtures of a class, by the bodies of its bases in method resolution order.
    pub(crate) fn of_class(&self, bodies: &[(Module<'a>, &Names<'a>)]) -> Fixtures<'a> {
        self.of_bodies(bodies, true)
    }

    fn of_bodies(&self, bodies: &[(Module<'a>, &Names<'a>)], of_class: bool) -> Fixtures<'a> {
        let mut fixtures = Fixtures::default();
        let mut found: BTreeMap<&'a str, (Module<'a>, &Names<'a>)> = BTreeMap::new();
        for (module, body) in bodies {
            for (name, _) in body.iter() {
                found.entry(name).or_insert((module, body));
            }
        }
        for (name, (module, body)) in found {
            let bindings = body.get(name);
            let [one] = bindings else {
                // Any of them may be what stays.
                let fixture =
                    bindings
                        .iter()
                        .any(|binding| match self.world.bound(module, binding) {
                            Thing::Function(at, function) => self.is_fixture(at, function),
                            Thing::Unknown
                            | Thing::Value(_, Expr::Call { .. } | Expr::Opaque(_), _) => true,
                            _ => false,
                        });
                if fixture {
                    fixtures.opaque.push(name.to_owned());
                }
                continue;
            };
            let thing = match one.bound {
                Bound::Value(expr @ (Expr::Name(_) | Expr::Attr(..))) => {
                    self.world.thing(module, expr)
                }
                _ => self.world.bound(module, one),
            };
            if one.conditional
                && !matches!(&thing, Thing::Outside(path) if super::outside::is_standard(path))
            {
                if self.may_be(&thing) {
                    fixtures.opaque.push(name.to_owned());
                }
                continue;
            }
            self.add(&mut fixtures, name, thing, of_class.then_some(body));
        }
        fixtures
    }

    fn may_be(&self, thing: &Thing<'a>) -> bool {
        match thing {
            Thing::Function(at, function) => {
                !function.decorators.is_empty() && self.is_fixture(at, function)
            }
            Thing::Unknown | Thing::Outside(_) => true,
            Thing::Value(_, value, _) => matches!(value, Expr::Call { .. } | Expr::Opaque(_)),
            Thing::Class(..) | Thing::Module(_) => false,
        }
    }

    /// Whether a function may become a fixture.
    fn is_fixture(&self, at: Module<'a>, function: &'a Function) -> bool {
        function.decorators.iter().any(|decorator| {
            matches!(
                marks::effect(self.world, at, decorator),
                Effect::Fixture(_) | Effect::Unknown(_)
            )
        })
    }

    /// Adds what a name of a holder stands for, if it is a fixture.
    fn add(
        &self,
        fixtures: &mut Fixtures<'a>,
        name: &str,
        thing: Thing<'a>,
        scope: Option<&Names<'a>>,
    ) {
        match thing {
            Thing::Function(at, function) => self.function(fixtures, name, at, function, scope),
            // `x = pytest.fixture(..)(f)`, or a factory's: a fixture of any kind.
            Thing::Value(at, value @ Expr::Call { .. }, _) => {
                if self.makes_fixture(at, value) {
                    fixtures.nameless.get_or_insert(0);
                }
                fixtures.opaque.push(name.to_owned());
            }
            Thing::Value(_, Expr::Opaque(_), _) | Thing::Unknown => {
                fixtures.opaque.push(name.to_owned());
            }
            Thing::Outside(path) if !super::outside::is_standard(&path) => {
                fixtures.opaque.push(name.to_owned());
            }
            _ => {}
        }
    }

    fn function(
        &self,
        fixtures: &mut Fixtures<'a>,
        name: &str,
        at: Module<'a>,
        function: &'a Function,
        scope: Option<&Names<'a>>,
    ) {
        for (index, decorator) in function.decorators.iter().enumerate() {
            match marks::effect(self.world, at, decorator) {
                // What stands above makes something else of it.
                Effect::Fixture(arguments) if index == 0 => {
                    let is_static = function.decorators.iter().any(|decorator| {
                        matches!(marks::effect(self.world, at, decorator), Effect::Static)
                    });
                    let def = self.fixture(name, function, arguments, scope, is_static);
                    fixtures.defs.push(def);
                    let marks = function
                        .decorators
                        .iter()
                        .any(|decorator| marks::is_mark(self.world, at, decorator));
                    if marks {
                        fixtures.marked.get_or_insert(function.line);
                    }
                    let inner = function.decorators.iter().skip(1);
                    let unknown = |decorator| {
                        matches!(
                            marks::effect(self.world, at, decorator),
                            Effect::Unknown(_) | Effect::Patch(_) | Effect::Given(_)
                        )
                    };
                    // What it requests may be something else then.
                    if inner.into_iter().any(unknown) {
                        fixtures.opaque.push(name.to_owned());
                    }
                    return;
                }
                Effect::Fixture(_) => fixtures.opaque.push(name.to_owned()),
                Effect::Unknown(path) => {
                    // Another's idea of a fixture.
                    if path.to_ascii_lowercase().ends_with("fixture") {
                        fixtures.nameless.get_or_insert(function.line);
                    }
                    fixtures.opaque.push(name.to_owned());
                }
                _ => {}
            }
        }
    }

    fn fixture(
        &self,
        name: &str,
        function: &'a Function,
        arguments: marks::Arguments<'a>,
        scope: Option<&Names<'a>>,
        is_static: bool,
    ) -> FixtureDef<'a> {
        // A fixture that another module defines, or a base class, sees no names of this body.
        let mut def = FixtureDef {
            name: name.to_owned(),
            line: function.line,
            scope: Some(Scope::Function),
            params: Params::None,
            autouse: false,
            needs: Vec::new(),
        };
        let is_method = scope.is_some() && !is_static;
        def.needs = function
            .params
            .iter()
            .skip(usize::from(is_method))
            .filter(|param| !param.has_default)
            .map(|param| param.name.clone())
            .collect();
        let mut evaluator = Evaluator::new(self.world, scope.filter(|_| arguments.here));
        let (mut params, mut ids) = (None, None);
        let mut positional = arguments.args.iter();
        if let Some(value) = positional.next() {
            def.scope = Scope::of(&evaluator.value(arguments.at, value));
        }
        let mut unknown = positional.next().is_some();
        let mut perhaps = false;
        for (keyword, value) in arguments.keywords {
            match keyword.as_deref() {
                Some("params") => params = Some(value),
                Some("ids") => ids = Some(value),
                Some("scope" | "loop_scope") => {
                    let value = evaluator.value(arguments.at, value);
                    if keyword.as_deref() == Some("scope") {
                        def.scope = Scope::of(&value);
                    }
                }
                Some("autouse") => match evaluator.value(arguments.at, value).truth() {
                    Some(autouse) => def.autouse = autouse,
                    None => (def.autouse, perhaps) = (true, true),
                },
                Some("name") => match evaluator.value(arguments.at, value) {
                    Value::Str(name) => def.name = name.to_string(),
                    Value::None => {}
                    _ => unknown = true,
                },
                _ => unknown = true,
            }
        }
        // Whether all tests use it makes no difference if it neither has parameters nor needs what may.
        unknown |= perhaps
            && (params.is_some() || !def.needs.iter().all(|name| closure::is_builtin(name)));
        let maker = Parametrize {
            world: self.world,
            config: self.config,
            line: function.line,
            scope: scope.filter(|_| arguments.here),
        };
        def.params = match (params, def.scope) {
            _ if unknown => Params::Unknown,
            (None | Some(Expr::None), _) => Params::None,
            (Some(_), None) => Params::Unknown,
            (Some(params), Some(wide)) => {
                match maker.params(arguments.at, &def.name, params, ids, wide) {
                    Ok(sets) => Params::Known(sets.into()),
                    Err(_) => Params::Unknown,
                }
            }
        };
        def.autouse |= unknown;
        def
    }

    fn makes_fixture(&self, at: Module<'a>, value: &'a Expr) -> bool {
        let Expr::Call { func, keywords, .. } = value else {
            return false;
        };
        let path = self
            .world
            .path(at, func)
            .or_else(|| func.dotted())
            .unwrap_or_default();
        // A bare `pytest.fixture(..)` is a decorator that waits for its function.
        let named = path.to_ascii_lowercase().ends_with("fixture")
            && path != "pytest.fixture"
            && !path.starts_with("pytest.mark.");
        named
            || self.makes_fixture(at, func)
            || matches!(&**func, Expr::Call { func, .. } if self.world.path(at, func).as_deref() == Some("pytest.fixture"))
            || keywords
                .iter()
                .any(|(name, _)| name.as_deref() == Some("autouse") && path != "pytest.fixture")
    }
}
