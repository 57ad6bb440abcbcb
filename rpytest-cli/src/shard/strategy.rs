//! The names of the strategies, on the command line, in settings and in manifests.

use rpytest_sched::shard::Strategy;

const STRATEGIES: [(&str, Strategy); 4] = [
    ("duration_balanced", Strategy::DurationBalanced),
    ("least_duration", Strategy::LeastDuration),
    ("round_robin", Strategy::RoundRobin),
    ("hash", Strategy::Hash),
];

/// All names.
pub(crate) const NAMES: [&str; 4] = [
    STRATEGIES[0].0,
    STRATEGIES[1].0,
    STRATEGIES[2].0,
    STRATEGIES[3].0,
];

/// The strategy of this name.
pub(crate) fn parse(name: &str) -> Option<Strategy> {
    let found = STRATEGIES.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, strategy)| strategy)
}

/// Its name.
pub(crate) fn name(strategy: Strategy) -> &'static str {
    let found = STRATEGIES.into_iter().find(|(_, known)| *known == strategy);
    found.map_or("", |(name, _)| name)
}

/// All names, for a message.
pub(crate) fn names() -> String {
    NAMES.join(", ")
}

/// Whether it looks at durations.
pub(crate) fn looks_at_durations(strategy: Strategy) -> bool {
    matches!(
        strategy,
        Strategy::DurationBalanced | Strategy::LeastDuration
    )
}

/// The same of one by its name; of an unknown one it is to be feared.
pub(crate) fn depends_on_durations(name: &str) -> bool {
    parse(name).is_none_or(looks_at_durations)
}
