"""What is added to pytest-timeout, where it is installed. What it does remains its own.

Its method `thread` writes what it knows to the terminal, which a worker has none of, and ends the
process: in a worker it is made to write where the supervisor looks when a process has ended. And the
supervisor is told by when a test must have been interrupted, for those that no alarm and no thread of
Python can reach.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from . import afterfork, pytest_terminal, timeouts

if TYPE_CHECKING:
    from .recorder import Recorder

# Under which it is known: that of its entry point, that of its module.
NAMES: Final = ("timeout", "pytest_timeout")
_MODULE: Final = "pytest_timeout"
# Seconds for it to do what it does.
_GRACE: Final = 10.0


class Backstop:
    """A plugin."""

    def __init__(self) -> None:
        self._config: Any = None
        self._recorder: Recorder | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config
        module = sys.modules.get(_MODULE)
        self._replace(module, "timeout_sigalrm", self._struck)
        if hasattr(config, "workerinput"):
            self._replace(module, "timeout_timer", self._dumped)

    def _replace(self, module: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        genuine = getattr(module, name, None)
        if callable(genuine) and not hasattr(genuine, "_rpytest"):
            wrapped = wrap(genuine)
            wrapped._rpytest = True
            setattr(module, name, wrapped)

    def _struck(self, genuine: Any) -> Any:
        def timeout_sigalrm(item: Any, settings: Any) -> None:
            __tracebackhide__ = True
            # It has been reached; what it makes of that, and how long, is pytest-timeout's affair.
            if not timeouts.is_sending(sys._getframe()):
                self._limit(None, "")
            genuine(item, settings)

        return timeout_sigalrm

    def _dumped(self, genuine: Any) -> Any:
        def timeout_timer(item: Any, settings: Any) -> None:
            with contextlib.ExitStack() as undo:
                with contextlib.suppress(Exception):
                    undo.enter_context(
                        pytest_terminal.writing_to(item.config, afterfork.crash_file())
                    )
                genuine(item, settings)

        return timeout_timer

    def begin_session(self) -> None:
        """The session's time counts from here."""
        module: Any = sys.modules.get(_MODULE)
        limit, end = (
            getattr(module, f"SESSION_{name}_KEY", None) for name in ("TIMEOUT", "EXPIRE")
        )
        if limit is not None and end is not None and self._config.stash.get(limit, 0):
            self._config.stash[end] = time.time() + self._config.stash[limit]

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, settings: Any) -> None:
        afterfork.show_stacks_on_demand()
        message = f"Timeout (>{settings.timeout}s) from pytest-timeout."
        self._limit(settings.timeout + _GRACE, f"{message} It did not reach the test.")

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_cancel_timer(self) -> None:
        self._limit(None, "")

    @pytest.hookimpl(optionalhook=True)
    def pytest_enter_pdb(self) -> None:
        self._limit(None, "")

    def _limit(self, seconds: float | None, reason: str) -> None:
        if self._recorder is None:
            self._recorder = self._config.pluginmanager.getplugin("rpytest-recorder")
        if self._recorder is not None:
            self._recorder.limit(seconds, reason)
