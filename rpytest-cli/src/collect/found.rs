//! The items of a command line with where they are, for editors.
//!
//! What the source says is taken from there; the files of which it does not say all are collected by one Python process. What
//! that prints matters to nobody, so that a warning costs nothing, and what it cannot collect is part of the answer.

use std::error::Error;
use std::path::{Path, PathBuf};

use rpytest_collect::CollectedFile;
use rpytest_ipc::collection::{CollectionError, FileItems};

use super::answer::Form;
use super::attempt::Attempt;
use super::before::Before;
use super::facts::{Known as Environment, ProjectHooks};
use super::inventory::{argv, attempt};
use super::merge::{Known, absolute, stands_with};
use super::python::{self, Collected, Failure};
use super::request::{self, Reading};
use super::store::Items;
use crate::args::RunArguments;
use crate::exit;
use crate::session::Ready;

/// What there is to be run.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub rootdir: PathBuf,
    /// In the order of the walk.
    pub files: Vec<FoundFile>,
    pub errors: Vec<FoundError>,
    /// pytest's exit code, if there are errors: options decide what they mean to it.
    pub failed: u8,
}

#[derive(Debug)]
pub(crate) struct FoundFile {
    /// As node ids have it.
    pub path: String,
    pub items: Vec<FoundItem>,
    pub classes: Vec<FoundClass>,
    /// Why Python was asked for it; empty if the source says it all.
    pub reasons: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct FoundClass {
    /// As node ids have it behind the file.
    pub name: String,
    pub place: Place,
}

/// Where something begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1.
    pub line: Option<u32>,
    /// Whether the line is in another file than the one that it is collected from.
    pub elsewhere: bool,
}

#[derive(Debug)]
pub(crate) struct FoundItem {
    pub nodeid: String,
    pub place: Place,
    /// Whether it is one of several with different parameters.
    pub parametrized: bool,
    /// Names of marks, sorted.
    pub marks: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct FoundError {
    /// As node ids have it.
    pub path: String,
    pub line: Option<u32>,
    pub message: String,
}

/// Why nothing is known of the items.
#[derive(Debug)]
pub(crate) struct NotFound {
    pub exit: u8,
    pub message: String,
}

impl From<Box<dyn Error>> for NotFound {
    fn from(error: Box<dyn Error>) -> Self {
        Self {
            exit: exit::USAGE_ERROR,
            message: error.to_string(),
        }
    }
}

impl From<Failure> for NotFound {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Interrupted(exit) => Self {
                exit,
                message: "interrupted".to_owned(),
            },
            Failure::Broken(reason) => Self {
                exit: exit::INTERNAL_ERROR,
                message: format!("the tests cannot be collected: {reason}"),
            },
        }
    }
}

/// pytest's exit code where what failed ends the collection, with `-x` for one: as if tests had failed.
const STOPPED: u8 = 1;

impl Found {
    /// pytest's, for such a collection.
    pub fn exit(&self) -> u8 {
        match self.files.iter().all(|file| file.items.is_empty()) {
            _ if !self.errors.is_empty() => self.failed,
            true => exit::NO_TESTS_COLLECTED,
            false => 0,
        }
    }
}

/// What the arguments of a run would collect.
pub(crate) fn find(arguments: &RunArguments) -> Result<Found, NotFound> {
    let argv = argv(arguments);
    let mut ready = None;
    let mut reason = "--no-native-collection is given".to_owned();
    if arguments.native_collection {
        let found = attempt(arguments, &argv, |attempt| attempt.find(&mut ready));
        match found {
            Some(Ok(Ok(found))) => return Ok(found),
            Some(Ok(Err(why))) => reason = why,
            // pytest knows how to refuse it.
            Some(Err(error)) => reason = error.to_string(),
            None => reason = "an option of it is not modelled".to_owned(),
        }
    }
    let ready = match ready {
        Some(ready) => ready,
        None => Ready::new()?,
    };
    let collected = python::ask_in_detail(&ready, &argv, &[])?;
    let directory = std::env::current_dir().map_err(Box::from)?;
    // pytest's own would tell it; where it is not known, ids are below the directory.
    let rootdir = collected.rootdir.clone().unwrap_or(directory);
    let tells = tells(&collected);
    let failed = failed(&collected);
    let errors = collected.errors.into_iter().map(error).collect();
    if !tells {
        return Err(NotFound {
            exit: u8::try_from(collected.exit).unwrap_or(exit::INTERNAL_ERROR),
            message: String::from_utf8_lossy(&collected.output).trim().to_owned(),
        });
    }
    let files = collected.details.into_iter();
    Ok(Found {
        rootdir,
        files: files
            .map(|file| of_python(file, vec![reason.clone()]))
            .collect(),
        errors,
        failed,
    })
}

/// The paths and node ids of a command line; none if not all of it is understood.
pub(crate) fn named(arguments: &RunArguments) -> Vec<PathBuf> {
    match request::read(&argv(arguments)) {
        Reading::Native(request) => request.paths,
        Reading::Other | Reading::Genuine(_) => Vec::new(),
    }
}

/// What a file would have with another text, as far as the source says: Python could not be asked.
pub(crate) fn of_text(
    arguments: &RunArguments,
    file: &Path,
    text: &str,
) -> Result<Found, Box<dyn Error>> {
    let mut argv = argv(arguments);
    argv.push(file.into());
    let found = attempt(arguments, &argv, |attempt| attempt.of_text(file, text));
    found.unwrap_or_else(|| Err("an option of the server is not modelled".into()))
}

/// Whether a session came to its items, or says which it could not collect.
fn tells(collected: &Collected) -> bool {
    match u8::try_from(collected.exit) {
        Ok(0 | exit::NO_TESTS_COLLECTED) => true,
        Ok(STOPPED | exit::INTERRUPTED) => !collected.errors.is_empty(),
        _ => false,
    }
}

/// The exit code of a session that could not collect all: with `-x` it is another one.
fn failed(collected: &Collected) -> u8 {
    u8::try_from(collected.exit).unwrap_or(exit::INTERRUPTED)
}

impl Attempt<'_> {
    /// The items; the inner error says why all of them have to be collected by Python.
    fn find(&self, ready: &mut Option<Ready>) -> Result<Result<Found, String>, Box<dyn Error>> {
        if let Some(name) = request::refuse_environment(|name| std::env::var_os(name)) {
            return Ok(Err(format!("the environment variable {name} is set")));
        }
        let mut before = match self.look_if(|_, _| true, Form::of_ids)? {
            Ok(before) => before,
            Err(reason) => return Ok(Err(reason)),
        };
        if before.environment.is_none() {
            // Which plugins there are is found out by a process that collects nothing.
            let ready = ready.insert(Ready::new()?);
            let all: Vec<PathBuf> = paths(&before, |_| true);
            let collected = match python::ask(ready, &self.arguments.pytest, &all) {
                Ok(collected) => collected,
                Err(Failure::Interrupted(_)) => return Ok(Err("interrupted".to_owned())),
                Err(Failure::Broken(reason)) => return Ok(Err(reason)),
            };
            self.save(&before, &Environment::new(&collected.surroundings));
            before = match self.look_if(|_, _| true, Form::of_ids)? {
                Ok(before) => before,
                Err(reason) => return Ok(Err(reason)),
            };
            if before.environment.is_none() {
                return Ok(Err(
                    "the plugins of the environment are not known".to_owned()
                ));
            }
        }
        let walked = |path: &str| before.walk().any(|other| other == path);
        let elsewhere = before.native.diagnostics.iter();
        if let Some(problem) = { elsewhere }.find(|problem| !walked(&problem.path)) {
            return Ok(Err(format!("{}: {}", problem.path, problem.message)));
        }
        if before.files().all(|(_, is_sure)| is_sure) {
            let files = before.files().map(|(file, _)| of_source(file)).collect();
            return Ok(Ok(Found {
                rootdir: before.native.rootdir.clone(),
                files,
                errors: Vec::new(),
                failed: exit::INTERRUPTED,
            }));
        }
        let known = before.files().map(|(file, is_sure)| Known {
            path: file.path.clone(),
            items: is_sure.then(|| Items {
                ids: file.items.iter().map(|item| item.id.to_string()).collect(),
                deselected: file.deselected,
            }),
        });
        let known: Vec<Known> = known.collect();
        let skip = paths(&before, |is_sure| is_sure);
        let ready = match ready {
            Some(ready) => ready,
            None => ready.insert(Ready::new()?),
        };
        let collected = match python::ask_in_detail(ready, &self.arguments.pytest, &skip) {
            Ok(collected) => collected,
            Err(Failure::Interrupted(_)) => return Ok(Err("interrupted".to_owned())),
            Err(Failure::Broken(reason)) => return Ok(Err(reason)),
        };
        if !tells(&collected) {
            return Ok(Err(format!("pytest exits with {}", collected.exit)));
        }
        let hooks = ProjectHooks::new(&collected.surroundings.project_hooks);
        if hooks.across_files && !skip.is_empty() {
            let reason = "a conftest has a hook that sees items of several files";
            return Ok(Err(reason.to_owned()));
        }
        if let Err(reason) = stands_with(&known, &collected) {
            return Ok(Err(reason));
        }
        Ok(Ok(joined(&before, collected)))
    }
}

impl Attempt<'_> {
    fn of_text(&self, file: &Path, text: &str) -> Result<Found, Box<dyn Error>> {
        let native = self.look_at_text(file, text)?;
        let files = native.files.iter().map(|file| FoundFile {
            reasons: (file.completeness.reasons().iter())
                .map(ToString::to_string)
                .collect(),
            ..of_source(file)
        });
        let errors = native.diagnostics.iter().map(|problem| FoundError {
            path: problem.path.clone(),
            line: problem.line,
            message: problem.message.clone(),
        });
        Ok(Found {
            rootdir: native.rootdir.clone(),
            files: files.collect(),
            errors: errors.collect(),
            failed: exit::INTERRUPTED,
        })
    }
}

fn paths(before: &Before, which: impl Fn(bool) -> bool) -> Vec<PathBuf> {
    let rootdir: &Path = &before.native.rootdir;
    let files = before.files().filter(|(_, is_sure)| which(*is_sure));
    files
        .map(|(file, _)| absolute(rootdir, &file.path))
        .collect()
}

/// The files that are known and those that Python has collected, in the order of the walk.
fn joined(before: &Before, collected: Collected) -> Found {
    let failed = if collected.stops && follows(before, &collected) {
        STOPPED
    } else {
        failed(&collected)
    };
    let mut theirs = collected.details.into_iter().peekable();
    let mut files = Vec::new();
    for (file, is_sure) in before.files() {
        // A file that is named on the command line is never left out.
        let found = theirs.next_if(|found| found.path == file.path);
        files.push(match (is_sure, found) {
            (true, _) => of_source(file),
            (false, found) => {
                let mut reasons: Vec<String> = (file.completeness.reasons().iter())
                    .map(ToString::to_string)
                    .collect();
                if reasons.is_empty() {
                    reasons.push("a mark of it is not registered".to_owned());
                }
                let nothing = || FileItems {
                    path: file.path.clone(),
                    nodeids: Vec::new(),
                    details: Vec::new(),
                    classes: Vec::new(),
                    elsewhere: Vec::new(),
                };
                of_python(found.unwrap_or_else(nothing), reasons)
            }
        });
    }
    Found {
        rootdir: before.native.rootdir.clone(),
        files,
        errors: collected.errors.into_iter().map(error).collect(),
        failed,
    }
}

/// Whether pytest would have come to a file after the last that could not be collected, and Python was not asked for it.
fn follows(before: &Before, collected: &Collected) -> bool {
    let Some(last) = collected.errors.last() else {
        return false;
    };
    let last = crate::convert::file_of(&last.nodeid);
    let mut files = before.files();
    files.any(|(file, _)| file.path == last) && files.any(|(_, is_sure)| is_sure)
}

fn of_source(file: &CollectedFile) -> FoundFile {
    let items = file.items.iter().map(|item| {
        let mut marks: Vec<String> = (item.facts.marks.iter())
            .map(|mark| mark.name.clone())
            .collect();
        marks.sort_unstable();
        marks.dedup();
        FoundItem {
            nodeid: item.id.to_string(),
            place: Place {
                line: Some(item.line),
                elsewhere: item.elsewhere,
            },
            // No function has such a name.
            parametrized: item.id.as_str().ends_with(']'),
            marks,
        }
    });
    FoundFile {
        path: file.path.clone(),
        items: items.collect(),
        classes: (file.classes.iter())
            .map(|class| FoundClass {
                name: class.name.clone(),
                place: Place {
                    line: Some(class.line),
                    elsewhere: class.elsewhere,
                },
            })
            .collect(),
        reasons: Vec::new(),
    }
}

fn of_python(file: FileItems, reasons: Vec<String>) -> FoundFile {
    let items = file.nodeids.into_iter().zip(file.details);
    let items = items.map(|(nodeid, details)| FoundItem {
        nodeid,
        place: Place {
            line: details.line,
            elsewhere: details.elsewhere,
        },
        parametrized: details.parametrized,
        marks: details.marks,
    });
    FoundFile {
        path: file.path,
        items: items.collect(),
        classes: (file.classes.into_iter())
            .map(|(name, line)| FoundClass {
                place: Place {
                    line: Some(line).filter(|line| *line > 0),
                    elsewhere: file.elsewhere.contains(&name),
                },
                name,
            })
            .collect(),
        reasons,
    }
}

fn error(error: CollectionError) -> FoundError {
    let path = crate::convert::file_of(&error.nodeid).to_owned();
    FoundError {
        path,
        line: error.line,
        message: error.message,
    }
}
