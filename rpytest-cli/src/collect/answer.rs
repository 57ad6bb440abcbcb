//! What pytest prints with `--collect-only -q`, and with `-qq`.
//!
//! `_printcollecteditems` and `_build_collect_only_summary_stats_line` of `_pytest/terminal.py`, read in
//! pytest 8.0 to 9.2.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use rpytest_collect::Settings;

use crate::exit;

/// Items in pytest's order, by files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Each file that has items, and their node ids.
    pub files: Vec<(String, Vec<String>)>,
    /// How many items are not among them, since they were deselected.
    pub deselected: usize,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Counts per file instead of ids.
    pub counts: bool,
    pub color: bool,
}

impl Form {
    /// For whoever wants to know the ids, and prints none.
    pub fn of_ids(_: &Settings) -> Result<Self, String> {
        Ok(Self {
            counts: false,
            color: false,
        })
    }
}

impl Answer {
    /// How many items there are.
    pub fn selected(&self) -> usize {
        self.files.iter().map(|(_, ids)| ids.len()).sum()
    }

    pub fn exit_code(&self) -> u8 {
        match self.selected() {
            0 => exit::NO_TESTS_COLLECTED,
            _ => 0,
        }
    }

    /// Prints it, with the time that it took.
    pub fn print(&self, out: &mut impl Write, form: Form, took: Duration) -> io::Result<()> {
        self.items(out, form)?;
        writeln!(out)?;
        if form.counts {
            return Ok(());
        }
        let summary = self.summary();
        let time = format!(" in {}", duration(took));
        if form.color {
            let code = if self.selected() == 0 { 33 } else { 32 };
            // pytest marks each part, and the line of them once more.
            writeln!(
                out,
                "\x1b[{code}m\x1b[{code}m{summary}\x1b[0m\x1b[{code}m{time}\x1b[0m\x1b[0m"
            )
        } else {
            writeln!(out, "{summary}{time}")
        }
    }

    fn items(&self, out: &mut impl Write, form: Form) -> io::Result<()> {
        if !form.counts {
            return self
                .files
                .iter()
                .flat_map(|(_, ids)| ids)
                .try_for_each(|id| writeln!(out, "{id}"));
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (path, ids) in &self.files {
            *counts.entry(path).or_default() += ids.len();
        }
        counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .try_for_each(|(path, count)| writeln!(out, "{path}: {count}"))
    }

    fn summary(&self) -> String {
        let (selected, deselected) = (self.selected(), self.deselected);
        let all = selected + deselected;
        match (selected, deselected) {
            (0, 0) => "no tests collected".to_owned(),
            (1, 0) => "1 test collected".to_owned(),
            (_, 0) => format!("{all} tests collected"),
            (0, _) => format!("no tests collected ({deselected} deselected)"),
            _ => format!("{selected}/{all} tests collected ({deselected} deselected)"),
        }
    }

    /// Whether this is all that pytest has written, whatever time it took.
    pub fn is_all_of(&self, written: &[u8], counts: bool) -> bool {
        let Ok(written) = std::str::from_utf8(written) else {
            return false;
        };
        let written = without_markup(written);
        let mut expected = Vec::new();
        let form = Form {
            counts,
            color: false,
        };
        if self.items(&mut expected, form).is_err() {
            return false;
        }
        let Some(rest) = std::str::from_utf8(&expected)
            .ok()
            .and_then(|expected| written.strip_prefix(expected))
            .and_then(|rest| rest.strip_prefix('\n'))
        else {
            return false;
        };
        if counts {
            return rest.is_empty();
        }
        let time = rest
            .strip_prefix(&*self.summary())
            .and_then(|rest| rest.strip_prefix(" in "))
            .and_then(|rest| rest.strip_suffix('\n'));
        time.is_some_and(is_duration)
    }
}

/// `0.01s`, and `61.50s (0:01:01)` from a minute on.
fn duration(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.2}s");
    }
    let whole = took.as_secs();
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    format!("{seconds:.2}s ({hours}:{minutes:02}:{rest:02})")
}

fn is_duration(text: &str) -> bool {
    let (seconds, rest) = text.split_once('s').unwrap_or_default();
    let clock = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '(' | ')' | ':');
    seconds.parse::<f64>().is_ok() && rest.chars().all(clock)
}

/// Without the sequences that colour text.
fn without_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split("\x1b[");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find('m').filter(|end| {
            part[..*end]
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b';')
        });
        match end {
            Some(end) => out.push_str(&part[end + 1..]),
            None => {
                out.push_str("\x1b[");
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(files: &[(&str, &[&str])], deselected: usize) -> Answer {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        Answer {
            files: files
                .iter()
                .map(|(path, ids)| ((*path).to_owned(), owned(ids)))
                .collect(),
            deselected,
        }
    }

    fn printed(answer: &Answer, counts: bool, color: bool) -> String {
        let mut out = Vec::new();
        let form = Form { counts, color };
        answer
            .print(&mut out, form, Duration::from_millis(61_234))
            .expect("memory takes all");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn an_answer_recognises_what_it_prints() {
        let files: &[(&str, &[&str])] =
            &[("b.py", &["b.py::x", "b.py::y"]), ("a.py", &["a.py::z"])];
        for (answer, summary) in [
            (answer(files, 0), "3 tests collected"),
            (answer(files, 2), "3/5 tests collected (2 deselected)"),
            (answer(&files[1..], 0), "1 test collected"),
            (answer(&[], 0), "no tests collected"),
            (answer(&[], 7), "no tests collected (7 deselected)"),
        ] {
            let text = printed(&answer, false, false);
            assert!(
                text.ends_with(&format!("\n{summary} in 61.23s (0:01:01)\n")),
                "{text}"
            );
            for color in [false, true] {
                for counts in [false, true] {
                    let text = printed(&answer, counts, color);
                    assert!(answer.is_all_of(text.as_bytes(), counts), "{text}");
                    let more = format!("{text}1 warning in 1s\n");
                    assert!(!answer.is_all_of(more.as_bytes(), counts), "{more}");
                    let more = format!("something\n{text}");
                    assert!(!answer.is_all_of(more.as_bytes(), counts), "{more}");
                }
            }
        }
        assert_eq!(
            printed(&answer(files, 0), true, false),
            "a.py: 1\nb.py: 2\n\n"
        );
    }
}
