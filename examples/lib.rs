//! Each library of rpytest alone, then a test harness from all of them. See `examples/`:
//!
//! - `collect_tree` (rpytest-collect): the exact ids, and why the other files are partial
//! - `affected_tests` (rpytest-collect): from changed files to the test files that they concern
//! - `shard_plan` (rpytest-sched): from durations to a plan and to shards
//! - `frames` (rpytest-ipc): the protocol over a socket pair
//! - `one_process` (rpytest-worker): start an interpreter with pytest, fork it, see how the fork ends
//! - `ci_harness` (all): collect natively, shard by file, run each shard in a fork of one interpreter
