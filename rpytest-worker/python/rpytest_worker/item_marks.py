"""The marks by which pytest's `skipping` decides what an item comes to.

It looks at a mark `skip` or `skipif` once, before the setup. A mark `xfail` whose condition does not
hold it looks at again before the call and after it, in case there is another one by then; the report
of the call goes by what it has found (`_pytest.skipping`, pytest 8.0 to 9.2).
"""

from __future__ import annotations

from typing import Any, Final

XFAIL: Final = "xfail"

OF_SKIPPING: Final = frozenset({"skip", "skipif", XFAIL})


def is_settled(mark: Any) -> bool:
    """Whether it makes no difference how often a mark `xfail` is looked at.

    A condition that is code, or an object, may come to something else the next time. What pytest does
    with a reason or an exception that is none is left to it.
    """
    known = mark.kwargs
    conditions = (known["condition"],) if "condition" in known else mark.args
    if not all(condition.__class__ is bool for condition in conditions):
        return False
    if known.get("reason", "").__class__ is not str:
        return False
    raises = known.get("raises")
    return raises is None or all(
        isinstance(one, type) for one in (raises if raises.__class__ is tuple else (raises,))
    )
