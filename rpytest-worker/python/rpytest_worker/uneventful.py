"""What is known of an item with nothing to tell but its outcome, in place of its reports."""

from __future__ import annotations

from typing import Any

from . import pytest_reports

Phase = tuple[float, float, float]
"""Seconds that a phase took, and when it started and stopped, since the epoch."""


class Uneventful:
    """An item as far as it has come: it passes, or a mark says that it is not to be run."""

    __slots__ = (
        *("is_told", "item", "keywords", "nodeid", "phases", "sections", "skipped"),
        *("_made", "_report_id"),
    )

    def __init__(self, item: Any) -> None:
        self.item = item
        # It is asked for often, and put together anew each time.
        self.nodeid: str = item.nodeid
        self.phases: list[Phase] = []
        # What there was to show of the item when each phase ended; nothing at all is `None`.
        self.sections: list[list[tuple[str, str]]] | None = None
        # Why it is not run: file, line and text. It has a setup and a teardown then.
        self.skipped: tuple[str, int, str] | None = None
        # Whether hooks have been called for it, since somebody has looked while it ran.
        self.is_told = False
        # As they were when the first phase ended.
        self.keywords: dict[str, int] = {}
        self._made: list[Any] | None = None
        self._report_id: Any = None

    @property
    def is_skipped(self) -> bool:
        return self.skipped is not None

    @property
    def report_id(self) -> Any:
        """What its reports have in common."""
        found = self._report_id
        if found is None:
            found = self._report_id = pytest_reports.report_id(self.item)
        return found

    def reports(self) -> list[Any]:
        """The reports that pytest would have made: of three phases, or of setup and teardown if it was
        skipped. They are the same each time."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def reports_so_far(self) -> list[Any]:
        """The same while it runs, but others each time."""
        return self._make()

    def _make(self) -> list[Any]:
        key, location = self.report_id, self.item.location
        if self.skipped is not None:
            return pytest_reports.skipped_reports(
                key, location, self.keywords, self.phases, self.skipped
            )
        reports = pytest_reports.plain_reports(key, location, self.keywords, self.phases)
        if self.sections is not None:
            for report, sections in zip(reports, self.sections, strict=True):
                report.sections = sections
        return reports

    def has_written(self) -> None:
        """Keep what there is to show by the end of the phase that is about to be added."""
        sections = [
            (f"Captured {key} {when}", content) for when, key, content in self.item._report_sections
        ]
        if self.sections is None:
            self.sections = [[] for _ in self.phases]
        self.sections.append(sections)
