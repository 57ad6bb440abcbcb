//! Decorators and marks: which are known to keep what they decorate.

use super::names::Names;
use crate::syntax::Expr;

/// What a decorator does to the function or class below it.
#[derive(Debug)]
pub(crate) enum Effect<'a> {
    /// It stays a test of the same name.
    Keep,
    /// `mock.patch` and its kin: how many mocks it passes before the other arguments.
    Patch(usize),
    Static,
    ClassMethod,
    /// It becomes a fixture. The call's keywords, none for a bare decorator.
    Fixture(&'a [(Option<String>, Expr)]),
    /// The arguments of `pytest.mark.parametrize`.
    Parametrize(&'a [Expr], &'a [(Option<String>, Expr)]),
    UseFixtures(&'a [Expr]),
    /// `pytest.mark.anyio`, which requests a fixture of the anyio plugin.
    AnyIo,
    Unknown(String),
}

/// Decorators that return a function of the same name with the same parameters, or a class as it was.
const KEEPING: [&str; 8] = [
    "unittest.skip",
    "unittest.skipIf",
    "unittest.skipUnless",
    "unittest.expectedFailure",
    "unittest.case.skip",
    "unittest.case.skipIf",
    "typing.no_type_check",
    "typing.final",
];

pub(crate) fn effect<'a>(names: &'a Names<'_>, decorator: &'a Expr) -> Effect<'a> {
    let decorator = names.resolve(decorator);
    let (func, args, keywords): (_, &[Expr], &[_]) = match decorator {
        Expr::Call {
            func,
            args,
            keywords,
        } => (&**func, args, keywords),
        other => (other, &[], &[]),
    };
    let called = !std::ptr::eq(func, decorator);
    let unknown = || {
        let name = func.dotted().unwrap_or_else(|| "expression".to_owned());
        Effect::Unknown(name)
    };
    let Some(path) = names.qualified(func) else {
        // A mark made into another by a call: `mark = pytest.mark.x(1)`, then `@mark(2)`.
        return match names.resolve(func) {
            Expr::Call { func: inner, .. } if called && is_plain_mark(names, inner) => Effect::Keep,
            _ => unknown(),
        };
    };
    if let Some(mark) = path.strip_prefix("pytest.mark.") {
        return match mark {
            "parametrize" if called => Effect::Parametrize(args, keywords),
            "parametrize" => unknown(),
            "usefixtures" => Effect::UseFixtures(args),
            "anyio" => Effect::AnyIo,
            _ if mark.contains('.') => unknown(),
            _ => Effect::Keep,
        };
    }
    match path.as_str() {
        "builtins.staticmethod" if !called => Effect::Static,
        "builtins.classmethod" if !called => Effect::ClassMethod,
        "pytest.fixture" | "pytest_asyncio.fixture" => Effect::Fixture(keywords),
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
                _ => return unknown(),
            };
            if args.iter().any(|arg| matches!(arg, Expr::Starred(_)))
                || keywords.iter().any(|(name, _)| name.is_none())
            {
                return unknown();
            }
            let given = args.len() > position
                || keywords
                    .iter()
                    .any(|(name, _)| name.as_deref() == Some("new"));
            Effect::Patch(usize::from(!given))
        }
        _ => unknown(),
    }
}

fn is_plain_mark(names: &Names<'_>, expr: &Expr) -> bool {
    names.qualified(expr).is_some_and(|path| {
        path.strip_prefix("pytest.mark.")
            .is_some_and(|mark| !matches!(mark, "parametrize" | "usefixtures" | "anyio"))
    })
}

/// What `pytestmark` adds to the tests below it: the fixtures used, or None where it is not known.
pub(crate) fn pytestmark(names: &Names<'_>, value: &Expr) -> Option<Vec<String>> {
    let value = names.resolve(value);
    let marks: Vec<&Expr> = match value {
        Expr::List(items) | Expr::Tuple(items) => items.iter().collect(),
        one => vec![one],
    };
    let mut fixtures = Vec::new();
    for mark in marks {
        match effect(names, mark) {
            Effect::Keep if is_mark(names, mark) => {}
            Effect::UseFixtures(args) => fixtures.extend(literal_names(args)?),
            _ => return None,
        }
    }
    Some(fixtures)
}

fn is_mark(names: &Names<'_>, mark: &Expr) -> bool {
    let mark = names.resolve(mark);
    let func = match mark {
        Expr::Call { func, .. } => func,
        other => other,
    };
    is_plain_mark(names, func)
}

pub(crate) fn literal_names(args: &[Expr]) -> Option<Vec<String>> {
    args.iter()
        .map(|arg| match arg {
            Expr::Str(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}
