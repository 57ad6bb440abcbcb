"""Compares what the short cuts of the start, of imports and of directories answer with what pytest and pluggy do.

Argument: an empty directory.
"""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import _pytest.assertion.rewrite as rewrite
import _pytest.config
import _pytest.fixtures
import _pytest.main
import _pytest.pathlib
import pluggy._manager
import pytest
from rpytest_worker import (
    collection,
    controller,
    dialect,
    known_code,
    known_endings,
    pytest_compat,
    rewriting,
    short_factories,
    short_imports,
    short_plugins,
    short_walk,
)

WORK = Path(sys.argv[1])


def same(what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        sys.exit(f"{what}: {ours!r}, and not {theirs!r}")


def packages() -> None:
    files = [
        "a/__init__.py", "a/b/__init__.py", "a/b/test_c.py", "a/not-a-name/__init__.py",
        "a/not-a-name/test_d.py", "a/without/test_e.py", "a/without/f/__init__.py",
        "a/without/f/test_g.py", "test_h.py", "a/__init__.py/never", "link/test_c.py",
    ]  # fmt: skip
    root = WORK / "packages"
    for file in files:
        path = root / file
        if path.parent.is_file() or path.parent.name == "link":
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "link").symlink_to(root / "a" / "b")
    genuine = _pytest.pathlib.resolve_package_path
    paths = {root / file for file in files} | {(root / file).parent for file in files}
    found = set()
    for path in [*paths, Path("relative/test_a.py"), Path("/"), root / "missing" / "test_a.py"]:
        ours, theirs = short_imports.resolve_package_path(path), genuine(path)
        same(f"the package of {path}", ours, theirs)
        same(f"the type of that of {path}", type(ours), type(theirs))
        found.add(ours)
    same("how many packages there are", len(found), 4)


NAMES = """conftest a.conftest test_a a.test_a a.b.test_a a_test test_ test .test a.b os os.path tests.helpers marked marked.one
marked_not given a.given TEST_A test_é tést 1test test_a.py""".split()
PATTERNS = [
    "test_*.py *_test.py",
    "*.py",
    "check_*.py test?a.py [t]est.py",
    "tests/*.py",
    "Test*.py",
    "",
]


class Given:
    """Stands for a session with one file as its argument."""

    def __init__(self) -> None:
        self._initialpaths = frozenset({WORK / "given.py"})

    def isinitpath(self, path: object) -> bool:
        return path in self._initialpaths


def what_is_rewritten() -> None:
    rewritten = set()
    for patterns in PATTERNS:
        for session in (None, Given()):
            config = _pytest.config._prepareconfig(
                ["-o", f"python_files={patterns}", "--rootdir", str(WORK), str(WORK)]
            )
            state = config.stash[rewrite.assertstate_key]
            hook = rewrite.AssertionRewritingHook(config)
            hook.set_session(session)
            hook.mark_rewrite("marked")
            short = short_imports.ShortImports(types.SimpleNamespace(config=config))
            replaced = {}
            same(
                "what is not known",
                short.begin(lambda _, name, new: replaced.setdefault(name, new)),
                None,
            )
            for name in NAMES * 2:  # the first of all is asked before the session's paths are known
                for method, arguments in (
                    ("_early_rewrite_bailout", (name, state)),
                    ("_should_rewrite", (name, str(WORK / f"{name.replace('.', '/')}.py"), state)),
                ):
                    ours = replaced.get(method, getattr(rewrite.AssertionRewritingHook, method))
                    theirs = getattr(hook, method)
                    if method == "_early_rewrite_bailout" and not name.strip("."):
                        continue
                    answer = ours(hook, *arguments)
                    same(f"{method} of {name} by {patterns}", answer, theirs(*arguments))
                    rewritten.add((method, answer))
            config._ensure_unconfigure()
    same("how many kinds of answers there are", len(rewritten), 4)


def directories_for_bytecode() -> None:
    root = WORK / "bytecode"
    root.mkdir()
    (root / "file").touch()
    (root / "there").mkdir()
    (root / "link").symlink_to(root / "there")
    (root / "broken").symlink_to(root / "nowhere")
    ours, theirs = short_imports._made(rewrite.try_makedirs), rewrite.try_makedirs
    for name in ("file", "file/below", "there", "link", "broken", "new", "new/below"):
        path = root / name
        was_there = path.exists()
        answers = []
        for function in (theirs, ours):
            answers.append((function(path), path.is_dir()))
            if not was_there and path.is_dir():
                path.rmdir()
        same(f"whether {name} could be made", answers[1], answers[0])


def files(code: types.CodeType) -> list[str]:
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return [code.co_filename, *(file for one in inner for file in files(one))]


def bytecode() -> None:
    root = WORK / "read"
    root.mkdir()
    source, pyc = root / "test_a.py", root / "test_a.pyc"
    source.write_text("def test_a():\n    assert 1 == 1\n")
    config = _pytest.config._prepareconfig([])
    state = config.stash[rewrite.assertstate_key]
    stamp, code = rewrite._rewrite_test(source, config)
    same("whether it was written", rewrite._write_pyc(state, code, stamp, pyc), True)
    theirs, ours = rewrite._read_pyc, rewriting.Rewriting(str(WORK / "store"))
    same("whether the form is known", ours._is_by_content is None, False)

    def reads(what: str, source: Path, is_read: bool) -> None:
        read, expected = ours._read(source, pyc), theirs(source, pyc)
        same(f"{what}: what was read", read, expected)
        same(f"{what}: whether it was read", read is not None, is_read)
        if read is not None and expected is not None:
            same(f"{what}: the files of the code", files(read), files(expected))

    reads("as it was written", source, True)
    moved = root / "test_b.py"
    shutil.copy2(source, moved)
    reads("moved", moved, True)
    reads("without a source", root / "test_c.py", False)
    whole = pyc.read_bytes()
    for what, data in (
        ("another magic number", b"1234" + whole[4:]),
        ("other flags", whole[:4] + b"\1\0\0\0" + whole[8:]),
        ("another source", whole[:8] + b"12345678" + whole[16:]),
        ("cut in the head", whole[:12]),
        ("cut in the code", whole[:-5]),
        ("without code", whole[:16]),
        ("no code but a number", whole[:16] + b"i\1\0\0\0"),
        ("empty", b""),
    ):
        pyc.write_bytes(data)
        reads(what, source, False)
    pyc.write_bytes(whole)
    reads("whole again", source, True)
    source.write_text("def test_a():\n    assert 1 == 10\n")
    reads("another length", source, False)
    pyc.unlink()
    reads("gone", source, False)
    config._ensure_unconfigure()


class Slotted:
    __slots__ = ("pytest_in_slot", "pytest_empty")

    def __init__(self) -> None:
        self.pytest_in_slot = directories_for_bytecode

    def pytest_method(self) -> None: ...


class Base:
    def pytest_inherited(self) -> None: ...

    def pytest_overridden(self) -> None: ...


class Odd(Base):
    pytest_overridden = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.pytest_own = packages
        self.pytest_bound = Base().pytest_inherited

    @property
    def pytest_property(self) -> None:
        sys.exit("a property was asked")

    @staticmethod
    def pytest_static() -> None: ...

    @classmethod
    def pytest_class(cls) -> None: ...

    def __getattr__(self, name: str) -> object:
        sys.exit(f"{name} was asked")


class OfOurs(Odd):
    """As one of the command's own plugins."""


OfOurs.__module__ = "rpytest_worker.sample"


def hooks_of_plugins() -> None:
    genuine = getattr(pluggy._manager, "_static_hook_attr", None)
    if genuine is None:
        return
    short_plugins.install()
    ours = pluggy._manager._static_hook_attr
    same("whether it is known", ours is not genuine, True)
    names = (*_pytest.config.default_plugins, "config", "nodes")
    plugins: list[object] = [importlib.import_module(f"_pytest.{name}") for name in names]
    module = types.ModuleType("odd")
    vars(module).update(
        pytest_one=packages, pytest_two=Odd.pytest_static, pytest_three=3, pytest_four=Odd().pytest_bound,
        pytest_five=classmethod(packages), pytest_six=staticmethod(packages),
    )  # fmt: skip
    config = _pytest.config._prepareconfig([])
    plugins += [module, Odd, Odd(), OfOurs, OfOurs(), Slotted(), Base, Base(), 3, None]
    plugins += [dialect.Dialect(), collection.ShortStart(), controller.Controller]
    plugins += config.pluginmanager.get_plugins()
    found = 0
    for plugin in plugins:
        for name in {*dir(plugin), "pytest_missing"}:
            if not name.startswith("pytest_"):
                continue
            answer, expected = ours(plugin, name), genuine(plugin, name)
            same(f"{name} of {plugin!r}", answer, expected)
            found += answer is not None
    same("whether there are many", found > 200, True)
    config._ensure_unconfigure()


def fixtures_of_plugins() -> None:
    config = _pytest.config._prepareconfig(["--rootdir", str(WORK), str(WORK)])
    undo = contextlib.ExitStack()

    def found() -> list[str]:
        session = _pytest.main.Session.from_config(config)
        before = len(defined)
        manager = _pytest.fixtures.FixtureManager(session)
        config.pluginmanager.unregister(manager)
        config.pluginmanager.unregister(session)
        return defined[before:]

    # Each version keeps them in another way, and makes them in the same.
    defined: list[str] = []
    make = _pytest.fixtures.FixtureDef.__init__

    def noted(self: object, *args: object, **values: object) -> None:
        make(self, *args, **values)
        defined.append(f"{self.argname} of {self.func.__module__}, {self.scope}")  # type: ignore[attr-defined]

    _pytest.fixtures.FixtureDef.__init__ = noted
    theirs = found()
    unknown = short_factories.ShortFactories().begin(
        lambda owner, name, new: pytest_compat.replace(undo, owner, name, new)
    )
    ours = found()
    undo.close()
    _pytest.fixtures.FixtureDef.__init__ = make
    same("the fixtures of plugins", ours, theirs)
    same("whether there are many", len(ours) > 10, True)
    same("whether that is known", unknown is None, pytest.__version__ >= "8.3")
    config._ensure_unconfigure()


def modules_of_directories() -> None:
    files = [
        "project/test_a.py", "project/sub/test_b.py", "project/sub/deep/__init__.py", "project/sub/deep/test_c.py",
        "project/back\\slash/test_d.py", "project/sub/test\\e.py", "beside/test_f.py",
    ]  # fmt: skip
    root = WORK / "walk"
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    hook = "pytest_runtest_setup"
    for directory in ("project", "project/sub", "beside"):
        (root / directory / "conftest.py").write_text(f"def {hook}(): pass\n")
    project = root / "project"
    arguments = [str(project), str(project / "sub"), str(root / "beside")]
    config = _pytest.config._prepareconfig(["--rootdir", str(project), *arguments])
    session = _pytest.main.Session.from_config(config)
    pytest_compat.remember_hook_proxies(session)
    walk, found, conftests = short_walk.ShortWalk(session), set(), set()
    for place in {(root / file).parent for file in files}:
        cls = pytest.Package if (place / "__init__.py").exists() else pytest.Dir
        parent = cls.from_parent(session, path=place)
        module_of = walk._module_maker(parent)
        for entry in os.scandir(place):
            if not entry.is_file():
                continue
            ours, path = module_of(entry), Path(entry.path)
            theirs = pytest.Module.from_parent(parent, path=path)
            for name in ("name", "nodeid", "path", "parent", "config", "session"):
                same(f"{name} of {path}", getattr(ours, name), getattr(theirs, name))
            # Since pytest 9.2 one is more than text.
            ids = [getattr(one, "_id", None) or one.nodeid for one in (ours, theirs)]
            same(f"the id of {path}", *map(repr, ids))
            same(f"the keywords of {path}", list(ours.keywords), list(theirs.keywords))
            proxies = ours.ihook, _pytest.main.Session.gethookproxy(session, path)
            listening = [
                sorted(one.plugin_name for one in getattr(proxy, hook).get_hookimpls())
                for proxy in proxies
            ]
            same(f"who listens at {path}", *listening)
            found.add(ours.nodeid)
            conftests.add(sum(name.endswith("conftest.py") for name in listening[0]))
    same("how many modules there are", len(found), 10)
    same("how many conftests are in force for them", conftests, {0, 1, 2})
    config._ensure_unconfigure()


# With the directory for what is kept, or without: prints the code of the methods of all dataclasses.
METHODS = """
import contextlib, dataclasses, sys, types
from rpytest_worker.made_code import MadeCode

with MadeCode(sys.argv[1]) if sys.argv[1:] else contextlib.nullcontext():
    import pytest
if "exec" in vars(dataclasses):
    sys.exit("it is still in its place")

def const(one):
    if isinstance(one, types.CodeType):
        return parts(one)
    return sorted(map(repr, one)) if isinstance(one, frozenset) else repr(one)

def parts(code):
    names = [name for name in dir(code) if name.startswith("co_") and name not in ("co_consts", "co_lnotab")]
    values = [(name, getattr(code, name)) for name in names]
    return [pair for pair in values if not callable(pair[1])] + list(map(const, code.co_consts))

classes = {id(one): one for module in list(sys.modules.values()) for one in list(vars(module).values())
           if isinstance(one, type) and "__dataclass_fields__" in vars(one)}
for one in sorted(classes.values(), key=lambda one: (one.__module__, one.__qualname__)):
    for name, function in sorted(vars(one).items()):
        if isinstance(function, types.FunctionType) and function.__code__.co_filename == "<string>":
            print(one.__module__, one.__qualname__, name, parts(function.__code__))
"""


def code_of_dataclasses() -> None:
    root = WORK / "made"
    (root / "__pycache__").mkdir(parents=True)

    def methods(*arguments: object) -> str:
        command = [sys.executable, "-c", METHODS, *map(str, arguments)]
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout

    theirs = methods()
    same("whether there are many", theirs.count("\n") > 50, True)
    same("the code that is made", methods(root), theirs)
    [kept] = (root / "__pycache__").iterdir()
    before = kept.stat().st_mtime_ns
    same("the code that is kept", methods(root), theirs)
    same("whether it was read", kept.stat().st_mtime_ns, before)
    whole = kept.read_bytes()
    for what, data in (
        ("cut", whole[: len(whole) // 2]),
        ("of another form", b"1234" + whole[4:]),
        ("damaged", whole[:-9] + bytes(9)),
        ("nothing", b""),
    ):
        kept.write_bytes(data)
        same(f"the code where what is kept is {what}", methods(root), theirs)
        same(f"whether it is whole after it was {what}", kept.stat().st_size, len(whole))
    same("the code without a place for it", methods(root / "missing"), theirs)


# What a session has left, in a process like those of which the host has frozen what it has imported.
ENDS = """
import gc, sys
import pytest
from rpytest_worker import controller, ending, pytest_compat
pytest_compat.preload()
gc.freeze()
pytest.main(["-q", "-p", "no:cacheprovider", sys.argv[1]])
gc.unfreeze()
print("\\nnoticed:", ending.Ending(before=False).noticed())
"""


def ends() -> None:
    test = WORK / "test_end.py"
    finaliser = "class Kept:\n    def __del__(self): pass\nkept = Kept()\n"
    for kept, expected in (
        ("", "None"),
        (finaliser, "test_end.Kept has a finaliser"),
        ("kept = open('written', 'wb', buffering=0)\n", "a _io.FileIO is open"),
        ("import io\nclass Kept(io.StringIO): pass\nkept = Kept()\n", "None"),
        ("import io\nclass Kept(io.RawIOBase):\n    def writable(self): return True\nkept = Kept()\n",
         "it cannot be told, for io.UnsupportedOperation"),
        ("import gzip\nkept = gzip.GzipFile.__new__(gzip.GzipFile)\n", "it cannot be told, for builtins.AttributeError"),
        ("import weakref\nclass Kept: pass\nkept = Kept()\nproxy = weakref.proxy(kept, print)\n",
         "a weak reference has a callback, a builtins.builtin_function_or_method"),
        ("import _ctypes, ctypes\nkept = ctypes.CDLL(_ctypes.__file__)\n", "a library that is not Python's is loaded"),
    ):  # fmt: skip
        test.write_text(f"{kept}def test(): pass\n")
        command = [sys.executable, "-c", ENDS, str(test)]
        shown = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
        same(
            f"what would be noticed of {kept!r}", shown.rpartition("noticed: ")[2].strip(), expected
        )


def versions_of_libraries() -> None:
    """Of a module in C it is known what was read, and not what a later version does."""
    directory = WORK / "libraries"
    information = directory / "ujson-1.dist-info"
    information.mkdir(parents=True)
    sys.path.insert(0, str(directory))
    for version, expected in (("6.1.0", True), ("6.1.9", True), ("5.7.0", True), ("6.2.0", False), ("7.0", False)):
        (information / "METADATA").write_text(f"Name: ujson\nVersion: {version}\n")
        known = known_endings.is_known_module("ujson", str(directory / "ujson.so"))
        same(f"whether ujson {version} is known", known, expected)
    sys.path.remove(str(directory))
    others = ("numpy._core._multiarray_tests", "lxml.etree", "ujson2")
    for name in others:
        same(f"whether {name} is known", known_endings.is_known_module(name, "/a/module.so"), False)
    for name, expected in ((None, True), ("libc.so.6", True), ("/tmp/libc.so.6", False), ("libz.so.1", False)):
        same(f"whether {name} is known", known_endings.is_known_library(name), expected)


# What is there before a host's first fork, by what is known of the modules, and when all is looked at.
STARTS = """
import sys
from rpytest_worker import entry, ending, pytest_compat
pytest_compat.preload()
entry.prepare_all_parts()
found = ending.Ending(before=False)
try:
    found.look()
    reason = found.looked_at[0]
except RuntimeError:
    reason = "odd"
ending.START.look()
print("noticed:", reason, ending.START.reason, bool(ending.START.kinds))
"""


def starts() -> None:
    directory = WORK / "site"
    directory.mkdir()
    module = directory / "sitecustomize.py"
    finaliser = "class Kept:\n    def __del__(self): pass\nkept = Kept()\n"
    odd = "class Meta(type):\n    def __getattr__(cls, name): raise RuntimeError\n"
    odd += "class Kept(metaclass=Meta): pass\nkept = Kept()\n"
    reason = "sitecustomize.Kept has a finaliser"
    for text, expected in (
        (None, "None None False"),
        (finaliser, f"{reason} {reason} True"),
        (odd, "odd it cannot be told, for builtins.RuntimeError False"),
    ):
        if text is not None:
            module.write_text(text)
        path = os.pathsep.join([str(directory), *filter(None, [os.environ.get("PYTHONPATH")])])
        shown = subprocess.run(
            [sys.executable, "-c", STARTS],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        ).stdout
        same(f"what would be noticed of a start with {text!r}", shown, f"noticed: {expected}\n")


# The end of an interpreter that is interrupted while it waits for threads: its own, or ours.
SHUTDOWN = """
import sys, threading

class Stops(KeyboardInterrupt): pass

def stops():
    raise Stops("now")

threading._shutdown = stops
if sys.argv[1:]:
    import os
    from rpytest_worker import afterfork
    afterfork.run_exit_functions()
    os._exit(0)
"""


def errors_of_the_end() -> None:
    script = WORK / "shutdown.py"
    for error in (
        "class Stops(KeyboardInterrupt): pass",
        "from socket import timeout as Stops",
        "Stops = SystemExit",
    ):
        script.write_text(SHUTDOWN.replace("class Stops(KeyboardInterrupt): pass", error))

        def shown(*arguments: str) -> tuple[int, str]:
            run = subprocess.run(
                [sys.executable, str(script), *arguments], stderr=subprocess.PIPE, text=True
            )
            return run.returncode, run.stderr

        theirs = shown()
        same(f"what is shown of it: {error}", shown("ours"), theirs)
        same(f"whether something is: {error}", "Exception ignored" in theirs[1], True)


def main() -> None:
    os.chdir(WORK)
    same("whether the user wants pytest alone", pytest_compat.is_genuine(), False)
    same("what is not known", known_code.unknown(known_code.IMPORTS), None)
    packages()
    what_is_rewritten()
    directories_for_bytecode()
    bytecode()
    hooks_of_plugins()
    fixtures_of_plugins()
    modules_of_directories()
    code_of_dataclasses()
    starts()
    ends()
    versions_of_libraries()
    errors_of_the_end()


if __name__ == "__main__":
    main()
