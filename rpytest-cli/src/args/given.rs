//! The words of a command line that are rpytest's own, and the others, untouched and in order.
//!
//! pytest's parser takes no abbreviations of options that begin with two dashes, and no word that begins so for the
//! value of another option: each such word means what it says, wherever it stands before `--`.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use super::UsageError;
use super::definition::{Definition, State, Takes};
use super::table::find;

/// A command line, divided.
#[derive(Debug, Default)]
pub(super) struct Given {
    own: Vec<Own>,
    /// For pytest's parser.
    pub(super) pytest: Vec<OsString>,
}

#[derive(Debug)]
struct Own {
    option: &'static Definition,
    value: Option<OsString>,
}

impl Given {
    /// Divides the arguments.
    pub(super) fn divide(arguments: Vec<OsString>) -> Result<Given, UsageError> {
        let mut given = Given::default();
        let mut rest = arguments.into_iter().peekable();
        while let Some(word) = rest.next() {
            if word == "--" {
                given.pytest.push(word);
                break;
            }
            let (name, inline) = parts(&word);
            let Some(option) = find(&name) else {
                given.pytest.push(word);
                continue;
            };
            let name = option.names.iter().find(|known| name == **known);
            let name = name.copied().unwrap_or(option.name());
            let refused = name.to_owned();
            match option.state {
                State::NotYet(remedy) => {
                    let option = refused;
                    return Err(UsageError::NotYet { option, remedy });
                }
                State::Never(reason) => {
                    let option = refused;
                    return Err(UsageError::Never { option, reason });
                }
                State::Ours | State::Pytests => {}
            }
            let by_pytest = option.state == State::Pytests;
            let separate = inline.is_none();
            let value = match option.takes {
                Takes::Nothing if inline.is_some() && !by_pytest => {
                    let value = inline.unwrap_or_default();
                    let problem = format!("it takes no value, but {value:?} was given");
                    return Err(UsageError::Value {
                        option: name,
                        problem,
                    });
                }
                Takes::Nothing | Takes::Inline(_) => inline,
                Takes::Value(_) if inline.is_some() => inline,
                Takes::Value(called) => match rest.next_if(|next| is_value(next)) {
                    Some(value) => Some(value),
                    // pytest's parser says it in its own words.
                    None if by_pytest => None,
                    None => {
                        let problem = format!("it needs a value, {called}");
                        return Err(UsageError::Value {
                            option: name,
                            problem,
                        });
                    }
                },
            };
            if by_pytest {
                given.pytest.push(word);
                given.pytest.extend(value.clone().filter(|_| separate));
            }
            given.own.push(Own { option, value });
        }
        given.pytest.extend(rest);
        Ok(given)
    }

    /// Whether the option was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.own.iter().any(|own| own.option.name() == name)
    }

    /// Its value, the last one if there are several.
    pub(super) fn value(&self, name: &str) -> Option<&OsStr> {
        let own = self
            .own
            .iter()
            .rev()
            .find(|own| own.option.name() == name)?;
        own.value.as_deref()
    }

    /// What its value means; the problem, told of the value, completes `--option: `.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        problem: impl FnOnce(&str) -> String,
    ) -> Result<Option<T>, UsageError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let text = value.to_string_lossy();
        let found = parse(&text).ok_or_else(|| UsageError::Value {
            option: name,
            problem: problem(&text),
        });
        found.map(Some)
    }

    /// The first of these options that was given.
    pub(super) fn first_of(&self, names: &[&str]) -> Option<&'static str> {
        let mut given = self.own.iter().map(|own| own.option.name());
        given.find(|name| names.contains(name))
    }

    /// All words that are none of these options, as they would be typed.
    pub(super) fn others(&self, names: &[&str]) -> Vec<String> {
        let own = self.own.iter().filter(|own| {
            own.option.state != State::Pytests && !names.contains(&own.option.name())
        });
        let typed = own.map(|own| match &own.value {
            Some(value) => format!("{}={}", own.option.name(), value.to_string_lossy()),
            None => own.option.name().to_owned(),
        });
        let pytests = self
            .pytest
            .iter()
            .map(|word| word.to_string_lossy().into_owned());
        typed.chain(pytests).collect()
    }

    /// Refuses what does not go together.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        for own in &self.own {
            let option = own.option.name();
            for excluded in own.option.not_with {
                if let Some(other) = self.any(excluded.options) {
                    let remedy = excluded.remedy;
                    return Err(UsageError::Together {
                        option,
                        other,
                        remedy,
                    });
                }
            }
            if let Some(needed) = &own.option.needs
                && self.any(needed.options).is_none()
            {
                let (needs, remedy) = (needed.called, needed.remedy);
                return Err(UsageError::Alone {
                    option,
                    needs,
                    remedy,
                });
            }
        }
        Ok(())
    }

    /// The first of these options, ours or pytest's, as it was given.
    fn any(&self, names: &[&str]) -> Option<String> {
        let own = self.first_of(names).map(str::to_owned);
        own.or_else(|| {
            let mut options = self.options();
            let found = options.find(|word| names.contains(&&*parts(word).0))?;
            Some(parts(found).0.into_owned())
        })
    }

    /// pytest's words before `--`.
    pub(super) fn options(&self) -> impl Iterator<Item = &OsString> {
        self.pytest.iter().take_while(|word| *word != "--")
    }
}

/// A word's name, and what is behind its first `=`.
fn parts(word: &OsStr) -> (Cow<'_, str>, Option<OsString>) {
    let Some(text) = word.to_str() else {
        return parts_of_bytes(word);
    };
    match text.split_once('=') {
        Some((name, value)) => (Cow::Borrowed(name), Some(value.into())),
        None => (Cow::Borrowed(text), None),
    }
}

/// The same of a word that is no text; a path may be such.
#[cfg(unix)]
fn parts_of_bytes(word: &OsStr) -> (Cow<'_, str>, Option<OsString>) {
    use std::os::unix::ffi::OsStrExt;
    let bytes = word.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        None => (word.to_string_lossy(), None),
        Some(at) => {
            let name = OsStr::from_bytes(&bytes[..at]).to_string_lossy();
            (name, Some(OsStr::from_bytes(&bytes[at + 1..]).to_owned()))
        }
    }
}

/// The same of a word that is no text, which is then none of ours.
#[cfg(not(unix))]
fn parts_of_bytes(word: &OsStr) -> (Cow<'_, str>, Option<OsString>) {
    (word.to_string_lossy(), None)
}

/// Whether a word may be the value of the option before it: no option is, by the rule of argparse; a negative number
/// is no option.
fn is_value(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    match text.strip_prefix('-') {
        None => true,
        Some(rest) => rest.is_empty() || rest.parse::<f64>().is_ok(),
    }
}
