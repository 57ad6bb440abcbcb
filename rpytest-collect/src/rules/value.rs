//! Values of Python's that are known without running it.

use std::sync::Arc;

use super::ids;
use super::program::Module;
use crate::syntax::{Class, Expr, Function, Lambda};

/// A value, as far as collection can tell values apart.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    Tuple(Arc<[Value<'a>]>),
    List(Arc<[Value<'a>]>),
    /// In no order that is known.
    Set(Arc<[Value<'a>]>),
    Dict(Arc<[(Value<'a>, Value<'a>)]>),
    /// A range, or the view of a dict.
    Range(Arc<[Value<'a>]>),
    /// What a generator, `zip` or `map` gives.
    Iterator(Arc<[Value<'a>]>),
    Class(Module<'a>, &'a Class),
    Function(Module<'a>, &'a Function),
    Lambda(Module<'a>, &'a Lambda),
    Module(Module<'a>),
    /// Something of another's module, by its absolute path.
    Outside(Arc<str>),
    /// A member of an enumeration: its class, name and value.
    Member(Module<'a>, &'a Class, &'a str, Arc<Value<'a>>),
    /// A compiled pattern.
    Pattern(Arc<Value<'a>>),
    /// `pytest.param`.
    Param(Arc<Param<'a>>),
    /// An object of some class that has no name and no id of its own.
    Nameless,
    /// An object of which only that it is no `pytest.param` is known.
    Instance,
    Unknown,
}

/// The arguments of a `pytest.param`.
#[derive(Debug)]
pub(crate) struct Param<'a> {
    pub(crate) values: Vec<Value<'a>>,
    pub(crate) id: Value<'a>,
    /// Whether it has marks.
    pub(crate) marked: bool,
}

impl<'a> Value<'a> {
    pub(crate) fn str(text: impl AsRef<str>) -> Self {
        Value::Str(text.as_ref().into())
    }

    pub(crate) fn tuple(items: Vec<Value<'a>>) -> Self {
        Value::Tuple(items.into())
    }

    pub(crate) fn list(items: Vec<Value<'a>>) -> Self {
        Value::List(items.into())
    }

    /// A literal that holds no other.
    pub(crate) fn literal(expr: &Expr) -> Option<Self> {
        Some(match expr {
            Expr::None => Value::None,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Int(text) => Value::Int(text.parse().ok()?),
            Expr::Float(value) => Value::Float(*value),
            // The parser cannot hold a lone surrogate and puts this character in its place.
            Expr::Str(text) if text.contains('\u{fffd}') => Value::Instance,
            Expr::Str(text) => Value::str(text),
            Expr::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
            Expr::Ellipsis => Value::Nameless,
            _ => return None,
        })
    }

    /// Whether it can be changed in place.
    pub(crate) fn is_mutable(&self) -> bool {
        matches!(
            self,
            Value::List(_) | Value::Set(_) | Value::Dict(_) | Value::Iterator(_)
        )
    }

    /// What iterating over it gives, where that has an order.
    pub(crate) fn items(&self) -> Option<Vec<Value<'a>>> {
        Some(match self {
            Value::Tuple(items)
            | Value::List(items)
            | Value::Range(items)
            | Value::Iterator(items) => items.to_vec(),
            Value::Dict(items) => items.iter().map(|(key, _)| key.clone()).collect(),
            Value::Str(text) => text
                .chars()
                .map(|c| Value::str(c.encode_utf8(&mut [0; 4])))
                .collect(),
            Value::Bytes(bytes) => bytes.iter().map(|&byte| Value::Int(byte.into())).collect(),
            Value::Set(items) if items.len() < 2 => items.to_vec(),
            _ => return None,
        })
    }

    /// Its truth.
    pub(crate) fn truth(&self) -> Option<bool> {
        Some(match self {
            Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::Tuple(items) | Value::List(items) | Value::Set(items) => !items.is_empty(),
            Value::Dict(items) => !items.is_empty(),
            Value::Function(..) | Value::Lambda(..) | Value::Pattern(_) => true,
            _ => return None,
        })
    }

    /// A number, where a float is exactly that.
    #[expect(clippy::cast_precision_loss, reason = "guarded by the bound before it")]
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Value::Bool(value) => Some(f64::from(u8::from(*value))),
            Value::Int(value) if value.unsigned_abs() < 1 << 53 => Some(*value as f64),
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// `==`. None where it is not known.
    pub(crate) fn equals(&self, other: &Self) -> Option<bool> {
        let all = |a: &[Value<'a>], b: &[Value<'a>]| -> Option<bool> {
            if a.len() != b.len() {
                return Some(false);
            }
            let mut equal = true;
            for (a, b) in a.iter().zip(b) {
                equal &= a.equals(b)?;
            }
            Some(equal)
        };
        Some(match (self, other) {
            (Value::Unknown | Value::Instance | Value::Nameless | Value::Param(_), _)
            | (_, Value::Unknown | Value::Instance | Value::Nameless | Value::Param(_)) => {
                return None;
            }
            (Value::Outside(a), Value::Outside(b)) if a == b => true,
            (Value::Outside(_), _) | (_, Value::Outside(_)) => return None,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::None, Value::None) => true,
            (Value::Tuple(a), Value::Tuple(b)) | (Value::List(a), Value::List(b)) => {
                return all(a, b);
            }
            (Value::Class(_, a), Value::Class(_, b)) => std::ptr::eq(*a, *b),
            (Value::Function(_, a), Value::Function(_, b)) => std::ptr::eq(*a, *b),
            (Value::Member(_, a, name, _), Value::Member(_, b, other, _))
                if std::ptr::eq(*a, *b) =>
            {
                name == other
            }
            // Members of a class that is an `int` too are equal to one.
            (Value::Member(..), _) | (_, Value::Member(..)) => return None,
            (
                Value::Set(_) | Value::Dict(_) | Value::Iterator(_),
                Value::Set(_) | Value::Dict(_) | Value::Iterator(_),
            )
            | (Value::Lambda(..) | Value::Pattern(_), Value::Lambda(..) | Value::Pattern(_)) => {
                return None;
            }
            (a, b) => match (a.float(), b.float()) {
                (Some(a), Some(b)) => a == b,
                (None, None) if matches!((a, b), (Value::Int(_), _) | (_, Value::Int(_))) => {
                    return None;
                }
                _ => false,
            },
        })
    }

    /// `repr` of values whose text is the same in every version of Python.
    pub(crate) fn repr(&self) -> Option<String> {
        let join = |items: &[Value<'a>]| {
            let items: Option<Vec<String>> = items.iter().map(Value::repr).collect();
            items.map(|items| items.join(", "))
        };
        Some(match self {
            Value::None => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => ids::float_repr(*value),
            Value::Str(text) => repr_str(text)?,
            Value::List(items) => format!("[{}]", join(items)?),
            Value::Tuple(items) if items.len() == 1 => format!("({},)", join(items)?),
            Value::Tuple(items) => format!("({})", join(items)?),
            Value::Dict(items) => {
                let items: Option<Vec<String>> = items
                    .iter()
                    .map(|(key, value)| Some(format!("{}: {}", key.repr()?, value.repr()?)))
                    .collect();
                format!("{{{}}}", items?.join(", "))
            }
            _ => return None,
        })
    }

    /// `str` of such a value.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Value::Str(text) => Some(text.to_string()),
            other => other.repr(),
        }
    }
}

/// Text of printable ASCII; what of the rest is printable depends on Python's tables.
fn repr_str(text: &str) -> Option<String> {
    let plain = text
        .chars()
        .all(|c| matches!(c, ' '..='~' | '\n' | '\t' | '\r'));
    if !plain {
        return None;
    }
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_as_python_writes_them() {
        let text = |text: &str| Value::str(text);
        let value = Value::list(vec![
            text("it's"),
            text("a\"b'c\\"),
            Value::tuple(vec![Value::Int(1)]),
            Value::Dict(vec![(Value::Bool(true), Value::Float(0.5))].into()),
            Value::None,
        ]);
        assert_eq!(
            value.repr().as_deref(),
            Some(r#"["it's", 'a"b\'c\\', (1,), {True: 0.5}, None]"#)
        );
        assert_eq!(text("é").repr(), None);
        assert_eq!(text("é").text().as_deref(), Some("é"));
    }

    #[test]
    fn numbers_are_equal_across_types() {
        assert_eq!(Value::Int(1).equals(&Value::Bool(true)), Some(true));
        assert_eq!(Value::Int(1).equals(&Value::Float(1.0)), Some(true));
        assert_eq!(Value::Int(1).equals(&Value::str("1")), Some(false));
        assert_eq!(Value::Unknown.equals(&Value::Unknown), None);
    }
}
