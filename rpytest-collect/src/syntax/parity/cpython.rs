//! The definitions and imports of a file, by CPython and by us: functions, classes and what is in these.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::files::test_python;
use crate::syntax::{ModuleSummary, Stmt, StmtKind};

/// One line a definition, for each path; None where CPython does not parse it.
pub(super) fn definitions(paths: &[PathBuf]) -> Vec<Option<Vec<String>>> {
    let mut child = Command::new(test_python())
        .args(["-X", "utf8", "-c", include_str!("definitions.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut input = child.stdin.take().expect("it is piped");
    let lines: Vec<String> = paths
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.concat().as_bytes()));
    let out = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads them all");
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).expect("JSON is text");
    let found: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a list or null"))
        .collect();
    assert_eq!(found.len(), paths.len());
    found
}

pub(super) fn definitions_of(summary: &ModuleSummary) -> Vec<String> {
    let mut out = Vec::new();
    add(&summary.body, "", &mut out);
    out
}

fn add(body: &[Stmt], owner: &str, out: &mut Vec<String>) {
    for Stmt { line, kind } in body {
        match kind {
            StmtKind::Function(function) => {
                out.push(format!("{}: def {owner}{}", function.line, function.name));
            }
            StmtKind::Class(class) => {
                out.push(format!("{}: class {owner}{}", class.line, class.name));
                add(&class.body, &format!("{owner}{}.", class.name), out);
            }
            StmtKind::Import(names) => {
                let implied = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
                out.push(format!("{line}: import {}", aliases(names, implied)));
            }
            StmtKind::From {
                level,
                module,
                names,
            } => {
                let dots = ".".repeat(*level as usize);
                let names = aliases(names, str::to_owned);
                out.push(format!("{line}: from {dots}{module} import {names}"));
            }
            StmtKind::Block { body, .. } => add(body, owner, out),
            StmtKind::Assign { .. } | StmtKind::Delete(_) | StmtKind::Expr(_) => {}
        }
    }
}

fn aliases(names: &[(String, String)], implied: impl Fn(&str) -> String) -> String {
    let names = names.iter().map(|(name, bound)| {
        if *bound == implied(name) {
            name.clone()
        } else {
            format!("{name} as {bound}")
        }
    });
    names.collect::<Vec<_>>().join(", ")
}
