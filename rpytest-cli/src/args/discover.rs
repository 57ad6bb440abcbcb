//! `--discover`: what there is to be run, for an editor.

use super::UsageError;
use super::given::Given;

pub(super) const DISCOVER: &str = "--discover";

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

/// What the option says, if it is given.
pub(super) fn read(given: &Given) -> Result<Option<DiscoverFormat>, UsageError> {
    if !given.has(DISCOVER) {
        return Ok(None);
    }
    let form = |text: &str| match text {
        "json" => Some(DiscoverFormat::Json),
        "vscode" => Some(DiscoverFormat::VsCode),
        "neotest" => Some(DiscoverFormat::Neotest),
        _ => None,
    };
    let form = given.parsed(DISCOVER, form, |text| {
        format!("{text:?} is none of json, vscode, neotest")
    })?;
    Ok(Some(form.unwrap_or(DiscoverFormat::Json)))
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
