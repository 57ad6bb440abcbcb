"""The collected items as the supervisor knows them: by node id and occurrence, with a scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest

from . import wire

Key = tuple[str, int]


def wire_nodeid(nodeid: str) -> str:
    """A node id that can travel as UTF-8: file names need not be."""
    try:
        nodeid.encode()
    except UnicodeEncodeError:
        return nodeid.encode(errors="backslashreplace").decode()
    return nodeid


def keys(items: Sequence[pytest.Item]) -> Iterator[Key]:
    """An address for each item. Suites do repeat node ids."""
    seen: dict[str, int] = {}
    for item in items:
        nodeid = wire_nodeid(item.nodeid)
        nth = seen.get(nodeid, 0)
        seen[nodeid] = nth + 1
        yield nodeid, nth


def entries(items: Sequence[pytest.Item], addresses: Iterable[Key], dist: str) -> wire.Packed:
    """What a message `inventory` says of each.

    Nothing is kept of it: what thousands of small objects cost is that garbage is searched for.
    """
    return wire.packed_items(
        len(items),
        (
            (nodeid, nth, _scope(item, nodeid, dist))
            for item, (nodeid, nth) in zip(items, addresses, strict=True)
        ),
    )


def _scope(item: pytest.Item, nodeid: str, dist: str) -> str:
    """What xdist's mode of this name groups by; a file where a mode does not group."""
    if dist == "loadscope":
        return nodeid.rsplit("::", 1)[0]
    if dist == "loadgroup":
        names = {
            str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))
            for mark in item.iter_markers("xdist_group")
        }
        return "@" + "_".join(sorted(names)) if names else nodeid
    return nodeid.partition("::")[0]
