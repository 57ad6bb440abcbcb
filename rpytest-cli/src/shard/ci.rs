//! Which shard this machine is to run, as the variables of continuous integrations say.

use crate::args::{ShardArguments, ShardIndex};

/// How a continuous integration tells its parallel jobs apart.
struct Dialect {
    name: &'static str,
    index: &'static str,
    total: Option<&'static str>,
    /// What the first job has.
    first: u32,
}

/// Ours come first, then whoever is nearest to the process. From the documentation of each.
const DIALECTS: [Dialect; 9] = [
    Dialect {
        // For those that have expressions instead of variables. GitHub Actions:
        //     env:
        //       RPYTEST_SHARD: ${{ strategy.job-index }}
        //       RPYTEST_TOTAL_SHARDS: ${{ strategy.job-total }}
        name: "RPYTEST_SHARD",
        index: "RPYTEST_SHARD",
        total: Some("RPYTEST_TOTAL_SHARDS"),
        first: 0,
    },
    Dialect {
        name: "Bazel",
        index: "TEST_SHARD_INDEX",
        total: Some("TEST_TOTAL_SHARDS"),
        first: 0,
    },
    Dialect {
        name: "GitLab",
        index: "CI_NODE_INDEX",
        total: Some("CI_NODE_TOTAL"),
        first: 1,
    },
    Dialect {
        name: "CircleCI",
        index: "CIRCLE_NODE_INDEX",
        total: Some("CIRCLE_NODE_TOTAL"),
        first: 0,
    },
    Dialect {
        name: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        total: Some("BUILDKITE_PARALLEL_JOB_COUNT"),
        first: 0,
    },
    Dialect {
        name: "Azure Pipelines",
        index: "SYSTEM_JOBPOSITIONINPHASE",
        total: Some("SYSTEM_TOTALJOBSINPHASE"),
        first: 1,
    },
    Dialect {
        name: "Bitbucket",
        index: "BITBUCKET_PARALLEL_STEP",
        total: Some("BITBUCKET_PARALLEL_STEP_COUNT"),
        first: 0,
    },
    Dialect {
        name: "Semaphore",
        index: "SEMAPHORE_JOB_INDEX",
        total: Some("SEMAPHORE_JOB_COUNT"),
        first: 1,
    },
    Dialect {
        name: "a Kubernetes indexed job",
        index: "JOB_COMPLETION_INDEX",
        total: None,
        first: 0,
    },
];

/// What names one run of a pipeline, the same in all its jobs, and in those that are run again.
const RUNS: [&str; 7] = [
    "GITHUB_RUN_ID",
    "CI_PIPELINE_ID",
    "CIRCLE_PIPELINE_ID",
    "BUILDKITE_BUILD_ID",
    "BUILD_BUILDID",
    "BITBUCKET_PIPELINE_UUID",
    "SEMAPHORE_WORKFLOW_ID",
];

/// What names this run, if it is a CI's that says so.
pub(crate) fn run(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut found = RUNS.into_iter().filter_map(|name| {
        let value = variable(name).filter(|value| !value.is_empty())?;
        Some(format!("{name}={value}"))
    });
    found.next()
}

/// Bazel asks whoever divides to touch the file that this names.
const BAZEL_STATUS: &str = "TEST_SHARD_STATUS_FILE";

/// Which shard of how many. The texts are whole sentences but for "rpytest: error:".
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CiError {
    #[error(
        "--shard auto: no variable of a CI says which shard this is. Known are those of {known}; for \
         GitHub Actions set RPYTEST_SHARD: ${{{{ strategy.job-index }}}} and RPYTEST_TOTAL_SHARDS: \
         ${{{{ strategy.job-total }}}} in env. --shard I --total-shards N works everywhere"
    )]
    Unknown { known: String },
    #[error(
        "--shard auto: {variable} says which shard this is, but nothing says of how many; give --total-shards"
    )]
    NoTotal { variable: &'static str },
    #[error("--shard auto: {variable} is {value:?}, which is {problem}")]
    Value {
        variable: &'static str,
        value: String,
        problem: String,
    },
    #[error(
        "--shard auto: {variable} says that there are {found} shards, and --total-shards {given}"
    )]
    Totals {
        variable: &'static str,
        found: u32,
        given: u32,
    },
}

/// The number of a shard, how many there are, and who says so, if not the command line.
pub(crate) type Place = (Option<u32>, u32, Option<&'static str>);

/// What the command line says, or the variables for it.
pub(crate) fn place(
    arguments: &ShardArguments,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Place, CiError> {
    match (arguments.index, arguments.total) {
        (Some(ShardIndex::Number(index)), Some(total)) => Ok((Some(index), total, None)),
        (None, Some(total)) => Ok((None, total, None)),
        // Without a total a number was refused.
        (_, total) => auto(total, variable),
    }
}

fn auto(given: Option<u32>, variable: impl Fn(&str) -> Option<String>) -> Result<Place, CiError> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let number = |name: &'static str| {
        let Some(value) = variable(name) else {
            return Ok(None);
        };
        match value.trim().parse::<u32>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(CiError::Value {
                variable: name,
                value,
                problem: "no number".to_owned(),
            }),
        }
    };
    for dialect in &DIALECTS {
        let total = match dialect.total {
            Some(name) => number(name)?,
            None => None,
        };
        let Some(index) = number(dialect.index)? else {
            // A job that is not parallel may have a total all the same: GitLab's has.
            if total == Some(1) && given.is_none_or(|given| given == 1) {
                return Ok((Some(0), 1, Some(dialect.name)));
            }
            continue;
        };
        if let (Some(variable), Some(found), Some(given)) = (dialect.total, total, given)
            && found != given
        {
            return Err(CiError::Totals {
                variable,
                found,
                given,
            });
        }
        let variable = dialect.index;
        let total = total.or(given).ok_or(CiError::NoTotal { variable })?;
        let counted = index.checked_sub(dialect.first);
        let place = counted.filter(|place| *place < total);
        let place = place.ok_or_else(|| CiError::Value {
            variable,
            value: index.to_string(),
            problem: format!("none of {total} counted from {}", dialect.first),
        })?;
        return Ok((Some(place), total, Some(dialect.name)));
    }
    let known = DIALECTS[1..].iter().map(|dialect| dialect.name);
    Err(CiError::Unknown {
        known: known.collect::<Vec<_>>().join(", "),
    })
}

/// Tells Bazel that somebody divides, without which it takes the test for one that cannot.
pub(crate) fn tell_bazel() {
    let Some(path) = std::env::var_os(BAZEL_STATUS).filter(|path| !path.is_empty()) else {
        return;
    };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path);
    if let Err(error) = file {
        eprintln!(
            "rpytest: warning: cannot write {} ({BAZEL_STATUS}): {error}",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(environment: &str, given: Option<u32>) -> Result<Place, String> {
        let variable = |name: &str| {
            let pairs = environment
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='));
            let found = pairs.into_iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_owned())
        };
        auto(given, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn each_ci_is_understood() {
        for (environment, index, total, name) in [
            (
                "RPYTEST_SHARD=0 RPYTEST_TOTAL_SHARDS=3",
                0,
                3,
                "RPYTEST_SHARD",
            ),
            ("TEST_SHARD_INDEX=2 TEST_TOTAL_SHARDS=3", 2, 3, "Bazel"),
            ("CI_NODE_INDEX=1 CI_NODE_TOTAL=4", 0, 4, "GitLab"),
            ("CI_NODE_TOTAL=1", 0, 1, "GitLab"),
            ("CIRCLE_NODE_INDEX=3 CIRCLE_NODE_TOTAL=4", 3, 4, "CircleCI"),
            (
                "BUILDKITE_PARALLEL_JOB=1 BUILDKITE_PARALLEL_JOB_COUNT=2",
                1,
                2,
                "Buildkite",
            ),
            (
                "SYSTEM_JOBPOSITIONINPHASE=2 SYSTEM_TOTALJOBSINPHASE=2",
                1,
                2,
                "Azure Pipelines",
            ),
            (
                "BITBUCKET_PARALLEL_STEP=0 BITBUCKET_PARALLEL_STEP_COUNT=2",
                0,
                2,
                "Bitbucket",
            ),
            (
                "SEMAPHORE_JOB_INDEX=1 SEMAPHORE_JOB_COUNT=5",
                0,
                5,
                "Semaphore",
            ),
            // What was set by hand counts most.
            (
                "CI_NODE_INDEX=1 CI_NODE_TOTAL=4 RPYTEST_SHARD=5 RPYTEST_TOTAL_SHARDS=8",
                5,
                8,
                "RPYTEST_SHARD",
            ),
        ] {
            let expected = Ok((Some(index), total, Some(name)));
            assert_eq!(ask(environment, None), expected, "{environment}");
        }
        let expected = Ok((Some(7), 9, Some("a Kubernetes indexed job")));
        assert_eq!(ask("JOB_COMPLETION_INDEX=7", Some(9)), expected);
    }

    #[test]
    fn a_run_is_named_by_the_ci_that_it_is_of() {
        let variable = |name: &str| match name {
            "BUILD_BUILDID" => Some("7".to_owned()),
            "CI_PIPELINE_ID" => Some(String::new()),
            _ => None,
        };
        assert_eq!(run(variable), Some("BUILD_BUILDID=7".to_owned()));
        assert_eq!(run(|_| None), None);
    }

    #[test]
    fn what_is_not_is_named() {
        for (environment, given, message) in [
            (
                "JOB_COMPLETION_INDEX=7",
                None,
                "--shard auto: JOB_COMPLETION_INDEX says which shard this is, but nothing says of how many; give --total-shards",
            ),
            (
                "CI_NODE_INDEX=0 CI_NODE_TOTAL=4",
                None,
                "--shard auto: CI_NODE_INDEX is \"0\", which is none of 4 counted from 1",
            ),
            (
                "CI_NODE_INDEX=x CI_NODE_TOTAL=4",
                None,
                "--shard auto: CI_NODE_INDEX is \"x\", which is no number",
            ),
            (
                "CIRCLE_NODE_INDEX=0 CIRCLE_NODE_TOTAL=4",
                Some(3),
                "--shard auto: CIRCLE_NODE_TOTAL says that there are 4 shards, and --total-shards 3",
            ),
        ] {
            assert_eq!(
                ask(environment, given),
                Err(message.to_owned()),
                "{environment}"
            );
        }
        let message = ask("GITHUB_ACTIONS=true", None).expect_err("it has no variable");
        assert!(
            message.contains("RPYTEST_SHARD: ${{ strategy.job-index }}"),
            "{message}"
        );
    }
}
