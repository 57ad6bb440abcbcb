//! The outcomes of one test.

use std::error::Error;
use std::fmt::{self, Write};
use std::str::FromStr;

use super::KEPT;

/// What came of a test in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunOutcome {
    /// It passed at once.
    Passed,
    /// It failed, was run again, and passed.
    PassedAgain,
    /// Its call failed, in each attempt.
    Failed,
    /// Its setup or its teardown failed.
    Error,
    /// Its process ended while it ran.
    Crashed,
    /// It was not run.
    Skipped,
    /// It failed as expected.
    Xfailed,
    /// It passed although that was not expected.
    Xpassed,
}

impl RunOutcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Passed,
        Self::PassedAgain,
        Self::Failed,
        Self::Error,
        Self::Crashed,
        Self::Skipped,
        Self::Xfailed,
        Self::Xpassed,
    ];

    /// The letter that stands for it.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Passed => 'p',
            Self::PassedAgain => 'r',
            Self::Failed => 'f',
            Self::Error => 'e',
            Self::Crashed => 'c',
            Self::Skipped => 's',
            Self::Xfailed => 'x',
            Self::Xpassed => 'X',
        }
    }

    fn of_letter(letter: char) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.letter() == letter)
    }

    /// Whether the test fails the run; `None` if it says nothing of the test.
    pub(super) fn is_bad(self) -> Option<bool> {
        match self {
            Self::Failed | Self::Error | Self::Crashed => Some(true),
            Self::Passed | Self::PassedAgain | Self::Xfailed | Self::Xpassed => Some(false),
            Self::Skipped => None,
        }
    }
}

/// The last outcomes of a test, the oldest first. At most [`KEPT`].
///
/// As text, each is its letter, with a number before it if it came more than once in a row: `38p1f9p` is `38pf9p`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// How often in a row, and what.
    runs: Vec<(u32, RunOutcome)>,
    seen: u64,
    since: u64,
}

impl Runs {
    /// As a file has them.
    #[cfg(feature = "serde")]
    pub(super) fn new(outcomes: &str, seen: u64, since: u64) -> Result<Self, ParseRunsError> {
        let runs = Self {
            seen,
            since,
            ..outcomes.parse()?
        };
        Ok(runs)
    }

    /// Adds the outcome of a run at this time.
    pub fn push(&mut self, outcome: RunOutcome, at: u64) {
        if let Some(bad) = outcome.is_bad()
            && self.last_was_bad() != Some(bad)
        {
            self.since = at;
        }
        self.seen = at;
        self.append(1, outcome);
        let mut surplus = self.len().saturating_sub(KEPT);
        while surplus > 0
            && let Some((count, _)) = self.runs.first_mut()
        {
            if *count > surplus {
                *count -= surplus;
                break;
            }
            surplus -= *count;
            self.runs.remove(0);
        }
    }

    fn append(&mut self, count: u32, outcome: RunOutcome) {
        match self.runs.last_mut() {
            Some((known, last)) if *last == outcome => *known = known.saturating_add(count),
            _ => self.runs.push((count, outcome)),
        }
    }

    fn last_was_bad(&self) -> Option<bool> {
        let mut newest = self.runs.iter().rev();
        newest.find_map(|(_, outcome)| outcome.is_bad())
    }

    /// How often in a row, and what, the oldest first.
    pub fn stretches(&self) -> impl DoubleEndedIterator<Item = (u32, RunOutcome)> + '_ {
        self.runs.iter().copied()
    }

    /// Each outcome, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = RunOutcome> + '_ {
        self.stretches()
            .flat_map(|(count, outcome)| std::iter::repeat_n(outcome, count as usize))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        let counts = self.runs.iter().map(|(count, _)| *count);
        counts.fold(0, u32::saturating_add)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// When the test was last seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// When its streak began.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.since
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, outcome) in &self.runs {
            if *count > 1 {
                write!(f, "{count}")?;
            }
            f.write_char(outcome.letter())?;
        }
        Ok(())
    }
}

/// A text that is no sequence of outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseRunsError {
    /// The text.
    pub text: String,
}

impl fmt::Display for ParseRunsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read outcomes from {:?}", self.text)
    }
}

impl Error for ParseRunsError {}

impl FromStr for Runs {
    type Err = ParseRunsError;

    fn from_str(text: &str) -> Result<Self, ParseRunsError> {
        let wrong = || ParseRunsError {
            text: text.to_owned(),
        };
        let mut runs = Self::default();
        let mut count: Option<u32> = None;
        for letter in text.chars() {
            if let Some(digit) = letter.to_digit(10) {
                let number = count.unwrap_or(0) * 10 + digit;
                // Far beyond what is kept: nothing here has written it.
                count = Some(number).filter(|number| *number <= KEPT);
                count.ok_or_else(wrong)?;
                continue;
            }
            let outcome = RunOutcome::of_letter(letter).ok_or_else(wrong)?;
            let number = count.take().unwrap_or(1);
            if number == 0 {
                return Err(wrong());
            }
            runs.append(number, outcome);
        }
        match count {
            None if runs.len() <= KEPT => Ok(runs),
            _ => Err(wrong()),
        }
    }
}
