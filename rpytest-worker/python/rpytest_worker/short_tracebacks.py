"""Reads the source of a file once for all tracebacks that lead through it.

To show a statement pytest parses its whole file and looks at every node of the tree, and does so again
for each test that fails. Here the trees of the last few files are kept, with the lines of statements.

Private names of pytest are touched here; `known_code` knows in which form they were read.
"""

from __future__ import annotations

import ast
import contextlib
import functools
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import _pytest._code.code
import _pytest._code.source

from . import known_code, pytest_compat

_code: Any = _pytest._code.code
_source: Any = _pytest._code.source

# A tree takes some hundred times the memory of its source.
_KEPT: Final = 8
# Where a tree keeps the lines of its statements.
_LINES: Final = "_rpytest_lines"


class ShortTracebacks:
    """Stands for parts of pytest's, from `begin` to `end`."""

    def __init__(self) -> None:
        self._undo = contextlib.ExitStack()
        self._trees: OrderedDict[str, ast.AST] = OrderedDict()
        self._genuine = _source.get_statement_startend2

    def begin(self) -> str | None:
        """Take their place; returns what of them is not known."""
        unknown = known_code.unknown(known_code.TRACEBACKS)
        if unknown is None:
            replace = functools.partial(pytest_compat.replace, self._undo)
            genuine = _code.getstatementrange_ast
            replace(_code, "getstatementrange_ast", self._range(genuine))
            replace(_source, "get_statement_startend2", self._start_and_end)
        return unknown

    def end(self) -> None:
        self._undo.close()
        self._trees.clear()

    def _range(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """Stands for `getstatementrange_ast`."""
        trees = self._trees

        def getstatementrange_ast(
            lineno: int, source: Any, assertion: bool = False, astnode: Any = None
        ) -> Any:
            if astnode is not None:
                return genuine(lineno, source, assertion, astnode)
            content = str(source)
            known = trees.get(content)
            found = genuine(lineno, source, assertion, known)
            if known is None:
                trees[content] = found[0]
                if len(trees) > _KEPT:
                    trees.popitem(last=False)
            else:
                trees.move_to_end(content)
            return found

        return getstatementrange_ast

    def _start_and_end(self, lineno: int, node: ast.AST) -> tuple[int, int | None]:
        """Stands for `get_statement_startend2`."""
        lines: list[int] | None = node.__dict__.get(_LINES)
        if lines is None:
            lines = node.__dict__[_LINES] = _lines_of_statements(node)
        at = bisect_right(lines, lineno)
        if at == 0:
            # What comes before the first is not the same in each version.
            before: tuple[int, int | None] = self._genuine(lineno, node)
            return before
        return lines[at - 1], lines[at] if at < len(lines) else None


def _lines_of_statements(tree: ast.AST) -> list[int]:
    """Where pytest takes statements to begin, counted from 0: at decorators, too, and a line before
    what follows an `else` or a `finally`."""
    lines = []
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                lines += [decorator.lineno - 1 for decorator in node.decorator_list]
            lines.append(node.lineno - 1)
        for name in _BODIES:
            body = getattr(node, name, None)
            if body.__class__ is list and body:
                nodes += body
                if name in _AFTER:
                    lines.append(body[0].lineno - 2)
    lines.sort()
    return lines


# Of all nodes only these have statements below them: none is below an expression.
_BODIES: Final = ("body", "handlers", "orelse", "finalbody", "cases")
_AFTER: Final = frozenset({"orelse", "finalbody"})
