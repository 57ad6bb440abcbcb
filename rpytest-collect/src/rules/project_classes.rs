//! What is known of the classes of the project as values: their names, their instances, and enumerations.

use super::program::Module;
use super::resolve::{Thing, World};
use super::value::Value;
use crate::syntax::{Class, Expr, Stmt, StmtKind};

/// Decorators after which a class has the same name, and instances that are told apart as before.
const CLASS_DECORATORS: [&str; 14] = [
    "attr.attrs",
    "attr.define",
    "attr.frozen",
    "attr.mutable",
    "attr.s",
    "attrs.define",
    "attrs.frozen",
    "attrs.mutable",
    "dataclasses.dataclass",
    "enum.unique",
    "functools.total_ordering",
    "typing.final",
    "typing.runtime_checkable",
    "typing_extensions.final",
];

/// What the members of an enumeration are besides members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enumeration {
    /// Nothing; their text is that of `enum.Enum`.
    Plain,
    /// Texts.
    Text,
    /// Numbers, with the text of one.
    Number,
    /// Something whose text depends on the version of Python, or is their own.
    Other,
}

/// Whether a class is an enumeration.
pub(crate) fn enumeration<'a>(
    world: World<'a>,
    module: Module<'a>,
    class: &'a Class,
) -> Option<Enumeration> {
    let bases: Vec<String> = class
        .bases
        .iter()
        .map(|base| world.path(module, base))
        .collect::<Option<_>>()?;
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    let kind = match bases.as_slice() {
        ["enum.Enum"] => Enumeration::Plain,
        ["enum.StrEnum"] | ["builtins.str", "enum.Enum"] => Enumeration::Text,
        ["builtins.int", "enum.Enum"] => Enumeration::Plain,
        // Their text is the number's since Python 3.11.
        ["enum.IntEnum"] => match world.python {
            Some(version) if version >= (3, 11) => Enumeration::Number,
            Some(_) => Enumeration::Plain,
            None => Enumeration::Other,
        },
        ["enum.Flag" | "enum.IntFlag"] => Enumeration::Other,
        _ => return None,
    };
    let decorated = class
        .decorators
        .iter()
        .any(|decorator| world.path(module, decorator).as_deref() != Some("enum.unique"));
    if decorated || class.has_keywords {
        return None;
    }
    let own = class.body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Function(method) => {
            matches!(
                method.name.as_str(),
                "__str__" | "__new__" | "__getattribute__" | "__eq__"
            )
        }
        _ => false,
    });
    Some(if own { Enumeration::Other } else { kind })
}

/// Whether `__name__` of a class is its name: a metaclass or a decorator could change that, a base cannot.
pub(super) fn has_its_name<'a>(world: World<'a>, module: Module<'a>, class: &'a Class) -> bool {
    let touched = module
        .summary
        .touched
        .iter()
        .any(|(_, name)| *name == class.name);
    let keeps = class.decorators.iter().all(|decorator| {
        let func = match decorator {
            Expr::Call { func, .. } => func,
            other => other,
        };
        let path = world.path(module, func);
        path.is_some_and(|path| CLASS_DECORATORS.contains(&path.as_str()))
    });
    keeps && !touched && !class.has_keywords
}

/// Bases outside of the project whose instances have no `__name__`, and are no number or text.
const BASES: [&str; 20] = [
    "abc.ABC",
    "builtins.Exception",
    "builtins.RuntimeError",
    "builtins.TypeError",
    "builtins.ValueError",
    "builtins.dict",
    "builtins.list",
    "builtins.object",
    "builtins.set",
    "builtins.tuple",
    "collections.UserDict",
    "collections.UserList",
    "collections.abc.Iterable",
    "collections.abc.Iterator",
    "collections.abc.Mapping",
    "collections.abc.MutableMapping",
    "collections.abc.Sequence",
    "typing.Generic",
    "typing.NamedTuple",
    "typing.Protocol",
];

/// Whether the instances of a class have no name and no id of their own, by all its bases.
fn is_plain<'a>(world: World<'a>, module: Module<'a>, class: &'a Class, depth: u32) -> bool {
    let base = |base: &'a Expr| {
        let base = match base {
            Expr::Subscript(value, _) => value,
            other => other,
        };
        match world.thing(module, base) {
            Thing::Class(module, class) => depth > 0 && is_plain(world, module, class, depth - 1),
            Thing::Outside(path) => BASES.contains(&path.as_str()),
            Thing::Value(_, Expr::Call { func, .. }, _) => {
                world.path(module, func).as_deref() == Some("collections.namedtuple")
            }
            _ => false,
        }
    };
    has_its_name(world, module, class) && class.bases.iter().all(base) && is_plain_body(&class.body)
}

fn is_plain_body(body: &[Stmt]) -> bool {
    body.iter().all(|stmt| match &stmt.kind {
        StmtKind::Function(method) => !matches!(
            method.name.as_str(),
            "__getattr__" | "__getattribute__" | "__new__" | "__name__" | "__class__"
        ),
        // Any dunder may be one that `getattr` looks at.
        StmtKind::Assign { targets, .. } => !targets.iter().any(|target| {
            matches!(target, Expr::Name(name) if name.starts_with("__")
                && !matches!(name.as_str(), "__slots__" | "__hash__" | "__doc__" | "__match_args__"))
        }),
        StmtKind::Expr(Expr::Str(_) | Expr::Ellipsis) => true,
        StmtKind::Class(inner) => !inner.name.starts_with("__"),
        StmtKind::Block { body, binds, .. } => binds.is_empty() && is_plain_body(body),
        _ => false,
    })
}

/// What calling a class of the project gives.
pub(super) fn instance<'a>(world: World<'a>, module: Module<'a>, class: &'a Class) -> Value<'a> {
    match is_plain(world, module, class, 8) {
        true => Value::Nameless,
        false => Value::Instance,
    }
}
