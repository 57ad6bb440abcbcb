//! JUnit XML as pytest writes it: several files joined, and the durations that are in one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, Event};
use quick_xml::{Reader, Writer, XmlVersion};

use crate::whole_file;

/// Why JUnit XML could not be read or written. The texts complete "failed to".
#[derive(Debug, thiserror::Error)]
pub(crate) enum JunitError {
    #[error("read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("understand {} as JUnit XML: {problem}", .path.display())]
    Xml { path: PathBuf, problem: String },
    #[error("write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// A test case as a file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Case {
    /// With dots where the node id has slashes and colons.
    pub classname: String,
    pub name: String,
    /// Seconds.
    pub time: f64,
}

/// Writes the suites of all files, unchanged and in their order, to one.
pub(crate) fn join(files: &[PathBuf], to: &Path) -> Result<(), JunitError> {
    let mut writer = Writer::new(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)));
    let root = BytesStart::new("testsuites").with_attributes([("name", "pytest tests")]);
    let _ = writer.write_event(Event::Start(root));
    for file in files {
        let mut depth = 0u32;
        events(file, |event| {
            let suite = |start: &BytesStart<'_>| start.name().as_ref() == "testsuite";
            let copied = match &event {
                Event::Start(start) if depth > 0 || suite(start) => {
                    depth += 1;
                    true
                }
                Event::End(_) if depth > 0 => {
                    depth -= 1;
                    true
                }
                Event::Empty(start) => depth > 0 || suite(start),
                _ => depth > 0,
            };
            if copied {
                let _ = writer.write_event(event);
            }
        })?;
    }
    let _ = writer.write_event(Event::End(BytesEnd::new("testsuites")));
    let mut text = writer.into_inner();
    text.push(b'\n');
    whole_file::write(to, &text).map_err(|source| JunitError::Write {
        path: to.to_owned(),
        source,
    })
}

/// The test cases of a file.
pub(crate) fn cases(file: &Path) -> Result<Vec<Case>, JunitError> {
    let mut cases = Vec::new();
    events(file, |event| {
        let (Event::Start(start) | Event::Empty(start)) = event else {
            return;
        };
        if start.name().as_ref() != "testcase" {
            return;
        }
        let mut case = Case::default();
        for attribute in start.attributes().flatten() {
            let Ok(value) = attribute.normalized_value(XmlVersion::default()) else {
                continue;
            };
            match attribute.key.as_ref() {
                "classname" => case.classname = value.into_owned(),
                "name" => case.name = value.into_owned(),
                "time" => case.time = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        cases.push(case);
    })?;
    Ok(cases)
}

/// Reads a file to its end.
fn events(path: &Path, mut each: impl FnMut(Event<'_>)) -> Result<(), JunitError> {
    let text = fs::read(path).map_err(|source| JunitError::Read {
        path: path.to_owned(),
        source,
    })?;
    let damaged = |problem: String| JunitError::Xml {
        path: path.to_owned(),
        problem,
    };
    let text = String::from_utf8(text).map_err(|error| damaged(error.to_string()))?;
    let mut reader = Reader::from_str(&text);
    let mut depth = 0u32;
    let mut any = false;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| damaged(error.to_string()))?;
        match &event {
            Event::Eof if depth > 0 => return Err(damaged("it ends within a suite".to_owned())),
            Event::Eof if !any => return Err(damaged("it has no suites".to_owned())),
            Event::Eof => return Ok(()),
            Event::Start(_) => {
                depth += 1;
                any = true;
            }
            Event::Empty(_) => any = true,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        each(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn suites_are_joined_unchanged() {
        let directory = tempfile::tempdir().expect("a directory");
        let one = file(
            directory.path(),
            "one.xml",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites name=\"pytest tests\"><testsuite name=\"pytest\" tests=\"1\"><testcase classname=\"a.b\" name=\"x[&lt;&#x41;]\" time=\"0.25\"><failure message=\"no &amp; no\"><![CDATA[a < b]]> &gt;</failure></testcase></testsuite></testsuites>",
        );
        // As `junit_family=legacy` of old had it: no suites around the suite.
        let other = file(
            directory.path(),
            "two.xml",
            "<testsuite name=\"pytest\" tests=\"0\"></testsuite>",
        );
        let joined = directory.path().join("made/joined.xml");
        join(&[one.clone(), other], &joined).expect("joined");
        let text = fs::read_to_string(&joined).expect("there");
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites name=\"pytest tests\"><testsuite name=\"pytest\" tests=\"1\"><testcase classname=\"a.b\" name=\"x[&lt;&#x41;]\" time=\"0.25\"><failure message=\"no &amp; no\"><![CDATA[a < b]]> &gt;</failure></testcase></testsuite><testsuite name=\"pytest\" tests=\"0\"></testsuite></testsuites>\n"
        );
        let case = Case {
            classname: "a.b".to_owned(),
            name: "x[<A]".to_owned(),
            time: 0.25,
        };
        assert_eq!(cases(&one).expect("read"), [case]);
    }

    #[test]
    fn what_is_no_junit_xml_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        for text in ["", "{}", "<testsuites><testsuite>", "<a></b>"] {
            let path = file(directory.path(), "bad.xml", text);
            let error = cases(&path).expect_err(text).to_string();
            assert!(error.starts_with("understand "), "{text}: {error}");
            assert!(error.contains("bad.xml as JUnit XML"), "{text}: {error}");
        }
    }
}
