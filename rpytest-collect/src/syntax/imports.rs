//! What a module imports, wherever in it: when it is imported itself, or when a function of it runs.

use super::Expr;

/// One way in which a module brings in others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Import {
    /// `import a.b`, `import_module("a.b")`, `importorskip("a.b")`, or a plugin by its name.
    Module(String),
    /// `from ..m import a, b`; a star is a name.
    From {
        level: u32,
        module: String,
        names: Vec<String>,
    },
    /// A string that reads as a dotted path, such as the target of `mock.patch`. It may be a module's name.
    Mention(String),
    /// `sys.path` is used, so that what comes from where is not known.
    SearchPath,
    /// Something that may import whatever it likes.
    Dynamic { line: u32, what: String },
}

/// Functions that import by name or by path, or run what does. A use that is not understood is dynamic.
const LOADERS: [&str; 18] = [
    "__import__",
    "__path__",
    "eval",
    "exec",
    "exec_module",
    "execfile",
    "import_fresh_module",
    "import_module",
    "import_object",
    "import_path",
    "import_string",
    "importorskip",
    "load_module",
    "load_source",
    "resolve_name",
    "run_module",
    "run_path",
    "spec_from_file_location",
];

pub(super) fn is_loader(name: &str) -> bool {
    LOADERS.contains(&name)
}

/// A call of a loader.
pub(super) fn call(
    line: u32,
    name: &str,
    args: &[Expr],
    keywords: &[(Option<String>, Expr)],
) -> Import {
    let dynamic = || Import::Dynamic {
        line,
        what: name.to_owned(),
    };
    let only = |allowed: &[&str]| {
        keywords
            .iter()
            .all(|(name, _)| name.as_deref().is_some_and(|name| allowed.contains(&name)))
    };
    match (name, args) {
        ("importorskip", [Expr::Str(module), ..])
            if only(&["minversion", "reason", "exc_type"]) =>
        {
            Import::Module(module.clone())
        }
        ("import_module" | "__import__" | "import_fresh_module", [Expr::Str(module)])
            if !module.starts_with('.') && only(&[]) =>
        {
            Import::Module(module.clone())
        }
        ("import_module", [Expr::Str(module), Expr::Name(package)])
            if package == "__package__" && module.starts_with('.') && only(&[]) =>
        {
            relative(module)
        }
        ("import_module", [Expr::Str(module)])
            if module.starts_with('.')
                && matches!(keywords, [(Some(name), Expr::Name(package))]
                    if name == "package" && package == "__package__") =>
        {
            relative(module)
        }
        _ => dynamic(),
    }
}

fn relative(module: &str) -> Import {
    let name = module.trim_start_matches('.');
    let level = u32::try_from(module.len() - name.len()).unwrap_or(u32::MAX);
    let (module, name) = name.rsplit_once('.').unwrap_or(("", name));
    Import::From {
        level,
        module: module.to_owned(),
        names: vec![name.to_owned()],
    }
}

/// The value of a module's `pytest_plugins`.
pub(super) fn plugins(line: u32, value: &Expr) -> Vec<Import> {
    let names = match value {
        Expr::List(items) | Expr::Tuple(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    names
        .iter()
        .map(|name| match name {
            Expr::Str(name) => Import::Module(name.clone()),
            _ => Import::Dynamic {
                line,
                what: "pytest_plugins".to_owned(),
            },
        })
        .collect()
}

/// The variable that names a module's plugins.
pub(super) fn is_plugins(name: &str) -> bool {
    name == "pytest_plugins"
}

/// A variable of `sys` that says where modules come from.
pub(super) fn is_sys_path(name: &str) -> bool {
    matches!(name, "path" | "meta_path" | "path_hooks")
}

/// Functions that put a directory on the search path.
pub(super) fn extends_path(function: &str) -> bool {
    matches!(function, "syspath_prepend" | "addsitedir" | "syspathinsert")
}

/// What a string mentions, if it may be the dotted path of a module or of something in it.
pub(super) fn mention(text: &str) -> Option<Import> {
    let text = text.split(':').next().unwrap_or_default();
    is_dotted(text).then(|| Import::Mention(text.to_owned()))
}

/// The first of each.
pub(super) fn distinct(found: Vec<Import>) -> Vec<Import> {
    let mut seen: foldhash::HashSet<&Import> = foldhash::HashSet::default();
    let first: Vec<bool> = found.iter().map(|import| seen.insert(import)).collect();
    let mut first = first.into_iter();
    let mut found = found;
    found.retain(|_| first.next() == Some(true));
    found
}

fn is_dotted(text: &str) -> bool {
    text.len() <= 200
        && text.contains('.')
        && text.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with(|c: char| c.is_ascii_digit())
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        })
}
