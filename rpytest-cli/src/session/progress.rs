//! A line below pytest's report, on a terminal: how far the run has come, what runs, how long it will take.
//!
//! It is written at any time, in one piece, and leaves the cursor where pytest's is. So the controller need not
//! know of it, but for one thing: where it comes to the row below itself, it erases what is there (`room.py`). The
//! line does not come to a run that is over soon.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rpytest_ipc::{Address, Outcome};
use rpytest_worker::ProcessId;

use super::{Part, Session};
use crate::ledger::Ledger;

/// How long a run goes on before anything is shown of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(100);

/// How often the time left is worked out anew.
const EVERY_ESTIMATE: Duration = Duration::from_secs(1);

/// Tests that are named, if there is room.
const NAMED: usize = 4;

/// A test that runs.
#[derive(Debug)]
struct Running {
    address: Address,
    since: Instant,
}

/// What the line says.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    has_room: bool,
    is_shown: bool,
    written: Option<Instant>,
    done: usize,
    failed: usize,
    /// Seconds of the tests that have ended.
    spent: f64,
    running: HashMap<ProcessId, Running>,
    left: Option<(Instant, Option<f64>)>,
}

impl Progress {
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            has_room: true,
            is_shown: false,
            written: None,
            done: 0,
            failed: 0,
            spent: 0.0,
            running: HashMap::new(),
            left: None,
        }
    }

    /// Whether a line may be shown at all.
    pub fn room(&mut self, has_room: bool) {
        self.has_room = has_room;
        if !has_room {
            self.erase();
        }
    }

    /// A test begins.
    pub fn started(&mut self, process: ProcessId, address: &Address, now: Instant) {
        let running = Running {
            address: address.clone(),
            since: now,
        };
        self.running.insert(process, running);
    }

    /// A test has ended.
    pub fn ended(&mut self, process: ProcessId, outcome: Outcome, seconds: f64) {
        self.running.remove(&process);
        self.spent += seconds;
        self.done += 1;
        self.failed += usize::from(matches!(outcome, Outcome::Failed | Outcome::Error));
    }

    /// A process has ended, and with it what it ran, if it ran something.
    pub fn gone(&mut self, process: ProcessId) {
        if self.running.remove(&process).is_some() {
            self.done += 1;
            self.failed += 1;
        }
    }

    /// Whether the line is to be written now, of a run of so many tests.
    pub fn is_due(&self, total: usize, now: Instant) -> bool {
        self.has_room
            && self.done < total
            && !self.running.is_empty()
            && now.duration_since(self.began) >= PATIENCE
            && self
                .written
                .is_none_or(|written| now.duration_since(written) >= EVERY)
    }

    /// Whether the time left is to be worked out now.
    pub fn wants_estimate(&self, now: Instant) -> bool {
        let known = self.left.as_ref();
        known.is_none_or(|(since, _)| now.duration_since(*since) >= EVERY_ESTIMATE)
    }

    /// The time left, as far as it is known.
    pub fn estimated(&mut self, seconds: Option<f64>, now: Instant) {
        self.left = Some((now, seconds));
    }

    /// The tests that run, and for how long, in seconds.
    pub fn of_running(&self, now: Instant) -> impl Iterator<Item = (&Address, f64)> {
        let running = self.running.values();
        running.map(move |test| {
            let seconds = now.duration_since(test.since).as_secs_f64();
            (&test.address, seconds)
        })
    }

    /// What the tests that have ended took, on the average.
    pub fn mean(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
        let done = self.done as f64;
        (self.done > 0).then(|| self.spent / done)
    }

    fn line(&self, total: usize, now: Instant, columns: usize) -> String {
        let mut line = format!("[{}/{total}", self.done);
        if self.failed > 0 {
            line.push_str(&format!(", {} failed", self.failed));
        }
        if let Some((since, Some(left))) = self.left {
            let left = left - now.duration_since(since).as_secs_f64();
            line.push_str(&format!(", {} left", span(left)));
        }
        line.push(']');
        let running = self.of_running(now);
        let running = running.map(|(address, seconds)| (address.nodeid.as_str(), seconds));
        let mut running: Vec<(&str, f64)> = running.collect();
        running.sort_by(|(a, one), (b, other)| other.total_cmp(one).then(a.cmp(b)));
        for (at, (nodeid, seconds)) in running.iter().take(NAMED).enumerate() {
            let comma = if at > 0 { "," } else { "" };
            line.push_str(&format!("{comma} {nodeid} {}", span(*seconds)));
        }
        if running.len() > NAMED {
            line.push_str(&format!(", {} more", running.len() - NAMED));
        }
        cut(&line, columns)
    }

    /// Writes the line to the terminal.
    #[cfg(unix)]
    pub fn show(&mut self, total: usize, now: Instant) {
        let terminal = rustix::stdio::stdout();
        // In the background the terminal is somebody else's. One that is not ours to ask about is nobody's.
        let foreground = rustix::termios::tcgetpgrp(terminal);
        if foreground.is_ok_and(|group| group != rustix::process::getpgrp()) {
            self.written = Some(now);
            return;
        }
        let size = rustix::termios::tcgetwinsize(terminal);
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        // Some terminals do not say.
        let columns = if columns == 0 { 80 } else { columns };
        let line = self.line(total, now, columns.saturating_sub(1));
        // Down and up again: then there is a row below, at the end of the screen as well.
        let text = format!("\x1bD\x1b[A\x1b7\x1b[B\r\x1b[2K{line}\x1b8");
        // A terminal that takes no more shows the next one.
        let _ = rustix::io::write(terminal, text.as_bytes());
        self.written = Some(now);
        self.is_shown = true;
    }

    /// Takes the line away. What is below the cursor is nothing but that.
    #[cfg(unix)]
    pub fn erase(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = rustix::io::write(rustix::stdio::stdout(), b"\x1b[J");
        }
    }

    #[cfg(not(unix))]
    pub fn show(&mut self, _: usize, _: Instant) {}

    #[cfg(not(unix))]
    pub fn erase(&mut self) {}
}

impl Session {
    /// The controller makes room for a line, or wants it gone.
    pub(super) fn make_room(&mut self, room: bool) {
        let progress = &mut self.progress;
        let progress = progress.get_or_insert_with(|| Progress::new(Instant::now()));
        progress.room(room);
    }

    /// Takes the line away where something else is to be written.
    pub(super) fn clear_the_terminal(&mut self) {
        if let Some(progress) = &mut self.progress {
            progress.erase();
        }
    }

    /// Writes the line, when it is time to, and takes it away when the run is over or is being ended.
    pub(super) fn show_progress(&mut self) {
        let Some(mut progress) = self.progress.take() else {
            return;
        };
        let now = Instant::now();
        let total = self.ledger().map_or(0, Ledger::len);
        if self.over.is_some() || self.interrupts.any() || self.exit.is_some() {
            progress.erase();
        } else if progress.is_due(total, now) {
            if progress.wants_estimate(now) {
                let left = self.time_left(&progress, now);
                progress.estimated(left, now);
            }
            progress.show(total, now);
        }
        self.progress = Some(progress);
    }

    fn time_left(&self, progress: &Progress, now: Instant) -> Option<f64> {
        let ledger = self.ledger()?;
        let costs = self.history.estimates();
        let workers = match &self.part {
            Part::Crew(crew) => crew.workers(),
            Part::Solo(_) | Part::Undecided => 1,
        };
        left(
            ledger.open().map(|address| costs.of(address)),
            progress
                .of_running(now)
                .map(|(address, seconds)| (costs.of(address), seconds)),
            progress.mean(),
            workers,
        )
    }
}

/// The seconds that a run will still take, if `costs` are those of the tests that have not ended, and `running` what
/// of them runs already: its cost, and for how long. A cost that is not known is the mean of those that are, or of
/// the tests that have ended (`mean`).
pub(super) fn left(
    costs: impl Iterator<Item = Option<f64>>,
    running: impl Iterator<Item = (Option<f64>, f64)>,
    mean: Option<f64>,
    workers: usize,
) -> Option<f64> {
    let (mut known, mut sum, mut unknown) = (0u32, 0.0, 0u32);
    for cost in costs {
        match cost {
            Some(cost) => {
                known += 1;
                sum += cost;
            }
            None => unknown += 1,
        }
    }
    let mean = match known {
        0 => mean,
        known => Some(sum / f64::from(known)),
    };
    if unknown > 0 {
        sum += mean? * f64::from(unknown);
    }
    let mut longest: f64 = 0.0;
    for (cost, so_far) in running {
        let cost = cost.or(mean).unwrap_or(so_far);
        sum -= so_far.min(cost);
        longest = longest.max(cost - so_far);
    }
    #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
    let share = sum / workers.max(1) as f64;
    Some(share.max(longest).max(0.0))
}

/// `7 s`, `3:05`, `1:02:09`.
fn span(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not below 0"
    )]
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// As much of a text as fits into so many columns. Of what is not ASCII each may take two.
fn cut(text: &str, columns: usize) -> String {
    let mut width = 0;
    let mut out = String::new();
    for character in text.chars() {
        let character = if character.is_control() {
            '?'
        } else {
            character
        };
        width += if character.is_ascii() { 1 } else { 2 };
        if width > columns {
            break;
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_at_a_glance() {
        for (seconds, text) in [
            (-1.0, "0 s"),
            (0.4, "0 s"),
            (59.4, "59 s"),
            (61.0, "1:01"),
            (3729.0, "1:02:09"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_line_fits() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("aßc", 3), "aß");
        assert_eq!(cut("a\x1b[2Jb", 9), "a?[2Jb");
    }

    #[test]
    fn the_time_left_is_shared_by_the_workers_and_no_less_than_the_longest() {
        let none = || std::iter::empty();
        let of = |costs: &[Option<f64>], running: &[(Option<f64>, f64)], mean, workers| {
            left(
                costs.iter().copied(),
                running.iter().copied(),
                mean,
                workers,
            )
        };
        assert_eq!(of(&[Some(4.0), Some(2.0)], &[], None, 2), Some(3.0));
        assert_eq!(of(&[Some(4.0), None], &[], None, 1), Some(8.0));
        assert_eq!(of(&[None, None], &[], Some(1.5), 1), Some(3.0));
        assert_eq!(of(&[None], &[], None, 1), None, "nothing is known");
        let running = [(Some(9.0), 2.0)];
        assert_eq!(of(&[Some(9.0), Some(1.0)], &running, None, 2), Some(7.0));
        let late = [(Some(1.0), 30.0)];
        assert_eq!(of(&[Some(1.0), Some(5.0)], &late, None, 1), Some(5.0));
        assert_eq!(left(none(), std::iter::empty(), None, 0), Some(0.0));
    }

    #[test]
    fn the_longest_running_tests_come_first() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut progress = Progress::new(begun);
        assert!(!progress.is_due(3, at(2)), "nothing runs");
        for (number, since) in [(1, 5), (2, 3)] {
            let address = Address {
                nodeid: format!("t.py::test_{number}"),
                nth: 0,
            };
            progress.started(ProcessId(number), &address, at(since));
        }
        assert_eq!(
            progress.line(3, at(8), 80),
            "[0/3] t.py::test_2 5 s, t.py::test_1 3 s"
        );
        assert!(progress.is_due(3, at(8)));
        progress.ended(ProcessId(2), Outcome::Error, 4.0);
        assert_eq!(progress.mean(), Some(4.0));
        progress.estimated(Some(70.0), at(8));
        assert_eq!(
            progress.line(3, at(9), 80),
            "[1/3, 1 failed, 1:09 left] t.py::test_1 4 s"
        );
        assert_eq!(progress.line(3, at(9), 10), "[1/3, 1 fa");
        progress.gone(ProcessId(1));
        assert!(!progress.is_due(2, at(10)), "all have ended");
    }
}
