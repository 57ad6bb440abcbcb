//! Words of a command line, split into options as pytest's parser splits them.

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Leaves the items and their order alone.
    Inert,
    /// One without a value.
    Flag(&'static str),
    /// One with a value.
    Value(&'static str, String),
    /// A path, an option that is not known, or one that lacks its value.
    Unknown(String),
}

/// Options of pytest and of well-known plugins that leave the items and their order alone.
const INERT_FLAGS: [&str; 54] = [
    "--quiet",
    "--verbose",
    "--exitfirst",
    "--showlocals",
    "--no-showlocals",
    "--strict-config",
    "--collect-only",
    "--co",
    "--no-header",
    "--no-summary",
    "--no-fold-skipped",
    "--force-short-summary",
    "--disable-warnings",
    "--disable-pytest-warnings",
    "--full-trace",
    "--xfail-tb",
    "--runxfail",
    "--trace",
    "--trace-config",
    "--pdb",
    "--setup-only",
    "--setup-show",
    "--setup-plan",
    "--continue-on-collection-errors",
    "--doctest-ignore-import-errors",
    "--doctest-continue-on-failure",
    "--doctest-ndiff",
    "--cache-clear",
    "--lsof",
    "--loadscope-reorder",
    "--no-loadscope-reorder",
    "--no-cov",
    "--no-cov-on-fail",
    "--cov-append",
    "--cov-branch",
    "--cov-reset",
    "--benchmark-disable",
    "--benchmark-autosave",
    "--benchmark-verbose",
    "--benchmark-quiet",
    "--benchmark-disable-gc",
    "--force-sugar",
    "--old-summary",
    "--self-contained-html",
    "--no-flaky-report",
    "--no-success-flaky-report",
    "--force-flaky",
    "--hypothesis-show-statistics",
    "--disable-socket",
    "--allow-unix-socket",
    "--force-enable-socket",
    "--timeout-disable-debugger-detection",
    "--no-print-logs",
    "--no-hints",
];

/// The same with a value, in the next word or after `=`.
const INERT_VALUES: [&str; 61] = [
    "--report-chars",
    "--tb",
    "--color",
    "--code-highlight",
    "--capture",
    "--assert",
    "--durations",
    "--durations-min",
    "--maxfail",
    "--verbosity",
    "--show-capture",
    "--pastebin",
    "--pdbcls",
    "--junitxml",
    "--junit-xml",
    "--junitprefix",
    "--junit-prefix",
    "--basetemp",
    "--log-level",
    "--log-format",
    "--log-date-format",
    "--log-cli-level",
    "--log-cli-format",
    "--log-cli-date-format",
    "--log-file",
    "--log-file-mode",
    "--log-file-level",
    "--log-file-format",
    "--log-file-date-format",
    "--log-auto-indent",
    "--log-disable",
    "--doctest-report",
    "--max-warnings",
    "--runpytest",
    "--cov-config",
    "--cov-context",
    "--cov-fail-under",
    "--cov-precision",
    "--cov-report",
    "--timeout",
    "--timeout-method",
    "--timeout_method",
    "--session-timeout",
    "--numprocesses",
    "--maxprocesses",
    "--max-worker-restart",
    "--dist",
    "--tx",
    "--px",
    "--rsyncdir",
    "--rsyncignore",
    "--testrunuid",
    "--maxschedchunk",
    "--reruns",
    "--reruns-delay",
    "--html",
    "--hypothesis-profile",
    "--hypothesis-seed",
    "--hypothesis-verbosity",
    "--allow-hosts",
    "--benchmark-storage",
];

/// Options that collection has to know.
const FLAGS: [&str; 6] = [
    "--strict",
    "--strict-markers",
    "--doctest-modules",
    "--keep-duplicates",
    "--collect-in-virtualenv",
    "--failed-first",
];

const VALUES: [&str; 10] = [
    "--config-file",
    "--confcutdir",
    "--deselect",
    "--doctest-glob",
    "--ignore",
    "--ignore-glob",
    "--import-mode",
    "--override-ini",
    "--pythonwarnings",
    "--rootdir",
];

/// `-x`; several may be one word.
const SHORT_FLAGS: &str = "dlqsvx";

/// Short options with a value that matters, with their name here.
const SHORT_VALUES: [(char, &str); 6] = [
    ('c', "--config-file"),
    ('k', "-k"),
    ('m', "-m"),
    ('o', "--override-ini"),
    ('p', "-p"),
    ('W', "--pythonwarnings"),
];

const SHORT_INERT_VALUES: &str = "nr";

/// Splits words into options. An unknown one is not taken to have a value.
pub(super) fn split(words: &[String]) -> Vec<Word> {
    let mut out = Vec::new();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let unknown = || Word::Unknown(word.to_owned());
        if !word.starts_with("--") {
            out.push(short(word, &mut words).unwrap_or_else(unknown));
            continue;
        }
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let known = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
        let name = match name {
            "--ff" => Some("--failed-first"),
            name => known(&FLAGS).filter(|_| name.starts_with("--")),
        };
        let option = if inline.is_none() && known(&INERT_FLAGS).is_some() {
            Word::Inert
        } else if let Some(name) = name.filter(|_| inline.is_none()) {
            Word::Flag(name)
        } else if known(&["--cov"]).is_some() {
            // Its value may be left out.
            if inline.is_none() {
                words.next_if(|next| !next.starts_with('-'));
            }
            Word::Inert
        } else if known(&INERT_VALUES).is_some() {
            match inline.or_else(|| words.next()) {
                Some(_) => Word::Inert,
                None => unknown(),
            }
        } else if let Some(name) = known(&VALUES) {
            match inline.or_else(|| words.next()) {
                Some(value) => Word::Value(name, value.to_owned()),
                None => unknown(),
            }
        } else {
            unknown()
        };
        out.push(option);
    }
    out
}

/// `-x`, `-xvs`, `-k x`, `-kx`, `-k=x` or `-xk x`.
fn short<'a>(word: &'a str, words: &mut impl Iterator<Item = &'a str>) -> Option<Word> {
    let letters = word.strip_prefix('-').filter(|rest| !rest.is_empty())?;
    let rest = letters.trim_start_matches(|c| SHORT_FLAGS.contains(c));
    let Some(letter) = rest.chars().next() else {
        return Some(Word::Inert);
    };
    let value = match rest[letter.len_utf8()..].strip_prefix('=') {
        // Versions of Python disagree on whether the `=` is part of it.
        Some(_) if rest != letters => return None,
        Some(value) => Some(value),
        None => Some(&rest[letter.len_utf8()..]).filter(|value| !value.is_empty()),
    };
    if SHORT_INERT_VALUES.contains(letter) {
        value.or_else(|| words.next())?;
        return Some(Word::Inert);
    }
    let (_, name) = SHORT_VALUES.iter().find(|(known, _)| *known == letter)?;
    let value = value.or_else(|| words.next())?;
    Some(Word::Value(name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Vec<Word> {
        split(
            &words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn forms_of_one_option() {
        for words in [&["-k", "a"][..], &["-ka"], &["-k=a"], &["-xvsk", "a"]] {
            assert_eq!(of(words), [Word::Value("-k", "a".to_owned())], "{words:?}");
        }
        for words in [&["-c", "a"][..], &["-ca"], &["--config-file=a"]] {
            let expected = [Word::Value("--config-file", "a".to_owned())];
            assert_eq!(of(words), expected, "{words:?}");
        }
        for words in [&["-Werror"][..], &["-W", "error"]] {
            let expected = [Word::Value("--pythonwarnings", "error".to_owned())];
            assert_eq!(of(words), expected, "{words:?}");
        }
        assert_eq!(of(&["--ff"]), [Word::Flag("--failed-first")]);
    }

    #[test]
    fn what_has_no_effect() {
        let words = ["-xvs", "-r", "a", "-rfE", "-n4", "--tb=short", "--tb", "no"];
        assert!(of(&words).iter().all(|word| *word == Word::Inert));
        assert_eq!(of(&["--cov", "src"]), [Word::Inert]);
        assert_eq!(of(&["--cov", "-x"]), [Word::Inert, Word::Inert]);
        assert_eq!(
            of(&["--cov=src", "a"]),
            [Word::Inert, Word::Unknown("a".to_owned())]
        );
    }

    #[test]
    fn what_is_not_known() {
        for word in [
            "-a",
            "--lf",
            "-xa",
            "--rootdir",
            "-k",
            "a",
            "-",
            "--tb",
            "-xk=a",
            "--pdb=1",
        ] {
            assert_eq!(of(&[word]), [Word::Unknown(word.to_owned())], "{word}");
        }
    }
}
