//! `--timing`: where the time of a run went.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::UsageError;
use super::given::Given;

const TIMING: &str = "--timing";

/// What runs no test.
const COLLECTS: [&str; 4] = [
    "--collect-only",
    "--co",
    "--collectonly",
    "--native-collect-only",
];

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

/// What the option says.
pub(super) fn read(given: &Given) -> Result<TimingArguments, UsageError> {
    let wrong = |problem: String| UsageError::Value {
        option: TIMING,
        problem,
    };
    let page = match given.value(TIMING).map(OsStr::as_encoded_bytes) {
        None => None,
        Some(b"html") => Some(PathBuf::from(PAGE)),
        Some(value) => match value.strip_prefix(b"html:") {
            Some(b"") => return Err(wrong("html: needs the path of a file behind it".to_owned())),
            Some(path) => Some(crate::session::decode(path)),
            None => {
                let value = String::from_utf8_lossy(value);
                let problem = "is no form of it; html and html:PATH are, or no value";
                return Err(wrong(format!("{value:?} {problem}")));
            }
        },
    };
    if page.is_some()
        && let Some(other) = given.any(&COLLECTS)
    {
        return Err(UsageError::Together {
            option: "--timing=html",
            other,
            remedy: ", which runs no test; --collect-only -q --benchmark says what collection takes",
        });
    }
    Ok(TimingArguments {
        told: given.has(TIMING),
        page,
    })
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
            ("--timing --timing=html:t.html -q", true, Some("t.html")),
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
