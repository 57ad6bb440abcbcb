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

/// Modules of the standard library whose lower-case names are functions and constants that are listed.
const CONSTANTS: [&str; 5] = ["math.pi", "math.e", "math.tau", "math.inf", "math.nan"];

/// `__name__` of something outside of the project, if it is known to have one.
pub(super) fn name(path: &str) -> Option<&str> {
    let (module, name) = path.rsplit_once('.')?;
    let known = match module {
        "builtins" => BUILTINS.binary_search(&name).is_ok(),
        "math" => !CONSTANTS.contains(&path),
        "operator" => !name.starts_with('_'),
        _ => calls::is_nameless(path),
    };
    known.then_some(name)
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
