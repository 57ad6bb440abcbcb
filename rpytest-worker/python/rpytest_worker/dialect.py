"""What plugins and conftests know from pytest-xdist, where xdist itself is not installed.

`Dialect` is registered in every process of a run. If the user's environment has xdist, its own
options, hooks and fixtures are used, and only its session is kept from starting; if not, the
substitute in this module provides them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import types
import uuid
from collections.abc import Generator
from typing import Any, Final

import pytest

from . import attempts, genuine_timeouts, pytest_compat, quarantine, reruns, timeouts
from .command_options import OPTIONS
from .own_options import OwnOptions

_SUBSTITUTE: Final = "rpytest-xdist"
_DEFAULTS: Final = {
    "dist": "no",
    "distload": False,
    "loadscopereorder": True,
    "maxprocesses": None,
    "maxschedchunk": None,
    "maxworkerrestart": None,
    "numprocesses": None,
    "testrunuid": None,
}
_NOT_GIVEN: Final = pytest.StashKey[argparse.Namespace]()

DIST_MODES = ("each", "load", "loadscope", "loadfile", "loadgroup", "worksteal", "no")


class NodeHooks:
    """Specifications of the hooks that xdist calls in its controller."""

    @pytest.hookspec
    def pytest_xdist_setupnodes(self, config: Any, specs: Any) -> None:
        """Before any worker is set up."""

    @pytest.hookspec
    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        """A worker's gateway was made."""

    @pytest.hookspec
    def pytest_xdist_rsyncstart(self, source: Any, gateways: Any) -> None:
        """Never called: nothing is copied to workers."""

    @pytest.hookspec
    def pytest_xdist_rsyncfinish(self, source: Any, gateways: Any) -> None:
        """Never called: nothing is copied to workers."""

    @pytest.hookspec(firstresult=True)
    def pytest_xdist_getremotemodule(self) -> Any:
        """Never called: workers do not run a module of the plugin's."""

    @pytest.hookspec
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is about to be configured: `node.workerinput` may be added to."""

    @pytest.hookspec
    def pytest_testnodeready(self, node: Any) -> None:
        """A worker is ready."""

    @pytest.hookspec
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """A worker has ended."""

    @pytest.hookspec
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Any) -> None:
        """A worker has its items."""

    @pytest.hookspec(firstresult=True)
    def pytest_xdist_make_scheduler(self, config: Any, log: Any) -> Any:
        """Never called: the supervisor schedules."""

    @pytest.hookspec(firstresult=True)
    def pytest_xdist_auto_num_workers(self, config: Any) -> Any:
        """How many workers `-n auto` and `-n logical` mean."""

    @pytest.hookspec(firstresult=True)
    def pytest_handlecrashitem(self, crashitem: Any, report: Any, sched: Any) -> Any:
        """An item's worker ended while it ran; `report` may be changed."""


def auto_workers(option: str) -> int:
    """The number of processors, by xdist's rules."""
    wanted = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    if wanted:
        try:
            return int(wanted)
        except ValueError:
            import warnings

            warnings.warn(
                f"PYTEST_XDIST_AUTO_NUM_WORKERS is not a number: {wanted!r}. Ignoring it.",
                stacklevel=2,
            )
    try:
        import psutil
    except ImportError:
        pass
    else:
        logical = option == "logical"
        count = psutil.cpu_count(logical=logical) or psutil.cpu_count()
        if count:
            return int(count)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def worker_options(config: pytest.Config) -> Any:
    """What xdist's options hold. Where plugins or conftests have one of these names, none is given."""
    manager = config.pluginmanager
    xdist = manager.getplugin("xdist")
    if manager.hasplugin(_SUBSTITUTE) or (xdist and not isinstance(xdist, _Presence)):
        return config.option
    return config.stash.setdefault(_NOT_GIVEN, argparse.Namespace(**_DEFAULTS, tx=[]))


class Substitute:
    """xdist's options, hooks and marker."""

    @pytest.hookimpl
    def pytest_addoption(self, parser: pytest.Parser) -> None:
        group = parser.getgroup("xdist", "distributed and subprocess testing")
        add = group._addoption  # lower-case short options are reserved for such plugins
        add(
            "-n",
            "--numprocesses",
            dest="numprocesses",
            metavar="numprocesses",
            type=_numprocesses,
            help="Run tests in this many worker processes: a number, 'auto' or 'logical'",
        )
        add(
            "--maxprocesses",
            dest="maxprocesses",
            metavar="maxprocesses",
            type=int,
            help="Limit the number of workers with '-n auto' and '-n logical'",
        )
        add(
            "--max-worker-restart",
            dest="maxworkerrestart",
            help="Maximum number of crashed workers that are replaced",
        )
        add(
            "--dist",
            dest="dist",
            metavar="distmode",
            choices=DIST_MODES,
            default="no",
            help="How tests are given to workers: load (any test to any worker), loadscope, "
            "loadfile, loadgroup (tests of one scope, file, or xdist_group mark to one worker), "
            "worksteal, each (all tests to all workers), no",
        )
        add(
            "--loadscope-reorder",
            dest="loadscopereorder",
            action="store_true",
            default=True,
            help="Give out larger scopes first (the default)",
        )
        add(
            "--no-loadscope-reorder",
            dest="loadscopereorder",
            action="store_false",
            help="Give out scopes in collection order",
        )
        add(
            "--tx",
            dest="tx",
            metavar="xspec",
            action="append",
            default=[],
            help="A worker specification: popen, or N*popen",
        )
        add("-d", dest="distload", action="store_true", default=False, help="Short for --dist=load")
        add(
            "--testrunuid",
            dest="testrunuid",
            help="The value of the testrun_uid fixture; made up if not given",
        )
        add(
            "--maxschedchunk",
            dest="maxschedchunk",
            type=int,
            help="Maximum number of tests given to a worker in one step",
        )

    @pytest.hookimpl
    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line(
            "markers",
            "xdist_group: specify group for tests should run in same session."
            "in relation to one another. Provided by pytest-xdist.",
        )

    @pytest.hookimpl(trylast=True)
    def pytest_xdist_auto_num_workers(self, config: pytest.Config) -> int:
        return auto_workers(config.option.numprocesses)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        option = config.option
        if option.distload:
            option.dist = "load"
        if option.numprocesses in ("auto", "logical"):
            if config.getoption("usepdb", False):
                option.numprocesses, option.dist = 0, "no"
            else:
                option.numprocesses = config.hook.pytest_xdist_auto_num_workers(config=config)
        if option.numprocesses:
            if option.dist == "no":
                option.dist = "load"
            count = option.numprocesses
            if option.maxprocesses:
                count = min(count, option.maxprocesses)
            option.tx = ["popen"] * count
        if option.numprocesses == 0:
            option.dist, option.tx = "no", []
        if option.tx:
            be_present(config)
            tell_sugar(config)


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """The id of the current worker ('gw0', 'gw1', ...), or 'master' without workers."""
    workerinput = getattr(request.config, "workerinput", None)
    return "master" if workerinput is None else workerinput["workerid"]


@pytest.fixture(scope="session")
def testrun_uid(request: pytest.FixtureRequest) -> str:
    """The id of this run, the same in all workers."""
    workerinput = getattr(request.config, "workerinput", None)
    return uuid.uuid4().hex if workerinput is None else workerinput["testrunuid"]


class _Presence:
    """Makes `hasplugin("xdist")` true."""


def _numprocesses(text: str) -> int | str:
    return text if text in ("auto", "logical") else int(text)


def be_present(config: pytest.Config) -> None:
    """With workers, and in them: plugins ask for xdist by its name.

    They are told of it only where it matters to them: one that also imports it would fail in a run
    without workers.
    """
    manager = config.pluginmanager
    if not manager.hasplugin("xdist") and not manager.is_blocked("xdist"):
        manager.register(_Presence(), "xdist")


def tell_sugar(config: pytest.Config) -> None:
    """In the controller: let pytest-sugar know how many tests there are.

    It counts them in a hook of xdist's, which it listens to only if xdist can be imported.
    """
    manager = config.pluginmanager
    sugar = manager.getplugin("sugar") or manager.getplugin("pytest_sugar")
    counts = getattr(sugar, "DeferredXdistPlugin", None)
    if counts is not None and importlib.util.find_spec("xdist") is None:
        manager.register(counts())


def accommodate(config: pytest.Config) -> None:
    """In a worker: tell plugins that ask for xdist's version what they hold against old ones."""
    manager = config.pluginmanager
    rerunfailures = manager.getplugin("rerunfailures") or manager.getplugin("pytest_rerunfailures")
    if hasattr(rerunfailures, "works_with_current_xdist"):
        # It reports reruns from a worker only if an xdist that bears it is installed.
        rerunfailures.works_with_current_xdist = lambda: True


class Dialect:
    """Registered in every process: brings xdist's vocabulary, and rpytest's own options."""

    def __init__(self) -> None:
        self.substituted = False
        self._options: OwnOptions | None = None

    @pytest.hookimpl
    def pytest_addhooks(self, pluginmanager: pytest.PytestPluginManager) -> None:
        self._options = options = OwnOptions(pluginmanager)
        options.add_each(self)
        # xdist may come by entry point, by PYTEST_PLUGINS or by `-p`; after `consider_env`, the
        # last of these before options are parsed, it is known whether it has come.
        consider_preparse, consider_env = (
            pluginmanager.consider_preparse,
            pluginmanager.consider_env,
        )

        def step_back_and_consider_preparse(args: Any, *, exclude_only: bool = False) -> None:
            if not exclude_only:
                options.step_back()
            consider_preparse(args, exclude_only=exclude_only)

        def consider_env_then_substitute() -> None:
            consider_env()
            options.return_after_plugins()
            attempts.substitute(pluginmanager, options)
            if not pluginmanager.hasplugin("xdist") and not self.substituted:
                self.substituted = True
                pluginmanager.add_hookspecs(NodeHooks)
                options.register({_SUBSTITUTE: Substitute()})
            self._have_timeouts(pluginmanager, options)

        pluginmanager.consider_env = consider_env_then_substitute  # type: ignore[method-assign]
        pluginmanager.consider_preparse = step_back_and_consider_preparse  # type: ignore[method-assign]

    def _have_timeouts(self, manager: pytest.PytestPluginManager, options: OwnOptions) -> None:
        if manager.hasplugin(timeouts.NAME):
            return
        if any(map(manager.hasplugin, genuine_timeouts.NAMES)):
            manager.register(genuine_timeouts.Backstop(), timeouts.NAME)
        elif not any(map(manager.is_blocked, genuine_timeouts.NAMES)):
            options.register({timeouts.NAME: timeouts.Timeouts()})

    @pytest.hookimpl
    def pytest_addoption(self, parser: pytest.Parser) -> None:
        group = parser.getgroup("rpytest", "rpytest")
        for option in OPTIONS:
            if not option.parsed:
                continue
            how: dict[str, Any] = {"action": "store_true", "default": False}
            if option.choices:
                how = {"choices": option.choices, "default": option.choices[0]}
            elif option.value is not None:
                how = {"metavar": option.value, "default": None}
            dest = option.names[0].lstrip("-").replace("-", "_")
            group.addoption(*option.names, dest=f"rpytest_{dest}", help=option.help, **how)
        # What the command has read of `[tool.rpytest]` and of variables.
        group.addoption(
            "--rpytest-setting", dest="rpytest_setting", action="append", help=argparse.SUPPRESS
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self) -> Generator[None, Any, Any]:
        assert self._options is not None
        self._options.step_back()
        try:
            return (yield)
        finally:
            self._options.return_()

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        pytest_compat.hide_ours(config)
        reruns.give_to_genuine(config)
        quarantine.configure(config)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Bring xdist's fixtures: for workers, and else for whoever asks, since pytest, which has none
        without xdist, shows what there is where one is missing."""
        config = session.config
        manager = config.pluginmanager
        if not manager.hasplugin(_SUBSTITUTE):
            return
        # In a module, as xdist's are: session-scoped fixtures that are methods are deprecated.
        fixtures = types.ModuleType(f"{__name__}_fixtures")
        there = {"worker_id": worker_id, "testrun_uid": testrun_uid}
        vars(fixtures).update(there)

        def register() -> None:
            manager.register(fixtures, f"{_SUBSTITUTE}-fixtures")

        if hasattr(config, "workerinput") or worker_options(config).tx:
            register()
        else:
            pytest_compat.register_for_fixtures(session, frozenset(there), register)

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, Any, Any]:
        option = config.option
        if getattr(option, "usepdb", False):
            # A debugger has the terminal to itself. xdist refuses any other number.
            worker_options(config).numprocesses = 0
        if not getattr(option, "help", False):
            assert self._options is not None
            self._options.be_done()
            return (yield)
        from . import help_page  # few sessions need it

        help_page.arrange(config)
        result = yield
        help_page.add_settings(config)
        return result
