//! What a project says of rpytest itself: `[tool.rpytest]` in `pyproject.toml`, and `RPYTEST_*`.
//!
//! pytest's own configuration is pytest's to read. A variable of the environment counts more than the
//! file, and an option of the command line more than both.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpytest_collect::Collector;
use rpytest_sched::shard::Strategy;
use toml::{Table, Value};

use crate::shard::strategy;

/// The settings of a project.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// `daemon_idle_timeout`: how long a daemon is there without being asked for anything; 0 is never.
    pub(crate) daemon_idle_timeout: Option<u64>,
    /// `daemon_memory`: the bytes that a daemon and what it keeps may take together.
    pub(crate) daemon_memory: Option<u64>,
    /// `watch_ignore`: globs, relative to the root directory, of files that are not watched.
    pub(crate) watch_ignore: Vec<String>,
    /// `snapshot`: how far a process may have come that others are forked from.
    pub(crate) snapshot: Option<Snapshot>,
    /// `enable_fixture_reuse`: whether fixtures stay up between runs.
    pub(crate) enable_fixture_reuse: bool,
    /// `fixture_max_age`: after how many seconds they are torn down; 0 is never.
    pub(crate) fixture_max_age: Option<u64>,
    /// `default_markers`: the `-m` of runs that have none.
    pub(crate) default_markers: Option<String>,
    /// `timeout`: the `--timeout` of runs that have none, in seconds; 0 is never.
    pub(crate) timeout: Option<f64>,
    /// `isolate`: the `--isolate` of runs that have none.
    pub(crate) isolate: Option<String>,
    /// `parallel`: the `-n` of runs that have none.
    pub(crate) parallel: Option<String>,
    /// `default_shard_strategy`: how shards are made unless `--shard-strategy` says.
    pub(crate) default_shard_strategy: Option<Strategy>,
    /// `reruns`: how many times a test that fails is run again.
    pub(crate) reruns: Option<u32>,
    /// `quarantine`: the file of tests whose failures do not count, relative to the root directory.
    pub(crate) quarantine: Option<PathBuf>,
    /// What is wrong with them, and does not matter.
    pub(crate) warnings: Vec<String>,
}

/// How far a process may have come that others are forked from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Snapshot {
    /// No process is forked.
    Off,
    /// Every session, and every worker, configures and collects for itself.
    Interpreter,
    /// Each collects for itself.
    Configured,
    /// Workers, and runs that are alike, go on from one collection, where that is the same.
    Collected,
}

impl Snapshot {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "off" => Self::Off,
            "interpreter" => Self::Interpreter,
            "configured" => Self::Configured,
            "collected" => Self::Collected,
            _ => return None,
        })
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("cannot read {}: {source}", .file.display())]
    Unreadable {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("{origin}: {key} is {value}; it must be {wanted}")]
    Value {
        /// The file and table, or the environment.
        origin: String,
        key: String,
        value: String,
        wanted: &'static str,
    },
}

/// A key of `[tool.rpytest]`.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// What it decides.
    pub(crate) help: &'static str,
    /// What its value must be.
    pub(crate) wanted: &'static str,
}

impl Key {
    const fn new(name: &'static str, wanted: &'static str, help: &'static str) -> Self {
        Self { name, help, wanted }
    }

    /// The variable of the environment that counts more.
    pub(crate) fn variable(&self) -> String {
        format!("RPYTEST_{}", self.name.to_uppercase())
    }
}

/// All keys, from which come error texts, `--help` and the manual page.
#[rustfmt::skip]
pub(crate) static KEYS: &[Key] = &[
    Key::new("daemon_idle_timeout", SECONDS, "When the daemon ends without a run"),
    Key::new("daemon_memory", SIZE, "What the daemon and all that it keeps may take"),
    Key::new("default_markers", EXPRESSION, "The -m of a run that has none"),
    Key::new("default_shard_strategy", STRATEGY, "How shards are made without --shard-strategy"),
    Key::new("enable_fixture_reuse", TRUTH, "--reuse-fixtures for all runs"),
    Key::new("fixture_max_age", SECONDS, "When fixtures that stay up are torn down"),
    Key::new("isolate", ISOLATE, "The --isolate of a run that has none"),
    Key::new("parallel", WORKERS, "The -n of a run that has none"),
    Key::new("quarantine", FILE, "The --quarantine of a run that has none"),
    Key::new("reruns", COUNT, "The --reruns of a run that has none"),
    Key::new("snapshot", SNAPSHOT, "How far a process may have come that others are forked from"),
    Key::new("timeout", SECONDS, "The --timeout of a run that has none"),
    Key::new("watch_ignore", GLOBS, "What --watch does not look at"),
];

/// Variables that are no key's, for the manual page.
#[rustfmt::skip]
pub(crate) static VARIABLES: &[(&str, &str)] = &[
    ("RPYTEST_PYTHON", "The interpreter, before PYTHON, VIRTUAL_ENV, and a .venv upwards from the current directory."),
    ("RPYTEST_NO_DAEMON", "Not empty: borrow nothing from a daemon, and start none; as CI does."),
    ("RPYTEST_GENUINE", "1: no short cuts, every test by pytest's own code."),
    ("RPYTEST_CACHE_DIR", "Where rpytest keeps what it can make anew."),
    ("RPYTEST_DAEMON_DIR", "Where the sockets of daemons are."),
    ("RPYTEST_SHARD", "What --shard auto means, with RPYTEST_TOTAL_SHARDS."),
    ("RPYTEST_TOTAL_SHARDS", "How many shards there are, beside RPYTEST_SHARD."),
    ("RPYTEST_MESSAGE_FORMAT", "The --message-format of a run that has none."),
    ("RPYTEST_GITHUB", "1: --github for all runs."),
    ("RPYTEST_NO_PROGRESS", "1: --no-progress for all runs."),
    ("RPYTEST_LOG", "Log to standard error, in the syntax of RUST_LOG."),
    ("PYTEST_ADDOPTS", "Options of pytest's, as ever."),
];

/// The variable by which `--verify-dropin` has runs that have nothing that pytest has not.
pub(crate) const ONLY_PYTESTS: &str = "RPYTEST_ONLY_PYTESTS";

/// Names that are less alike than this are no slip of the pen.
const ALIKE: f64 = 0.7;
const SECONDS: &str = "a number of seconds, 0 for never";
const SIZE: &str = "a size, such as 512M or 2G";
const SNAPSHOT: &str = "collected, configured, interpreter or off";
const STRATEGY: &str = "duration_balanced, least_duration, round_robin or hash";
const TRUTH: &str = "true or false";
const COUNT: &str = "a number of times, 0 for never";
const FILE: &str = "the path of a file";
const GLOBS: &str = "a list of glob patterns";
const EXPRESSION: &str = "an expression of marks, such as \"not slow\"";
const ISOLATE: &str = "none, file or test";
const WORKERS: &str = "a number of workers, auto or logical";

impl Settings {
    /// Those that hold for a command in the current directory, with its environment. Also returns the
    /// project's root directory.
    pub(crate) fn of_the_project() -> Result<(Self, PathBuf), Box<dyn std::error::Error>> {
        let (settings, pytests) = Self::and_pytests()?;
        Ok((settings, pytests.rootdir))
    }

    /// The same, with the words of pytest's `addopts`.
    pub(crate) fn of_a_run() -> Result<(Self, Vec<String>), Box<dyn std::error::Error>> {
        let (settings, pytests) = Self::and_pytests()?;
        Ok((settings, pytests.addopts))
    }

    fn and_pytests() -> Result<(Self, rpytest_collect::Settings), Box<dyn std::error::Error>> {
        let directory = std::env::current_dir()?;
        let mut pytests = Collector::new(&directory).settings().unwrap_or_default();
        if pytests.rootdir.as_os_str().is_empty() {
            pytests.rootdir = directory;
        }
        let settings = Self::load(&pytests.rootdir, |name| std::env::var(name).ok())?;
        Ok((settings, pytests))
    }

    /// The settings of the project with this root directory.
    pub(crate) fn load(
        root: &Path,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let file = root.join("pyproject.toml");
        if let Some(table) = table(&file)? {
            settings.read(&file, &table)?;
        }
        let given = |key: &str| {
            let name = format!("RPYTEST_{}", key.to_uppercase());
            let value = variable(&name).filter(|value| !value.is_empty());
            value.map(|value| (name, value))
        };
        let wrong = |(name, value): (String, String), wanted| SettingsError::Value {
            origin: "the environment".to_owned(),
            key: name,
            value: format!("{value:?}"),
            wanted,
        };
        if let Some(pair) = given("daemon_idle_timeout") {
            let seconds = pair.1.parse().map_err(|_| wrong(pair, SECONDS))?;
            settings.daemon_idle_timeout = Some(seconds);
        }
        if let Some(pair) = given("daemon_memory") {
            let bytes = size(&pair.1).ok_or_else(|| wrong(pair, SIZE))?;
            settings.daemon_memory = Some(bytes);
        }
        if let Some(pair) = given("snapshot") {
            let snapshot = Snapshot::parse(&pair.1).ok_or_else(|| wrong(pair, SNAPSHOT))?;
            settings.snapshot = Some(snapshot);
        }
        if let Some((_, expression)) = given("default_markers") {
            settings.default_markers = Some(expression);
        }
        if let Some(pair) = given("isolate") {
            let isolate = isolate(&pair.1).ok_or_else(|| wrong(pair, ISOLATE))?;
            settings.isolate = Some(isolate);
        }
        if let Some(pair) = given("timeout") {
            let seconds = pair.1.parse().ok().and_then(timeout);
            settings.timeout = Some(seconds.ok_or_else(|| wrong(pair, SECONDS))?);
        }
        if let Some(pair) = given("parallel") {
            let workers = workers(&pair.1).ok_or_else(|| wrong(pair, WORKERS))?;
            settings.parallel = Some(workers);
        }
        if let Some(pair) = given("default_shard_strategy") {
            let strategy = strategy::parse(&pair.1).ok_or_else(|| wrong(pair, STRATEGY))?;
            settings.default_shard_strategy = Some(strategy);
        }
        if let Some(pair) = given("enable_fixture_reuse") {
            settings.enable_fixture_reuse = match pair.1.as_str() {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => return Err(wrong(pair, TRUTH)),
            };
        }
        if let Some(pair) = given("fixture_max_age") {
            let seconds = pair.1.parse().map_err(|_| wrong(pair, SECONDS))?;
            settings.fixture_max_age = Some(seconds);
        }
        if let Some(pair) = given("reruns") {
            settings.reruns = Some(pair.1.parse().map_err(|_| wrong(pair, COUNT))?);
        }
        if let Some((_, value)) = given("quarantine") {
            settings.quarantine = Some(root.join(value));
        }
        if let Some((_, value)) = given("watch_ignore") {
            settings.watch_ignore = value.split_whitespace().map(str::to_owned).collect();
        }
        if variable(ONLY_PYTESTS).is_some() {
            settings = settings.of_pytests();
        }
        Ok(settings)
    }

    /// Those by which no run is another one, or reports something else.
    fn of_pytests(self) -> Self {
        Self {
            daemon_idle_timeout: self.daemon_idle_timeout,
            daemon_memory: self.daemon_memory,
            snapshot: self.snapshot,
            warnings: self.warnings,
            ..Self::default()
        }
    }

    /// What of them the Python side has to know, as words that come before all others of a session.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        let mut add = |name: &str, value: &OsStr| {
            let mut word = OsString::from(format!("--rpytest-setting={name}="));
            word.push(value);
            words.push(word);
        };
        if let Some(reruns) = self.reruns {
            add("reruns", reruns.to_string().as_ref());
        }
        if let Some(file) = &self.quarantine {
            add("quarantine", file.as_os_str());
        }
        words
    }

    fn read(&mut self, file: &Path, table: &Table) -> Result<(), SettingsError> {
        for (key, value) in table {
            let wrong = |wanted| SettingsError::Value {
                origin: format!("{}: [tool.rpytest]", file.display()),
                key: key.clone(),
                value: serde_json::to_string(value).unwrap_or_default(),
                wanted,
            };
            match key.as_str() {
                "daemon_idle_timeout" => {
                    let seconds = value.as_integer().and_then(|n| u64::try_from(n).ok());
                    self.daemon_idle_timeout = Some(seconds.ok_or_else(|| wrong(SECONDS))?);
                }
                "daemon_memory" => {
                    let bytes = value.as_str().and_then(size);
                    self.daemon_memory = Some(bytes.ok_or_else(|| wrong(SIZE))?);
                }
                "default_markers" => {
                    let expression = value.as_str().map(str::to_owned);
                    self.default_markers = Some(expression.ok_or_else(|| wrong(EXPRESSION))?);
                }
                "isolate" => {
                    let isolate = value.as_str().and_then(isolate);
                    self.isolate = Some(isolate.ok_or_else(|| wrong(ISOLATE))?);
                }
                "timeout" => {
                    let whole = value.as_integer().map(|seconds| seconds as f64);
                    let seconds = whole.or_else(|| value.as_float()).and_then(timeout);
                    self.timeout = Some(seconds.ok_or_else(|| wrong(SECONDS))?);
                }
                "parallel" => {
                    let number = value.as_integer().map(|number| number.to_string());
                    let text = number.or_else(|| value.as_str().map(str::to_owned));
                    let workers = text.as_deref().and_then(workers);
                    self.parallel = Some(workers.ok_or_else(|| wrong(WORKERS))?);
                }
                "default_shard_strategy" => {
                    let strategy = value.as_str().and_then(strategy::parse);
                    self.default_shard_strategy = Some(strategy.ok_or_else(|| wrong(STRATEGY))?);
                }
                "enable_fixture_reuse" => {
                    let truth = value.as_bool();
                    self.enable_fixture_reuse = truth.ok_or_else(|| wrong(TRUTH))?;
                }
                "fixture_max_age" => {
                    let seconds = value.as_integer().and_then(|n| u64::try_from(n).ok());
                    self.fixture_max_age = Some(seconds.ok_or_else(|| wrong(SECONDS))?);
                }
                "quarantine" => {
                    let path = value.as_str().filter(|path| !path.is_empty());
                    let directory = file.parent().unwrap_or(Path::new(""));
                    self.quarantine = Some(directory.join(path.ok_or_else(|| wrong(FILE))?));
                }
                "reruns" => {
                    let count = value.as_integer().and_then(|n| u32::try_from(n).ok());
                    self.reruns = Some(count.ok_or_else(|| wrong(COUNT))?);
                }
                "snapshot" => {
                    let snapshot = value.as_str().and_then(Snapshot::parse);
                    self.snapshot = Some(snapshot.ok_or_else(|| wrong(SNAPSHOT))?);
                }
                "watch_ignore" => {
                    let text = |value: &Value| value.as_str().map(str::to_owned);
                    let globs = value.as_array().map(|list| list.iter().map(text).collect());
                    let globs: Option<Vec<String>> = globs.flatten();
                    self.watch_ignore = globs.ok_or_else(|| wrong(GLOBS))?;
                }
                key => self.warnings.push(unknown(file, key)),
            }
        }
        Ok(())
    }
}

/// The table of rpytest's own in a file, if there is one.
fn table(file: &Path) -> Result<Option<Table>, SettingsError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let file = file.to_owned();
            return Err(SettingsError::Unreadable { file, source });
        }
    };
    // Most have none, and then need not be understood.
    if !text.contains("rpytest") {
        return Ok(None);
    }
    // What is wrong with the file is pytest's to say.
    let Ok(mut whole) = text.parse::<Table>() else {
        return Ok(None);
    };
    let Some(Value::Table(mut tools)) = whole.remove("tool") else {
        return Ok(None);
    };
    match tools.remove("rpytest") {
        Some(Value::Table(table)) => Ok(Some(table)),
        _ => Ok(None),
    }
}

/// A value of `--timeout`.
fn timeout(seconds: f64) -> Option<f64> {
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

/// A value of `--isolate`.
fn isolate(text: &str) -> Option<String> {
    ["none", "file", "test"]
        .contains(&text)
        .then(|| text.to_owned())
}

/// A value of `-n`.
fn workers(text: &str) -> Option<String> {
    let known = matches!(text, "auto" | "logical") || text.parse::<u32>().is_ok();
    known.then(|| text.to_owned())
}

/// A number of bytes, or of `K`, `M` or `G` of them (powers of 1024).
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 1 << 10),
        (at, 'M' | 'm') => (&text[..at], 1 << 20),
        (at, 'G' | 'g') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// The daemon's time as the command line, the environment and the file have it; none: for ever.
pub(crate) fn idle(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn unknown(file: &Path, key: &str) -> String {
    let alike = |known: &str| strsim::jaro_winkler(key, known);
    let names = KEYS.iter().map(|key| key.name);
    let nearest = names.max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let meant = nearest.filter(|known: &&str| alike(known) >= ALIKE);
    let meant = meant.map_or_else(String::new, |known| format!("; did you mean {known}?"));
    format!(
        "{}: [tool.rpytest] has an unknown key {key}{meant}",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("pyproject.toml"), toml).expect("written");
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::load(root.path(), variable).map_err(|error| {
            let root = format!("{}/", root.path().display());
            error.to_string().replace(&root, "")
        })
    }

    #[test]
    fn the_environment_counts_more_than_the_file() {
        let file = "[tool.rpytest]\ndaemon_idle_timeout = 60\ndaemon_memory = '1G'\nwatch_ignore = ['*.log']\nsnapshot = 'configured'\nenable_fixture_reuse = true\nfixture_max_age = 60\ndefault_shard_strategy = 'hash'\ndefault_markers = 'not slow'\nparallel = 2\nisolate = 'file'\ntimeout = 1.5\nreruns = 3\n";
        let environment = [
            ("RPYTEST_DAEMON_MEMORY", "512M"),
            ("RPYTEST_FIXTURE_MAX_AGE", "7"),
            ("RPYTEST_PARALLEL", "auto"),
        ];
        let settings = load(file, &environment).expect("settings");
        let expected = Settings {
            daemon_idle_timeout: Some(60),
            daemon_memory: Some(512 << 20),
            watch_ignore: vec!["*.log".to_owned()],
            snapshot: Some(Snapshot::Configured),
            enable_fixture_reuse: true,
            fixture_max_age: Some(7),
            default_shard_strategy: Some(Strategy::Hash),
            reruns: Some(3),
            quarantine: None,
            default_markers: Some("not slow".to_owned()),
            isolate: Some("file".to_owned()),
            timeout: Some(1.5),
            parallel: Some("auto".to_owned()),
            warnings: Vec::new(),
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_pytest_does_not_have_is_left_out_of_a_comparison() {
        let file = "[tool.rpytest]\ndaemon_memory = '1G'\nsnapshot = 'configured'\nreruns = 3\nisolate = 'file'\n";
        let environment = [(ONLY_PYTESTS, "1"), ("RPYTEST_PARALLEL", "auto")];
        let expected = Settings {
            daemon_memory: Some(1 << 30),
            snapshot: Some(Snapshot::Configured),
            ..Settings::default()
        };
        assert_eq!(load(file, &environment).expect("settings"), expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (toml, message) in [
            (
                "daemon_idle_timeout = 'x'",
                "pyproject.toml: [tool.rpytest]: daemon_idle_timeout is \"x\"; it must be a number of seconds, 0 for never",
            ),
            (
                "daemon_memory = 1",
                "pyproject.toml: [tool.rpytest]: daemon_memory is 1; it must be a size, such as 512M or 2G",
            ),
            (
                "enable_fixture_reuse = 'yes'",
                "pyproject.toml: [tool.rpytest]: enable_fixture_reuse is \"yes\"; it must be true or false",
            ),
            (
                "watch_ignore = [1]",
                "pyproject.toml: [tool.rpytest]: watch_ignore is [1]; it must be a list of glob patterns",
            ),
            (
                "snapshot = 'deep'",
                "pyproject.toml: [tool.rpytest]: snapshot is \"deep\"; it must be collected, configured, interpreter or off",
            ),
            (
                "default_shard_strategy = 'even'",
                "pyproject.toml: [tool.rpytest]: default_shard_strategy is \"even\"; it must be duration_balanced, least_duration, round_robin or hash",
            ),
            (
                "reruns = -1",
                "pyproject.toml: [tool.rpytest]: reruns is -1; it must be a number of times, 0 for never",
            ),
            (
                "quarantine = ''",
                "pyproject.toml: [tool.rpytest]: quarantine is \"\"; it must be the path of a file",
            ),
            (
                "parallel = -1",
                "pyproject.toml: [tool.rpytest]: parallel is -1; it must be a number of workers, auto or logical",
            ),
            (
                "isolate = true",
                "pyproject.toml: [tool.rpytest]: isolate is true; it must be none, file or test",
            ),
            (
                "timeout = -1",
                "pyproject.toml: [tool.rpytest]: timeout is -1; it must be a number of seconds, 0 for never",
            ),
            (
                "default_markers = ['slow']",
                "pyproject.toml: [tool.rpytest]: default_markers is [\"slow\"]; it must be an expression of marks, such as \"not slow\"",
            ),
        ] {
            let file = format!("[tool.rpytest]\n{toml}\n");
            assert_eq!(load(&file, &[]).expect_err(toml), message);
        }
        let error = load("", &[("RPYTEST_DAEMON_IDLE_TIMEOUT", "soon")]).expect_err("no number");
        assert_eq!(
            error,
            "the environment: RPYTEST_DAEMON_IDLE_TIMEOUT is \"soon\"; it must be a number of seconds, 0 for never"
        );
    }

    #[test]
    fn what_a_session_needs_comes_as_words() {
        let settings = load(
            "[tool.rpytest]\nreruns = 3\nquarantine = 'q.toml'\n",
            &[("RPYTEST_RERUNS", "1")],
        );
        let words = settings.expect("settings").words();
        assert_eq!(words[0], "--rpytest-setting=reruns=1");
        let file = words[1].to_string_lossy();
        assert!(file.starts_with("--rpytest-setting=quarantine=/") && file.ends_with("/q.toml"));
        assert!(load("", &[]).expect("settings").words().is_empty());
    }

    #[test]
    fn an_unknown_key_is_a_warning_that_names_the_nearest() {
        let settings = load("[tool.rpytest]\nwatch_ignored = []\nzzz = 1\n", &[]);
        let warnings = settings.expect("settings").warnings;
        assert!(warnings[0].ends_with("unknown key watch_ignored; did you mean watch_ignore?"));
        assert!(warnings[1].ends_with("unknown key zzz"));
    }

    #[test]
    fn each_key_has_a_variable() {
        for key in KEYS {
            let error = load("", &[(&key.variable(), "\u{0}")]);
            // Any text is an expression or a path, and globs are separated by spaces.
            let any = ["default_markers", "quarantine", "watch_ignore"].contains(&key.name);
            assert_eq!(error.is_ok(), any, "{}: {error:?}", key.name);
            if let Err(error) = error {
                assert!(
                    error.contains(&key.variable()) && error.contains(key.wanted),
                    "{error}"
                );
            }
            let file = format!("[tool.rpytest]\n{} = {{}}\n", key.name);
            let error = load(&file, &[]).expect_err(key.name);
            assert!(
                error.contains(key.name) && error.contains(key.wanted),
                "{error}"
            );
        }
    }

    #[test]
    fn sizes_have_units() {
        let known = [("7", 7), ("2k", 2048), ("512M", 512 << 20), ("2G", 2 << 30)];
        for (text, bytes) in known {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "G", "1.5G", "-1", "2T", "99999999999999G"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
