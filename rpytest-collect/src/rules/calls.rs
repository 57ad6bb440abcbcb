//! What builtins, methods and a few functions of the standard library give for constants.

use std::sync::Arc;

use super::eval::{Evaluator, MAX_ITEMS};
use super::program::Module;
use super::resolve::{Thing, World};
use super::value::{Param, Value};
use crate::syntax::{Class, Expr, Operator, Stmt, StmtKind};

/// Classes outside of the project whose instances are no number, text, enum member or pattern, have no
/// `__name__`, and are no list that could be iterated over.
const NAMELESS: [&str; 23] = [
    "builtins.bytearray",
    "builtins.memoryview",
    "builtins.object",
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
    "functools.partial",
    "io.BytesIO",
    "io.StringIO",
    "pathlib.Path",
    "pathlib.PurePath",
    "pathlib.PurePosixPath",
    "types.SimpleNamespace",
    "uuid.UUID",
];

pub(super) fn is_nameless(path: &str) -> bool {
    NAMELESS.contains(&path)
}

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

/// Puts an item into a dict. None where it is not known whether the key is there.
pub(super) fn insert<'a>(
    items: &mut Vec<(Value<'a>, Value<'a>)>,
    key: Value<'a>,
    value: Value<'a>,
) -> Option<()> {
    // Looking through all of a large one costs too much.
    if items.len() > 2_000 {
        return None;
    }
    for (other, slot) in items.iter_mut() {
        if other.equals(&key)? {
            *slot = value;
            return Some(());
        }
    }
    if items.is_empty() && key.equals(&key).is_none() {
        return None;
    }
    items.push((key, value));
    Some(())
}

/// `d[key]`, if it is known to be there.
pub(super) fn get<'a>(items: &[(Value<'a>, Value<'a>)], key: &Value<'a>) -> Option<Value<'a>> {
    for (other, value) in items {
        if other.equals(key)? {
            return Some(value.clone());
        }
    }
    None
}

pub(super) fn slice<'a>(value: &Value<'a>, bounds: [Option<i128>; 3]) -> Value<'a> {
    let [start, stop, step] = bounds;
    if step.is_some_and(|step| step != 1 && step != -1) {
        return Value::Unknown;
    }
    let backwards = step == Some(-1);
    if backwards && (start.is_some() || stop.is_some()) {
        return Value::Unknown;
    }
    let cut = |items: &[Value<'a>]| -> Vec<Value<'a>> {
        let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
        let clamp = |bound: i128| -> usize {
            let bound = if bound < 0 { bound + length } else { bound };
            usize::try_from(bound.clamp(0, length)).unwrap_or_default()
        };
        let (start, stop) = (clamp(start.unwrap_or(0)), clamp(stop.unwrap_or(length)));
        let mut out = items.get(start..stop).unwrap_or_default().to_vec();
        if backwards {
            out.reverse();
        }
        out
    };
    match value {
        Value::Tuple(items) => Value::tuple(cut(items)),
        Value::List(items) => Value::list(cut(items)),
        Value::Str(_) => {
            let Some(items) = value.items() else {
                return Value::Unknown;
            };
            let text: Option<String> = cut(&items).iter().map(Value::text).collect();
            text.map_or(Value::Instance, Value::str)
        }
        _ => Value::Unknown,
    }
}

/// `value * times` of a sequence.
pub(super) fn repeat<'a>(value: &Value<'a>, times: i128) -> Value<'a> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    let fits = |length: usize| {
        length
            .checked_mul(times)
            .is_some_and(|length| length <= MAX_ITEMS)
    };
    let items = |items: &[Value<'a>]| -> Vec<Value<'a>> {
        std::iter::repeat_n(items, times)
            .flatten()
            .cloned()
            .collect()
    };
    match value {
        Value::Str(text) if fits(text.len()) => Value::str(text.repeat(times)),
        Value::Bytes(bytes) if fits(bytes.len()) => Value::Bytes(bytes.repeat(times).into()),
        Value::Tuple(values) if fits(values.len()) => Value::tuple(items(values)),
        Value::List(values) if fits(values.len()) => Value::list(items(values)),
        Value::Str(_) | Value::Bytes(_) => Value::Instance,
        _ => Value::Unknown,
    }
}

pub(super) fn integers<'a>(a: i128, op: Operator, b: i128) -> Value<'a> {
    // Division rounds down, and the remainder has the sign of the divisor.
    let floor = |a: i128, b: i128| {
        let quotient = a.checked_div(b)?;
        let inexact = a.checked_rem(b)? != 0 && (a < 0) != (b < 0);
        Some(quotient - i128::from(inexact))
    };
    let shift = |b: i128| u32::try_from(b).ok().filter(|&b| b < 100);
    let value = match op {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::FloorDivide => floor(a, b),
        Operator::Modulo => {
            floor(a, b).and_then(|quotient| a.checked_sub(quotient.checked_mul(b)?))
        }
        Operator::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Operator::ShiftLeft => shift(b).and_then(|b| a.checked_mul(1i128.checked_shl(b)?)),
        Operator::ShiftRight => shift(b).map(|b| a >> b),
        Operator::Or => Some(a | b),
        Operator::And => Some(a & b),
        Operator::Xor => Some(a ^ b),
        Operator::Divide => {
            return floats(&Value::Int(a), op, &Value::Int(b));
        }
    };
    value.map_or(Value::Instance, Value::Int)
}

pub(super) fn floats<'a>(a: &Value<'a>, op: Operator, b: &Value<'a>) -> Value<'a> {
    let (Some(a), Some(b)) = (a.float(), b.float()) else {
        return Value::Instance;
    };
    match op {
        Operator::Add => Value::Float(a + b),
        Operator::Subtract => Value::Float(a - b),
        Operator::Multiply => Value::Float(a * b),
        Operator::Divide if b != 0.0 => Value::Float(a / b),
        _ => Value::Instance,
    }
}

/// `format % value` with `%s`, `%d` and `%r`.
pub(super) fn percent(format: &str, value: &Value<'_>) -> Option<String> {
    let mut values = match value {
        Value::Tuple(items) => items.to_vec(),
        Value::Dict(_) => return None,
        one => vec![one.clone()],
    }
    .into_iter();
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match (chars.next()?, ()) {
            ('%', ()) => out.push('%'),
            ('s', ()) => out.push_str(&values.next()?.text()?),
            ('r', ()) => out.push_str(&values.next()?.repr()?),
            ('d', ()) => match values.next()? {
                Value::Int(value) => out.push_str(&value.to_string()),
                _ => return None,
            },
            _ => return None,
        }
    }
    values.next().is_none().then_some(out)
}

/// `format.format(..)` with `{}`, `{0}` and `{name}`.
fn braces(format: &str, args: &[Value<'_>], keywords: &[(&str, Value<'_>)]) -> Option<String> {
    let mut out = String::new();
    let mut rest = format;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let doubled = rest[at..].starts_with("{{") || rest[at..].starts_with("}}");
        if doubled {
            out.push_str(&rest[at..=at]);
            rest = &rest[at + 2..];
            continue;
        }
        let (field, after) = rest[at..].strip_prefix('{')?.split_once('}')?;
        let value = if field.is_empty() {
            next += 1;
            args.get(next - 1)?
        } else if let Ok(index) = field.parse::<usize>() {
            args.get(index)?
        } else {
            &keywords.iter().find(|(name, _)| *name == field)?.1
        };
        out.push_str(&value.text()?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// A method of a value.
pub(super) fn method<'a>(
    evaluator: &mut Evaluator<'_, 'a>,
    owner: &Value<'a>,
    name: &str,
    args: &[Value<'a>],
    keywords: Option<&[(&'a str, Value<'a>)]>,
) -> Value<'a> {
    let Some(keywords) = keywords else {
        return Value::Unknown;
    };
    match (owner, name, args) {
        (Value::Str(format), "format", args) => {
            braces(format, args, keywords).map_or(Value::Instance, Value::str)
        }
        (Value::Str(text), _, _) if keywords.is_empty() => of_text(evaluator, text, name, args),
        (Value::Dict(items), "items", []) => Value::Range(
            items
                .iter()
                .map(|(key, value)| Value::tuple(vec![key.clone(), value.clone()]))
                .collect(),
        ),
        (Value::Dict(items), "keys", []) => {
            Value::Range(items.iter().map(|(key, _)| key.clone()).collect())
        }
        (Value::Dict(items), "values", []) => {
            Value::Range(items.iter().map(|(_, value)| value.clone()).collect())
        }
        (Value::Dict(items), "get", [key]) => get(items, key).unwrap_or(Value::Unknown),
        (Value::Dict(_) | Value::List(_), "copy", []) => owner.clone(),
        (Value::Bytes(bytes), "decode", []) => {
            std::str::from_utf8(bytes).map_or(Value::Unknown, Value::str)
        }
        _ => Value::Unknown,
    }
}

/// A method of a text. What is not known is one of those that give a text, a number or a list.
fn of_text<'a>(
    evaluator: &mut Evaluator<'_, 'a>,
    text: &Arc<str>,
    name: &str,
    args: &[Value<'a>],
) -> Value<'a> {
    let ascii = text.is_ascii();
    match (name, args) {
        ("upper", []) if ascii => Value::str(text.to_ascii_uppercase()),
        ("lower", []) if ascii => Value::str(text.to_ascii_lowercase()),
        ("strip", []) if ascii => {
            Value::str(text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b'))
        }
        ("split", []) if ascii => Value::list(
            text.split(|c: char| c.is_ascii_whitespace() || c == '\x0b')
                .filter(|part| !part.is_empty())
                .map(Value::str)
                .collect(),
        ),
        ("split", [Value::Str(by)]) if !by.is_empty() => {
            Value::list(text.split(&**by).map(Value::str).collect())
        }
        ("splitlines", []) if !text.contains(['\x0b', '\x0c', '\x1c', '\x1d', '\x1e']) && ascii => {
            Value::list(text.lines().map(Value::str).collect())
        }
        ("join", [items]) => {
            let items = evaluator.elements(items);
            let texts: Option<Vec<Arc<str>>> = items.and_then(|items| {
                items
                    .into_iter()
                    .map(|item| match item {
                        Value::Str(text) => Some(text),
                        _ => None,
                    })
                    .collect()
            });
            texts.map_or(Value::Instance, |texts| Value::str(texts.join(text)))
        }
        ("replace", [Value::Str(from), Value::Str(to)]) if !from.is_empty() => {
            Value::str(text.replace(&**from, to))
        }
        ("encode", []) => Value::Bytes(text.as_bytes().into()),
        ("encode", [Value::Str(encoding)])
            if matches!(&**encoding, "utf-8" | "utf8" | "UTF-8")
                || (ascii && matches!(&**encoding, "ascii" | "latin-1" | "latin1")) =>
        {
            Value::Bytes(text.as_bytes().into())
        }
        ("startswith", [Value::Str(part)]) => Value::Bool(text.starts_with(&**part)),
        ("endswith", [Value::Str(part)]) => Value::Bool(text.ends_with(&**part)),
        _ => Value::Instance,
    }
}

/// A function or class outside of the project.
pub(super) fn outside<'a>(
    evaluator: &mut Evaluator<'_, 'a>,
    path: &str,
    args: &[Value<'a>],
    keywords: Option<&[(&'a str, Value<'a>)]>,
) -> Value<'a> {
    if path == "pytest.param" {
        return param(args, keywords);
    }
    if is_nameless(path) {
        return Value::Nameless;
    }
    if let ("textwrap.dedent", [Value::Str(text)], true) =
        (path, args, keywords.is_some_and(<[_]>::is_empty))
    {
        return dedent(text).map_or(Value::Instance, Value::str);
    }
    if path == "re.compile" {
        return match args.first() {
            Some(pattern) => Value::Pattern(pattern.clone().into()),
            None => Value::Instance,
        };
    }
    let no_keywords = keywords.is_some_and(<[_]>::is_empty);
    if path == "builtins.sorted" {
        return sorted(evaluator, args, keywords);
    }
    if let (Some(name), true) = (path.strip_prefix("builtins."), no_keywords) {
        return builtin(evaluator, name, args);
    }
    if let (Some(name), true) = (path.strip_prefix("itertools."), no_keywords) {
        return iterator(evaluator, name, args)
            .map_or(Value::Unknown, |items| Value::Iterator(items.into()));
    }
    match path {
        // Keyword arguments only name the keys.
        "builtins.dict" => match (args, keywords) {
            ([], Some(keywords)) => Value::Dict(
                keywords
                    .iter()
                    .map(|(name, value)| (Value::str(name), value.clone()))
                    .collect(),
            ),
            _ => Value::Nameless,
        },
        "builtins.zip" => match keywords {
            Some([("strict", _)]) => builtin(evaluator, "zip", args),
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    }
}

/// `textwrap.dedent` of text in which only spaces and line feeds are white space.
fn dedent(text: &str) -> Option<String> {
    let other =
        |c: char| c.is_whitespace() && c != ' ' && c != '\n' || matches!(c, '\x1c'..='\x1f');
    if text.contains(other) {
        return None;
    }
    let margin = text
        .split('\n')
        .filter(|line| !line.trim_matches(' ').is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or_default();
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| match line.trim_matches(' ').is_empty() {
            true => "",
            false => &line[margin..],
        })
        .collect();
    Some(lines.join("\n"))
}

fn param<'a>(args: &[Value<'a>], keywords: Option<&[(&'a str, Value<'a>)]>) -> Value<'a> {
    let Some(keywords) = keywords else {
        return Value::Unknown;
    };
    let (mut id, mut marked) = (Value::None, false);
    for (name, value) in keywords {
        match *name {
            "id" => id = value.clone(),
            "marks" => marked = true,
            _ => return Value::Unknown,
        }
    }
    Value::Param(
        Param {
            values: args.to_vec(),
            id,
            marked,
        }
        .into(),
    )
}

fn sorted<'a>(
    evaluator: &mut Evaluator<'_, 'a>,
    args: &[Value<'a>],
    keywords: Option<&[(&'a str, Value<'a>)]>,
) -> Value<'a> {
    let ([items], Some(keywords)) = (args, keywords) else {
        return Value::Unknown;
    };
    let items = match items {
        // Equal elements of a set are one, so that their order does not show.
        Value::Set(items) => Some(items.to_vec()),
        items => evaluator.elements(items),
    };
    let Some(items) = items else {
        return Value::Unknown;
    };
    let (mut reverse, mut key) = (false, None);
    for (name, value) in keywords {
        match (*name, value) {
            ("reverse", Value::Bool(value)) => reverse = *value,
            ("key", value) => key = Some(value),
            _ => return Value::Unknown,
        }
    }
    let mut keyed: Vec<(Value<'a>, Value<'a>)> = items
        .into_iter()
        .map(|item| match key {
            Some(key) => (
                evaluator.apply(key, vec![item.clone()], Some(Vec::new())),
                item,
            ),
            None => (item.clone(), item),
        })
        .collect();
    let all = |is: fn(&Value<'a>) -> bool| keyed.iter().all(|(key, _)| is(key));
    let comparable =
        all(|key| matches!(key, Value::Str(_))) || all(|key| matches!(key, Value::Int(_)));
    if !comparable {
        return Value::Unknown;
    }
    keyed.sort_by(|(a, _), (b, _)| {
        let order = match (a, b) {
            (Value::Str(a), Value::Str(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        };
        if reverse { order.reverse() } else { order }
    });
    Value::list(keyed.into_iter().map(|(_, item)| item).collect())
}

fn builtin<'a>(evaluator: &mut Evaluator<'_, 'a>, name: &str, args: &[Value<'a>]) -> Value<'a> {
    match (name, args) {
        ("range", args) => range(args).map_or(Value::Nameless, |items| Value::Range(items.into())),
        ("list", []) => Value::list(Vec::new()),
        ("tuple", []) => Value::tuple(Vec::new()),
        ("dict", []) => Value::Dict(Arc::from([])),
        ("dict", [Value::Dict(items)]) => Value::Dict(items.clone()),
        ("dict", [items]) => {
            let mut out = Vec::new();
            for pair in evaluator.elements(items).into_iter().flatten() {
                match pair.items().as_deref() {
                    Some([key, value])
                        if insert(&mut out, key.clone(), value.clone()).is_some() => {}
                    _ => return Value::Nameless,
                }
            }
            Value::Dict(out.into())
        }
        ("list", [items]) => evaluator
            .elements(items)
            .map_or(Value::Nameless, Value::list),
        ("tuple", [items]) => evaluator
            .elements(items)
            .map_or(Value::Nameless, Value::tuple),
        ("set" | "frozenset" | "bytes" | "bytearray" | "dict", _) => Value::Nameless,
        ("reversed", [items]) => match evaluator.elements(items) {
            Some(mut items) => {
                items.reverse();
                Value::Iterator(items.into())
            }
            None => Value::Unknown,
        },
        ("enumerate", [items]) => match evaluator.elements(items) {
            Some(items) => Value::Iterator(
                (0i128..)
                    .zip(items)
                    .map(|(index, item)| Value::tuple(vec![Value::Int(index), item]))
                    .collect(),
            ),
            None => Value::Unknown,
        },
        ("zip", lists) => {
            let lists: Option<Vec<Vec<Value<'a>>>> =
                lists.iter().map(|list| evaluator.elements(list)).collect();
            let Some(lists) = lists else {
                return Value::Unknown;
            };
            let length = lists.iter().map(Vec::len).min().unwrap_or_default();
            Value::Iterator(
                (0..length)
                    .map(|index| {
                        Value::tuple(lists.iter().map(|list| list[index].clone()).collect())
                    })
                    .collect(),
            )
        }
        ("map", [function, items]) => match evaluator.elements(items) {
            Some(items) => Value::Iterator(
                items
                    .into_iter()
                    .map(|item| evaluator.apply(function, vec![item], Some(Vec::new())))
                    .collect(),
            ),
            None => Value::Unknown,
        },
        ("len", [Value::Str(text)]) => Value::Int(text.chars().count() as i128),
        ("len", [Value::Dict(items)]) => Value::Int(items.len() as i128),
        ("len", [items]) => match evaluator.elements(items) {
            Some(items) => Value::Int(items.len() as i128),
            None => Value::Instance,
        },
        ("getattr", [owner, Value::Str(name), default]) if &**name == "__name__" => match owner {
            Value::Str(_) | Value::Int(_) | Value::Float(_) | Value::None => default.clone(),
            owner => evaluator.attribute(owner, name),
        },
        ("str", []) => Value::str(""),
        ("str", [value]) => value.text().map_or(Value::Instance, Value::str),
        ("repr", [value]) => value.repr().map_or(Value::Instance, Value::str),
        ("bool", [value]) => value.truth().map_or(Value::Instance, Value::Bool),
        ("int", [Value::Int(value)]) => Value::Int(*value),
        ("float", [Value::Str(text)]) => match &*text.to_ascii_lowercase() {
            "nan" | "+nan" | "-nan" => Value::Float(f64::NAN),
            "inf" | "+inf" | "infinity" => Value::Float(f64::INFINITY),
            "-inf" | "-infinity" => Value::Float(f64::NEG_INFINITY),
            _ => Value::Instance,
        },
        ("float", [value @ (Value::Int(_) | Value::Float(_))]) => {
            floats(value, Operator::Add, &Value::Float(0.0))
        }
        ("chr", [Value::Int(code)]) => u32::try_from(*code)
            .ok()
            .and_then(char::from_u32)
            .map_or(Value::Instance, |c| Value::str(c.to_string())),
        (
            "int" | "float" | "complex" | "sum" | "abs" | "round" | "ord" | "hash" | "id" | "hex"
            | "oct" | "bin" | "chr" | "ascii" | "format" | "isinstance" | "issubclass" | "callable"
            | "hasattr" | "any" | "all",
            _,
        ) => Value::Instance,
        _ => Value::Unknown,
    }
}

fn range<'a>(args: &[Value<'a>]) -> Option<Vec<Value<'a>>> {
    let bounds: Option<Vec<i128>> = args
        .iter()
        .map(|arg| match arg {
            Value::Int(value) if value.unsigned_abs() < 1 << 60 => Some(*value),
            _ => None,
        })
        .collect();
    let (start, stop, step) = match bounds?.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] if *step != 0 => (*start, *stop, *step),
        _ => return None,
    };
    let mut out = Vec::new();
    let mut value = start;
    while (step > 0 && value < stop) || (step < 0 && value > stop) {
        if out.len() >= MAX_ITEMS {
            return None;
        }
        out.push(Value::Int(value));
        value += step;
    }
    Some(out)
}

/// The functions of `itertools` that end.
fn iterator<'a>(
    evaluator: &mut Evaluator<'_, 'a>,
    name: &str,
    args: &[Value<'a>],
) -> Option<Vec<Value<'a>>> {
    if let ("combinations" | "permutations", [items, Value::Int(count)]) = (name, args) {
        let items = evaluator.elements(items)?;
        let count = usize::try_from(*count).ok().filter(|&count| count <= 4)?;
        let mut out = Vec::new();
        choose(
            &items,
            count,
            name == "permutations",
            &mut Vec::new(),
            &mut out,
        )?;
        return Some(out);
    }
    let lists: Vec<Vec<Value<'a>>> = match (name, args) {
        ("chain" | "product", lists) => lists
            .iter()
            .map(|list| evaluator.elements(list))
            .collect::<Option<_>>()?,
        ("chain.from_iterable", [lists]) => {
            let lists = evaluator.elements(lists)?;
            lists
                .iter()
                .map(|list| evaluator.elements(list))
                .collect::<Option<_>>()?
        }
        _ => return None,
    };
    if name != "product" {
        return Some(lists.into_iter().flatten().collect());
    }
    let mut out: Vec<Vec<Value<'a>>> = vec![Vec::new()];
    for list in lists {
        if out.len() * list.len() > MAX_ITEMS {
            return None;
        }
        out = out
            .iter()
            .flat_map(|row| {
                list.iter().map(move |item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    Some(out.into_iter().map(Value::tuple).collect())
}

/// All ways to choose, in the order of `itertools`.
fn choose<'a>(
    items: &[Value<'a>],
    count: usize,
    ordered: bool,
    chosen: &mut Vec<usize>,
    out: &mut Vec<Value<'a>>,
) -> Option<()> {
    if chosen.len() == count {
        out.push(Value::tuple(
            chosen.iter().map(|&index| items[index].clone()).collect(),
        ));
        return (out.len() <= MAX_ITEMS).then_some(());
    }
    let from = match chosen.last() {
        Some(last) if !ordered => last + 1,
        _ => 0,
    };
    for index in from..items.len() {
        if !chosen.contains(&index) {
            chosen.push(index);
            choose(items, count, ordered, chosen, out)?;
            chosen.pop();
        }
    }
    Some(())
}
