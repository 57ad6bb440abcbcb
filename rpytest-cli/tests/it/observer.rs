//! What the comparison of whole suites (`tests/observer`) takes for a difference.

use std::path::Path;
use std::process::Command;

use crate::support::Project;
use crate::support::python::plain_venv;

const PYTEST: &str = r#"
--- pytest.xml
<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="2" time="0.01" timestamp="2026-01-01T00:00:00" hostname="here">
<testcase classname="test_a" name="test_one" time="0.1"><properties><property name="key" value="1"/></properties><system-out>said</system-out></testcase>
<testcase classname="test_a" name="test_two" time="0.1"><failure message="assert &lt;X at 0x7f0012345678&gt;">at /tmp/pytest-of-me/pytest-1/x</failure ></testcase>
</testsuite></testsuites>
"#;

/// What another file says that differs by these replacements.
fn compared(replacements: &[(&str, &str)]) -> (i32, String) {
    let project = Project::new(PYTEST);
    let mut other = project.read("pytest.xml");
    for (old, new) in replacements {
        assert!(other.contains(old), "{old}");
        other = other.replace(old, new);
    }
    project.write(&format!("--- rpytest.xml\n{other}"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/observer/compare_junit.py");
    let output = Command::new(plain_venv().bin().join("python"))
        .arg(script)
        .args(["pytest.xml", "rpytest.xml"])
        .current_dir(project.root())
        .output()
        .expect("it runs");
    let code = output.status.code().expect("an exit code");
    (code, String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn times_and_addresses_of_a_junit_file_are_no_difference() {
    for replacements in [
        &[][..],
        &[
            ("time=\"0.01\"", "time=\"9\""),
            ("hostname=\"here\"", "hostname=\"there\""),
        ],
        &[
            ("0x7f0012345678", "0x7f0099999999"),
            ("pytest-1/", "pytest-77/"),
        ],
    ] {
        let (code, said) = compared(replacements);
        assert_eq!((code, &*said), (0, "2 and 2 cases: equal\n"));
    }
}

#[test]
fn whatever_else_a_junit_file_says_is_compared() {
    for (replacement, expected) in [
        (("test_two", "test_three"), "missing: 1"),
        (("<system-out>said", "<system-out>shouted"), "| shouted"),
        (("value=\"1\"", "value=\"2\""), "other contents: 1"),
        (("failure ", "error "), "test_two: failed, then error"),
        (("failures=\"1\"", "failures=\"2\""), "names and counts"),
        (
            ("message=\"assert", "message=\"AssertionError: assert"),
            "test_a::test_two",
        ),
    ] {
        let (code, said) = compared(&[replacement]);
        assert!(code == 1 && said.contains(expected), "{expected}: {said}");
    }
    let (one, two) = ("name=\"test_one\"", "name=\"test_two\"");
    let (code, said) = compared(&[(one, "name=\"?\""), (two, one), ("name=\"?\"", two)]);
    assert!(
        code == 1 && said.contains("the order of the cases is another"),
        "{said}"
    );
}
