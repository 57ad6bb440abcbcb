//! Whether fixtures stay up after a run.

use crate::args::{FIXTURE_MAX_AGE, RunArguments, UsageError};
use crate::settings::Settings;

/// After how many seconds they are torn down, if nothing is said.
const MAX_AGE: u64 = 600;

/// They do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reuse {
    /// After how many seconds they are torn down; 0 is never.
    pub(crate) max_age: u64,
}

/// Whether they do in a run, and if they might, and do not, why.
///
/// `daemon` says why there is none. An option that cannot be followed is an error; a setting holds for the
/// runs that can follow it.
pub(super) fn reuse(
    arguments: &RunArguments,
    settings: &Settings,
    daemon: &Result<(), String>,
) -> Result<(Option<Reuse>, Option<String>), UsageError> {
    let is_given = arguments.reuse_fixtures;
    if !is_given && !settings.enable_fixture_reuse {
        return match arguments.fixture_max_age {
            None => Ok((None, None)),
            Some(_) => Err(UsageError::Alone {
                option: FIXTURE_MAX_AGE,
                needs: "--reuse-fixtures",
                remedy: ", or with enable_fixture_reuse in [tool.rpytest]",
            }),
        };
    }
    if let Err(reason) = daemon {
        return match is_given {
            true => Err(UsageError::NoDaemon {
                option: "--reuse-fixtures",
                reason: reason.clone(),
            }),
            false => Ok((None, Some(format!("no fixtures are reused: {reason}")))),
        };
    }
    if arguments.certain_workers {
        let reason = "no fixtures are reused: the tests run in workers".to_owned();
        return Ok((None, Some(reason)));
    }
    let max_age = arguments.fixture_max_age.or(settings.fixture_max_age);
    let max_age = max_age.unwrap_or(MAX_AGE);
    Ok((Some(Reuse { max_age }), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;

    fn of(line: &str, settings: &Settings, daemon: &Result<(), String>) -> Result<String, String> {
        let words = line.split_whitespace().map(std::ffi::OsString::from);
        let command = Command::parse(words.collect()).map_err(|error| error.to_string())?;
        let Command::Run(arguments) = command else {
            panic!("{command:?}")
        };
        match reuse(&arguments, settings, daemon) {
            Ok((Some(Reuse { max_age }), _)) => Ok(max_age.to_string()),
            Ok((None, why)) => Ok(why.unwrap_or_else(|| "no".to_owned())),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn an_option_is_followed_or_refused_and_a_setting_holds_where_it_can() {
        let off = Settings::default();
        let on = Settings {
            enable_fixture_reuse: true,
            fixture_max_age: Some(60),
            ..Settings::default()
        };
        let there = Ok(());
        let none = Err("--no-daemon is given".to_owned());
        let told = |line, settings: &Settings, daemon: &_| of(line, settings, daemon);
        assert_eq!(told("-q", &off, &there), Ok("no".to_owned()));
        assert_eq!(told("--reuse-fixtures", &off, &there), Ok("600".to_owned()));
        assert_eq!(told("-q", &on, &there), Ok("60".to_owned()));
        let both = "--reuse-fixtures --fixture-max-age=5";
        assert_eq!(told(both, &on, &there), Ok("5".to_owned()));
        let why = "no fixtures are reused: --no-daemon is given";
        assert_eq!(told("-q", &on, &none), Ok(why.to_owned()));
        let why = "no fixtures are reused: the tests run in workers";
        assert_eq!(told("-n 2", &on, &there), Ok(why.to_owned()));
        for (line, message) in [
            (
                "--reuse-fixtures",
                "--reuse-fixtures needs the daemon, and there is none: --no-daemon is given",
            ),
            (
                "--fixture-max-age 5",
                "--fixture-max-age works with --reuse-fixtures only, or with enable_fixture_reuse in [tool.rpytest]",
            ),
            (
                "--fixture-max-age old",
                "--fixture-max-age: \"old\" is no number of seconds; 0 is never",
            ),
            (
                "--reuse-fixtures -n 2",
                "--reuse-fixtures does not work with -n: fixtures stay up in one process; leave out one of them",
            ),
        ] {
            assert_eq!(told(line, &off, &none), Err(message.to_owned()), "{line}");
        }
    }
}
