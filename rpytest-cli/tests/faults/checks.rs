//! What must hold of a run, whatever has happened to it.

use std::collections::BTreeMap;
use std::fs;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::fault::{Fault, Place};
use crate::support::{Project, Run};

/// How a test ends if nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Passed,
    Failed,
    /// Or failed as expected, which JUnit XML has no other word for.
    Skipped,
}

/// What a run comes to if nothing happens.
#[derive(Clone, Debug)]
pub struct Expected {
    pub tests: BTreeMap<String, Known>,
    pub code: i32,
}

/// What JUnit XML says of a test.
#[derive(Clone, Debug, PartialEq)]
struct Case {
    test: String,
    known: Known,
    message: String,
}

/// A run to which nothing has happened.
pub fn is_right(project: &Project, run: &Run, expected: &Expected) -> Result<(), String> {
    if run.code != expected.code {
        return Err(format!("the exit code is not {}", expected.code));
    }
    let cases = cases(project)?.ok_or("there is no report")?;
    each_once(&cases)?;
    for (test, known) in &expected.tests {
        match cases.iter().find(|case| case.test == *test) {
            None => return Err(format!("{test} is missing")),
            Some(case) if case.known != *known => return Err(format!("{case:?} is wrong")),
            Some(_) => {}
        }
    }
    if cases.len() != expected.tests.len() {
        return Err(format!("there are {} test cases", cases.len()));
    }
    ran_once(project)
}

/// A run to which something has happened: it is as if nothing had, or it says what. Returns which.
pub fn tells_the_truth(
    project: &Project,
    run: &Run,
    expected: &Expected,
    fault: &Fault,
) -> Result<String, String> {
    ran_once(project)?;
    if is_right(project, run, expected).is_ok() {
        return Ok("as if nothing had happened".to_owned());
    }
    let text = format!("{}\n{}", run.stdout, run.stderr);
    let cases = match cases(project) {
        Ok(cases) => cases.unwrap_or_default(),
        // A file of which the end is missing is pytest's own, which writes it in place. No reader takes it for whole.
        Err(_) if run.code > 1 => Vec::new(),
        Err(problem) => return Err(problem),
    };
    each_once(&cases)?;
    let of = |test: &str| cases.iter().find(|case| case.test == test);
    // What has been said of a test is so, or names what happened to it.
    for case in &cases {
        let Some(known) = expected.tests.get(&case.test) else {
            continue; // an error of the collection, which has failed the run
        };
        let is_loss = case.known == Known::Failed && !case.message.is_empty();
        if case.known != *known && !(is_loss && run.code != 0) {
            return Err(format!("{case:?} is wrong"));
        }
    }
    let missing: Vec<&str> = expected
        .tests
        .keys()
        .filter(|test| of(test).is_none())
        .map(String::as_str)
        .collect();
    let writes_no_report = matches!(
        fault,
        Fault::FullDisk {
            place: Place::Report,
            ..
        } | Fault::NoDirectory(Place::Report)
    );
    match run.code {
        // Its report is on a disk that nobody else sees; there was room for it.
        0 if writes_no_report && run.stdout.contains("30 passed, 1 skipped, 1 xfailed") => {
            Ok("as if nothing had happened".to_owned())
        }
        0 => Err(format!(
            "it passes, although {} tests have no result or another one",
            missing.len()
        )),
        1 if missing.is_empty() => {
            let lost = cases.iter().filter(|case| {
                case.known == Known::Failed
                    && expected.tests.get(&case.test) != Some(&Known::Failed)
            });
            Ok(match lost.count() {
                0 => "the same results, and a failure that is told".to_owned(),
                1 => "one test is reported as lost".to_owned(),
                _ => "some tests are reported as failed".to_owned(),
            })
        }
        // As pytest does; and who has gone away is told nothing.
        1 if matches!(fault, Fault::ClosedPipe { .. }) => Ok("fails with 1".to_owned()),
        // A process that has no descriptors left cannot write a report, and says so.
        1 if matches!(fault, Fault::Deed(_)) && run.stderr.contains("Too many open files") => {
            Ok("fails with 1, and says why".to_owned())
        }
        1 if !writes_no_report => Err(format!("no word of {missing:?}")),
        // Killed: by ourselves, or with what we have killed.
        code if code > 128 => Ok("ended by the signal".to_owned()),
        code => {
            let can_speak =
                !matches!(fault, Fault::ClosedDescriptors(which) if which.contains("2>&-"));
            match text.trim().is_empty() && can_speak {
                true => Err("it fails, and does not say why".to_owned()),
                false => Ok(format!("fails with {code}, and says why")),
            }
        }
    }
}

fn each_once(cases: &[Case]) -> Result<(), String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases {
        *counts.entry(&case.test).or_default() += 1;
    }
    match counts.iter().find(|(_, count)| **count > 1) {
        Some((test, count)) => Err(format!("{test} has {count} results")),
        None => Ok(()),
    }
}

/// No test has begun twice.
fn ran_once(project: &Project) -> Result<(), String> {
    let ran = fs::read_to_string(project.base().join("ran")).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    for line in ran.lines() {
        if !seen.insert(line) {
            return Err(format!("twice: {line}"));
        }
    }
    Ok(())
}

fn cases(project: &Project) -> Result<Option<Vec<Case>>, String> {
    let Ok(text) = fs::read_to_string(project.root().join("reports/junit.xml")) else {
        return Ok(None);
    };
    let mut reader = Reader::from_str(&text);
    let mut cases: Vec<Case> = Vec::new();
    let mut depth = 0;
    loop {
        let event = reader.read_event();
        match event.map_err(|error| format!("the report is no XML: {error}"))? {
            Event::Start(start) => {
                depth += 1;
                note(&start, &mut cases);
            }
            Event::Empty(start) => note(&start, &mut cases),
            Event::End(_) => depth -= 1,
            Event::Eof if depth > 0 || cases.is_empty() => {
                return Err("the report is not whole".to_owned());
            }
            Event::Eof => return Ok(Some(cases)),
            _ => {}
        }
    }
}

fn note(start: &BytesStart<'_>, cases: &mut Vec<Case>) {
    let attribute = |name: &str| {
        let mut all = start.attributes().flatten();
        let found = all.find(|attribute| attribute.key.as_ref() == name);
        let value = found.and_then(|it| {
            Some(
                it.normalized_value(XmlVersion::default())
                    .ok()?
                    .into_owned(),
            )
        });
        value.unwrap_or_default()
    };
    match start.name().as_ref() {
        "testcase" => cases.push(Case {
            test: format!("{}::{}", attribute("classname"), attribute("name")),
            known: Known::Passed,
            message: String::new(),
        }),
        kind @ ("failure" | "error" | "skipped") => {
            if let Some(case) = cases.last_mut() {
                case.known = match kind {
                    "skipped" => Known::Skipped,
                    _ => Known::Failed,
                };
                case.message = attribute("message");
            }
        }
        _ => {}
    }
}
