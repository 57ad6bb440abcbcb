//! The Python side of the codec against the same golden files, and against hostile input.

use std::path::Path;
use std::process::Command;

/// Any Python 3.10 or later. Whether one works is only known by starting it: a version manager's
/// stand-in may be on the path for versions that are not selected.
fn python() -> &'static str {
    [
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
        "python3.10",
        "python3",
        "python",
    ]
    .into_iter()
    .find(|name| {
        Command::new(name)
            .args(["-c", "import sys; sys.exit(sys.version_info < (3, 10))"])
            .output()
            .is_ok_and(|output| output.status.success())
    })
    .expect("this test needs Python 3.10 or later on the path")
}

#[test]
fn the_python_side_speaks_the_same() {
    let krate = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python())
        // No files are left beside the sources.
        .arg("-B")
        .arg(krate.join("tests/python_golden.py"))
        .arg(krate.join("../rpytest-worker/python"))
        .arg(krate.join("tests/golden"))
        .output()
        .expect("the interpreter was started before");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    // Each check says that it has run.
    assert!(out.lines().count() >= 10, "{out}");
}
