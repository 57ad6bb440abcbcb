//! The `rpytest` command, run on real projects with real pytest, as a user runs it.
//!
//! The projects are in the tests, as text; the Python environments are made once, below the target
//! directory (`support::python`). `RPYTEST_TEST_PYTHON` names the interpreter to make them with.

#![cfg(unix)]

mod ci_templates;
mod costs;
mod daemon;
mod dialect;
mod discover;
mod editor;
mod equivalence;
mod events;
mod flaky;
mod garbage;
mod isolation;
mod losses;
mod names;
mod native;
mod native_cache;
mod native_merge;
mod observer;
mod options;
mod parity;
mod progress;
mod quarantine;
mod reruns;
mod rewriting;
mod shards;
#[allow(dead_code, reason = "the other test binaries use all of it")]
mod support;
mod timeouts;
mod timing;
mod timing_page;
mod verify;
mod versions;
mod watch;
