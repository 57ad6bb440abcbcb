//! Parameter ids: pytest's `IdMaker` for values that are known.

use std::collections::{HashMap, HashSet};

/// `_pytest.compat.ascii_escaped` for text.
pub(crate) fn escape_str(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let code = u32::from(c);
        // Writing to a string does not fail.
        let _ = match c {
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            ' '..='~' => out.write_char(c),
            _ if code < 0x100 => write!(out, "\\x{code:02x}"),
            _ if code < 0x1_0000 => write!(out, "\\u{code:04x}"),
            _ => write!(out, "\\U{code:08x}"),
        };
    }
    out
}

/// `_pytest.compat.ascii_escaped` for bytes, whose backslashes it leaves alone.
pub(crate) fn escape_bytes(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        let _ = match byte {
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            b' '..=b'~' => out.write_char(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}"),
        };
    }
    out
}

/// Python's `repr` of a float: the shortest digits, with an exponent from 1e16 and below 1e-4.
pub(crate) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') {
        plain
    } else {
        format!("{plain}.0")
    }
}

/// Gives equal ids their suffixes. Returns whether there were any.
pub(crate) fn make_unique(ids: &mut [String]) -> bool {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for id in ids.iter() {
        *counts.entry(id.clone()).or_default() += 1;
    }
    if counts.len() == ids.len() {
        return false;
    }
    // How often each id is in the list now, so that looking for a free one stays cheap.
    let mut present = counts.clone();
    let mut next: HashMap<String, usize> = HashMap::new();
    for slot in ids.iter_mut() {
        let id = slot.clone();
        if counts[&id] < 2 {
            continue;
        }
        let gap = if id.ends_with(|c: char| c.is_ascii_digit()) {
            "_"
        } else {
            ""
        };
        let suffix = next.entry(id.clone()).or_default();
        let mut new = format!("{id}{gap}{suffix}");
        while present.get(&new).is_some_and(|&count| count > 0) {
            *suffix += 1;
            new = format!("{id}{gap}{suffix}");
        }
        *suffix += 1;
        if let Some(count) = present.get_mut(&id) {
            *count -= 1;
        }
        *present.entry(new.clone()).or_default() += 1;
        *slot = new;
    }
    debug_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_python_writes_them() {
        let cases = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (0.1, "0.1"),
            (123_456_789.125, "123456789.125"),
            (0.0, "0.0"),
        ];
        for (value, text) in cases {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(
            escape_str("a\\\n\x07é☃😀\x7f"),
            "a\\\\\\n\\x07\\xe9\\u2603\\U0001f600\\x7f"
        );
        assert_eq!(escape_bytes(b"a\\\n\xff\x00"), "a\\\\n\\xff\\x00");
    }

    #[test]
    fn suffixes() {
        let unique = |ids: &[&str]| {
            let mut ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
            make_unique(&mut ids);
            ids.join(" ")
        };
        assert_eq!(unique(&["a", "a", "b"]), "a0 a1 b");
        assert_eq!(unique(&["a", "a", "a0"]), "a1 a2 a0");
        assert_eq!(unique(&["1", "1", "1_0"]), "1_1 1_2 1_0");
        assert_eq!(unique(&["", ""]), "0 1");
    }
}
