//! What operators make of values.

use super::calls;
use super::eval::MAX_ITEMS;
use super::texts;
use super::value::Value;
use crate::syntax::{Comparison, Operator};

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

pub(super) fn compare(left: &Value<'_>, op: Comparison, right: &Value<'_>) -> Option<bool> {
    let order = || match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => left.float()?.partial_cmp(&right.float()?),
    };
    let contains = || -> Option<bool> {
        if let (Value::Str(part), Value::Str(text)) = (left, right) {
            return Some(text.contains(&**part));
        }
        let items = match right {
            Value::Set(items) => items.to_vec(),
            Value::Str(_) => return None,
            right => right.items()?,
        };
        let mut found = false;
        for item in &items {
            found |= left.equals(item)?;
        }
        Some(found)
    };
    match op {
        Comparison::Equal => left.equals(right),
        Comparison::NotEqual => left.equals(right).map(|equal| !equal),
        Comparison::Less => order().map(std::cmp::Ordering::is_lt),
        Comparison::LessEqual => order().map(std::cmp::Ordering::is_le),
        Comparison::Greater => order().map(std::cmp::Ordering::is_gt),
        Comparison::GreaterEqual => order().map(std::cmp::Ordering::is_ge),
        Comparison::In => contains(),
        Comparison::NotIn => contains().map(|found| !found),
        Comparison::Is | Comparison::IsNot => {
            let same = match (left, right) {
                (Value::None, Value::None) => true,
                (Value::Bool(a), Value::Bool(b)) => a == b,
                (Value::None, other) | (other, Value::None) => match other {
                    Value::Unknown | Value::Instance | Value::Outside(_) => return None,
                    _ => false,
                },
                _ => return None,
            };
            Some(same == (op == Comparison::Is))
        }
    }
}

pub(super) fn binary<'a>(left: &Value<'a>, op: Operator, right: &Value<'a>) -> Value<'a> {
    let joined = |a: &[Value<'a>], b: &[Value<'a>]| -> Vec<Value<'a>> {
        a.iter().chain(b).cloned().collect()
    };
    match (left, op, right) {
        (Value::Bool(a), op, b) if !matches!(b, Value::Bool(_)) => {
            binary(&Value::Int(i128::from(*a)), op, b)
        }
        (Value::List(a), Operator::Add, Value::List(b)) => Value::list(joined(a, b)),
        (Value::Tuple(a), Operator::Add, Value::Tuple(b)) => Value::tuple(joined(a, b)),
        (Value::Str(a), Operator::Add, Value::Str(b)) => Value::str(format!("{a}{b}")),
        (Value::Bytes(a), Operator::Add, Value::Bytes(b)) => {
            Value::Bytes([&**a, &**b].concat().into())
        }
        (value, Operator::Multiply, Value::Int(times))
        | (Value::Int(times), Operator::Multiply, value)
            if !matches!(value, Value::Int(_) | Value::Float(_)) =>
        {
            repeat(value, *times)
        }
        (Value::Str(format), Operator::Modulo, value) => {
            texts::percent(format, value).map_or(Value::Instance, Value::str)
        }
        (Value::Dict(a), Operator::Or, Value::Dict(b)) => {
            let mut out = a.to_vec();
            for (key, value) in b.iter() {
                if calls::insert(&mut out, key.clone(), value.clone()).is_none() {
                    return Value::Nameless;
                }
            }
            Value::Dict(out.into())
        }
        (Value::Int(a), op, Value::Int(b)) => integers(*a, op, *b),
        (Value::Float(_) | Value::Int(_), op, Value::Float(_) | Value::Int(_)) => {
            floats(left, op, right)
        }
        // Numbers and texts make no `pytest.param`, whatever the other side is.
        (Value::Str(_) | Value::Bytes(_), ..) => Value::Instance,
        _ => Value::Unknown,
    }
}
