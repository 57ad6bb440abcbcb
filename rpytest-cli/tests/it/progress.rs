//! The line below the report: it is there while tests run, and when they are over nobody can tell that it was.

use rustix::process::Signal;
use std::fs;

use crate::support::normal::{difference, normal_text};
use crate::support::python::main_venv;
use crate::support::run::{eventually, stands_still};
use crate::support::screen::Screen;
use crate::support::{Command, Project, Way};

/// Rows of `Screen`.
const ROWS: usize = 30;

const COLUMNS: u16 = 90;

/// More lines than there are rows, with one test that waits while they are looked at.
const SUITE: &str = "
--- test_a.py
import time
from pathlib import Path
import pytest

@pytest.mark.parametrize('n', range(20))
def test_many(n, capsys):
    if n == 7:
        with capsys.disabled():
            print('aside')
            print('and another')
            print('and the last')

def test_fails():
    assert [1] == [2]

def test_slow():
    limit = time.monotonic() + 60
    while not Path('go').exists():
        assert time.monotonic() < limit
        time.sleep(0.01)

@pytest.mark.parametrize('n', range(20))
def test_more(n):
    time.sleep(0.01)
";

/// What a terminal makes of what is written to it: its rows, those that have gone up out of sight as well.
fn rows(written: &str) -> Vec<String> {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column, mut top, mut saved) = (0, 0, 0, (0, 0));
    let mut rest = written.chars();
    while let Some(character) = rest.next() {
        match character {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                column = 0;
            }
            '\x1b' => match rest.next() {
                Some('D') => row += 1,
                Some('7') => saved = (row - top, column),
                Some('8') => (row, column) = (top + saved.0, saved.1),
                Some('[') => {
                    let mut command = String::new();
                    for character in rest.by_ref() {
                        command.push(character);
                        if character.is_ascii_alphabetic() {
                            break;
                        }
                    }
                    match command.as_str() {
                        "A" => row = top.max(row - 1),
                        "B" => row = (top + ROWS - 1).min(row + 1),
                        "J" => {
                            rows.truncate(row + 1);
                            if let Some(line) = rows.get_mut(row) {
                                // At the right margin the cursor stands on the last letter still.
                                line.truncate(column.min(usize::from(COLUMNS) - 1));
                            }
                        }
                        "2K" => rows.get_mut(row).into_iter().for_each(Vec::clear),
                        other => assert!(other.ends_with('m'), "{other:?} is not known"),
                    }
                }
                other => panic!("{other:?} is not known"),
            },
            character => {
                while rows.len() <= row {
                    rows.push(Vec::new());
                }
                let line = &mut rows[row];
                while line.len() <= column {
                    line.push(' ');
                }
                line[column] = character;
                column += 1;
            }
        }
        top = top.max((row + 1).saturating_sub(ROWS));
    }
    let texts = rows.iter().map(|row| row.iter().collect::<String>());
    texts.map(|row| row.trim_end().to_owned()).collect()
}

fn command<'a>(project: &'a Project, way: Way, arguments: &[&str]) -> Command<'a> {
    Command::rpytest(main_venv(), project)
        .without("COLUMNS")
        .without("RPYTEST_NO_PROGRESS")
        .env("TERM", "xterm")
        .args(way.arguments())
        .args(arguments)
}

/// Runs it on a terminal, and returns what was written to it. The test that waits goes on when `seen` is so.
fn on_screen(
    command: Command<'_>,
    project: &Project,
    seen: impl Fn(&str) -> bool,
) -> (String, i32) {
    let screen = Screen::new(COLUMNS);
    let running = command.on_terminal(&screen.terminal);
    eventually("the line is as expected", || seen(&screen.text()));
    fs::write(project.root().join("go"), "").expect("written");
    let code = running.wait().code;
    (screen.whole_text(), code)
}

/// The rows that runs have in common: with workers, tests come in any order.
fn alike(text: &str, project: &Project, way: Way) -> String {
    let rows = rows(text).join("\n");
    let text = normal_text(&rows, project.base());
    if way == Way::InProcess {
        return text.trim_end().to_owned();
    }
    let lines = text.lines().map(|line| {
        let line = match line.rfind(" [") {
            Some(at) if line.ends_with("%]") => line[..at].trim_end(),
            _ => line,
        };
        let mut letters: Vec<char> = line.chars().collect();
        if letters.iter().all(|letter| ".FEsxX".contains(*letter)) {
            letters.sort_unstable();
        }
        letters.into_iter().collect()
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines.join("\n").trim().to_owned()
}

#[test]
fn it_names_what_runs_and_leaves_no_trace() {
    for way in [Way::InProcess, Way::TwoWorkers] {
        for arguments in [&["-v"][..], &[]] {
            // A worker's own prints are nobody's to keep clear of; and without -v it is a matter of milliseconds how many
            // letters stand before those of a test.
            let prints = way == Way::InProcess && !arguments.is_empty();
            let select = if prints { &[][..] } else { &["-k", "not many"] };
            let arguments = [arguments, select].concat();
            let project = Project::new(SUITE);
            let plain = command(&project, way, &arguments).env("RPYTEST_NO_PROGRESS", "1");
            let (plain, code) = on_screen(plain, &project, |text| text.contains("collected"));
            let expected = alike(&plain, &project, way);
            assert!(!plain.contains("\x1bD"), "{plain:?}");
            let project = Project::new(SUITE);
            let total = if prints { 42 } else { 22 };
            let seen = |text: &str| {
                let of_all = format!("/{total}, 1 failed");
                let drawn = text.split("\x1b[2K").skip(1);
                drawn
                    .map(|rest| rest.split("\x1b8").next().unwrap_or_default())
                    .any(|line| line.contains(&of_all) && line.contains("] test_a.py::test_slow "))
            };
            let (shown, shown_code) = on_screen(command(&project, way, &arguments), &project, seen);
            assert_eq!(shown_code, code);
            let got = alike(&shown, &project, way);
            assert!(
                got == expected,
                "{way:?} {arguments:?}\n{}",
                difference(&expected, &got)
            );
        }
    }
}

#[test]
fn it_is_where_somebody_watches_only() {
    let project = Project::new("--- test_a.py\ndef test_a():\n    pass\n");
    let has_room = |command: Command<'_>| {
        let (text, code) = on_screen(command, &project, |_| true);
        assert_eq!(code, 0, "{text}");
        text.contains("\x1b[J")
    };
    for way in [Way::InProcess, Way::TwoWorkers] {
        assert!(has_room(command(&project, way, &[])), "{way:?}");
    }
    let solo = |arguments| command(&project, Way::InProcess, arguments);
    for arguments in [
        &["-s"][..],
        &["--no-progress"],
        &["-o", "log_cli=1"],
        &["-o", "console_output_style=classic"],
        &["--setup-show"],
    ] {
        assert!(!has_room(solo(arguments)), "{arguments:?}");
    }
    for (name, value) in [
        ("CI", "true"),
        ("TERM", "dumb"),
        ("RPYTEST_NO_PROGRESS", "1"),
    ] {
        assert!(!has_room(solo(&[]).env(name, value)), "{name}={value}");
    }
    let run = solo(&[]).run();
    assert!(!run.stdout.contains('\x1b'), "no terminal: {run}");
}

#[test]
fn whoever_has_the_terminal_meanwhile_has_it_alone() {
    let project = Project::new(SUITE);
    let mut screen = Screen::new(COLUMNS);
    let command_of = |project| command(project, Way::InProcess, &["-k", "slow"]);
    let running = command_of(&project).on_terminal(&screen.terminal);
    eventually("the line", || screen.text().contains("test_slow "));
    screen.types("\x1a");
    let pid = running.pid();
    eventually("it stands still", || stands_still(pid));
    eventually("it is gone", || screen.text().ends_with("\x1b[J"));
    running.signal(Signal::CONT);
    fs::write(project.root().join("go"), "").expect("written");
    assert_eq!(running.wait().code, 0, "{}", screen.text());

    // In the background of a shell.
    let project =
        Project::new("--- test_a.py\nimport time\n\ndef test_a():\n    time.sleep(1.5)\n");
    let screen = Screen::new(COLUMNS);
    let shell = Command::shell(main_venv(), &project, "set -m; \"$rpytest\" & wait $!")
        .without("COLUMNS")
        .without("RPYTEST_NO_PROGRESS")
        .env("TERM", "xterm");
    assert_eq!(shell.on_terminal(&screen.terminal).wait().code, 0);
    eventually("the report", || screen.text().contains("1 passed"));
    assert!(!screen.text().contains("\x1bD"), "{:?}", screen.text());
}
