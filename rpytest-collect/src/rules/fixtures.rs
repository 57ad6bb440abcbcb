//! Fixtures: what a module, a class or a conftest defines, and which of them a test uses.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::eval::Evaluator;
use super::marks::{self, Effect};
use super::names::{Bound, Names, Star};
use super::parametrize::{ParameterSets, Parametrize};
use super::program::{Found, Module};
use super::resolve::{Thing, World};
use super::scope::Scope;
use super::value::Value;
use crate::config::Config;
use crate::syntax::{Expr, Function, Guard};
use crate::{PluginFacts, Reason};

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

/// pytest's own, of which none has parameters.
const BUILTIN: [&str; 24] = [
    "cache",
    "capfd",
    "capfdbinary",
    "caplog",
    "capsys",
    "capsysbinary",
    "capteesys",
    "doctest_namespace",
    "linecomp",
    "LineMatcher",
    "monkeypatch",
    "pytestconfig",
    "pytester",
    "record_property",
    "record_testsuite_property",
    "record_xml_attribute",
    "recwarn",
    "request",
    "subtests",
    "testdir",
    "tmp_path",
    "tmp_path_factory",
    "tmpdir",
    "tmpdir_factory",
];

/// Those of its `legacypath` plugin.
const LEGACY: [&str; 3] = ["testdir", "tmpdir", "tmpdir_factory"];

/// What fixtures of pytest's own request, which a project may have under the same name.
fn needs_of_builtin(name: &str) -> &'static [&'static str] {
    match name {
        "tmp_path" => &["request", "tmp_path_factory"],
        "tmpdir" => &["tmp_path"],
        "tmpdir_factory" => &["tmp_path_factory"],
        "pytester" => &["request", "tmp_path_factory", "monkeypatch"],
        "testdir" => &["pytester"],
        "record_xml_attribute" | "record_property" | "capsys" | "caplog" | "cache" => &["request"],
        _ => &[],
    }
}

/// Whether pytest itself brings a fixture of this name, which others may then need unseen.
pub(crate) fn is_builtin(name: &str) -> bool {
    BUILTIN.contains(&name)
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
        match self
            .world
            .modules
            .find(module.path, star.level, star.module)
        {
            Found::Module(inner) if !star.conditional => self.world.exports(inner, 8),
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
        unknown |= perhaps && (params.is_some() || !def.needs.iter().all(|name| is_builtin(name)));
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

/// What a test asks for.
#[derive(Debug)]
pub(crate) struct Request<'r> {
    /// Names in the order in which pytest puts them in front: autouse fixtures are added to these.
    pub(crate) used: &'r [String],
    /// The function's own arguments.
    pub(crate) arguments: &'r [String],
    /// Arguments that a `parametrize` gives a value to, which hide fixtures of the same name.
    pub(crate) direct: &'r HashSet<String>,
    /// All that a `parametrize` names.
    pub(crate) parametrized: &'r HashSet<String>,
    /// Of the function, for reasons.
    pub(crate) line: u32,
}

/// The fixtures that a test uses.
#[derive(Debug)]
pub(crate) struct Closure<'a> {
    pub(crate) names: Vec<String>,
    /// The parametrized ones, in the order in which pytest parametrizes by them.
    pub(crate) parametrized: Vec<Arc<ParameterSets<'a>>>,
    scopes: Vec<(String, Scope)>,
}

impl Closure<'_> {
    /// The scope of a fixture of the closure.
    pub(crate) fn scope(&self, name: &str) -> Option<Scope> {
        let found = self.scopes.iter().find(|(other, _)| other == name);
        found.map(|(_, scope)| *scope)
    }
}

/// What holders around a test bring, the outermost first.
pub(crate) struct Visible<'v, 'a> {
    pub(crate) holders: Vec<&'v Fixtures<'a>>,
    pub(crate) plugins: Option<&'a PluginFacts>,
    pub(crate) usefixtures: &'a [String],
    pub(crate) pytest: Option<(u32, u32)>,
    /// Whether pytest has `tmpdir` and `testdir`.
    pub(crate) legacy_paths: bool,
}

/// The order in which the needs of fixtures are followed.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// Level by level, until pytest 8.
    Breadth,
    /// Into each before the next, since pytest 9.
    Depth,
}

impl<'a> Visible<'_, 'a> {
    /// The definitions of a name, the nearest last.
    fn defs(&self, name: &str) -> Vec<&FixtureDef<'a>> {
        let holders = self.holders.iter();
        holders
            .flat_map(|holder| holder.defs.iter().filter(|def| def.name == name))
            .collect()
    }

    /// Whether the project has a fixture of this name, or may have one.
    pub(crate) fn has(&self, name: &str) -> bool {
        !self.defs(name).is_empty() || self.is_opaque(name)
    }

    fn is_opaque(&self, name: &str) -> bool {
        self.holders
            .iter()
            .any(|holder| holder.opaque.iter().any(|other| other == name))
    }

    /// What `pytest_generate_tests` hooks do for the users of any of these.
    fn generated(&self, names: &[String]) -> Vec<&Generated<'a>> {
        let all = self.holders.iter().flat_map(|holder| &holder.generated);
        all.filter(|generated| names.contains(&generated.name))
            .collect()
    }

    /// What the nearest definition of a name requests.
    fn needs(&self, name: &str, index: usize) -> Vec<String> {
        let defs = self.defs(name);
        match defs.len().checked_sub(1 + index) {
            Some(at) => defs[at].needs.clone(),
            None if defs.len() == index => {
                let of_plugin = self
                    .plugins
                    .and_then(|facts| facts.fixtures.iter().find(|fixture| fixture.name == name));
                match of_plugin {
                    Some(fixture) => fixture.needs.clone(),
                    None => needs_of_builtin(name)
                        .iter()
                        .map(|&name| name.to_owned())
                        .collect(),
                }
            }
            None => Vec::new(),
        }
    }

    fn closure(&self, initial: &[String], request: &Request<'_>, order: Order) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        match order {
            Order::Breadth => {
                names.extend(initial.iter().cloned());
                let mut at = 0;
                while at < names.len() {
                    let name = names[at].clone();
                    at += 1;
                    if request.direct.contains(&name) {
                        continue;
                    }
                    for need in self.needs(&name, 0) {
                        if !names.contains(&need) {
                            names.push(need);
                        }
                    }
                }
            }
            Order::Depth => {
                let mut indices: Vec<(String, usize)> = Vec::new();
                for name in initial {
                    self.visit(name, request, &mut indices, &mut names);
                }
            }
        }
        let scope = |name: &String| match self.defs(name).last() {
            Some(_) if request.direct.contains(name) => Scope::Function,
            Some(def) => def.scope.unwrap_or(Scope::Function),
            None => Scope::Function,
        };
        // The sort is stable, as Python's is.
        names.sort_by_key(|name| std::cmp::Reverse(scope(name)));
        names
    }

    fn visit(
        &self,
        name: &str,
        request: &Request<'_>,
        depths: &mut Vec<(String, usize)>,
        names: &mut Vec<String>,
    ) {
        let known = depths.iter().position(|(other, _)| other == name);
        // How many definitions of the name are being followed; one that was is not again.
        let depth = match known {
            Some(at) if depths[at].1 == 0 => return,
            Some(at) => depths[at].1,
            None => 0,
        };
        if !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
        if request.direct.contains(name) {
            if known.is_none() {
                depths.push((name.to_owned(), 0));
            }
            return;
        }
        let at = match known {
            Some(at) => at,
            None => {
                depths.push((name.to_owned(), 0));
                depths.len() - 1
            }
        };
        if depth > self.defs(name).len() {
            return;
        }
        depths[at].1 = depth + 1;
        for need in self.needs(name, depth) {
            self.visit(&need, request, depths, names);
        }
        depths[at].1 = depth;
    }

    /// The closure of what a test requests.
    pub(crate) fn request(&self, request: &Request<'_>) -> Result<Closure<'a>, Reason> {
        let line = request.line;
        let unknown = |name: &str| Reason::UnknownFixture {
            name: name.to_owned(),
            line,
        };
        if self.holders.iter().any(|holder| holder.nameless.is_some()) {
            return Err(unknown("?"));
        }
        let mut initial: Vec<String> = Vec::new();
        let mut put = |name: &String| {
            if !initial.contains(name) {
                initial.push(name.clone());
            }
        };
        self.usefixtures.iter().for_each(&mut put);
        let plugins = self.plugins.into_iter().flat_map(|facts| &facts.fixtures);
        plugins
            .filter(|fixture| fixture.autouse)
            .for_each(|fixture| put(&fixture.name));
        for holder in &self.holders {
            let autouse = holder.defs.iter().filter(|def| def.autouse);
            autouse.for_each(|def| put(&def.name));
        }
        request.used.iter().for_each(&mut put);
        request.arguments.iter().for_each(&mut put);

        let names = self.closure(&initial, request, Order::Depth);
        let generated = match self.generated(&names).as_slice() {
            [] => None,
            [
                Generated {
                    sets: Some(sets),
                    initial,
                    ..
                },
            ] => Some((Arc::clone(sets), *initial)),
            // Of several branches only the first may run.
            _ => return Err(Reason::GenerateTestsHook { line }),
        };
        let gives = |name: &String| {
            let sets = generated.as_ref();
            sets.is_some_and(|(sets, _)| sets.argnames.contains(name))
        };
        let mut scopes = Vec::new();
        for name in &names {
            if request.direct.contains(name) || gives(name) {
                continue;
            }
            if self.is_opaque(name) {
                return Err(unknown(name));
            }
            match self.defs(name).as_slice() {
                [] => {}
                [.., def] => {
                    scopes.push((name.clone(), def.scope.unwrap_or(Scope::Function)));
                    continue;
                }
            }
            let of_plugin = self
                .plugins
                .and_then(|facts| facts.fixtures.iter().find(|fixture| fixture.name == *name));
            match of_plugin {
                Some(fixture) if fixture.has_params => return Err(unknown(name)),
                Some(_) => {}
                // Nor would it need what it needs.
                None if !self.legacy_paths && LEGACY.contains(&name.as_str()) => {
                    return Err(unknown(name));
                }
                None if is_builtin(name) || self.plugins.is_some() => {}
                None => return Err(unknown(name)),
            }
        }
        let mut parametrized = self.parametrized(&names, request)?;
        // Since pytest 9 only one order is possible.
        let other = match self.pytest {
            Some(version) if version >= (9, 0) => Order::Depth,
            _ => Order::Breadth,
        };
        let before = self.parametrized(&self.closure(&initial, request, other), request)?;
        let same = parametrized.len() == before.len()
            && parametrized
                .iter()
                .zip(&before)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        if let Some((sets, initial)) = generated {
            let taken = |name: &String| {
                request.parametrized.contains(name)
                    || parametrized.iter().any(|sets| sets.argnames.contains(name))
            };
            let fits = (sets.indirect.is_empty() || sets.scope.is_some())
                && sets
                    .argnames
                    .iter()
                    .all(|name| names.contains(name) && !taken(name));
            if !fits {
                return Err(Reason::GenerateTestsHook { line });
            }
            let at = if initial { parametrized.len() } else { 0 };
            parametrized.insert(at, sets);
        }
        match (same, parametrized.first()) {
            // The order of fixtures is not the same in all versions of pytest.
            (false, Some(sets)) => Err(Reason::ParametrizedFixture {
                name: sets.argnames.join(","),
                line,
            }),
            (false, None) => Err(unknown("?")),
            (true, _) => Ok(Closure {
                names,
                parametrized,
                scopes,
            }),
        }
    }

    /// The parameters of the fixtures of a closure: `FixtureManager.pytest_generate_tests`.
    fn parametrized(
        &self,
        names: &[String],
        request: &Request<'_>,
    ) -> Result<Vec<Arc<ParameterSets<'a>>>, Reason> {
        let mut out = Vec::new();
        for name in names {
            if request.parametrized.contains(name) {
                continue;
            }
            // One that requests the fixture of the same name above it leaves its parameters to that.
            for def in self.defs(name).into_iter().rev() {
                match &def.params {
                    Params::Known(sets) => {
                        out.push(Arc::clone(sets));
                        break;
                    }
                    Params::Unknown => {
                        return Err(Reason::ParametrizedFixture {
                            name: def.name.clone(),
                            line: def.line,
                        });
                    }
                    Params::None if def.needs.contains(name) => {}
                    Params::None => break,
                }
            }
        }
        Ok(out)
    }
}
