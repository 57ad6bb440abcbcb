//! `--verify-dropin`: what of the command line is pytest's, and what is asked of rpytest beside.

use std::ffi::{OsStr, OsString};

use super::definition::{Definition, State};
use super::given::Given;
use super::table::OPTIONS;
use super::{COLLECTS_ONLY, SHOWS_ONLY, UsageError};

pub(super) const VERIFY: &str = "--verify-dropin";

/// What `--verify-dropin` compares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyArguments {
    /// The user's own, for pytest and for rpytest. Those about workers are not among them.
    pub pytest: Vec<OsString>,
    /// Those about workers; `-n 2` where none are given.
    pub workers: Vec<OsString>,
    /// Not `--no-daemon`.
    pub daemon: bool,
    /// `-v`: show all differences.
    pub all: bool,
    /// Whether tests run, so that there is more to compare than what is printed.
    pub runs: bool,
}

/// Options about workers, which pytest has with xdist only, and whether a value follows.
const OF_WORKERS: &[(&str, bool)] = &[
    ("-n", true),
    ("--numprocesses", true),
    ("--maxprocesses", true),
    ("--dist", true),
    ("-d", false),
    ("--maxschedchunk", true),
    ("--max-worker-restart", true),
];

/// Options with which no test runs.
const SHOWS: &[&str] = &[
    "--cache-show",
    "--fixtures",
    "--fixtures-per-test",
    "--funcargs",
    "--markers",
];

/// Reads the command line, if it asks for a comparison.
pub(super) fn read(given: &Given) -> Result<Option<VerifyArguments>, UsageError> {
    if !given.has(VERIFY) {
        return Ok(None);
    }
    let unknown = given.ours_beside(&[VERIFY, "--no-daemon"]);
    // pytest's parser sees these in a run of rpytest's, where a plugin of ours adds them.
    let added = OPTIONS.iter().filter(|one| one.state == State::Pytests);
    let added: Vec<_> = added.map(Definition::name).collect();
    if let Some(other) = unknown.or_else(|| given.first_of(&added)) {
        return Err(UsageError::Together {
            option: VERIFY,
            other: other.to_owned(),
            remedy: ": pytest does not know it; leave out one of them",
        });
    }
    let mut found = VerifyArguments {
        pytest: Vec::new(),
        workers: Vec::new(),
        daemon: !given.has("--no-daemon"),
        all: false,
        runs: true,
    };
    let options = given.options().count();
    let mut words = given.options();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        let of_workers = OF_WORKERS.iter().find(|(option, _)| *option == name);
        if let Some((_, takes)) = of_workers {
            found.workers.push(word.clone());
            if *takes && !text.contains('=') {
                found.workers.extend(words.next().cloned());
            }
        } else if is_short_count(&text) {
            found.workers.push(word.clone());
        } else {
            found.all |= matches!(&*text, "-v" | "-vv" | "-vvv" | "--verbose");
            found.runs &= !SHOWS.contains(&name)
                && !SHOWS_ONLY.contains(&name)
                && !COLLECTS_ONLY.contains(&name);
            found.pytest.push(word.clone());
        }
    }
    found.pytest.extend_from_slice(&given.pytest[options..]);
    if found.workers.is_empty() {
        found.workers = vec!["-n".into(), "2".into()];
    }
    Ok(Some(found))
}

/// `-n4`, `-nauto`
fn is_short_count(text: &str) -> bool {
    let value = text.strip_prefix("-n").filter(|_| !text.starts_with("--"));
    value.is_some_and(|value| matches!(value, "auto" | "logical") || value.parse::<u32>().is_ok())
}

/// Whether words, of `addopts` perhaps, ask for workers.
pub(crate) fn ask_for_workers<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> bool {
    let mut words = words.into_iter().take_while(|word| *word != "--");
    words.any(|word| {
        let text = word.to_string_lossy();
        matches!(&*text, "-n" | "--numprocesses")
            || text.starts_with("--numprocesses=")
            || is_short_count(&text)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn parse(line: &str) -> Result<VerifyArguments, String> {
        match Command::parse(words(line)).map_err(|error| error.to_string())? {
            Command::Verify(found) => Ok(found),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_about_workers_is_taken_apart() {
        for (line, pytest, workers) in [
            ("--verify-dropin", "", "-n 2"),
            ("-q --verify-dropin tests -x", "-q tests -x", "-n 2"),
            ("--verify-dropin -n 4 tests", "tests", "-n 4"),
            (
                "--verify-dropin -nauto --dist=loadfile tests",
                "tests",
                "-nauto --dist=loadfile",
            ),
            ("--verify-dropin -k -x -- -n", "-k -x -- -n", "-n 2"),
        ] {
            let found = parse(line).expect(line);
            assert_eq!(found.pytest, words(pytest), "{line}");
            assert_eq!(found.workers, words(workers), "{line}");
            assert!(found.runs && found.daemon && !found.all, "{line}");
        }
    }

    #[test]
    fn switches_are_seen() {
        let found = parse("--no-daemon --verify-dropin -v --collect-only").expect("understood");
        assert!(found.all && !found.daemon && !found.runs);
        assert_eq!(found.pytest, words("-v --collect-only"));
    }

    #[test]
    fn what_is_no_run_of_pytests_is_refused() {
        for (line, message) in [
            (
                "--verify-dropin --watch",
                "--verify-dropin does not work with --watch: pytest does not know it; leave out one of them",
            ),
            (
                "--verify-dropin --isolate=test",
                "--verify-dropin does not work with --isolate: pytest does not know it; leave out one of them",
            ),
            (
                "--no-progress --verify-dropin",
                "--verify-dropin does not work with --no-progress: pytest does not know it; leave out one of them",
            ),
            (
                "--verify-dropin --quarantine known.txt",
                "--verify-dropin does not work with --quarantine: pytest does not know it; leave out one of them",
            ),
            (
                "--verify-dropin=x",
                "--verify-dropin: it takes no value, but \"x\" was given",
            ),
        ] {
            assert_eq!(parse(line), Err(message.to_owned()), "{line}");
        }
        let paths = Command::parse(words("-- --verify-dropin"));
        assert!(matches!(paths, Ok(Command::Run(_))));
    }

    #[test]
    fn addopts_may_ask_for_workers() {
        for (line, expected) in [
            ("-n 4", true),
            ("-ra -nauto", true),
            ("--numprocesses=2", true),
            ("-nx --no-header", false),
            ("-- -n", false),
        ] {
            let words = words(line);
            let asked = ask_for_workers(words.iter().map(OsString::as_os_str));
            assert_eq!(asked, expected, "{line}");
        }
    }
}
