"""What the items of one module or class have in common: marks, keywords, and whose hooks they have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import _pytest.nodes
import pytest

from . import reruns, timeouts
from .item_marks import OF_SKIPPING, XFAIL, is_settled


class Parent:
    """What the items of one collector have in common, for as long as it stays as it is."""

    __slots__ = (
        "again", "asks_nothing", "calls", "conftests", "containers", "depth", "filters",
        "has_verdict", "hook", "keywords", "length", "node", "plain", "prefix", "refused", "times",
    )  # fmt: skip

    node: Any
    # Where marks and keywords of the collector and of those above it are, and how many there are.
    containers: list[Any]
    length: int
    keywords: dict[str, int]
    # Whether there is a mark of `skipping`, one `filterwarnings`, one `timeout`, one `flaky`, and
    # which is for pytest.
    has_verdict: bool
    again: bool
    times: bool
    filters: bool
    refused: str | None
    # Whether there is none of these.
    asks_nothing: bool
    depth: int
    # What stands before a function's name in `Item.location`.
    prefix: str
    hook: Any
    conftests: int
    # What to call in each phase, and whether that is pytest's alone.
    calls: dict[str, list[tuple[Callable[..., object], tuple[str, ...]]]]
    plain: bool


class Parents:
    """Of one session: what is known of each collector, looked at again when it is not as it was."""

    def __init__(
        self,
        conftests: Collection[Any],
        implementations: Mapping[str, Sequence[Any]],
        own: Mapping[str, Any],
        refused: frozenset[str],
    ) -> None:
        """`implementations` are those of each phase, of which `own` is pytest's, if it is alone; a mark
        that is `refused` is for pytest."""
        self._conftests = conftests
        self._implementations = implementations
        self._own = own
        self._refused = refused
        self._knows_setup = (
            pytest.Function.teardown is _pytest.nodes.Node.teardown
            and "setup" in vars(pytest.Function)
        )
        self._known: dict[int, Parent] = {}

    def of(self, item: Any, node: Any) -> Parent:
        """That of an item, whose collector `node` is."""
        parent = self._known.get(id(node))
        if (
            parent is None
            or sum(map(len, parent.containers)) != parent.length
            or parent.conftests != len(self._conftests)
        ):
            parent = self._look_at(item, node)
        return parent

    def _look_at(self, item: Any, node: Any) -> Parent:
        parent = Parent()
        parent.node = node
        chain = node.listchain()
        parent.depth = len(chain)
        containers: list[Any] = []
        for one in chain:
            containers += (one.own_markers, one.keywords._markers)
        parent.containers = containers
        parent.length = sum(map(len, containers))
        parent.keywords = dict.fromkeys(node.keywords, 1)
        marks = list(node.iter_markers())
        names = {mark.name for mark in marks}
        parent.has_verdict = not names.isdisjoint(OF_SKIPPING)
        parent.refused = next(iter(names & self._refused), None)
        if not all(is_settled(mark) for mark in marks if mark.name == XFAIL):
            parent.refused = XFAIL
        parent.filters = "filterwarnings" in names
        parent.times = timeouts.MARK in names
        parent.again = reruns.MARK in names
        parent.asks_nothing = parent.refused is None and not (
            parent.has_verdict or parent.filters or parent.times or parent.again
        )
        path = "" if isinstance(node, pytest.Module) else node.getmodpath()
        parent.prefix = path and f"{path}."
        parent.hook = item.ihook
        parent.conftests = len(self._conftests)
        # A conftest is in force below its directory; elsewhere its hooks are left out.
        removed = getattr(parent.hook, "remove_mods", ())
        parent.calls = {
            when: [
                (implementation.function, implementation.argnames)
                for implementation in implementations
                if implementation.plugin not in removed
            ]
            for when, implementations in self._implementations.items()
        }
        parent.plain = self._knows_setup and all(
            [function for function, _ in calls] == [self._own[when]]
            for when, calls in parent.calls.items()
        )
        self._known[id(node)] = parent
        return parent
