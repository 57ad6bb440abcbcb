"""What pytest has ready for the assertions of an item, without making it anew for each.

For an item pytest puts in place a function that asks hooks how to show a comparison. It differs from
that of the last item only where other hooks are in force.

Private names of pytest's assertion plugin are touched here.
"""

from __future__ import annotations

from typing import Any

import _pytest.assertion
from _pytest.assertion import util

from . import known_code

_util: Any = util


class ItemAssertions:
    """Entered before an item, and left after it."""

    @classmethod
    def of(cls) -> ItemAssertions | None:
        """`None` where it is not known what pytest does."""
        return cls() if known_code.unknown(known_code.ASSERTIONS) is None else None

    def __init__(self) -> None:
        # The hooks of the last item, and what compares for them.
        self._hook: Any = None
        self._compare: Any = None
        self._saved: tuple[Any, Any] = (None, None)

    def enter(self, item: Any, hook: Any) -> bool:
        """Put it in place; `False` if somebody wants to know of assertions that pass."""
        if hook is not self._hook:
            self._hook, self._compare = hook, _made_by_pytest(item)
        if self._compare is None:
            return False
        self._saved = _util._reprcompare, _util._assertion_pass
        _util._reprcompare, _util._config = self._compare, item.config
        return True

    def leave(self) -> None:
        _util._reprcompare, _util._assertion_pass = self._saved
        _util._config = None


def _made_by_pytest(item: Any) -> Any:
    """The function that pytest puts in place, if it is all that it does."""
    saved = _util._reprcompare, _util._assertion_pass
    wrapper = _pytest.assertion.pytest_runtest_protocol(item)
    next(wrapper)
    found, others = _util._reprcompare, _util._assertion_pass
    wrapper.close()
    is_all = others is saved[1] and (_util._reprcompare, _util._assertion_pass) == saved
    return found if is_all else None
