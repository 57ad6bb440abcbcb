//! Words as a shell wants them.

use std::ffi::OsStr;

/// A word that a shell reads as this one.
pub(crate) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        for (word, text) in [
            ("--timing=html:a/b.html", "--timing=html:a/b.html"),
            ("a or b", "'a or b'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("a[1]", "'a[1]'"),
        ] {
            assert_eq!(quoted(OsStr::new(word)), text);
        }
    }
}
