"""Files of code that is kept: each whole, or none at all.

`marshal` trusts what it reads, and may end the interpreter where that is damaged; so each begins with a
digest. Any number of processes may write the same one at once, in several containers, where a pid says
nothing. What a test puts in the place of functions of `os` makes no difference here.
"""

from __future__ import annotations

import contextlib
import marshal
import os
from typing import Any, Final

# What a file begins with: the format, and a digest of what follows.
_MAGIC: Final = b"rpytest1"
_DIGEST_SIZE: Final = 16
_HEAD: Final = len(_MAGIC) + _DIGEST_SIZE

_open, _write, _close = os.open, os.write, os.close
_replace, _mkdir, _unlink, _urandom = os.replace, os.mkdir, os.unlink, os.urandom


def digest(*parts: bytes, size: int) -> bytes:
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    made = blake2b(digest_size=size)
    for part in parts:
        made.update(len(part).to_bytes(8, "little"))
        made.update(part)
    return made.digest()


def load(data: bytes) -> Any:
    """What a file's content stands for; `None` if it is not whole."""
    body = data[_HEAD:]
    if data[:_HEAD] != _MAGIC + digest(body, size=_DIGEST_SIZE):
        return None
    return marshal.loads(body)


def write(path: str, value: Any) -> None:
    """Keep it. That there is no room or no place for it is nobody's business."""
    body = marshal.dumps(value)
    data = _MAGIC + digest(body, size=_DIGEST_SIZE) + body
    part = f"{path}.{_urandom(8).hex()}"
    with contextlib.suppress(OSError):
        try:
            fd = _create(part)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                _mkdir(os.path.dirname(path), 0o700)
            fd = _create(part)
        try:
            written = _write(fd, data)
        except OSError:
            written = 0
        finally:
            _close(fd)
        if written == len(data):
            _replace(part, path)
        else:
            _unlink(part)


def _create(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    return _open(path, flags, 0o600)
