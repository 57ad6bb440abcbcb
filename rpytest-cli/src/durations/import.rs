//! The durations that other tools have kept.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use rpytest_ipc::Address;
use rpytest_sched::durations::SplitDurations;

use crate::junit::{self, Case};

/// What a file has.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Tests and their seconds.
    pub known: Vec<(Address, f64)>,
    /// Names that fit no file.
    pub unknown: Vec<String>,
}

/// Reads a file of one of the formats that are known, which its content tells.
pub(super) fn import(file: &Path, root: &Path) -> Result<Taken, Box<dyn Error>> {
    let text = std::fs::read(file).map_err(|error| format!("read {}: {error}", file.display()))?;
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'<') => Ok(of_cases(junit::cases(file)?, root)),
        _ => {
            let split: SplitDurations = serde_json::from_slice(&text).map_err(|error| {
                format!(
                    "understand {}: it is neither JUnit XML nor pytest-split's .test_durations: {error}",
                    file.display()
                )
            })?;
            let known = split.iter().map(|(nodeid, seconds)| {
                let nodeid = nodeid.to_owned();
                (Address { nodeid, nth: 0 }, seconds)
            });
            Ok(Taken {
                known: known.collect(),
                unknown: Vec::new(),
            })
        }
    }
}

/// Node ids from what pytest makes of them for JUnit: `tests.test_a.TestX` and `test_y[1]` for
/// `tests/test_a.py::TestX::test_y[1]` (`mangle_test_address` of `_pytest/junitxml.py`). Which part is the file's
/// only the disk says.
fn of_cases(cases: Vec<Case>, root: &Path) -> Taken {
    let mut taken = Taken::default();
    let mut files: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for case in cases {
        let node = files
            .entry(case.classname.clone())
            .or_insert_with(|| node_of(&case.classname, root));
        let Some(node) = node else {
            taken
                .unknown
                .push(format!("{}.{}", case.classname, case.name));
            continue;
        };
        let nodeid = format!("{node}::{}", case.name);
        let count = seen.entry(nodeid.clone()).or_insert(0);
        let nth = *count;
        *count += 1;
        taken.known.push((Address { nodeid, nth }, case.time));
    }
    taken
}

/// The node id of a file or a class, by the longest part of a dotted name that is a file.
fn node_of(classname: &str, root: &Path) -> Option<String> {
    let parts: Vec<&str> = classname.split('.').collect();
    (1..=parts.len()).rev().find_map(|count| {
        let (file, classes) = parts.split_at(count);
        let file = format!("{}.py", file.join("/"));
        let is_there = root.join(&file).is_file();
        is_there.then(|| [&[file.as_str()], classes].concat().join("::"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(name: &str, text: &str) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        std::fs::create_dir_all(root.join("tests/unit")).expect("made");
        for file in ["tests/test_a.py", "tests/unit/test_b.py"] {
            std::fs::write(root.join(file), "").expect("written");
        }
        let file = root.join(name);
        std::fs::write(&file, text).expect("written");
        let taken = import(&file, root)
            .map_err(|error| error.to_string().replace(&root.display().to_string(), ""))?;
        let known = taken.known.iter().map(|(address, seconds)| {
            let Address { nodeid, nth } = address;
            format!("{nodeid} {nth} {seconds}")
        });
        let unknown = taken.unknown.iter().map(|name| format!("? {name}"));
        Ok(known.chain(unknown).collect())
    }

    #[test]
    fn pytest_splits_file_is_taken_over_in_both_forms() {
        let expected = Ok(vec![
            "a.py::x 0 0.5".to_owned(),
            "a.py::y[1] 0 2".to_owned(),
        ]);
        let by_id = r#"{"a.py::x": 0.5, "a.py::y[1]": 2}"#;
        assert_eq!(taken(".test_durations", by_id), expected);
        let pairs = r#"[["a.py::x", 0.5], ["a.py::y[1]", 2.0]]"#;
        assert_eq!(taken(".test_durations", pairs), expected);
    }

    #[test]
    fn junits_names_are_node_ids_where_a_file_is_there() {
        let text = r#"<testsuites><testsuite>
            <testcase classname="tests.test_a" name="test_x[a.b]" time="0.25"/>
            <testcase classname="tests.test_a" name="test_x[a.b]" time="0.5"/>
            <testcase classname="tests.unit.test_b.TestY.TestZ" name="test_z" time="1"/>
            <testcase classname="tests.gone" name="test_q" time="1"/>
        </testsuite></testsuites>"#;
        let expected = [
            "tests/test_a.py::test_x[a.b] 0 0.25",
            "tests/test_a.py::test_x[a.b] 1 0.5",
            "tests/unit/test_b.py::TestY::TestZ::test_z 0 1",
            "? tests.gone.test_q",
        ];
        let expected = expected.map(str::to_owned).to_vec();
        assert_eq!(taken("junit.xml", text), Ok(expected));
    }

    #[test]
    fn another_file_is_refused() {
        let error = taken("x.toml", "a = 1").expect_err("no format of ours");
        let expected =
            "understand /x.toml: it is neither JUnit XML nor pytest-split's .test_durations";
        assert!(error.starts_with(expected), "{error}");
    }
}
