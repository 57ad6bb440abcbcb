"""A process in which one run after the other takes place, and in which fixtures stay up meanwhile.

Each run is a whole session: it configures, and imports and collects everything anew but for the
modules that the fixtures rest on (`warm_modules`). Fixtures of the session's and of packages' scope are
not torn down at its end (`warm_fixtures`), but when the process is told to end: when something that
they depend on has changed, they are too old, or nobody wants them any more. Where a run could notice
that it is not the first, the process ends, and the run begins again in a new one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import types
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from . import afterfork, audit, host, pytest_capture, pytest_compat, touches
from .collection import ShortStart
from .controller import Controller, planned_workers
from .dialect import Dialect
from .focus import Opened
from .warm_fixtures import Reads, Tending, WarmFixture
from .warm_modules import Again, Modules

if TYPE_CHECKING:
    from .entry import Process

# Options by which a run chooses its tests, and how it shows them. With any other one changed, a fixture
# might be another one.
_OF_NO_CONSEQUENCE = frozenset(
    {
        "cacheclear",
        "cacheshow",
        "capture",
        "code_highlight",
        "collectonly",
        "color",
        "continue_on_collection_errors",
        "deselect",
        "disable_warnings",
        "durations",
        "durations_min",
        "failedfirst",
        "file_or_dir",
        "fold_skipped",
        "force_short_summary",
        "fulltrace",
        "help",
        "ignore",
        "ignore_glob",
        "junitprefix",
        "keyword",
        "last_failed_no_failures",
        "lf",
        "markers",
        "markexpr",
        "max_warnings",
        "maxfail",
        "newfirst",
        "no_header",
        "no_summary",
        "numprocesses",
        "reportchars",
        "quiet",
        "rpytest_explain",
        "rpytest_no_progress",
        "show_fixtures_per_test",
        "showcapture",
        "showfixtures",
        "showlocals",
        "stepwise",
        "stepwise_reset",
        "stepwise_skip",
        "tbstyle",
        "testrunuid",
        "trace",
        "tx",
        "usepdb",
        "usepdb_cls",
        "verbose",
        "version",
        "xfail_tb",
        "xmlpath",
    }
)


def run(home: Process) -> NoReturn:
    """Serve one borrower after the other, until there is nothing to keep, or nobody to keep it for."""
    warm = Warm(home)
    try:
        while True:
            warm.serve()
    except BaseException:
        warm.release()
        raise


class Warm:
    def __init__(self, home: Process) -> None:
        self._home = home
        self.modules = Modules()
        self.reads = Reads()
        self.fixtures: list[WarmFixture] = []
        self._needed: list[types.ModuleType] = []
        # The options of the last run, with which the fixtures were set up.
        self.options: dict[str, str] = {}
        self._environment = dict(os.environb)
        self._opened: Opened | None = None
        self._failures: list[str] = []
        # Files that configure the runs, and modules that are plugins of the last one.
        self.configuration: set[str] = set()
        self.plugins: list[types.ModuleType] = []
        # Where the modules of the last run were looked for.
        self.search_path: list[str] = []
        self.process: Process | None = None
        audit.listen(self.reads.audit)

    # ---------------------------------------------------------------- one run

    def serve(self) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        message, fds = self._home.channel.recv_with_fds()
        if message is None or message["type"] != "lend":
            self.end()
        try:
            own = {self._home.channel.fileno(), self._home.crash_fd}
            fds = afterfork.make_room(fds, message["inherited"], own)
        except OSError as error:
            for fd in fds:
                os.close(fd)
            reason = str(error)
            self._say({"type": "fork_failed", "child": message["child"], "reason": reason})
            self._tell()
            if not self.fixtures:
                self.end()
            signal.signal(signal.SIGINT, before)
            return
        from .entry import Process

        outer = Process(*fds[: host.OWN_DESCRIPTORS])
        self._environment = afterfork.move_in_again(
            message, fds[host.OWN_DESCRIPTORS :], self._environment
        )
        self._say({"type": "forked", "child": message["child"], "pid": os.getpid()})
        signal.signal(signal.SIGINT, before)
        try:
            self._play_host(outer)
        except OSError:
            # The borrower is gone.
            self.end()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        outer.close()
        self.process = None
        afterfork.move_out()
        signal.signal(signal.SIGINT, before)
        if not self.fixtures:
            self.end()

    def _play_host(self, outer: Process) -> None:
        """For the borrower this is a host and its child, of which there is one."""
        from .entry import Process

        outer.greet()
        message, fds = outer.channel.recv_with_fds()
        while message is not None and message["type"] in ("host", "probe"):
            if message["type"] == "probe":
                outer.channel.send({"type": "probed", "token": message["token"], "interrupts": 0})
            message, fds = outer.channel.recv_with_fds()
        if message is None or message["type"] != "fork":
            return
        outer.channel.send({"type": "forked", "child": message["child"], "pid": os.getpid()})
        self.process = process = Process(*fds)
        process.greet()
        start = process.channel.recv()
        if start is not None:
            code = self._session(process, start)
            # Before anybody can know that the run is over, and ask for the next one.
            self._tell()
            process.channel.send({"type": "session_over", "exit": code})
            process.close()
            outer.channel.send({"type": "exited", "pid": os.getpid(), "code": code, "signal": None})

    def _session(self, process: Process, start: dict[str, Any]) -> int:
        argv = [os.fsdecode(argument) for argument in start["argv"]]
        sys.argv[:] = [os.path.join(os.path.dirname(sys.executable), "pytest"), *argv]
        process.channel.read_ahead()
        self.modules.forget_others(self._needed)
        path = list(sys.path)
        again = Again(self._needed)
        process.timed = start["timed"]
        controller = Controller(process, start["settled"], start["listens"], is_last=False)
        session = _Session(self, again)
        plugins: list[Any] = [Dialect(), ShortStart(), controller, session]
        if start["focus"] is not None:
            if self._opened is None:
                self._opened = Opened()
            self._opened.go_on()
            plugins.append(controller.focused(start["focus"], self._opened))
        elif self._opened is not None:
            self._opened.forget()
        directory = os.getcwd()
        try:
            code = pytest_compat.run_console(plugins)
        except SystemExit as error:  # a plugin's, or a conftest's
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        finally:
            session.end()
            with contextlib.suppress(ValueError):
                sys.meta_path.remove(again)
        # What stays has put its directories there, and will not do so again; the others may.
        sys.path[:] = dict.fromkeys([*sys.path, *path])
        if os.getcwd() != directory:
            # A fixture may have gone there, and the next one would have to be there before it.
            self._tear_down()
        return code

    def start_over(self, reason: str) -> NoReturn:
        """Have the run begin again, in a new process."""
        process = self.process
        assert process is not None
        self.release()
        # The next one begins with the header, too.
        afterfork.discard_unwritten()
        afterfork.run_exit_functions()
        process.channel.send({"type": "start_over", "reason": reason})
        os._exit(0)

    # ---------------------------------------------------------------- between runs

    def _say(self, message: dict[str, Any]) -> None:
        # Without an owner it goes on to the end of the run.
        with contextlib.suppress(OSError):
            self._home.channel.send(message)

    def _tell(self) -> None:
        """Say what is up, and what it depends on."""
        if not self.fixtures:
            self._say({"type": "released", "failures": self._failures})
            self._failures = []
            return
        self._needed = self.modules.needed(
            module for module in {id(one): one for one in self._modules_of_fixtures()}.values()
        )
        files = {os.path.abspath(str(module.__file__)) for module in self._needed}
        others = self.configuration | self.modules.places(self._needed, self.search_path)
        missing = {path for path in others - files if not touches.is_there(path)}
        seen, listed = files | others, set[str]()
        for who in [*(one.function for one in self.fixtures), *files]:
            for kind, path in self.reads.of(who):
                (seen if kind == "file" else listed).add(path)
                if path in self.reads.missing:
                    missing.add(path)
        self._say(
            {
                "type": "kept",
                "fixtures": [
                    {
                        "name": one.name,
                        "scope": one.scope,
                        "file": os.fsencode(one.place),
                        "since": one.since,
                    }
                    for one in self.fixtures
                ],
                "looked": touches.looked(seen, missing - files, listed),
            }
        )

    def streams(self) -> list[pytest_capture.CaptureStreams]:
        """What the fixtures may have kept of the sessions that they were set up in."""
        found = {id(one.streams): one.streams for one in self.fixtures if one.streams is not None}
        return list(found.values())

    def _modules_of_fixtures(self) -> list[types.ModuleType]:
        found = [self.module_of(one.function) for one in self.fixtures]
        return [module for module in found if module is not None]

    def module_of(self, function: types.FunctionType) -> types.ModuleType | None:
        candidates = [*self._needed, *self.plugins, *list(sys.modules.values())]
        for module in candidates:
            if isinstance(module, types.ModuleType) and vars(module) is function.__globals__:
                return module
        return None

    def _tear_down(self) -> None:
        while self.fixtures:
            failure = self.fixtures.pop().tear_down()
            if failure is not None:
                self._failures.append(failure)

    def release(self) -> None:
        self._tear_down()
        self._say({"type": "released", "failures": self._failures})

    def end(self) -> NoReturn:
        self.release()
        afterfork.exit_quickly(0)


class _Session:
    """The plugin of one run."""

    def __init__(self, warm: Warm, again: Again) -> None:
        self._warm = warm
        self._again = again
        # With nothing up, nothing of the process's past matters.
        self._is_first = not warm.fixtures
        self._tending = Tending(warm.fixtures, warm.reads)
        self._options: dict[str, str] = {}
        self._of_tests: set[int] = set()
        # By module, whether fixtures that it defines may.
        self._stays: dict[int, bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        # Before the one by which pytest rewrites assertions.
        sys.meta_path.insert(0, self._again)
        self._warm.reads.of_sources = True

    # Not `tryfirst`: xdist's own plugin, which is, has to have seen `-n` first.
    @pytest.hookimpl
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        warm, option = self._warm, config.option
        if planned_workers(config):
            warm.start_over("fixtures are kept for runs without workers only")
        for name in ("setupshow", "setuponly", "setupplan"):
            if getattr(option, name, False):
                warm.start_over("it shall show how fixtures are set up and torn down")
        capture = getattr(option, "capture", "no")
        if capture not in ("fd", "no"):
            # A fixture may keep the stream that it found.
            warm.start_over(f"--capture={capture} captures in memory of the session's own")
        if getattr(option, "cov_source", None) and not getattr(option, "no_cov", False):
            warm.start_over("coverage is measured, and modules that stay would not be")
        self._options = {
            name: repr(value)
            for name, value in vars(option).items()
            if name not in _OF_NO_CONSEQUENCE
            and isinstance(value, bool | int | float | str | list | tuple | dict | None)
        }
        if not self._is_first:
            changed = sorted(
                name
                for name in self._options.keys() | warm.options.keys()
                if self._options.get(name) != warm.options.get(name)
            )
            if changed:
                warm.start_over(f"the kept fixtures were set up with another {changed[0]!r}")
        # Also those that are not there: another one may come to count.
        warm.configuration = {
            os.path.join(directory, name)
            for directory in {str(config.rootpath), str(config.invocation_params.dir)}
            for name in pytest_compat.CONFIGURATION_FILES
        }
        if config.inipath is not None:
            warm.configuration.add(os.path.abspath(config.inipath))
        streams = pytest_capture.CaptureStreams(config)
        for old in warm.streams():
            old.follow(streams)
        warm.plugins = [
            plugin
            for plugin in config.pluginmanager.get_plugins()
            if isinstance(plugin, types.ModuleType)
        ]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Any:
        warm = self._warm
        warm.reads.of_sources = False
        warm.search_path = list(sys.path)
        if session.testsfailed and not self._is_first:
            # Of a module that is imported twice it may be the second time that fails.
            warm.start_over("the collection failed where fixtures were kept")
        manager = session.config.pluginmanager
        warm.plugins = [one for one in manager.get_plugins() if isinstance(one, types.ModuleType)]
        if not session.config.option.collectonly:
            tests = {
                id(one): one for item in session.items if (one := getattr(item, "module", None))
            }
            self._of_tests = set(tests)
            warm.modules.of_tests = list(tests.values())
            self._tending.begin(session, self._may_stay)
        return (yield)

    def _may_stay(self, function: types.FunctionType) -> bool:
        """Whether a function is the user's own, and rests on no module that has tests.

        Those are never used twice: tests, and what decorates them, keep things in their modules.
        """
        module = self._warm.module_of(function)
        if module is None or not self._warm.modules.is_users(module):
            return False
        if id(module) not in self._stays:
            needed = self._warm.modules.needed([module])
            self._stays[id(module)] = not any(id(one) in self._of_tests for one in needed)
        return self._stays[id(module)]

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self._tending.before_end(config)

    def end(self) -> None:
        warm = self._warm
        warm.reads.of_sources = False
        before = warm.streams()
        warm.fixtures = self._tending.end()
        kept = warm.streams()
        for streams in before:
            if streams not in kept:
                streams.close()
        warm.options = self._options or warm.options
