"""A shorter `pytest_runtest_protocol`, for items for which it is known what pytest's own would do.

An item that passes and writes nothing spends nine tenths of its time in hook calls whose
implementations are pytest's own and come to nothing. Here the same functions of pytest's are called
without the plugin manager (fixtures, `runtest`, warnings, assertions, unraisable exceptions), capture
and log handlers stay in place from one phase to the next, and there are no report objects. A phase in
which no code but pytest's could run is not watched, and where a test function would be called by nobody
else, it is called here.

If a phase has something to tell, `item_reports` has it reported.

It is taken only where every implementation of the hooks that it skips is known (`known_hooks`), or is
one that can be called as the plugin manager would, which is looked at again for each item.
`ShortProtocol.when_equal` says what else must hold for a session, and `ShortProtocol.refusal` what
must hold for an item.

Private names of pytest are touched here and in the modules `item_…`; all are in `pytest_names`. It was
read in, and is tested against, pytest 8.0 to 9.2.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Callable
from time import perf_counter, time
from typing import Any, Final

import _pytest.python
import _pytest.runner
import _pytest.skipping
import pytest

from . import (
    call_sites,
    frames,
    hook_errors,
    known_code,
    known_hooks,
    pytest_compat,
    reruns,
    short_refusals,
    timeouts,
)
from .attempts import PLUGIN as ATTEMPTS
from .attempts import Attempts
from .costs import SharedFixtures
from .item_assertions import ItemAssertions
from .item_calls import ItemCalls
from .item_kinds import Kinds, has_no_attributes, plain_code
from .item_marks import OF_SKIPPING, XFAIL, is_settled
from .item_output import ItemOutput
from .item_parents import Parent, Parents
from .item_reports import ItemReports, StandIn, do_nothing
from .item_warnings import ItemWarnings
from .item_witnesses import ItemWitnesses
from .item_wrappers import Begun, ItemWrappers
from .known_hooks import PHASES
from .pytest_names import tmppath_result_key, xfailed_key
from .short_fixtures import ShortFixtures
from .short_phases import Ended, ShortPhases, keywords_of
from .short_tracebacks import ShortTracebacks
from .uncaught import Uncaught, queue_keys
from .uneventful import Phase, Uneventful

_ITEM: Final = ("item",)
_FUNCTION: Final = pytest.Function
_DOCTEST: Final = pytest.DoctestItem

# Hooks of which a caller with a terminal takes care itself (see `direct_delivery`).
_OF_REPORTS: Final = frozenset(
    {"pytest_runtest_logstart", "pytest_runtest_logreport", "pytest_runtest_logfinish"}
)


class ShortProtocol:
    """Runs items of one session."""

    @classmethod
    def when_equal(
        cls,
        session: pytest.Session,
        shared: SharedFixtures,
        before_telling: Callable[[], None] | None = None,
        *,
        tells_all: bool = False,
    ) -> ShortProtocol | str:
        """The protocol, or why it may not be used in this session.

        A caller that delivers the reports of items with nothing to tell itself has to do so
        `before_telling`: before hooks are called for another item. Where others listen, or make
        reports, it `tells_all`: those hooks are called for each item, each when pytest calls it.
        """
        config = session.config
        try:
            refusal = short_refusals.of_session(config, tells_all) or known_code.unknown(
                known_code.PROTOCOL
            )
            if refusal is not None:
                return refusal
            apart = _OF_REPORTS if before_telling else frozenset()
            if tells_all:
                apart = _OF_REPORTS | {"pytest_runtest_makereport"}
            found = known_hooks.implementations(config, apart)
            if isinstance(found, str):
                return found
            return cls(session, shared, found, before_telling or do_nothing, tells_all)
        except (AttributeError, LookupError, ValueError) as error:
            # A private name that this pytest lacks, or has in another way.
            return f"pytest {pytest.__version__} is not known: {error}"

    def __init__(
        self,
        session: pytest.Session,
        shared: SharedFixtures,
        known: known_hooks.Known,
        before_telling: Callable[[], None],
        tells_all: bool,
    ) -> None:
        config = session.config
        implementations = known.called
        self._session = session
        self._shared = shared
        self._before_telling = before_telling
        self._tells_all = tells_all
        # The phase of the item that runs, once there is more to tell than that it has passed.
        self._phase = "setup"
        capture, logs = map(config.pluginmanager.getplugin, ("capturemanager", "logging-plugin"))
        uncaught = Uncaught.of(known.catching)
        queues = [] if uncaught else [config.stash[key] for key in queue_keys(config)]
        self._output = ItemOutput(capture, logs, queues, uncaught)
        # The plugin manager's own lists, and what they held when the session started.
        names = (*known_hooks.KNOWN, "pytest_pyfunc_call")
        self._live = [getattr(config.hook, name)._hookimpls for name in names]
        self._known = [list(implementations) for implementations in self._live]
        self._conftests = config.pluginmanager._conftest_plugins
        self._wrappers = ItemWrappers(implementations["pytest_runtest_protocol"])
        self._warnings: ItemWarnings | None = None
        with contextlib.suppress(Exception):
            # A filter that cannot be parsed is pytest's to complain about.
            self._warnings = ItemWarnings.of(config)
        if not self._wrappers.has_warnings:
            self._warnings = None
        self._assertions = ItemAssertions.of() if self._wrappers.has_assertions else None
        of_phases = {when: implementations[f"pytest_runtest_{when}"] for when in PHASES}
        # Marks by which an item may end in another way than it would seem.
        self._refused = known.marks
        if config.pluginmanager.hasplugin("timeout"):
            self._refused |= {"timeout"}
        # Fixtures of plugins that do something about items that take them.
        self._refused_fixtures = known.fixtures
        # What to call before a test's function, which must have no attributes then.
        self._before = [one.function for one in implementations[known_hooks.BEFORE]]
        witnesses = ItemWitnesses(known.witnesses, lambda: self._running)
        asks = tells_all or bool(known.witnesses)
        self._reports = ItemReports(session, self._output, of_phases, self._end_phase, asks)
        found = config.pluginmanager.getplugin(timeouts.NAME)
        self._timeouts = found if isinstance(found, timeouts.Timeouts) else None
        # Of an item without a mark.
        self._always_timeout = self._timeouts.default if self._timeouts is not None else None
        self._calls = ItemCalls(self._before, self._timeouts)
        self._release = call_sites.of_release()
        self._skipping: Callable[[pytest.Item], None] | None = None
        if config.pluginmanager.hasplugin("skipping"):
            self._skipping = _pytest.skipping.pytest_runtest_setup
        # Whether pytest alone calls test functions, and gives items their location.
        self._calls_directly = [
            one.function for one in config.hook.pytest_pyfunc_call.get_hookimpls()
        ] == [_pytest.python.pytest_pyfunc_call]
        # Who runs an item again that has failed; and that for the item that runs, if that may be.
        self._attempts: Attempts | None = config.pluginmanager.getplugin(ATTEMPTS)
        self._again: Attempts | None = None
        wanted = self._attempts is not None and self._attempts.are_wanted
        self._always_again = self._attempts if wanted else None
        # Whether only marks ask for something that not all items need.
        self._asks_nothing = not (self._before or self._refused_fixtures) and (
            self._always_again is None and self._always_timeout is None
        )
        # Whether it is to be run again.
        self._fails = False
        self._running: Uneventful | None = None
        own = {when: self._reports.own[when].function for when in PHASES}
        self._phases = ShortPhases(
            session, self._output, self._calls, shared, own, self._has_changed
        )
        self._kinds = Kinds()
        self._parents = Parents(self._conftests, of_phases, own, self._refused)
        self._parent: Any = None
        self._has_verdict = self._filters = False
        # Whether the collector of the item that runs is as the last item has left it, so that nobody
        # else has been called before it.
        self._is_as_left = False
        self._places: dict[str, str] = {}
        self._root = os.path.join(config.rootpath, "")
        pytest.Stash()._storage  # noqa: B018
        pytest_compat.remember_hook_proxies(session)
        self._replacements = ShortFixtures(session, shared), ShortTracebacks(), witnesses
        # What of pytest's is not known, of which a part of it has been left to pytest.
        self.unknown = known_code.unknown(known_code.ASSERTIONS)
        for replacement in self._replacements:
            self.unknown = replacement.begin() or self.unknown

    # ---------------------------------------------------------------- what is known of an item

    def refusal(self, item: Any) -> str | None:
        """Why it is not known what pytest would do with an item; `None` if it is."""
        kind = item.__class__
        if kind is not _FUNCTION and not self._kinds.is_known(kind):
            return f"{item.nodeid} is a {kind.__name__}"
        node = item.parent
        phases = self._phases
        parent, phases.as_left = phases.as_left, None
        if parent is not None and parent.node is node and parent.conftests == len(self._conftests):
            self._is_as_left = True
            if parent.asks_nothing and self._asks_nothing and not item.own_markers:
                # As most are.
                self._parent, self._has_verdict, self._filters = parent, False, False
                self._again = None
                if self._calls.limit is not None:
                    self._calls.limit_to(None)
                return None
        else:
            self._is_as_left = False
            if self._live != self._known:
                return "a plugin has come or gone since the session started"
            parent = self._parents.of(item, node)
        if self._before and not has_no_attributes(item.obj):
            return f"{item.nodeid} may be of a plugin"
        refused, has_verdict, filters = parent.refused, parent.has_verdict, parent.filters
        times, again = parent.times, parent.again
        for mark in item.own_markers:
            name = mark.name
            if name in self._refused:
                refused = name
            elif name in OF_SKIPPING:
                has_verdict = True
                if name == XFAIL and not is_settled(mark):
                    refused = name
            elif name == "filterwarnings":
                filters = True
            elif name == timeouts.MARK:
                times = True
            elif name == reruns.MARK:
                again = True
        if has_verdict and self._skipping is None:
            refused = "skip"
        if refused is not None:
            return f"{item.nodeid} has a mark `{refused}`"
        if self._refused_fixtures and not self._refused_fixtures.isdisjoint(item.fixturenames):
            return f"{item.nodeid} takes a fixture of a plugin"
        self._parent, self._has_verdict, self._filters = parent, has_verdict, filters
        self._again = self._attempts if again else self._always_again
        if self._again is not None and self._tells_all:
            return f"{item.nodeid} may be run again"
        timeout = self._always_timeout
        if times and self._timeouts is not None:
            try:
                timeout = self._timeouts.of(item)
            except timeouts.BadMark as error:
                return f"the mark `timeout` of {item.nodeid}: {error}"
        self._calls.limit_to(timeout)
        return None

    def _locate(self, item: Any, code: types.CodeType | None, prefix: str) -> None:
        """Find out `Item.location`, which asks the disk for each item whether its file is there."""
        if code is None or "location" in item.__dict__:
            item.location  # noqa: B018
            return
        place = self._places.get(code.co_filename)
        if place is None:
            file = code.co_filename
            if str(item.path) != file or not file.startswith(self._root):
                self._places[file] = item.location[0]
                return
            # The path from the root directory on, for which pytest makes several objects.
            place = self._places[file] = file[len(self._root) :]
        item.__dict__["location"] = (place, code.co_firstlineno - 1, f"{prefix}{item.name}")

    # ---------------------------------------------------------------- running an item

    def run(self, item: Any, nextitem: pytest.Item | None) -> Uneventful | None:
        """Run an item for which `refusal` has just found no reason.

        Returns it if there was nothing to tell, and no hook has been called; else its hooks have been.
        """
        if not item._request:
            item._initrequest()
        parent = self._parent
        function = item.obj
        code = plain_code(function)
        if "location" not in item.__dict__:
            self._locate(item, code, parent.prefix)
        filters, assertions = self._warnings, self._assertions
        filtered = filters is not None and not self._filters and filters.enter()
        compared = False
        timed = self._timeouts
        if timed is not None:
            if self._calls.limit is not None or timed.is_used:
                timed.begin(self._calls.limit)
            else:
                timed = None
        begun: Begun = []
        passed: Uneventful | None = None
        try:
            compared = assertions is not None and assertions.enter(item, parent.hook)
            wrappers = self._wrappers.others[filtered, compared]
            if wrappers:
                self._wrappers.begin(item, begun, wrappers)
            passed = self._run(item, nextitem, parent, function, code)
            if self._fails and self._again is not None:
                self._again.go_on(item, nextitem)
            if passed is not None and not filtered and self._wrappers.has_warnings:
                # pytest's own wrapper tells of warnings next, if there are any.
                self.tell_all(passed)
                passed = None
            if begun:
                self._wrappers.end(begun)
        except BaseException as error:
            self.close()
            self._wrappers.throw(error, begun)
            raise
        finally:
            if timed is not None:
                timed.end(item)
            if compared:
                assert assertions is not None
                assertions.leave()
            if filtered:
                assert filters is not None
                warnings = filters.leave()
                if warnings and passed is not None:
                    # The terminal's reporter shows how far it is in another colour once it has heard
                    # of one.
                    self.tell_all(passed)
                    passed = None
                for warning in warnings:
                    parent.hook.pytest_warning_recorded.call_historic(
                        kwargs={
                            "warning_message": warning,
                            "nodeid": item.nodeid,
                            "when": "runtest",
                            "location": None,
                        }
                    )
        return passed

    def _run(
        self,
        item: Any,
        nextitem: Any,
        parent: Parent,
        function: Any,
        code: types.CodeType | None,
    ) -> Uneventful | None:
        run = self._running = Uneventful(item)
        again = self._again
        self._fails = False
        if again is not None:
            again.begun(item)
        left = None
        try:
            told = self._run_ways(item, nextitem, run, parent, function, code)
        except BaseException:
            self._tell(run)
            raise
        finally:
            self._reports.held = self._running = None
            if again is not None and not self._fails:
                again.release()
            item._request = False
            if item.funcargs:
                self._release(item)
                left = self._output.left()
            item.funcargs = None
        if left is not None:
            # What goes with the values of fixtures has written it, which is nobody's output.
            told = True
            self._tell(run)
            for stream, text in zip((sys.stdout, sys.stderr), left, strict=True):
                stream.write(text)
                stream.flush()
        if not told:
            return run
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return None

    def _run_ways(
        self,
        item: Any,
        nextitem: Any,
        run: Uneventful,
        parent: Parent,
        function: Any,
        code: types.CodeType | None,
    ) -> bool:
        """Whether hooks have been told of the item."""
        # Nobody has changed what the item does in a phase.
        plain = parent.plain and item.__dict__.keys().isdisjoint(_METHODS)
        quiet = plain and item.__class__ is _FUNCTION
        calls = quiet and code is not None and self._calls_directly
        ended = None
        if (calls or (plain and not self._before and item.__class__ is not _DOCTEST)) and not (
            self._has_verdict or self._tells_all or item.user_properties or item._report_sections
        ):
            phases = self._phases
            is_set_up = self._is_as_left or phases.is_set_up(parent)
            if not calls:
                ended = phases.one_by_one(item, nextitem, run, parent, None, is_set_up)
            elif (
                is_set_up
                and nextitem is not None
                and nextitem.parent is parent.node
                and not item.fixturenames
            ):
                ended = phases.alone(item, run, parent, function)
            else:
                ended = phases.one_by_one(item, nextitem, run, parent, function, is_set_up)
            if ended is None:
                return False
        return self._run_phases(item, nextitem, parent, run, quiet, calls, ended)

    @frames.keep_errors
    def _run_phases(
        self,
        item: Any,
        nextitem: Any,
        parent: Parent,
        run: Uneventful,
        quiet: bool,
        calls: bool,
        ended: Ended | None,
    ) -> bool:
        """Those that `run` does not have yet; `ended` is what has come of the first of them, if it has
        run. Whether hooks have been told of the item."""
        session, output, reports = self._session, self._output, self._reports
        own, keywords = item.own_markers, item.keywords._markers
        length = parent.length + len(own) + len(keywords)
        storage = item.stash._storage
        result: dict[str, bool] = {}
        # How many there are to show, of all phases.
        sections = 0
        if ended is not None:
            length, result, sections = ended.length, ended.result, ended.sections
        told = False
        again = self._again
        if ended is None and (self._tells_all or item._report_sections):
            told = True
            self._tell(run)
        for when in PHASES[len(run.phases) :]:
            self._phase = when
            stack = session._setupstate.stack
            error = returned = None
            direct = silent = False
            has_run = ended is not None
            if ended is not None:
                error, returned, phase = ended.error, ended.returned, ended.phase
                direct, ended = calls and when == "call", None
            elif when == "setup":
                silent = (
                    quiet and not self._has_verdict and self._phases.needs_no_setup(item, parent)
                )
                if silent:
                    begun, started = time(), perf_counter()
                    stack[item] = ([item.teardown], None)
                    if self._tells_all:
                        self._calls.name(item.nodeid, when)
                        output.show_live(when)
            elif when == "call":
                if not result["setup"]:
                    continue
                # A fixture may have put something else in its place.
                direct = has_run = calls and plain_code(item.obj) is not None
                if direct:
                    error, returned, phase = self._call(item, storage)
            else:
                if _stops(session):
                    nextitem = None
                silent = (
                    quiet
                    and output.is_in_place
                    and self._phases.needs_no_teardown(item, nextitem, parent)
                )
                self._calls.begin_teardown()
                if silent:
                    begun, started = time(), perf_counter()
                    stack.popitem()
                    self._calls.name(item.nodeid, when)
                    output.show_live(when)
            if not silent and not has_run:
                if when == "call":
                    self._calls.begin()
                output.begin(storage, when)
                begun, started = time(), perf_counter()
                try:
                    if when == "setup" and self._has_verdict:
                        assert self._skipping is not None
                        self._skipping(item)
                    elif when == "call" and self._before:
                        self._calls.prepare(item)
                    self._calls.is_named_by_pytest()
                    for function, argnames in parent.calls[when]:
                        if argnames == _ITEM:
                            function(item)
                        else:
                            known = {"item": item, "nextitem": nextitem}
                            function(*[known[name] for name in argnames])
                except BaseException as raised:
                    error = frames.below(raised)
                if when == "call":
                    self._calls.end()
            if not has_run:
                phase = perf_counter() - started, begun, time()
            if when == "setup":
                self._shared.settle()
            changed = expected = False
            if self._has_verdict and when == "call":
                expected = storage.get(xfailed_key) is not None
            if not silent:
                has_output = output.has_something_to_tell()
                changed = self._has_changed(item, parent, length)
                if run.is_told:
                    told = True
            if (
                told
                or changed
                or expected
                or error is not None
                or returned is not None
                or item.user_properties
                or len(item._report_sections) != sections
                or getattr(item, "_excinfo", None)
                or (not silent and has_output and output.has_exceptions)
            ):
                if (
                    self._has_verdict
                    and quiet
                    and when == "setup"
                    and again is None
                    and not (told or changed or has_output or silent)
                    and self._phases.skipped(item, nextitem, parent, run, error, phase)
                ):
                    storage[tmppath_result_key] = {"setup": False, "teardown": True}
                    output.forget_records(item)
                    return False
                if again is not None and reports.held is None:
                    reports.held = again.hold(item)
                if not told:
                    told = True
                    self._tell(run)
                if (
                    changed
                    or error is not None
                    or returned is not None
                    or output.has_exceptions
                    or getattr(item, "_excinfo", None)
                ):
                    if reports.is_shown_alike(item, error) and not (
                        changed or output.has_exceptions
                    ):
                        report = reports.raised(item, when, phase, error)
                    else:
                        stand_in = StandIn(item, error, returned) if direct else None
                        report = reports.by_pytest(item, nextitem, when, phase, error, stand_in)
                else:
                    report = reports.passed(item, when, phase, silent, expected)
                result[when] = report.passed
                storage[tmppath_result_key] = result
                if changed or self._live != self._known:
                    self._leave_to_pytest(item, nextitem, when, report)
                    break
            else:
                if not silent and has_output:
                    output.read_sections(item, when)
                    sections = len(item._report_sections)
                if sections:
                    run.has_written()
                run.phases.append(phase)
                result[when] = True
                if when == "setup":
                    run.keywords = keywords_of(keywords, parent)
                    if not silent:
                        storage[tmppath_result_key] = result
        output.forget_records(item)
        if told:
            self.close()
            if reports.held is not None:
                assert again is not None
                self._fails = again.conclude(nextitem)
        return told

    # ---------------------------------------------------------------- parts of it

    def _has_changed(self, item: Any, parent: Parent, length: int) -> bool:
        """Whether a plugin has come or gone, or a mark or keyword, since the item was begun."""
        own, keywords = item.own_markers, item.keywords._markers
        return (
            sum(map(len, parent.containers)) + len(own) + len(keywords) != length
            or self._live != self._known
        )

    def _call(
        self, item: Any, storage: dict[Any, Any]
    ) -> tuple[BaseException | None, object, Phase]:
        """Call a test's function: what it has raised, what it has returned, and how long it took."""
        self._output.begin(storage if item.fixturenames else None, "call")
        funcargs = item.funcargs
        arguments = {name: funcargs[name] for name in item._fixtureinfo.argnames}
        begun, started = time(), perf_counter()
        error, returned = self._calls.invoke(item, item.nodeid, item.obj, arguments)
        return error, returned, (perf_counter() - started, begun, time())

    # ---------------------------------------------------------------- telling of it

    @property
    def is_running(self) -> bool:
        """Whether there is an item of which nothing has been told yet."""
        return self._running is not None and not self._running.is_told

    def tell_early(self) -> None:
        """Called when somebody else reports while an item runs, as subtests do, or looks at reports."""
        running = self._running
        if running is None or running.is_told:
            return
        running.is_told = True
        with self._output.disabled() or contextlib.nullcontext():
            self._before_telling()
            self._call_hooks(running)

    def _tell(self, run: Uneventful) -> None:
        """Let pytest's hooks know what has happened so far."""
        self.close()
        if not run.is_told:
            run.is_told = True
            self._before_telling()
            self._call_hooks(run)

    def tell_all(self, run: Uneventful) -> None:
        """Call the hooks of an item that `run` has called none for."""
        self.close()
        self._before_telling()
        self._call_hooks(run)
        item = run.item
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _call_hooks(self, run: Uneventful) -> None:
        item = run.item
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = run.reports()
        if self._again is not None and self._reports.held is None:
            self._again.number_first(item, reports)
        for report in reports:
            self._reports.log(item, report)

    def _leave_to_pytest(
        self, item: Any, nextitem: pytest.Item | None, when: str, report: Any
    ) -> None:
        """The phases that are left."""
        if when == "setup" and report.passed:
            _pytest.runner.call_and_report(item, "call", True)
        if when != "teardown":
            if _stops(item.session):
                nextitem = None
            self._reports.call_and_report(item, "teardown", nextitem=nextitem)

    def raise_again(self, item: Any, error: Exception, run: Callable[[], object]) -> None:
        """Raise an error of a hook that hears of items as pytest would, which `run` has run the item;
        nothing, if it is none."""
        self.close()
        hook_errors.raise_again(self._session, item, self._phase, error, run)

    def end(self) -> None:
        """No more items will come."""
        self.close()
        for replacement in self._replacements:
            replacement.end()

    def _end_phase(self, when: str) -> None:
        """Leave all as pytest does after a phase: what runs has a name until the teardown is over."""
        self._output.close()
        if when == "teardown":
            self._calls.forget_name()

    def close(self) -> None:
        """Leave all as pytest does between two items."""
        self._output.close()
        self._calls.forget_name()


# Attributes by which an item may do otherwise than its class.
_METHODS: Final = frozenset({"setup", "runtest", "teardown"})


def _stops(session: pytest.Session) -> bool:
    """Whether an item is torn down as the last one."""
    return pytest_compat.TEARS_DOWN_ALL and bool(session.shouldfail or session.shouldstop)
