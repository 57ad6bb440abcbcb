//! The keys, on a terminal.

use rustix::process::Signal;
use rustix::termios::{LocalModes, tcgetattr};

use super::END;
use crate::support::python::main_venv;
use crate::support::run::{Running, stands_still};
use crate::support::screen::Screen;
use crate::support::{Command, Project};

const SUITE: &str = "
--- pytest.ini
[pytest]
markers = slow: ...
--- test_a.py
import pytest
def test_one(): pass
@pytest.mark.slow
def test_two(): pass
--- test_b.py
def test_three(): assert 0
def test_four(): pass
";

struct OnScreen {
    screen: Screen,
    running: Running,
    seen: usize,
}

impl OnScreen {
    fn start(project: &Project) -> Self {
        let screen = Screen::new(100);
        let running = Command::rpytest(main_venv(), project)
            .without("COLUMNS")
            .args(["--watch", "-q", "-p", "no:cacheprovider"])
            .on_terminal(&screen.terminal);
        OnScreen {
            screen,
            running,
            seen: 0,
        }
    }

    /// What is shown until this text.
    fn until(&mut self, wanted: &str) -> String {
        let new = |screen: &Screen, seen: usize| {
            let text = screen.text();
            let new = text.get(seen..).unwrap_or_default();
            let at = new.find(wanted)?;
            Some(new[..at + wanted.len()].to_owned())
        };
        let (screen, seen) = (&self.screen, self.seen);
        self.running.until(wanted, || new(screen, seen).is_some());
        let shown = new(screen, seen).expect("it was there");
        self.seen += shown.len();
        shown
    }

    /// Types, and returns what is shown until the next run has ended.
    fn after(&mut self, keys: &str) -> String {
        self.screen.types(keys);
        self.until(END)
    }

    /// Waits until it reads single keys.
    fn listens(&mut self) {
        let terminal = self.screen.terminal.try_clone().expect("a descriptor");
        let single = || {
            let modes = tcgetattr(&terminal).expect("a terminal");
            !modes.local_modes.contains(LocalModes::ICANON)
        };
        self.running.until("it reads keys", single);
    }
}

#[test]
fn keys_run_and_filter() {
    let project = Project::new(SUITE);
    let mut watch = OnScreen::start(&project);
    let first = watch.until(END);
    assert!(first.contains("1 failed, 3 passed in"), "{first}");
    watch.listens();
    watch.screen.types("?");
    let help = watch.until("Ctrl-D do\n");
    assert!(help.contains("Enter  run again what ran last"), "{help}");
    for (keys, shown) in [
        ("f", ["those that failed: 1 test file", "1 failed in"]),
        ("\n", ["again: 1 test file", "1 failed in"]),
        ("a", ["asked for: all tests", "1 failed, 3 passed in"]),
        (
            "kone or two\n",
            [
                "another filter: all tests -k \"one or two\"",
                "rpytest: 2 passed in",
            ],
        ),
        (
            "mslow\n",
            [
                "all tests -k \"one or two\" -m \"slow\"",
                "rpytest: 1 passed in",
            ],
        ),
        (
            "k\n",
            [
                "another filter: all tests -m \"slow\"",
                "rpytest: 1 passed in",
            ],
        ),
        (
            "m\n",
            ["another filter: all tests\n", "1 failed, 3 passed in"],
        ),
        (
            "ptest_a\n",
            ["1 test file path \"test_a\"", "rpytest: 2 passed in"],
        ),
        (
            "p*_b.py\n",
            ["1 test file path \"*_b.py\"", "1 failed, 1 passed in"],
        ),
        ("p\n", ["all tests\n", "1 failed, 3 passed in"]),
    ] {
        let text = watch.after(keys);
        for part in shown {
            assert!(text.contains(part), "{keys:?}: {part:?} is not in\n{text}");
        }
        watch.listens();
    }
    // A change that a filter leaves out shows nothing: what comes next is the answer to a key.
    watch.after("ptest_a\n");
    watch.listens();
    project.put("test_b.py", "def test_three(): assert 0\n");
    watch.screen.types("pnowhere\n");
    let text = watch.until("there is no test file with \"nowhere\" in its path");
    assert!(!text.contains("changed"), "{text}");
    watch.screen.types("q");
    let OnScreen {
        screen, running, ..
    } = watch;
    assert_eq!(running.wait().code, 0);
    let modes = tcgetattr(&screen.terminal).expect("a terminal");
    assert!(
        modes
            .local_modes
            .contains(LocalModes::ICANON | LocalModes::ECHO)
    );
}

#[test]
fn the_terminal_belongs_to_the_tests_while_they_run() {
    let project = Project::new(
        "
--- test_a.py
def test_asks():
    assert input('who? ') == 'me'
",
    );
    let mut watch = OnScreen::start(&project);
    let failed = watch.until(END);
    assert!(failed.contains("1 failed in"), "{failed}");
    watch.listens();
    // While it is suspended the terminal is as it was.
    watch.screen.types("\x1a");
    let pid = watch.running.pid();
    watch.running.until("it stands still", || stands_still(pid));
    let modes = tcgetattr(&watch.screen.terminal).expect("a terminal");
    assert!(
        modes
            .local_modes
            .contains(LocalModes::ICANON | LocalModes::ECHO)
    );
    watch.running.signal(Signal::CONT);
    watch.listens();
    // With no capture it can be asked.
    project.put("pytest.ini", "[pytest]\naddopts = -s\n");
    watch.until("who? ");
    let text = watch.after("me\n");
    assert!(text.contains("1 passed in"), "{text}");
    watch.listens();
    // Ctrl-C ends it, with the code of the last run.
    watch.screen.types("\x03");
    assert_eq!(watch.running.wait().code, 0);
    let modes = tcgetattr(&watch.screen.terminal).expect("a terminal");
    assert!(
        modes
            .local_modes
            .contains(LocalModes::ICANON | LocalModes::ECHO)
    );
}
