"""The options of the command, for `--help` and for pytest's parser.

Written by the test `help_knows_the_table` of rpytest-cli from its `args/table.rs`: change that.
"""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """An option of the command."""

    group: str
    names: tuple[str, ...]
    value: str | None
    choices: tuple[str, ...]
    parsed: bool
    """Whether pytest's parser knows it as well."""
    help: str


OPTIONS = (
    Option(
        "running",
        ("--isolate",),
        "none|file|test",
        ("none", "file", "test"),
        True,
        "Run each file, or each test, in a process of its own, forked after collection",
    ),
    Option(
        "running",
        ("--explain",),
        None,
        (),
        True,
        "Say which short cuts this run took, and why not the others",
    ),
    Option(
        "running",
        ("--only-rerun-flaky",),
        None,
        (),
        True,
        "Run again only tests with a mark `flaky`, or that earlier runs know as flaky",
    ),
    Option(
        "running",
        ("--quarantine",),
        "FILE",
        (),
        True,
        "Tests whose failures do not fail the run until a day, with their reasons",
    ),
    Option(
        "running",
        ("--timing",),
        "html[:PATH]",
        (),
        False,
        "Say where the time of the run went, and how good its plan was; html: as a page, too",
    ),
    Option(
        "running",
        ("--verify-dropin",),
        None,
        (),
        False,
        "Run pytest and rpytest, compare all that they have to say, and time them",
    ),
    Option(
        "collecting without running",
        ("--discover",),
        "json|vscode|neotest",
        (),
        False,
        "Tell an editor what there is to be run, as one document",
    ),
    Option(
        "collecting without running",
        ("--native-collect-only",),
        None,
        (),
        False,
        "List node ids without Python, where that is exact",
    ),
    Option(
        "collecting without running",
        ("--no-native-collection",),
        None,
        (),
        False,
        "Leave --collect-only to pytest alone",
    ),
    Option(
        "collecting without running",
        ("--benchmark",),
        None,
        (),
        False,
        "With --collect-only: time, tests, files, and the native share",
    ),
    Option(
        "fixtures that stay up",
        ("--reuse-fixtures",),
        None,
        (),
        False,
        "Leave fixtures of sessions and packages up for the next run",
    ),
    Option(
        "fixtures that stay up",
        ("--fixture-max-age",),
        "SECONDS",
        (),
        False,
        "When they are torn down; 0 for never",
    ),
    Option(
        "fixtures that stay up",
        ("--session-status",),
        None,
        (),
        False,
        "Show which fixtures are up",
    ),
    Option(
        "watching",
        ("--watch",),
        None,
        (),
        False,
        "Run, and then again what each change concerns",
    ),
    Option(
        "shards",
        ("--shard",),
        "I|auto",
        (),
        False,
        "Run one shard of the tests, counted from 0, or the one that the CI's variables name",
    ),
    Option(
        "shards",
        ("--total-shards",),
        "N",
        (),
        False,
        "How many shards there are",
    ),
    Option(
        "shards",
        ("--shard-strategy",),
        "NAME",
        ("duration_balanced", "least_duration", "round_robin", "hash"),
        False,
        "How they are made: duration_balanced, least_duration, round_robin or hash",
    ),
    Option(
        "shards",
        ("--shard-dir",),
        "DIR",
        (),
        False,
        "Where a shard leaves what `rpytest merge` joins",
    ),
    Option(
        "shards",
        ("--shard-info",),
        None,
        (),
        False,
        "Tell of all shards, and run none",
    ),
    Option(
        "the daemon",
        ("--no-daemon",),
        None,
        (),
        False,
        "Borrow nothing from a daemon, and start none",
    ),
    Option(
        "the daemon",
        ("--daemon",),
        None,
        (),
        False,
        "Be the daemon, in the foreground",
    ),
    Option(
        "the daemon",
        ("--daemon-idle-timeout",),
        "SECONDS",
        (),
        False,
        "When the daemon ends without a run; 0 for never",
    ),
    Option(
        "the daemon",
        ("--daemon-memory",),
        "SIZE",
        (),
        False,
        "What the daemon and all that it keeps may take, such as 512M",
    ),
    Option(
        "the daemon",
        ("--daemon-status",),
        None,
        (),
        False,
        "Show what the daemon keeps",
    ),
    Option(
        "the daemon",
        ("--daemon-stop",),
        None,
        (),
        False,
        "End the daemon, and tear down what is up",
    ),
    Option(
        "reports",
        ("--message-format",),
        "FORMAT[=PATH]",
        (),
        False,
        "Tell machines of the run: json (one object a line) or teamcity; PATH for a file",
    ),
    Option(
        "reports",
        ("--json",),
        None,
        (),
        False,
        "The same as --message-format json; as JSON, with --daemon-status and others that show",
    ),
    Option(
        "reports",
        ("--github",),
        None,
        (),
        False,
        "Annotate what failed in GitHub Actions, and write the summary of the step",
    ),
    Option(
        "reports",
        ("--no-progress",),
        None,
        (),
        True,
        "Show no line below the report, on a terminal, with what runs and the time left",
    ),
    Option(
        "reports",
        ("--editor-server",),
        None,
        (),
        False,
        "Serve an editor on standard input and output: list tests, run them, tell of results",
    ),
    Option(
        "what is kept between runs",
        ("--inventory-status",),
        None,
        (),
        False,
        "Show how many tests are known without Python, since when, and what is kept",
    ),
    Option(
        "what is kept between runs",
        ("--cleanup",),
        None,
        (),
        False,
        "Remove caches, and what daemons and versions that are gone have left",
    ),
    Option(
        "what is kept between runs",
        ("--flaky-report",),
        None,
        (),
        False,
        "Tell which tests are flaky, failing or fixed, by what came of the last runs",
    ),
)

# Keys of [tool.rpytest], the variables that count more, what they decide, and what they must be.
SETTINGS = (
    (
        "daemon_idle_timeout",
        "RPYTEST_DAEMON_IDLE_TIMEOUT",
        "When the daemon ends without a run",
        "a number of seconds, 0 for never",
    ),
    (
        "daemon_memory",
        "RPYTEST_DAEMON_MEMORY",
        "What the daemon and all that it keeps may take",
        "a size, such as 512M or 2G",
    ),
    (
        "default_markers",
        "RPYTEST_DEFAULT_MARKERS",
        "The -m of a run that has none",
        'an expression of marks, such as "not slow"',
    ),
    (
        "default_shard_strategy",
        "RPYTEST_DEFAULT_SHARD_STRATEGY",
        "How shards are made without --shard-strategy",
        "duration_balanced, least_duration, round_robin or hash",
    ),
    (
        "enable_fixture_reuse",
        "RPYTEST_ENABLE_FIXTURE_REUSE",
        "--reuse-fixtures for all runs",
        "true or false",
    ),
    (
        "fixture_max_age",
        "RPYTEST_FIXTURE_MAX_AGE",
        "When fixtures that stay up are torn down",
        "a number of seconds, 0 for never",
    ),
    (
        "isolate",
        "RPYTEST_ISOLATE",
        "The --isolate of a run that has none",
        "none, file or test",
    ),
    (
        "parallel",
        "RPYTEST_PARALLEL",
        "The -n of a run that has none",
        "a number of workers, auto or logical",
    ),
    (
        "quarantine",
        "RPYTEST_QUARANTINE",
        "The --quarantine of a run that has none",
        "the path of a file",
    ),
    (
        "reruns",
        "RPYTEST_RERUNS",
        "The --reruns of a run that has none",
        "a number of times, 0 for never",
    ),
    (
        "snapshot",
        "RPYTEST_SNAPSHOT",
        "How far a process may have come that others are forked from",
        "collected, configured, interpreter or off",
    ),
    (
        "timeout",
        "RPYTEST_TIMEOUT",
        "The --timeout of a run that has none",
        "a number of seconds, 0 for never",
    ),
    (
        "watch_ignore",
        "RPYTEST_WATCH_IGNORE",
        "What --watch does not look at",
        "a list of glob patterns",
    ),
)
