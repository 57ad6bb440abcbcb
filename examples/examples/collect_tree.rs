//! Prints the ids of the exact files, and why the others are not.
//!
//! `cargo run -p rpytest-examples --example collect_tree -- [DIRECTORY [--cache=FILE|OPTION|PATH..]]`

use std::collections::BTreeMap;
use std::io::Write as _;

use rpytest_collect::{Collector, Completeness};

// A program chooses its allocator: with this one a large tree is collected in three quarters of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Options whose value is the next word.
const VALUE_FOLLOWS: [&str; 7] = ["-W", "-c", "-k", "-m", "-n", "-o", "-p"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| ".".into());
    let mut collector = Collector::new(directory).environment(std::env::vars_os());
    let (mut options, mut paths) = (Vec::new(), Vec::new());
    while let Some(word) = arguments.next() {
        let has_value = VALUE_FOLLOWS.contains(&word.as_str());
        match word.starts_with('-') {
            true => options.push(word),
            false => paths.push(word),
        }
        if has_value {
            options.extend(arguments.next());
        }
    }
    options.retain(|word| match word.strip_prefix("--cache=") {
        Some(file) => {
            collector = collector.clone().cache(file);
            false
        }
        None => true,
    });
    let collection = collector.paths(paths).options(options).collect()?;
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut items = 0;
    let mut partial = 0;
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &collection.files {
        match &file.completeness {
            Completeness::Exact => {
                items += file.items.len();
                for item in &file.items {
                    out.write_all(item.id.as_str().as_bytes())?;
                    out.write_all(b"\n")?;
                }
            }
            Completeness::Partial(reasons) => {
                partial += 1;
                if let Some(first) = reasons.first() {
                    eprintln!("{}: {first}", file.path);
                    *codes.entry(first.code()).or_default() += 1;
                }
            }
        }
    }
    for diagnostic in &collection.diagnostics {
        let line = diagnostic
            .line
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        eprintln!("{}{line}: {}", diagnostic.path, diagnostic.message);
    }
    eprintln!(
        "{items} tests in {} exact files, {partial} partial: {codes:?}",
        collection.files.len() - partial
    );
    out.flush()?;
    // The process ends: to free each id by itself would only take time.
    std::mem::forget(collection);
    Ok(())
}
