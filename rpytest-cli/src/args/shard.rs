//! What of the command line is about shards.

use std::ffi::OsString;
use std::path::PathBuf;

use rpytest_sched::shard::Strategy;

use super::UsageError;
use crate::shard::strategy;

const SHARD: &str = "--shard";
const TOTAL: &str = "--total-shards";
const STRATEGY: &str = "--shard-strategy";
const DIRECTORY: &str = "--shard-dir";
const INFO: &str = "--shard-info";

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

/// The options as they come.
#[derive(Debug, Default)]
pub(super) struct Given {
    index: Option<ShardIndex>,
    total: Option<u32>,
    strategy: Option<Strategy>,
    directory: Option<PathBuf>,
    info: bool,
    /// The first of them.
    first: Option<&'static str>,
}

impl Given {
    /// Reads one of the options, with its value from the same word or from the next one. False for any other word.
    pub(super) fn read(
        &mut self,
        word: &OsString,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<bool, UsageError> {
        let text = word.to_string_lossy();
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (&*text, None),
        };
        let known = [SHARD, TOTAL, STRATEGY, DIRECTORY, INFO];
        let Some(option) = known.into_iter().find(|option| *option == name) else {
            return Ok(false);
        };
        self.first.get_or_insert(option);
        if option == INFO {
            if let Some(value) = inline {
                let problem = format!("it takes no value, but {value:?} was given");
                return Err(UsageError::Value { option, problem });
            }
            self.info = true;
            return Ok(true);
        }
        let value = inline.or_else(|| rest.next()).unwrap_or_default();
        let text = value.to_string_lossy();
        let wrong = |problem: String| UsageError::Value { option, problem };
        match option {
            SHARD if text == "auto" => self.index = Some(ShardIndex::Auto),
            SHARD => {
                let number = text.parse().map_err(|_| {
                    let what = "a number, counted from 0, or auto";
                    wrong(format!("{text:?} is no shard; {what}, with {TOTAL}, is"))
                })?;
                self.index = Some(ShardIndex::Number(number));
            }
            TOTAL => {
                let total = text.parse().ok().filter(|total| *total > 0);
                let problem = || format!("{text:?} is no number of shards; 1 or more are");
                self.total = Some(total.ok_or_else(|| wrong(problem()))?);
            }
            STRATEGY => {
                let found = strategy::parse(&text);
                let problem = || format!("{text:?} is none of {}", strategy::names());
                self.strategy = Some(found.ok_or_else(|| wrong(problem()))?);
            }
            _ if value.is_empty() => {
                return Err(wrong("it needs the path of a directory".to_owned()));
            }
            _ => self.directory = Some(PathBuf::from(&value)),
        }
        Ok(true)
    }

    /// What they say together.
    pub(super) fn finish(self) -> Result<Option<ShardArguments>, UsageError> {
        let Some(first) = self.first else {
            return Ok(None);
        };
        if self.index.is_none() && !self.info {
            return Err(UsageError::Alone {
                option: first,
                needs: SHARD,
                remedy: "; --shard auto takes it from the variables of the CI",
            });
        }
        match (self.index, self.total) {
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
            index: self.index,
            total: self.total,
            strategy: self.strategy,
            directory: self.directory,
            info: self.info,
        }))
    }
}

#[cfg(test)]
mod tests {
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
