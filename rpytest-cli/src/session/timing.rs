//! What `--timing` says: where the time of a run has gone, and how near it came to what is possible.

use std::fmt::Write;
use std::time::{Duration, Instant};

use rpytest_ipc::InventoryItem;
use rpytest_sched::Planner;

use crate::convert::{self, Tasks};
use crate::history::Costs;

/// Seconds of a plan that a session tells of.
const WORTH_SAYING: f64 = 0.1;

/// What workers were planned to take, and what no plan can be below, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    workers: u32,
    makespan: f64,
    lower_bound: f64,
}

impl Bound {
    /// Of items for so many workers, if anything is known of what they take, and it is divided at all.
    pub fn of(
        items: &[InventoryItem],
        workers: u32,
        dist: &str,
        costs: &Costs<'_>,
    ) -> Option<Self> {
        let tasks = Tasks::new(items, costs);
        if dist == "each" || tasks.tasks.iter().all(|task| task.cost.is_none()) {
            return None;
        }
        let planner = Planner::new(workers).grouping(convert::grouping(dist));
        let plan = planner.plan(&tasks.tasks, |group| tasks.begin_cost(group, costs));
        Some(Self {
            workers,
            makespan: plan.makespan,
            lower_bound: plan.lower_bound,
        })
    }

    /// Whether a session should say so, in the midst of pytest's own words: one worker has no choice, and what is over sooner
    /// than a worker has started is not worth a line.
    pub fn is_worth_saying(&self) -> bool {
        self.workers > 1 && self.makespan >= WORTH_SAYING
    }

    /// In one line.
    pub fn line(&self) -> String {
        let Self {
            workers,
            makespan,
            lower_bound,
        } = self;
        let ratio = match *lower_bound > 0.0 {
            true => makespan / lower_bound,
            false => 1.0,
        };
        format!(
            "plan for {workers} worker{}: {makespan:.2} s, {ratio:.3} of the lower bound",
            if *workers == 1 { "" } else { "s" }
        )
    }
}

/// A part of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Interpreters, configuration.
    Setup,
    /// Until the items are known.
    Collection,
    /// Until the last item has ended.
    Execution,
    /// Until whoever ran them is through with what they shared.
    Teardown,
    /// Until the command has nothing left to do.
    Reporting,
}

const STAGES: [(Stage, &str); 5] = [
    (Stage::Setup, "Setup"),
    (Stage::Collection, "Collection"),
    (Stage::Execution, "Execution"),
    (Stage::Teardown, "Teardown"),
    (Stage::Reporting, "Reporting"),
];

/// When the stages of a run ended.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    begun: Instant,
    ends: [Option<Instant>; STAGES.len()],
    /// Seconds of tests, in all processes.
    busy: f64,
}

impl Timing {
    pub fn new(begun: Instant) -> Self {
        Self {
            begun,
            ends: [None; STAGES.len()],
            busy: 0.0,
        }
    }

    /// How long it has taken by now.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The stage has ended, by what is known now. The last word counts for execution, the first for the others.
    pub fn ended(&mut self, stage: Stage) {
        let place = &mut self.ends[stage as usize];
        if stage == Stage::Execution || place.is_none() {
            *place = Some(Instant::now());
        }
    }

    /// A test has ended that took so many seconds.
    pub fn ran(&mut self, seconds: f64) {
        self.busy += seconds;
        self.ended(Stage::Execution);
    }

    /// The lines to be printed. A stage that a run did not come to took no time.
    pub fn lines(&self, bound: Option<&Bound>) -> Vec<String> {
        let now = Instant::now();
        let mut lines = Vec::new();
        let total = now.duration_since(self.begun);
        let mut line = |name: &str, took: Duration| {
            let mut text = format!("{name:<12} {:>8.3} s", took.as_secs_f64());
            let part = 100.0 * took.as_secs_f64() / total.as_secs_f64().max(1e-9);
            let _ = write!(text, " {part:>6.1} %");
            lines.push(text);
        };
        let mut begun = self.begun;
        let mut execution = Duration::ZERO;
        for (stage, name) in STAGES {
            let ended = match stage {
                Stage::Reporting => now,
                _ => self.ends[stage as usize].unwrap_or(begun).max(begun),
            };
            let took = ended.duration_since(begun);
            if stage == Stage::Execution {
                execution = took;
            }
            line(name, took);
            begun = ended;
        }
        line("Total", total);
        if let Some(bound) = bound {
            let took = execution.as_secs_f64();
            lines.push(format!(
                "{}; execution took {:.3} times that, {:.1} % of the workers' time in tests",
                bound.line(),
                took / bound.lower_bound.max(1e-9),
                100.0 * self.busy / (took * f64::from(bound.workers)).max(1e-9)
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_was_not_reached_took_no_time() {
        let begun = Instant::now();
        let at = |millis| Some(begun + Duration::from_millis(millis));
        let mut timing = Timing::new(begun);
        timing.ends = [at(10), at(30), None, None, None];
        let lines = timing.lines(None);
        let seconds: Vec<&str> = (lines.iter())
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(seconds[..4], ["0.010", "0.020", "0.000", "0.000"]);
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_plan_is_told_with_its_bound() {
        let bound = Bound {
            workers: 2,
            makespan: 3.0,
            lower_bound: 2.5,
        };
        assert_eq!(
            bound.line(),
            "plan for 2 workers: 3.00 s, 1.200 of the lower bound"
        );
    }
}
