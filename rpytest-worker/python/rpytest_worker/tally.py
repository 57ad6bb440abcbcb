"""How many items were collected, or run, which way, for `--explain`."""

from __future__ import annotations

from typing import Any


class Tally:
    def __init__(self, message: str) -> None:
        """`message` is the type of what is sent."""
        self._type = message
        self.short = 0
        self.genuine = 0
        # Why the first was not, or what is done for all of them in pytest's own way.
        self.reason: str | None = None

    def note(self, reason: str | None) -> None:
        self.reason = self.reason or reason

    def refused(self, reason: str) -> None:
        self.genuine += 1
        self.note(reason)

    def message(self) -> dict[str, Any]:
        return {
            "type": self._type,
            "short": self.short,
            "genuine": self.genuine,
            "reason": self.reason,
        }
