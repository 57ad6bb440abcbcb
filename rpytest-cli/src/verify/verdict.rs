//! What the user sees: a table while the runs go on, the verdict, and the differences.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::path::Path;
use std::time::Duration;

use super::compare::{Difference, shown};
use super::facts::{Kind, Scope};
use super::judge::{Finding, Judge, Judged};
use super::observation::{Observation, Ran};
use super::runs::{Bench, Left, Way};
use crate::collect::{Color, has_colors};
use crate::exit;

/// How many differences of a kind are shown, and how many lines of each, unless all are.
const OF_A_KIND: usize = 3;
const LINES: usize = 14;
/// The names of runs have so much room.
const NAME: usize = 27;

/// Prints what is known by now.
pub(super) struct Verdict {
    all: bool,
    colors: bool,
    terminal: bool,
    width: usize,
    /// Lines of which the first word stands apart.
    notes: Vec<(&'static str, String)>,
    /// A line that does not stay.
    waits: bool,
}

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Green,
    Red,
    Yellow,
}

impl Verdict {
    pub(super) fn new(all: bool) -> Self {
        Self {
            all,
            colors: has_colors(Color::Auto),
            terminal: io::stdout().is_terminal(),
            width: width(),
            notes: Vec::new(),
            waits: false,
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Red => "31",
            Style::Yellow => "33",
        };
        match self.colors && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// A line; whoever closed the output does not want to see it.
    fn say(&mut self, line: &str) {
        self.clear();
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{}", line.trim_end());
        let _ = out.flush();
    }

    pub(super) fn begin(&mut self, rootdir: &Path, typed: &str) {
        let title = self.paint(Style::Bold, "rpytest --verify-dropin");
        self.say(&title);
        self.say("");
        self.say(&format!("  {typed}"));
        let place = self.paint(Style::Dim, &format!("  in {}", rootdir.display()));
        self.say(&place);
    }

    /// On a terminal, what is going on.
    pub(super) fn waits(&mut self, name: &str) {
        if self.terminal {
            self.clear();
            let line = self.paint(Style::Dim, &format!("  {name} ..."));
            let mut out = io::stdout().lock();
            let _ = write!(out, "{line}");
            let _ = out.flush();
            self.waits = true;
        }
    }

    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.waits) {
            let _ = write!(io::stdout().lock(), "\r\x1b[K");
        }
    }

    /// The head of the table.
    pub(super) fn versions(&mut self, observation: Option<&Observation>) {
        if let Some(Observation { python, pytest, .. }) = observation {
            let line = self.paint(Style::Dim, &format!("  Python {python}, pytest {pytest}"));
            self.say(&line);
        }
        self.say("");
        let head = format!(
            "  {:NAME$} {:>7} {:>6} {:>9} {:>9}   {}",
            "", "tests", "exit", "time", "speed-up", "result"
        );
        let head = self.paint(Style::Dim, &head);
        self.say(&head);
    }

    /// A row of the table. `found` is how many differences there are, of a run of rpytest's.
    pub(super) fn row(
        &mut self,
        name: &str,
        ran: &Ran,
        fair: Option<Duration>,
        found: Option<usize>,
        begun: &str,
    ) {
        let tests = ran
            .tests()
            .map_or_else(String::new, |tests| tests.to_string());
        let time = format!("{:.2} s", ran.wall.as_secs_f64());
        let ratio = fair.map_or_else(String::new, |fair| {
            format!(
                "{:.1} x",
                fair.as_secs_f64() / ran.wall.as_secs_f64().max(0.001)
            )
        });
        let result = match found {
            None => String::new(),
            Some(0) => self.paint(Style::Green, "the same"),
            Some(1) => self.paint(Style::Yellow, "1 difference"),
            Some(found) => self.paint(Style::Yellow, &format!("{found} differences")),
        };
        let begun = self.paint(Style::Dim, begun);
        let line = format!(
            "  {name:NAME$} {tests:>7} {:>6} {time:>9} {ratio:>9}   {result}  {begun}",
            ran.code
        );
        self.say(&line);
    }

    /// There is nothing to compare with.
    pub(super) fn no_answer(&mut self, ran: &Ran, code: u8) {
        let why = match code {
            exit::USAGE_ERROR => "pytest does not take these arguments, or its configuration",
            exit::NO_TESTS_COLLECTED => "pytest found no tests",
            _ if ran.code == i32::from(exit::INTERNAL_ERROR) => "pytest had an internal error",
            _ => "pytest did not come to the end of its session",
        };
        self.say("");
        let line = format!("  Nothing to compare: {why} (exit code {}).", ran.code);
        let line = self.paint(Style::Yellow, &line);
        self.say(&line);
        self.say("");
        let text = format!("{}{}", ran.stdout, ran.stderr);
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            self.say(&format!("  | {line}"));
        }
    }

    pub(super) fn no_daemon(&mut self, reason: &str) {
        let text =
            format!("no daemon, since {reason}: what begins from a warm one was not compared");
        self.notes.push(("without", text));
    }

    /// What is compared, the verdict, and all differences. Returns the exit code.
    pub(super) fn end(&mut self, judge: &Judge, bench: &Bench<'_>, runs: bool) -> u8 {
        self.clear();
        self.say("");
        self.compared(judge, runs);
        let unsteady = judge.steady(Scope::OneProcess);
        let unsteady = unsteady.unsteady();
        self.note_unsteady(unsteady);
        if judge.left() < judge.heard_first() {
            let less = judge.heard_first() - judge.left();
            let text = format!(
                "{less} of {} differences above are none: a third run of pytest has them as well",
                judge.heard_first()
            );
            self.notes.push(("again", text));
        }
        let judged = judge.judged();
        let (counted, expected): (Vec<_>, Vec<_>) =
            judged.iter().partition(|one| one.finding.counts());
        for (word, text) in std::mem::take(&mut self.notes) {
            self.note(word, &text);
        }
        self.say("");
        let results = match judge.results() {
            0 => String::new(),
            results => format!(" in {results} results of tests"),
        };
        let line = match counted.len() {
            0 => {
                let line = format!(
                    "  A drop-in here: no difference{results}, {} runs.",
                    judge.runs()
                );
                self.paint(Style::Green, &line)
            }
            1 => self.paint(Style::Red, &format!("  1 difference{results}.")),
            n => self.paint(Style::Red, &format!("  {n} differences{results}.")),
        };
        let line = self.paint(Style::Bold, &line);
        self.say(&line);
        if !judged.is_empty() {
            let legend = self.paint(
                Style::Dim,
                "  - is what pytest says, + is what rpytest says.",
            );
            self.say(&legend);
        }
        self.differences(&counted, bench);
        if !expected.is_empty() {
            self.say("");
            let line = "  With workers only, and not counted, since any workers would have them:";
            let line = self.paint(Style::Yellow, line);
            self.say(&line);
            self.differences(&expected, bench);
        }
        self.unsteady(unsteady);
        u8::from(!counted.is_empty())
    }

    fn note(&mut self, word: &str, text: &str) {
        let room = self.width.saturating_sub(12).max(30);
        for (at, line) in wrapped(text, room).iter().enumerate() {
            let word = if at == 0 { word } else { "" };
            let word = self.paint(Style::Dim, &format!("  {word:9} "));
            self.say(&format!("{word}{line}"));
        }
    }

    fn compared(&mut self, judge: &Judge, runs: bool) {
        let mut what = match runs {
            true => "node ids, order, outcomes of each phase, messages, captured output, warnings, exit code, terminal output".to_owned(),
            false => "terminal output, exit code".to_owned(),
        };
        if judge.has_junit() {
            what.push_str(", JUnit XML");
        }
        self.note("compared", &what);
        let files: Vec<&str> = judge.files().into_iter().collect();
        const NAMED: usize = 6;
        let named = files.len().min(if self.all { files.len() } else { NAMED });
        if named > 0 {
            let mut text = files[..named].join(", ");
            if named < files.len() {
                let _ = write!(text, ", and {} more", files.len() - named);
            }
            self.note("files", &text);
        }
    }

    fn note_unsteady(&mut self, unsteady: &[Difference]) {
        if unsteady.is_empty() {
            return;
        }
        let tests: std::collections::BTreeSet<_> = unsteady
            .iter()
            .filter(|one| one.key.kind.is_of_a_test())
            .map(|one| &one.key.subject)
            .collect();
        let others: std::collections::BTreeSet<_> = unsteady
            .iter()
            .filter(|one| !one.key.kind.is_of_a_test())
            .map(|one| one.key.kind.title())
            .collect();
        let mut parts: Vec<String> = Vec::new();
        match tests.len() {
            0 => {}
            1 => parts.push("1 test".to_owned()),
            n => parts.push(format!("{n} tests")),
        }
        parts.extend(others.into_iter().map(str::to_owned));
        let text = format!(
            "{}: differs between two runs of pytest itself",
            parts.join(", ")
        );
        self.note("apart", &text);
    }

    fn differences(&mut self, judged: &[&Judged<'_>], bench: &Bench<'_>) {
        let mut kinds: Vec<Kind> = judged.iter().map(|one| one.difference.key.kind).collect();
        kinds.dedup();
        for kind in kinds {
            let of_kind: Vec<_> = judged
                .iter()
                .filter(|one| one.difference.key.kind == kind)
                .collect();
            self.say("");
            let title = self.paint(Style::Bold, &format!("  {}", kind.title()));
            self.say(&title);
            let most = if self.all { of_kind.len() } else { OF_A_KIND };
            for one in of_kind.iter().take(most) {
                self.difference(one, bench);
            }
            if of_kind.len() > most {
                let more = of_kind.len() - most;
                self.say(&format!("    and {more} more; -v shows all"));
            }
        }
    }

    fn difference(&mut self, judged: &Judged<'_>, bench: &Bench<'_>) {
        let Judged { difference, .. } = judged;
        let key = &difference.key;
        let part = match key.part.as_str() {
            "" => String::new(),
            part => format!(" [{part}]"),
        };
        let name = format!("{}{part}", key.subject);
        if !name.is_empty() {
            self.say(&format!("    {}", name.trim_start()));
        }
        let names: Vec<String> = judged.ways.iter().map(|way| name_of(*way, bench)).collect();
        let mut seen = format!("      in {}", names.join("; "));
        seen.push_str(match judged.finding {
            Finding::Certain => "",
            Finding::Once => "; not again in a second run, nor in three of pytest's: a rare outcome of a flaky test, perhaps",
            Finding::AsXdist => "; pytest-xdist has it, too",
            Finding::Alone => "; pytest has it, too, if it runs this test alone: it depends on those before it",
            Finding::InOrder => "; pytest has it, too, if it runs the tests of that worker in its order: it depends on those before it",
            Finding::Follows => "; it follows from the others",
        });
        let seen = self.paint(Style::Dim, &seen);
        self.say(&seen);
        for line in self.lines(difference) {
            let style = match line.chars().next() {
                Some('-') => Some(Style::Red),
                Some('+') => Some(Style::Green),
                _ => None,
            };
            let line = format!("      {line}");
            let line = style.map_or(line.clone(), |style| self.paint(style, &line));
            self.say(&line);
        }
        if let Some(message) = judged.message {
            for line in self.cut(message.lines().map(str::to_owned).collect()) {
                self.say(&format!("      | {line}"));
            }
        }
        let way = judged.ways.first().copied().unwrap_or(Way::Cold);
        let arguments = match key.kind.is_of_a_test() && !key.subject.starts_with("all tests") {
            true => bench.of_one_test(&key.subject),
            false => bench.arguments(),
        };
        for way in [Way::Pytest, way] {
            let command = self.paint(
                Style::Dim,
                &format!("      $ {}", bench.typed(way, &arguments)),
            );
            self.say(&command);
        }
    }

    fn lines(&self, difference: &Difference) -> Vec<String> {
        let lines = match (&difference.pytest, &difference.other) {
            (Some(pytest), Some(other)) => shown(pytest, other),
            (Some(pytest), None) => pytest.lines().map(|line| format!("- {line}")).collect(),
            (None, Some(other)) => other.lines().map(|line| format!("+ {line}")).collect(),
            (None, None) => Vec::new(),
        };
        self.cut(lines)
    }

    fn cut(&self, mut lines: Vec<String>) -> Vec<String> {
        if !self.all && lines.len() > LINES {
            let more = lines.len() - LINES;
            lines.truncate(LINES);
            lines.push(format!("... {more} more lines; -v shows all"));
        }
        lines
    }

    /// What runs of pytest differ in, so that nothing was said of it.
    fn unsteady(&mut self, unsteady: &[Difference]) {
        let most = if self.all {
            unsteady.len()
        } else {
            2 * OF_A_KIND
        };
        if unsteady.is_empty() {
            return;
        }
        self.say("");
        let line = "  Apart, since pytest itself differs from run to run:";
        let line = self.paint(Style::Yellow, line);
        self.say(&line);
        for Difference { key, pytest, other } in unsteady.iter().take(most) {
            let what = match (key.kind, pytest, other) {
                (Kind::Outcome, Some(one), Some(other)) => format!("{one}, then {other}"),
                (Kind::Order, ..) => {
                    "another order each time; a fixed seed would let it be compared".to_owned()
                }
                (kind, ..) => kind.title().to_owned(),
            };
            let part = match key.part.as_str() {
                "" => String::new(),
                part => format!(" [{part}]"),
            };
            let line = match key.subject.as_str() {
                "" => format!("    {what}"),
                subject => format!("    {subject}{part}: {what}"),
            };
            self.say(&line);
        }
        if unsteady.len() > most {
            self.say(&format!(
                "    and {} more; -v shows all",
                unsteady.len() - most
            ));
        }
    }

    /// What could not be put back, and what the user may have written meanwhile.
    pub(super) fn files(&mut self, left: &Left) {
        self.clear();
        for problem in &left.problems {
            tell(&format!(
                "warning: this could not be put back as it was: {problem}"
            ));
        }
        if let Some(lost) = &left.lost {
            let lost = lost.display();
            tell(&format!(
                "warning: what could not be put back is in {lost}, as it was"
            ));
        }
        if let Some(edited) = &left.edited {
            tell(&format!(
                "warning: files were other ones after some runs and not after all, or after the only one; they are put \
                 back, and if you have edited them meanwhile, your versions are in {}",
                edited.display()
            ));
        }
    }

    /// The user did not want to wait for the end.
    pub(super) fn interrupted(&mut self, left: &Left) {
        let files = match left.problems.is_empty() {
            true => "; the project's files are as they were",
            false => "",
        };
        tell(&format!("interrupted: nothing is verified{files}"));
    }
}

/// Says it where errors are said. The terminal may be closed by now.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "rpytest: {text}");
}

/// What a run is called.
pub(super) fn name_of(way: Way, bench: &Bench<'_>) -> String {
    match way {
        Way::Pytest => "pytest".to_owned(),
        Way::Cold => "rpytest --no-daemon".to_owned(),
        Way::First => "rpytest, starting a daemon".to_owned(),
        Way::Warm => "rpytest, warm".to_owned(),
        Way::Workers | Way::Xdist => bench.typed(way, &[]),
    }
}

/// The width that a terminal says, or `COLUMNS`.
fn width() -> usize {
    let given = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let size = || rustix::termios::tcgetwinsize(io::stdout()).ok();
    let columns = given.or_else(|| size().map(|size| size.ws_col.into()));
    columns
        .filter(|columns| *columns >= 40)
        .unwrap_or(80)
        .min(100)
}

/// Lines of words, of which none is cut.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let needed = lines.last().map_or(0, |line| line.chars().count()) + 1 + word.chars().count();
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if needed <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_room_for_their_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-very-long-word x", 4), ["a-very-long-word", "x"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
