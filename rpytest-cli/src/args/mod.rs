//! What of the command line is rpytest's to see before pytest does.
//!
//! pytest's own parser, in the host, decides about everything else: it knows the options of the
//! user's plugins and `addopts`. Options of ours that a session needs are registered with it.

mod commands;
mod daemon;
mod defaults;
mod definition;
mod discover;
mod error;
mod flaky;
mod given;
#[cfg(test)]
mod help;
mod messages;
mod pytests;
mod shard;
mod shell;
mod table;
mod timing;
mod verify;

use std::ffi::{OsStr, OsString};

pub use self::commands::{DurationsCommand, MergeArguments};
pub(crate) use self::daemon::SERVE_ON;
pub use self::discover::DiscoverFormat;
pub use self::error::UsageError;
use self::given::Given;
pub use self::messages::{MessageArguments, MessageFormat, MessageOutput};
pub use self::shard::{ShardArguments, ShardIndex};
pub use self::shell::Shell;
pub(crate) use self::shell::{complete, manual};
pub(crate) use self::table::FIXTURE_MAX_AGE;
pub use self::timing::TimingArguments;
pub use self::verify::VerifyArguments;
pub(crate) use self::verify::ask_for_workers;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Run a session: everything that pytest does, too.
    Run(RunArguments),
    /// `--watch`: run, and again what each change concerns.
    Watch(RunArguments),
    /// `--shard-info`: tell of all shards, and run none.
    ShardInfo(RunArguments),
    /// `--verify-dropin`: compare with pytest.
    Verify(VerifyArguments),
    /// `--editor-server`: serve an editor, whose runs have these arguments.
    EditorServer(Vec<OsString>),
    /// `--discover`: tell an editor what there is to be run.
    Discover(RunArguments, DiscoverFormat),
    /// `--native-collect-only`: list what can be collected without Python.
    NativeCollect(Vec<OsString>),
    /// `merge`: join the shards of a run.
    Merge(MergeArguments),
    /// `durations`: what is known of how long tests take.
    Durations(DurationsCommand),
    /// `--cleanup`: remove what rpytest can make anew.
    Cleanup,
    /// `--inventory-status`: show what is known of the tests.
    InventoryStatus {
        /// Which tests.
        arguments: RunArguments,
        /// `--json`.
        json: bool,
    },
    /// `completions`: what a shell has to know of the command line.
    Completions(Shell),
    /// `man`: the manual page.
    Manual,
    /// `--flaky-report`: what the last runs say of each test.
    FlakyReport {
        /// `--json`.
        json: bool,
    },
    /// A text that was asked for, of one of the commands above.
    Help(String),
    /// `--daemon`, `--daemon-status`, `--daemon-stop` and `--session-status`.
    Daemon(DaemonCommand),
}

/// What is asked of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DaemonCommand {
    /// Be one, in the foreground. What is not given here the project's settings have.
    Serve(Limits),
    /// Be one in the background, for a run that is over and says on standard input what it was.
    ServeOn,
    /// Show what it keeps.
    Status {
        /// `--json`.
        json: bool,
    },
    /// Show which fixtures it keeps up.
    SessionStatus {
        /// `--json`.
        json: bool,
    },
    /// End it.
    Stop,
}

/// What a daemon may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Seconds without being asked for anything; 0 is never.
    pub idle_timeout: Option<u64>,
    /// Bytes, with all that it keeps.
    pub memory: Option<u64>,
}

/// The arguments of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunArguments {
    /// For pytest's parser.
    pub pytest: Vec<OsString>,
    /// Whether they certainly ask for workers, so that the template may start with the controller.
    pub certain_workers: bool,
    /// `--explain`.
    pub explain: bool,
    /// Not `--no-native-collection`.
    pub native_collection: bool,
    /// `--benchmark`.
    pub benchmark: bool,
    /// Not `--no-daemon`.
    pub daemon: bool,
    /// `--reuse-fixtures`.
    pub reuse_fixtures: bool,
    /// `--fixture-max-age`, in seconds; 0 is never.
    pub fixture_max_age: Option<u64>,
    /// `--timing`.
    pub timing: TimingArguments,
    /// `--shard` and its kin.
    pub shard: Option<ShardArguments>,
    /// `--message-format` and its kin.
    pub messages: MessageArguments,
}

const CLEANUP: &str = "--cleanup";
/// The server for editors.
pub(crate) const EDITOR_SERVER: &str = "--editor-server";

/// The names of one option.
pub(crate) const COLLECTS_ONLY: [&str; 3] = ["--collect-only", "--co", "--collectonly"];

/// Options with which there is nothing to watch: what they print depends on no test.
const SHOWS_ONLY: [&str; 4] = ["--help", "-h", "--version", "-V"];

/// Options with which a session has no workers, whatever else is asked for.
const WITHOUT_WORKERS: &[&str] = &[
    "--co",
    "--collect-only",
    "--collectonly",
    "--cache-show",
    "--fixtures",
    "--fixtures-per-test",
    "--funcargs",
    "--help",
    "--markers",
    "--pdb",
    "--setup-only",
    "--setup-plan",
    "--setup-show",
    "--sw",
    "--stepwise",
    "--sw-skip",
    "--stepwise-skip",
    "--sw-reset",
    "--stepwise-reset",
    "--trace",
    "--version",
    "-V",
    "-h",
    "-f",
    "--looponfail",
    "-d",
    "--dist",
    "--tx",
    "-n0",
];

impl RunArguments {
    /// Whether they ask for no more than the items.
    pub(crate) fn collects_only(&self) -> bool {
        let mut options = self.pytest.iter().take_while(|word| *word != "--");
        options.any(|word| COLLECTS_ONLY.iter().any(|option| word == option))
    }
}

impl Command {
    /// Reads the arguments that come before `--`.
    ///
    /// # Errors
    ///
    /// An option that this version does not support.
    pub fn parse(arguments: Vec<OsString>) -> Result<Command, UsageError> {
        if let Some(command) = commands::command(&arguments)? {
            return Ok(command);
        }
        let words = arguments.clone();
        let given = Given::divide(arguments)?;
        given.check()?;
        if let Some(arguments) = verify::read(&given)? {
            return Ok(Command::Verify(arguments));
        }
        if let Some(json) = flaky::report(&given)? {
            return Ok(Command::FlakyReport { json });
        }
        if given.has(EDITOR_SERVER) {
            // Its runs read them again.
            let is_other = |word: &OsString| word != EDITOR_SERVER;
            return Ok(Command::EditorServer(
                words.into_iter().filter(is_other).collect(),
            ));
        }
        if let Some(command) = daemon::command(&given)? {
            return Ok(Command::Daemon(command));
        }
        if given.has(CLEANUP) {
            let others = given.others(&[CLEANUP]);
            if !others.is_empty() {
                let (command, arguments) = (CLEANUP, others.join(" "));
                return Err(UsageError::Arguments { command, arguments });
            }
            return Ok(Command::Cleanup);
        }
        let status = (given.has("--inventory-status")).then(|| given.has("--json"));
        let shard = shard::read(&given)?;
        let timing = timing::read(&given)?;
        let discover = discover::read(&given)?;
        let fixture_max_age = given.parsed(
            FIXTURE_MAX_AGE,
            |text| text.parse().ok(),
            |text| format!("{text:?} is no number of seconds; 0 is never"),
        )?;
        if given.has("--native-collect-only") {
            return Ok(Command::NativeCollect(given.pytest));
        }
        let reuse_fixtures = given.has("--reuse-fixtures");
        let certain_workers = certain_workers(&given.pytest);
        if certain_workers && reuse_fixtures {
            let isolate = given.first_of(&["--isolate"]);
            return Err(UsageError::Together {
                option: "--reuse-fixtures",
                other: isolate.unwrap_or("-n").to_owned(),
                remedy: ": fixtures stay up in one process; leave out one of them",
            });
        }
        let shows_only = |word: &OsString| SHOWS_ONLY.iter().any(|option| word == option);
        let watch = given.has("--watch") && !given.options().any(shows_only);
        let run = RunArguments {
            certain_workers,
            // One with a value is the user's own.
            explain: given.has("--explain") && given.value("--explain").is_none(),
            native_collection: !given.has("--no-native-collection"),
            benchmark: given.has("--benchmark"),
            daemon: !given.has("--no-daemon"),
            reuse_fixtures,
            fixture_max_age,
            timing,
            shard,
            messages: messages::read(&given)?,
            pytest: given.pytest,
        };
        if let Some(json) = status {
            let arguments = run;
            return Ok(Command::InventoryStatus { arguments, json });
        }
        if let Some(format) = discover {
            return Ok(Command::Discover(run, format));
        }
        let info = run.shard.as_ref().is_some_and(|shard| shard.info);
        Ok(match (watch, info) {
            (true, _) => Command::Watch(run),
            (false, true) => Command::ShardInfo(run),
            (false, false) => Command::Run(run),
        })
    }
}

/// Whether `-n` or `--isolate` is given and nothing is that could take it back. A template started too early would
/// load the user's conftest for nothing; one started too late only costs time.
fn certain_workers(arguments: &[OsString]) -> bool {
    let (mut wanted, mut isolates) = (false, false);
    let mut previous: &OsStr = OsStr::new("");
    for argument in arguments {
        let text = argument.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        let dist = matches!(name, "--dist") && !text.ends_with("=no");
        if WITHOUT_WORKERS.contains(&name) && !dist {
            return false;
        }
        let value = if previous == "-n" || previous == "--numprocesses" {
            Some(text.as_ref())
        } else {
            text.strip_prefix("--numprocesses=").or_else(|| {
                text.strip_prefix("-n")
                    .filter(|value| !value.is_empty() && !text.starts_with("--"))
            })
        };
        if let Some(value) = value {
            wanted = matches!(value, "auto" | "logical")
                || value.parse::<u32>().is_ok_and(|count| count > 0);
        }
        let isolate = match previous == "--isolate" {
            true => Some(text.as_ref()),
            false => text.strip_prefix("--isolate="),
        };
        if let Some(isolate) = isolate {
            isolates = matches!(isolate, "file" | "test");
        }
        previous = argument;
    }
    wanted || isolates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, UsageError> {
        Command::parse(line.split_whitespace().map(OsString::from).collect())
    }

    fn certain(line: &str) -> bool {
        match parse(line) {
            Ok(Command::Run(run)) => run.certain_workers,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn workers_are_certain_only_when_nothing_takes_them_back() {
        for line in [
            "-n 2",
            "-n2",
            "-n auto",
            "--numprocesses=4 tests",
            "-n 2 --dist loadfile",
            "--isolate=test",
            "--isolate file -n 2",
        ] {
            assert!(certain(line), "{line}");
        }
        for line in [
            "",
            "-n 0",
            "-n0",
            "-n 2 -n 0",
            "-n 2 --co",
            "-n 2 --pdb",
            "-k -n",
            "-nx",
        ] {
            assert!(!certain(line), "{line}");
        }
    }

    #[test]
    fn options_of_later_versions_are_refused_by_name() {
        let error = parse("--queue redis://x tests").expect_err("refused");
        assert_eq!(
            error.to_string(),
            "--queue is not supported by this version of rpytest: machines do not share a queue yet; \
             --shard I --total-shards N divides the tests between them"
        );
        assert!(parse("--queue=redis://x").is_err());
        assert!(
            parse("-- --queue").is_ok(),
            "behind -- there are only paths"
        );
    }

    #[test]
    fn what_would_be_passed_over_is_refused() {
        for (line, option, other) in [
            (
                "--inventory-status --message-format=json",
                "--inventory-status",
                "--message-format",
            ),
            (
                "--inventory-status --timing",
                "--inventory-status",
                "--timing",
            ),
            ("--discover --json", "--discover", "--json"),
            ("--shard-info --timing", "--shard-info", "--timing"),
            ("--editor-server --cleanup", "--editor-server", "--cleanup"),
        ] {
            let error = parse(line).expect_err(line);
            let expected = format!("{option} does not work with {other}; leave out one of them");
            assert_eq!(error.to_string(), expected);
        }
        assert!(parse("--inventory-status --json").is_ok());
        for (line, other) in [("-n 2", "-n"), ("--isolate=file", "--isolate")] {
            let error = parse(&format!("--reuse-fixtures {line}")).expect_err(line);
            let expected = format!("--reuse-fixtures does not work with {other}:");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn what_is_watched_runs() {
        assert!(
            matches!(parse("--watch -q tests"), Ok(Command::Watch(run)) if run.pytest == ["-q", "tests"])
        );
        assert!(matches!(parse("--watch --version"), Ok(Command::Run(_))));
        assert!(matches!(parse("-- --watch"), Ok(Command::Run(_))));
        for other in ["--co", "--native-collect-only"] {
            let error = parse(&format!("--watch {other}")).expect_err("refused");
            let expected = format!("--watch does not work with {other}; leave out one of them");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_benchmark_is_of_collection() {
        let error = parse("--benchmark -q").expect_err("refused");
        assert_eq!(
            error.to_string(),
            "--benchmark works with --collect-only only; --durations=0 lists what each test of a run took"
        );
        let run = parse("--benchmark --co -q --no-native-collection").expect("a run");
        let Command::Run(run) = run else {
            panic!("{run:?}")
        };
        assert_eq!(run.pytest, ["--co", "-q"]);
        assert!(run.benchmark && !run.native_collection);
    }

    #[test]
    fn our_own_switches_do_not_reach_pytest() {
        let run = parse("--no-daemon -q tests").expect("a run");
        let Command::Run(run) = run else {
            panic!("{run:?}")
        };
        assert_eq!(run.pytest, ["-q", "tests"]);
    }
}
