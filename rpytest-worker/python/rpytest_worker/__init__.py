"""The Python side of rpytest: hosts, templates, workers and controllers around real pytest."""

import os
from typing import Final

HERE: Final = os.path.join(__path__[0], "")
"""Where our modules lie. Their `__file__` is none that exists (see `__main__`)."""
