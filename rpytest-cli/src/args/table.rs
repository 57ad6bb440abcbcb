//! All options of rpytest's own.
//!
//! To add one, add a row here, read it from [`Given`](super::given::Given), and let the test
//! `help_knows_the_table` write what `--help` shows (`RPYTEST_BLESS=1`). Everything else follows from the row.

use super::daemon::{self, SERVE_ON};
use super::definition::{Definition, Excluded, Group};
use super::discover::DISCOVER;
use super::{COLLECTS_ONLY, EDITOR_SERVER};
use super::{flaky, messages, shard, verify};
use crate::shard::strategy;

/// How old a fixture that stays up may be.
pub(crate) const FIXTURE_MAX_AGE: &str = "--fixture-max-age";

const LEAVE_OUT_ONE: &str = "; leave out one of them";
/// Options with which there is no session to tell of.
const WITHOUT_A_RUN: [Excluded; 1] = [Excluded {
    options: &["--native-collect-only", shard::INFO],
    remedy: ": there is no session to tell of; leave out one of them",
}];
const WATCH_INSTEAD: &str = "it is a loop of xdist's, with processes of its own; --watch runs the tests that a change concerns";

/// All of them, in the order in which they are listed below their headings.
pub(crate) static OPTIONS: &[Definition] = &[
    Definition::valued(
        &["--isolate"],
        "none|file|test",
        Group::Running,
        "Run each file, or each test, in a process of its own, forked after collection",
    )
    .choices(&["none", "file", "test"])
    .by_pytest(),
    Definition::switch(
        &["--explain"],
        Group::Running,
        "Say which short cuts this run took, and why not the others",
    )
    .by_pytest(),
    Definition::switch(
        &["--only-rerun-flaky"],
        Group::Running,
        "Run again only tests with a mark `flaky`, or that earlier runs know as flaky",
    )
    .by_pytest(),
    Definition::valued(
        &["--quarantine"],
        "FILE",
        Group::Running,
        "Tests whose failures do not fail the run until a day, with their reasons",
    )
    .by_pytest(),
    Definition::switch(
        &["--timing"],
        Group::Running,
        "Say where the time of the run went, and how good its plan was; html: as a page, too",
    )
    .inline("html[:PATH]"),
    Definition::switch(
        &[DISCOVER],
        Group::Collecting,
        "Tell an editor what there is to be run, as one document",
    )
    .inline("json|vscode|neotest")
    .not_with(&[
        Excluded {
            options: &[
                "--watch",
                "--native-collect-only",
                "--benchmark",
                "--reuse-fixtures",
                "--timing",
                messages::FORMAT,
                messages::JSON,
                messages::GITHUB,
            ],
            remedy: LEAVE_OUT_ONE,
        },
        Excluded {
            options: &[shard::SHARD, shard::INFO],
            remedy: LEAVE_OUT_ONE,
        },
    ]),
    Definition::switch(
        &[verify::VERIFY],
        Group::Running,
        "Run pytest and rpytest, compare all that they have to say, and time them",
    ),
    Definition::switch(
        &["--native-collect-only"],
        Group::Collecting,
        "List node ids without Python, where that is exact",
    )
    .not_with(&[Excluded {
        options: &[
            shard::SHARD,
            shard::TOTAL,
            shard::STRATEGY,
            shard::DIRECTORY,
            shard::INFO,
        ],
        remedy: "; --collect-only -q lists the tests of a shard",
    }]),
    Definition::switch(
        &["--no-native-collection"],
        Group::Collecting,
        "Leave --collect-only to pytest alone",
    ),
    Definition::switch(
        &["--benchmark"],
        Group::Collecting,
        "With --collect-only: time, tests, files, and the native share",
    )
    .needs(
        &COLLECTS_ONLY,
        "--collect-only",
        "; --durations=0 lists what each test of a run took",
    ),
    Definition::switch(
        &["--reuse-fixtures"],
        Group::WarmState,
        "Leave fixtures of sessions and packages up for the next run",
    )
    .not_with(&[Excluded {
        options: &[shard::SHARD, shard::INFO],
        remedy: LEAVE_OUT_ONE,
    }]),
    Definition::valued(
        &[FIXTURE_MAX_AGE],
        "SECONDS",
        Group::WarmState,
        "When they are torn down; 0 for never",
    ),
    Definition::switch(
        &["--session-status"],
        Group::WarmState,
        "Show which fixtures are up",
    ),
    Definition::switch(
        &["--watch"],
        Group::Watching,
        "Run, and then again what each change concerns",
    )
    .not_with(&[
        Excluded {
            options: &["--native-collect-only"],
            remedy: LEAVE_OUT_ONE,
        },
        Excluded {
            options: &COLLECTS_ONLY,
            remedy: LEAVE_OUT_ONE,
        },
        Excluded {
            options: &[shard::SHARD, shard::INFO],
            remedy: LEAVE_OUT_ONE,
        },
    ]),
    Definition::valued(
        &[shard::SHARD],
        "I|auto",
        Group::Shards,
        "Run one shard of the tests, counted from 0, or the one that the CI's variables name",
    ),
    Definition::valued(
        &[shard::TOTAL],
        "N",
        Group::Shards,
        "How many shards there are",
    ),
    Definition::valued(
        &[shard::STRATEGY],
        "NAME",
        Group::Shards,
        "How they are made: duration_balanced, least_duration, round_robin or hash",
    )
    .choices(&strategy::NAMES),
    Definition::valued(
        &[shard::DIRECTORY],
        "DIR",
        Group::Shards,
        "Where a shard leaves what `rpytest merge` joins",
    ),
    Definition::switch(
        &[shard::INFO],
        Group::Shards,
        "Tell of all shards, and run none",
    )
    .not_with(&[Excluded {
        options: &["--timing", "--benchmark"],
        remedy: LEAVE_OUT_ONE,
    }]),
    Definition::switch(
        &["--no-daemon"],
        Group::Daemon,
        "Borrow nothing from a daemon, and start none",
    ),
    Definition::switch(
        &["--daemon"],
        Group::Daemon,
        "Be the daemon, in the foreground",
    ),
    Definition::valued(
        &[daemon::IDLE_TIMEOUT],
        "SECONDS",
        Group::Daemon,
        "When the daemon ends without a run; 0 for never",
    )
    .needs(&["--daemon"], "--daemon", daemon::IN_SETTINGS),
    Definition::valued(
        &[daemon::MEMORY],
        "SIZE",
        Group::Daemon,
        "What the daemon and all that it keeps may take, such as 512M",
    )
    .needs(&["--daemon"], "--daemon", daemon::IN_SETTINGS),
    Definition::switch(
        &["--daemon-status"],
        Group::Daemon,
        "Show what the daemon keeps",
    ),
    Definition::switch(
        &["--daemon-stop"],
        Group::Daemon,
        "End the daemon, and tear down what is up",
    ),
    Definition::switch(&[SERVE_ON], Group::Daemon, ""),
    Definition::valued(
        &[messages::FORMAT],
        "FORMAT[=PATH]",
        Group::Reports,
        "Tell machines of the run: json (one object a line) or teamcity; PATH for a file",
    )
    .not_with(&WITHOUT_A_RUN),
    Definition::switch(
        &[messages::JSON],
        Group::Reports,
        "The same as --message-format json; as JSON, with --daemon-status and others that show",
    )
    .not_with(&WITHOUT_A_RUN),
    Definition::switch(
        &[messages::GITHUB],
        Group::Reports,
        "Annotate what failed in GitHub Actions, and write the summary of the step",
    )
    .not_with(&WITHOUT_A_RUN),
    Definition::switch(
        &["--no-progress"],
        Group::Reports,
        "Show no line below the report, on a terminal, with what runs and the time left",
    )
    .by_pytest(),
    Definition::switch(
        &[EDITOR_SERVER],
        Group::Reports,
        "Serve an editor on standard input and output: list tests, run them, tell of results",
    )
    .not_with(&[
        Excluded {
            options: &[
                DISCOVER,
                "--watch",
                "--native-collect-only",
                "--benchmark",
                "--timing",
                "--message-format",
                "--json",
                "--github",
                "--explain",
                "--reuse-fixtures",
                "--inventory-status",
                "--cleanup",
                "--daemon",
                "--daemon-status",
                "--daemon-stop",
                "--session-status",
            ],
            remedy: LEAVE_OUT_ONE,
        },
        Excluded {
            options: &[shard::SHARD, shard::INFO],
            remedy: LEAVE_OUT_ONE,
        },
        Excluded {
            options: &COLLECTS_ONLY,
            remedy: LEAVE_OUT_ONE,
        },
    ]),
    Definition::switch(
        &["--inventory-status"],
        Group::Kept,
        "Show how many tests are known without Python, since when, and what is kept",
    )
    .not_with(&[Excluded {
        options: &[
            "--watch",
            "--native-collect-only",
            DISCOVER,
            "--benchmark",
            "--reuse-fixtures",
            "--timing",
            messages::FORMAT,
            messages::GITHUB,
            shard::SHARD,
            shard::INFO,
        ],
        remedy: LEAVE_OUT_ONE,
    }]),
    Definition::switch(
        &["--cleanup"],
        Group::Kept,
        "Remove caches, and what daemons and versions that are gone have left",
    ),
    Definition::switch(
        &[flaky::REPORT],
        Group::Kept,
        "Tell which tests are flaky, failing or fixed, by what came of the last runs",
    ),
    Definition::not_yet(
        &["--cache-results", "--cache-store"],
        ": results of tests are not kept yet; leave it out, and all tests run",
    ),
    Definition::never(&["--looponfail", "-f"], WATCH_INSTEAD),
    Definition::not_yet(
        &["--queue", "--run-id"],
        ": machines do not share a queue yet; --shard I --total-shards N divides the tests between them",
    ),
    Definition::never(
        &["--restart-interval"],
        "each run has a fork of its own, so that nothing wears out; what the daemon keeps is made anew when a file, \
         the environment or what is installed changes, and --fixture-max-age SECONDS is for fixtures that stay up",
    ),
];

/// The option of this name.
pub(crate) fn find(name: &str) -> Option<&'static Definition> {
    let named = |option: &&Definition| option.names.contains(&name);
    OPTIONS.iter().find(named)
}
