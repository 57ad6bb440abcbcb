//! `--collect-only`, answered natively where that is exact.
//!
//! The files of which the items are known, from their source or from an earlier run, are put together with those
//! that one Python process collects for the rest, in the order of the walk. Where anything is out of the ordinary,
//! which is found by what that process has written, a genuine session answers instead.

mod answer;
mod attempt;
mod before;
mod environment;
mod facts;
mod file;
mod found;
mod inventory;
mod merge;
mod python;
mod report;
mod request;
mod seen;
mod status;
mod store;
mod terminal;

use std::time::Instant;

use self::attempt::Attempt;
pub(crate) use self::before::below_pytests_cache;
pub(crate) use self::found::{Found, FoundFile, FoundItem, NotFound, Place, find, named, of_text};
pub(crate) use self::inventory::{cache_of, foresee, inventory};
pub(crate) use self::merge::absolute;
use self::report::Report;
pub(crate) use self::request::Color;
use self::request::Reading;
pub(crate) use self::status::status;
pub(crate) use self::terminal::has_colors;
use crate::args::RunArguments;
use crate::session;

/// Collects, or runs a session for everything else.
pub(crate) fn run_or_collect(arguments: &RunArguments) -> u8 {
    let mut report = Report::new();
    let reading = match arguments.native_collection {
        _ if arguments.shard.is_some() && arguments.collects_only() => {
            Reading::Genuine("one shard of the items is asked for".to_owned())
        }
        _ if arguments.shard.is_some() => Reading::Other,
        _ if !arguments.messages.is_empty() && arguments.collects_only() => {
            Reading::Genuine("messages tell of a session".to_owned())
        }
        true => request::read(&arguments.pytest),
        false => Reading::Genuine("--no-native-collection".to_owned()),
    };
    let code = match reading {
        Reading::Other => return session::run(arguments),
        Reading::Genuine(reason) => {
            report.genuine(reason);
            session::run(arguments)
        }
        Reading::Native(request) => {
            let attempt = Attempt {
                arguments,
                request: &request,
                started: Instant::now(),
            };
            attempt.run(&mut report)
        }
    };
    report.show(arguments);
    code
}
