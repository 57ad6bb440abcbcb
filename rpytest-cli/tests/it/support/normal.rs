//! The part of a command's output that two equal runs have in common.

use std::path::Path;

use super::{Project, Run};

/// Removes what differs from run to run: times, addresses, temporary paths, and the width of a rule
/// around a time; and the marks that rpytest adds to the list of `--markers`. Nothing else: an exception that one
/// project needs is that project's.
pub fn normal(run: &Run, project: &Project) -> Run {
    let text = |text: &str| normal_text(text, project.base());
    Run {
        stdout: text(&run.stdout),
        stderr: text(&run.stderr),
        code: run.code,
    }
}

/// The same of a text.
pub fn normal_text(text: &str, base: &Path) -> String {
    let text = text.replace(&*base.to_string_lossy(), "<base>");
    let mut out = String::with_capacity(text.len());
    let mut after_own_mark = false;
    for line in text.split_inclusive('\n') {
        let own_mark =
            line.starts_with("@pytest.mark.") && line.ends_with(" Provided by rpytest.\n");
        if own_mark || std::mem::take(&mut after_own_mark) && line == "\n" {
            after_own_mark = own_mark;
            continue;
        }
        let replaced = times(&addresses(&worker_temps(line)));
        if replaced.contains("<time>") && line.contains("===") {
            out.push_str(&rule(&replaced));
        } else {
            out.push_str(&replaced);
        }
    }
    out
}

/// `== 1 passed in 0.01s ==`, whatever its width is. Colours may stand before the rule.
fn rule(line: &str) -> String {
    let mut out = String::new();
    let mut equals = 0;
    for char in line.chars() {
        equals = if char == '=' { equals + 1 } else { 0 };
        if equals <= 2 {
            out.push(char);
        }
    }
    out
}

/// A worker's `tmp_path` is below a directory of the worker, as with xdist.
fn worker_temps(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("/popen-gw") {
        out.push_str(&rest[..at]);
        rest = rest[at + "/popen-gw".len()..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}

fn addresses(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("0x") {
        let digits = rest[at + 2..].trim_start_matches(|c: char| c.is_ascii_hexdigit());
        out.push_str(&rest[..at]);
        out.push_str("0x<address>");
        rest = digits;
    }
    out + rest
}

/// `0.12s`, `61.20s (0:01:01)`, and `0:00:02 ago`.
fn times(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let number = &rest[..rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len()];
        let after = &rest[number.len()..];
        let is_time = number.contains('.')
            && after.starts_with('s')
            && !after[1..].starts_with(|c: char| c.is_alphanumeric());
        if is_time {
            out.push_str("<time>");
            rest = &after[1..];
            if let Some(clock) = rest.strip_prefix(" (0:") {
                rest = clock.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
                rest = rest.strip_prefix(')').unwrap_or(rest);
            }
        } else {
            // An age: `cache from 0:00:02 ago`.
            let age = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
            if after.starts_with(':') && age.starts_with(" ago") {
                out.push_str("<time>");
                rest = age;
            } else {
                out.push_str(number);
                rest = after;
            }
        }
    }
    out + rest
}

/// A JUnit XML file without times and the machine's name.
pub fn junit(text: &str, base: &Path) -> String {
    let mut text = normal_text(text, base);
    for name in [" time=\"", " timestamp=\"", " hostname=\""] {
        let mut from = 0;
        while let Some(at) = text[from..].find(name) {
            let value = from + at + name.len();
            let end = value + text[value..].find('"').expect("an attribute ends");
            text.replace_range(value..end, "");
            from = value;
        }
    }
    text.replace('>', ">\n")
}

/// The lines in which two texts differ, with a few that they share around them.
pub fn difference(expected: &str, got: &str) -> String {
    let (a, b): (Vec<_>, Vec<_>) = (expected.lines().collect(), got.lines().collect());
    let width = b.len() + 1;
    let mut lengths = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i * width + j] = if a[i] == b[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push((' ', a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len()
            || (i < a.len() && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])
        {
            lines.push(('-', a[i]));
            i += 1;
        } else {
            lines.push(('+', b[j]));
            j += 1;
        }
    }
    let near = |at: usize| {
        lines[at.saturating_sub(2)..(at + 3).min(lines.len())]
            .iter()
            .any(|(sign, _)| *sign != ' ')
    };
    let mut out = String::new();
    for (at, (sign, line)) in lines.iter().enumerate() {
        if near(at) {
            out.push_str(&format!("  {sign}{}\n", line.escape_debug()));
        }
    }
    out
}

#[test]
fn only_what_differs_from_run_to_run_is_removed() {
    let text = "=== 1 passed, 2 failed in 61.25s (0:01:01) =====\n0.01s call t.py::t[1.5]\n\
                <A object at 0x7f00ab>\n/x/abc/tmp/popen-gw12/y\n==== FAILURES ====\n";
    let normal = normal_text(text, Path::new("/x/abc"));
    let expected = "== 1 passed, 2 failed in <time> ==\n<time> call t.py::t[1.5]\n\
                    <A object at 0x<address>>\n<base>/tmp/y\n==== FAILURES ====\n";
    assert_eq!(normal, expected);
    let marks =
        "@pytest.mark.a: b\n\n@pytest.mark.c: d. Provided by rpytest.\n\n@pytest.mark.e: f\n";
    let normal = normal_text(marks, Path::new("/x/abc"));
    assert_eq!(normal, "@pytest.mark.a: b\n\n@pytest.mark.e: f\n");
}
