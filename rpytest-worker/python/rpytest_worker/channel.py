"""Messages over a connected socket, with descriptors, some of them put by until there are more."""

from __future__ import annotations

import _socket
import os
import struct
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .wire import HEADER, MAX_FRAME, WireError, framed, unpack_at

if TYPE_CHECKING:
    from .spool import Spool

_CHUNK: Final = 1024 * 1024
_AHEAD: Final = 64 * 1024
_MAX_FDS: Final = 64
_FD_SIZE: Final = struct.calcsize("i")
# Where the system lacks the flag, `os.set_inheritable` is what there is.
_CLOEXEC: Final[int] = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)

_u32 = struct.Struct(">I").unpack_from

# How long and how much `post` puts by. A frame that is larger than that is sent at once.
_POST_SECONDS: Final = 0.005
_POST_LIMIT: Final = 64 * 1024

# What `recv` returns, or what `recvmsg` does: data, ancillary data, flags, address.
_Piece: TypeAlias = "bytes | tuple[bytes, list[tuple[int, int, bytes]], int, Any]"

# The sockets of the channels of this process.
_OPEN: set[_socket.socket] = set()


def is_ours(sock: _socket.socket) -> bool:
    """Whether a channel owns a socket."""
    return sock in _OPEN


class Channel:
    """Messages over a connected stream socket, which it owns from then on.

    It reads no further than the end of a frame. So what `select` says about `fileno` is true of the
    channel, and descriptors are known to belong to the frame that they arrive with. Where neither
    matters, `read_ahead` saves system calls.

    A signal handler may raise (KeyboardInterrupt does) at any moment, and the channel stays usable:
    input that has arrived is kept, and a frame that was sent in part is completed before the next
    one. For that, what a system call returned must be stored before the interpreter looks for
    signals again, which it does between two calls even of one line. So each system call is made by
    `list.extend(map(...))`, within which no Python code runs, and each change of state is one
    assignment. A message that is being returned when the handler raises is lost to the caller.

    With a spool, what can wait is sent when there is more of it (`post`).

    A channel may be used by one thread at a time.
    """

    def __init__(
        self, sock: _socket.socket, max_frame: int = MAX_FRAME, spool: Spool | None = None
    ) -> None:
        sock.setblocking(True)
        self._sock = sock
        _OPEN.add(sock)
        self._max_frame = max_frame
        self._spool = spool
        # The frame on its way in: what each call of `recv` or `recvmsg` returned, an empty piece
        # for the end of input.
        self._input: list[_Piece] = []
        # What is on its way out: the position of its first byte among all that were ever sent, the
        # bytes, and how many of them each call has sent.
        self._output: tuple[int, bytearray, list[int]] = (0, bytearray(), [])
        self._flushed = 0.0
        self._least = 0

    def read_ahead(self) -> None:
        """From now on, read what there is; `recv_with_fds` must not be called any more."""
        self._least = _AHEAD

    def send(self, obj: object) -> None:
        """Send a message; raises `OSError` when the other side is gone."""
        self.send_frames(framed(obj, self._max_frame))

    def send_frames(self, frames: bytes | bytearray) -> None:
        """Send messages that `frame` has packed, any number of them in one go."""
        _, data, sent = self._output
        if sent:
            self.flush()
            _, data, _ = self._output
        data += frames
        self.flush()

    def post(self, frames: bytes | bytearray) -> None:
        """Send messages before long.

        By the time it returns, the other side will have them even if this process is killed.
        """
        spool = self._spool
        if spool is None or len(frames) > _POST_LIMIT:
            self.send_frames(frames)
            return
        base, data, sent = self._output
        if sent:
            self.flush()
            base, data, _ = self._output
        before = len(data)
        data += frames
        spool.put(base + before, frames)
        now = monotonic()
        if now - self._flushed > _POST_SECONDS or before > _POST_LIMIT:
            self._flushed = now
            self.flush()

    def flush(self) -> None:
        """Send what was posted, and what is left of a frame if a signal handler broke off `send`."""
        base, data, sent = self._output
        if not data:
            return
        while (done := sum(sent)) < len(data):
            sent.extend(map(self._sock.send, (bytes(data[done:]) if done else data,)))
        self._output = (base + len(data), bytearray(), [])

    def recv(self) -> dict[str, Any] | None:
        """Wait for a message; None when the other side has closed the channel between two.

        Descriptors that were sent with it are closed, unseen.
        """
        while missing := self._missing():
            if self.eof:
                return None
            self._input.extend(map(self._sock.recv, (missing,)))
        return self._take_message()

    def recv_nowait(self) -> dict[str, Any] | None:
        """Return a message if all of it has arrived; None, without waiting, if not.

        It is None as well when the other side has closed the channel: then `eof` is true.
        """
        try:
            while missing := self._missing():
                if self.eof:
                    return None
                self._input.extend(map(self._sock.recv, (missing,), (_socket.MSG_DONTWAIT,)))
        except BlockingIOError:
            return None
        return self._take_message()

    def recv_with_fds(self) -> tuple[dict[str, Any] | None, list[int]]:
        """Wait for a message and the descriptors that were sent with it, in order.

        The descriptors are not inheritable, and the caller's to close.
        """
        space = (_socket.CMSG_SPACE(_MAX_FDS * _FD_SIZE),)
        while missing := self._missing():
            if self.eof:
                return None, []
            self._input.extend(map(self._sock.recvmsg, (missing,), space, (_CLOEXEC,)))
        return self._take()

    @property
    def eof(self) -> bool:
        """Whether a read has found the channel closed by the other side."""
        return bool(self._input) and not _data(self._input[0])

    def fileno(self) -> int:
        """The socket's descriptor, to wait for a message on."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the socket, and descriptors that came with a frame that never was complete."""
        pieces, self._input = self._input, [b""]
        for fd in _descriptors(pieces):
            os.close(fd)
        if self._spool is not None:
            self._spool.close()
        self._sock.close()
        _OPEN.discard(self._sock)

    def _missing(self) -> int:
        """How many bytes to read next; 0 when the message is complete."""
        pieces = [*map(_data, self._input)]
        if not pieces:
            return max(HEADER, self._least)
        have = sum(map(len, pieces))
        if have < HEADER:
            missing = HEADER - have
        else:
            start = pieces[0] if len(pieces[0]) >= HEADER else b"".join(pieces[:HEADER])
            (length,) = _u32(start)
            if length > self._max_frame:
                raise WireError(
                    f"a frame of {length} bytes is over the maximum of {self._max_frame}"
                )
            missing = max(HEADER + length - have, 0)
        if have and missing and not pieces[-1]:
            raise WireError("the channel was closed within a frame")
        # The system call allocates what it is asked for, whether it comes or not.
        return min(max(missing, self._least), _CHUNK) if missing else 0

    def _take_message(self) -> dict[str, Any]:
        message, fds = self._take()
        for fd in fds:
            os.close(fd)
        return message

    def _take(self) -> tuple[dict[str, Any], list[int]]:
        """Remove the complete message from the input, and return it with its descriptors."""
        pieces = self._input
        data = b"".join(map(_data, pieces))
        end = HEADER + _u32(data)[0]
        # What was read ahead, and what says that there will be no more, stay.
        rest: list[_Piece] = [data[end:]] if len(data) > end else []
        if not _data(pieces[-1]):
            rest.append(b"")
        self._input = rest
        fds = _descriptors(pieces)
        try:
            if any(
                not isinstance(piece, bytes) and piece[2] & _socket.MSG_CTRUNC for piece in pieces
            ):
                raise WireError("more descriptors were sent than can be received")
            message = unpack_at(data[:end] if rest else data, HEADER)
            if type(message) is not dict:
                raise WireError(f"a message is a {type(message).__name__}, not a map")
        except WireError:
            for fd in fds:
                os.close(fd)
            raise
        return message, fds


def _data(piece: _Piece) -> bytes:
    return piece if isinstance(piece, bytes) else piece[0]


def _descriptors(pieces: list[_Piece]) -> list[int]:
    fds: list[int] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            continue
        for level, kind, payload in piece[1]:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                whole = len(payload) - len(payload) % _FD_SIZE
                fds.extend(fd for (fd,) in struct.iter_unpack("=i", payload[:whole]))
    for fd in fds:
        os.set_inheritable(fd, False)
    return fds
