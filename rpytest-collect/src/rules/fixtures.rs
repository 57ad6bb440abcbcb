//! Fixtures that a test can see, and whether one that it uses has parameters.
//!
//! All definitions of a name in the file and its conftests count together, wherever in them they are.
//! That sees too many at times, which costs a reason and never a wrong id.

use std::collections::{HashMap, HashSet};

use super::marks::{self, Effect};
use super::names::{Bound, Names};
use crate::PluginFacts;
use crate::syntax::{Expr, Function, Stmt, StmtKind};

#[derive(Debug, Clone, Default)]
pub(crate) struct FixtureDef {
    pub(crate) name: String,
    pub(crate) line: u32,
    pub(crate) has_params: bool,
    /// The parameters, where they are constants of a function-scoped fixture that the module has once.
    pub(crate) params: Option<Vec<Expr>>,
    pub(crate) autouse: bool,
    pub(crate) needs: Vec<String>,
}

/// What a module or conftest brings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fixtures {
    pub(crate) defs: Vec<FixtureDef>,
    /// Names that may be fixtures of which nothing is known.
    pub(crate) opaque: Vec<String>,
    /// Names that a `pytest_generate_tests` asks for before it does anything.
    pub(crate) generated: Vec<String>,
}

/// pytest's own, of which none has parameters and none needs another that a project could give some.
const BUILTIN: [&str; 20] = [
    "request",
    "cache",
    "capfd",
    "capfdbinary",
    "caplog",
    "capsys",
    "capsysbinary",
    "capteesys",
    "doctest_namespace",
    "monkeypatch",
    "pytestconfig",
    "record_property",
    "record_testsuite_property",
    "record_xml_attribute",
    "recwarn",
    "tmp_path",
    "tmp_path_factory",
    "subtests",
    "tmpdir",
    "tmpdir_factory",
];

impl Fixtures {
    pub(crate) fn of(body: &[Stmt], names: &Names<'_>) -> Self {
        let mut fixtures = Self::default();
        fixtures.add(body, names);
        for (name, bindings) in names.iter() {
            let opaque = bindings.iter().any(|binding| {
                matches!(
                    binding.bound,
                    Bound::From { .. }
                        | Bound::Unknown
                        | Bound::Value(Expr::Call { .. } | Expr::Opaque(_))
                )
            });
            if opaque {
                fixtures.opaque.push(name.to_owned());
            }
        }
        fixtures
    }

    fn add(&mut self, body: &[Stmt], names: &Names<'_>) {
        for stmt in body {
            match &stmt.kind {
                StmtKind::Class(class) => self.add(&class.body, names),
                StmtKind::Block { body, .. } => self.add(body, names),
                // `x = pytest.fixture(..)(f)`, or a factory's: a fixture of any kind.
                StmtKind::Assign { value, .. } if makes_fixture(value, names) => {
                    self.defs.push(FixtureDef {
                        name: "?".to_owned(),
                        line: stmt.line,
                        has_params: true,
                        params: None,
                        autouse: true,
                        needs: Vec::new(),
                    });
                }
                StmtKind::Function(function) => {
                    for decorator in &function.decorators {
                        match marks::effect(names, decorator) {
                            Effect::Fixture(keywords) => {
                                let mut def = FixtureDef {
                                    name: function.name.clone(),
                                    line: function.line,
                                    needs: function
                                        .params
                                        .iter()
                                        .filter(|param| {
                                            !param.has_default
                                                && param.name != "self"
                                                && param.name != "cls"
                                        })
                                        .map(|param| param.name.clone())
                                        .collect(),
                                    ..FixtureDef::default()
                                };
                                def.params = constant_params(function, keywords, names);
                                for (keyword, value) in keywords {
                                    match (keyword.as_deref(), value) {
                                        (Some("params"), Expr::None)
                                        | (Some("autouse"), Expr::Bool(false))
                                        | (Some("scope" | "ids"), _) => {}
                                        (Some("params"), _) => def.has_params = true,
                                        (Some("autouse"), _) => def.autouse = true,
                                        (Some("name"), Expr::Str(name)) => {
                                            def.name.clone_from(name)
                                        }
                                        _ => (def.has_params, def.autouse) = (true, true),
                                    }
                                }
                                self.defs.push(def);
                            }
                            Effect::Unknown(name) => {
                                // Another's idea of a fixture.
                                let fixture = name.to_ascii_lowercase().contains("fixture");
                                if fixture {
                                    self.defs.push(FixtureDef {
                                        name: function.name.clone(),
                                        line: function.line,
                                        has_params: true,
                                        params: None,
                                        autouse: true,
                                        needs: Vec::new(),
                                    });
                                }
                                self.opaque.push(function.name.clone());
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The `params` of a fixture, if they are all that its decorator says beside a name.
fn constant_params(
    function: &Function,
    keywords: &[(Option<String>, Expr)],
    names: &Names<'_>,
) -> Option<Vec<Expr>> {
    let alone = function.decorators.len() == 1
        && matches!(
            names.single(&function.name)?.bound,
            Bound::Function(bound) if std::ptr::eq(bound, function)
        );
    let mut params = None;
    for (keyword, value) in keywords {
        match (keyword.as_deref()?, value) {
            ("name", Expr::Str(_)) => {}
            ("params", Expr::Tuple(items) | Expr::List(items)) => params = Some(items),
            _ => return None,
        }
    }
    let constant = |item: &Expr| {
        matches!(
            item,
            Expr::Str(_) | Expr::Bytes(_) | Expr::Int(_) | Expr::Float(_) | Expr::Bool(_)
        )
    };
    params
        .filter(|params| alone && !params.is_empty() && params.iter().all(constant))
        .cloned()
}

fn makes_fixture(value: &Expr, names: &Names<'_>) -> bool {
    let Expr::Call { func, keywords, .. } = value else {
        return false;
    };
    let path = names
        .qualified(func)
        .or_else(|| func.dotted())
        .unwrap_or_default();
    // A bare `pytest.fixture(..)` is a decorator that waits for its function.
    let named = path.to_ascii_lowercase().contains("fixture")
        && path != "pytest.fixture"
        && !path.starts_with("pytest.mark.");
    named
        || makes_fixture(func, names)
        || matches!(&**func, Expr::Call { func, .. } if names.qualified(func).as_deref() == Some("pytest.fixture"))
        || keywords
            .iter()
            .any(|(name, _)| name.as_deref() == Some("autouse") && path != "pytest.fixture")
}

/// Whether pytest itself brings a fixture of this name, which others may then need unseen.
pub(crate) fn is_builtin(name: &str) -> bool {
    BUILTIN.contains(&name)
}

/// The fixtures of a file and of the conftests above it.
#[derive(Debug, Default)]
pub(crate) struct Visible<'a> {
    defs: HashMap<&'a str, Vec<&'a FixtureDef>>,
    autouse: Vec<&'a str>,
    opaque: HashSet<&'a str>,
    generated: HashSet<&'a str>,
}

pub(crate) enum Found<'a> {
    Parametrized(&'a FixtureDef),
    Unknown(String),
    /// A `pytest_generate_tests` acts on tests that use this.
    Generated,
}

impl<'a> Visible<'a> {
    pub(crate) fn new(all: impl Iterator<Item = &'a Fixtures>) -> Self {
        let mut visible = Self::default();
        for fixtures in all {
            for def in &fixtures.defs {
                visible.defs.entry(&def.name).or_default().push(def);
                if def.autouse {
                    visible.autouse.push(&def.name);
                }
            }
            visible
                .opaque
                .extend(fixtures.opaque.iter().map(String::as_str));
            visible
                .generated
                .extend(fixtures.generated.iter().map(String::as_str));
        }
        visible
    }

    /// The fixtures with constant parameters in what `arguments` and `used` need, in pytest's order, or the
    /// first that may have others. `direct` are parametrized arguments, which hide fixtures of the same name.
    pub(crate) fn parametrized(
        &self,
        arguments: &[String],
        used: impl Iterator<Item = String>,
        direct: &HashSet<String>,
        plugins: Option<&PluginFacts>,
    ) -> Result<Vec<&'a FixtureDef>, Found<'a>> {
        let mut todo: Vec<String> = used.collect();
        // Reached otherwise than by the test's own arguments, which alone have an order that is plain.
        let mut indirect: HashSet<String> = todo.iter().cloned().collect();
        let mut constant: Vec<&'a FixtureDef> = Vec::new();
        indirect.extend(self.autouse.iter().map(|&name| name.to_owned()));
        todo.extend(arguments.iter().cloned());
        todo.extend(self.autouse.iter().map(|&name| name.to_owned()));
        let mut seen = HashSet::new();
        while let Some(name) = todo.pop() {
            if self.generated.contains(name.as_str()) {
                return Err(Found::Generated);
            }
            if direct.contains(&name) || !seen.insert(name.clone()) {
                continue;
            }
            if self.opaque.contains(name.as_str()) {
                return Err(Found::Unknown(name));
            }
            match self.defs.get(name.as_str()) {
                Some(defs) => {
                    match defs.as_slice() {
                        [def] if def.params.is_some() => constant.push(def),
                        defs => {
                            if let Some(def) = defs.iter().find(|def| def.has_params) {
                                return Err(Found::Parametrized(def));
                            }
                        }
                    }
                    let needs = defs.iter().flat_map(|def| def.needs.iter().cloned());
                    indirect.extend(needs.clone());
                    todo.extend(needs);
                }
                None if BUILTIN.contains(&name.as_str())
                    || plugins.is_some_and(|facts| !facts.parametrizes(&name)) => {}
                None => return Err(Found::Unknown(name)),
            }
        }
        if let ([first, _, ..], true) = (
            constant.as_slice(),
            constant.iter().any(|def| indirect.contains(&def.name)),
        ) {
            return Err(Found::Parametrized(first));
        }
        constant.sort_by_key(|def| arguments.iter().position(|name| *name == def.name));
        Ok(constant)
    }
}
