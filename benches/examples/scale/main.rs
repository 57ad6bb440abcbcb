//! Scale, by simulation: how near `rpytest_sched` comes to the best possible run of 1,000 to 1,000,000 tests on 2 to 1,024
//! workers, beside pytest-xdist's and pytest-split's ways to distribute them, and what it costs.
//!
//! `cargo run --release -p rpytest-benches --example scale` prints the tables of rpytest-sched's README and writes them into it,
//! and the figure beside it. With `--quick` it tries small suites only and writes nothing. All but the timings is
//! the same at each run.
//!
//! Everyone has the same pool: a message takes 0.2 ms, and a worker begins a test when it knows the next one. What Python
//! takes on either side is left out.

mod contest;
mod ours;
mod plot;
mod pool;
mod random;
mod split;
mod suites;
mod table;
mod xdist;

use std::error::Error;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::contest::{Cell, LATENCY, Way};
use self::ours::Speed;
use self::suites::Shape;

/// A number of tests, and of workers.
type Size = (u32, u32);

/// What is tried.
struct Extent {
    runs: &'static [Size],
    shards: &'static [Size],
    speeds: &'static [Size],
    figure: (u32, &'static [u32]),
}

const WHOLE: Extent = Extent {
    runs: &[
        (1_000, 2),
        (1_000, 8),
        (10_000, 32),
        (100_000, 256),
        (1_000_000, 1_024),
    ],
    shards: &[(1_000, 4), (10_000, 16), (100_000, 64)],
    speeds: &[
        (1_000, 8),
        (10_000, 8),
        (100_000, 16),
        (100_000, 1_024),
        (1_000_000, 16),
        (1_000_000, 1_024),
    ],
    figure: (100_000, &[2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]),
};

const QUICK: Extent = Extent {
    runs: &[(1_000, 2), (1_000, 8), (10_000, 32)],
    shards: &[(1_000, 4), (10_000, 16)],
    speeds: &[(1_000, 8), (10_000, 8)],
    figure: (1_000, &[2, 4, 8, 16]),
};

fn main() -> Result<(), Box<dyn Error>> {
    let quick = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--quick") => true,
        Some(other) => return Err(format!("{other} is not --quick").into()),
    };
    let extent = if quick { QUICK } else { WHOLE };

    // Before this program itself keeps all processors busy.
    let speeds: Vec<Speed> = (extent.speeds.iter())
        .map(|&(tests, workers)| Speed::measure(tests, workers, LATENCY))
        .collect();
    let dispatched = [&Way::SINGLE[..], &Way::WHOLE].concat();
    let runs = contest(extent.runs, &dispatched);
    let shards = contest(extent.shards, &Way::SHARDS);
    let (tests, workers) = extent.figure;
    let sizes: Vec<Size> = workers.iter().map(|&workers| (tests, workers)).collect();
    let shown = contest(&sizes, &dispatched);

    let classes = [("", &Way::SINGLE[..]), ("files whole: ", &Way::WHOLE)];
    let runs_table = table::ratios(&runs, "workers", &classes);
    let shards_table = table::ratios(&shards, "machines", &[("", &Way::SHARDS)]);
    let made = format!(
        "Runs, makespan over bound:\n\n{runs_table}\n\
         Shards, the longest over the bound:\n\n{shards_table}\n\
         Seconds of one processor, with a heavy tail; files may be split unless it is said otherwise:\n\n{}",
        table::speeds(&speeds)
    );
    println!("{made}");
    println!("Worse than others by more than half a percent:\n");
    for cell in runs.iter().chain(&shards).chain(&shown) {
        for loss in cell.losses() {
            println!("- {loss}");
        }
    }
    let figure = plot::figure(&shown, tests);
    if !quick {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpytest-sched");
        let readme = beside.join("README.md");
        let text = std::fs::read_to_string(&readme)?;
        let text = table::replace(&text, &made).ok_or("the README has no marks")?;
        std::fs::write(readme, text)?;
        std::fs::write(beside.join("scale.svg"), figure)?;
    }
    Ok(())
}

/// Tries each shape in each size, on all processors.
fn contest(sizes: &[Size], ways: &[Way]) -> Vec<Cell> {
    let rows: Vec<(Shape, Size)> = (Shape::ALL.into_iter())
        .flat_map(|shape| sizes.iter().map(move |&size| (shape, size)))
        .collect();
    let (next, cells) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(shape, (tests, workers))) = rows.get(nth) else {
                break;
            };
            let cell = Cell::measure(shape, tests, workers, ways);
            cells.lock().expect("nobody panicked").push((nth, cell));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut cells = cells.into_inner().expect("nobody panicked");
    cells.sort_by_key(|(nth, _)| *nth);
    cells.into_iter().map(|(_, cell)| cell).collect()
}
