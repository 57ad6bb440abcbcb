//! Every option of `pytest --help`, by pytest and by rpytest: it is taken, and has the effect that it has in pytest.
//!
//! A case is one command line with the options that it is about. Each option has a probe, which must tell a run of
//! pytest's with the option from one without: a case that shows nothing fails. Then rpytest's output, exit code and
//! files are compared with pytest's, without `-n` and with `-n 2`. An option of the installed version that no case is about fails.

mod cases;
mod own;

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::parity::{compare, words};
use crate::support::normal::{junit, normal, normal_text};
use crate::support::python::{main_venv, plain_venv, pytest_venv};
use crate::support::{Command, Project, Run, Way};

/// What an option shows of itself.
pub enum Probe {
    /// In the output there is a text that was not there.
    Shows(&'static str),
    /// A text is gone from the output.
    Hides(&'static str),
    /// Of two texts in the output the first comes first now.
    Turns(&'static str, &'static str),
    /// A file has a text in it that it had not. It is compared, without what differs from run to run.
    Writes(&'static str, &'static str),
    /// The exit code is this one now.
    Exits(i32),
    /// What is told of the project afterwards is another thing now, and rpytest's is the same.
    Tells(fn(&Project) -> String),
    /// Nothing, for this reason; then it must be the same with it and without it.
    Nothing(&'static str),
}

/// How rpytest's run compares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Like {
    /// As pytest's run, also with workers.
    Pytests,
    /// As pytest's run, in one process: what it shows with workers depends on which of them is quicker.
    PytestsInProcess,
    /// What the probes tell, and another exit code: a test without a result is an internal error here.
    ButForTheCode,
    /// Only what the probes tell: the run of xdist's, or of pytest's, has a text of its own.
    ProbesAlone,
}

/// A command line, and what it is about.
pub struct Case {
    /// The project's files.
    pub files: &'static str,
    /// Command lines that run before, separated by ` ; `.
    pub before: &'static str,
    /// The command line without the options.
    pub without: &'static str,
    /// What is added to it.
    pub with: &'static str,
    /// The options, by the names that `--help` lists first, and what each shows.
    pub options: &'static [(&'static str, Probe)],
    pub like: Like,
}

#[test]
fn selecting() {
    check(cases::SELECTING);
}

#[test]
fn configuring() {
    check(cases::CONFIGURING);
}

#[test]
fn stopping_and_debugging() {
    check(cases::STOPPING);
}

#[test]
fn remembering() {
    check(cases::REMEMBERING);
}

#[test]
fn reporting() {
    check(cases::REPORTING);
}

#[test]
fn logging() {
    check(cases::LOGGING);
}

#[test]
fn doctests() {
    check(cases::DOCTESTS);
}

#[test]
fn workers() {
    check(cases::WORKERS);
}

/// All options of `--help`, of the newest version with xdist and of older ones, have a case; the newest ones are completed
/// in a shell.
#[test]
fn every_option_has_a_case() {
    let cases = cases::all();
    let options = cases.flat_map(|case| case.options);
    let mut known: BTreeSet<&str> = options.map(|(option, _)| *option).collect();
    known.extend(cases::REFUSED.iter().map(|(option, _)| *option));
    let project = Project::new("--- test_a.py\ndef test(): pass\n");
    for (option, wanted) in cases::REFUSED {
        let run = Command::rpytest(main_venv(), &project).args([option]).run();
        assert_eq!(run.code, 4, "{option}: {run}");
        assert!(run.stderr.contains(wanted), "{option}: {run}");
    }
    let completions = Command::rpytest(main_venv(), &project)
        .args(["completions", "bash"])
        .run();
    let offered: BTreeSet<&str> = completions.stdout.split([' ', '"', '\n']).collect();
    let newest = listed(Command::pytest(main_venv(), &project));
    assert!(newest.len() > 90, "{newest:?}");
    // Without plugins rpytest has what those are known for.
    let ours = listed(Command::rpytest(plain_venv(), &project));
    assert!(ours.len() > newest.len(), "{ours:?}");
    for names in newest.iter().chain(&ours) {
        for name in names {
            assert!(offered.contains(name.as_str()), "{name} is not completed");
        }
    }
    let older = ["8.0.2", "8.4.2", "9.0.3"]
        .map(|version| listed(Command::pytest(&pytest_venv(version), &project)));
    for names in newest.iter().chain(older.iter().flatten()) {
        let covered = names.iter().any(|name| known.contains(name.as_str()));
        assert!(covered, "no case is about {names:?}");
    }
}

/// The options that pytest lists, each with its names.
fn listed(command: Command<'_>) -> Vec<Vec<String>> {
    let help = command.args(["--help"]).run();
    let lines = help
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  -"));
    lines
        .map(|line| {
            let names = line.split("  ").next().unwrap_or_default();
            let names = format!("-{names}");
            let name = |text: &str| text.split(['=', ' ']).next().unwrap_or_default().to_owned();
            names.split(", ").map(name).collect::<Vec<_>>()
        })
        // What is said of options may begin a line, too.
        .filter(|names| names.iter().all(|name| !name.contains([',', '.'])))
        .collect()
}

fn check(cases: &[Case]) {
    let mut baselines = HashMap::new();
    let found: Vec<String> = cases
        .iter()
        .flat_map(|case| case.check(&mut baselines))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// A run, and the project afterwards.
struct Outcome {
    run: Run,
    project: Project,
}

type Baselines = HashMap<(&'static str, &'static str, &'static str), Outcome>;

impl Case {
    fn check(&self, baselines: &mut Baselines) -> Vec<String> {
        let key = (self.files, self.before, self.without);
        let baseline = baselines
            .entry(key)
            .or_insert_with(|| self.run(None, self.without));
        let line = format!("{} {}", self.without, self.with);
        let pytest = self.run(None, &line);
        let mut found = Vec::new();
        for (option, probe) in self.options {
            assert!(
                words(self.with).iter().any(|word| word.starts_with(option)),
                "{option} is not in {:?}",
                self.with
            );
            if let Err(problem) = probe.is_visible(baseline, &pytest) {
                found.push(format!("{option} in {line:?} {problem}\n{}", pytest.run));
            }
        }
        let ways: &[Way] = match self.like {
            Like::Pytests => &[Way::InProcess, Way::TwoWorkers],
            _ => &[Way::InProcess],
        };
        for way in ways {
            let rpytest = self.run(Some(*way), &line);
            for (option, probe) in self.options {
                let exits = self.like == Like::ButForTheCode || pytest.run.code == rpytest.run.code;
                if let Err(problem) = probe.is_alike(&pytest, &rpytest, exits) {
                    let run = &rpytest.run;
                    found.push(format!("{option} in {line:?} {way:?} {problem}\n{run}"));
                }
            }
            if matches!(self.like, Like::Pytests | Like::PytestsInProcess) {
                let (expected, got) = (pytest.normal(), rpytest.normal());
                let difference = compare(&expected, &got);
                if !difference.is_empty() {
                    found.push(format!("{line:?} {way:?}\n{difference}"));
                }
            }
        }
        found
    }

    fn run(&self, way: Option<Way>, line: &str) -> Outcome {
        let project = Project::new(self.files);
        // Paths of it are in what is compared.
        let venv = main_venv().real();
        let mut lines: Vec<&str> = Vec::new();
        if !self.before.is_empty() {
            lines.extend(self.before.split(" ; "));
        }
        lines.push(line);
        let mut last = None;
        for line in lines {
            let command = match way {
                None => Command::pytest(&venv, &project),
                Some(way) => Command::rpytest(&venv, &project).args(way.arguments()),
            };
            // Nobody listens there: what would go to the network fails at once.
            let command = command.env("https_proxy", "http://127.0.0.1:9");
            last = Some(command.args(words(line)).run());
        }
        let run = last.expect("there is a line");
        Outcome { run, project }
    }
}

impl Outcome {
    fn normal(&self) -> Run {
        normal(&self.run, &self.project)
    }

    fn file(&self, path: &str) -> String {
        let text = self.project.read(path);
        match path.ends_with(".xml") {
            true => junit(&text, self.project.base()),
            false => normal_text(&text, self.project.base()),
        }
    }

    fn shows(&self, text: &str) -> bool {
        self.run.stdout.contains(text) || self.run.stderr.contains(text)
    }

    /// Whether the first comes before the second in the output.
    fn has_first(&self, first: &str, second: &str) -> Option<bool> {
        Some(self.run.stdout.find(first)? < self.run.stdout.find(second)?)
    }
}

/// Why a probe fails.
struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Probe {
    /// Whether it tells a run with the option from one without.
    fn is_visible(&self, without: &Outcome, with: &Outcome) -> Result<(), Problem> {
        let seen = match *self {
            Probe::Shows(text) => !without.shows(text) && with.shows(text),
            Probe::Hides(text) => without.shows(text) && !with.shows(text),
            Probe::Turns(first, second) => {
                without.has_first(first, second) == Some(false)
                    && with.has_first(first, second) == Some(true)
            }
            Probe::Writes(path, text) => {
                !without.file(path).contains(text) && with.file(path).contains(text)
            }
            Probe::Exits(code) => without.run.code != code && with.run.code == code,
            Probe::Tells(of) => of(&without.project) != of(&with.project),
            Probe::Nothing(_) => compare(&without.normal(), &with.normal()).is_empty(),
        };
        match seen {
            true => Ok(()),
            false => Err(Problem(format!("does not show in pytest itself: {self:?}"))),
        }
    }

    /// Whether rpytest's run has the effect, too.
    fn is_alike(&self, pytest: &Outcome, rpytest: &Outcome, exits: bool) -> Result<(), Problem> {
        let same = match *self {
            Probe::Shows(text) => rpytest.shows(text),
            Probe::Hides(text) => !rpytest.shows(text),
            Probe::Turns(first, second) => rpytest.has_first(first, second) == Some(true),
            Probe::Writes(path, _) => pytest.file(path) == rpytest.file(path),
            Probe::Exits(code) => rpytest.run.code == code,
            Probe::Tells(of) => of(&pytest.project) == of(&rpytest.project),
            Probe::Nothing(_) => true,
        };
        match (same, exits) {
            (true, true) => Ok(()),
            (true, false) => Err(Problem(format!(
                "exits with {}, not {}",
                rpytest.run.code, pytest.run.code
            ))),
            (false, _) => Err(Problem(format!(
                "has not the effect that it has in pytest: {self:?}"
            ))),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Shows(text) => write!(f, "shows {text:?}"),
            Probe::Hides(text) => write!(f, "hides {text:?}"),
            Probe::Turns(first, second) => write!(f, "puts {first:?} before {second:?}"),
            Probe::Writes(path, text) => write!(f, "writes {text:?} into {path}"),
            Probe::Exits(code) => write!(f, "exits with {code}"),
            Probe::Tells(_) => f.write_str("leaves something else"),
            Probe::Nothing(reason) => write!(f, "is the same, since {reason}"),
        }
    }
}
