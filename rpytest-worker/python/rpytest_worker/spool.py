"""What a worker has to say and has not sent yet, where the supervisor finds it whatever happens.

A worker tells of each item before it begins, so that a crash has a name. Written to the channel that
is a system call and a wake-up for every item, which is more than many tests take. Written here it is
a copy within memory: the file is mapped, and what is in the mapping outlives the process, even one
that is killed. The supervisor looks when the channel closes, and now and then (see
`rpytest-worker/src/spool.rs`).
"""

from __future__ import annotations

import mmap
import os
from typing import Final

# Three numbers of 64 bits, in the machine's order: the first position of the channel's stream that is
# here, the position after the last, and the complement of that.
_HEADER: Final = 64
# The bytes of the stream that are kept: a ring, in which position p is at p modulo this.
CAPACITY: Final = 256 * 1024


class Spool:
    """A mirror of the last bytes of a channel's outgoing stream. It owns the descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._header: memoryview | None = None
        self.end = 0

    def close(self) -> None:
        """Let go of the file, if it was never used; a mapping stays as long as the process."""
        if self._header is None:
            os.close(self._fd)

    def _map(self) -> memoryview:
        """Most processes have no use for it, and children that are forked must not inherit it."""
        memory = memoryview(mmap.mmap(self._fd, _HEADER + CAPACITY))
        os.close(self._fd)
        self._ring = memory[_HEADER:]
        # Stores of an item of such a view are single stores of the machine's.
        self._header = header = memory[:24].cast("Q")
        return header

    def put(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Mirror `data`, whose first byte is at `position` of the stream.

        Doing it again, after a signal handler broke it off, is harmless.
        """
        header = self._header or self._map()
        ring = self._ring
        if position != self.end:
            # What is between was sent without being mirrored.
            header[0] = position
        size = len(data)
        at = position % CAPACITY
        if at + size <= CAPACITY:
            ring[at : at + size] = data
        else:
            first = CAPACITY - at
            view = memoryview(data)
            ring[at:] = view[:first]
            ring[: size - first] = view[first:]
        end = position + size
        header[1] = end
        header[2] = ~end & 0xFFFFFFFFFFFFFFFF
        self.end = end
