"""The phases of items that pass, one after the other, without a look at what could be different.

Here stands what most items need: a function is called, with fixtures or without, between two others of
the same collector. Where a phase has something to tell, or may have, it is the last one here, and the
rest is for whoever asked (`short_protocol`).

Private names of pytest's `SetupState` are touched here; `known_code` knows in which form they were
read.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, time
from typing import Any, Final, NamedTuple

import pytest

from . import call_sites, frames, pytest_compat
from .costs import SharedFixtures
from .item_calls import ItemCalls
from .item_output import ItemOutput
from .item_parents import Parent
from .item_skips import SkipMarks
from .pytest_names import tmppath_result_key
from .uneventful import Phase, Uneventful

_RESULT: Final = tmppath_result_key


class Ended(NamedTuple):
    """A phase that has run, and of which it has still to be found out what is to be told."""

    error: BaseException | None
    returned: object
    phase: Phase
    # How many marks and keywords there were before the item.
    length: int
    # Which phases have passed, as the item's stash has it for `tmp_path`.
    result: dict[str, bool]
    # How many sections of output earlier phases have.
    sections: int = 0


class ShortPhases:
    """Of one session."""

    def __init__(
        self,
        session: pytest.Session,
        output: ItemOutput,
        calls: ItemCalls,
        shared: SharedFixtures,
        own: dict[str, Callable[..., object]],
        has_changed: Callable[[Any, Parent, int], bool],
    ) -> None:
        """`own` are pytest's implementations of the phases; `has_changed` says whether there are other
        plugins, or more or fewer marks and keywords than there were."""
        self._session = session
        self._output = output
        self._calls = calls
        self._shared = shared
        self._own = own
        self._has_changed = has_changed
        self._skip_marks = SkipMarks()
        self._site = call_sites.of_finalizers()
        # The collector of the last item, if all was found as it should be when that had ended.
        self.as_left: Parent | None = None

    # ---------------------------------------------------------------- what is set up

    def needs_no_setup(self, item: Any, parent: Parent) -> bool:
        """No fixture, and all collectors are set up: no code but pytest's takes part."""
        return not item.fixturenames and self.is_set_up(parent)

    def is_set_up(self, parent: Parent) -> bool:
        """Whether a collector is, and those above it, and nothing else."""
        stack = self._session._setupstate.stack
        if len(stack) != parent.depth or next(reversed(stack)) is not parent.node:
            return False
        for _, failed in stack.values():  # noqa: SIM110 - it is called for each item
            if failed:
                return False
        return True

    def needs_no_teardown(self, item: Any, nextitem: Any, parent: Parent) -> bool:
        """No finalizer, and the next item needs all collectors that this one does."""
        stack = self._session._setupstate.stack
        return (
            nextitem is not None
            and nextitem.parent is parent.node
            and len(stack) == parent.depth + 1
            and next(reversed(stack)) is item
            and len(stack[item][0]) == 1
        )

    # ---------------------------------------------------------------- the ways

    def alone(self, item: Any, run: Uneventful, parent: Parent, function: Any) -> Ended | None:
        """Nothing but its function is to be called, in all phases: the way of most items."""
        session, output, phases = self._session, self._output, run.phases
        stack = session._setupstate.stack
        keywords = item.keywords._markers
        length = parent.length + len(item.own_markers) + len(keywords)
        output.begin(None, "call")
        begun, started = time(), perf_counter()
        stack[item] = ([item.teardown], None)
        run.keywords = keywords_of(keywords, parent)
        # One phase ends where the next one begins.
        called, calling = time(), perf_counter()
        phases.append((calling - started, begun, called))
        error, returned = self._calls.invoke(item, run.nodeid, function, {})
        ended, ending = time(), perf_counter()
        phase = ending - calling, called, ended
        has_output = output.has_something_to_tell()
        stack = session._setupstate.stack
        last: Any = next(reversed(stack), None)
        if (
            error is not None
            or returned is not None
            or not output.is_in_place
            or run.is_told
            or item.user_properties
            or item._report_sections
            or session.shouldfail
            or session.shouldstop
            or self._has_changed(item, parent, length)
            or last is not item
            or len(stack[item][0]) != 1
            or (has_output and output.has_exceptions)
        ):
            return Ended(error, returned, phase, length, {"setup": True})
        if has_output:
            output.read_sections(item, "call")
            if item._report_sections:
                run.has_written()
        phases.append(phase)
        stack.popitem()
        if item._report_sections:
            run.has_written()
        phases.append((perf_counter() - ending, ended, time()))
        self.as_left = parent
        return None

    def one_by_one(
        self,
        item: Any,
        nextitem: Any,
        run: Uneventful,
        parent: Parent,
        function: Any,
        is_set_up: bool,
    ) -> Ended | None:
        """An item with fixtures, or one whose collectors are set up before it or torn down after it.

        Without a `function` it is for the item to run itself.
        """
        session, output, phases = self._session, self._output, run.phases
        storage = item.stash._storage
        keywords = item.keywords._markers
        length = parent.length + len(item.own_markers) + len(keywords)
        result: dict[str, bool] = {}

        output.begin(storage, "setup")
        begun, started = time(), perf_counter()
        error = self._set_up(item, run.nodeid, is_set_up)
        phase = perf_counter() - started, begun, time()
        self._shared.settle()
        if (
            error is not None
            # A fixture may have put something in its place.
            or (_has_raised(item) if function is None else item.obj is not function)
            or self._has_more_to_tell(item, run, parent, length, "setup", 0)
        ):
            return Ended(error, None, phase, length, result)
        sections = len(item._report_sections)
        phases.append(phase)
        run.keywords = keywords_of(keywords, parent)
        result["setup"] = True
        storage[_RESULT] = result

        returned = None
        if function is None:
            self._calls.begin()
            output.begin(storage, "call")
            begun, started = time(), perf_counter()
            error = self._by_pytest("call", item)
            self._calls.end()
            phase = perf_counter() - started, begun, time()
        else:
            output.begin(storage, "call")
            funcargs = item.funcargs
            arguments = {name: funcargs[name] for name in item._fixtureinfo.argnames}
            begun, started = time(), perf_counter()
            error, returned = self._calls.invoke(item, run.nodeid, function, arguments)
            phase = perf_counter() - started, begun, time()
            del arguments
        if (
            error is not None
            or returned is not None
            or (function is None and _has_raised(item))
            or session.shouldfail
            or session.shouldstop
            or self._has_more_to_tell(item, run, parent, length, "call", sections)
        ):
            return Ended(error, returned, phase, length, result, sections)
        sections = len(item._report_sections)
        phases.append(phase)
        result["call"] = True

        self._calls.begin_teardown()
        output.begin(storage, "teardown")
        begun, started = time(), perf_counter()
        error = self._tear_down(item, nextitem, run.nodeid, parent, function is None)
        phase = perf_counter() - started, begun, time()
        if (
            error is not None
            or (function is None and _has_raised(item))
            or self._has_more_to_tell(item, run, parent, length, "teardown", sections)
        ):
            return Ended(error, None, phase, length, result, sections)
        phases.append(phase)
        result["teardown"] = True
        output.forget_records(item)
        stack = session._setupstate.stack
        if len(stack) == parent.depth and next(reversed(stack)) is parent.node:
            self.as_left = parent
        return None

    def _has_more_to_tell(
        self,
        item: Any,
        run: Uneventful,
        parent: Parent,
        length: int,
        when: str,
        sections: int,
    ) -> bool:
        """Whether there is more to a phase than that it has passed, and what it has written."""
        output = self._output
        has_output = output.has_something_to_tell()
        if (
            run.is_told
            or item.user_properties
            or len(item._report_sections) != sections
            or self._has_changed(item, parent, length)
            or (has_output and output.has_exceptions)
        ):
            return True
        if has_output:
            output.read_sections(item, when)
        if item._report_sections:
            run.has_written()
        return False

    def skipped(
        self,
        item: Any,
        nextitem: Any,
        parent: Parent,
        run: Uneventful,
        error: BaseException | None,
        phase: Phase,
    ) -> bool:
        """Whether a mark has skipped an item, and nothing is to be torn down; then it has ended."""
        said = self._skip_marks.what_is_said(item, error)
        if (
            said is None
            or nextitem is None
            or nextitem.parent is not parent.node
            or item.user_properties
            or item._report_sections
        ):
            return False
        stack = self._session._setupstate.stack
        if len(stack) > parent.depth or list(stack) != parent.node.listchain()[: len(stack)]:
            return False
        run.keywords = keywords_of(item.keywords._markers, parent)
        begun, started = time(), perf_counter()
        run.phases += (phase, (perf_counter() - started, begun, time()))
        run.skipped = said
        return True

    # ---------------------------------------------------------------- setup and teardown

    def _set_up(self, item: Any, nodeid: str, is_set_up: bool) -> BaseException | None:
        if not is_set_up:
            return self._by_pytest("setup", item)
        self._calls.name(nodeid, "setup")
        stack = self._session._setupstate.stack
        error = _set_up_alone(item, stack)
        if error is None:
            return None
        # Now pytest's own is to fail in the same way: so the traceback has the frames that it would
        # have, and the stack what comes of it.
        finalizers, _ = stack.pop(item)

        def fail_again() -> None:
            stack[item][0].extend(finalizers[1:])
            raise error

        item.setup = fail_again
        try:
            return _without(fail_again, self._by_pytest("setup", item))
        finally:
            del item.setup

    def _tear_down(
        self, item: Any, nextitem: Any, nodeid: str, parent: Parent, by_item: bool
    ) -> BaseException | None:
        stack = self._session._setupstate.stack
        if (
            nextitem is None
            or nextitem.parent is not parent.node
            or len(stack) != parent.depth + 1
            or next(reversed(stack)) is not item
        ):
            return self._by_pytest("teardown", item, nextitem)
        self._calls.name(nodeid, "teardown")
        error = _tear_down_alone(item, stack, self._site, 0 if by_item else 1)
        if error is None:
            return None

        # As before; it goes on with the finalizers that are left.
        def fail_again() -> None:
            raise error

        stack[item][0].append(fail_again)
        return _without(fail_again, self._by_pytest("teardown", item, nextitem))

    @frames.keep_errors
    def _by_pytest(self, when: str, *arguments: Any) -> BaseException | None:
        self._calls.is_named_by_pytest()
        try:
            self._own[when](*arguments)
        except BaseException as raised:
            return frames.below(raised)
        return None


@frames.keep_errors
def _set_up_alone(item: Any, stack: dict[Any, Any]) -> BaseException | None:
    """What `SetupState.setup` does where all collectors are set up."""
    stack[item] = ([item.teardown], None)
    try:
        item.setup()
    except BaseException as raised:
        return frames.below(raised)
    return None


@frames.keep_errors
def _tear_down_alone(
    item: Any, stack: dict[Any, Any], site: call_sites.CallSite, kept: int
) -> BaseException | None:
    """What `SetupState.teardown_exact` does where all collectors stay, up to the first error.

    The first finalizer is that of the item itself, and is `kept` where it does nothing.
    """
    finalizers = stack.popitem()[1][0]
    while len(finalizers) > kept:
        finalizer = finalizers.pop()
        try:
            site.call(finalizer, None)
        except BaseException as raised:
            stack[item] = finalizers, None
            error = frames.below(raised)
            return error.with_traceback(site.below(error.__traceback__))
    return None


def _without(function: Callable[[], None], error: BaseException | None) -> BaseException | None:
    """An error without the frame of a function that has raised it again; as those that it groups."""
    if error is None:
        return None
    codes = frozenset({function.__code__})
    if isinstance(error, pytest_compat.BaseExceptionGroup):
        for one in error.exceptions:
            one.with_traceback(frames.without(codes, one.__traceback__))
    return error.with_traceback(frames.without(codes, error.__traceback__))


def _has_raised(item: Any) -> bool:
    """Whether a test of `unittest` has, which tells it by the item."""
    return bool(getattr(item, "_excinfo", None))


def keywords_of(own: dict[str, Any], parent: Parent) -> dict[str, int]:
    """As pytest's reports have them: the item's own come first."""
    keywords = dict.fromkeys(own, 1)
    keywords.update(parent.keywords)
    return keywords
