"""Whether functions of pytest's, in whose place others are put, are those that were read.

What a function does is not known from its name. Here each is known by the names that its code uses:
arguments, variables, attributes. In a version of pytest that nobody has read, or where a plugin has put
something in its place, these are others, and the short cut is not taken.

`python -m rpytest_worker.known_code`, beside a pytest that has been read, prints what is to be added.
"""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import pytest

# In a version that has no such function, and need not have.
_ABSENT: Final = "absent"

# By their names below `_pytest`: what they were from pytest 8.1 to 9.2.
COLLECTION: Final[Mapping[str, str]] = {
    "python:PyCollector.collect": "1aa7ab95 6fb09692",
    "python:PyCollector._genfunctions": "845bc439 b92d27e1",
    "python:PyCollector.istestfunction": "925dc9e9",
    "python:PyCollector.istestclass": "6b6fed0d 19d507c9",
    "python:PyCollector.funcnamefilter": "31dd8466",
    "python:PyCollector.classnamefilter": "31dd8466",
    "python:PyCollector.isnosetest": "a36df14b",
    "python:PyCollector._matches_prefix_or_glob_option": "5d535f19",
    "python:pytest_pycollect_makeitem": "3ca3796c 9f953474",
    "unittest:pytest_pycollect_makeitem": "76127f23 c9cb5a97",
    "python:pytest_generate_tests": "52f5adc7",
    "python:Function.__init__": "7a42ebcf ad77657f de570fb0",
    "python:Function.from_parent": "c57df559",
    "python:Function._initrequest": "e5036bb3",
    "python:Function._getobj": "59cfbaa5 08506c24",
    "python:Function._getinstance": "absent 9c8a6d87",
    "python:Function.instance": "absent dabfcee6",
    "python:PyobjMixin.obj": "14b9f453",
    "python:PyobjMixin.cls": "72c873bc",
    "python:Class.newinstance": "1e9dbd28",
    "nodes:NodeMeta._create": "afa9fcb2",
    "nodes:Node.__init__": "08528cea 2921c833 ddc6e8d6",
    "nodes:Node.from_parent": "83ae463e",
    "nodes:Item.__init__": "3f1748e4",
    "nodes:Item._check_item_and_collector_diamond_inheritance": "551ace12",
    "fixtures:FixtureManager.getfixtureinfo": "cd12f0a5",
    "fixtures:FixtureManager.getfixtureclosure": "6201d814 67420069 60a5b645 f4d35cb7",
    "fixtures:FixtureManager.getfixturedefs": "dc0213da c49aaf6e",
    "fixtures:FixtureManager._matchfactories": "ca968d4b ab82dd5c absent",
    "fixtures:FixtureManager._getautousenames": "0e506013 8d70052f",
    "fixtures:FixtureManager._getusefixturesnames": "a93c8b6b c9ec93eb",
    "fixtures:FixtureManager.pytest_generate_tests": "96bf100d cd351483 e71f4405",
    "fixtures:FixtureManager._register_fixture": "6a37c7c5 c128548d 81ad81d2 38397576",
    "fixtures:_get_direct_parametrize_args": "8b7303ab b61b2dd1",
    "fixtures:deduplicate_names": "0f822f53",
    "fixtures:reorder_items": "68fb58c2 dbdd42b8 5a36e662 5d4d4a20",
    "fixtures:reorder_items_atscope": "10926a7a 75f3958e e7705190",
    "fixtures:get_parametrized_fixture_argkeys": "absent 1fcd97a7",
    "fixtures:get_param_argkeys": "absent 103470e2 906e0d3f",
    "main:Session.genitems": "3171b371 0c1c1e98",
    "main:Session.gethookproxy": "963728b5 ba70c551",
    "mark.structures:get_unpacked_marks": "4fc40fe8 15d42cbe",
    "mark.structures:NodeKeywords.__init__": "4333b9cb",
    "mark.structures:NodeKeywords.update": "3ab896be",
    "compat:getfuncargnames": "08c31984 13ea213e 728dd130 ab3e302e",
}

# What items of `unittest` have of their own of that. They are built as functions are.
UNITTEST: Final[Mapping[str, str]] = {
    "unittest:TestCaseFunction.__init__": "absent",
    "unittest:TestCaseFunction.from_parent": "absent",
    "unittest:TestCaseFunction._initrequest": "absent",
    "unittest:TestCaseFunction._getinstance": "absent 7ee896a8",
    "unittest:TestCaseFunction._getobj": "d07b52ee absent",
    "unittest:TestCaseFunction.instance": "absent",
    "unittest:TestCaseFunction.obj": "absent",
}

# The same.
WALK: Final[Mapping[str, str]] = {
    "main:Dir.collect": "d5cc9df6",
    "main:pytest_ignore_collect": "8f04b169",
    "main:_in_venv": "43b2576d b3278081",
    "main:Session.isinitpath": "21138a59",
    "main:scandir": "06520c36 50cd1323",
    "python:scandir": "06520c36 50cd1323",
    "python:Package.collect": "10b25a8d 87548c14",
    "python:pytest_collect_file": "c45d9fab",
    "python:pytest_pycollect_makemodule": "0fbdb541",
    "python:path_matches_patterns": "38db52ab",
    "pathlib:fnmatch_ex": "6f8e6195",
    "doctest:pytest_collect_file": "2cb1d82b",
    "doctest:_is_doctest": "40bfcdfa",
    "config:Config._getconftest_pathlist": "19b22e99 3671141a",
    "nodes:FSCollector.from_parent": "ab11ee8f",
    "nodes:FSCollector.__init__": "452a1ec6 25724d8a a926b019 f722985a",
    "config:_get_directory": "ded395a5",
    "config:PytestPluginManager._getconftestmodules": "c0c6cd7f",
}

# The same from pytest 8.3.5 to 9.2; before, pytest looked up what is a property.
FACTORIES: Final[Mapping[str, str]] = {
    "fixtures:FixtureManager.parsefactories": "44591008 7722aa29 ed894873 f765c44f",
    "fixtures:FixtureManager._lookup_in_type_dict": "absent d7bfd375",
    "fixtures:FixtureManager._check_for_wrapped_fixture": "absent e7ae6142",
    "fixtures:FixtureManager._find_wrapped_fixture_def": "3448c6af absent",
    "fixtures:getfixturemarker": "c426822d f11885aa",
    "fixtures:get_real_method": "2d03df20 absent",
    "compat:safe_getattr": "4c5f7696",
    "compat:safe_isclass": "6373d981",
}

# The same from pytest 8.0 to 9.2.
IMPORTS: Final[Mapping[str, str]] = {
    "assertion.rewrite:AssertionRewritingHook._early_rewrite_bailout": "a17e9d87",
    "assertion.rewrite:AssertionRewritingHook._should_rewrite": "63e5d07e",
    "assertion.rewrite:try_makedirs": "68e97e78 f48f7ce4",
    "pathlib:resolve_package_path": "d8b18ea3",
    "pathlib:fnmatch_ex": "6f8e6195",
}

# Of pytest 9.2, the first that has them.
NODE_IDS: Final[Mapping[str, str]] = {
    "nodeid:NodeId.child": "e0045ae6",
    "nodeid:NodeId.with_params": "2583295b",
    "nodeid:NodeId.__str__": "8a737634",
}

# The same from pytest 8.0 to 9.2.
PROTOCOL: Final[Mapping[str, str]] = {
    "runner:pytest_runtest_protocol": "334fb5a5",
    "runner:runtestprotocol": "f54fd2fe d34b1a13 fa781a9a",
    "runner:call_and_report": "f79a5f25 bbe71089 c2a7c6e3",
    "runner:call_runtest_hook": "392f58d8 absent",
    "runner:pytest_runtest_setup": "72c07bdc",
    "runner:pytest_runtest_call": "36d47a36 7f0619bd",
    "runner:pytest_runtest_teardown": "f4381a1f",
    "runner:_update_current_test_var": "e3406fec",
    "runner:pytest_runtest_makereport": "4d263733",
    "runner:check_interactive_exception": "62dd9ebf fff12150",
    "runner:CallInfo.from_call": "01f0f798 7a2ed414",
    "runner:SetupState.setup": "e659989e 87958706",
    "runner:SetupState.teardown_exact": "8fdad439",
    "runner:SetupState.addfinalizer": "0ff4bd29",
    "assertion:pytest_runtest_protocol": "9768de9a 05731796 e2105964",
    "warnings:pytest_runtest_protocol": "6c8a13bb",
    "warnings:catch_warnings_for_item": "4946d2a7 cd571524 20d14703 9389fec1 d2967bd6",
    "faulthandler:pytest_runtest_protocol": "d8d55292 dfca2d54",
    "unittest:pytest_runtest_protocol": "c9317fd6 55ff5b98 fe0c1365",
    "unittest:pytest_runtest_makereport": "80cc85d7 c70a68b3 fcab6cb6",
    "capture:CaptureManager.item_capture": "e57813f2",
    "capture:CaptureManager.pytest_runtest_setup": "842e8428",
    "capture:CaptureManager.pytest_runtest_call": "842e8428",
    "capture:CaptureManager.pytest_runtest_teardown": "842e8428",
    "capture:CaptureManager.resume_global_capture": "13e3b04a",
    "capture:CaptureManager.suspend_global_capture": "b788d7b1",
    "capture:CaptureManager.read_global_capture": "0439d57e",
    "capture:CaptureManager.activate_fixture": "06cfb5f4",
    "capture:CaptureManager.deactivate_fixture": "a5f7e0fd",
    "capture:FDCaptureBase.resume": "1b64e2e8",
    "capture:FDCaptureBase.suspend": "d06d74f8",
    "capture:SysCaptureBase.resume": "613a4ac7",
    "capture:SysCaptureBase.suspend": "bddd796a",
    "capture:SysCapture.snap": "0e43b18a",
    "capture:FDCapture.snap": "1c23440b b3aaa32c",
    "capture:MultiCapture.readouterr": "47f50ffb",
    "logging:LoggingPlugin._runtest_for": "49299c2d",
    "logging:LoggingPlugin.pytest_runtest_setup": "f56a25e6",
    "logging:LoggingPlugin.pytest_runtest_call": "b52d5e1b",
    "logging:LoggingPlugin.pytest_runtest_teardown": "c6ebb834",
    "logging:LoggingPlugin.pytest_runtest_logstart": "ac931cea",
    "logging:LoggingPlugin.pytest_runtest_logreport": "9a72c7ed",
    "logging:LoggingPlugin.pytest_runtest_logfinish": "9a72c7ed",
    "logging:catching_logs.__enter__": "133a6fec 62ea232b",
    "logging:catching_logs.__exit__": "2bd9495f 5e5d5d65",
    "skipping:pytest_runtest_setup": "ae226e16",
    "skipping:pytest_runtest_call": "2da273a5 ccf605b2",
    "skipping:pytest_runtest_makereport": "a35c5530 be4fd79e",
    "threadexception:pytest_runtest_setup": "a2c1b18c b5986dc4",
    "threadexception:pytest_runtest_call": "a2c1b18c b5986dc4",
    "threadexception:pytest_runtest_teardown": "a2c1b18c b5986dc4",
    "unraisableexception:pytest_runtest_setup": "45fe0227 c8188550",
    "unraisableexception:pytest_runtest_call": "45fe0227 c8188550",
    "unraisableexception:pytest_runtest_teardown": "45fe0227 c8188550",
    "threadexception:thread_exception_runtest_hook": "2a527080 absent",
    "threadexception:catch_threading_exception._hook": "078be536 absent",
    "threadexception:catch_threading_exception.__enter__": "a6028399 absent",
    "threadexception:catch_threading_exception.__exit__": "34237eb8 absent",
    "unraisableexception:unraisable_exception_runtest_hook": "9ad6fd48 absent",
    "unraisableexception:catch_unraisable_exception._hook": "9310b428 absent",
    "unraisableexception:catch_unraisable_exception.__enter__": "577268ed absent",
    "unraisableexception:catch_unraisable_exception.__exit__": "3cc170e1 absent",
    "tmpdir:pytest_runtest_makereport": "8c295d28",
    "python:pytest_pyfunc_call": "25631046 a9d6f71d efc2ecd5",
    "python:Function.setup": "fc7ce3a3",
    "python:Function.runtest": "c9e86fa0",
    "python:Function._traceback_filter": "bef92a9d 13228f11",
    "nodes:Node.teardown": "0d1e7699",
    "nodes:Item.location": "02e64619 77764663",
    "nodes:Item.add_report_section": "b8600f73",
    "reports:TestReport.from_item_and_call": "42bdfa95 4c5fb7ed dbdb4ecc",
    "reports:TestReport.__init__": "3b00cddb cf611e6d",
    "main:Session.pytest_runtest_logreport": "d95d7872",
    "terminal:TerminalReporter.pytest_runtest_logstart": "738553e5 725e3371 a2f7469a",
    "terminal:TerminalReporter.pytest_runtest_logreport": "4251ce47 76db5d1a 2df6bcbe c2ee507f",
}

# The same from pytest 8.3 to 9.2.
FIXTURES: Final[Mapping[str, str]] = {
    "fixtures:pytest_fixture_setup": "86656ad7 a9dc5b0d f380cede",
    "fixtures:resolve_fixture_function": "bf78c2f2 a05ac35f 18816845",
    "fixtures:call_fixture_func": "25bc188b cf6c9d18",
    "fixtures:_teardown_yield_fixture": "e8e88014",
    "fixtures:FixtureDef.__init__": "e84054e8 9f02e653 06e4c1f3 b3955f8e",
    "fixtures:FixtureDef.execute": "a73257d3 0ee0b400 874240b6",
    "fixtures:FixtureDef.finish": "428c4cdf fdc05b38",
    "fixtures:FixtureDef.cache_key": "518800ab",
    "fixtures:RequestFixtureDef.__init__": "absent cb3dd78e db9ae01e",
    "fixtures:FixtureRequest.getfixturevalue": "aa75d2b1",
    "fixtures:FixtureRequest._get_active_fixturedef": "3f445eaf a7b083a3 a4657670",
    "fixtures:SubRequest.__init__": "6fe9c8fe f246cd70",
    "fixtures:SubRequest._check_scope": "7e6e9a9b a052b520",
    "fixtures:SubRequest._scope": "f6574aa3",
    "scope:Scope.__lt__": "75edd03c",
    "setuponly:pytest_fixture_setup": "8b9efdf6",
    "setuponly:pytest_fixture_post_finalizer": "d943c317",
    "setupplan:pytest_fixture_setup": "beed5e69",
}

# Those of pytest 9.1 and 9.2 alone: a fixture's setup and its end had another order before.
REQUESTS: Final[Mapping[str, str]] = {
    "fixtures:FixtureDef.execute": "874240b6",
    "fixtures:FixtureDef.finish": "fdc05b38",
    "fixtures:FixtureDef.addfinalizer": "612ebff1",
    "fixtures:FixtureRequest._get_active_fixturedef": "a4657670",
    "fixtures:TopRequest._fillfixtures": "ab6e0330",
    "fixtures:FixtureRequest.__init__": "01048871",
    "fixtures:SubRequest.__init__": "f246cd70",
    "fixtures:SubRequest.node": "6f53aead",
    "fixtures:SubRequest.addfinalizer": "66369c24",
    "nodes:Node.addfinalizer": "27dc9d00",
    "python:get_direct_param_fixture_func": "af27b583",
}

# The same from pytest 8.3 to 9.2.
ASSERTIONS: Final[Mapping[str, str]] = {
    "assertion:pytest_runtest_protocol": "05731796 9768de9a e2105964",
    "assertion.truncate:truncate_if_required": "79ac6237 absent c0fdc8ca",
    "assertion.truncate:materialize_with_truncation": "a753caee absent",
    "assertion.truncate:_get_truncation_parameters": "1ed617df 6b9521ed absent d5504ba1",
    "assertion.truncate:_should_truncate_item": "966cc24b absent",
}

# The same from pytest 8.0 to 9.2.
TRACEBACKS: Final[Mapping[str, str]] = {
    "_code.source:getstatementrange_ast": "1d60ab07 1e6e969c 90d06dc7",
    "_code.source:get_statement_startend2": "241b9173 724612c8",
    "_code.source:_statement_linenos": "absent e30d356a",
}

# What counts reports at the end of a session, and what else hears of each item that has passed.
SUMMARY: Final[Mapping[str, str]] = {
    "terminal:TerminalReporter._add_stats": "0f598d1c",
    "terminal:TerminalReporter._set_main_color": "68292ab7 9deac0c9",
    "terminal:TerminalReporter._determine_main_color": "e1d3091c",
    "terminal:TerminalReporter._get_reports_to_display": "41d8dfa7",
    "terminal:TerminalReporter._build_normal_summary_stats_line": "2929ea41",
    "terminal:TerminalReporter.getreports": "9906d84a",
    "terminal:TerminalReporter.summary_warnings": "61ef26ba de5288ea e3cfca5d",
    "terminal:TerminalReporter.short_test_summary": "92c09ba5 489c6367 98c05f37",
    "cacheprovider:LFPlugin.pytest_runtest_logreport": "90bd770c 72a95da9",
}

# Of plugins that many projects have: hypothesis 6.80 to 6.170, pytest-benchmark 3.2 to 5.3,
# pytest-codspeed 3.1 to 5.0, pytest-cov 2.11 to 7.1, pytest-rerunfailures 10.3 to 16.7,
# pytest-timeout 2.1 to 2.4, syrupy 5.3 to 7.0. By module and name.
PLUGINS: Final[Mapping[str, str]] = {
    "_hypothesis_pytestplugin.pytest_runtest_call": "067eb37a 20cd645d 2cbff0dd cca78659 fc188b31",
    "_hypothesis_pytestplugin.pytest_runtest_makereport": "9797740d baaf06d9",
    "_hypothesis_pytestplugin.pytest_ignore_collect": "72681776",
    "pytest_benchmark.plugin.pytest_runtest_setup": "3b91e5a0",
    "pytest_benchmark.plugin.pytest_runtest_makereport": "f0848152 1638fc0d",
    "pytest_codspeed.plugin.pytest_runtest_protocol": "f4cbd63b d677a562",
    "pytest_cov.plugin.CovPlugin.pytest_runtest_call": "9afb0a1d",
    "pytest_rerunfailures.get_reruns_count": "3cc2725a 6fbb74bd e7470c7b ecf1a44a",
    "pytest_rerunfailures.pytest_report_teststatus": "e8a89d87",
    "pytest_rerunfailures.pytest_runtest_makereport": "689a7467 a7382ff1 c366909b d15c0723",
    "pytest_rerunfailures.pytest_runtest_protocol": (
        "5b8042bc 8d64be8e 91e6a919 bb425309 c7194452 d70d872b"
    ),
    "pytest_rerunfailures.pytest_runtest_teardown": (
        "1dee65ca 60dc3eaf 64032703 6f67f9f7 b4edef61 dbb1128e"
    ),
    "pytest_rerunfailures.XDistHooks.pytest_runtest_logreport": "1fe9cff1",
    "pytest_timeout.pytest_runtest_protocol": "cdfab898 eec4d582",
    "pytest_timeout.pytest_runtest_call": "cdfab898",
    "syrupy.pytest_runtest_logreport": "a54bef3d",
}


def of_plugin(function: Any) -> str | None:
    """The name of a plugin's function in `PLUGINS`, if it is as it was read."""
    name = f"{function.__module__}.{function.__qualname__}"
    if name not in PLUGINS:
        return None
    known = _digest_once(getattr(function, "__func__", function)) in PLUGINS[name].split()
    return name if known else None


def unknown(functions: Mapping[str, str]) -> str | None:
    """The first function that is not as it was read, in words."""
    for name, known in functions.items():
        if digest(name) not in known.split():
            return f"_pytest.{name.replace(':', '.')} of pytest {pytest.__version__} is not known"
    return None


def digest(name: str) -> str:
    """Of the names in a function's code. It is the same for each version of Python."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(f"_pytest.{module}")
        for part in path.split("."):
            found = vars(found)[part]
    except (ImportError, KeyError):
        return _ABSENT
    # Of a property, a cached property, a class method.
    found = getattr(found, "fget", found)
    found = getattr(found, "func", found)
    found = getattr(found, "__func__", found)
    return _digest(found)


@functools.lru_cache(maxsize=64)
def _digest_once(function: Any) -> str:
    return _digest(function)


def _digest(function: Any) -> str:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not isinstance(function, types.FunctionType):
        return type(function).__name__
    return of_code(function)


def of_code(function: types.FunctionType) -> str:
    """The digest of the names in a function's code."""
    names: set[str] = set()
    _add_names(function.__code__, names)
    ordered = sorted(names)
    # Those of comprehensions' arguments come and go with versions of Python. They are the first.
    while ordered and ordered[0].startswith("."):
        del ordered[0]
    return blake2b("\0".join(ordered).encode(), digest_size=4).hexdigest()


def _add_names(code: types.CodeType, names: set[str]) -> None:
    names.update(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _add_names(constant, names)


def main() -> None:
    tables = (
        COLLECTION,
        UNITTEST,
        WALK,
        FACTORIES,
        IMPORTS,
        NODE_IDS,
        PROTOCOL,
        FIXTURES,
        REQUESTS,
        ASSERTIONS,
        TRACEBACKS,
        SUMMARY,
    )
    for name, known in (entry for table in tables for entry in table.items()):
        found = digest(name)
        if found not in known.split():
            print(f"{name}: {found}")
    from . import short_plugins

    found = short_plugins.digest()
    if found not in short_plugins.KNOWN:
        print(f"pluggy: {found}")


if __name__ == "__main__":
    main()
