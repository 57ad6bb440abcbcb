//! A plugin's suite, run by pytest and by rpytest in each way, and what came of it.

use std::collections::BTreeMap;

use crate::plugin::{Plugin, Workers, xdist};
use crate::support::daemon::Daemon;
use crate::support::normal::{difference, normal};
use crate::support::python::Venv;
use crate::support::{Command, Project, Run};

/// What was found of one plugin.
#[derive(Debug, Default)]
pub struct Found {
    /// By the way: what the table says, or the difference.
    pub ways: BTreeMap<&'static str, Result<String, String>>,
    /// How many tests ran by the short protocol, of how many, without workers.
    pub short: (usize, usize),
}

pub const NO_DAEMON: &str = "--no-daemon";
pub const ONE: &str = "-n 1";
pub const TWO: &str = "-n 2";
pub const WARM: &str = "daemon warm";
pub const BESIDE: &str = "beside xdist";

/// One run, as it is compared.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    code: i32,
    stdout: String,
    stderr: String,
    left: String,
}

impl Seen {
    fn of(plugin: &Plugin, project: &Project, run: &Run) -> Seen {
        let normal = normal(run, project);
        // What `--explain` says, and `-v` of a plan where it is worth it.
        let own = |line: &&str| !line.starts_with("rpytest: ") && !line.starts_with("plan for ");
        let plain = |text: String| (plugin.plain)(text.split_inclusive('\n').filter(own).collect());
        Seen {
            code: normal.code,
            stdout: plain(normal.stdout),
            stderr: plain(normal.stderr),
            left: (plugin.look)(project, run),
        }
    }

    /// What does not depend on the order in which workers have finished, nor on how xdist shows which one it was.
    fn outcomes(mut self) -> Seen {
        let summary = |line: &&str| {
            let word = line.split([' ', '(', ',']).next().unwrap_or_default();
            let known = [
                "PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS", "RERUN",
            ];
            let known =
                known.contains(&word) || ["SUBPASSED", "SUBFAILED", "SUBSKIPPED"].contains(&word);
            known || (line.starts_with("==") && line.contains("<time>"))
        };
        let mut lines: Vec<_> = self.stdout.lines().filter(summary).collect();
        lines.sort_unstable();
        let lines = lines.iter().map(|line| without_deselected(line) + "\n");
        self.stdout = lines.collect();
        self.stderr.clear();
        // Which worker it was is chance.
        self.left = self.left.replace("[gw0]", "[gw]").replace("[gw1]", "[gw]");
        self
    }

    /// Without the line in which pytest lists the plugins that are installed.
    fn whoever_is_installed(mut self) -> Seen {
        let listed = |line: &&str| line.starts_with("plugins: ");
        let lines = self.stdout.split_inclusive('\n');
        self.stdout = lines.filter(|line| !listed(line)).collect();
        self
    }
}

/// xdist does not count what was deselected.
fn without_deselected(line: &str) -> String {
    let counts = line.split(", ");
    let counts = counts.filter(|count| !count.ends_with(" deselected"));
    let line = counts.collect::<Vec<_>>().join(", ");
    match line.split_once(" deselected in ") {
        Some((before, after)) => match before.rsplit_once(", ") {
            Some((before, _)) => format!("{before} in {after}"),
            None => line,
        },
        None => line,
    }
}

/// `Ok` if they are equal.
fn compare(expected: &[Seen], got: &[Seen]) -> Result<(), String> {
    for (step, (expected, got)) in expected.iter().zip(got).enumerate() {
        if expected != got {
            let texts = [
                ("output", &expected.stdout, &got.stdout),
                ("stderr", &expected.stderr, &got.stderr),
                ("artefacts", &expected.left, &got.left),
            ];
            let mut told = format!("step {step}: exit {} and {}\n", expected.code, got.code);
            for (what, expected, got) in texts {
                if expected != got {
                    told.push_str(&format!("{what}:\n{}", difference(expected, got)));
                }
            }
            return Err(told);
        }
    }
    Ok(())
}

/// One way to run the steps: the command without its arguments, and the arguments that come first.
fn run<'p>(
    plugin: &Plugin,
    project: &'p Project,
    first: &[&str],
    command: impl Fn() -> Command<'p>,
) -> (Vec<Seen>, Vec<Run>) {
    let mut seen = Vec::new();
    let mut runs = Vec::new();
    for step in plugin.steps {
        let run = command().args(first).args(step.arguments).run();
        seen.push(Seen::of(plugin, project, &run));
        runs.push(run);
    }
    (seen, runs)
}

/// Runs it in each way.
pub fn examine(plugin: &Plugin) -> Found {
    let venv = plugin.venv();
    let mut found = Found::default();
    // Twice: what the second run finds of the first is not the same for all.
    let project = Project::new(plugin.files);
    let pytest = || Command::pytest(&venv, &project);
    let (expected, runs) = run(plugin, &project, &[], pytest);
    for (step, run) in plugin.steps.iter().zip(&runs) {
        if !run.stdout.contains(step.counts) {
            let problem = format!("pytest itself, not {:?}\n{run}", step.counts);
            found.ways.insert(NO_DAEMON, Err(problem));
            return found;
        }
    }
    let (again, _) = run(plugin, &project, &[], pytest);

    let project = Project::new(plugin.files);
    let explained = ["--no-daemon", "--explain"];
    let (got, runs) = run(plugin, &project, &explained, || {
        Command::rpytest(&venv, &project)
    });
    found.short = short_ways(&runs);
    let same = compare(&expected, &got);
    found.ways.insert(NO_DAEMON, same.map(|()| "equal".into()));

    found
        .ways
        .insert(WARM, warm(plugin, &venv, &expected, &again));
    for (way, arguments) in [(ONE, ["-n", "1"]), (TWO, ["-n", "2"])] {
        let with_workers = match plugin.workers {
            Workers::AsPytest => as_pytest(plugin, &venv, arguments, &expected),
            Workers::AsXdist => as_xdist(plugin, &venv, arguments),
        };
        found.ways.insert(way, with_workers);
    }
    if plugin.knows_xdist && plugin.workers == Workers::AsPytest {
        let project = Project::new(plugin.files);
        let (got, _) = run(plugin, &project, &["-n", "2"], || {
            beside_xdist(Command::rpytest(&venv, &project))
        });
        let plain = |seen: &[Seen]| -> Vec<_> {
            seen.iter()
                .cloned()
                .map(Seen::whoever_is_installed)
                .collect()
        };
        let same = compare(&plain(&expected), &plain(&got));
        found.ways.insert(BESIDE, same.map(|()| "equal".into()));
    }
    found
}

/// With a daemon that the same steps have made warm.
fn warm(plugin: &Plugin, venv: &Venv, expected: &[Seen], again: &[Seen]) -> Result<String, String> {
    let project = Project::new(plugin.files);
    project.settle();
    let daemon = Daemon::start_in(venv, &project);
    // The same arguments: a session is kept for those who have them.
    let explained = ["--explain"];
    let (cold, _) = run(plugin, &project, &explained, || daemon.command());
    let same = compare(expected, &cold).map_err(|told| format!("cold: {told}"));
    if same.is_ok() {
        daemon.has_settled();
    }
    let (warm, runs) = run(plugin, &project, &explained, || daemon.command());
    daemon.stop();
    same?;
    compare(again, &warm)?;
    let last = runs.last().map(|run| &*run.stderr).unwrap_or_default();
    let lent = last
        .lines()
        .find_map(|line| line.split_once("the daemon lent "));
    let (_, lent) = lent.ok_or_else(|| format!("nothing was lent:\n{last}"))?;
    let kept = [
        ("a session that had collected", "collected"),
        ("a session that was configured", "configured"),
        ("an interpreter", "interpreter"),
    ];
    let kept = kept.iter().find(|(what, _)| lent.starts_with(what));
    let (_, kept) = kept.ok_or_else(|| format!("it lent {lent}"))?;
    Ok(format!("equal, {kept}"))
}

fn as_pytest(
    plugin: &Plugin,
    venv: &Venv,
    workers: [&str; 2],
    expected: &[Seen],
) -> Result<String, String> {
    let project = Project::new(plugin.files);
    let (got, _) = run(plugin, &project, &workers, || {
        Command::rpytest(venv, &project)
    });
    compare(expected, &got).map(|()| "equal".into())
}

/// xdist installed says what is right, and it is so where it is not installed, too.
fn as_xdist(plugin: &Plugin, venv: &Venv, workers: [&str; 2]) -> Result<String, String> {
    let outcomes = |seen: Vec<Seen>| -> Vec<_> { seen.into_iter().map(Seen::outcomes).collect() };
    let project = Project::new(plugin.files);
    let (expected, _) = run(plugin, &project, &workers, || {
        beside_xdist(Command::pytest(venv, &project))
    });
    let expected = outcomes(expected);
    for installed in [false, true] {
        let project = Project::new(plugin.files);
        let (got, _) = run(plugin, &project, &workers, || {
            let command = Command::rpytest(venv, &project);
            if installed {
                beside_xdist(command)
            } else {
                command
            }
        });
        compare(&expected, &outcomes(got))
            .map_err(|told| format!("xdist is installed: {installed}\n{told}"))?;
    }
    Ok("as xdist".into())
}

fn beside_xdist(command: Command<'_>) -> Command<'_> {
    command.env("PYTHONPATH", &xdist().to_string_lossy())
}

/// How many tests of all these runs went which way.
fn short_ways(runs: &[Run]) -> (usize, usize) {
    let mut all = (0, 0);
    for run in runs {
        let line = run
            .stderr
            .lines()
            .find(|line| line.contains("by the short protocol"));
        let numbers = line.unwrap_or_default().split([' ', ',']);
        let numbers: Vec<usize> = numbers.filter_map(|word| word.parse().ok()).collect();
        if let [short, genuine, ..] = numbers[..] {
            all = (all.0 + short, all.1 + short + genuine);
        }
    }
    all
}
