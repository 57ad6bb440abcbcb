//! `--flaky-report`, which stands alone.

use std::ffi::OsString;

use super::UsageError;

const REPORT: &str = "--flaky-report";
const JSON: &str = "--json";

/// Whether the report is asked for, and as JSON.
pub(super) fn report(arguments: &[OsString]) -> Result<Option<bool>, UsageError> {
    let words = arguments.iter().map(|word| word.to_string_lossy());
    let words: Vec<_> = words.take_while(|word| word != "--").collect();
    let Some(given) = words
        .iter()
        .find(|word| word.split('=').next() == Some(REPORT))
    else {
        return Ok(None);
    };
    if given != REPORT {
        return Err(UsageError::Value {
            option: REPORT,
            problem: format!("it takes no value, but {given:?} was given"),
        });
    }
    let others = words.iter().filter(|word| *word != REPORT && *word != JSON);
    let others: Vec<_> = others.map(|word| word.to_string()).collect();
    if !others.is_empty() {
        return Err(UsageError::Arguments {
            command: REPORT,
            arguments: others.join(" "),
        });
    }
    Ok(Some(words.iter().any(|word| word == JSON)))
}

#[cfg(test)]
mod tests {
    use super::*;
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
                "--flaky-report: it takes no value, but \"--flaky-report=all\" was given",
            ),
        ] {
            assert_eq!(parse(line).expect_err(line), message);
        }
        assert!(matches!(parse("-- --flaky-report"), Ok(Command::Run(_))));
    }
}
