//! Sessions that are kept: the file is looked at again, and the day is today's.

use super::Daemon;
use crate::support::Project;

#[test]
fn neither_the_file_nor_the_day_is_frozen() {
    let project = Project::new(
        r#"
--- conftest.py
from rpytest_worker.quarantine import _Clock

now = _Clock.time

def later():
    # As if the session had been kept until then.
    return now() + ("later" in open("when").read()) * 1000 * 366 * 86400

_Clock.time = later
--- when
now
--- test_a.py
def test_fails():
    assert 0
--- quarantine.toml
[[quarantine]]
test = "test_a.py::test_fails"
reason = "known"
expires = 2999-12-31
"#,
    );
    project.settle();
    let daemon = Daemon::start(&project);
    let run = || daemon.run(&["--quarantine=quarantine.toml"]);
    run().expect(0, "1 xfailed");
    daemon.has_settled();
    run().expect(0, "1 xfailed");
    project.write("--- when\nlater\n");
    run().expect(1, "1 failed");
    project.write("--- when\nnow\n--- quarantine.toml\n");
    run().expect(1, "1 failed");
}
