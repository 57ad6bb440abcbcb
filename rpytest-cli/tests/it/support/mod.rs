//! What the tests share: environments, projects, bounded runs, and the text that two runs share.

pub mod daemon;
pub mod normal;
pub mod project;
pub mod python;
pub mod run;
pub mod screen;

pub use project::Project;
pub use run::{Command, Run};

/// One test that says that it runs, by the file `runs`, and then goes on until it is interrupted.
pub const RUNS_ON: &str = "
--- test_a.py
import time

def test_a():
    open('runs', 'w').close()
    while True:
        time.sleep(0.01)
";

/// How a session is asked to run its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Without `-n`: in the session's own process.
    InProcess,
    /// `-n 1`.
    OneWorker,
    /// `-n 2`.
    TwoWorkers,
}

/// All of them.
pub const WAYS: [Way; 3] = [Way::InProcess, Way::OneWorker, Way::TwoWorkers];

impl Way {
    /// The arguments that ask for it.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Way::InProcess => &[],
            Way::OneWorker => &["-n", "1"],
            Way::TwoWorkers => &["-n", "2"],
        }
    }
}
