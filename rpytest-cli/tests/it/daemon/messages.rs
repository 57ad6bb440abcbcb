//! What machines are told of a run that begins from a session of the daemon's.

use super::{Daemon, borrowed_a_session};
use crate::events::{alike, are_in_order, lines};
use crate::support::Project;

#[test]
fn a_borrowed_session_tells_what_a_new_one_does() {
    let project = Project::new(
        "
--- pytest.ini
[pytest]
--- test_a.py
import warnings
import pytest

warnings.warn('of the module', UserWarning)

def test_a():
    print('to be seen')

def test_b():
    assert [1] == [2]
--- test_b.py
import pytest
pytest.skip('not here', allow_module_level=True)
",
    );
    let daemon = Daemon::start(&project);
    let arguments = ["--explain", "--message-format", "json=out.jsonl"];
    let mut expected: Option<Vec<String>> = None;
    for borrows in [false, true] {
        let run = daemon.run(&arguments);
        run.expect(1, "1 failed, 1 passed, 1 skipped, 1 warning");
        assert_eq!(borrowed_a_session(&run), borrows, "{run}");
        let events = lines(&project.read("out.jsonl"));
        are_in_order(&events);
        let alike = alike(&events, project.base());
        assert_eq!(alike, *expected.get_or_insert_with(|| alike.clone()));
        daemon.has_settled();
    }
    // Nobody who listens and who does not differ for the daemon: its sessions serve both.
    let plain = daemon.run(&["--explain"]);
    plain.expect(1, "1 failed, 1 passed, 1 skipped, 1 warning");
    assert!(borrowed_a_session(&plain), "{plain}");
    daemon.stop();
}
