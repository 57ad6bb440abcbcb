//! Python's `fnmatch` on a POSIX system, and pytest's way to apply it to paths.

/// `fnmatch.fnmatch`: `*`, `?`, `[seq]`, `[!seq]`, over the whole name, `/` included.
pub(crate) fn fnmatch(name: &str, pattern: &str) -> bool {
    if name.is_ascii() && pattern.is_ascii() {
        return matches(name.as_bytes(), pattern.as_bytes());
    }
    let name: Vec<char> = name.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    matches(&name, &pattern)
}

/// Over characters, or over the bytes of a text that has one for each.
fn matches<C: Copy + Into<char>>(name: &[C], pattern: &[C]) -> bool {
    let in_pattern = |at: usize| pattern.get(at).map(|&c| c.into());
    let (mut n, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let next: char = name[n].into();
        let step = match in_pattern(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => match set(in_pattern, p, next) {
                Some((true, end)) => Some(end),
                Some((false, _)) => None,
                None => (next == '[').then_some(p + 1),
            },
            Some(c) => (c == next).then_some(p + 1),
            None => None,
        };
        match (step, star) {
            (Some(end), _) => {
                p = end;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c.into() == '*')
}

/// Matches `c` against the set that opens at `open`: whether it is in, and where the pattern goes on.
/// None where the bracket does not close, which makes it an ordinary character.
fn set(pattern: impl Fn(usize) -> Option<char>, open: usize, c: char) -> Option<(bool, usize)> {
    let mut at = open + 1;
    let negated = pattern(at) == Some('!');
    at += usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let low = pattern(at)?;
        if low == ']' && at > first {
            return Some((found != negated, at + 1));
        }
        match (pattern(at + 1), pattern(at + 2)) {
            (Some('-'), Some(high)) if high != ']' => {
                found |= (low..=high).contains(&c);
                at += 3;
            }
            _ => {
                found |= low == c;
                at += 1;
            }
        }
    }
}

/// pytest's `fnmatch_ex`: a pattern without `/` sees the name, one with `/` the whole absolute path.
pub(crate) fn matches_path(pattern: &str, path: &str) -> bool {
    if !pattern.contains('/') {
        let name = path.rsplit('/').next().unwrap_or(path);
        fnmatch(name, pattern)
    } else if path.starts_with('/') && !pattern.starts_with('/') {
        fnmatch(path, &format!("*/{pattern}"))
    } else {
        fnmatch(path, pattern)
    }
}

/// `PyCollector._matches_prefix_or_glob_option`.
pub(crate) fn prefix_or_glob(options: &[String], name: &str) -> bool {
    options.iter().any(|option| {
        name.starts_with(option.as_str())
            || (option.contains(['*', '?', '[']) && fnmatch(name, option))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_fnmatch() {
        for (name, pattern, expected) in [
            ("test_a.py", "test_*.py", true),
            ("a_test.py", "*_test.py", true),
            ("test_a.pyc", "test_*.py", false),
            ("x", "[!a-c]", true),
            ("b", "[!a-c]", false),
            ("]", "[]]", true),
            ("[x", "[x", true),
            ("{arch}", "{arch}", true),
            ("aXbXc", "a*b*c", true),
            ("", "*", true),
            ("tést_ä.py", "t?st_[à-ö].py", true),
            ("tést_z.py", "t?st_[à-ö].py", false),
            ("test_a.py", "té*", false),
        ] {
            assert_eq!(fnmatch(name, pattern), expected, "{name} {pattern}");
        }
        assert!(matches_path("sub/test_*.py", "/p/sub/test_a.py"));
        assert!(prefix_or_glob(&["check".into(), "*_spec".into()], "a_spec"));
    }
}
