//! `--discover`: what there is to be run, for an editor.

use std::ffi::OsStr;

use super::UsageError;

const DISCOVER: &str = "--discover";

/// The form of the document that `--discover` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoverFormat {
    /// Our own.
    Json,
    /// That of the plugin of VS Code's Python extension.
    VsCode,
    /// Node ids, a line each.
    Neotest,
}

/// Reads the option. None for any other word.
pub(super) fn read(word: &OsStr) -> Result<Option<DiscoverFormat>, UsageError> {
    let text = word.to_string_lossy();
    let Some(value) = text.strip_prefix(DISCOVER) else {
        return Ok(None);
    };
    Ok(Some(match value {
        "" | "=json" => DiscoverFormat::Json,
        "=vscode" => DiscoverFormat::VsCode,
        "=neotest" => DiscoverFormat::Neotest,
        _ => match value.strip_prefix('=') {
            None => return Ok(None),
            Some(value) => {
                return Err(UsageError::Value {
                    option: DISCOVER,
                    problem: format!("{value:?} is none of json, vscode, neotest"),
                });
            }
        },
    }))
}

/// Refuses it together with what runs tests, or prints something else.
pub(super) fn alone(others: &[(&str, bool)]) -> Result<(), UsageError> {
    match others.iter().find(|(_, given)| *given) {
        Some((other, _)) => Err(UsageError::Together {
            option: DISCOVER,
            other: (*other).to_owned(),
            remedy: "; leave out one of them",
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;

    fn parse(line: &str) -> Result<Command, String> {
        let words = line.split_whitespace().map(Into::into).collect();
        Command::parse(words).map_err(|error| error.to_string())
    }

    #[test]
    fn the_form_is_one_that_is_known() {
        for (line, expected) in [
            ("--discover", DiscoverFormat::Json),
            ("--discover=json", DiscoverFormat::Json),
            ("--discover=vscode", DiscoverFormat::VsCode),
            ("--discover=neotest", DiscoverFormat::Neotest),
        ] {
            let command = parse(&format!("{line} -q tests --collect-only"));
            let Ok(Command::Discover(run, format)) = command else {
                panic!("{command:?}")
            };
            assert_eq!(format, expected);
            assert_eq!(run.pytest, ["-q", "tests", "--collect-only"]);
        }
        assert_eq!(
            parse("--discover=xml"),
            Err("--discover: \"xml\" is none of json, vscode, neotest".to_owned())
        );
        let together = "--discover does not work with --watch; leave out one of them";
        assert_eq!(parse("--discover --watch"), Err(together.to_owned()));
    }
}
