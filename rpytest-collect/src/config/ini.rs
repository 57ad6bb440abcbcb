//! The ini dialect that pytest reads, as the `iniconfig` package defines it.

/// A section's name and its keys in order.
pub(super) type Section = (String, Vec<(String, String)>);

/// Reads a whole file. The error is a message with a line number.
pub(super) fn parse(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open_key = false;
    for (index, raw) in text.lines().enumerate() {
        let fail = |what: &str| format!("line {}: {what}", index + 1);
        let line = if raw.trim_start().starts_with(['#', ';']) {
            ""
        } else {
            raw.trim_end()
        };
        let Some(first) = line.chars().next() else {
            // A comment or an empty line within a value leaves it open.
            continue;
        };
        if first == '[' {
            let head = line.split(['#', ';']).next().unwrap_or_default().trim_end();
            if let Some(name) = head
                .strip_prefix('[')
                .and_then(|head| head.strip_suffix(']'))
            {
                if sections.iter().any(|(known, _)| known == name) {
                    return Err(fail("duplicate section"));
                }
                sections.push((name.to_owned(), Vec::new()));
                open_key = false;
                continue;
            }
        }
        if first.is_whitespace() {
            let last = sections.last_mut().and_then(|(_, keys)| keys.last_mut());
            match last {
                Some((_, value)) if open_key => {
                    if !value.is_empty() {
                        value.push('\n');
                    }
                    value.push_str(line.trim());
                }
                _ => return Err(fail("unexpected value continuation")),
            }
            continue;
        }
        let by_equals = line.split_once('=').filter(|(name, _)| !name.contains(':'));
        let Some((name, value)) = by_equals.or_else(|| line.split_once(':')) else {
            return Err(fail("unexpected line"));
        };
        let Some((_, keys)) = sections.last_mut() else {
            return Err(fail("no section header defined"));
        };
        let name = name.trim();
        if keys.iter().any(|(known, _)| known == name) {
            return Err(fail("duplicate name"));
        }
        keys.push((name.to_owned(), value.trim().to_owned()));
        open_key = true;
    }
    Ok(sections)
}

/// The words of an `addopts`: `shlex.split`, in its POSIX mode and without comments. None where a quote stays open.
pub fn shell_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_continuations() {
        let text = "[pytest]  # here\naddopts = -q\n  -x\n# no\n\n  -v\nb: 1\n[x]\n";
        let keys = vec![
            ("addopts".to_owned(), "-q\n-x\n-v".to_owned()),
            ("b".to_owned(), "1".to_owned()),
        ];
        assert_eq!(
            parse(text).expect("it is valid"),
            vec![("pytest".to_owned(), keys), ("x".to_owned(), Vec::new())]
        );
        assert!(parse("a = 1").is_err());
        assert!(parse("[a]\nb=1\nb=2").is_err());
    }

    #[test]
    fn words() {
        let words = shell_words(r#"-m "not slow" a\ b '' "#).expect("it is valid");
        assert_eq!(words, ["-m", "not slow", "a b", ""]);
        assert_eq!(shell_words("'a"), None);
    }
}
