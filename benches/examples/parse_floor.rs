//! Reads and parses every Python file below a directory on all processors, and does nothing else: what no
//! collector that uses this parser can be faster than.
//!
//! `cargo run --release -p rpytest-benches --example parse_floor -- DIRECTORY`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

fn files(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|suffix| suffix == "py") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let mut found = Vec::new();
    files(Path::new(&directory), &mut found)?;
    let (next, statements) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let parse = || {
        while let Some(path) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
            let source = std::fs::read_to_string(path).unwrap_or_default();
            if let Ok(parsed) = ruff_python_parser::parse_module(&source) {
                statements.fetch_add(parsed.syntax().body.len(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(parse);
        }
    });
    println!(
        "{} files, {} statements",
        found.len(),
        statements.into_inner()
    );
    Ok(())
}
