//! What growing a session would do outside of its process happens in runs only.

use crate::support::normal::normal;
use crate::support::python::main_venv;
use crate::support::{Command, Project};

use super::{Daemon, borrowed_a_session};

/// Runs it so often as pytest and with a daemon, each in a copy of its own, and compares each run.
fn as_pytest(files: &str, shared: bool) {
    let (ours, theirs) = (Project::new(files), Project::new(files));
    let daemon = Daemon::start(&ours);
    let mut borrowed = false;
    for turn in 0..6 {
        let plain = Command::pytest(main_venv(), &theirs).args(["-rA"]).run();
        let with = daemon.run(&["-rA", "--explain"]);
        borrowed |= borrowed_a_session(&with);
        let (plain, with) = (normal(&plain, &theirs), normal(&with, &ours));
        assert_eq!(plain.stdout, with.stdout, "{turn}");
        assert_eq!(plain.code, with.code, "{turn}");
        assert_eq!(theirs.read("log"), ours.read("log"), "{turn}");
        daemon.has_settled();
    }
    assert_eq!(borrowed, shared, "whether a session was lent");
    daemon.stop();
}

#[test]
fn hooks_of_the_session_run_once_for_each_run() {
    as_pytest(
        "
--- conftest.py
from pathlib import Path

def pytest_sessionstart(session):
    Path('started').write_text('x')
    with open('log', 'a') as log:
        log.write('start ')

def pytest_sessionfinish(session):
    Path('started').unlink()
    with open('log', 'a') as log:
        log.write('finish ')
--- test_a.py
from pathlib import Path

def test_started():
    assert Path('started').exists()
",
        false,
    );
}

#[test]
fn a_directory_made_at_import_is_each_runs_own() {
    as_pytest(
        "
--- test_a.py
import atexit
import os
import shutil
import tempfile

PLACE = tempfile.mkdtemp()
atexit.register(shutil.rmtree, PLACE)

def test_place():
    assert os.listdir(PLACE) == []
    open(os.path.join(PLACE, 'x'), 'w').close()
",
        false,
    );
}

#[test]
fn a_thread_and_a_port_are_each_runs_own() {
    as_pytest(
        "
--- test_a.py
import socket
import threading

EVENT = threading.Event()
THREAD = threading.Thread(target=EVENT.wait, daemon=True)
THREAD.start()
SERVER = socket.create_server(('127.0.0.1', 0))

def test_alive():
    assert THREAD.is_alive()
    client = socket.create_connection(SERVER.getsockname())
    client.close()
    SERVER.accept()[0].close()
    EVENT.set()
    THREAD.join(10)
    assert not THREAD.is_alive()
",
        false,
    );
}

#[test]
fn the_time_of_an_import_is_the_runs() {
    as_pytest(
        "
--- test_a.py
import time

BEGIN = time.time()

def test_fresh():
    assert time.time() - BEGIN < 1.5
--- test_z.py
import time

def test_slow():
    time.sleep(0.3)
",
        false,
    );
}

#[test]
fn chance_is_new_in_each_run() {
    let project = Project::new(
        "
--- conftest.py
import random

GENERATOR = random.Random()
SEEDED = random.Random(7)
--- test_a.py
import random
import uuid
from conftest import GENERATOR, SEEDED

def test_chance():
    with open('log', 'a') as log:
        words = random.random(), GENERATOR.random(), uuid.uuid4()
        print(*words, file=log)
    assert SEEDED.random() == 0.32383276483316237
",
    );
    let daemon = Daemon::start(&project);
    let mut borrowed = 0;
    for _ in 0..4 {
        let run = daemon.run(&["-q", "--explain"]);
        assert_eq!(run.code, 0, "{run}");
        borrowed += usize::from(borrowed_a_session(&run));
        daemon.has_settled();
    }
    assert!(borrowed >= 2, "{borrowed} runs borrowed a session");
    let words = project.words("log");
    assert_eq!(words.len(), 12);
    let mut distinct = words.clone();
    distinct.dedup();
    assert_eq!(words, distinct, "no two runs have the same numbers");
    daemon.stop();
}
