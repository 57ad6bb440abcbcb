//! `--flaky-report`, which stands alone.

use super::UsageError;
use super::given::Given;

pub(super) const REPORT: &str = "--flaky-report";
const JSON: &str = "--json";

/// Whether the report is asked for, and as JSON.
pub(super) fn report(given: &Given) -> Result<Option<bool>, UsageError> {
    if !given.has(REPORT) {
        return Ok(None);
    }
    let others = given.others(&[REPORT, JSON]);
    if !others.is_empty() {
        return Err(UsageError::Arguments {
            command: REPORT,
            arguments: others.join(" "),
        });
    }
    Ok(Some(given.has(JSON)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::args::Command;

    #[test]
    fn the_report_stands_alone() {
        let parse = |line: &str| {
            let words = line.split_whitespace().map(OsString::from).collect();
            Command::parse(words).map_err(|error| error.to_string())
        };
        for (line, json) in [("--flaky-report", false), ("--json --flaky-report", true)] {
            let Ok(Command::FlakyReport { json: found }) = parse(line) else {
                panic!("{line}");
            };
            assert_eq!(found, json, "{line}");
        }
        for (line, message) in [
            (
                "--flaky-report tests",
                "--flaky-report takes no arguments, but tests was given",
            ),
            (
                "--flaky-report=all",
                "--flaky-report: it takes no value, but \"all\" was given",
            ),
        ] {
            assert_eq!(parse(line).expect_err(line), message);
        }
        assert!(matches!(parse("-- --flaky-report"), Ok(Command::Run(_))));
    }
}
