//! Prints the test files that a change of some files affects, and why each of them.
//!
//! `git diff --name-only main | xargs cargo run -p rpytest-examples --example affected_tests -- DIRECTORY`

use rpytest_collect::Collector;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| ".".into());
    let changed: Vec<String> = arguments.collect();
    let graph = Collector::new(directory).import_graph()?;
    let affected = graph.affected(&changed);
    for path in &affected.unknown {
        eprintln!("{path}: not a module of the project, so that it may concern every test");
    }
    for test in &affected.tests {
        let Some(dependencies) = graph.dependencies(test) else {
            continue;
        };
        let through = changed
            .iter()
            .find(|path| path.as_str() == *test || dependencies.files.contains(&path.as_str()));
        match (through, dependencies.dynamic.first()) {
            (Some(path), _) => println!("{test}: {path}"),
            (None, Some(import)) => println!("{test}: {} in {}", import.what, import.file),
            (None, None) => println!("{test}"),
        }
    }
    eprintln!(
        "{} of {} test files, {} files, {} cycles",
        affected.tests.len(),
        graph.test_files().count(),
        graph.files().count(),
        graph.cycles().len()
    );
    Ok(())
}
