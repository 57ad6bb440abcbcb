"""Every private name of pytest's and pluggy's that is touched here, and whether all are there.

`SHORT_CUTS` are those without which nothing is shortened: all runs as with `RPYTEST_GENUINE=1`, and
`--explain` names the first that is missing. `NEEDED` are those without which there is no session at
all, which is said. What a version need not have, and is asked for, is `OPTIONAL`.

A name is written as `known_code` writes it: the module below `_pytest` (or pluggy's), and what is in
it; of what an object is given when it is made, the class. Whether functions do what they did is
`known_code`'s to say. A test compares the tables with the sources of this package, and with each
version of pytest.

Those of `IMPORTED` can be imported from here. In their place is something that says so when it is used
if they are missing, so that the modules that would use them can be imported even then.
"""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


IMPORTED: Final = {
    "AssertionRewritingHook": "assertion.rewrite:AssertionRewritingHook",
    "FixtureManager": "fixtures:FixtureManager",
    "FuncFixtureInfo": "fixtures:FuncFixtureInfo",
    "FunctionDefinition": "python:FunctionDefinition",
    "NodeKeywords": "mark.structures:NodeKeywords",
    "PyCollector": "python:PyCollector",
    "Scope": "scope:Scope",
    "TEST_OUTCOME": "outcomes:TEST_OUTCOME",
    "TerminalRepr": "_code.code:TerminalRepr",
    "TerminalWriter": "_io:TerminalWriter",
    "TestCaseFunction": "unittest:TestCaseFunction",
    "TopRequest": "fixtures:TopRequest",
    "UnitTestCase": "unittest:UnitTestCase",
    "catching_logs": "logging:catching_logs",
    "default_plugins": "config:default_plugins",
    "execute_fixture": "fixtures:FixtureDef.execute",
    "get_unpacked_marks": "mark.structures:get_unpacked_marks",
    "getfuncargnames": "compat:getfuncargnames",
    "make_call_info": "runner:CallInfo.from_call",
    "runtestprotocol": "runner:runtestprotocol",
    "tmppath_result_key": "tmpdir:tmppath_result_key",
    "xfailed_key": "skipping:xfailed_key",
}

SHORT_CUTS: Final = _names(
    """
    _code:code _code:source _io.terminalwriter:TerminalWriter._current_line
    _io.terminalwriter:TerminalWriter._file assertion.rewrite:AssertionRewriter
    assertion.rewrite:AssertionRewritingHook
    assertion.rewrite:AssertionRewritingHook._basenames_to_check_rewrite
    assertion.rewrite:AssertionRewritingHook._early_rewrite_bailout
    assertion.rewrite:AssertionRewritingHook._is_marked_for_rewrite
    assertion.rewrite:AssertionRewritingHook._session_paths_checked
    assertion.rewrite:AssertionRewritingHook._should_rewrite
    assertion.rewrite:AssertionRewritingHook._writing_pyc assertion.rewrite:PYC_TAIL
    assertion.rewrite:_read_pyc assertion.rewrite:_rewrite_test assertion.rewrite:_write_pyc
    assertion.rewrite:assertstate_key assertion.rewrite:get_cache_dir
    assertion.rewrite:rewrite_asserts assertion.rewrite:traverse_node
    assertion.rewrite:try_makedirs assertion.util:_assertion_pass assertion.util:_config
    assertion.util:_reprcompare cacheprovider:LFPlugin capture:CaptureManager
    capture:CaptureManager._capture_fixture capture:CaptureManager._global_capturing
    capture:CaptureManager._method capture:MultiCapture._state compat:getfuncargnames
    config:Config._getconftest_pathlist config:PytestPluginManager._conftest_plugins
    config:PytestPluginManager._dirpath2confmods fixtures:FixtureDef
    fixtures:FixtureDef._finalizers fixtures:FixtureDef.execute fixtures:FixtureManager
    fixtures:FixtureManager._nodeid_autousenames fixtures:FixtureRequest._arg2fixturedefs
    fixtures:FixtureRequest._fixture_defs fixtures:FixtureRequest._pyfuncitem
    fixtures:FixtureRequest._scope fixtures:FuncFixtureInfo fixtures:NOTSET
    fixtures:SubRequest._check_scope fixtures:SubRequest._parent_request fixtures:TopRequest
    fixtures:TopRequest._fillfixtures fixtures:_get_direct_parametrize_args
    fixtures:_teardown_yield_fixture fixtures:reorder_items junitxml:LogXML
    logging:LoggingPlugin logging:_LiveLoggingNullHandler logging:_LiveLoggingStreamHandler
    logging:caplog_handler_key logging:caplog_records_key logging:catching_logs
    main:Session._fixturemanager main:Session._initialpaths main:Session._setupstate
    main:Session.gethookproxy mark.structures:NodeKeywords mark.structures:NodeKeywords._markers
    mark.structures:get_unpacked_marks nodes:Item._report_sections nodes:Node nodes:Node._store
    nodes:Node.teardown outcomes:Skipped._use_item_location outcomes:TEST_OUTCOME
    pluggy._hooks:HookCaller._hookimpls python:Function._fixtureinfo
    python:Function._initrequest python:Function._pyfuncitem python:Function._request
    python:Function.runtest python:FunctionDefinition python:IGNORED_ATTRIBUTES python:IdMaker
    python:IdMaker._idval_from_hook python:PyCollector python:PyCollector._genfunctions
    python:PyobjMixin._obj runner:CallInfo.from_call runner:SetupState runner:call_and_report
    runner:check_interactive_exception runner:runtestprotocol scope:Scope
    skipping:xfailed_key stash:Stash._storage
    terminal:TerminalReporter._add_stats terminal:TerminalReporter._determine_main_color
    terminal:TerminalReporter._get_reports_to_display
    terminal:TerminalReporter._progress_nodeids_reported terminal:TerminalReporter._screen_width
    terminal:TerminalReporter._session terminal:TerminalReporter._set_main_color
    terminal:TerminalReporter._show_progress_info tmpdir:tmppath_result_key
    unittest:TestCaseFunction unittest:TestCaseFunction._excinfo unittest:UnitTestCase
    warnings:catch_warnings_for_item
    """
)

NEEDED: Final = _names(
    """
    _code.code:TerminalRepr _io:TerminalWriter cacheprovider:Cache.cache_dir_from_config
    config.argparsing:OptionGroup._addoption config.argparsing:Parser._anonymous
    config.argparsing:Parser._groups config.argparsing:Parser._inidict
    config.argparsing:Parser._processopt config:Config._ensure_unconfigure
    config:Config._inicache config:Config._parser config:_prepareconfig config:default_plugins
    config:main junitxml:_check_record_param_type junitxml:xml_key
    pluggy._hooks:HookCaller._remove_plugin terminal:TerminalReporter
    terminal:TerminalReporter._keyboardinterrupt_memo terminal:TerminalReporter._numcollected
    terminal:TerminalReporter._tw terminal:TerminalReporter._write_report_lines_from_hooks
    tmpdir:TempPathFactory._basetemp tmpdir:TempPathFactory._given_basetemp
    """
)

OPTIONAL: Final = _names(
    """
    assertion.rewrite:_fix_code_filename config.argparsing:OptionGroup._arggroup
    config.argparsing:Parser._getparser config.argparsing:Parser._ini_aliases config:Config._cleanup
    config:Config._cleanup_stack config:_get_prog_name config:_main
    fixtures:FixtureFunctionDefinition fixtures:FixtureFunctionDefinition._get_wrapped_function
    fixtures:FixtureManager._arg2fixturedefs fixtures:FixtureManager._find_wrapped_fixture_def
    fixtures:FixtureManager._get_all_fixture_defs fixtures:FixtureManager._node_autousenames
    fixtures:FixtureManager._register_fixture fixtures:RequestFixtureDef
    fixtures:SubRequest._fixturedef fixtures:SubRequest._node fixtures:SubRequest._scope_field
    nodeid:NodeId nodeid:NodeId._str_cache nodeid:NodeId.parse nodes:Node._id nodes:Node._nodeid
    nodes:NodeId pluggy._manager:_static_hook_attr python:CallSpec python:CallSpec._arg2scope
    python:CallSpec._idlist python:CallSpec2 python:CallSpec2._arg2scope python:CallSpec2._idlist
    python:DirectParamFixtureDef python:Function._instance python:get_direct_param_fixture_func
    reports:BaseReport._id subtests:SubtestReport._sub_test_description subtests:failed_subtests_key
    terminal:TerminalReporter._current_logreport terminal:TerminalReporter._session_start
    tmpdir:TempPathFactory._exit_stack
    """
)


class Missing(LookupError):
    """A private name is used that the pytest beside it has not."""


class _Absent(type):
    """Stands for what is not there: whatever is asked of it is not there either."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name != "__code__":
            raise AttributeError(name)
        return cls

    def __contains__(cls, _: object) -> bool:
        return False

    def __iter__(cls) -> Iterator[Any]:
        return iter(())

    def __call__(cls, *_: object, **__: object) -> Any:
        raise Missing(f"pytest {pytest.__version__} has no {cls.__name__}")


NOTHING: Final = object()


def find(name: str) -> Any:
    """What a name stands for; `NOTHING` also if it takes an object to find out."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(_whole(module))
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return NOTHING
    return found


def _whole(name: str) -> str:
    return name if name.startswith("pluggy.") else f"_pytest.{name}"


def is_there(name: str) -> bool:
    """Also of what an object gets when it is made, or a class says that it will have."""
    if find(name) is not NOTHING:
        return True
    owner, _, attribute = name.rpartition(".")
    cls = find(owner) if ":" in owner else NOTHING
    if not isinstance(cls, type):
        return False
    for one in cls.__mro__:
        if attribute in vars(one).get("__annotations__", ()) or attribute in vars(one):
            return True
        for member in vars(one).values():
            function = getattr(member, "fget", member)
            if isinstance(function, types.FunctionType):
                code = function.__code__
                if attribute in code.co_names or attribute in code.co_consts:
                    return True
    return False


def first_missing(names: Iterable[str]) -> str | None:
    for name in sorted(names):
        if not is_there(name):
            return f"pytest {pytest.__version__} has no {_whole(name).replace(':', '.')}"
    return None


@functools.cache
def no_short_cuts() -> str | None:
    """Why nothing may be shortened, as far as names go."""
    return first_missing(SHORT_CUTS)


@functools.cache
def no_session() -> str | None:
    """Why there may be no session."""
    return first_missing(NEEDED)


def __getattr__(name: str) -> Any:
    if name not in IMPORTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    where = IMPORTED[name]
    found = find(where)
    if found is NOTHING:
        found = _Absent(_whole(where).replace(":", "."), (), {})
    globals()[name] = found
    return found
