"""What is asked of pytest, and done to it, by private names, in one place for all that need it.

All of it was read in, and is tested against, pytest 8.0 to 9.2. The names are in `pytest_names`; the
terminal reporter has a module of its own (`pytest_terminal`), as have reports and capture.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import os
import re
import sys
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import _pytest
import _pytest._code.code
import _pytest.cacheprovider
import _pytest.config
import _pytest.fixtures
import _pytest.junitxml
import _pytest.runner
import _pytest.terminal
import _pytest.timing
import pytest

from . import frames, pytest_names
from .pytest_names import (
    default_plugins,
    execute_fixture,
    make_call_info,
    runtestprotocol,
)
from .pytest_terminal import terminal_reporter

try:  # since pytest 9.2 (node ids as objects)
    from _pytest.nodeid import NodeId
except ImportError:
    NodeId = None  # type: ignore[assignment,misc]

HAS_STRUCTURED_IDS = NodeId is not None

# Before Python 3.11 pytest brings a package that has it.
BaseExceptionGroup: Any = (
    getattr(builtins, "BaseExceptionGroup", None) or vars(_pytest._code.code)["BaseExceptionGroup"]
)

# Those that may configure a run, in their order.
CONFIGURATION_FILES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)


def preload() -> None:
    """Import what every run of pytest imports, so that forks have it."""
    for name in (*default_plugins, "assertion.rewrite", "assertion.util"):
        importlib.import_module(f"_pytest.{name}")


# Since pytest 8.2 a variable says that, and which, it runs. A worker of xdist inherits it.
_TELLS_VERSION = any(
    "PYTEST_VERSION" in function.__code__.co_consts
    for name in ("main", "_main")
    if (function := getattr(_pytest.config, name, None)) is not None
)


def prepare_config(args: Sequence[str], plugins: Sequence[object]) -> pytest.Config:
    """Parse the command line and load plugins and initial conftests, as `pytest.main` does."""
    if _TELLS_VERSION:
        os.environ["PYTEST_VERSION"] = pytest.__version__
    return _pytest.config._prepareconfig(list(args), list(plugins))


def ensure_unconfigure(config: pytest.Config) -> None:
    config._ensure_unconfigure()


def run_console(plugins: Sequence[object]) -> int:
    """What the `pytest` script does, with our plugins registered, arguments from `sys.argv`."""
    try:
        if hasattr(_pytest.config, "_get_prog_name"):  # since pytest 9.1
            code = _pytest.config._main(
                plugins=plugins, prog=_pytest.config._get_prog_name(sys.argv)
            )
        else:
            code = _pytest.config.main(plugins=plugins)
        sys.stdout.flush()
        return int(code)
    except BrokenPipeError:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        return 1


def set_prog(config: pytest.Config, argv: Sequence[str]) -> None:
    """Under xdist, usage errors of a worker name the program that the user typed."""
    config._parser.prog = os.path.basename(argv[0])


def file_id(path: str) -> Any:
    """The node id of a file below the root directory."""
    return path if NodeId is None else NodeId(path=path)


def nodeid_key(nodeid: str) -> Any:
    """The key that cacheprovider's dictionaries use for a node id."""
    return nodeid if NodeId is None else NodeId.parse(nodeid)


# ------------------------------------------------------------------ hooks


def others_listen(hook: Any) -> bool:
    """Whether anybody beside pytest and rpytest implements a hook."""
    return any(
        not is_pytests_own(implementation.plugin) and not is_ours(implementation.plugin)
        for implementation in hook.get_hookimpls()
    )


def who_replaces(hook: Any) -> str | None:
    """The first beside pytest and rpytest who implements a hook and does not merely wrap it."""
    for implementation in hook.get_hookimpls():
        if not (
            implementation.hookwrapper
            or implementation.wrapper
            or is_pytests_own(implementation.plugin)
            or is_ours(implementation.plugin)
        ):
            return str(implementation.plugin_name)
    return None


# ------------------------------------------------------------------ cacheprovider


def last_failed(config: pytest.Config) -> Any:
    return config.pluginmanager.getplugin("lfplugin")


def adopt_cached_nodeids(config: pytest.Config, nodeids: Sequence[str]) -> None:
    """Let the controller's new-first plugin know what a template collected."""
    plugin = config.pluginmanager.getplugin("nfplugin")
    if plugin is not None:
        plugin.cached_nodeids.update(map(nodeid_key, nodeids))


def adopt_passed_collectors(config: pytest.Config, passed: dict[str, list[str]]) -> None:
    """A collector that failed in the last run passes now: its items count as failed instead."""
    plugin = last_failed(config)
    if plugin is None:
        return
    for nodeid, items in passed.items():
        key = nodeid_key(nodeid)
        if key in plugin.lastfailed:
            del plugin.lastfailed[key]
            plugin.lastfailed.update((nodeid_key(item), True) for item in items)


def failed_collectors(config: pytest.Config) -> set[str]:
    plugin = last_failed(config)
    return set() if plugin is None else {str(key) for key in plugin.lastfailed}


def fixtures_of(item: pytest.Item) -> list[Any]:
    """The definitions of all fixtures that an item uses."""
    info = getattr(item, "_fixtureinfo", None)
    if info is None:
        return []
    return [fixture for every in info.name2fixturedefs.values() for fixture in every]


# The variable of the environment that names the test that runs, and its phase.
CURRENT_TEST = "PYTEST_CURRENT_TEST"

# Of what calls the code of a phase, and keeps what that raises.
CALLS_PHASES = frozenset({getattr(make_call_info, "__func__", make_call_info).__code__})
# Called by it when that is over.
MAKES_CALL_INFO = _pytest.runner.CallInfo.__init__.__code__

_EXECUTE = execute_fixture.__code__

# Of a test that has failed, as `sys.last_exc`; since pytest 8.1, where Python has that.
KEEPS_LAST_EXCEPTION = "last_exc" in _pytest.runner.pytest_runtest_call.__code__.co_names

# Before pytest 8.3 the error of a fixture that several tests need has, with each of them, more frames:
# whatever it has come through is raised again with it.
ERRORS_GROW = "exc_tb" not in _EXECUTE.co_varnames

# Whether all that is set up is torn down after the last test of a session that stops: in pytest 8.0.0,
# 8.0.1, and since 8.3.
TEARS_DOWN_ALL = "shouldstop" in runtestprotocol.__code__.co_names


def fixture_being_set_up(frame: types.FrameType) -> Any:
    """The definition of a fixture whose setup this frame is; else `None`."""
    return frame.f_locals.get("self") if frame.f_code is _EXECUTE else None


def cache_dir(config: pytest.Config) -> str | None:
    """pytest's cache directory, also before `config.cache` is there; `None` without a cache."""
    if not config.pluginmanager.hasplugin("cacheprovider"):
        return None
    return str(_pytest.cacheprovider.Cache.cache_dir_from_config(config, _ispytest=True))


def cached(config: pytest.Config) -> list[bytes | None]:
    """What the last runs have left for the plugins that know them."""
    directory = cache_dir(config)
    found: list[bytes | None] = []
    for name in ("lastfailed", "nodeids"):
        content = None
        if directory is not None:
            with contextlib.suppress(OSError), open(f"{directory}/v/cache/{name}", "rb") as file:
                content = file.read()
        found.append(content)
    return found


def read_cache_again(session: pytest.Session) -> None:
    """What the plugins that know the last runs have read when they were configured."""
    config = session.config
    plugin = last_failed(config)
    if plugin is not None:
        saved = config.cache.get("cache/lastfailed", {})
        plugin.lastfailed = {nodeid_key(nodeid): value for nodeid, value in saved.items()}
    plugin = config.pluginmanager.getplugin("nfplugin")
    if plugin is not None:
        nodeids = config.cache.get("cache/nodeids", [])
        plugin.cached_nodeids = {
            nodeid_key(nodeid) for nodeid in (*nodeids, *(item.nodeid for item in session.items))
        }


def restart_clocks(config: pytest.Config) -> None:
    """Let the session begin now: by the reporter's time, and by that of JUnit XML."""
    timing = _pytest.timing
    clock: Any = timing.Instant if hasattr(timing, "Instant") else timing.time  # since pytest 8.4
    xml = config.stash.get(_pytest.junitxml.xml_key, None)
    for owner, names in (
        (terminal_reporter(config), ("_session_start", "_sessionstarttime")),
        (xml, ("suite_start", "suite_start_time")),
    ):
        for name in names:
            if hasattr(owner, name):
                setattr(owner, name, clock())


def ini_number() -> str | None:
    """The type of a setting that is a number: TOML has such, and pytest only since 8.4."""
    return "float" if pytest.version_tuple >= (8, 4) else None


def has_marker(config: pytest.Config, name: str, but: str) -> bool:
    """Whether anybody has registered a mark, other than by that line."""
    lines = [line for line in config.getini("markers") if line != but]
    return any(re.split(r"[:(]", line, maxsplit=1)[0].strip() == name for line in lines)


# ------------------------------------------------------------------ temporary directories


def base_temp(config: pytest.Config) -> str | None:
    """The run's directory of temporary directories, made if need be."""
    factory = getattr(config, "_tmp_path_factory", None)
    return None if factory is None else str(factory.getbasetemp())


def exit_functions(config: pytest.Config) -> tuple[int, int]:
    """How many it has registered for its directory by the session's end, and unregistered of those."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None or factory._basetemp is None or factory._given_basetemp is not None:
        return 0, 0
    # Since pytest 9.1 for a run that is never unconfigured.
    return (1, 1) if hasattr(factory, "_exit_stack") else (2, 0)


def move_base_temp(config: pytest.Config, path: str, is_shared: bool) -> None:
    """Give a forked worker a directory of its own.

    Where several processes are one worker after the other it is made here: pytest would empty it in
    each, and what the tests of those before have left would be lost.
    """
    from pathlib import Path

    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None:
        factory._given_basetemp = given = Path(path)
        factory._basetemp = given if is_shared else None
        if is_shared:
            given.mkdir(mode=0o700, exist_ok=True)


# ------------------------------------------------------------------ sessions


def remember_hook_proxies(session: Any) -> None:
    """Find out once for each path which conftests are in force there; `Node.ihook` asks each time.

    That changes only where conftests come or go, or are looked for in another directory.
    """
    genuine = session.gethookproxy
    if getattr(genuine, "remembers", False):
        return
    manager = session.config.pluginmanager
    conftests, directories = manager._conftest_plugins, manager._dirpath2confmods
    known: dict[Any, Any] = {}
    # Of files, the directory that each is in, whose conftests are in force for it.
    files: dict[Any, Any] = {}
    counted = 0, 0

    def gethookproxy(fspath: Any) -> Any:
        nonlocal counted
        count = len(conftests), len(directories)
        if count != counted:
            known.clear()
            counted = count
        proxy = known.get(fspath)
        if proxy is None:
            place = files.get(fspath, fspath)
            proxy = known.get(place)
            if proxy is None:
                proxy = known[place] = genuine(place)
            known[fspath] = proxy
        return proxy

    gethookproxy.remembers = True  # type: ignore[attr-defined]
    if getattr(genuine, "__func__", None) is _pytest.main.Session.gethookproxy:
        gethookproxy.files = files  # type: ignore[attr-defined]
    session.gethookproxy = gethookproxy


def is_genuine() -> bool:
    """Whether pytest's own code is to run alone: the user wants that, or there is no other way."""
    return why_genuine() is not None


def why_genuine() -> str | None:
    if os.environ.get("RPYTEST_GENUINE", "") not in ("", "0"):
        return "RPYTEST_GENUINE is set"
    return pytest_names.no_short_cuts()


def replace(undo: contextlib.ExitStack, owner: Any, name: str, stand_in: Any) -> None:
    """Put something in the place of an attribute, until `undo` is closed."""
    is_own = name in vars(owner)
    before = vars(owner).get(name)

    def put_back() -> None:
        if vars(owner).get(name) is not stand_in:
            return  # somebody else has a say by now
        if is_own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)

    setattr(owner, name, stand_in)
    undo.callback(put_back)


def is_traced(config: pytest.Config) -> bool:
    """Whether somebody sees each call of a hook (`--debug`, or a plugin that monitors them)."""
    execute = getattr(config.pluginmanager, "_inner_hookexec", None)
    return getattr(execute, "__name__", "") != "_multicall"


def collects_a_part(config: pytest.Config) -> bool:
    """Whether the command line, or the directory that it is of, says which files or tests are meant."""
    if config.args_source == config.ArgsSource.INVOCATION_DIR:
        return config.invocation_params.dir != config.rootpath
    return config.args_source == config.ArgsSource.ARGS


def initial_paths(session: pytest.Session) -> list[str]:
    """The files and directories of the command line, once the collection has begun."""
    return sorted(str(path) for path in session._initialpaths)


class JunitOfWorker:
    """What the fixtures of JUnit XML find in a worker, where pytest has no reporter for it.

    With it they warn as they do without workers, and a suite's properties reach the controller.
    """

    def __init__(self, family: str, tell: Callable[[tuple[str, object]], None]) -> None:
        self.family = family
        self._tell = tell

    def node_reporter(self, nodeid: str) -> JunitOfWorker:
        return self

    def add_attribute(self, name: str, value: object) -> None:
        """It would be an attribute of a report that is made elsewhere."""

    def add_global_property(self, name: str, value: object) -> None:
        __tracebackhide__ = True
        _pytest.junitxml._check_record_param_type("name", name)
        self._tell((name, str(value)))


def stand_in_for_junit(config: pytest.Config, tell: Callable[[tuple[str, object]], None]) -> None:
    key = _pytest.junitxml.xml_key
    if getattr(config.option, "xmlpath", None) and key not in config.stash:
        stand_in: Any = JunitOfWorker(config.getini("junit_family"), tell)
        config.stash[key] = stand_in
        # pytest takes it out again, with the reporter that it takes it for.
        config.pluginmanager.register(stand_in)


def junit_file(config: pytest.Config) -> str | None:
    """What `--junitxml` writes."""
    xml = config.stash.get(_pytest.junitxml.xml_key, None)
    return getattr(xml, "logfile", None)


def add_suite_property(config: pytest.Config, name: str, value: object) -> None:
    """A property of the suite from a worker; each worker tells of what is set up in each."""
    xml = config.stash.get(_pytest.junitxml.xml_key, None)
    if xml is not None:
        before = list(xml.global_properties)
        xml.add_global_property(name, value)
        if xml.global_properties[-1] in before:
            xml.global_properties.pop()


def hook_implementations(hook: Any) -> list[Any]:
    return list(hook.get_hookimpls())


def is_pytests_own(plugin: Any) -> bool:
    """Whether a plugin (a module or an object) comes with pytest."""
    module = getattr(plugin, "__module__", None) or getattr(plugin, "__name__", "")
    if not isinstance(module, str):
        return False
    return module == "_pytest" or module.startswith("_pytest.")


def searches_garbage(config: pytest.Config) -> bool:
    """Whether it does so before its end, as since pytest 8.4, unless that plugin is off."""
    plugin = config.pluginmanager.getplugin("unraisableexception")
    return hasattr(plugin, "gc_collect_harder")


def cleans_up_alone(config: pytest.Config) -> bool:
    """Whether all that is undone after `pytest_unconfigure` is of pytest's own making."""
    return all(
        str(getattr(one, "__module__", "")).startswith("_pytest.")
        or (isinstance(one, types.GeneratorType) and one.gi_code.co_filename.startswith(_HOME))
        for one in _cleanups(config)
    )


def report_files(config: pytest.Config) -> list[Any]:
    """What the terminal's reporter writes to, and the log file, which may be the null device."""
    logs = config.pluginmanager.getplugin("logging-plugin")
    writer = getattr(terminal_reporter(config), "_tw", None)
    return [
        getattr(writer, "_file", None),
        getattr(getattr(logs, "log_file_handler", None), "stream", None),
    ]


def suspended_cleanups(config: pytest.Config) -> list[types.GeneratorType[Any, Any, Any]]:
    """The context managers among them."""
    return [one for one in _cleanups(config) if isinstance(one, types.GeneratorType)]


_HOME = os.path.join(os.path.dirname(_pytest.__file__), "")


def _cleanups(config: Any) -> Iterator[Any]:
    stack = getattr(config, "_cleanup_stack", None)  # since pytest 8.4
    yield from _in_stack(stack) if stack is not None else config._cleanup


def _in_stack(stack: Any) -> Iterator[Any]:
    for _, callback in stack._exit_callbacks:
        function = getattr(callback, "__wrapped__", callback)
        while isinstance(function, functools.partial):
            function = function.func
        owner = getattr(function, "__self__", None)
        if isinstance(owner, contextlib.ExitStack):
            yield from _in_stack(owner)
        else:
            yield getattr(owner, "gen", function)


def implementations(hooks: Any, name: str) -> list[Any]:
    """Those of a hook that are called by way of a node's or the session's hooks."""
    # Before pytest 9 a hook that takes paths is a function around the real one.
    hooks = getattr(hooks, "_hook_relay", hooks)
    found: list[Any] = getattr(hooks, name).get_hookimpls()
    return found


def is_ours(plugin: Any) -> bool:
    return type(plugin).__module__.startswith("rpytest_worker.") or is_observer(plugin)


def is_observer(plugin: Any) -> bool:
    """Whether it is what `--verify-dropin` listens by: it only listens, but has to be told."""
    return type(plugin).__module__ == "rpytest_verify"


def register_for_fixtures(
    session: pytest.Session, names: Collection[str], register: Callable[[], None]
) -> None:
    """Have a plugin registered when somebody asks for one of these fixtures, and finds none."""
    manager: Any = session._fixturemanager
    genuine = manager.getfixturedefs

    def getfixturedefs(argname: str, *arguments: Any) -> Any:
        found = genuine(argname, *arguments)
        if found or argname not in names:
            return found
        del manager.getfixturedefs
        register()
        return genuine(argname, *arguments)

    manager.getfixturedefs = getfixturedefs


def hide_ours(config: pytest.Config) -> None:
    """Have errors of hooks shown as if none of ours were around them."""
    genuine = config.notify_exception

    def notify_exception(excinfo: pytest.ExceptionInfo[BaseException], option: Any = None) -> None:
        error: BaseException | None = excinfo.value
        seen: set[int] = set()
        # Those during whose handling it was raised are shown as well.
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            error.__traceback__ = frames.without_ours(error.__traceback__)
            error = error.__cause__ or error.__context__
        genuine(pytest.ExceptionInfo.from_exception(excinfo.value), option)

    config.notify_exception = notify_exception  # type: ignore[method-assign]


__all__ = ["NodeId"]
