"""Checks `rpytest_worker.wire` and `channel`: python_golden.py SOURCES GOLDEN-FOLDER."""

from __future__ import annotations

import collections
import contextlib
import enum
import json
import os
import random
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])
from rpytest_worker.channel import Channel
from rpytest_worker.wire import (
    MAX_DEPTH,
    MAX_FRAME,
    WireError,
    frame,
    pack,
    packed_items,
    unpack,
    passed_frame,
    result_frame,
    started_frame,
)

GOLDEN = Path(sys.argv[2])


def golden() -> list[tuple[str, dict[str, Any], bytes]]:
    def restore(value: dict[str, Any]) -> Any:
        return bytes.fromhex(value["$bin"]) if value.keys() == {"$bin"} else value

    manifest = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"), object_hook=restore)
    assert len(manifest) > 40
    return [(name, view, (GOLDEN / f"{name}.bin").read_bytes()) for name, view in manifest.items()]


def same(left: Any, right: Any) -> bool:
    """Equal, and of equal types, and maps in equal order."""
    if type(left) is not type(right):
        return False
    if type(left) is dict:
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if type(left) is list:
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) or (left != left and right != right)


def refused(call: Callable[[], object], text: str) -> None:
    try:
        value = call()
    except WireError as error:
        assert text in str(error), f"{error} does not say: {text}"
    else:
        raise AssertionError(f"{value!r:.100} came instead of an error that says: {text}")


def channels(**limits: int) -> tuple[socket.socket, Channel]:
    ours, theirs = socket.socketpair()
    return ours, Channel(theirs, **limits)


def check_golden_both_ways() -> None:
    for name, view, recorded in golden():
        assert frame(view) == recorded, name
        assert pack(view) == recorded[4:], name
        for data in (recorded[4:], bytearray(recorded[4:]), memoryview(recorded)[4:]):
            assert same(unpack(data), view), name


def check_frames_with_a_packer_of_their_own() -> None:
    for task in (0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1):
        assert started_frame(task) == frame({"type": "started", "task": task})
        timed = {"type": "started", "task": task, "at": 1.5}
        assert started_frame(task, 1.5) == frame(timed)
        for payload in (b"", b"x" * 255, b"x" * 256, b"x" * 65535, b"x" * 65536):
            message = {
                "type": "result",
                "task": task,
                "outcome": "xpassed",
                "seconds": {"setup": 0.5, "call": 1e-9, "teardown": 3.0},
                "payload": payload,
            }
            assert result_frame(task, "xpassed", (0.5, 1e-9, 3.0), payload) == frame(message)
            passed = frame({**message, "outcome": "passed"})
            assert passed_frame(task, (0.5, 1e-9, 3.0), payload) == passed
            shared = {"": 1.0, "a.py": 0.25}
            message["shared"] = [{"scope": key, "seconds": shared[key]} for key in shared]
            seconds = (0.5, 1e-9, 3.0)
            assert result_frame(task, "xpassed", seconds, payload, shared) == frame(message)
            message["reruns"], message["excused"] = 300, True
            whole = result_frame(task, "xpassed", seconds, payload, shared, 300, True)
            assert whole == frame(message)
            message["story"] = {"file": "a.py", "line": 3}
            whole = result_frame(
                task, "xpassed", seconds, payload, shared, 300, True, message["story"]
            )
            assert whole == frame(message)
            for key in ("shared", "reruns", "excused"):
                del message[key]
            whole = result_frame(task, "xpassed", seconds, payload, story=message["story"])
            assert whole == frame(message)


def check_items_with_a_packer_of_their_own() -> None:
    items = [("a.py::test_é", 0, "a.py"), ("a.py::test", 1, "a.py"), ("b.py::test" + "x" * 300, 300, "b.py")]
    for count in (0, 1, 3, 15, 16, 70000):
        some = (items * (count // 3 + 1))[:count]
        plain = [
            {"address": {"nodeid": nodeid, "nth": nth}, "scope": scope} for nodeid, nth, scope in some
        ]
        message = {"type": "inventory", "items": plain, "unshareable": [], "payload": b""}
        assert frame({**message, "items": packed_items(len(some), some)}) == frame(message)


def check_golden_over_a_channel() -> None:
    stream = b"".join(recorded for _, _, recorded in golden())
    for size, ahead in ((1, 0), (13, 0), (len(stream), 0), (1, 1), (13, 1), (len(stream), 1)):
        ours, channel = channels()
        if ahead:
            channel.read_ahead()

        def feed(ours: socket.socket = ours, size: int = size) -> None:
            for at in range(0, len(stream), size):
                ours.sendall(stream[at : at + size])
            ours.close()

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        for name, view, _ in golden():
            assert same(channel.recv(), view), name
        assert channel.recv() is None
        assert channel.eof
        assert channel.recv() is None
        assert channel.recv_nowait() is None
        assert ahead or channel.recv_with_fds() == (None, [])
        thread.join()
        channel.close()


def check_values() -> None:
    edges = {0, 0x1F, 0x20, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000}
    edges |= {2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1}
    values: list[Any] = [number for edge in edges for number in (edge, -edge, -edge - 1)]
    values = [number for number in values if -(2**63) <= number < 2**64]
    for length in (0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536):
        values += ["x" * length, b"x" * length, [None] * length]
        values.append({f"key {n}": n for n in range(length)})
        values.append({"k" * length: 0})
    values += [None, True, False, 0.0, -0.0, 1.5, 5e-324, float("inf"), float("nan")]
    values += ["ä" * 16, "\0", "🦀" * 8, {"ключ": {"": [[], {}, ""]}}]
    for value in values:
        for outer in (value, [value, 1], {"k": value, "l": 1}):
            packed = pack(outer)
            assert same(unpack(packed), outer), outer
            for cut in {0, len(packed) // 3, len(packed) // 2, len(packed) - 1}:
                refused(lambda packed=packed, cut=cut: unpack(packed[:cut]), "truncated")
    assert str(unpack(pack(-0.0))) == "-0.0"
    assert unpack(b"\xca" + struct.pack(">f", 1.5)) == 1.5


def check_kin_of_the_types() -> None:
    class Text(str):
        def __str__(self) -> str:
            return "other"

    class Number(enum.IntEnum):
        TWO = 2

    class Seconds(float):
        pass

    class Pair(collections.namedtuple("Pair", "a b")):
        pass

    ordered = collections.OrderedDict(z=1, a=2)
    value = [Text("t"), Number.TWO, Seconds(1.5), Pair(1, 2), ordered, bytearray(b"b"), (3,)]
    plain = ["t", 2, 1.5, [1, 2], {"z": 1, "a": 2}, b"b", [3]]
    assert same(unpack(pack(value)), plain)
    assert same(unpack(pack({Text("k"): memoryview(b"m")})), {"k": b"m"})


def check_what_cannot_be_sent() -> None:
    refused(lambda: pack(2**64), "64 bits")
    refused(lambda: pack(-(2**63) - 1), "64 bits")
    refused(lambda: pack({1: 1}), "a key is a int")
    refused(lambda: pack({None: 1}), "a key is a NoneType")
    refused(lambda: pack({"k": object()}), "object cannot be sent")
    refused(lambda: pack([{1, 2}]), "set cannot be sent")
    refused(lambda: pack("\ud800"), "UTF-8")
    refused(lambda: pack({"\ud800": 1}), "UTF-8")
    refused(lambda: pack({"k": "\ud800"}), "UTF-8")
    circle: list[Any] = []
    circle.append(circle)
    refused(lambda: pack(circle), "nested deeper")
    refused(lambda: frame({"k": "x" * 100}, 100), "over the maximum of 100")


def check_depth() -> None:
    for left, right, empty in ((b"\x91", b"", b"\x90"), (b"\x81\xa1k", b"", b"\x80")):
        deepest = left * (MAX_DEPTH - 1) + empty + right
        assert pack(unpack(deepest)) == deepest
        refused(lambda data=left + deepest: unpack(data), "nested deeper")
        refused(lambda data=left * 1_000_000: unpack(data), "nested deeper")
        inner = unpack(deepest)
        refused(lambda inner=inner: pack([inner]), "nested deeper")
        refused(lambda inner=inner: pack({"k": inner}), "nested deeper")


def check_hostile_bodies() -> None:
    refused(lambda: unpack(b""), "truncated")
    refused(lambda: unpack(b"\x80\x80\xc0"), "2 bytes follow")
    refused(lambda: unpack(b"\xa1\xff"), "UTF-8")
    refused(lambda: unpack(b"\x81\xa1\xff\x01"), "UTF-8")
    refused(lambda: unpack(b"\x81\x01\x01"), "a key is a int")
    refused(lambda: unpack(b"\x81\x90\x01"), "a key is a list")
    refused(lambda: unpack(b"\x82\xa1k\x01\xa1k\x02"), "twice")
    for tag in (0xC1, 0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8):
        refused(lambda tag=tag: unpack(bytes([tag]) + bytes(20)), f"0x{tag:02x}")
    for tag in (0xC6, 0xDB, 0xDD, 0xDF):
        refused(lambda tag=tag: unpack(bytes([tag]) + b"\xff\xff\xff\xff"), "truncated")
    chance = random.Random(1)
    for _, _, recorded in golden():
        body = recorded[4:][:3000]
        for _ in range(100):
            damaged = bytearray(body)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            for data in (damaged, damaged[: chance.randrange(len(damaged))]):
                with contextlib.suppress(WireError):
                    unpack(data)


def check_hostile_frames() -> None:
    for stream, text in (
        (b"\0", "closed within a frame"),
        (b"\0\0\0\1", "closed within a frame"),
        (b"\x10\0\0\0only a little", "closed within a frame"),
        (frame({"k": 1})[:-1], "closed within a frame"),
        (b"\x10\0\0\1", f"over the maximum of {MAX_FRAME}"),
        (b"\xff\xff\xff\xff", f"over the maximum of {MAX_FRAME}"),
    ):
        for method in ("recv", "recv_nowait", "recv_with_fds"):
            ours, channel = channels()
            ours.sendall(stream)
            ours.close()
            for _ in range(2):
                refused(getattr(channel, method), text)
            channel.close()
    ours, channel = channels(max_frame=100)
    ours.sendall(frame({"k": "x" * 90}) + b"\0\0\0\x01\xc0" + b"\0\0\0\x01\xc1" + frame({"k": 1}))
    assert channel.recv() == {"k": "x" * 90}
    # A message that is none does not spoil the next.
    refused(channel.recv, "a message is a NoneType")
    refused(channel.recv, "0xc1")
    assert channel.recv() == {"k": 1}
    refused(lambda: channel.send({"k": "x" * 100}), "over the maximum")
    channel.send({"k": 2})
    assert ours.recv(100) == frame({"k": 2})
    ours.close()
    channel.close()


def check_that_nowait_does_not_wait() -> None:
    ours, channel = channels()
    assert channel.recv_nowait() is None
    data = frame({"k": "v", "n": 1})
    for at in range(len(data)):
        assert channel.recv_nowait() is None
        ours.sendall(data[at : at + 1])
    ours.sendall(data[:2])
    assert channel.recv_nowait() == {"k": "v", "n": 1}
    assert channel.recv_nowait() is None
    assert not channel.eof
    ours.sendall(data[2:])
    # What was begun by one method is completed by another.
    assert channel.recv() == {"k": "v", "n": 1}
    ours.close()
    assert channel.recv_nowait() is None
    assert channel.eof
    channel.close()


def check_descriptors() -> None:
    ours, channel = channels()
    pipes = [os.pipe() for _ in range(3)]
    # Messages of either kind in one stream, so that the kernel could join them in one read.
    ours.sendall(frame({"n": 0}))
    for n, pipe in enumerate(pipes, 1):
        socket.send_fds(ours, [frame({"n": n, "x": "x" * 1000 * n})], list(pipe))
        ours.sendall(frame({"n": -n}))
    assert channel.recv() == {"n": 0}
    for n, pipe in enumerate(pipes, 1):
        message, fds = channel.recv_with_fds()
        assert message is not None and message["n"] == n
        assert len(fds) == 2
        assert not any(map(os.get_inheritable, fds))
        os.write(pipe[1], b"via %d" % n)
        assert os.read(fds[0], 100) == b"via %d" % n
        for fd in (*fds, *pipe):
            os.close(fd)
        message, fds = channel.recv_with_fds()
        assert message is not None and message["n"] == -n
        assert fds == []
    # A frame that is broken off leaves its descriptors to `close`.
    read, write = os.pipe()
    socket.send_fds(ours, [b"\0\0\0\x05"], [write])
    os.close(write)
    ours.close()
    refused(channel.recv_with_fds, "closed within a frame")
    channel.close()
    assert os.read(read, 1) == b""
    os.close(read)


class Interrupted(Exception):
    pass


def check_interrupts() -> None:
    for ahead in (False, True):
        interrupted(ahead)


def interrupted(ahead: bool) -> None:
    """A handler that raises at any moment must not disturb the frames, in either direction."""
    armed = False
    interrupts = 0

    def interrupt(*_: object) -> None:
        nonlocal armed, interrupts
        if armed:
            armed = False
            interrupts += 1
            raise Interrupted

    count = 4000
    ours, theirs = socket.socketpair()
    signal.signal(signal.SIGALRM, interrupt)
    child = os.fork()
    (theirs if child else ours).close()
    channel = Channel(ours if child else theirs)
    if ahead:
        channel.read_ahead()
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.00041)
    status = 1
    try:
        if child:
            for n in range(count):
                try:
                    armed = True
                    channel.send({"n": n, "data": b"x" * (n * 37 % 5000)})
                    armed = False
                except Interrupted:
                    pass
            channel.send({"n": count, "data": b"x" * (count * 37 % 5000)})
        else:
            last = -1
            received: Any = {}
            while received is not None:
                received = {}
                try:
                    armed = True
                    received = channel.recv()
                    armed = False
                except Interrupted:
                    pass
                if received:
                    n = received["n"]
                    assert last < n <= count, (last, n)
                    assert received["data"] == b"x" * (n * 37 % 5000)
                    last = n
            assert last >= count // 2
        status = 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        channel.close()
        if not child:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert interrupts > 0


def main() -> None:
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            check()
            print(name.replace("_", " "), flush=True)


if __name__ == "__main__":
    main()
