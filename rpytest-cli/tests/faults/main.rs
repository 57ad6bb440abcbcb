//! Faults at random points of many runs: whatever dies, stands still or is used up, a run ends in bounded time, each test
//! has one final status or the run fails and says why, nothing is left behind, and the next run is right.
//!
//! `RPYTEST_FAULTS=2000 cargo test --release -p rpytest-cli --test faults -- --nocapture` injects that many faults and prints what
//! came of them. Which ones they are follows from `RPYTEST_FAULTS_SEED`; when exactly they strike is the machine's choice.
//! `RPYTEST_FAULTS_KIND`, as in "few descriptors", leaves out all but those of one kind.

// Processes, their parents and their environments are read in /proc.
#![cfg(target_os = "linux")]

mod checks;
#[path = "../environment/mod.rs"]
mod environment;
mod fault;
mod processes;
mod suite;
#[allow(dead_code, reason = "the other test binary uses all of it")]
#[path = "../it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rpytest_sched::simulate::Random;

use self::environment::number;
use self::fault::{Fault, Kind};
use self::suite::{Mode, Suite};

/// How many faults a run of the tests injects, unless `RPYTEST_FAULTS` says.
const FAULTS: u64 = 27;

/// Projects that are broken at the same time: as many as the smallest machine has processors.
const AT_ONCE: usize = 2;

#[test]
fn whatever_happens_the_run_tells_the_truth() {
    let faults = number("RPYTEST_FAULTS", FAULTS);
    let seed = number("RPYTEST_FAULTS_SEED", 1);
    let only = env::var("RPYTEST_FAULTS_KIND").ok();
    let next = AtomicU64::new(0);
    let outcomes: Mutex<BTreeMap<(&str, String), u64>> = Mutex::default();
    let failed: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // A project lives through all that its thread injects: what one fault leaves, the next one finds.
                let mut suites = BTreeMap::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= faults {
                        break;
                    }
                    let kind = Kind::of_number(number);
                    if only.as_deref().is_some_and(|only| kind.name() != only) {
                        continue;
                    }
                    // Each has chances of its own, so that one of many can be had again alone.
                    let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
                    let mode = Mode::any(&mut random);
                    let suite = suites.entry(mode).or_insert_with(|| Suite::new(mode));
                    let fault = Fault::any(kind, suite, &mut random);
                    let what = format!("fault {number} of seed {seed}, {mode:?}: {fault:?}");
                    let survives = AssertUnwindSafe(|| suite.survives(&fault, &what));
                    let came = catch_unwind(survives).unwrap_or_else(|_| {
                        // What has been damaged here is no other fault's.
                        suites.remove(&mode);
                        failed.lock().expect("nobody panicked").push(what);
                        "NOT SURVIVED".to_owned()
                    });
                    let mut outcomes = outcomes.lock().expect("nobody panicked");
                    *outcomes.entry((kind.name(), came)).or_default() += 1;
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("nobody panicked");
    println!("{} faults:", outcomes.values().sum::<u64>());
    for ((kind, came), count) in &outcomes {
        println!("{count:6}  {kind:20} {came}");
    }
    assert!(
        !outcomes.is_empty(),
        "there are no faults of the kind {only:?}"
    );
    let failed = failed.into_inner().expect("nobody panicked");
    assert!(failed.is_empty(), "not survived, see above: {failed:#?}");
}
