//! Each library of rpytest alone, then a test harness from all of them. See `examples/`:
//!
//! - `shard_plan` (rpytest-sched): from durations to a plan and to shards
//! - `frames` (rpytest-ipc): the protocol over a socket pair
//! - `one_process` (rpytest-worker): start an interpreter with pytest, fork it, see how the fork ends
//! - `ci_harness` (all): collect natively, shard by file, run each shard in a fork of one interpreter
//!
//! `collect_tree` is with its crate, rpytest-collect.
