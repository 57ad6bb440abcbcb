"""A session that has configured, or has collected as well, and waits: each run is a fork of it.

It is the user's genuine session, with the user's own arguments, up to the collection; in a fork that is
told to grow on, also up to the loop over the tests. What it writes until then goes where its starter
has pointed its standard descriptors, to be shown at the beginning of each run. At each stage it says
everything that it has looked at since the one before, since it may be used only as long as all of that
is the same, and serves. A fork takes over the descriptors of whoever runs the tests, and goes on as if
the session had just begun.

It is not grown where growing it could be noticed (`refusals`): then each run has a whole session.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from . import afterfork, audit, host, pytest_compat, rewriting, sharing, timeouts
from .collection import ShortStart
from .controller import Controller, planned_workers
from .dialect import Dialect
from .ending import Ending
from .focus import Opened
from .touches import Touches

if TYPE_CHECKING:
    from .entry import Process

# Options by which a session depends on more than its files: on the runs before it, or on who is there.
_OPTIONS = (
    "collectonly",
    "stepwise",
    "stepwise_skip",
    "stepwise_reset",
    "lf",
    "failedfirst",
    "newfirst",
    "cacheclear",
    "showfixtures",
    "show_fixtures_per_test",
    "markers",
    "cacheshow",
    "version",
    "help",
    "pastebin",
    "debug",
)


def run(process: Process, start: dict[str, Any]) -> NoReturn:
    """Grow, serve, and in each fork run the tests; nothing is said of a session that ends before."""
    resident = Resident(process)
    controller = Controller(process, start["settled"], None, resident.before_tests)
    resident.controller = controller
    code = pytest_compat.run_console([Dialect(), ShortStart(), controller, resident])
    if not resident.is_lent:
        afterfork.exit_quickly(code)
    controller.end(code)


class Resident:
    """The plugin of such a session."""

    controller: Controller

    def __init__(self, process: Process) -> None:
        self._process = process
        self._watch = sharing.Watch()
        self._watch.before_effect = self._before_effect
        self._touches = Touches(whole=True)
        self._opened = Opened()
        self._config: pytest.Config | None = None
        # Of pytest's cache, before anybody has read that.
        self._cached: list[bytes | None] = []
        self.is_lent = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Nothing of the session's own has happened yet: what would, without a run, must not."""
        self._config = config
        self._cached = pytest_compat.cached(config)
        reasons = refusals(config)
        if reasons:
            self._refuse(reasons)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """The first stage: configured. Returns in each fork, and never in this process."""
        self._touches.pause()
        reasons = self._watch.pause(session.config)
        reasons += self._touches.effects()
        self._wait(session, reasons)

    def before_tests(self, session: pytest.Session) -> None:
        """The second stage: collected. Returns in each fork, and at once in a run."""
        if self.is_lent:
            return
        self._touches.stop()
        reasons = self._watch.stop(session.config)
        reasons += self._touches.effects()
        if session.testsfailed:
            reasons.append("the collection failed")
        if pytest_compat.others_listen(session.config.hook.pytest_runtestloop):
            reasons.append("a plugin implements pytest_runtestloop")
        self._wait(session, reasons)

    def _wait(self, session: pytest.Session, reasons: list[str]) -> None:
        if reasons:
            self._refuse(reasons)
        self._say([])
        # As for a template: what is there stays, and what is garbage is finalised before.
        gc.collect()
        if self.controller.ending is None:
            self.controller.ending = Ending()
        else:
            self.controller.ending.look()
        gc.freeze()
        audit.show_all()
        # Returns in each fork. What the session has not written yet, a fork writes when it would have.
        process = host.serve(self._process, flushes=False)
        self._adopt(process, session)

    def _say(self, refusals: list[str]) -> None:
        cache = None if self._config is None else pytest_compat.cache_dir(self._config)

        def counts(path: str) -> bool:
            # What the last runs have left in the cache is read again by each fork.
            return cache is None or (path != cache and not path.startswith(cache + os.sep))

        looked = self._touches.looked(counts)
        self._process.channel.send({"type": "grown", "refusals": refusals, "looked": looked})

    def _before_effect(self, what: str) -> NoReturn:
        """What would reach outside of the process must not happen while nobody has asked for a run: it
        might be in the way of one (a port, a lock)."""
        self._touches.stop()
        with self._watch:
            self._say([what])
            os._exit(0)

    def _refuse(self, reasons: list[str]) -> NoReturn:
        self._say(reasons)
        self._process.close()
        # What a module registered at its import for the interpreter's end is owed to it.
        afterfork.exit_quickly(0)

    def _adopt(self, process: Process, session: pytest.Session) -> None:
        config = session.config
        process.greet()
        start = process.channel.recv()
        while start is not None and start["type"] == "host":
            process = host.serve(process, flushes=False)
            process.greet()
            start = process.channel.recv()
        if start is None:
            os._exit(0)
        if start["type"] == "rewrite":
            rewriting.help_with(process, start)
        afterfork.renew(config)
        self._watch.generators.renew()
        if start["role"] == "resident":
            # It grows into the next stage, and tells what it looks at from here on.
            self._process = process
            self._opened.forget()
            self._watch.restart()
            self._touches.restart()
            host.hear_interrupts()
            return
        self.is_lent = True
        if start["settled"]:
            # The one that crashed has written it.
            afterfork.discard_unwritten()
        process.channel.read_ahead()
        self._watch.let_go()
        self._touches.let_go()
        pytest_compat.restart_clocks(config)
        plugin = config.pluginmanager.getplugin(timeouts.NAME)
        if plugin is not None:
            plugin.begin_session()
        if pytest_compat.cached(config) != self._cached:
            pytest_compat.read_cache_again(session)
        process.timed = start["timed"]
        self.controller.adopt(process, start["settled"], start["listens"])
        host.hear_interrupts()
        if start["focus"] is None or start["sharded"]:
            self._opened.forget()
        if start["focus"] is not None:
            tells = not start["sharded"]
            focus = self.controller.focused(start["focus"], self._opened, tells)
            config.pluginmanager.register(focus, "rpytest-focus")
            focus.narrow(session)
        if start["sharded"]:
            for plugin in self.controller.sharded():
                config.pluginmanager.register(plugin)
                plugin.pytest_collection(session)


def refusals(config: pytest.Config) -> list[str]:
    """Why growing a session from here could be noticed, or why it would not be of use."""
    option = config.option
    reasons = [f"the option {name} is given" for name in _OPTIONS if getattr(option, name, False)]
    if planned_workers(config):
        reasons.append("the tests run in workers")
    reasons += sharing.unread_hooks(config, sharing.SESSION_HOOKS)
    return reasons
