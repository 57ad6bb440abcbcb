//! A bound on how deep a syntax tree can be, from the text alone.
//!
//! A recursive parser, and the drop of the tree that it returns, use stack by the depth of the tree.
//! Depth comes from open brackets, from indentation, from prefix operators, and from chains that lean
//! to one side: `a.b.c`, `a + b + c`, `a ** b ** c`, `x if y else z if ..`, `elif`. The scan does not know
//! about strings or comments and so counts too much there, which costs a reason and never a stack.

use super::SyntaxProblem;

/// Open brackets, and columns of indentation by four.
const MAX_DEPTH: usize = 300;
/// Operators, dots, brackets and keywords that lean on each other in one logical line. A comma ends a chain that began in the
/// same brackets.
const MAX_CHAIN: usize = 3_000;

/// Of an ASCII word.
const WORD: u8 = 1;
/// Of no consequence outside of a string, wherever it stands in a line.
const PLAIN: u8 = 2;
/// Of no consequence in a string.
const IN_STRING: u8 = 4;

/// What each byte may be. Most of the bytes of a file are passed over by it.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    loop {
        let mut class = 0;
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            class |= WORD;
        }
        let capital = matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b' ' | b'\t');
        if capital || byte >= 0x80 {
            class |= PLAIN;
        }
        if !matches!(byte, b'\\' | b'{' | b'"' | b'\'' | b'\n' | b'\r') {
            class |= IN_STRING;
        }
        classes[byte as usize] = class;
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

pub(super) fn check(source: &str) -> Result<(), SyntaxProblem> {
    let mut line = 1u32;
    let mut chain = 0usize;
    // Parameters that are being listed: their commas end nothing.
    let mut lambdas = 0usize;
    // Both of what is around each open bracket.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut string: Option<(u8, bool)> = None;
    let mut at_start = true;
    let mut indent = 0usize;
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if open.len() > MAX_DEPTH || indent > 4 * MAX_DEPTH || chain > MAX_CHAIN {
            return Err(SyntaxProblem::TooDeep { line });
        }
        let byte = bytes[at];
        if byte == b'\n' || byte == b'\r' {
            if byte == b'\n' || bytes.get(at + 1) != Some(&b'\n') {
                line = line.saturating_add(1);
            }
            if string.is_some_and(|(_, triple)| !triple) {
                string = None;
            }
            at_start = true;
            indent = 0;
            if open.is_empty() && string.is_none() && !(at > 0 && bytes[at - 1] == b'\\') {
                chain = 0;
                lambdas = 0;
            }
            at += 1;
            continue;
        }
        if let Some((quote, triple)) = string {
            if byte == b'\\' {
                // The next byte may be a line end, which must be counted.
                at += if matches!(bytes.get(at + 1), Some(b'\n' | b'\r')) {
                    1
                } else {
                    2
                };
                continue;
            }
            if byte == quote {
                if !triple {
                    string = None;
                } else if bytes[at..].starts_with(&[quote; 3]) {
                    string = None;
                    at += 2;
                }
            } else if byte == b'{' {
                // Possibly a format string: its fields nest too, and its quotes are not ours to know.
                chain += 1;
            } else {
                at += run(bytes, at, IN_STRING).max(1);
                continue;
            }
        } else {
            if at_start && (byte == b' ' || byte == b'\t') {
                indent += 1;
                at += 1;
                continue;
            }
            at_start = false;
            if CLASSES[usize::from(byte)] & PLAIN != 0 {
                at += run(bytes, at, PLAIN);
                continue;
            }
            match byte {
                b'#' => {
                    while at < bytes.len() && bytes[at] != b'\n' && bytes[at] != b'\r' {
                        at += 1;
                    }
                    continue;
                }
                b'"' | b'\'' => {
                    if bytes[at..].starts_with(&[byte; 3]) {
                        string = Some((byte, true));
                        at += 2;
                    } else {
                        string = Some((byte, false));
                    }
                }
                b'(' | b'[' | b'{' => {
                    chain += 1;
                    open.push((chain, lambdas));
                    lambdas = 0;
                }
                b')' | b']' | b'}' => {
                    if let Some(around) = open.pop() {
                        (chain, lambdas) = around;
                    }
                }
                b',' if lambdas == 0 => chain = open.last().map_or(0, |(chain, _)| *chain),
                b':' => {
                    chain += 1;
                    lambdas = lambdas.saturating_sub(1);
                }
                b'.' | b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'|' | b'&' | b'^' | b'<'
                | b'>' | b'@' | b'=' => chain += 1,
                b'a'..=b'z' if at == 0 || !is_word(bytes[at - 1]) => {
                    let word = &bytes[at..at + run(bytes, at, WORD)];
                    // Words that nest what follows them.
                    chain += match word {
                        b"not" | b"if" | b"lambda" | b"await" | b"yield" => 1,
                        _ => 0,
                    };
                    lambdas += usize::from(word == b"lambda");
                    at += word.len();
                    continue;
                }
                _ => {}
            }
        }
        at += 1;
    }
    Ok(())
}

/// How many bytes of a class come next.
fn run(bytes: &[u8], at: usize, class: u8) -> usize {
    let others = |byte: &u8| CLASSES[usize::from(*byte)] & class == 0;
    let rest = &bytes[at..];
    rest.iter().position(others).unwrap_or(rest.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_is_refused_and_plain_is_not() {
        assert!(check("x = (1, [2, {3: '((((('}])  # (((((\n").is_ok());
        assert!(check(&"(".repeat(10_000)).is_err());
        assert!(check(&format!("x{}", ".a".repeat(200_000))).is_err());
        assert!(check(&format!("x = {}1", "- ".repeat(200_000))).is_err());
        assert!(check(&format!("x = {}1", "not ".repeat(200_000))).is_err());
        assert!(check(&format!("x{}", "(1, 2)".repeat(200_000))).is_err());
        assert!(check(&format!("x{}", ".f(1, key=[2, 3])".repeat(200_000))).is_err());
        assert!(check(&format!("x = {}1", "y if (1, 2) else ".repeat(200_000))).is_err());
        assert!(check(&format!("x = {}1", "lambda a, b: ".repeat(200_000))).is_err());
        assert!(
            check(&format!(
                "x = {}1",
                "lambda a=lambda: 0, b=".repeat(200_000)
            ))
            .is_err()
        );
        assert!(check(&format!("x = [{}]", "f(1, [2]).g, ".repeat(200_000))).is_ok());
        assert!(check(&format!("x = [{}]", "lambda a, b: a.b, ".repeat(200_000))).is_ok());
        assert!(check(&format!("x = {{{}}}", "1: {2: (3, -4)}, ".repeat(200_000))).is_ok());
        let ladder: String = (0..3000)
            .map(|n| format!("{}if x:\n", " ".repeat(n)))
            .collect();
        assert!(check(&ladder).is_err());
    }
}
