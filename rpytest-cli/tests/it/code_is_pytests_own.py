"""Compares the code that `rpytest_worker.rewriting` makes and keeps with pytest's, part by part, and the
places of statements that `rpytest_worker.short_tracebacks` finds with those that pytest does.

Arguments: a directory for the store, and directories with sources.
"""

import ast
import sys
import types
import warnings
from pathlib import Path

import _pytest.assertion.rewrite as rewrite
from _pytest._code.source import get_statement_startend2
from rpytest_worker import rewriting, short_tracebacks

# Derived from what is compared, or views of it.
DERIVED = {"co_consts", "co_lines", "co_positions", "co_branches", "co_lnotab"}

KINDS = b'''"""A docstring."""
from __future__ import annotations

import pytest

x = 1; assert x, "on one line"
assert x


@pytest.mark.parametrize("a", [1])
def test_decorated(a):
    """Has a docstring."""
    if a:
        assert a == 1 != 2 <= 3
    elif not a:
        assert not a
    else:
        pass
    for b in (1, 2):
        assert b in {1: 2, **{2: 3}} and (b or a), f"{b!r:>{a}}" % ()
    else:
        assert (b := a + 1) > a
    while a:
        assert a is not None is not ...
        a -= 1
    try:
        assert [y for y in (1, 2) if y] == [1, *(2,)]
    except* AssertionError as error:
        assert error.args[0]
    finally:
        assert -a == ~a + 1, (a, a)


def no_assertion(a, /, b, *, c=lambda: 1):
    class Inner:
        def method(self):
            return a[b:c]

    return Inner


class TestMethods:
    attribute = [lambda: 0]

    async def test_async(self):
        assert await self.thing(*self.attribute, **{"a": 1}).other[0](self)
        async with self as one, self as two:
            assert one @ two
        async for three in self:
            assert three

    def test_nested(self):
        def inner():
            nonlocal_value = 1
            assert nonlocal_value

        with self as one:
            match one:
                case {"a": [1, *rest]} if rest:
                    assert rest
                case _:
                    assert lambda: one


# assert in a comment, and "assert" in a string
TEXT = """
assert nothing
"""
'''


class Config:
    """What the rewriter asks for."""

    def __init__(self, pass_hook: bool) -> None:
        self.pass_hook = pass_hook

    def getini(self, name: str) -> bool:
        assert name == "enable_assertion_pass_hook"
        return self.pass_hook


def same(a: object, b: object) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, types.CodeType):
        names = {name for name in dir(a) if name.startswith("co_")} - DERIVED
        positions = getattr(types.CodeType, "co_positions", types.CodeType.co_lines)
        return (
            all(getattr(a, name) == getattr(b, name) for name in names)
            and list(positions(a)) == list(positions(b))
            and same(a.co_consts, b.co_consts)
        )
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b if isinstance(a, frozenset) else repr(a) == repr(b)


def same_statements(text: str) -> bool:
    tree = ast.parse(text)
    ours = short_tracebacks.ShortTracebacks()
    return not tree.body or all(
        ours._start_and_end(line, tree) == get_statement_startend2(line, tree)
        for line in range(0, text.count("\n") + 2, 1 if len(text) < 3000 else 53)
    )


def main() -> None:
    store, *directories = sys.argv[1:]
    kinds = KINDS if sys.version_info >= (3, 11) else KINDS.replace(b"except*", b"except")
    Path(store, "kinds.py").write_bytes(kinds)
    files = [Path(store, "kinds.py")]
    files += [file for name in directories for file in sorted(Path(name).rglob("*.py"))]
    rewriting.install(store)
    ours = rewriting._rewriting
    assert ours is not None, rewriting._refusal
    compared = 0
    for file in files:
        for pass_hook in (False, True):
            config = Config(pass_hook)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                _, genuine = rewrite._rewrite_test(file, config)
            text = file.read_bytes()
            assert pass_hook or same_statements(text.decode()), file
            for _ in ("made", "kept"):
                before = list(warnings.filters)
                try:
                    code = ours.code(text, str(file), config)
                except Warning:
                    assert caught, file
                except SyntaxError:  # a `SyntaxWarning` that is an error
                    assert caught, file
                else:
                    assert not caught, (file, [str(one.message) for one in caught])
                    assert same(genuine, code), file
                    compared += 1
                assert warnings.filters == before, file
            moved = ours.code(text, "/elsewhere.py", config) if not caught else genuine
            assert same(genuine, rewriting._at(str(file), moved)), file
    assert ours.walk in ("new", "all"), "the rewriter is not as it is known to be"
    assert ours.kept >= compared // 2 > 0, (ours.kept, ours.made, compared)
    print(compared, "compared")


main()
