//! What the project's settings say of a run, as if it had been typed before everything else.

use std::ffi::OsString;

use super::{Command, RunArguments, SHOWS_ONLY, WITHOUT_WORKERS, certain_workers};
use crate::settings::Settings;

/// Short options that have no value, so that another one may stand behind them in the same word.
const SHORT_SWITCHES: &str = "dfhlqsvxV";

/// Of the options with which workers are not certain, those that are about workers all the same.
const OF_WORKERS: [&str; 4] = ["-d", "--dist", "-n0", "--tx"];

/// The words in which an option may be given: the command line, `PYTEST_ADDOPTS`, and `addopts`.
pub(super) struct Words<'a> {
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn of(arguments: &'a [OsString], configured: &'a [String]) -> Self {
        let typed = arguments.iter().take_while(|word| *word != "--");
        let typed = typed.filter_map(|word| word.to_str());
        let configured = configured.iter().map(String::as_str);
        Self {
            words: configured.chain(typed).collect(),
        }
    }

    /// Whether an option is given: alone, with its value, or behind other letters.
    fn have(&self, option: &str) -> bool {
        self.words
            .iter()
            .any(|word| match option.strip_prefix("--") {
                Some(_) => word.split('=').next() == Some(option),
                None => is_short(word, &option[1..]),
            })
    }

    /// Whether there is exactly this word.
    fn have_word(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// The values with which an option is given, in order.
    fn values(&self, option: &str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.words.iter().enumerate().filter_map(move |(at, word)| {
            let rest = word.strip_prefix(option)?;
            match rest.strip_prefix('=') {
                None if rest.is_empty() => self.words.get(at + 1).copied(),
                inline => inline,
            }
        })
    }

    /// Whether an option is given with this value.
    fn say(&self, option: &str, value: &str) -> bool {
        self.values(option).any(|found| found == value)
    }

    /// The value that counts of an option of which the last one does.
    fn last(&self, option: &str) -> Option<&'a str> {
        self.values(option).next_back()
    }
}

impl Words<'_> {
    /// Whether they ask for what takes place in one process.
    fn are_without_workers(&self) -> bool {
        let mut without = WITHOUT_WORKERS.iter();
        without.any(|option| !OF_WORKERS.contains(option) && self.have(option))
    }

    /// Whether they say how many workers there are.
    fn say_workers(&self) -> bool {
        let given = ["-n", "--numprocesses", "--tx"];
        given.iter().any(|option| self.have(option)) || self.say("--dist", "no")
    }
}

/// Whether a word has this letter as an option.
fn is_short(word: &str, letter: &str) -> bool {
    let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else {
        return false;
    };
    let rest = letters
        .trim_start_matches(|one: char| SHORT_SWITCHES.contains(one) && !letter.contains(one));
    rest.starts_with(letter)
}

impl Command {
    /// The command with what the project's settings say, unless the command line or pytest's configuration does.
    ///
    /// # Errors
    ///
    /// If the settings cannot be used.
    pub fn with_settings(self) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(match self {
            Command::Run(run) => Command::Run(of_run(run)?),
            Command::Watch(run) => Command::Watch(of_run(run)?),
            Command::ShardInfo(run) => Command::ShardInfo(of_run(run)?),
            Command::InventoryStatus { arguments, json } => Command::InventoryStatus {
                arguments: of_run(arguments)?,
                json,
            },
            // What there is to be run is all that these are about.
            Command::NativeCollect(arguments) => Command::NativeCollect(with_marks(arguments)?),
            Command::Discover(mut run, format) => {
                run.pytest = with_marks(run.pytest)?;
                Command::Discover(run, format)
            }
            Command::Verify(mut found) => {
                // pytest shall select the same. It has none of the others.
                found.pytest = with_marks(found.pytest)?;
                Command::Verify(found)
            }
            other => other,
        })
    }
}

/// The words with the marks of the settings alone.
fn with_marks(arguments: Vec<OsString>) -> Result<Vec<OsString>, Box<dyn std::error::Error>> {
    let (settings, configured) = settings()?;
    let added = marks(&settings, &Words::of(&arguments, &configured));
    Ok(added.into_iter().chain(arguments).collect())
}

fn settings() -> Result<(Settings, Vec<String>), Box<dyn std::error::Error>> {
    let (settings, mut configured) = Settings::of_a_run()?;
    let variable = std::env::var("PYTEST_ADDOPTS").unwrap_or_default();
    configured.extend(rpytest_collect::shell_words(&variable).unwrap_or_default());
    Ok((settings, configured))
}

fn of_run(mut run: RunArguments) -> Result<RunArguments, Box<dyn std::error::Error>> {
    let shows_only = |word: &OsString| SHOWS_ONLY.iter().any(|option| word == option);
    if run.pytest.iter().any(shows_only) {
        return Ok(run);
    }
    let (settings, configured) = settings()?;
    let words = Words::of(&run.pytest, &configured);
    let mut added = marks(&settings, &words);
    let in_process = run.reuse_fixtures || words.are_without_workers();
    let mut isolates = matches!(words.last("--isolate"), Some("file" | "test"));
    if let Some(isolate) = settings
        .isolate
        .as_ref()
        .filter(|_| !in_process && !words.have("--isolate"))
    {
        isolates = isolate != "none";
        added.push(format!("--isolate={isolate}").into());
    }
    // Where no test runs it says nothing, and whoever collects natively does not know it.
    let runs = !run.collects_only();
    if let Some(seconds) = settings
        .timeout
        .filter(|_| runs && may_have_timeout(&words))
    {
        added.push(format!("--timeout={seconds}").into());
    }
    // Plugins decide by `-n` whether they are in a session of workers (pytest-cov does), and before any plugin of ours could
    // say so.
    let one = isolates.then(|| "1".to_owned());
    if let Some(workers) = settings
        .parallel
        .clone()
        .or(one)
        .filter(|_| !in_process && !words.say_workers())
    {
        added.extend(["-n".into(), OsString::from(workers)]);
    }
    if runs {
        added.extend(settings.words());
    }
    if !added.is_empty() {
        run.pytest.splice(0..0, added);
        run.certain_workers = certain_workers(&run.pytest);
    }
    Ok(run)
}

/// Whether there is an option `--timeout`, and none is given.
fn may_have_timeout(words: &Words<'_>) -> bool {
    let blocked = ["timeout", "pytest_timeout"].map(|name| format!("no:{name}"));
    let is_blocked = |name: &String| words.say("-p", name) || words.have_word(&format!("-p{name}"));
    !words.have("--timeout") && !blocked.iter().any(is_blocked)
}

/// `-m`, unless it is given.
fn marks(settings: &Settings, words: &Words<'_>) -> Vec<OsString> {
    match &settings.default_markers {
        Some(expression) if !words.have("-m") => {
            vec!["-m".into(), OsString::from(expression)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn options_are_seen_however_they_are_written() {
        for (line, option, given) in [
            ("-m slow", "-m", true),
            ("-mslow", "-m", true),
            ("-qxm slow", "-m", true),
            ("-k -m", "-m", true),
            ("-km", "-m", false),
            ("-rm", "-m", false),
            ("--markers", "-m", false),
            ("tests -- -m", "-m", false),
            ("--numprocesses=2", "--numprocesses", true),
            ("-xn2", "-n", true),
            ("-vs", "-s", true),
            ("--dist=load", "--dist", true),
        ] {
            let typed = words(line);
            assert_eq!(
                Words::of(&typed, &[]).have(option),
                given,
                "{line}: {option}"
            );
        }
        let configured = ["-m".to_owned(), "slow".to_owned()];
        assert!(Words::of(&[], &configured).have("-m"));
        let typed = words("--dist no");
        assert!(Words::of(&typed, &[]).say("--dist", "no"));
        let typed = words("--dist=loadfile no");
        assert!(!Words::of(&typed, &[]).say("--dist", "no"));
        let configured = ["--isolate".to_owned(), "test".to_owned()];
        for (line, expected) in [
            ("", "test"),
            ("--isolate=none", "none"),
            ("--isolate none --isolate=file", "file"),
        ] {
            let typed = words(line);
            let found = Words::of(&typed, &configured).last("--isolate");
            assert_eq!(found, Some(expected), "{line}");
        }
    }

    #[test]
    fn a_timeout_of_the_settings_gives_way() {
        for (line, expected) in [
            ("", true),
            ("--timeout 3", false),
            ("--timeout=3", false),
            ("--timeout-method=thread", true),
            ("-p no:timeout", false),
            ("-pno:timeout", false),
            ("-p timeout", true),
        ] {
            let typed = words(line);
            assert_eq!(
                may_have_timeout(&Words::of(&typed, &[])),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn workers_of_the_settings_give_way() {
        for (line, expected) in [
            ("", true),
            ("-x tests", true),
            ("--dist loadfile", true),
            ("-d", true),
            ("-n0", false),
            ("-n 3", false),
            ("--pdb", false),
            ("-xqn 3", false),
            ("--dist=no", false),
            ("--co", false),
            ("-xh", false),
        ] {
            let Ok(Command::Run(run)) = Command::parse(words(line)) else {
                panic!("{line}");
            };
            let words = Words::of(&run.pytest, &[]);
            let gives_way = words.are_without_workers() || words.say_workers();
            assert_eq!(!gives_way, expected, "{line}");
        }
    }
}
