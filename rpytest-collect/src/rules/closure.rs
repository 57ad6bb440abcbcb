//! Which fixtures a test uses, and by which of them it is parametrized.

use std::collections::HashSet;
use std::sync::Arc;

use super::fixtures::{FixtureDef, Fixtures, Generated, Params};
use super::parametrize::ParameterSets;
use super::scope::Scope;
use crate::{PluginFacts, Reason};

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
        // Since pytest 9 only one order is possible, and both see the same names at most.
        let one = self.pytest.is_some_and(|version| version >= (9, 0));
        let same = one || parametrized.is_empty() || {
            let names = self.closure(&initial, request, Order::Breadth);
            let before = self.parametrized(&names, request)?;
            let mut both = parametrized.iter().zip(&before);
            parametrized.len() == before.len() && both.all(|(a, b)| Arc::ptr_eq(a, b))
        };
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
