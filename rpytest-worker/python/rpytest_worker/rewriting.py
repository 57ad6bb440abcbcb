"""Code with rewritten assertions, kept by the content of its source.

pytest keeps it beside the source, by its date: a new checkout, another branch, or a container that
writes no bytecode has it made again, which is most of what a first collection takes. Here it is kept
in a directory of the user's as well, for each content of a source, Python, and pytest. What is kept is
what pytest's own rewriter has made; where its making came with a warning it is not kept, so that the
warning comes each time that it would.

pytest asks its own bytecode first. Where there is none, and nothing here either, its rewriter is
called here, with a faster walk (`_walking`), and what it makes is kept. Whatever goes wrong
with that happens once more in pytest, which says so.
"""

from __future__ import annotations

import ast
import bisect
import contextlib
import fnmatch
import gc
import importlib.util
import itertools
import marshal
import os
import re
import signal
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import _pytest.assertion.rewrite as rewrite
import pytest

from . import host, kept_code, known_code, pytest_compat

if TYPE_CHECKING:
    from .channel import Channel
    from .entry import Process

# How old an entry's date may be before it is set anew: the oldest ones are deleted first.
_FRESH_SECONDS: Final = 24 * 3600
# After so many modules that had to be rewritten, others are asked to help.
_MANY: Final = 4

_open, _read, _close, _fstat, _utime = os.open, os.read, os.close, os.fstat, os.utime


class Store:
    """A directory of code objects. Any number of processes may use it at once."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def _path(self, key: bytes) -> str:
        name = key.hex()
        return os.path.join(self.directory, name[:2], name[2:])

    def get(self, key: bytes, filename: str) -> types.CodeType | None:
        """The code, as if it had been made of that file."""
        try:
            fd = _open(self._path(key), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            return None
        try:
            status = _fstat(fd)
            data = _read(fd, status.st_size)
            if time.time() - status.st_mtime > _FRESH_SECONDS:
                with contextlib.suppress(OSError):
                    _utime(self._path(key))
        except OSError:
            return None
        finally:
            _close(fd)
        code = kept_code.load(data)
        return _at(filename, code) if isinstance(code, types.CodeType) else None

    def put(self, key: bytes, code: types.CodeType) -> None:
        kept_code.write(self._path(key), code)


def _content(path: str) -> bytes:
    fd = _open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        data = _read(fd, _fstat(fd).st_size + 1)
    finally:
        _close(fd)
    return data


def _at(filename: str, code: types.CodeType) -> types.CodeType:
    """The same code in another file, as the import system does it for bytecode that was moved."""
    if code.co_filename == filename:
        return code
    consts = tuple(
        _at(filename, const) if isinstance(const, types.CodeType) else const
        for const in code.co_consts
    )
    return code.replace(co_filename=filename, co_consts=consts)


class Rewriting:
    """Stands for `_read_pyc` of pytest, which is asked for each module that may have assertions."""

    def __init__(self, directory: str) -> None:
        self.store = Store(directory)
        self._genuine = rewrite._read_pyc
        self._is_by_content = _BY_CONTENT.get(known_code.digest("assertion.rewrite:_read_pyc"))
        self._salts: dict[bool, bytes] = {}
        self._rewriter = dict(vars(rewrite.AssertionRewriter))
        self._rewrite_asserts = rewrite.rewrite_asserts
        # Which way to walk faster is right for this version; `None` before it is known.
        self.walk: str | None = None
        # How many modules were kept, and how many had to be made.
        self.kept = self.made = 0
        # Called once when there are many to be made.
        self.when_many: Callable[[pytest.Session], None] | None = None

    def __call__(
        self, source: Path, pyc: Path, trace: Callable[[str], None] = lambda _: None
    ) -> types.CodeType | None:
        code = self._read(source, pyc) or self._genuine(source, pyc, trace)
        if code is None:
            hook = sys._getframe(1).f_locals.get("self")
            if isinstance(hook, rewrite.AssertionRewritingHook):
                with contextlib.suppress(Exception):
                    code = self._find(hook, source, pyc)
        return code

    def _read(self, source: Path, pyc: Path) -> types.CodeType | None:
        """What pytest's own function makes of a file of bytecode, if it is of use; with fewer calls."""
        if self._is_by_content is None:
            return None
        filename = str(source)
        try:
            data = _content(str(pyc))
            if data[:8] != _PYC_HEADS[self._is_by_content]:
                return None
            if self._is_by_content:
                known = importlib.util.source_hash(_content(filename))[:8]
            else:
                status = os.stat(filename)
                words = int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF
                known = b"".join(word.to_bytes(4, "little") for word in words)
            if data[8:16] != known:
                return None
            code = marshal.loads(memoryview(data)[16:])
        except Exception:
            return None  # it is pytest's to say what is wrong
        if not isinstance(code, types.CodeType):
            return None
        fix = getattr(rewrite, "_fix_code_filename", None)  # since pytest 9.2
        return code if fix is None or code.co_filename == filename else fix(code, filename)

    def _find(self, hook: Any, source: Path, pyc: Path) -> types.CodeType | None:
        filename = str(source)
        # What pytest compares with is what there was before it was read.
        stamp = _STAMP(source)
        text = source.read_bytes()
        code = self.code(text, filename, hook.config)
        if code is None:
            return None
        if not sys.dont_write_bytecode:
            hook._writing_pyc = True
            try:
                rewrite._write_pyc(
                    hook.config.stash[rewrite.assertstate_key],
                    code,
                    stamp or importlib.util.source_hash(text),
                    pyc,
                )
            finally:
                hook._writing_pyc = False
        if self.made == _MANY and self.when_many is not None and hook.session is not None:
            when_many, self.when_many = self.when_many, None
            when_many(hook.session)
        return code

    def code(self, text: bytes, filename: str, config: Any) -> types.CodeType | None:
        """What pytest's rewriter makes of a source; `None` where it would warn, or is another's."""
        if (
            rewrite.rewrite_asserts is not self._rewrite_asserts
            or dict(vars(rewrite.AssertionRewriter)) != self._rewriter
        ):
            return None
        key = kept_code.digest(self._salt(bool(config.getini(_PASS_HOOK))), text, size=20)
        code = self.store.get(key, filename)
        if code is not None:
            self.kept += 1
            return code
        self.made += 1
        with _without_collection(), _warnings_as_errors(filename):
            code = self._make(text, filename, config)
        self.store.put(key, code)
        return code

    def _make(self, text: bytes, filename: str, config: Any) -> types.CodeType:
        if self.walk is None:
            self.walk = _known_walk(config)
        with _walking(self.walk, text):
            tree = _rewritten(text, filename, config)
        return compile(tree, filename, "exec", dont_inherit=True)

    def _salt(self, has_pass_hook: bool) -> bytes:
        """All that the code depends on beside the source."""
        if has_pass_hook not in self._salts:
            with open(str(rewrite.__file__), "rb") as file:
                rewriter = file.read()
            about = (
                sys.implementation.cache_tag,
                sys.version,
                pytest.__version__,
                sys.flags.optimize,
                sorted(sys._xoptions.items()),
                os.environ.get("PYTHONNODEBUGRANGES"),
                getattr(sys, "get_int_max_str_digits", lambda: 0)(),
                has_pass_hook,
            )
            self._salts[has_pass_hook] = kept_code.digest(
                importlib.util.MAGIC_NUMBER, repr(about).encode(), rewriter, size=32
            )
        return self._salts[has_pass_hook]


# Of pytest's `_read_pyc`, as it was read, whether it compares the content of the source.
_BY_CONTENT: Final = {"b0e2e2ee": False, "1e95ef51": True}
# What a file of bytecode begins with then.
_PYC_HEADS: Final = {
    by_content: importlib.util.MAGIC_NUMBER + flags.to_bytes(4, "little")
    for by_content, flags in ((False, 0), (True, 3))
}
_PASS_HOOK: Final = "enable_assertion_pass_hook"


def _rewritten(text: bytes, filename: str, config: Any) -> ast.Module:
    tree = ast.parse(text, filename=filename)
    rewrite.rewrite_asserts(tree, text, filename, config)
    return tree


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """A syntax tree is many objects at once, and none of them is garbage."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def _warnings_as_errors(filename: str) -> Iterator[None]:
    """Have every warning about a file raised.

    `warnings.catch_warnings` would also make the interpreter forget which warnings it has shown.
    """
    if getattr(sys.flags, "context_aware_warnings", False):
        raise RuntimeError("there may be other filters before those")
    module = re.compile(re.escape(filename.removesuffix(".py")) + r"(\.py)?\Z")
    entry: Any = ("error", None, Warning, module, 0)
    filters: Any = warnings.filters
    filters.insert(0, entry)
    try:
        yield
    finally:
        for index, other in enumerate(filters):
            if other is entry:
                del filters[index]
                break


# ------------------------------------------------------------------ a faster walk


# What the rewriter does with the nodes that it has made: those that have no place in the source are
# given the assertion's, or all are, as up to pytest 8.0; or nobody knows.
_PLACES_THE_NEW, _PLACES_ALL, _UNKNOWN = "new", "all", "unknown"


@contextlib.contextmanager
def _walking(walk: str, text: bytes) -> Iterator[None]:
    """Have the rewriter look at less, to the same end: where it looks for assertions, and where it
    looks for what it has made."""
    if walk == _UNKNOWN:
        yield
        return
    lines = text.splitlines()
    asserting = [number for number, line in enumerate(lines, 1) if b"assert" in line]
    # In an encoding of which nobody knows what it makes of a word.
    is_known = not any(b"coding" in line for line in lines[:2])

    def iter_fields(node: ast.AST) -> Iterable[tuple[str, Any]]:
        last = getattr(node, "end_lineno", None)
        if is_known and last is not None:
            first = bisect.bisect_left(asserting, node.lineno)  # type: ignore[attr-defined]
            if first == len(asserting) or asserting[first] > last:
                return ()
        return ast.iter_fields(node)

    rewriter: Any = rewrite.AssertionRewriter
    visit_assert = rewriter.visit_Assert
    place = 0, 0, 0, 0

    def visit(self: Any, assert_: ast.Assert) -> Any:
        nonlocal place
        place = assert_.lineno, assert_.col_offset, assert_.end_lineno, assert_.end_col_offset  # type: ignore[assignment]
        return visit_assert(self, assert_)

    module: Any = rewrite
    genuine = module.traverse_node, module.ast
    shadow = types.ModuleType("ast")
    vars(shadow).update(vars(ast), iter_fields=iter_fields)
    module.traverse_node = lambda node: _put(node, walk == _PLACES_ALL, place)
    module.ast, rewriter.visit_Assert = shadow, visit
    try:
        yield
    finally:
        module.traverse_node, module.ast = genuine
        rewriter.visit_Assert = visit_assert


def _put(node: Any, moves: bool, place: tuple[int, int, int, int]) -> tuple[()]:
    """Do what is done with all that `traverse_node` finds: what might have a place in the source and
    has none is given one, or with `moves` another one. Nothing is left to be done."""
    line, column, end_line, end_column = place
    waiting = [node]
    push, pop = waiting.append, waiting.pop
    while waiting:
        node = pop()
        try:
            children = _CHILDREN[node.__class__]
        except KeyError:
            children = _CHILDREN[node.__class__] = _children(node.__class__)
        if children is None:
            continue
        if (moves or getattr(node, "lineno", None) is None) and "lineno" in node._attributes:
            node.lineno, node.col_offset = line, column
            node.end_lineno, node.end_col_offset = end_line, end_column
        for name in children:
            value = getattr(node, name, None)
            if value.__class__ is list:
                for one in value:
                    if isinstance(one, ast.AST):
                        push(one)
            elif isinstance(value, ast.AST):
                push(value)
    return ()


# The fields that may have nodes; `None` for a class without any, and without a place.
_CHILDREN: Final[dict[type, tuple[str, ...] | None]] = {}
_OF_TEXT: Final = {"id", "attr", "arg", "asname", "ctx", "op", "ops", "kind", "conversion"}


def _children(of: Any) -> tuple[str, ...] | None:
    if not of._fields and "lineno" not in of._attributes:
        return None
    if of is ast.Constant:
        return ()
    return tuple(name for name in of._fields if name not in _OF_TEXT)


_SAMPLE: Final = b"""
import os
async def one(a, *b, c=1, **d):
    assert a, f"{b!r:>{c}}"
    assert not (a and b or c) and d[a:b] == {**d, a: [x for x in b if x]} , "message"
    assert await a(*b, c=d).e < (y := c) <= 3 != -y
    assert all(x is not None for x in b)
class Two:
    def three(self):
        if self:
            with self as other:
                assert self in other, lambda: self
        assert (lambda q=self: q)(), "%s" % (self,)
"""


def _known_walk(config: Any) -> str:
    """The one by which the rewriter makes of a sample what it makes without."""
    trees = {}
    for walk in (_UNKNOWN, _PLACES_THE_NEW, _PLACES_ALL):
        with _walking(walk, _SAMPLE):
            tree = _rewritten(_SAMPLE, "<sample>", config)
        trees[walk] = ast.dump(tree, include_attributes=True)
    known = (walk for walk, tree in trees.items() if tree == trees[_UNKNOWN])
    return max(known, key=lambda walk: walk != _UNKNOWN)


# ------------------------------------------------------------------ where it is used


def _of_status(source: Path) -> Any:
    return os.stat(source)


def _of_content(_: Path) -> Any:
    return None


_STAMP: Callable[[Path], Any] = _of_status

_rewriting: Rewriting | None = None
_refusal: str | None = None


def install(directory: str) -> None:
    """Use a directory, which nobody else can write to, from here on."""
    global _rewriting, _refusal, _STAMP
    if pytest_compat.is_genuine():
        return
    try:
        _STAMP = _stamp_of_this_version()
        _rewriting = Rewriting(directory)
    except (AttributeError, TypeError, LookupError) as error:
        _refusal = f"pytest {pytest.__version__} is not known: {error}"
        return
    rewrite._read_pyc = _rewriting


def _stamp_of_this_version() -> Callable[[Path], Any]:
    """What bytecode is compared with: a digest of the source since pytest 9.2, before that its date.

    That all else is as it is known to be is looked at here.
    """
    for function, arguments in (
        (rewrite._read_pyc, ("source", "pyc", "trace")),
        (rewrite._rewrite_test, ("fn", "config")),
        (rewrite.rewrite_asserts, ("mod", "source", "module_path", "config")),
        (rewrite.traverse_node, ("node",)),
    ):
        code = function.__code__
        if code.co_varnames[: code.co_argcount] != arguments:
            raise AttributeError(f"{function.__name__} takes {code.co_varnames}")
    written = rewrite._write_pyc.__code__
    third = written.co_varnames[: written.co_argcount][2:3]
    called = rewrite._rewrite_test.__code__.co_names
    if third == ("source_hash",) and "source_hash" in called:
        return _of_content
    if third == ("source_stat",) and "stat" in called:
        return _of_status
    raise AttributeError(f"_write_pyc takes {third}")


def directory() -> str | None:
    return None if _rewriting is None else _rewriting.store.directory


def watch(channel: Callable[[], Channel | None]) -> None:
    """Ask for help when there is much to be made, if there is anybody to ask."""
    if _rewriting is None:
        return

    def ask(session: pytest.Session) -> None:
        config = session.config
        asked = channel()
        if asked is None:
            return
        asked.send(
            {
                "type": "rewriting",
                "sources": {
                    "paths": [os.fsencode(path) for path in pytest_compat.initial_paths(session)],
                    "patterns": list(config.getini("python_files")),
                    "skipped": list(config.getini("norecursedirs")),
                    "pass_hook": bool(config.getini(_PASS_HOOK)),
                },
            }
        )

    _rewriting.when_many = ask


def report() -> list[dict[str, Any]]:
    """What came of it, for `--explain`."""
    kept = made = 0
    if _rewriting is not None:
        kept, made = _rewriting.kept, _rewriting.made
        _rewriting.when_many = None
        _rewriting.kept = _rewriting.made = 0
    if kept or made or _refusal is not None:
        return [{"type": "rewritten", "kept": kept, "made": made, "refusal": _refusal}]
    return []


# ------------------------------------------------------------------ helping


class _Config:
    """All that the rewriter asks a configuration for."""

    def __init__(self, pass_hook: bool) -> None:
        self._pass_hook = pass_hook

    def getini(self, name: str) -> bool:
        if name != _PASS_HOOK:
            raise LookupError(name)
        return self._pass_hook


def help_with(process: Process, message: dict[str, Any]) -> NoReturn:
    """Fill the store with what a session will ask for, from its end backwards: it begins at the other.

    It is a guess which files these are. One too many is kept for nothing, and one that is missing is
    made by the session. An interrupt ends it, and there is nothing to say about that.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    host.hear_interrupts()
    rewriting, sources = _rewriting, message["sources"]
    paths = [os.fsdecode(path) for path in sources["paths"]]
    files = sorted(set(_files(paths, sources["patterns"], sources["skipped"])), reverse=True)
    config = _Config(sources["pass_hook"])
    for path in itertools.islice(files, message["share"], None, message["of"]):
        if rewriting is None:
            break
        source = Path(path)
        with contextlib.suppress(Exception):
            pyc = rewrite.get_cache_dir(source) / (source.name[:-3] + rewrite.PYC_TAIL)
            if rewriting._genuine(source, pyc) is None:
                rewriting.code(source.read_bytes(), path, config)
    process.close()
    os._exit(0)


def _files(paths: Iterable[str], patterns: list[str], skipped: list[str]) -> Iterator[str]:
    def matches(name: str, globs: list[str]) -> bool:
        return any(fnmatch.fnmatch(name, glob) for glob in globs)

    for path in paths:
        if path.endswith(".py"):
            yield path
        for directory, directories, names in os.walk(path):
            directories[:] = [name for name in directories if not matches(name, skipped)]
            for name in names:
                if name.endswith(".py") and (name == "conftest.py" or matches(name, patterns)):
                    yield os.path.join(directory, name)
