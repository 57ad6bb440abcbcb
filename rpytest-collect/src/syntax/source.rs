//! Bytes to text, by the rules of PEP 263 for the encodings that test files have.
//!
//! Every line end becomes `\n`, in string literals too, as in Python.

use std::borrow::Cow;

use super::SyntaxProblem;

pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SyntaxProblem> {
    let text = text(bytes)?;
    if memchr::memchr(b'\r', text.as_bytes()).is_none() {
        return Ok(text);
    }
    Ok(Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")))
}

fn text(bytes: &[u8]) -> Result<Cow<'_, str>, SyntaxProblem> {
    let (bytes, bom) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, true),
        None => (bytes, false),
    };
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(SyntaxProblem::Error {
            line: line_of(bytes, at),
            message: "source code cannot contain null bytes".to_owned(),
        });
    }
    let cookie = cookie(bytes);
    let unknown = |name: &str| SyntaxProblem::Encoding {
        name: name.to_owned(),
    };
    match cookie.as_deref().unwrap_or("utf-8") {
        "utf-8" | "utf8" | "u8" | "utf-8-sig" => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => Err(SyntaxProblem::Error {
                line: line_of(bytes, error.valid_up_to()),
                message: "source is not valid utf-8".to_owned(),
            }),
        },
        name if bom => Err(unknown(name)),
        name @ ("ascii" | "us-ascii") => match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => Ok(Cow::Borrowed(text)),
            _ => Err(unknown(name)),
        },
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => Ok(Cow::Owned(
            bytes.iter().map(|&byte| char::from(byte)).collect(),
        )),
        name => Err(unknown(name)),
    }
}

fn line_of(bytes: &[u8], at: usize) -> u32 {
    let lines = bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
    u32::try_from(lines + 1).unwrap_or(u32::MAX)
}

/// The encoding that a comment in the first two lines declares, in lower case with dashes.
fn cookie(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    for _ in 0..2 {
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n' || byte == b'\r')
            .unwrap_or(rest.len());
        let (line, tail) = rest.split_at(end);
        rest = tail
            .strip_prefix(b"\r\n")
            .or(tail.get(1..))
            .unwrap_or_default();
        let text = line.trim_ascii_start();
        if text.is_empty() {
            continue;
        }
        if text.first() != Some(&b'#') {
            // A second line only counts below a blank or comment line.
            return None;
        }
        let Some(at) = text.windows(6).position(|window| window == b"coding") else {
            continue;
        };
        let Some((b':' | b'=', value)) = text[at + 6..].split_first().map(|(c, r)| (*c, r)) else {
            continue;
        };
        let name: String = value
            .trim_ascii_start()
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
            .map(|&byte| {
                char::from(byte.to_ascii_lowercase())
                    .to_string()
                    .replace('_', "-")
            })
            .collect();
        if !name.is_empty() {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(decode(b"\xef\xbb\xbfx").expect("it is valid"), "x");
        assert_eq!(
            decode(b"# -*- coding: latin_1 -*-\n'\xe9'")
                .expect("it is valid")
                .chars()
                .nth(27),
            Some('é')
        );
        assert!(matches!(
            decode(b"#!/x\n# vim: set fileencoding=koi8-r :\n"),
            Err(SyntaxProblem::Encoding { name }) if name == "koi8-r"
        ));
        assert_eq!(
            decode("\n\r\n# coding: latin-1\né".as_bytes())
                .expect("it is valid")
                .chars()
                .last(),
            Some('é')
        );
        assert_eq!(
            decode(b"a\r\nb\rc\n\r\r\n").expect("it is valid"),
            "a\nb\nc\n\n\n"
        );
        assert!(matches!(
            decode(b"a\n\xff"),
            Err(SyntaxProblem::Error { line: 2, .. })
        ));
        assert!(matches!(
            decode(b"a\0"),
            Err(SyntaxProblem::Error { line: 1, .. })
        ));
    }
}
