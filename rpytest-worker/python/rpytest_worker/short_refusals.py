"""What a session's options and plugins must be like for the short protocol to be taken."""

from __future__ import annotations

import _pytest.capture
import _pytest.logging
import pytest

from . import pytest_compat


def of_session(config: pytest.Config) -> str | None:
    """Why the short protocol may not be taken; `None` if the options and pytest's plugins allow it."""
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
        if type(logs.log_cli_handler) is not _pytest.logging._LiveLoggingNullHandler:
            return "there are live logs"
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        if type(capture) is not _pytest.capture.CaptureManager:
            return "the plugin `capturemanager` is not pytest's"
        if capture._method not in ("fd", "no"):
            return f"--capture={capture._method} is given"
    return None
