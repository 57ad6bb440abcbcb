//! Decorators and marks: which are known to keep what they decorate.

use super::program::Module;
use super::resolve::{Thing, World};
use crate::syntax::Expr;

/// The arguments of a call, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments<'a> {
    pub(crate) at: Module<'a>,
    /// Whether the call stands where its value is used, and so sees the names around that.
    pub(crate) here: bool,
    pub(crate) args: &'a [Expr],
    pub(crate) keywords: &'a [(Option<String>, Expr)],
}

/// What a decorator does to the function or class below it.
#[derive(Debug)]
pub(crate) enum Effect<'a> {
    /// It stays a test of the same name.
    Keep,
    /// `mock.patch` and its kin: how many mocks it passes before the other arguments.
    Patch(usize),
    /// `hypothesis.given`, which passes some of the arguments.
    Given(Arguments<'a>),
    Static,
    ClassMethod,
    /// It becomes a fixture. A bare decorator has no arguments.
    Fixture(Arguments<'a>),
    /// `pytest.mark.parametrize`.
    Parametrize(Arguments<'a>),
    UseFixtures(Arguments<'a>),
    /// `pytest.mark.anyio`, which requests a fixture of the anyio plugin.
    AnyIo,
    Unknown(String),
}

/// Decorators that return a function of the same name with the same parameters, or a class as it was.
const KEEPING: [&str; 16] = [
    "unittest.skip",
    "unittest.skipIf",
    "unittest.skipUnless",
    "unittest.expectedFailure",
    "unittest.case.skip",
    "unittest.case.skipIf",
    "typing.no_type_check",
    "typing.final",
    "functools.lru_cache",
    "functools.cache",
    "hypothesis.example",
    "hypothesis.settings",
    "hypothesis.seed",
    "hypothesis.reproduce_failure",
    "dataclasses.dataclass",
    "warnings.deprecated",
];

pub(crate) fn effect<'a>(world: World<'a>, at: Module<'a>, decorator: &'a Expr) -> Effect<'a> {
    let unknown = |expr: &Expr| {
        let func = match expr {
            Expr::Call { func, .. } => func,
            other => other,
        };
        let name = func.dotted().unwrap_or_else(|| "expression".to_owned());
        Effect::Unknown(name)
    };
    let (at, here, path, call): (_, _, _, Option<(&[Expr], &[_])>) =
        match world.thing(at, decorator) {
            Thing::Outside(path) => (at, true, path, None),
            Thing::Value(
                module,
                expr @ Expr::Call {
                    func,
                    args,
                    keywords,
                },
                _,
            ) => match world.thing(module, func) {
                Thing::Outside(path) => {
                    let here = std::ptr::eq(expr, decorator);
                    (module, here, path, Some((args, keywords)))
                }
                // A mark made into another by a call: `mark = pytest.mark.x(1)`, then `@mark(2)`.
                Thing::Value(inner, Expr::Call { func, .. }, _)
                    if is_plain_mark(world, inner, func) =>
                {
                    return Effect::Keep;
                }
                _ => return unknown(decorator),
            },
            _ => return unknown(decorator),
        };
    let called = call.is_some();
    let (args, keywords) = call.unwrap_or((&[], &[]));
    let arguments = Arguments {
        at,
        here,
        args,
        keywords,
    };
    if let Some(mark) = path.strip_prefix("pytest.mark.") {
        return match mark {
            "parametrize" if called => Effect::Parametrize(arguments),
            "parametrize" => unknown(decorator),
            "usefixtures" => Effect::UseFixtures(arguments),
            "anyio" => Effect::AnyIo,
            _ if mark.contains('.') => unknown(decorator),
            _ => Effect::Keep,
        };
    }
    match path.as_str() {
        "builtins.staticmethod" if !called => Effect::Static,
        "builtins.classmethod" if !called => Effect::ClassMethod,
        "pytest.fixture" | "pytest_asyncio.fixture" => Effect::Fixture(arguments),
        "hypothesis.given" if called => Effect::Given(arguments),
        path if KEEPING.contains(&path) => Effect::Keep,
        path if called => {
            let kind = path
                .strip_prefix("unittest.")
                .unwrap_or(path)
                .strip_prefix("mock.patch");
            // The position at which a replacement can be given, which then is not passed.
            let position = match kind {
                Some("") => 1,
                Some(".object") => 2,
                Some(".dict") => return Effect::Patch(0),
                _ => return unknown(decorator),
            };
            if args.iter().any(|arg| matches!(arg, Expr::Starred(_)))
                || keywords.iter().any(|(name, _)| name.is_none())
            {
                return unknown(decorator);
            }
            let given = args.len() > position
                || keywords
                    .iter()
                    .any(|(name, _)| name.as_deref() == Some("new"));
            Effect::Patch(usize::from(!given))
        }
        _ => unknown(decorator),
    }
}

fn is_plain_mark<'a>(world: World<'a>, at: Module<'a>, expr: &'a Expr) -> bool {
    world.path(at, expr).is_some_and(|path| {
        path.strip_prefix("pytest.mark.")
            .is_some_and(|mark| !matches!(mark, "parametrize" | "usefixtures" | "anyio"))
    })
}

/// The marks of a `pytestmark`, in their order; None where they are not known.
pub(crate) fn pytestmark<'a>(
    world: World<'a>,
    at: Module<'a>,
    value: &'a Expr,
) -> Option<Vec<Effect<'a>>> {
    let (at, value) = match world.thing(at, value) {
        Thing::Value(module, value, super::resolve::Changed::No) => (module, value),
        // A bare mark.
        Thing::Outside(_) => (at, value),
        _ => return None,
    };
    let marks: &[Expr] = match value {
        Expr::List(items) | Expr::Tuple(items) => items,
        one => std::slice::from_ref(one),
    };
    marks
        .iter()
        .map(|mark| match effect(world, at, mark) {
            Effect::Keep if !is_mark(world, at, mark) => None,
            known @ (Effect::Keep
            | Effect::UseFixtures(_)
            | Effect::Parametrize(_)
            | Effect::AnyIo) => Some(known),
            _ => None,
        })
        .collect()
}

pub(crate) fn is_mark<'a>(world: World<'a>, at: Module<'a>, mark: &'a Expr) -> bool {
    match world.thing(at, mark) {
        Thing::Outside(path) => path.starts_with("pytest.mark."),
        Thing::Value(module, Expr::Call { func, .. }, _) => match world.thing(module, func) {
            Thing::Value(inner, Expr::Call { func, .. }, _) => is_plain_mark(world, inner, func),
            Thing::Outside(path) => path.starts_with("pytest.mark."),
            _ => false,
        },
        _ => false,
    }
}

pub(crate) fn literal_names(args: &[Expr]) -> Option<Vec<String>> {
    args.iter()
        .map(|arg| match arg {
            Expr::Str(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}
