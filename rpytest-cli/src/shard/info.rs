//! `--shard-info`: what every shard would run, and how even they are.

use std::fmt::Write;

use super::division::tests;
use super::{Division, resolve, strategy};
use crate::args::RunArguments;
use crate::collect;
use crate::exit;
use crate::history::History;
use crate::settings::Settings;

/// Collects, prints what each shard would have, and returns the exit code.
pub(crate) fn show(arguments: &RunArguments) -> u8 {
    let Some(wish) = &arguments.shard else {
        return exit::USAGE_ERROR;
    };
    let resolved = Settings::of_the_project().and_then(|(settings, _)| {
        for warning in &settings.warnings {
            eprintln!("rpytest: warning: {warning}");
        }
        Ok(resolve(wish, &settings)?)
    });
    let (shard, this) = match resolved {
        Ok(resolved) => resolved,
        Err(error) => {
            eprintln!("rpytest: error: {error}");
            return exit::USAGE_ERROR;
        }
    };
    let inventory = match collect::inventory(arguments) {
        Ok(inventory) => inventory,
        Err(code) => return code,
    };
    let history = match &inventory.cache {
        Some(cache) => History::load(cache),
        None => History::default(),
    };
    let division = Division::new(&shard, inventory.items, &history);
    match crate::print(table(&division, this).as_bytes()) {
        0 if division.items().is_empty() => exit::NO_TESTS_COLLECTED,
        code => code,
    }
}

/// All shards of a division, `this` one marked.
fn table(division: &Division, this: Option<u32>) -> String {
    let mut text = String::new();
    let shard = division.shard();
    let (all, known) = (division.items().len(), division.known());
    let _ = write!(
        text,
        "{} in {} {} ({}), {}\n\n",
        tests(all),
        shard.total,
        if shard.total == 1 { "shard" } else { "shards" },
        strategy::name(shard.strategy),
        match known {
            0 => "no durations of earlier runs are known".to_owned(),
            _ if known == all => "all with durations of earlier runs".to_owned(),
            _ => format!("{known} with durations of earlier runs"),
        }
    );
    let seconds = |seconds: f64| match known {
        0 => "-".to_owned(),
        _ => format!("{seconds:.2}"),
    };
    let _ = writeln!(text, "{:>6} {:>8} {:>12}", "shard", "tests", "seconds");
    let summary = division.summary();
    for (nth, (count, predicted)) in (0u32..).zip(summary.counts.iter().zip(&summary.seconds)) {
        let mark = if this == Some(nth) {
            " <- this one"
        } else {
            ""
        };
        let predicted = seconds(*predicted);
        let _ = writeln!(text, "{nth:>6} {count:>8} {predicted:>12}{mark}");
    }
    let _ = writeln!(
        text,
        "\nthe longest shard takes {:.3} times the mean, {:.3} times the least that is possible",
        summary.imbalance(),
        summary.ratio()
    );
    text
}
