"""Prints a suite that nobody has written, and a command line to run it with; both follow from a number.

    suite.py NUMBER

The first line has the arguments, separated by tabs. Then come files, each after a line `--- its/path`.

There is something of nearly all that pytest's own plugins have to do with: fixtures of each scope that
take each other, fail and write; marks; parameters; classes, cases of unittest, doctests; functions that
set up and tear down; hooks of conftests; settings. Much of it fails, and some of it makes no sense: what
counts is that it is the same whoever runs it.
"""

import random
import sys
import textwrap

SCOPES = ("function", "class", "module", "package", "session")

HEAD = """import logging
import os
import sys
import threading
import unittest
import warnings

import pytest

class Loud:
    def __del__(self):
        raise ValueError("nobody catches it")
"""

# What any function may do.
ANYTHING = (
    "pass",
    "pass",
    'print("out {n}")',
    'sys.stderr.write("err {n}\\n")',
    'os.write(1, b"descriptor {n}\\n")',
    'logging.getLogger("logger{n}").warning("logged %s", {n})',
    'logging.info("info {n}")',
    'warnings.warn("warning {n}")',
    'warnings.warn("deprecated {n}", DeprecationWarning)',
)

# How a fixture may end.
SETUP_ENDS = (
    'raise ValueError("in setup")',
    'pytest.skip("in a fixture")',
    'pytest.fail("in a fixture", pytrace=False)',
    'pytest.xfail("in a fixture")',
    "assert [1] == [2]",
)
TEARDOWN_ENDS = ('raise OSError("in teardown")', "assert 0", 'pytest.skip("late")')

PARAMETERS_OF_FIXTURES = (
    "[1, 2]",
    '["a", "b"]',
    '[pytest.param(1, id="one"), pytest.param(2, marks=pytest.mark.skip(reason="of a value"))]',
    "[pytest.param(1, marks=pytest.mark.xfail), 2]",
    '[{"key": 1}, None]',
)

# Of tests: the mark, and the arguments that it brings.
PARAMETERS = (
    ('@pytest.mark.parametrize("p", [1, 2])', ["p"]),
    (
        '@pytest.mark.parametrize("p, q", [(1, "a"), pytest.param(2, "b", marks=pytest.mark.xfail)])',
        ["p", "q"],
    ),
    ('@pytest.mark.parametrize("p", ["x", None, 1.5, {}], ids=str)', ["p"]),
    ('@pytest.mark.parametrize("p", [])', ["p"]),
)

MARKS = (
    '@pytest.mark.skip(reason="no")',
    "@pytest.mark.skip",
    '@pytest.mark.skipif(True, reason="it holds")',
    '@pytest.mark.skipif(False, reason="it does not hold")',
    '@pytest.mark.skipif("sys.version_info >= (3,)", reason="code")',
    "@pytest.mark.xfail",
    '@pytest.mark.xfail(reason="expected", strict=True)',
    "@pytest.mark.xfail(raises=ValueError)",
    '@pytest.mark.xfail(run=False, reason="not run")',
    '@pytest.mark.xfail(False, reason="it does not hold")',
    '@pytest.mark.xfail("1 == 1", reason="code")',
    "@pytest.mark.xfail(True)",
    '@pytest.mark.filterwarnings("error")',
    '@pytest.mark.filterwarnings("ignore")',
    '@pytest.mark.usefixtures("tmp_path")',
    "@pytest.mark.slow",
)

# How a test ends, and the fixtures that it needs for that.
TEST_ENDS = (
    *[(["pass"], [])] * 6,
    (['x = {"a": 1, "b": [1, 2, 3]}', 'assert x == {"a": 2, "b": [1, 2]}, "a message"'], []),
    (["assert 1 == 2"], []),
    (["assert 1.0 == pytest.approx(2.0)"], []),
    (['raise ValueError("v")'], []),
    (['pytest.skip("inside")'], []),
    (['pytest.xfail("inside")'], []),
    (["return 1"], []),
    (["with pytest.raises(KeyError):", '    raise KeyError("k")'], []),
    (["def deep(n):", "    return deep(n - 1) if n else 1 / 0", "deep(3)"], []),
    (
        [
            "try:",
            "    1 / 0",
            "except ZeroDivisionError as error:",
            '    raise RuntimeError("chained") from error',
        ],
        [],
    ),
    (["raise SystemExit(2)"], []),
    (["loud = Loud()", "del loud"], []),
    (
        [
            "def run():",
            '    raise KeyError("in a thread")',
            'thread = threading.Thread(target=run, name="T")',
            "thread.start()",
            "thread.join()",
        ],
        [],
    ),
    (['assert "(call)" in os.environ["PYTEST_CURRENT_TEST"]'], []),
    (['request.node.user_properties.append(("name", 1))'], ["request"]),
    (['request.node.add_marker(pytest.mark.xfail(reason="late"))', "assert 0"], ["request"]),
    (['request.getfixturevalue("tmp_path")'], ["request"]),
    (['request.getfixturevalue("capsys")', 'print("left")'], ["request"]),
    (['request.getfixturevalue("none_such")'], ["request"]),
    (["request.applymarker(pytest.mark.skip)", "pass"], ["request"]),
    (["request.session.shouldstop = 'enough'"], ["request"]),
    (["for n in range(3):", "    with subtests.test(n=n):", "        assert n != 1"], ["subtests"]),
    (["with capsys.disabled():", '    print("seen at once")'], ["capsys"]),
    (
        [
            "with caplog.at_level(logging.DEBUG):",
            '    logging.getLogger("deep").debug("x")',
            "assert 0",
        ],
        ["caplog"],
    ),
    (["monkeypatch.chdir(tmp_path)", 'assert os.listdir() == ["x"]'], ["monkeypatch", "tmp_path"]),
    (
        ['path = tmp_path_factory.mktemp("some")', "assert path.is_dir()"],
        ["tmp_path_factory"],
    ),
    (['pytest.importorskip("none_such")'], []),
    (
        [
            "with warnings.catch_warnings():",
            '    warnings.simplefilter("error")',
            '    warnings.warn("w")',
        ],
        [],
    ),
    (['assert "\u2603" * 3 == "gr\u00fc\u00dfe"'], []),
    (['text = "line\n" * 30', 'assert text == text + "more"'], []),
    (["numbers = list(range(60))", "assert numbers == numbers[:30] + [0] + numbers[31:]"], []),
    (["async def inner():", "    pass", "coroutine = inner()", "coroutine.close()"], []),
    (['sys.stdout = open(os.devnull, "w")', 'print("lost")'], []),
    (["os.environ['LEFT'] = 'behind'"], []),
    (["logging.getLogger().setLevel(logging.DEBUG)", 'logging.debug("deep")', "assert 0"], []),
    (
        ['monkeypatch.setattr(os, "getcwd", lambda: "x")', 'assert os.getcwd() == "x"'],
        ["monkeypatch"],
    ),
)

OF_PYTEST = {
    "capsys": ['print("caught")', 'assert capsys.readouterr().out.endswith("caught\\n")'],
    "capfd": ['print("left to be shown")'],
    "caplog": ['logging.warning("caught")', 'assert "caught" in caplog.text'],
    "recwarn": ['warnings.warn("recorded")', "assert len(recwarn) >= 1"],
    "record_property": ['record_property("key", "value")'],
    "tmp_path": ["assert tmp_path.is_dir()"],
    "monkeypatch": ['monkeypatch.setenv("NAME", "value")'],
    "request": ["request.addfinalizer(lambda: None)"],
}

UNIT_TESTS = (
    "pass",
    "self.assertEqual(1, 1)",
    "self.assertEqual(1, 2)",
    'self.fail("f")',
    'self.skipTest("s")',
    'raise KeyError("k")',
    'print("out")',
    'pytest.skip("by pytest")',
    'pytest.xfail("by pytest")',
    'warnings.warn("warned")',
    "self.addCleanup(lambda: 1 / 0)",
    "for n in range(3):\n    with self.subTest(n=n):\n        self.assertNotEqual(n, 1)",
)

HOOKS = (
    'def pytest_runtest_setup(item):\n    print("hook of the setup", item.name)\n',
    "def pytest_runtest_teardown(item, nextitem):\n    item.followed_by = nextitem\n",
    '@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n    report = yield\n    setattr(item, "rep_" + report.when, report)\n    return report\n',
    '@pytest.hookimpl(hookwrapper=True, tryfirst=True)\ndef pytest_runtest_makereport(item, call):\n    outcome = yield\n    report = outcome.get_result()\n    report.sections.append(("of a hook", report.when))\n',
    "seen = []\n\ndef pytest_runtest_logreport(report):\n    seen.append((report.nodeid, report.when, report.outcome))\n\ndef pytest_terminal_summary(terminalreporter):\n    terminalreporter.write_line(repr(len(seen)))\n    terminalreporter.write_line(repr(seen[-3:]))\n",
    "def pytest_collection_modifyitems(items):\n    items.reverse()\n",
    'def pytest_collection_modifyitems(items):\n    for item in items[::3]:\n        item.add_marker(pytest.mark.xfail(reason="each third"))\n',
    "def pytest_collection_modifyitems(items, config):\n    gone = items[::4]\n    items[:] = [item for item in items if item not in gone]\n    config.hook.pytest_deselected(items=gone)\n",
    'def pytest_assertrepr_compare(op, left, right):\n    if left == 1:\n        return ["compared", "by a conftest"]\n',
    '@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_call(item):\n    print("around the call")\n    return (yield)\n',
    '@pytest.hookimpl(hookwrapper=True)\ndef pytest_fixture_setup(fixturedef, request):\n    print("setting up", fixturedef.argname)\n    yield\n',
    'def pytest_report_teststatus(report, config):\n    if report.when == "call" and report.passed and "1" in report.nodeid:\n        return "with a one", "o", "ONE"\n',
    'def pytest_warning_recorded(warning_message, when, nodeid, location):\n    print("recorded", when, nodeid)\n',
    "def pytest_runtest_logstart(nodeid):\n    pass\n",
    'def pytest_itemcollected(item):\n    item.user_properties.append(("collected", item.name))\n',
    'def pytest_exception_interact(node, call, report):\n    print("interacts with", report.when)\n',
    'def pytest_sessionfinish(session, exitstatus):\n    print("finished", int(exitstatus), session.testsfailed, session.testscollected)\n',
    "def pytest_runtest_protocol(item, nextitem):\n    return None\n",
    'def pytest_pyfunc_call(pyfuncitem):\n    if "9" in pyfuncitem.name:\n        print("called")\n',
    'def pytest_make_parametrize_id(val, argname):\n    if val == 1:\n        return "uno"\n',
    'def pytest_runtest_makereport(item, call):\n    if call.when == "call" and "7" in item.name:\n        print("a report is made")\n',
)

SETTINGS = (
    "xfail_strict = true",
    "console_output_style = count",
    "log_level = INFO",
    "filterwarnings = error::DeprecationWarning",
    "log_cli = true",
    "junit_family = xunit1",
    "addopts = -ra",
    "empty_parameter_set_mark = xfail",
    "verbosity_assertions = 2",
    "faulthandler_timeout = 100",
    "tmp_path_retention_policy = failed",
    "log_format = %(message)s",
    "usefixtures = tmp_path",
    "testpaths = package",
    "python_functions = test_* check_*",
    "verbosity_test_cases = 1",
    "log_auto_indent = true",
    "truncation_limit_lines = 3",
    "doctest_optionflags = ELLIPSIS",
    "junit_logging = all",
    "junit_log_passing_tests = false",
    "enable_assertion_pass_hook = true",
    "addopts = --capture=sys",
    "log_level = 15",
)

ARGUMENTS = (
    ["-v"], ["-vv"], ["-q"], ["-rA"], ["-rN"], ["-x"], ["--maxfail=2"], ["-k", "not 3 or 1"], ["-m", "slow"],
    ["-m", "not slow"], ["--tb=short"], ["--tb=line"], ["--tb=native"], ["--tb=no"], ["-s"], ["--capture=sys"],
    ["--capture=tee-sys"], ["-W", "error"], ["-p", "no:logging"], ["-p", "no:warnings"], ["-p", "no:cacheprovider"],
    ["-p", "no:unraisableexception"], ["-p", "no:threadexception"], ["-p", "no:skipping"], ["-p", "no:tmpdir"],
    ["--showlocals"], ["--setup-show"], ["--runxfail"], ["--log-level=DEBUG"],
    ["-o", "log_cli=true"], ["--log-cli-level=INFO"], ["--doctest-modules"], ["--strict-markers"], ["--no-header"],
    ["--no-summary"], ["--show-capture=no"], ["--continue-on-collection-errors"], ["--co", "-q"], ["--assert=plain"],
    ["--import-mode=importlib"], ["--stepwise"], ["--ff"], ["-o", "xfail_strict=true"], ["--disable-warnings"],
    ["-o", "console_output_style=classic"], ["--collect-only"], ["--co", "-qq"], ["--fixtures-per-test"], ["--fixtures"],
    ["--setup-plan"], ["--setup-only"], ["--color=yes"], ["--lf"], ["--ignore=package"], ["package"], ["-p", "no:doctest"],
    ["--basetemp=base"], ["-rfE"], ["--show-capture=stderr"], ["--xfail-tb"], ["-W", "ignore"], ["-qq"], ["--rootdir=.."],
    ["--log-format=%(levelname)s %(message)s"], ["--confcutdir=package"], ["--noconftest"], ["-p", "no:faulthandler"],
    ["--tb=long"], ["-vvv"], ["--exitfirst", "-rA"], ["--maxfail=3", "-s"],
)  # fmt: skip


def function(name, arguments, lines):
    body = textwrap.indent("\n".join(lines), "    ")
    return f"def {name}({', '.join(arguments)}):\n{body}\n"


class Writer:
    def __init__(self, number):
        self.random = random.Random(number)
        self.count = 0

    def chance(self, probability):
        return self.random.random() < probability

    def any(self, choices):
        return self.random.choice(choices)

    def some(self, choices, counts):
        return self.random.sample(choices, min(len(choices), self.any(counts)))

    def name(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    def anything(self):
        return self.any(ANYTHING).replace("{n}", str(self.count))

    def fixture(self, known, first=()):
        """A fixture's name and scope, and its text. `known` are those that it may take."""
        name, scope, options = self.name("fixture"), "function", []
        arguments = []
        if known and self.chance(0.12):
            # In the place of another one, which it may take.
            name = self.any(known)[0]
            arguments = [name] if self.chance(0.5) else []
        if self.chance(0.4):
            scope = self.any(SCOPES + ("function",) * 4)
            options.append(f'scope="{scope}"')
        has_parameters = self.chance(0.2)
        if has_parameters:
            options.append(f"params={self.any(PARAMETERS_OF_FIXTURES)}")
            if self.chance(0.2):
                options.append('ids=["first", "second"]')
        if self.chance(0.12):
            options.append("autouse=True")
        wider = [one for one, other in known if SCOPES.index(other) >= SCOPES.index(scope)]
        arguments += [one for one in self.some(wider, (0, 1, 2)) if one != name]
        if has_parameters or self.chance(0.2):
            arguments.append("request")
        lines = [self.anything()]
        if self.chance(0.05):
            lines.append(self.any(SETUP_ENDS))
        if "request" in arguments and self.chance(0.3):
            lines.append('request.addfinalizer(lambda: print("finalized"))')
        value = "request.param" if has_parameters else f'"value {self.count}"'
        if self.chance(0.4):
            lines += [f"yield {value}", self.anything()]
            if self.chance(0.08):
                lines.append(self.any(TEARDOWN_ENDS))
        else:
            lines.append(f"return {value}")
        decorator = f"@pytest.fixture({', '.join(options)})\n" if options else "@pytest.fixture\n"
        return (name, scope), decorator + function(name, [*first, *arguments], lines)

    def fixtures(self, known, counts, first=()):
        """Some, by their texts; they are known from now on."""
        texts = []
        for _ in range(self.any(counts)):
            one, text = self.fixture(known, first)
            known.append(one)
            texts.append(text)
        return texts

    def marks(self):
        return [self.any(MARKS) for _ in range(self.any((0, 0, 0, 1, 1, 2)))]

    def test(self, known, first=()):
        name, marks = self.name("test_"), self.marks()
        arguments = self.some([one for one, _ in known], (0, 0, 1, 1, 2))
        lines = [self.anything() for _ in range(self.any((0, 1, 2)))]
        if self.chance(0.15):
            mark, names = self.any(PARAMETERS)
            marks.append(mark)
            arguments += names
        if arguments and self.chance(0.06):
            how = self.any(("indirect=True", 'indirect=True, scope="module"', "ids=repr"))
            marks.append(f'@pytest.mark.parametrize("{arguments[0]}", ["x", "y"], {how})')
        if known and self.chance(0.08):
            marks.append(f'@pytest.mark.usefixtures("{self.any(known)[0]}")')
        ends, needed = self.any(TEST_ENDS)
        lines += ends
        if self.chance(0.3):
            builtin = self.any(tuple(OF_PYTEST))
            arguments.append(builtin)
            lines = OF_PYTEST[builtin] + lines
        if self.chance(0.05):
            lines = ['"""', ">>> 1 + 1", self.any(("2", "3")), '"""', *lines]
        arguments = dict.fromkeys([*first, *arguments, *needed])
        return "\n".join([*marks, function(name, arguments, lines)])

    def test_class(self, known, depth=0):
        head = [*self.marks(), f"class {self.name('Test')}:"]
        body = []
        if self.chance(0.15):
            body.append('@classmethod\ndef setup_class(cls):\n    print("setup_class")\n')
        if self.chance(0.1):
            end = self.any(('print("teardown_class")', 'raise ValueError("teardown_class")'))
            body.append(f"@classmethod\ndef teardown_class(cls):\n    {end}\n")
        if self.chance(0.15):
            end = self.any(('print("setup_method")', "self.x = 1", "assert 0"))
            body.append(f"def setup_method(self, method):\n    {end}\n")
        if self.chance(0.15):
            end = self.any(('print("teardown_method")', 'raise KeyError("teardown_method")'))
            body.append(f"def teardown_method(self):\n    {end}\n")
        known = list(known)
        body += self.fixtures(known, (0, 0, 1, 2), ["self"])
        body += [self.test(known, ["self"]) for _ in range(self.any((1, 2, 3, 4)))]
        if depth < 1 and self.chance(0.15):
            body.append(self.test_class(known, depth + 1))
        return "\n".join([*head, textwrap.indent("\n".join(body), "    ")])

    def test_case(self):
        head = self.any(([], [], ["@pytest.mark.xfail"], ['@unittest.skip("all of it")']))
        body = []
        for name, first, ends in (
            (
                "setUpClass",
                "cls",
                ('print("setUpClass")', 'raise unittest.SkipTest("class")', "1 / 0"),
            ),
            ("tearDownClass", "cls", ('print("tearDownClass")', "1 / 0")),
            (
                "setUp",
                "self",
                (
                    'print("setUp")',
                    'self.addCleanup(print, "cleaned")',
                    'self.skipTest("setUp")',
                    "1 / 0",
                ),
            ),
            ("tearDown", "self", ('print("tearDown")', "1 / 0")),
        ):
            if self.chance(0.2):
                decorator = "@classmethod\n" if first == "cls" else ""
                body.append(decorator + function(name, [first], [self.any(ends)]))
        if self.chance(0.2):
            lines = ['print("up")', "yield", 'print("down")']
            body.append(
                "@pytest.fixture(autouse=True)\n" + function("auto", ["self", "tmp_path"], lines)
            )
        decorators = (
            "@unittest.expectedFailure\n",
            '@unittest.skip("one")\n',
            "@pytest.mark.xfail\n",
            "@pytest.mark.skip\n",
        )
        for _ in range(self.any((1, 2, 3, 4))):
            decorator = self.any(decorators) if self.chance(0.4) else ""
            body.append(decorator + function(self.name("test_"), ["self"], [self.any(UNIT_TESTS)]))
        class_line = f"class {self.name('Case')}(unittest.TestCase):"
        return "\n".join([*head, class_line, textwrap.indent("\n".join(body), "    ")])

    def module(self, known):
        known, parts = list(known), [HEAD]
        if self.chance(0.1):
            marks = ("slow", "xfail", 'skip(reason="module")', 'usefixtures("tmp_path")')
            parts.append(f"pytestmark = pytest.mark.{self.any(marks)}\n")
        for name, argument, ends in (
            (
                "setup_module",
                "module",
                ('print("setup_module")', 'pytest.skip("module")', "assert 0"),
            ),
            ("teardown_module", "module", ('print("teardown_module")', "1 / 0")),
            ("setup_function", "function", ('print("setup_function")',)),
            ("teardown_function", "function", ('print("teardown_function")', "1 / 0")),
        ):
            if self.chance(0.09):
                parts.append(function(name, [argument], [self.any(ends)]))
        parts += self.fixtures(known, (0, 1, 1, 2, 3))
        for _ in range(self.random.randint(1, 7)):
            kind = self.random.random()
            if kind < 0.12:
                parts.append(self.test_case())
            elif kind < 0.35:
                parts.append(self.test_class(known))
            else:
                parts.append(self.test(known))
        if self.chance(0.03):
            ends = (
                "1 / 0\n",
                'pytest.skip("all", allow_module_level=True)\n',
                "import none_such\n",
                "def broken(:\n",
            )
            parts.append(self.any(ends))
        return "\n\n".join(parts)

    def conftest(self, known):
        """It adds to `known`."""
        parts = [HEAD, *self.fixtures(known, (0, 1, 2))]
        return "\n\n".join([*parts, *self.some(HOOKS, (0, 0, 0, 1, 1, 2))])

    def files(self):
        settings = [one for one in SETTINGS if self.chance(0.06)]
        files = {"pytest.ini": "\n".join(["[pytest]", "markers = slow", *settings, ""])}
        known = []
        if self.chance(0.6):
            files["conftest.py"] = self.conftest(known)
        directories = [("", known)]
        if self.chance(0.4):
            if self.chance(0.7):
                files["package/__init__.py"] = ""
            inner = list(known)
            if self.chance(0.5):
                files["package/conftest.py"] = self.conftest(inner)
            directories.append(("package/", inner))
        for directory, known in directories:
            for _ in range(self.any((1, 2))):
                files[f"{directory}test_{self.name('module')}.py"] = self.module(known)
        return files

    def arguments(self):
        words = [word for words in self.some(ARGUMENTS, (0, 1, 1, 2, 2, 3)) for word in words]
        return [*words, "--junitxml=junit.xml"] if self.chance(0.4) else words


def main():
    writer = Writer(int(sys.argv[1]))
    files = writer.files()
    print("\t".join(writer.arguments()))
    for path, text in files.items():
        print(f"--- {path}\n{text}")


if __name__ == "__main__":
    main()
