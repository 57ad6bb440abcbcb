//! Things of the standard library: which have a `__name__`, and are called by it.

use super::calls;

/// Builtin classes and functions, which are called as they are named. Aliases such as `IOError` are not among them.
const BUILTINS: [&str; 124] = [
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "Exception",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "ImportError",
    "ImportWarning",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
    "abs",
    "all",
    "any",
    "bin",
    "bool",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "complex",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "eval",
    "exec",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "hasattr",
    "hash",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "memoryview",
    "min",
    "next",
    "object",
    "oct",
    "ord",
    "pow",
    "print",
    "property",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
];

/// `__name__` of something outside of the project, if it is known to have one.
pub(super) fn name(path: &str) -> Option<&str> {
    let (module, name) = path.rsplit_once('.')?;
    let known = match module {
        "builtins" => BUILTINS.binary_search(&name).is_ok(),
        "math" => constant(path).is_none(),
        "operator" => !name.starts_with('_'),
        _ => calls::is_nameless(path) || FUNCTIONS.contains(&path),
    };
    known.then_some(name)
}

/// Functions of the standard library that are called as they are named.
const FUNCTIONS: [&str; 22] = [
    "asyncio.run",
    "collections.namedtuple",
    "copy.copy",
    "copy.deepcopy",
    "functools.partial",
    "functools.reduce",
    "functools.wraps",
    "itertools.chain",
    "itertools.product",
    "json.dump",
    "json.dumps",
    "json.load",
    "json.loads",
    "re.compile",
    "re.findall",
    "re.finditer",
    "re.fullmatch",
    "re.match",
    "re.search",
    "re.split",
    "re.sub",
    "textwrap.dedent",
];

/// The value of a constant.
pub(super) fn constant(path: &str) -> Option<f64> {
    Some(match path {
        "math.pi" => std::f64::consts::PI,
        "math.e" => std::f64::consts::E,
        "math.tau" => std::f64::consts::TAU,
        "math.inf" => f64::INFINITY,
        "math.nan" => f64::NAN,
        _ => return None,
    })
}

/// Whether something is of the standard library, and so no parameter set of pytest's.
pub(super) fn is_standard(path: &str) -> bool {
    let top = path.split('.').next().unwrap_or_default();
    super::program::STANDARD.contains(&top) && top != "pytest"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_sorted() {
        assert!(BUILTINS.is_sorted());
        assert_eq!(name("builtins.int"), Some("int"));
        assert_eq!(name("builtins.IOError"), None);
        assert_eq!(name("math.pi"), None);
        assert_eq!(name("decimal.Decimal"), Some("Decimal"));
    }
}
