//! `--verify-dropin`: pytest and rpytest run the user's suite, and what they have to say is compared.
//!
//! `runs` starts them, each from the same files (`files`); `observation` is what one has come to, and `facts` the same as
//! what can be compared; `compare` does so; `judge` looks twice at what differs; `verdict` is what the user sees.

mod artefact;
mod compare;
mod facts;
mod files;
mod judge;
mod normal;
mod observation;
mod runs;
mod verdict;

use std::ffi::OsStr;
use std::path::Path;

use rpytest_collect::Collector;
use rpytest_worker::Interpreter;
use rpytest_worker::interpreter::ThisProcess;

use self::files::Saved;
use self::judge::Judge;
use self::runs::{Bench, Stopped, Way};
use self::verdict::{Verdict, name_of};
use crate::args::{VerifyArguments, ask_for_workers};
use crate::exit;
use crate::signals::Signals;

/// Compares, and returns the exit code: 0 if there is no difference, 1 if there is one, and pytest's otherwise.
pub(crate) fn run(arguments: &VerifyArguments) -> u8 {
    match compare(arguments) {
        Ok(code) => code,
        Err(Stopped::Signal(code)) => code,
        Err(Stopped::Failed(problem)) => {
            verdict::tell(&format!("error: --verify-dropin: {problem}"));
            exit::USAGE_ERROR
        }
    }
}

fn compare(arguments: &VerifyArguments) -> Result<u8, Stopped> {
    let failed = |error: &dyn std::fmt::Display| Stopped::Failed(error.to_string());
    let signals = Signals::install()?;
    signals.of_a_closed_terminal()?;
    let cwd = std::env::current_dir()?;
    let interpreter = Interpreter::find(&cwd, &ThisProcess).map_err(|error| failed(&error))?;
    let settings = Collector::new(&cwd).settings().ok();
    let rootdir = settings.as_ref().map_or(&cwd, |settings| &settings.rootdir);
    let empty = Vec::new();
    let addopts = settings
        .as_ref()
        .map_or(&empty, |settings| &settings.addopts);
    let cache = settings
        .as_ref()
        .and_then(|settings| settings.cache_dir.clone());
    let given: Vec<_> = arguments
        .pytest
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let words = given.iter().map(|word| &**word);
    let words = words
        .chain(addopts.iter().map(String::as_str))
        .chain(cache.as_deref());
    let mut roots = vec![rootdir.clone()];
    if !cwd.starts_with(rootdir) {
        roots.push(cwd.clone());
    }
    if let Some(place) = roots.iter().find(|root| artefact::is_everybodys(root)) {
        return Err(failed(&format!(
            "others are at work in {}, too, and their files would be put back as they are now: begin in a project's \
             own directory, or give it a pytest.ini, so that it is the root directory",
            place.display()
        )));
    }
    let outside = artefact::named_outside(words, &cwd, &roots);
    roots.extend(outside);
    let private = tempfile::Builder::new()
        .prefix("rpytest-verify-")
        .tempdir()?;
    let store = private.path().join("s");
    std::fs::create_dir(&store)?;
    // Ours is in there, and of the others' it is as with `/tmp`.
    let apart = std::env::temp_dir().canonicalize()?;
    let saved = Saved::take(roots, &apart, &store)
        .map_err(|error| failed(&format!("failed to {error}")))?;
    let in_addopts = ask_for_workers(addopts.iter().map(OsStr::new));
    let mut bench = Bench::new(
        arguments,
        &interpreter,
        rootdir,
        in_addopts,
        &signals,
        private,
        saved,
    )?;
    let mut verdict = Verdict::new(arguments.all);
    let result = all_runs(arguments, rootdir, &mut bench, &mut verdict);
    let left = bench.end();
    verdict.files(&left);
    if matches!(result, Err(Stopped::Signal(_))) {
        verdict.interrupted(&left);
    }
    result
}

fn all_runs(
    arguments: &VerifyArguments,
    rootdir: &Path,
    bench: &mut Bench<'_>,
    verdict: &mut Verdict,
) -> Result<u8, Stopped> {
    let typed = bench.typed(Way::Pytest, &arguments.pytest);
    verdict.begin(rootdir, &typed);
    verdict.waits("pytest");
    let first = bench.run(Way::Pytest)?;
    if let Some(code) = bench.nothing_to_compare(&first) {
        verdict.no_answer(&first, code);
        return Ok(code);
    }
    verdict.versions(first.observation.as_ref());
    bench.has_xdist = first.observation.as_ref().is_some_and(|one| one.xdist);
    verdict.row("pytest", &first, None, None, "");
    verdict.waits("pytest, again");
    let again = bench.run(Way::Pytest)?;
    let fair = again.wall;
    verdict.row("pytest, again", &again, Some(fair), None, "");
    // What a run that has died does not say would be taken for what varies.
    if let Some(code) = bench.nothing_to_compare(&again) {
        verdict.no_answer(&again, code);
        return Ok(code);
    }
    let mut judge = Judge::new(bench.normal.clone(), &first, &again);
    let mut ways = vec![(Way::Cold, name_of(Way::Cold, bench))];
    match bench.why_no_daemon() {
        Some(reason) => verdict.no_daemon(&reason),
        None => ways.extend([Way::First, Way::Warm].map(|way| (way, name_of(way, bench)))),
    }
    if arguments.runs {
        ways.push((Way::Workers, name_of(Way::Workers, bench)));
    }
    for (way, name) in ways {
        verdict.waits(&name);
        if matches!(way, Way::Warm | Way::Workers) && bench.may_have_daemon() {
            bench.settle()?;
        }
        let before = (way == Way::Warm).then(|| bench.lent());
        let ran = bench.run(way)?;
        let begun = before.map_or("", |before| begun_from(before, bench.lent()));
        let found = judge.hear(way, &ran);
        verdict.row(&name, &ran, Some(fair), Some(found), begun);
    }
    if judge.has_differences() {
        verdict.waits("once more, to be sure");
        judge.look_again(bench)?;
    }
    Ok(verdict.end(&judge, bench, arguments.runs))
}

/// From which of the daemon's stages a run has begun.
fn begun_from(before: [u64; 3], after: [u64; 3]) -> &'static str {
    let names = [
        "from an interpreter",
        "from a configured session",
        "from a collected session",
    ];
    let deepest = (0..3).rev().find(|stage| after[*stage] > before[*stage]);
    deepest.map_or("", |stage| names[stage])
}
