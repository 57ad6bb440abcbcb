//! `--timing`: where the time of a run went.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::UsageError;

const TIMING: &str = "--timing";

/// Where the page is written if the command line does not say: where pytest's own reports go that are asked for by name.
const PAGE: &str = "rpytest-timing.html";

/// What is said of the time of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimingArguments {
    /// `--timing`, in any form: on standard error.
    pub told: bool,
    /// `--timing=html[:PATH]`: as a page, too.
    pub page: Option<PathBuf>,
}

impl TimingArguments {
    /// Reads the option. False for any other word.
    pub(super) fn read(&mut self, word: &OsStr) -> Result<bool, UsageError> {
        let bytes = word.as_encoded_bytes();
        let Some(value) = bytes.strip_prefix(TIMING.as_bytes()) else {
            return Ok(false);
        };
        let wrong = |problem: String| UsageError::Value {
            option: TIMING,
            problem,
        };
        self.page = match value {
            b"" => self.page.take(),
            b"=html" => Some(PathBuf::from(PAGE)),
            _ if !value.starts_with(b"=") => return Ok(false),
            _ => match value.strip_prefix(b"=html:") {
                Some(b"") => {
                    return Err(wrong("html: needs the path of a file behind it".to_owned()));
                }
                Some(path) => Some(crate::session::decode(path)),
                None => {
                    let value = String::from_utf8_lossy(&value[1..]);
                    let problem = "is no form of it; html and html:PATH are, or no value";
                    return Err(wrong(format!("{value:?} {problem}")));
                }
            },
        };
        self.told = true;
        Ok(true)
    }

    /// Refuses a page of a run without tests.
    pub(super) fn finish(&self, collects: Option<&str>) -> Result<(), UsageError> {
        match collects {
            Some(other) if self.page.is_some() => Err(UsageError::Together {
                option: "--timing=html",
                other: other.to_owned(),
                remedy: ", which runs no test; --collect-only -q --benchmark says what collection takes",
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::args::{Command, TimingArguments};

    fn parse(line: &str) -> Result<TimingArguments, String> {
        let words = line.split_whitespace().map(Into::into).collect();
        match Command::parse(words).map_err(|error| error.to_string())? {
            Command::Run(run) => {
                assert_eq!(run.pytest, ["-q"], "{line}");
                Ok(run.timing)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_page_has_a_place_of_its_own_or_a_given_one() {
        for (line, told, page) in [
            ("-q", false, None),
            ("-q --timing", true, None),
            ("-q --timing=html", true, Some("rpytest-timing.html")),
            ("--timing=html:out/t.html -q", true, Some("out/t.html")),
            ("--timing=html:t.html --timing -q", true, Some("t.html")),
        ] {
            let timing = parse(line).expect(line);
            let page = page.map(Into::into);
            assert_eq!((timing.told, timing.page), (told, page), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, message) in [
            (
                "--timing=svg",
                "--timing: \"svg\" is no form of it; html and html:PATH are, or no value",
            ),
            (
                "--timing=html:",
                "--timing: html: needs the path of a file behind it",
            ),
            (
                "--timing=html --co",
                "--timing=html does not work with --co, which runs no test; \
                 --collect-only -q --benchmark says what collection takes",
            ),
        ] {
            assert_eq!(parse(line), Err(message.to_owned()), "{line}");
        }
    }
}
