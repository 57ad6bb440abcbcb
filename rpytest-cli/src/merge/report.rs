//! What the joined shards come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::proof::Part;
use crate::exit;
use crate::shard::manifest::{COVERAGE, is_failure};

/// In the order in which pytest names them.
const STATUSES: [&str; 7] = [
    "failed", "crashed", "passed", "skipped", "xfailed", "xpassed", "error",
];

struct Line {
    shard: u32,
    total: u32,
    assigned: usize,
    counts: BTreeMap<String, usize>,
    seconds: f64,
    predicted: Option<f64>,
    exit: Option<u8>,
}

/// The results of all shards.
pub(super) struct Report {
    lines: Vec<Line>,
    /// What failed: shard, status, test.
    failed: Vec<(u32, String, String)>,
    coverage: Vec<PathBuf>,
}

impl Report {
    pub fn new(parts: &[Part]) -> Self {
        let mut report = Self {
            lines: Vec::new(),
            failed: Vec::new(),
            coverage: Vec::new(),
        };
        for Part {
            directory,
            manifest,
        } in parts
        {
            let shard = manifest.shard;
            let mut line = Line {
                shard,
                total: manifest.total,
                assigned: manifest.assigned.len(),
                counts: BTreeMap::new(),
                seconds: 0.0,
                predicted: manifest.predicted,
                exit: manifest.exit,
            };
            for (item, status, setup, call, teardown) in &manifest.results {
                let status = match status.as_str() {
                    // The shard would not have ended well: the test is quarantined.
                    "crashed" if manifest.exit == Some(0) => "xfailed",
                    status => status,
                };
                *line.counts.entry(status.to_owned()).or_default() += 1;
                line.seconds += setup + call + teardown;
                if is_failure(status) {
                    let item = manifest.items[*item as usize].clone();
                    report.failed.push((shard, status.to_owned(), item));
                }
            }
            if manifest.coverage {
                let data = directory.join(format!("{COVERAGE}{shard}"));
                report.coverage.push(data);
            }
            report.lines.push(line);
        }
        report
    }

    /// pytest's, as if it had been one run.
    pub fn exit_code(&self) -> u8 {
        // What else can go wrong than tests: a plugin's own exit code, an internal error.
        let strange = self.lines.iter().filter_map(|line| line.exit);
        let strange = strange.filter(|code| !matches!(*code, 0 | 1 | exit::NO_TESTS_COLLECTED));
        if let Some(code) = strange.max() {
            return code;
        }
        let unhappy = self.lines.iter().any(|line| line.exit == Some(1));
        if unhappy || !self.failed.is_empty() {
            return 1;
        }
        match self.lines.iter().map(|line| line.assigned).sum::<usize>() {
            0 => exit::NO_TESTS_COLLECTED,
            _ => 0,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>6} {:>8} {:>8} {:>8} {:>10} {:>10} {:>5}",
            "shard", "tests", "passed", "failed", "seconds", "predicted", "exit"
        )?;
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for line in &self.lines {
            let count = |name: &str| line.counts.get(name).copied().unwrap_or_default();
            let failed: usize = (line.counts.iter())
                .filter(|(status, _)| is_failure(status))
                .map(|(_, count)| count)
                .sum();
            let exit = line
                .exit
                .map_or_else(|| "-".to_owned(), |code| code.to_string());
            let predicted =
                (line.predicted).map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}"));
            writeln!(
                f,
                "{:>6} {:>8} {:>8} {failed:>8} {:>10.2} {predicted:>10} {exit:>5}",
                line.shard,
                line.assigned,
                count("passed"),
                line.seconds,
            )?;
            for (status, count) in &line.counts {
                *all.entry(status).or_default() += count;
            }
        }
        for (shard, status, item) in &self.failed {
            writeln!(f, "{} {item} (shard {shard})", status.to_uppercase())?;
        }
        if !self.coverage.is_empty() {
            let files: Vec<String> = (self.coverage.iter())
                .map(|path| path.display().to_string())
                .collect();
            writeln!(
                f,
                "coverage data of {}: coverage combine --keep {}",
                match files.len() {
                    1 => "1 shard".to_owned(),
                    count => format!("{count} shards"),
                },
                files.join(" ")
            )?;
        }
        let known = STATUSES.into_iter().filter_map(|name| {
            let count = all.get(name)?;
            Some(format!("{count} {name}"))
        });
        let known: Vec<String> = known.collect();
        let total = self.lines.first().map_or(0, |line| line.total);
        writeln!(
            f,
            "{} in {} of {total} shards",
            match known.is_empty() {
                true => "no results".to_owned(),
                false => known.join(", "),
            },
            self.lines
                .iter()
                .map(|line| line.shard)
                .collect::<BTreeSet<_>>()
                .len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::history::History;
    use crate::shard::manifest::Manifest;
    use crate::shard::{Division, Shard};
    use rpytest_ipc::Address;

    /// A shard of two with one test, or none, what came of it, and its exit code.
    fn part(index: u32, status: Option<&str>, exit: u8) -> Part {
        let shard = Shard {
            index,
            total: 2,
            strategy: rpytest_sched::shard::Strategy::RoundRobin,
            directory: None,
        };
        let items = ["a.py::x", "b.py::y"].map(|nodeid| Address {
            nodeid: nodeid.to_owned(),
            nth: 0,
        });
        let items = match status {
            Some(_) => items.to_vec(),
            None => Vec::new(),
        };
        let mut manifest = Manifest::new(&Division::new(&shard, items, &History::default()));
        let results = status.map(|status| (index, status.to_owned(), 0.5, 1.0, 0.25));
        manifest.results = results.into_iter().collect();
        manifest.exit = Some(exit);
        Part {
            directory: PathBuf::from(format!("shard-{index}")),
            manifest,
        }
    }

    #[test]
    fn all_is_told_of_what_failed_and_counted() {
        let mut parts = [part(0, Some("passed"), 0), part(1, Some("error"), 1)];
        parts[0].manifest.coverage = true;
        expect![[r#"
             shard    tests   passed   failed    seconds  predicted  exit
                 0        1        1        0       1.75          -     0
                 1        1        0        1       1.75          -     1
            ERROR b.py::y (shard 1)
            coverage data of 1 shard: coverage combine --keep shard-0/.coverage.shard-0
            1 passed, 1 error in 2 of 2 shards
        "#]]
        .assert_eq(&Report::new(&parts).to_string());
    }

    #[test]
    fn the_exit_code_is_pytests_for_the_whole() {
        for (one, other, code) in [
            ((Some("passed"), 0), (Some("skipped"), 0), 0),
            ((Some("passed"), 0), (Some("failed"), 1), 1),
            ((Some("passed"), 0), (Some("crashed"), 1), 1),
            // It is quarantined.
            ((Some("passed"), 0), (Some("crashed"), 0), 0),
            ((Some("passed"), 1), (Some("crashed"), 0), 1),
            // What a plugin has to say against a shard, such as too little coverage.
            ((Some("passed"), 1), (Some("passed"), 0), 1),
            ((Some("passed"), 0), (Some("failed"), 3), 3),
            ((Some("passed"), 7), (Some("failed"), 1), 7),
            ((None, 5), (None, 5), exit::NO_TESTS_COLLECTED),
        ] {
            let parts = [part(0, one.0, one.1), part(1, other.0, other.1)];
            assert_eq!(Report::new(&parts).exit_code(), code, "{one:?} {other:?}");
        }
    }
}
