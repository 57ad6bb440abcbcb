//! What builtins, methods and a few functions of the standard library give for constants.

use std::sync::Arc;

use super::eval::{Evaluator, MAX_ITEMS};
use super::operators;
use super::texts;
use super::value::{Param, Value};
use crate::syntax::Operator;

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
            texts::braces(format, args, keywords).map_or(Value::Instance, Value::str)
        }
        (Value::Str(text), _, _) if keywords.is_empty() => {
            texts::of_text(evaluator, text, name, args)
        }
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
        return texts::dedent(text).map_or(Value::Instance, Value::str);
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
            operators::floats(value, Operator::Add, &Value::Float(0.0))
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
    // Whatever they hold, each makes every row longer.
    if lists.len() > 16 && name == "product"
        || lists.iter().map(Vec::len).sum::<usize>() > MAX_ITEMS
    {
        return None;
    }
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
