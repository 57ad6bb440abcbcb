//! `--collect-only`, answered natively where that is exact.
//!
//! The files of which the items are known are put together with those that one Python process collects for the
//! rest, in the order of the walk. Where anything is out of the ordinary, which is found by what that process
//! has written, a genuine session answers instead.

mod answer;
mod merge;
mod python;
mod report;
mod request;

use std::error::Error;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use rpytest_collect::{Collection, Collector, Settings};

use self::answer::{Answer, Form};
use self::python::Failure;
use self::report::Report;
use self::request::{Color, Reading, Request};
use crate::args::RunArguments;
use crate::session::{self, Ready};

/// Collects, or runs a session for everything else.
pub(crate) fn run_or_collect(arguments: &RunArguments) -> u8 {
    let mut report = Report::new();
    let reading = match arguments.native_collection {
        true => request::read(&arguments.pytest),
        false => Reading::Genuine("--no-native-collection".to_owned()),
    };
    let code = match reading {
        Reading::Other => return session::run(arguments),
        Reading::Genuine(reason) => {
            report.genuine(reason);
            session::run(arguments)
        }
        Reading::Native(request) => {
            let attempt = Attempt {
                arguments,
                request: &request,
                started: Instant::now(),
            };
            attempt.run(&mut report)
        }
    };
    report.show(arguments);
    code
}

/// One command line that may be answered natively.
struct Attempt<'a> {
    arguments: &'a RunArguments,
    request: &'a Request,
    started: Instant,
}

/// How far an attempt has come without an answer.
enum Outcome {
    Printed(u8),
    /// A genuine session has to answer, in this host if there is one.
    Genuine(String, Option<Box<Ready>>),
}

impl Attempt<'_> {
    fn run(&self, report: &mut Report) -> u8 {
        match self.attempt(report) {
            Ok(Outcome::Printed(code)) => code,
            Ok(Outcome::Genuine(reason, ready)) => {
                report.genuine(reason);
                match ready {
                    Some(ready) => ready.run(self.arguments),
                    None => session::run(self.arguments),
                }
            }
            Err(error) => {
                report.genuine(error.to_string());
                session::run(self.arguments)
            }
        }
    }

    fn attempt(&self, report: &mut Report) -> Result<Outcome, Box<dyn Error>> {
        let genuine = |reason: String| Ok(Outcome::Genuine(reason, None));
        if let Some(name) = request::refuse_environment(|name| std::env::var_os(name)) {
            return genuine(format!("the environment variable {name} is set"));
        }
        let collector = self.collector()?;
        let settings = collector.settings()?;
        let form = match self.form(&settings) {
            Ok(form) => form,
            Err(reason) => return genuine(reason),
        };
        let native = collector.collect()?;
        if let Some(problem) = native.diagnostics.first() {
            return genuine(format!("{}: {}", problem.path, problem.message));
        }
        report.native(&native);

        let ready = Box::new(Ready::new()?);
        let skip = exact_paths(&native);
        let collected = match python::ask(&ready, &self.arguments.pytest, &skip) {
            Ok(collected) => collected,
            Err(Failure::Interrupted(code)) => return Ok(Outcome::Printed(code)),
            Err(Failure::Broken(reason)) => return Ok(Outcome::Genuine(reason, Some(ready))),
        };
        report.python(collected.answer.files.len());
        let answer = match merge::merge(&native, &collected, form.counts) {
            Ok(answer) => answer,
            Err(reason) => return Ok(Outcome::Genuine(reason, Some(ready))),
        };
        self.print(&answer, form, report)
    }

    fn print(
        &self,
        answer: &Answer,
        form: Form,
        report: &mut Report,
    ) -> Result<Outcome, Box<dyn Error>> {
        if !can_be_written(answer) {
            let reason = "the terminal's encoding is not UTF-8".to_owned();
            return Ok(Outcome::Genuine(reason, None));
        }
        let took = self.started.elapsed();
        let mut out = BufWriter::new(io::stdout().lock());
        let written = answer
            .print(&mut out, form, took)
            .and_then(|()| out.flush());
        report.answered(answer.selected(), took);
        Ok(Outcome::Printed(match written {
            Ok(()) => answer.exit_code(),
            // As pytest's own script has it, for a reader that has gone.
            Err(_) => 1,
        }))
    }

    fn collector(&self) -> io::Result<Collector> {
        let collector =
            Collector::new(std::env::current_dir()?).options(self.request.options.clone());
        Ok(match self.request.paths.is_empty() {
            true => collector,
            false => collector.paths(self.request.paths.clone()),
        })
    }

    /// How pytest would print the items; else why that is not known.
    fn form(&self, settings: &Settings) -> Result<Form, String> {
        let quiet = self.request.quiet + request::quiet_of(&settings.addopts)?;
        if quiet < 1 {
            return Err("the tree of collectors is pytest's to print; -q asks for ids".to_owned());
        }
        if let Some(name) = settings
            .names
            .iter()
            .find(|name| name.starts_with("verbosity_"))
        {
            return Err(format!("{name} is configured"));
        }
        Ok(Form {
            counts: quiet > 1,
            color: colors(self.request.color),
        })
    }
}

/// Absolute paths of the files of which the items are known.
fn exact_paths(native: &Collection) -> Vec<PathBuf> {
    let exact = native
        .files
        .iter()
        .filter(|file| file.completeness.is_exact());
    exact
        .map(|file| merge::absolute(&native.rootdir, &file.path))
        .collect()
}

/// `should_do_markup` of `_pytest/_io/terminalwriter.py`.
fn colors(option: Color) -> bool {
    let var = |name| std::env::var_os(name).unwrap_or_default();
    match option {
        Color::Yes => true,
        Color::No => false,
        Color::Auto if var("PY_COLORS") == "1" => true,
        Color::Auto if var("PY_COLORS") == "0" => false,
        Color::Auto if !var("NO_COLOR").is_empty() => false,
        Color::Auto if !var("FORCE_COLOR").is_empty() => true,
        Color::Auto => io::stdout().is_terminal() && var("TERM") != "dumb",
    }
}

/// Whether Python would write it as UTF-8, too.
fn can_be_written(answer: &Answer) -> bool {
    let mut ids = answer.files.iter().flat_map(|(_, ids)| ids);
    if ids.all(|id| id.is_ascii()) {
        return true;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    // Python takes UTF-8 for the two that say nothing.
    matches!(&*locale, "" | "c" | "posix") || locale.contains("utf-8") || locale.contains("utf8")
}
