//! The Python side that the crate carries, as far as it can be told without running any test.

use std::ffi::OsString;
use std::path::Path;

use rpytest_worker::interpreter::{Surroundings, ThisProcess};
use rpytest_worker::{EventKind, ProcessEnd, PythonFiles, Signal, SpawnError};

use crate::lab::{is_running, lab_with};

/// Where the interpreter has a pytest, its host serves; where it has none, that is what is reported.
#[test]
fn the_host_serves_or_says_that_there_is_no_pytest() {
    let cache = tempfile::tempdir().expect("a directory");
    let files = PythonFiles::unpack(&InCache(cache.path())).expect("it can be written to");
    let mut lab = lab_with("", |options| options.python = files);
    let host = lab.spawn_host();
    let children = [lab.fork(host), lab.fork(host)];
    let missing =
        |kind: &EventKind| matches!(kind, EventKind::StartFailed(SpawnError::NoPytest { .. }));
    let served = |kind: &EventKind| matches!(kind, EventKind::Ready(_));
    let at = lab.wait(host, |kind| missing(kind) || served(kind));
    if lab.is_last(at) {
        for child in children {
            assert!(matches!(lab.last(child), EventKind::ForkFailed(_)));
        }
    } else {
        for child in children {
            let pid = lab.ready(child);
            lab.supervisor.kill(child, Signal::Kill);
            assert_eq!(lab.end(child).status, ProcessEnd::Signal(9));
            assert!(!is_running(pid));
        }
    }
    lab.finish();
}

struct InCache<'a>(&'a Path);

impl Surroundings for InCache<'_> {
    fn var(&self, name: &str) -> Option<OsString> {
        match name {
            "RPYTEST_CACHE_DIR" => Some(self.0.into()),
            name => ThisProcess.var(name),
        }
    }
}
