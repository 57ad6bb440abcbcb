"""The controller: the user's session. It configures, reports and exits as pytest does.

Without workers it also collects and runs the tests, by pytest's own loop, and only tells the
supervisor what happens (`InProcess`). With workers it stands where xdist's controller stands:
collection and tests happen elsewhere, and their reports pass through its hooks (`Distributed`).
"""

from __future__ import annotations

import gc
import os
import re
import sys
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from . import afterfork, host, pytest_compat, pytest_terminal, timeouts
from .collection import ShortStart
from .dialect import Dialect, worker_options
from .distributed import Distributed, EarlyStart
from .garbage import Garbage
from .in_process import InProcess
from .telling import Teller

if TYPE_CHECKING:
    from .channel import Channel
    from .ending import Ending
    from .entry import Process
    from .focus import Focus, Opened
    from .shards import Artifacts, Shard


def run(process: Process, start: dict[str, Any]) -> NoReturn:
    process.channel.read_ahead()
    controller = Controller(process, start["settled"], start["listens"])
    plugins: list[Any] = [Dialect(), ShortStart(), controller]
    if start["focus"] is not None:
        plugins.append(controller.focused(start["focus"], tells=not start["sharded"]))
    if start["sharded"]:
        plugins += controller.sharded()
    try:
        host.hear_interrupts()
    except KeyboardInterrupt:
        # It came while this process was made: there is no session that could say so. The command does.
        os._exit(2)
    try:
        code = pytest_compat.run_console(plugins)
    except SystemExit as error:  # a plugin's, or a conftest's
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        process.channel.send({"type": "session_over", "exit": code})
        raise
    controller.end(code)


class Controller:
    """Decides, once the command line is parsed, which kind of session this is."""

    def __init__(
        self,
        process: Process,
        settled: list[dict[str, Any]],
        listens: bool | None,
        before_tests: Callable[[pytest.Session], None] | None = None,
        is_last: bool = True,
    ) -> None:
        """With something to do before the tests run, it tells of its plan only to who comes then.

        Whether they listen to the run is not known until then (`None`). If it is not the last session
        of its process, others will need what it leaves.
        """
        self.process = process
        self._listens = listens
        self._teller = Teller(lambda: self.process.channel, listens)
        self.settled = settled
        self.workers = 0
        self._before_tests = before_tests
        # In a fork: what of its end would be noticed.
        self.ending: Ending | None = None
        # Of a session that runs its tests, in a process that is forked no more then.
        self._garbage = Garbage() if is_last else None
        self._plan: dict[str, Any] = {}
        self._plugin: Any = None
        self._config: pytest.Config | None = None

    def end(self, code: int) -> NoReturn:
        """Say how the session ended, and end the process."""
        channel = self.process.channel
        channel.send({"type": "session_over", "exit": code})
        if self._garbage is not None and not pytest_compat.is_genuine():
            ending = self._garbage.ending()
            afterfork.run_exit_functions()
            if ending.noticed() is None:
                if self.ending is not None and afterfork.has_let_go({channel.fileno()}):
                    # Nobody needs to wait until the system has taken its memory apart.
                    channel.send({"type": "left", "code": code})
                os._exit(code)
            gc.unfreeze()
        # Left to the interpreter's end, it would be a ResourceWarning where those are on.
        self.process.close()
        if self.workers:
            # Nothing of the user's ran here but configuration and reporting.
            afterfork.exit_quickly(code)
        sys.exit(code)

    def focused(
        self, wish: dict[str, Any], opened: Opened | None = None, tells: bool = True
    ) -> Focus:
        """The plugin by which this session runs a part of what its arguments name."""
        from .focus import Focus  # few sessions need it

        def recorder() -> Any:
            return getattr(self._plugin, "recorder", None)

        return Focus(wish, lambda: self.process.channel, recorder, opened, tells)

    def sharded(self) -> tuple[Shard, Artifacts]:
        """The plugins by which this session runs one shard of it."""
        from .shards import Artifacts, Shard  # few sessions need them

        def channel() -> Channel:
            return self.process.channel

        return Shard(channel), Artifacts(channel)

    def adopt(self, process: Process, settled: list[dict[str, Any]], listens: bool) -> None:
        """In a fork of a session without workers: go on with a process's own channel."""
        self.process = process
        self._plugin.adopt(process, settled, listens)
        if self._garbage is not None and self.ending is not None:
            self._garbage.adopt(self.ending)
        process.channel.send(self._plan)
        self._teller.adopt(listens)

    # Not `tryfirst`: xdist's own plugin, which is, has to have seen `-n` first.
    @pytest.hookimpl
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        self._config = config
        self.workers = planned_workers(config)
        isolate = config.option.rpytest_isolate
        option = worker_options(config)
        testrunuid = option.testrunuid or uuid.uuid4().hex
        dist = option.dist if self.workers else "no"
        if self.workers and dist == "no":
            dist = "load"
        if self._listens is not False:
            config.pluginmanager.register(self._teller, "rpytest-teller")
        # xdist's plugin, where there is one, must not start a session of its own.
        option.tx = []
        if self.workers:
            self._garbage = None
            self._plugin = plugin = Distributed(
                self.process.channel, config, self._teller, self.workers, dist, testrunuid, isolate
            )
            config.pluginmanager.register(EarlyStart(plugin), "rpytest-early-start")
        else:
            self._plugin = InProcess(
                self.process, config, self.settled, self._teller, self._before_tests
            )
            self._plugin.recorder.listens = bool(self._listens)
            if self._garbage is not None:
                config.pluginmanager.register(self._garbage, "rpytest-garbage")
        config.pluginmanager.register(self._plugin, "rpytest-session")
        cache_dir = pytest_compat.cache_dir(config)
        self._plan = {
            "type": "plan",
            "workers": self.workers,
            "dist": dist,
            "max_worker_restart": _restarts(option.maxworkerrestart),
            "max_chunk": option.maxschedchunk,
            "isolate": isolate,
            "testrunuid": testrunuid,
            "cache_dir": None if cache_dir is None else os.fsencode(cache_dir),
            "verbose": config.getoption("verbose", 0) > 0,
            "session_limit": timeouts.session_limit(config),
            "in_order": not getattr(option, "loadscopereorder", True),
        }
        if self._before_tests is None:
            self.process.channel.send(self._plan)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """pytest says nothing while plugins are configured: its reporter is not there yet."""
        config = self._config
        if config is None or isinstance(excinfo.value, pytest.exit.Exception):
            return
        if not pytest_terminal.will_report_interrupts(config):
            print("rpytest: interrupted", file=sys.stderr, flush=True)


# These show what happens in the process that runs the tests, in its order.
# (`stepwise` is implied by the two others only once the plugin is configured.)
_IN_ONE_PROCESS = {
    "setuponly": "--setup-only",
    "setupshow": "--setup-show",
    "stepwise": "--stepwise",
    "stepwise_skip": "--stepwise-skip",
    "stepwise_reset": "--stepwise-reset",
    "trace": "--trace",
    "usepdb": "--pdb",
}


def planned_workers(config: pytest.Config) -> int:
    """How many workers the options ask for; 0 for a session that runs its tests itself."""
    option = config.option
    if getattr(option, "looponfail", False):
        raise pytest.UsageError(
            "-f/--looponfail is not supported by rpytest; "
            "rpytest --watch runs the tests that a change concerns"
        )
    isolates = option.rpytest_isolate != "none"
    # With `--setup-plan`, which implies two of them, nothing runs.
    if isolates and not option.collectonly and not getattr(option, "setupplan", False):
        for name, words in _IN_ONE_PROCESS.items():
            if getattr(option, name, False):
                raise pytest.UsageError(
                    f"{words} does not work with --isolate; leave out one of them"
                )
    given = worker_options(config)
    if isolates and not given.tx:
        given.numprocesses = 1
        given.tx = ["popen"]
    if not given.tx or option.collectonly:
        return 0
    for name in (
        *_IN_ONE_PROCESS,
        "setupplan",
        # These show something instead of running tests.
        "showfixtures",
        "show_fixtures_per_test",
        "markers",
        "cacheshow",
    ):
        if getattr(option, name, False):
            return 0
    count = 0
    for specification in given.tx:
        match = re.fullmatch(r"(?:(\d+)\*)?popen", specification)
        if match is None:
            raise pytest.UsageError(
                f"--tx {specification}: rpytest starts workers on this machine only; "
                "use --tx popen, --tx N*popen or -n N"
            )
        count += int(match[1] or 1)
    return 0 if given.dist == "no" and not given.numprocesses else count


def _restarts(value: Any) -> int | None:
    if value is None:
        return None
    try:
        return max(0, int(value))
    except ValueError:
        raise pytest.UsageError(f"--max-worker-restart: invalid int value: {value!r}") from None
