//! What is known of tests from the runs of a server.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Tests of which the failure's text is kept; of others, outcome, time and message are.
const WITH_TEXT: usize = 1000;

/// What became of a test.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Status {
    /// An outcome, or `running`.
    pub state: String,
    pub run: u64,
    pub seconds: Option<f64>,
    pub message: Option<String>,
    /// Where it has failed.
    pub failure: Option<Value>,
    /// As pytest shows it.
    pub text: Option<String>,
}

impl Status {
    pub fn running(run: u64) -> Self {
        Self {
            state: "running".to_owned(),
            run,
            seconds: None,
            message: None,
            failure: None,
            text: None,
        }
    }

    pub fn shown(&self) -> Value {
        json!({
            "outcome": self.state,
            "run": self.run,
            "seconds": self.seconds,
            "message": self.message,
            "failure": self.failure,
            "text": self.text,
        })
    }
}

/// By node id.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    known: BTreeMap<String, Status>,
    texts: usize,
}

impl Statuses {
    pub fn set(&mut self, id: String, mut status: Status) {
        if self.texts >= WITH_TEXT {
            status.text = None;
        }
        self.texts += usize::from(status.text.is_some());
        if let Some(before) = self.known.insert(id, status) {
            self.texts -= usize::from(before.text.is_some());
        }
    }

    pub fn get(&self, id: &str) -> Option<&Status> {
        self.known.get(id)
    }

    /// Those of a file, of a class, or all.
    pub fn below<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (&'a str, &'a Status)> {
        let is_below = move |known: &str| match known.strip_prefix(id) {
            Some(rest) => {
                id.is_empty() || rest.is_empty() || rest.starts_with("::") || rest.starts_with('[')
            }
            None => false,
        };
        let known = self.known.iter();
        known
            .map(|(id, status)| (id.as_str(), status))
            .filter(move |(known, _)| is_below(known))
    }

    /// A run is over: what it left running was not ended.
    pub fn run_is_over(&mut self, run: u64) {
        for status in self.known.values_mut() {
            if status.run == run && status.state == "running" {
                status.state = "not ended".to_owned();
            }
        }
    }
}
