//! The thirty plugins that most projects have, each in an environment of its own: a suite that uses what the plugin is
//! for, run by pytest and by rpytest, without workers and with them, cold and warm. `docs/plugins.md` is what was found.
//!
//! `RPYTEST_BLESS=1 cargo test -p rpytest-cli --test plugins` writes that page anew; with the name of a plugin's test, its row.

#![cfg(unix)]

mod artefacts;
mod asynchronous;
mod coverage;
mod doubles;
mod examples;
mod frameworks;
mod known;
mod plugin;
mod running;
mod shown;
#[allow(dead_code, reason = "the other test binary uses all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod table;
mod ways;
mod written;

use plugin::Plugin;
use table::holds;

/// In the order of the table.
const PLUGINS: &[&Plugin] = &[
    &asynchronous::ASYNCIO,
    &asynchronous::ANYIO,
    &coverage::COV,
    &doubles::MOCK,
    &running::TIMEOUT,
    &running::RERUNFAILURES,
    &examples::HYPOTHESIS,
    &frameworks::DJANGO,
    &written::HTML,
    &written::JSON_REPORT,
    &frameworks::BENCHMARK,
    &running::RANDOMLY,
    &running::ORDER,
    &running::SUBTESTS,
    &doubles::ENV,
    &doubles::REQUESTS_MOCK,
    &doubles::RESPX,
    &examples::SYRUPY,
    &examples::FAKER,
    &examples::TYPEGUARD,
    &written::METADATA,
    &running::REPEAT,
    &doubles::SOCKET,
    &doubles::HTTPX,
    &shown::INSTAFAIL,
    &shown::ICDIFF,
    &shown::SUGAR,
    &written::ALLURE,
    &frameworks::XDIST,
    &frameworks::BDD,
];
