"""What a session's options and plugins must be like for the short protocol to be taken."""

from __future__ import annotations

import _pytest.capture
import _pytest.logging
import pytest

from . import pytest_compat


def of_session(config: pytest.Config, tells_all: bool) -> str | None:
    """Why the short protocol may not be taken; `None` if the options and pytest's plugins allow it.

    Where it tells all of each item, it may be shown what is logged, too.
    """
    genuine = pytest_compat.why_genuine()
    if genuine is not None:
        return genuine
    if pytest_compat.is_traced(config):
        return "calls of hooks are traced"
    option = config.option
    if getattr(option, "fulltrace", False):
        return "--full-trace is given"
    for name in ("usepdb", "trace", "setupshow", "setuponly", "setupplan"):
        if getattr(option, name, False):
            return f"--{name} is given"
    if getattr(config, "_env_timeout_func_only", False):
        return "timeout_func_only is set"
    logs = config.pluginmanager.getplugin("logging-plugin")
    if logs is not None:
        if type(logs) is not _pytest.logging.LoggingPlugin:
            return "the plugin `logging-plugin` is not pytest's"
        live = type(logs.log_cli_handler)
        if live is _pytest.logging._LiveLoggingStreamHandler and not tells_all:
            return "there are live logs"
        if live not in (
            _pytest.logging._LiveLoggingNullHandler,
            _pytest.logging._LiveLoggingStreamHandler,
        ):
            return "there are live logs that are not pytest's"
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        if type(capture) is not _pytest.capture.CaptureManager:
            return "the plugin `capturemanager` is not pytest's"
        if capture._method not in ("fd", "sys", "tee-sys", "no"):
            return f"--capture={capture._method} is given"
    return None
