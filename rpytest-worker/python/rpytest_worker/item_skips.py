"""What pytest says of an item that a mark has skipped, without a report being made of the exception.

pytest raises it, looks for a line in that traceback, and asks the disk whether the file is there.
Read in pytest 8.4 to 9.2, as `known_code` knows them (`TestReport.from_item_and_call`).
"""

from __future__ import annotations

import types
from typing import Any

import pytest


class SkipMarks:
    """Of one session."""

    def __init__(self) -> None:
        # What is said of each reason: there are few of them.
        self._texts: dict[str, str] = {}

    def what_is_said(self, item: Any, error: BaseException | None) -> tuple[str, int, str] | None:
        """File, line and text, if `error` is how a mark skips the item; `None` if not known."""
        if error.__class__ is not pytest.skip.Exception or not getattr(
            error, "_use_item_location", False
        ):
            return None
        function = item.obj
        if function.__class__ is types.MethodType:
            function = function.__func__
        # Of such a function nothing but its code says where it is.
        if function.__class__ is not types.FunctionType or not (
            function.__dict__.keys() <= {"pytestmark"}
        ):
            return None
        code = function.__code__
        if code.co_filename != str(item.path):
            return None
        reason = getattr(error, "msg", None)
        if reason.__class__ is not str:
            return None
        text = self._texts.get(reason)
        if text is None:
            info = pytest.ExceptionInfo.from_exception(error)
            text = self._texts[reason] = info.exconly(tryshort=True)
        return code.co_filename, code.co_firstlineno, text
