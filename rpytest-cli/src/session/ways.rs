//! Which way tests went, the short one or pytest's own, for `--explain`.

/// How many tests were collected, or run, which way.
#[derive(Debug, Default)]
pub(super) struct Ways {
    short: u64,
    genuine: u64,
    reason: Option<String>,
}

impl Ways {
    pub fn add(&mut self, short: u32, genuine: u32, reason: Option<String>) {
        self.short += u64::from(short);
        self.genuine += u64::from(genuine);
        self.reason = self.reason.take().or(reason);
    }

    /// In words, of which the first are of the short way; `None` where nothing went either.
    pub fn note(&self, of_short: &str, of_genuine: &str) -> Option<String> {
        let Ways { short, genuine, .. } = self;
        if short + genuine == 0 {
            return None;
        }
        let mut note = format!("{short} {of_short}, {genuine} {of_genuine}");
        if let Some(reason) = &self.reason {
            note.push_str(": ");
            note.push_str(reason);
        }
        Some(note)
    }
}
