//! Names that a look over a module watches for, whichever parser it is by.

use super::Expr;

/// What the use of a name means for the module that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    No,
    /// It may bind names that no statement binds.
    Dynamic,
    /// It may end the import of the module.
    Leaves,
    /// It has the name of one of pytest's functions that skip.
    Skips,
}

/// A function that is called by its name, with a number of positional arguments.
pub(super) fn call(name: &str, arguments: usize, in_function: bool) -> Watched {
    match name {
        // In a namespace of its own.
        "exec" | "eval" if arguments > 1 => Watched::No,
        "globals" | "setattr" | "delattr" | "exec" => Watched::Dynamic,
        "locals" | "vars" | "eval" if !in_function => Watched::Dynamic,
        "importorskip" => Watched::Leaves,
        _ => method(name, in_function),
    }
}

/// A function that is called as an attribute of something.
pub(super) fn method(name: &str, in_function: bool) -> Watched {
    match name {
        "skip" | "exit" | "xfail" if !in_function => Watched::Skips,
        _ => Watched::No,
    }
}

/// An attribute, called or not.
pub(super) fn attribute(name: &str, in_function: bool) -> Watched {
    match name {
        "importorskip" => Watched::Leaves,
        "modules" | "__dict__" | "_getframe" | "currentframe" | "__test__" if !in_function => {
            Watched::Dynamic
        }
        _ => Watched::No,
    }
}

/// A function that changes an attribute of its first argument.
pub(super) fn sets_attribute(name: &str) -> bool {
    matches!(name, "setattr" | "delattr")
}

/// A function whose value is a namespace: `globals()["x"]` reads, anything else may write.
pub(super) fn gives_namespace(name: &str) -> bool {
    matches!(name, "globals" | "locals" | "vars")
}

/// The body of a test does not run while its module is imported.
pub(super) fn is_test(name: &str) -> bool {
    name.starts_with("test")
}

/// The last name of a decorator that makes a fixture, whose body does not run either.
pub(super) fn is_fixture(decorator: &str) -> bool {
    decorator == "fixture"
}

/// The function that skips a module without another one.
pub(super) fn is_requirement(function: &str) -> bool {
    function == "importorskip"
}

/// The module that a call of it requires, if it asks for nothing but that it is there.
pub(super) fn required(call: &Expr) -> Option<String> {
    let Expr::Call { args, keywords, .. } = call else {
        return None;
    };
    let only = |name: &str| matches!(name, "reason" | "exc_type");
    let plain = keywords
        .iter()
        .all(|(name, _)| name.as_deref().is_some_and(only));
    match args.as_slice() {
        [Expr::Str(module)] if plain => Some(module.clone()),
        _ => None,
    }
}

/// The hook that is given all items, the name of its parameter for them, and of the one by which others reach them.
pub(super) const MODIFIES: &str = "pytest_collection_modifyitems";
pub(super) const ITEMS: &str = "items";
pub(super) const SESSION: &str = "session";

/// What may be asked of an item, or done to it, so that it is still the same test.
pub(super) fn leaves_item(attribute: &str) -> bool {
    matches!(
        attribute,
        "add_marker"
            | "cls"
            | "config"
            | "fixturenames"
            | "fspath"
            | "function"
            | "get_closest_marker"
            | "iter_markers"
            | "keywords"
            | "location"
            | "module"
            | "name"
            | "nodeid"
            | "originalname"
            | "own_markers"
            | "parent"
            | "path"
            | "reportinfo"
            | "callspec"
    )
}

/// Functions that only look at their arguments.
pub(super) fn looks_at(function: &str) -> bool {
    matches!(function, "isinstance" | "str" | "repr" | "len" | "hasattr")
}

/// Functions that read their arguments and keep none.
const READERS: [&str; 34] = [
    "all",
    "any",
    "bool",
    "bytes",
    "dict",
    "enumerate",
    "filter",
    "fixture",
    "format",
    "frozenset",
    "getattr",
    "hasattr",
    "isinstance",
    "issubclass",
    "iter",
    "join",
    "len",
    "list",
    "map",
    "max",
    "min",
    "param",
    "parametrize",
    "print",
    "product",
    "range",
    "repr",
    "reversed",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "zip",
];

/// Methods that leave their object as it was.
const READING: [&str; 26] = [
    "copy",
    "count",
    "decode",
    "difference",
    "encode",
    "endswith",
    "format",
    "get",
    "index",
    "intersection",
    "isdisjoint",
    "issubset",
    "issuperset",
    "items",
    "join",
    "keys",
    "lower",
    "parametrize",
    "replace",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "union",
    "upper",
    "values",
];

/// Whether a function reads its arguments and keeps none.
pub(super) fn only_reads(function: &str) -> bool {
    READERS.contains(&function)
}

/// Whether a method leaves its object as it was.
pub(super) fn leaves_object(method: &str) -> bool {
    READING.contains(&method)
}
