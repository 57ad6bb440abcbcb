//! The commands that stand for themselves: `rpytest merge`, `durations`, `completions` and `man`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::{Command, Shell, UsageError};

/// `rpytest merge`: join the shards of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeArguments {
    /// Directories with manifests in them, at any depth.
    pub directories: Vec<PathBuf>,
    /// Where the joined JUnit XML is written.
    pub junit: Option<PathBuf>,
    /// The durations that those of the shards are added to.
    pub durations: Option<PathBuf>,
    /// The history of outcomes that those of the shards are added to.
    pub outcomes: Option<PathBuf>,
    /// Name all tests of a problem, however many.
    pub verbose: bool,
}

/// `rpytest durations`. Without a file it is the project's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DurationsCommand {
    /// Print what is expected of each test.
    Show {
        /// The file.
        file: Option<PathBuf>,
        /// Only so many, the slowest.
        slowest: Option<usize>,
    },
    /// Add the durations of files to another.
    Merge {
        /// Files that are read.
        files: Vec<PathBuf>,
        /// The file that they are added to.
        output: Option<PathBuf>,
    },
    /// Forget tests that are not there any more.
    Prune {
        /// The file.
        file: Option<PathBuf>,
        /// Instead: those that were not seen in so many runs.
        unseen_for: Option<u64>,
    },
    /// Add the durations that pytest-split or a JUnit XML file has.
    Import {
        /// Files that are read.
        files: Vec<PathBuf>,
        /// The file that they are added to.
        output: Option<PathBuf>,
    },
}

/// The command that the first word names. A file or a directory of that name is meant as pytest means it.
pub(super) fn command(arguments: &[OsString]) -> Result<Option<Command>, UsageError> {
    let Some(name) = arguments.first().and_then(|word| word.to_str()) else {
        return Ok(None);
    };
    let mut declared = all().into_iter();
    let Some(declared) = declared.find(|command| command.get_name() == name) else {
        return Ok(None);
    };
    if Path::new(name).exists() {
        return Ok(None);
    }
    let matches = match declared.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Some(Command::Help(error.to_string()))),
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            return Err(UsageError::Command(text.trim_end().to_owned()));
        }
    };
    Ok(Some(match name {
        "merge" => Command::Merge(MergeArguments {
            directories: paths(&matches, "DIR"),
            junit: path(&matches, "junitxml"),
            durations: path(&matches, "durations"),
            outcomes: path(&matches, "outcomes"),
            verbose: matches.get_flag("verbose"),
        }),
        "completions" => {
            let shell = matches.get_one::<String>("SHELL");
            // The declaration lets no other pass.
            let shell = shell.and_then(|name| Shell::parse(name));
            return Ok(shell.map(Command::Completions));
        }
        "man" => Command::Manual,
        _ => Command::Durations(durations_command(&matches)),
    }))
}

/// Their declarations.
pub(super) fn all() -> [clap::Command; 4] {
    [merge(), durations(), completions(), manual()]
}

fn durations_command(matches: &ArgMatches) -> DurationsCommand {
    match matches.subcommand() {
        Some(("merge", matches)) => DurationsCommand::Merge {
            files: paths(matches, "FILE"),
            output: path(matches, "output"),
        },
        Some(("prune", matches)) => DurationsCommand::Prune {
            file: path(matches, "FILE"),
            unseen_for: matches.get_one("unseen-for").copied(),
        },
        Some(("import", matches)) => DurationsCommand::Import {
            files: paths(matches, "FILE"),
            output: path(matches, "output"),
        },
        // There is no other, and one is required.
        other => DurationsCommand::Show {
            file: other.and_then(|(_, matches)| path(matches, "FILE")),
            slowest: other.and_then(|(_, matches)| matches.get_one("slowest").copied()),
        },
    }
}

fn paths(matches: &ArgMatches, id: &str) -> Vec<PathBuf> {
    let found = matches.get_many::<PathBuf>(id);
    found.into_iter().flatten().cloned().collect()
}

fn path(matches: &ArgMatches, id: &str) -> Option<PathBuf> {
    matches.get_one::<PathBuf>(id).cloned()
}

fn several(id: &'static str) -> Arg {
    Arg::new(id)
        .required(true)
        .num_args(1..)
        .value_parser(value_parser!(PathBuf))
}

fn option(id: &'static str, value: &'static str) -> Arg {
    Arg::new(id)
        .long(id)
        .value_name(value)
        .value_parser(value_parser!(PathBuf))
}

fn merge() -> clap::Command {
    clap::Command::new("merge")
        .bin_name("rpytest merge")
        .about("Join the shards of a run, and prove that each test has run, and once")
        .after_help(
            "Exit codes: 0 all passed, 1 tests failed, 3 a test is missing or ran twice, or the shards do not \
             belong together, 4 there is nothing to join, 5 there are no tests.",
        )
        .arg(several("DIR").help("Directories with manifests of shards in them, at any depth"))
        .arg(option("junitxml", "PATH").help("Write the joined JUnit XML there"))
        .arg(option("durations", "PATH").help(
            "Add the measured durations to this file, such as .pytest_cache/v/rpytest/durations.json",
        ))
        .arg(option("outcomes", "PATH").help(
            "Add what came of the tests to the history of this file, such as .pytest_cache/v/rpytest/outcomes.json",
        ))
        .arg(
            Arg::new("verbose")
                .short('v')
                .long("verbose")
                .action(ArgAction::SetTrue)
                .help("Name all tests of a problem, however many"),
        )
}

fn durations() -> clap::Command {
    let file = |help: &'static str| {
        Arg::new("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(help)
    };
    let output = || {
        option("output", "FILE")
            .short('o')
            .help("The file that they are added to; the project's by default")
    };
    clap::Command::new("durations")
        .bin_name("rpytest durations")
        .about("What is known of how long tests take")
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("show")
                .about("Print what is expected of each test, the slowest first")
                .arg(file("The project's by default"))
                .arg(
                    Arg::new("slowest")
                        .long("slowest")
                        .value_name("N")
                        .value_parser(value_parser!(usize))
                        .help("Only so many"),
                ),
        )
        .subcommand(
            clap::Command::new("merge")
                .about("Add the durations of several files, from several machines, to one")
                .arg(several("FILE"))
                .arg(output()),
        )
        .subcommand(
            clap::Command::new("prune")
                .about("Forget tests that are not there any more")
                .arg(file("The project's by default"))
                .arg(
                    Arg::new("unseen-for")
                        .long("unseen-for")
                        .value_name("RUNS")
                        .value_parser(value_parser!(u64).range(1..))
                        .help("Collect nothing, and forget what was not seen in so many runs"),
                ),
        )
        .subcommand(
            clap::Command::new("import")
                .about(
                    "Add the durations that pytest-split (.test_durations) or a JUnit XML file has",
                )
                .arg(several("FILE"))
                .arg(output()),
        )
}

fn completions() -> clap::Command {
    clap::Command::new("completions")
        .bin_name("rpytest completions")
        .about("Print what completes the command line in a shell")
        .after_help(
            "bash: rpytest completions bash > ~/.local/share/bash-completion/completions/rpytest\n\
             zsh:  rpytest completions zsh > a directory of $fpath, as _rpytest\n\
             fish: rpytest completions fish > ~/.config/fish/completions/rpytest.fish",
        )
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(Shell::NAMES)
                .help("The shell"),
        )
}

fn manual() -> clap::Command {
    clap::Command::new("man")
        .bin_name("rpytest man")
        .about("Print the manual page")
        .after_help("To read it: rpytest man > rpytest.1; man ./rpytest.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let found = command(&words).map_err(|error| error.to_string())?;
        Ok(found.expect("a command"))
    }

    #[test]
    fn the_declarations_are_sound() {
        for command in all() {
            command.debug_assert();
        }
    }

    #[test]
    fn commands_are_understood() {
        let path = |text: &str| PathBuf::from(text);
        let merge = MergeArguments {
            directories: vec![path("a"), path("b")],
            junit: Some(path("x.xml")),
            durations: None,
            outcomes: Some(path("o.json")),
            verbose: true,
        };
        assert_eq!(
            parse("merge a b --junitxml=x.xml --outcomes o.json -v"),
            Ok(Command::Merge(merge))
        );
        let prune = DurationsCommand::Prune {
            file: None,
            unseen_for: Some(3),
        };
        assert_eq!(
            parse("durations prune --unseen-for 3"),
            Ok(Command::Durations(prune))
        );
        assert_eq!(
            parse("completions zsh"),
            Ok(Command::Completions(Shell::Zsh))
        );
        assert_eq!(parse("man"), Ok(Command::Manual));
        let help = parse("durations --help");
        assert!(matches!(help, Ok(Command::Help(text)) if text.contains("prune")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("merge", "DIR"),
            ("merge a --html", "--html"),
            ("durations", "subcommand"),
            ("durations forget", "forget"),
            ("completions csh", "csh"),
            ("durations prune --unseen-for 0", "--unseen-for"),
        ] {
            let message = parse(line).expect_err(line);
            assert!(message.contains(named), "{line}: {message}");
        }
    }

    #[test]
    fn a_directory_of_the_name_is_pytests() {
        // Tests run in the crate's directory, which has `src` but no `merge`.
        assert!(command(&["tests".into()]).expect("no error").is_none());
        assert!(
            command(&["-q".into(), "merge".into()])
                .expect("no error")
                .is_none()
        );
    }
}
