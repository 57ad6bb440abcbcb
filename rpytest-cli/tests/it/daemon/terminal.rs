//! The terminal of a run is the user's, whoever has started its processes.

use rustix::process::Signal;
use rustix::termios::{tcgetwinsize, tcsetwinsize};

use super::{Daemon, borrower, within};
use crate::support::normal::normal_text;
use crate::support::python::main_venv;
use crate::support::run::stands_still;
use crate::support::screen::Screen;
use crate::support::{Command, Project};

/// On a terminal of its own: runs it, types an answer to each question, and returns what was shown.
fn on_screen(
    command: Command<'_>,
    columns: u16,
    dialogue: &[(&str, &str)],
    project: &Project,
) -> (String, i32) {
    let mut screen = Screen::new(columns);
    let running = command.without("COLUMNS").on_terminal(&screen.terminal);
    for (question, answer) in dialogue {
        within(question, || screen.text().contains(question));
        screen.types(answer);
    }
    let code = running.wait().code;
    (normal_text(&screen.whole_text(), project.base()), code)
}

const SUITE: &str = "
--- test_a.py
import os
import shutil
import sys

def test_terminal():
    print('sizes', shutil.get_terminal_size(), [os.isatty(fd) for fd in range(3)])
    print('lines', sys.__stdout__.line_buffering, sys.__stderr__.line_buffering)
    assert os.isatty(2)

def test_fails():
    assert 0
";

#[test]
fn colours_widths_and_sizes_are_the_terminals() {
    let project = Project::new(SUITE);
    let daemon = Daemon::start(&project);
    for columns in [70, 110] {
        let plain = on_screen(
            Command::rpytest(main_venv(), &project).args(["-rA"]),
            columns,
            &[],
            &project,
        );
        for turn in 0..3 {
            let with = on_screen(daemon.command().args(["-rA"]), columns, &[], &project);
            assert_eq!(plain.1, with.1, "{columns} columns, {turn}");
            let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(lines(&plain.0), lines(&with.0), "{columns} columns, {turn}");
            daemon.has_settled();
        }
    }
    assert!(daemon.lent() > 0);
    daemon.stop();
}

#[test]
fn questions_are_asked_and_answered() {
    let project = Project::new(
        "
--- test_a.py
def test_asks():
    answer = input('who are you? ')
    assert answer == 'nobody'

def test_debugs():
    number = 41
    assert number == 42
",
    );
    let daemon = Daemon::start(&project);
    let dialogue = [
        ("who are you? ", "nobody\n"),
        ("(Pdb) ", "p number + 1000\n"),
        // Not before the prompt is back: until then the terminal itself echoes what is typed.
        ("1041\n(Pdb) ", "c\n"),
    ];
    let arguments = ["-s", "--pdb"];
    let plain = on_screen(
        Command::rpytest(main_venv(), &project).args(arguments),
        80,
        &dialogue,
        &project,
    );
    for _ in 0..3 {
        let with = on_screen(
            borrower(main_venv(), &project).args(arguments),
            80,
            &dialogue,
            &project,
        );
        assert_eq!(plain, with);
        daemon.has_settled();
    }
    daemon.stop();
}

#[test]
fn the_terminal_suspends_a_run_and_tells_it_its_size() {
    let project = Project::new(
        "
--- test_a.py
import os, signal, shutil, time
from pathlib import Path

def until(name):
    while not Path(name).exists():
        time.sleep(0.01)

def test_suspended():
    Path('pid.new').write_text(str(os.getpid()))
    Path('pid.new').rename('pid')
    until('go')

def test_resized(monkeypatch):
    monkeypatch.delenv('COLUMNS', raising=False)
    signal.signal(signal.SIGWINCH, lambda *_: Path('resized').write_text(str(os.get_terminal_size(0).columns)))
    Path('ready').touch()
    until('resized')
",
    );
    let daemon = Daemon::start(&project);
    for turn in 0..2 {
        let mut screen = Screen::new(80);
        let mut running = borrower(main_venv(), &project)
            .without("COLUMNS")
            .args(["-s"])
            .on_terminal(&screen.terminal);
        let path = |name: &str| project.root().join(name);
        running.until("the test runs", || path("pid").exists());
        let pid = std::fs::read_to_string(path("pid")).expect("written");
        screen.types("\x1a");
        let pid = pid.parse().expect("a number");
        running.until("it stands still", || stands_still(pid));
        let command = running.pid();
        running.until("the command does", || stands_still(command));
        std::fs::write(path("go"), "").expect("written");
        running.signal(Signal::CONT);
        running.until("it goes on", || path("ready").exists());
        let mut size = tcgetwinsize(&screen.terminal).expect("a size");
        size.ws_col = 93;
        tcsetwinsize(&screen.terminal, size).expect("a size");
        let end = running.wait();
        assert_eq!(end.code, 0, "{turn}: {}", screen.text());
        assert_eq!(
            std::fs::read_to_string(path("resized")).expect("written"),
            "93"
        );
        for name in ["pid", "go", "ready", "resized"] {
            std::fs::remove_file(path(name)).expect("removed");
        }
        daemon.has_settled();
    }
    daemon.stop();
}

#[test]
fn files_that_are_one_and_the_same_stay_so() {
    let project = Project::new(
        "
--- pytest.ini
--- test_a.py
import os, sys
print('collected')
print('collected, too', file=sys.stderr)
def test_a():
    print('tested')
    os.write(2, b'tested, too\\n')
    assert sys.stdin.read() == ''
",
    );
    let daemon = Daemon::start(&project);
    for redirections in [
        "</dev/null >/dev/null",
        "</dev/null >/dev/null 2>&1",
        "</dev/null >/dev/null 2>/dev/null",
        "</dev/null >../file",
        "</dev/null >../file 2>&1",
        "<../empty >>../file 2>>../file",
        "<../empty 1<>../file 2>&1",
        ">../file 0<&1 2>&1",
    ] {
        let script = format!(
            "rm -f ../file; : > ../empty; \"$rpytest\" -q -s -p no:cacheprovider {redirections}; \
             echo $?; cat ../file 2>/dev/null"
        );
        let run = |command: Command<'_>| {
            let run = command.run();
            (normal_text(&run.stdout, project.base()), run.stderr)
        };
        let expected = run(Command::shell(main_venv(), &project, &script));
        for turn in 0..3 {
            let shell = Command::shell(main_venv(), &project, &script);
            let got = run(shell.without("RPYTEST_NO_DAEMON"));
            assert_eq!(got, expected, "{redirections}, {turn}");
            daemon.has_settled();
        }
    }
    assert!(daemon.lent() > 2);
    daemon.stop();
}
