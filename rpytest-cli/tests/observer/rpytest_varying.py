"""What differs from one run of a suite to the next though nothing has changed: texts are compared without it."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"\b0x[0-9a-f]{5,}\b|(?<=\.\.\.)[0-9a-f]{4,}(?=>)")
# Of a directory that a run makes for itself; times of day, and numbers that nobody has chosen.
NUMBERED = re.compile(r"pytest-(of-\w+/pytest-)?\d+\b")
CLOCK = re.compile(r"\b\d\d:\d\d:\d\d\b")
# How deep a stack can be depends on what has called.
DEPTH = re.compile(r"line repeated \d+ more|maximum recursion depth.*|after \d+ frames")
PORT = re.compile(r"(?<=\b127\.0\.0\.1:)\d+|(?<=process \[)\d+")
FRACTION = re.compile(r"\b(\d+\.\d\d)\d{8,}")
# A session within a test says how long it took; and a worker's directory is below one of its own.
SECONDS = re.compile(r"\bin \d+\.\d\ds\b")
WORKER = re.compile(r"/popen-gw\d+(?=/)")
STAND_INS = (
    (ADDRESS, "0x..."),
    (NUMBERED, "pytest-N"),
    (CLOCK, "h:m:s"),
    (FRACTION, "0..."),
    (DEPTH, "deep"),
    (PORT, "N"),
    (SECONDS, "in N s"),
    (WORKER, ""),
)


def without(text: str) -> str:
    for pattern, stand_in in STAND_INS:
        text = pattern.sub(stand_in, text)
    return text
