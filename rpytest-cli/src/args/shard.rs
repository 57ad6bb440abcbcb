//! What of the command line is about shards.

use std::path::PathBuf;

use rpytest_sched::shard::Strategy;

use super::UsageError;
use super::given::Given;
use crate::shard::strategy;

pub(super) const SHARD: &str = "--shard";
pub(super) const TOTAL: &str = "--total-shards";
pub(super) const STRATEGY: &str = "--shard-strategy";
pub(super) const DIRECTORY: &str = "--shard-dir";
pub(super) const INFO: &str = "--shard-info";

/// Which shard of how many a session runs, as far as the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardArguments {
    /// `--shard`. It may be missing with `--shard-info` only.
    pub index: Option<ShardIndex>,
    /// `--total-shards`. Without it the variables of the CI say.
    pub total: Option<u32>,
    /// `--shard-strategy`.
    pub strategy: Option<Strategy>,
    /// `--shard-dir`: where the manifest and what belongs to it are written.
    pub directory: Option<PathBuf>,
    /// `--shard-info`: tell of all shards, and run none.
    pub info: bool,
}

/// `--shard`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardIndex {
    /// Counted from 0.
    Number(u32),
    /// What the variables of the CI say.
    Auto,
}

/// What the options say together.
pub(super) fn read(given: &Given) -> Result<Option<ShardArguments>, UsageError> {
    let Some(first) = given.first_of(&[SHARD, TOTAL, STRATEGY, DIRECTORY, INFO]) else {
        return Ok(None);
    };
    let index = |text: &str| match text {
        "auto" => Some(ShardIndex::Auto),
        _ => text.parse().ok().map(ShardIndex::Number),
    };
    let index = given.parsed(SHARD, index, |text| {
        let what = "a number, counted from 0, or auto";
        format!("{text:?} is no shard; {what}, with {TOTAL}, is")
    })?;
    let total = |text: &str| text.parse().ok().filter(|total| *total > 0);
    let total = given.parsed(TOTAL, total, |text| {
        format!("{text:?} is no number of shards; 1 or more are")
    })?;
    let strategy = given.parsed(STRATEGY, strategy::parse, |text| {
        format!("{text:?} is none of {}", strategy::names())
    })?;
    let directory = given.value(DIRECTORY).map(PathBuf::from);
    if directory
        .as_ref()
        .is_some_and(|directory| directory.as_os_str().is_empty())
    {
        return Err(UsageError::Value {
            option: DIRECTORY,
            problem: "it needs the path of a directory".to_owned(),
        });
    }
    let info = given.has(INFO);
    if index.is_none() && !info {
        return Err(UsageError::Alone {
            option: first,
            needs: SHARD,
            remedy: "; --shard auto takes it from the variables of the CI",
        });
    }
    match (index, total) {
        (Some(ShardIndex::Number(_)), None) => {
            return Err(UsageError::Alone {
                option: SHARD,
                needs: TOTAL,
                remedy: "; --shard auto takes both from the variables of the CI",
            });
        }
        (None, None) => {
            return Err(UsageError::Alone {
                option: INFO,
                needs: TOTAL,
                remedy: ", or with --shard auto",
            });
        }
        (Some(ShardIndex::Number(index)), Some(total)) if index >= total => {
            let problem = match total {
                1 => format!("{index} is not there: the only shard is 0"),
                _ => format!(
                    "{index} is none of the shards 0 to {}: they are counted from 0",
                    total - 1
                ),
            };
            return Err(UsageError::Value {
                option: SHARD,
                problem,
            });
        }
        _ => {}
    }
    Ok(Some(ShardArguments {
        index,
        total,
        strategy,
        directory,
        info,
    }))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::args::Command;

    fn parse(line: &str) -> Result<ShardArguments, String> {
        let words = line.split_whitespace().map(OsString::from).collect();
        match Command::parse(words).map_err(|error| error.to_string())? {
            Command::Run(run) | Command::ShardInfo(run) => {
                assert_eq!(run.pytest, ["-q", "tests"], "{line}");
                Ok(run.shard.expect("a shard"))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_shard_is_a_number_of_a_number_or_the_cis() {
        for (line, index, total) in [
            ("-q --shard 0 --total-shards 4 tests", Some(0), Some(4)),
            ("-q --shard=3 --total-shards=4 tests", Some(3), Some(4)),
            ("-q tests --shard auto", None, None),
            ("--shard auto --total-shards 3 -q tests", None, Some(3)),
        ] {
            let shard = parse(line).expect(line);
            let expected = index.map_or(ShardIndex::Auto, ShardIndex::Number);
            assert_eq!(shard.index, Some(expected), "{line}");
            assert_eq!(shard.total, total, "{line}");
        }
        let shard = parse("-q tests --shard-info --total-shards 2 --shard-strategy hash");
        let shard = shard.expect("understood");
        assert_eq!((shard.info, shard.index), (true, None));
        assert_eq!(shard.strategy, Some(Strategy::Hash));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, message) in [
            (
                "--shard 4 --total-shards 4",
                "--shard: 4 is none of the shards 0 to 3: they are counted from 0",
            ),
            (
                "--shard 1 --total-shards 1",
                "--shard: 1 is not there: the only shard is 0",
            ),
            (
                "--shard 1/4 --total-shards 4",
                "--shard: \"1/4\" is no shard; a number, counted from 0, or auto, with --total-shards, is",
            ),
            (
                "--shard 1",
                "--shard works with --total-shards only; --shard auto takes both from the variables of the CI",
            ),
            (
                "--total-shards 4",
                "--total-shards works with --shard only; --shard auto takes it from the variables of the CI",
            ),
            (
                "--shard 0 --total-shards 0",
                "--total-shards: \"0\" is no number of shards; 1 or more are",
            ),
            (
                "--shard 0 --total-shards 2 --shard-strategy even",
                "--shard-strategy: \"even\" is none of duration_balanced, least_duration, round_robin, hash",
            ),
            (
                "--shard-info",
                "--shard-info works with --total-shards only, or with --shard auto",
            ),
            (
                "--shard 0 --total-shards 2 --shard-dir=",
                "--shard-dir: it needs the path of a directory",
            ),
            (
                "--shard 0 --total-shards 2 --watch",
                "--watch does not work with --shard; leave out one of them",
            ),
        ] {
            assert_eq!(parse(line), Err(message.to_owned()), "{line}");
        }
    }
}
