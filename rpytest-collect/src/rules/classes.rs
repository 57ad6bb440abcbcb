//! Classes: what their bases are, and the order in which they are searched.

use super::names::{Binding, Bound, Names};
use crate::syntax::{Class, Expr};

/// Where a class stands.
#[derive(Debug)]
pub(crate) struct Lineage<'a> {
    /// The classes of this module in method resolution order, itself first.
    pub(crate) mro: Vec<&'a Class>,
    /// Derived from `unittest.TestCase`.
    pub(crate) is_testcase: bool,
    /// Some base is a known class of the standard library that is no test case.
    pub(crate) has_foreign: bool,
    /// Some class in `mro` has a metaclass or other keywords.
    pub(crate) has_keywords: bool,
}

#[derive(Debug, Clone, Copy)]
enum Base<'a> {
    Local(&'a Class),
    /// By path; `true` for a test case.
    Foreign(&'static str, bool),
}

impl PartialEq for Base<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(a), Self::Local(b)) => std::ptr::eq(*a, *b),
            (Self::Foreign(a, _), Self::Foreign(b, _)) => a == b,
            _ => false,
        }
    }
}

/// Classes that are no test case and have no test among their attributes.
const FOREIGN: [&str; 36] = [
    "abc.ABC",
    "enum.Enum",
    "enum.IntEnum",
    "enum.Flag",
    "enum.IntFlag",
    "enum.StrEnum",
    "typing.NamedTuple",
    "typing.TypedDict",
    "typing.Protocol",
    "typing.Generic",
    "threading.Thread",
    "collections.OrderedDict",
    "collections.UserDict",
    "collections.UserList",
    "collections.abc.Mapping",
    "collections.abc.Sequence",
    "collections.abc.Iterator",
    "logging.Handler",
    "json.JSONEncoder",
    "builtins.dict",
    "builtins.list",
    "builtins.tuple",
    "builtins.set",
    "builtins.str",
    "builtins.int",
    "builtins.float",
    "builtins.bytes",
    "builtins.type",
    "builtins.Exception",
    "builtins.BaseException",
    "builtins.ValueError",
    "builtins.TypeError",
    "builtins.RuntimeError",
    "builtins.KeyError",
    "builtins.OSError",
    "builtins.Warning",
];

/// Modules of the standard library in which no class is a test case or has a `__test__`, and which pytest
/// has imported before a project could put its own in their place.
const STANDARD: [&str; 16] = [
    "abc",
    "argparse",
    "ast",
    "collections",
    "contextlib",
    "datetime",
    "enum",
    "functools",
    "importlib",
    "io",
    "json",
    "logging",
    "pathlib",
    "string",
    "threading",
    "typing",
];

/// The module of the standard library that a path starts with.
fn standard(path: &str) -> Option<&'static str> {
    let (top, _) = path.split_once('.')?;
    STANDARD.iter().find(|module| **module == top).copied()
}

const TEST_CASES: [&str; 4] = [
    "unittest.TestCase",
    "unittest.IsolatedAsyncioTestCase",
    "unittest.case.TestCase",
    "unittest.async_case.IsolatedAsyncioTestCase",
];

/// The lineage of a class, or the base that is not known. `scopes` are the bodies of the classes around it.
pub(crate) fn lineage<'a>(
    names: &Names<'a>,
    scopes: &[&Names<'a>],
    class: &'a Class,
) -> Result<Lineage<'a>, String> {
    let linear = linearize(names, scopes, class, 16)?;
    let mut lineage = Lineage {
        mro: Vec::new(),
        is_testcase: false,
        has_foreign: false,
        has_keywords: false,
    };
    for base in linear {
        match base {
            Base::Local(class) => {
                lineage.has_keywords |= class.has_keywords;
                lineage.mro.push(class);
            }
            Base::Foreign(_, true) => lineage.is_testcase = true,
            Base::Foreign(..) => lineage.has_foreign = true,
        }
    }
    Ok(lineage)
}

fn linearize<'a>(
    names: &Names<'a>,
    scopes: &[&Names<'a>],
    class: &'a Class,
    depth: u32,
) -> Result<Vec<Base<'a>>, String> {
    let mut direct = Vec::new();
    let mut lists = Vec::new();
    for expr in &class.bases {
        let label = || expr.dotted().unwrap_or_else(|| "expression".to_owned());
        let mut shadowed = false;
        expr.names(&mut |name| shadowed |= scopes.iter().any(|scope| !scope.get(name).is_empty()));
        if shadowed || depth == 0 {
            return Err(label());
        }
        let base = match expr {
            Expr::Name(name) => match names.single(name) {
                Some(Binding {
                    bound: Bound::Class(base),
                    ..
                }) if !std::ptr::eq(base, class) => Some(Base::Local(base)),
                _ => None,
            },
            _ => None,
        };
        match base {
            Some(Base::Local(base)) => {
                direct.push(Base::Local(base));
                lists.push(linearize(names, &[], base, depth - 1)?);
            }
            _ => {
                let path = names.qualified(expr).ok_or_else(label)?;
                if path == "builtins.object" {
                    continue;
                }
                let found =
                    |list: &'static [&'static str]| list.iter().find(|known| **known == path);
                let base = match (found(&TEST_CASES), found(&FOREIGN), standard(&path)) {
                    (Some(path), ..) => Base::Foreign(path, true),
                    (None, Some(path), _) => Base::Foreign(path, false),
                    // Two of one module are taken for the same, which at worst leaves no order.
                    (None, None, Some(module)) => Base::Foreign(module, false),
                    (None, None, None) => return Err(label()),
                };
                direct.push(base);
                lists.push(vec![base]);
            }
        }
    }
    lists.push(direct);
    let mut out = vec![Base::Local(class)];
    out.extend(merge(lists).ok_or_else(|| class.name.clone())?);
    Ok(out)
}

/// The merge of C3; None where there is no consistent order.
fn merge(mut lists: Vec<Vec<Base<'_>>>) -> Option<Vec<Base<'_>>> {
    let mut out = Vec::new();
    loop {
        lists.retain(|list| !list.is_empty());
        if lists.is_empty() {
            return Some(out);
        }
        let next = lists
            .iter()
            .map(|list| list[0])
            .find(|head| !lists.iter().any(|list| list[1..].contains(head)))?;
        out.push(next);
        for list in &mut lists {
            if list[0] == next {
                list.remove(0);
            }
        }
    }
}
