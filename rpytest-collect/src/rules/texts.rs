//! Texts: formats, methods, and what else makes one of another.

use std::sync::Arc;

use super::eval::{Evaluator, MAX_ITEMS};
use super::value::Value;

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
        if out.len() > MAX_ITEMS {
            return None;
        }
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
pub(super) fn braces(
    format: &str,
    args: &[Value<'_>],
    keywords: &[(&str, Value<'_>)],
) -> Option<String> {
    let mut out = String::new();
    let mut rest = format;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        if out.len() > MAX_ITEMS {
            return None;
        }
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

/// A method of a text. What is not known is one of those that give a text, a number or a list.
pub(super) fn of_text<'a>(
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
            let texts = texts.filter(|texts| {
                let own: usize = texts.iter().map(|part| part.len() + text.len()).sum();
                own <= MAX_ITEMS
            });
            texts.map_or(Value::Instance, |texts| Value::str(texts.join(text)))
        }
        ("replace", [Value::Str(from), Value::Str(to)])
            if !from.is_empty()
                && (text.len() / from.len()).saturating_mul(to.len()) <= MAX_ITEMS =>
        {
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

/// `textwrap.dedent` of text in which only spaces and line feeds are white space.
pub(super) fn dedent(text: &str) -> Option<String> {
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
