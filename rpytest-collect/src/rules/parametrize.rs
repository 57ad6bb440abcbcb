//! `pytest.mark.parametrize` with values that are known.

use super::ids;
use super::names::{Binding, Bound, Names};
use crate::Reason;
use crate::config::Config;
use crate::syntax::{Class, Expr, StmtKind};

/// One `parametrize`: its arguments' names and the id of each set.
#[derive(Debug)]
pub(crate) struct ParameterSets {
    pub(crate) argnames: Vec<String>,
    pub(crate) ids: Vec<String>,
}

pub(crate) struct Parametrize<'a> {
    pub(crate) names: &'a Names<'a>,
    pub(crate) config: &'a Config,
    /// Of the test, for reasons.
    pub(crate) line: u32,
}

/// Strings above this get ids that differ between versions of pytest.
const LONG: usize = 100;

/// A product of more sets than this is left to Python.
pub(crate) const MAX_SETS: usize = 100_000;

/// Classes whose instances are no number, text, enum member or pattern and have no `__name__`.
const NAMELESS: [&str; 16] = [
    "builtins.slice",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "fractions.Fraction",
    "io.BytesIO",
    "io.StringIO",
    "pathlib.Path",
    "uuid.UUID",
];

#[derive(Debug, Clone, Copy)]
enum IdFunction {
    Str,
    Repr,
}

enum Auto {
    Text(String),
    /// `argname` and the index of the set.
    FromArgument,
}

impl Parametrize<'_> {
    pub(crate) fn sets(
        &self,
        args: &[Expr],
        keywords: &[(Option<String>, Expr)],
    ) -> Result<ParameterSets, Reason> {
        let (mut argnames, mut argvalues, mut ids) = (args.first(), args.get(1), None);
        let option = |name: &str| Reason::ParametrizeOption {
            name: name.to_owned(),
            line: self.line,
        };
        if args.len() > 2 || args.iter().any(|arg| matches!(arg, Expr::Starred(_))) {
            return Err(option("positional"));
        }
        for (name, value) in keywords {
            match (name.as_deref(), value) {
                (Some("argnames"), value) => argnames = Some(value),
                (Some("argvalues"), value) => argvalues = Some(value),
                (Some("ids" | "scope"), Expr::None) | (Some("indirect"), Expr::Bool(false)) => {}
                (Some("ids"), value) => ids = Some(self.names.resolve(value)),
                (name, _) => return Err(option(name.unwrap_or("**"))),
            }
        }
        let (Some(argnames), Some(argvalues)) = (argnames, argvalues) else {
            return Err(self.unknown("?"));
        };
        let (argnames, single) = self.argnames(argnames)?;
        let label = argnames.join(",");
        let sets = self.list(argvalues).ok_or_else(|| self.unknown(&label))?;
        if sets.is_empty() || sets.len() > MAX_SETS {
            return Err(self.unknown(&label));
        }
        let (explicit, function) = self.explicit_ids(ids, &label)?;
        if explicit
            .as_ref()
            .is_some_and(|ids| !ids.is_empty() && ids.len() != sets.len())
        {
            return Err(self.mismatch(&label));
        }
        let mut out = Vec::with_capacity(sets.len());
        for (index, set) in sets.iter().enumerate() {
            let (id, values) = self.set(set, single, &label)?;
            if values.len() != argnames.len() {
                return Err(self.mismatch(&label));
            }
            let listed = explicit
                .as_ref()
                .and_then(|ids| ids.get(index).cloned().flatten());
            out.push(match id.or(listed) {
                Some(id) => id,
                None => self.auto_id(&values, &argnames, index, function)?,
            });
        }
        if self.config.raw_ids && out.iter().any(|id| id.contains('\\')) {
            return Err(self.unknown(&label));
        }
        if ids::make_unique(&mut out) && self.config.strict_ids {
            return Err(self.mismatch(&label));
        }
        Ok(ParameterSets { argnames, ids: out })
    }

    fn unknown(&self, argument: &str) -> Reason {
        Reason::DynamicParametrize {
            argument: argument.to_owned(),
            line: self.line,
        }
    }

    fn mismatch(&self, argument: &str) -> Reason {
        Reason::ParametrizeMismatch {
            argument: argument.to_owned(),
            line: self.line,
        }
    }

    /// The names, and whether a set is one bare value.
    fn argnames(&self, expr: &Expr) -> Result<(Vec<String>, bool), Reason> {
        let names: Option<Vec<String>> = match self.names.resolve(expr) {
            Expr::Str(text) => {
                let names: Vec<String> = text
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect();
                let single = names.len() == 1 && !text.trim_end().ends_with(',');
                return Ok((names, single));
            }
            Expr::Tuple(items) | Expr::List(items) => super::marks::literal_names(items),
            _ => None,
        };
        names
            .map(|names| (names, false))
            .ok_or_else(|| self.unknown("?"))
    }

    /// The elements of a list that is known in full.
    fn list<'e>(&'e self, expr: &'e Expr) -> Option<Vec<std::borrow::Cow<'e, Expr>>> {
        use std::borrow::Cow;
        let resolved = self.names.resolve(expr);
        match resolved {
            Expr::Tuple(items) => flat(items),
            // A list that has a name may be changed under it; only a literal in place cannot.
            Expr::List(items) if std::ptr::eq(resolved, expr) => flat(items),
            Expr::Call {
                func,
                args,
                keywords,
            } if keywords.is_empty()
                && self.names.qualified(func).as_deref() == Some("builtins.range") =>
            {
                let bounds: Vec<i64> = args
                    .iter()
                    .map(|arg| match self.names.resolve(arg) {
                        Expr::Int(int) => int.parse().ok(),
                        _ => None,
                    })
                    .collect::<Option<_>>()?;
                let range = match *bounds {
                    [end] => 0..end,
                    [start, end] => start..end,
                    _ => return None,
                };
                if range.end.checked_sub(range.start)? > i64::try_from(MAX_SETS).ok()? {
                    return None;
                }
                Some(
                    range
                        .map(|int| Cow::Owned(Expr::Int(int.to_string())))
                        .collect(),
                )
            }
            _ => None,
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "local to the two lines that take it apart"
    )]
    fn explicit_ids(
        &self,
        ids: Option<&Expr>,
        label: &str,
    ) -> Result<(Option<Vec<Option<String>>>, Option<IdFunction>), Reason> {
        let Some(ids) = ids else {
            return Ok((None, None));
        };
        match ids {
            Expr::Tuple(items) | Expr::List(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    out.push(match item {
                        Expr::None => None,
                        Expr::Str(_)
                        | Expr::Bytes(_)
                        | Expr::Int(_)
                        | Expr::Float(_)
                        | Expr::Bool(_) => {
                            Some(self.scalar(item).ok_or_else(|| self.unknown(label))?)
                        }
                        _ => return Err(self.unknown(label)),
                    });
                }
                Ok((Some(out), None))
            }
            _ => match self.names.qualified(ids).as_deref() {
                Some("builtins.str") => Ok((None, Some(IdFunction::Str))),
                Some("builtins.repr") => Ok((None, Some(IdFunction::Repr))),
                _ => Err(self.unknown(label)),
            },
        }
    }

    /// One set: its id if it is a `pytest.param` that has one, and its values.
    fn set<'e>(
        &'e self,
        set: &'e Expr,
        single: bool,
        label: &str,
    ) -> Result<(Option<String>, Vec<&'e Expr>), Reason> {
        let set = self.names.resolve(set);
        if let Expr::Call {
            func,
            args,
            keywords,
        } = set
            && self.names.qualified(func).as_deref() == Some("pytest.param")
        {
            let mut id = None;
            for (name, value) in keywords {
                match (name.as_deref(), self.names.resolve(value)) {
                    (Some("id"), Expr::Str(text)) => {
                        id = Some(self.text(text).ok_or_else(|| self.unknown(label))?);
                    }
                    (Some("id"), Expr::None) | (Some("marks"), _) => {}
                    _ => return Err(self.unknown(label)),
                }
            }
            if args.iter().any(|arg| matches!(arg, Expr::Starred(_))) {
                return Err(self.unknown(label));
            }
            return Ok((id, args.iter().collect()));
        }
        if single {
            // A name or a call may give a `pytest.param` too; what has no id of its own decides below.
            return Ok((None, vec![set]));
        }
        match set {
            Expr::Tuple(items) | Expr::List(items)
                if !items.iter().any(|item| matches!(item, Expr::Starred(_))) =>
            {
                Ok((None, items.iter().collect()))
            }
            _ => Err(self.unknown(label)),
        }
    }

    fn auto_id(
        &self,
        values: &[&Expr],
        argnames: &[String],
        index: usize,
        function: Option<IdFunction>,
    ) -> Result<String, Reason> {
        let mut parts = Vec::with_capacity(values.len());
        for (value, argname) in values.iter().zip(argnames) {
            let value = self.names.resolve(value);
            let long = match value {
                Expr::Str(text) => text.chars().count() > LONG,
                Expr::Bytes(bytes) => bytes.len() > LONG,
                _ => false,
            };
            if long && function.is_none() {
                return Err(Reason::LongParameter {
                    argument: argname.clone(),
                    line: self.line,
                });
            }
            let id = match function {
                None => self.idval(value),
                Some(function) => self.called(value, function).map(Auto::Text),
            };
            parts.push(match id {
                Some(Auto::Text(id)) => id,
                Some(Auto::FromArgument) => format!("{argname}{index}"),
                None => return Err(self.unknown(argname)),
            });
        }
        Ok(parts.join("-"))
    }

    /// `str` or `repr` of a value, where both are obvious.
    fn called(&self, value: &Expr, function: IdFunction) -> Option<String> {
        match (value, function) {
            (Expr::Str(text), IdFunction::Str) => self.text(text),
            (Expr::Int(_) | Expr::Float(_) | Expr::Bool(_) | Expr::None, _) => self.scalar(value),
            _ => None,
        }
    }

    fn text(&self, text: &str) -> Option<String> {
        // The parser cannot hold a lone surrogate and puts this character in its place.
        (!text.contains('\u{fffd}')).then(|| ids::escape_str(text))
    }

    fn scalar(&self, value: &Expr) -> Option<String> {
        Some(match value {
            Expr::Str(text) => self.text(text)?,
            Expr::Bytes(bytes) => ids::escape_bytes(bytes),
            Expr::Int(int) => int.clone(),
            Expr::Float(float) => ids::float_repr(*float),
            Expr::Bool(true) => "True".to_owned(),
            Expr::Bool(false) => "False".to_owned(),
            Expr::None => "None".to_owned(),
            _ => return None,
        })
    }

    /// `IdMaker._idval`; None where the value is not known well enough.
    fn idval(&self, value: &Expr) -> Option<Auto> {
        if let Some(text) = self.scalar(value) {
            return Some(Auto::Text(text));
        }
        match value {
            Expr::Tuple(_) | Expr::List(_) | Expr::Container(_) => Some(Auto::FromArgument),
            Expr::Lambda(_) => Some(Auto::Text("<lambda>".to_owned())),
            Expr::Name(name) => match self.names.single(name) {
                Some(Binding {
                    bound: Bound::Function(def),
                    ..
                }) if def.decorators.is_empty() => Some(Auto::Text(def.name.clone())),
                Some(Binding {
                    bound: Bound::Class(def),
                    ..
                }) if is_plain_class(def) => Some(Auto::Text(def.name.clone())),
                Some(_) => None,
                None => builtin_class(&self.names.qualified(value)?)
                    .map(|name| Auto::Text(name.to_owned())),
            },
            Expr::Call { func, .. }
                if self
                    .names
                    .qualified(func)
                    .is_some_and(|path| NAMELESS.contains(&path.as_str())) =>
            {
                Some(Auto::FromArgument)
            }
            Expr::Call { func, .. } => match &**func {
                Expr::Name(name) => match self.names.single(name) {
                    Some(Binding {
                        bound: Bound::Class(def),
                        ..
                    }) if is_plain_class(def) && def.bases.is_empty() => Some(Auto::FromArgument),
                    Some(_) => None,
                    None => matches!(
                        self.names.qualified(func)?.strip_prefix("builtins.")?,
                        "dict"
                            | "list"
                            | "set"
                            | "frozenset"
                            | "tuple"
                            | "object"
                            | "bytearray"
                            | "range"
                    )
                    .then_some(Auto::FromArgument),
                },
                _ => None,
            },
            _ => None,
        }
    }
}

fn flat(items: &[Expr]) -> Option<Vec<std::borrow::Cow<'_, Expr>>> {
    items
        .iter()
        .map(|item| match item {
            Expr::Starred(_) => None,
            item => Some(std::borrow::Cow::Borrowed(item)),
        })
        .collect()
}

/// A class whose `__name__` is its name, and whose instances have none.
fn is_plain_class(def: &Class) -> bool {
    def.decorators.is_empty()
        && !def.has_keywords
        && def.body.iter().all(|stmt| match &stmt.kind {
            StmtKind::Function(method) => !matches!(
                method.name.as_str(),
                "__getattr__" | "__getattribute__" | "__new__" | "__name__" | "__class__"
            ),
            StmtKind::Assign { targets, value } => {
                // Any dunder may be one that `getattr` looks at.
                !targets
                    .iter()
                    .any(|target| matches!(target, Expr::Name(name) if name.starts_with("__")))
                    && !matches!(value, Expr::Opaque(_))
            }
            StmtKind::Expr(Expr::Str(_)) => true,
            _ => false,
        })
}

/// Builtin classes, which are called as they are named.
fn builtin_class(path: &str) -> Option<&str> {
    let name = path.strip_prefix("builtins.")?;
    matches!(
        name,
        "int"
            | "str"
            | "float"
            | "bool"
            | "bytes"
            | "bytearray"
            | "complex"
            | "list"
            | "tuple"
            | "dict"
            | "set"
            | "frozenset"
            | "object"
            | "type"
            | "range"
            | "slice"
            | "property"
            | "len"
            | "repr"
            | "sorted"
            | "sum"
            | "min"
            | "max"
            | "abs"
            | "iter"
            | "next"
            | "print"
            | "map"
            | "filter"
            | "zip"
            | "enumerate"
            | "reversed"
            | "memoryview"
            | "callable"
            | "Exception"
            | "BaseException"
            | "ValueError"
            | "TypeError"
            | "KeyError"
            | "IndexError"
            | "RuntimeError"
            | "AttributeError"
            | "OSError"
            | "LookupError"
            | "ArithmeticError"
            | "ZeroDivisionError"
            | "OverflowError"
            | "AssertionError"
            | "ImportError"
            | "NameError"
            | "NotImplementedError"
            | "StopIteration"
            | "KeyboardInterrupt"
            | "SystemExit"
            | "UnicodeDecodeError"
            | "UnicodeEncodeError"
            | "UnicodeError"
            | "SyntaxError"
            | "FileNotFoundError"
            | "PermissionError"
            | "TimeoutError"
            | "ConnectionError"
            | "ConnectionAbortedError"
            | "ConnectionRefusedError"
            | "ConnectionResetError"
            | "BrokenPipeError"
            | "BlockingIOError"
            | "BufferError"
            | "ChildProcessError"
            | "EOFError"
            | "FileExistsError"
            | "FloatingPointError"
            | "GeneratorExit"
            | "IndentationError"
            | "InterruptedError"
            | "IsADirectoryError"
            | "MemoryError"
            | "ModuleNotFoundError"
            | "NotADirectoryError"
            | "ProcessLookupError"
            | "RecursionError"
            | "ReferenceError"
            | "StopAsyncIteration"
            | "SystemError"
            | "TabError"
            | "UnboundLocalError"
            | "UnicodeTranslateError"
            | "Warning"
            | "BytesWarning"
            | "DeprecationWarning"
            | "FutureWarning"
            | "ImportWarning"
            | "PendingDeprecationWarning"
            | "ResourceWarning"
            | "RuntimeWarning"
            | "SyntaxWarning"
            | "UnicodeWarning"
            | "UserWarning"
    )
    .then_some(name)
}
