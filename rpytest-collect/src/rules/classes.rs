//! Classes: what their bases are, and the order in which they are searched.

use super::names::Names;
use super::program::Module;
use super::resolve::{Thing, World};
use crate::syntax::{Class, Expr};

/// Where a class stands.
#[derive(Debug)]
pub(crate) struct Lineage<'a> {
    /// The classes that can be read, in method resolution order and with their modules, itself first.
    pub(crate) mro: Vec<(Module<'a>, &'a Class)>,
    /// Derived from `unittest.TestCase`.
    pub(crate) is_testcase: bool,
    /// Some base is a known class of the standard library that is no test case.
    pub(crate) has_foreign: bool,
    /// Some class in `mro` has a metaclass or other keywords.
    pub(crate) has_keywords: bool,
}

#[derive(Debug, Clone, Copy)]
enum Base<'a> {
    Read(Module<'a>, &'a Class),
    /// By path; `true` for a test case.
    Foreign(&'static str, bool),
}

impl PartialEq for Base<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // A module may be read twice: as a test module, and as one that is imported.
            (Self::Read(module, a), Self::Read(other, b)) => {
                module.path == other.path && (a.line, &a.name) == (b.line, &b.name)
            }
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
    world: World<'a>,
    scopes: &[&Names<'a>],
    module: Module<'a>,
    class: &'a Class,
) -> Result<Lineage<'a>, String> {
    let linear = linearize(world, scopes, module, class, 16)?;
    let mut lineage = Lineage {
        mro: Vec::new(),
        is_testcase: false,
        has_foreign: false,
        has_keywords: false,
    };
    for base in linear {
        match base {
            Base::Read(module, class) => {
                lineage.has_keywords |= class.has_keywords;
                lineage.mro.push((module, class));
            }
            Base::Foreign(_, true) => lineage.is_testcase = true,
            Base::Foreign(..) => lineage.has_foreign = true,
        }
    }
    Ok(lineage)
}

fn linearize<'a>(
    world: World<'a>,
    scopes: &[&Names<'a>],
    module: Module<'a>,
    class: &'a Class,
    depth: u32,
) -> Result<Vec<Base<'a>>, String> {
    let mut direct = Vec::new();
    let mut lists = Vec::new();
    for expr in &class.bases {
        // `Generic[T]`, or a class of the project that is one.
        let expr = match expr {
            Expr::Subscript(value, _) => value,
            other => other,
        };
        let label = || expr.dotted().unwrap_or_else(|| "expression".to_owned());
        let mut shadowed = false;
        expr.names(&mut |name| shadowed |= scopes.iter().any(|scope| !scope.get(name).is_empty()));
        if shadowed || depth == 0 {
            return Err(label());
        }
        let path = match world.thing(module, expr) {
            Thing::Class(of, base) if !std::ptr::eq(base, class) => {
                direct.push(Base::Read(of, base));
                lists.push(linearize(world, &[], of, base, depth - 1)?);
                continue;
            }
            Thing::Outside(path) => path,
            _ => return Err(label()),
        };
        if path == "builtins.object" {
            continue;
        }
        let found = |list: &'static [&'static str]| list.iter().find(|known| **known == path);
        let builtin = path.starts_with("builtins.").then_some("builtins");
        let standard = builtin.or_else(|| standard(&path));
        let base = match (found(&TEST_CASES), found(&FOREIGN), standard) {
            (Some(path), ..) => Base::Foreign(path, true),
            (None, Some(path), _) => Base::Foreign(path, false),
            // Two of one module are taken for the same, which at worst leaves no order.
            (None, None, Some(module)) => Base::Foreign(module, false),
            (None, None, None) => return Err(label()),
        };
        direct.push(base);
        lists.push(vec![base]);
    }
    lists.push(direct);
    let mut out = vec![Base::Read(module, class)];
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
