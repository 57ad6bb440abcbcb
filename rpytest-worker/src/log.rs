//! Messages in the log.

use std::fmt::{self, Write};

use rpytest_ipc::{ToPython, ToRust};

use crate::event::ProcessId;

/// Notes that a message is on its way.
pub(crate) fn sent(process: ProcessId, message: &ToPython) {
    tracing::debug!(target: "rpytest_ipc", process = process.0, "send {}", VariantName(message));
}

/// Notes that a message came.
pub(crate) fn received(process: ProcessId, message: &ToRust) {
    tracing::debug!(target: "rpytest_ipc", process = process.0, "receive {}", VariantName(message));
}

/// Shows the name of an enum's variant and leaves out its fields, which may be large or private.
struct VariantName<'a, T>(&'a T);

impl<T: fmt::Debug> fmt::Display for VariantName<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = Head {
            out: f,
            result: Ok(()),
        };
        // An error is how the head keeps the fields from being formatted.
        let _ = write!(head, "{:?}", self.0);
        head.result
    }
}

struct Head<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    result: fmt::Result,
}

impl Write for Head<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find([' ', '(', '{']);
        self.result = self.out.write_str(&text[..end.unwrap_or(text.len())]);
        if end.is_some() {
            Err(fmt::Error)
        } else {
            self.result
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_is_shown() {
        let welcome = ToPython::Welcome { protocol: 1 };
        assert_eq!(VariantName(&welcome).to_string(), "Welcome");
        assert_eq!(VariantName(&ToPython::Host {}).to_string(), "Host");
        let relay = ToRust::Relay {
            payload: vec![0; 1000].into(),
            ends_run: false,
        };
        assert_eq!(VariantName(&relay).to_string(), "Relay");
        assert_eq!(VariantName(&Some(1)).to_string(), "Some");
        assert_eq!(VariantName(&None::<u8>).to_string(), "None");
    }
}
