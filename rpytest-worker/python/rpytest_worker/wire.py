"""MessagePack and framing, as far as the supervisor's protocol needs them.

A message is a dict with string keys. It travels as one frame: the length of its body as a 32-bit
big-endian number, then the body, one MessagePack value. The protocol uses nil, booleans, integers
of 64 bits, 64-bit floats, strings, binary, arrays and maps with string keys; anything else is
refused with a `WireError`, on the way out as on the way in.

The module needs the standard library only, and is written for speed where a test's report passes
through it: `_pack_into` and `_unpack_from` dispatch on the commonest cases first, and neither calls
a function for a key that it has seen before.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

__all__ = [
    "MAX_DEPTH",
    "MAX_FRAME",
    "Packed",
    "WireError",
    "frame",
    "pack",
    "packed_items",
    "passed_frame",
    "result_frame",
    "started_frame",
    "unpack",
]

MAX_DEPTH: Final = 64
"""Arrays and maps may be nested this deep; a message itself is at depth 1."""

MAX_FRAME: Final = 256 * 1024 * 1024
"""The largest body of a frame, in bytes, unless a channel is told otherwise."""

HEADER: Final = 4

# Both caches are bounded: keys of a user's own mappings (`workeroutput`) pass through here as well.
_CACHED_KEYS: Final = 1024
_packed_keys: dict[str, bytes] = {}
_known_keys: dict[bytes, str] = {}


class WireError(Exception):
    """What was to be sent, or has arrived, is not of this protocol."""


_u16 = struct.Struct(">H").unpack_from
_u32 = struct.Struct(">I").unpack_from
_u64 = struct.Struct(">Q").unpack_from
_i8 = struct.Struct(">b").unpack_from
_i16 = struct.Struct(">h").unpack_from
_i32 = struct.Struct(">i").unpack_from
_i64 = struct.Struct(">q").unpack_from
_f32 = struct.Struct(">f").unpack_from
_f64 = struct.Struct(">d").unpack_from

_put_length = struct.Struct(">I").pack_into
_tag_u8 = struct.Struct(">BB").pack
_tag_u16 = struct.Struct(">BH").pack
_tag_u32 = struct.Struct(">BI").pack
_tag_u64 = struct.Struct(">BQ").pack
_tag_i8 = struct.Struct(">Bb").pack
_tag_i16 = struct.Struct(">Bh").pack
_tag_i32 = struct.Struct(">Bi").pack
_tag_i64 = struct.Struct(">Bq").pack
_tag_f64 = struct.Struct(">Bd").pack


def pack(obj: object) -> bytes:
    """Return `obj` as MessagePack, each value in its shortest form.

    Tuples are written as arrays, and subclasses of the supported types as the types themselves.
    """
    out = bytearray()
    _pack(obj, out)
    return bytes(out)


def frame(obj: object, max_frame: int = MAX_FRAME) -> bytes:
    """Return `obj` as a frame: the length of its body, and the body."""
    return bytes(framed(obj, max_frame))


def started_frame(task: int, at: float | None = None) -> bytes | bytearray:
    """The frame of a message `started`."""
    if at is None and 0x100 <= task < 0x1_0000:  # the number of most tests
        return _started_16(_STARTED_16, task)
    out = bytearray(_STARTED)
    out += _packed_int(task)
    if at is not None:
        out[HEADER] += 1
        out += _AT
        _pack_into(at, out, 0)
    _length_into(out, 0, len(out) - HEADER)
    return out


def passed_frame(
    task: int, seconds: tuple[float, float, float], payload: bytes
) -> bytes | bytearray:
    """What `result_frame` comes to for a test that has passed with nothing else to tell."""
    length = len(payload)
    if not (0x100 <= task < 0x1_0000 and length < 0x1_0000):
        return result_frame(task, "passed", seconds, payload)
    # Of most tests the numbers have the same sizes.
    setup, call, teardown = seconds
    is_short = length < 0x100
    return (_passed_8 if is_short else _passed_16)(
        (_PASSED_8 if is_short else _PASSED_16) + length, _RESULT_16, task,
        _PASSED_BEGIN, setup, _CALL, call, _TEARDOWN, teardown,
        _PAYLOAD_8 if is_short else _PAYLOAD_16, length,
    ) + payload  # fmt: skip


def result_frame(
    task: int,
    outcome: str,
    seconds: tuple[float, float, float],
    payload: bytes,
    shared: dict[str, float] | None = None,
    reruns: int = 0,
    excused: bool = False,
    story: dict[str, Any] | None = None,
) -> bytearray:
    """The frame of a message `result`, of which there is one for each test."""
    out = bytearray(_RESULT)
    out += _packed_int(task)
    if outcome == "passed":
        out += _PASSED
    else:
        out += _OUTCOME
        _pack_into(outcome, out, 0)
    setup, call, teardown = seconds
    out += _seconds(_SETUP, setup, _CALL, call, _TEARDOWN, teardown, _PAYLOAD)
    length = len(payload)
    out += _tag_u8(0xC4, length) if length < 0x100 else _long_tag(0xC5, length)
    out += payload
    if shared is not None:
        out[HEADER] += 1
        out += _SHARED
        entries = [{"scope": scope, "seconds": spent} for scope, spent in shared.items()]
        _pack_into(entries, out, MAX_DEPTH)
    if reruns:
        out[HEADER] += 1
        out += _RERUNS
        _pack_int(reruns, out)
    if excused:
        out[HEADER] += 1
        out += _EXCUSED
    if story is not None:
        out[HEADER] += 1
        out += _STORY
        _pack_into(story, out, MAX_DEPTH)
    _length_into(out, 0, len(out) - HEADER)
    return out


class Packed:
    """What has been packed already: in a message it stands as it is."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data


def packed_items(length: int, items: Iterable[tuple[str, int, str]]) -> Packed:
    """The entries of an inventory, of which there are so many: of each its node id, occurrence and
    scope."""
    out = bytearray()
    out += bytes((0x90 | length,)) if length < 16 else _long_tag(0xDC, length)
    last, packed_scope = None, b""
    for nodeid, nth, scope in items:
        if scope != last:
            last, packed_scope = scope, _SCOPE + pack(scope)
        out += _ADDRESS
        _pack_into(nodeid, out, 0)
        if nth:
            out += _NTH
            _pack_int(nth, out)
        else:
            out += _FIRST
        out += packed_scope
    return Packed(out)


def unpack(data: bytes | bytearray | memoryview) -> Any:
    """Return the one value that `data` holds.

    Raises `WireError` if it is truncated, followed by something, nested deeper than `MAX_DEPTH`, or
    holds a type that the protocol lacks, a string that is not UTF-8, or a map that has a key twice.
    """
    return unpack_at(data if type(data) is bytes else bytes(data), 0)


def unpack_at(data: bytes, at: int) -> Any:
    try:
        value, end = _unpack_from(data, at, MAX_DEPTH)
    except (IndexError, struct.error):
        raise WireError("the message is truncated") from None
    except UnicodeDecodeError as error:
        raise WireError(f"a string is not UTF-8: {error}") from None
    if end != len(data):
        raise WireError(f"{len(data) - end} bytes follow the message")
    return value


def framed(obj: object, max_frame: int) -> bytearray:
    out = bytearray(HEADER)
    _pack(obj, out)
    length = len(out) - HEADER
    if length > max_frame:
        raise WireError(f"a message of {length} bytes is over the maximum of {max_frame}")
    _put_length(out, 0, length)
    return out


def _pack(obj: object, out: bytearray) -> None:
    try:
        _pack_into(obj, out, MAX_DEPTH)
    except UnicodeEncodeError as error:
        raise WireError(f"a string cannot be written as UTF-8: {error}") from None


def _pack_into(obj: Any, out: bytearray, depth: int) -> None:
    kind = type(obj)
    if kind is str:
        data = obj.encode()
        length = len(data)
        if length < 32:
            out.append(0xA0 | length)
        elif length < 0x100:
            out += _tag_u8(0xD9, length)
        else:
            out += _long_tag(0xDA, length)
        out += data
    elif kind is dict:
        if not depth:
            raise WireError(f"a message is nested deeper than {MAX_DEPTH}")
        length = len(obj)
        if length < 16:
            out.append(0x80 | length)
        else:
            out += _long_tag(0xDE, length)
        depth -= 1
        for key, value in obj.items():
            out += _packed_keys.get(key) or _packed_key(key)
            # A call costs more than these values do.
            kind = type(value)
            if kind is str:
                data = value.encode()
                length = len(data)
                if length < 32:
                    out.append(0xA0 | length)
                elif length < 0x100:
                    out += _tag_u8(0xD9, length)
                else:
                    out += _long_tag(0xDA, length)
                out += data
            elif kind is int and 0 <= value < 0x80:
                out.append(value)
            elif value is None:
                out.append(0xC0)
            elif kind is float:
                out += _tag_f64(0xCB, value)
            else:
                _pack_into(value, out, depth)
    elif kind is int:
        _pack_int(obj, out)
    elif obj is None:
        out.append(0xC0)
    elif kind is float:
        out += _tag_f64(0xCB, obj)
    elif kind is list or kind is tuple:
        if not depth:
            raise WireError(f"a message is nested deeper than {MAX_DEPTH}")
        length = len(obj)
        if length < 16:
            out.append(0x90 | length)
        else:
            out += _long_tag(0xDC, length)
        depth -= 1
        for value in obj:
            _pack_into(value, out, depth)
    elif kind is bool:
        out.append(0xC3 if obj else 0xC2)
    elif kind is bytes or kind is bytearray:
        length = len(obj)
        if length < 0x100:
            out += _tag_u8(0xC4, length)
        else:
            out += _long_tag(0xC5, length)
        out += obj
    elif kind is Packed:
        out += obj.data
    else:
        _pack_into(_plain(obj), out, depth)


def _pack_int(number: int, out: bytearray) -> None:
    if number >= 0:
        if number < 0x80:
            out.append(number)
        elif number < 0x100:
            out += _tag_u8(0xCC, number)
        elif number < 0x1_0000:
            out += _tag_u16(0xCD, number)
        elif number < 0x1_0000_0000:
            out += _tag_u32(0xCE, number)
        elif number < 0x1_0000_0000_0000_0000:
            out += _tag_u64(0xCF, number)
        else:
            raise WireError("an integer has more than 64 bits")
    elif number >= -0x20:
        out.append(number + 0x100)
    elif number >= -0x80:
        out += _tag_i8(0xD0, number)
    elif number >= -0x8000:
        out += _tag_i16(0xD1, number)
    elif number >= -0x8000_0000:
        out += _tag_i32(0xD2, number)
    elif number >= -0x8000_0000_0000_0000:
        out += _tag_i64(0xD3, number)
    else:
        raise WireError("an integer has more than 64 bits")


def _packed_int(number: int) -> bytes | bytearray:
    if 0x100 <= number < 0x1_0000:  # the number of most tests
        return _tag_u16(0xCD, number)
    out = bytearray()
    _pack_int(number, out)
    return out


def _long_tag(tag16: int, length: int) -> bytes:
    """The tag and length of what is too long for a shorter form; the 32-bit tag is the next one."""
    if length < 0x1_0000:
        return _tag_u16(tag16, length)
    if length < 0x1_0000_0000:
        return _tag_u32(tag16 + 1, length)
    raise WireError("a value has more than 2**32 - 1 elements")


def _packed_key(key: object) -> bytes:
    if not isinstance(key, str):
        raise WireError(f"a key is a {type(key).__name__}, not a string")
    out = bytearray()
    _pack_into(key, out, 0)
    data = bytes(out)
    if type(key) is str and len(key) < 32 and key.isascii() and len(_packed_keys) < _CACHED_KEYS:
        _packed_keys[key] = data
    return data


def _plain(obj: object) -> object:
    """Return `obj`, of a subclass of a supported type, as that type."""
    # A class may override a conversion such as `__str__`, so the base's own methods are called.
    if isinstance(obj, str):
        return str.__str__(obj)
    if isinstance(obj, int):
        return int.__int__(obj)
    if isinstance(obj, float):
        return float.__float__(obj)
    if isinstance(obj, (list, tuple)):
        return list(obj)
    if isinstance(obj, Mapping):
        return dict(obj)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return bytes(obj)
    raise WireError(f"a {type(obj).__name__} cannot be sent")


def _unpack_from(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Return the value at `at` and where it ends; may raise IndexError, struct.error."""
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag < 0x90:
        return _unpack_map(data, at, tag & 0x0F, depth)
    if tag < 0xA0:
        return _unpack_array(data, at, tag & 0x0F, depth)
    if tag < 0xC0:
        end = at + (tag & 0x1F)
        if end > len(data):
            raise IndexError
        return data[at:end].decode(), end
    if tag == 0xD9:
        at += 1
        end = at + data[at - 1]
        if end > len(data):
            raise IndexError
        return data[at:end].decode(), end
    if tag == 0xCB:
        return _f64(data, at)[0], at + 8
    if tag >= 0xE0:
        return tag - 0x100, at
    return _UNPACKERS[tag - 0xC0](data, at, depth)


def _unpack_map(data: bytes, at: int, length: int, depth: int) -> tuple[dict[str, Any], int]:
    if not depth:
        raise WireError(f"the message is nested deeper than {MAX_DEPTH}")
    depth -= 1
    result: dict[str, Any] = {}
    for _ in range(length):
        # Nearly all keys are short, and were seen before.
        tag = data[at]
        if 0xA0 <= tag < 0xC0:
            end = at + 1 + (tag & 0x1F)
            packed = data[at:end]
            key = _known_keys.get(packed)
            if key is None:
                key = _known_key(packed, tag & 0x1F)
            at = end
        else:
            key, at = _unpack_from(data, at, depth)
            if type(key) is not str:
                raise WireError(f"a key is a {type(key).__name__}, not a string")
        tag = data[at]
        if tag < 0x80:
            result[key] = tag
            at += 1
        elif 0xA0 <= tag < 0xC0:
            at += 1
            end = at + (tag & 0x1F)
            if end > len(data):
                raise IndexError
            result[key] = data[at:end].decode()
            at = end
        elif tag == 0xC0:
            result[key] = None
            at += 1
        else:
            result[key], at = _unpack_from(data, at, depth)
    if len(result) != length:
        raise WireError("a map has a key twice")
    return result, at


def _unpack_array(data: bytes, at: int, length: int, depth: int) -> tuple[list[Any], int]:
    if not depth:
        raise WireError(f"the message is nested deeper than {MAX_DEPTH}")
    depth -= 1
    # The list grows with what is there, not with the length that is claimed.
    result = []
    for _ in range(length):
        value, at = _unpack_from(data, at, depth)
        result.append(value)
    return result, at


def _known_key(packed: bytes, length: int) -> str:
    if len(packed) != 1 + length:
        raise IndexError
    key = packed[1:].decode()
    if len(_known_keys) < _CACHED_KEYS:
        _known_keys[packed] = key
    return key


_Unpacker = Callable[[bytes, int, int], "tuple[Any, int]"]


def _constant(value: object) -> _Unpacker:
    return lambda data, at, depth: (value, at)


def _number(read: Callable[[bytes, int], tuple[Any, ...]], size: int) -> _Unpacker:
    return lambda data, at, depth: (read(data, at)[0], at + size)


def _u8(data: bytes, at: int) -> tuple[int]:
    return (data[at],)


def _binary(read: Callable[[bytes, int], tuple[Any, ...]], size: int) -> _Unpacker:
    def unpacker(data: bytes, at: int, depth: int) -> tuple[bytes, int]:
        at += size
        end = at + read(data, at - size)[0]
        if end > len(data):
            raise IndexError
        return data[at:end], end

    return unpacker


def _string(read: Callable[[bytes, int], tuple[Any, ...]], size: int) -> _Unpacker:
    def unpacker(data: bytes, at: int, depth: int) -> tuple[str, int]:
        at += size
        end = at + read(data, at - size)[0]
        if end > len(data):
            raise IndexError
        return data[at:end].decode(), end

    return unpacker


def _array(read: Callable[[bytes, int], tuple[Any, ...]], size: int) -> _Unpacker:
    return lambda data, at, depth: _unpack_array(data, at + size, read(data, at)[0], depth)


def _map(read: Callable[[bytes, int], tuple[Any, ...]], size: int) -> _Unpacker:
    return lambda data, at, depth: _unpack_map(data, at + size, read(data, at)[0], depth)


def _unsupported(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    raise WireError(f"the message holds a value of the unsupported type 0x{data[at - 1]:02x}")


# For the tags 0xC0 to 0xDF, in order.
_UNPACKERS: Final[tuple[_Unpacker, ...]] = (
    _constant(None),
    _unsupported,
    _constant(False),
    _constant(True),
    _binary(_u8, 1),
    _binary(_u16, 2),
    _binary(_u32, 4),
    _unsupported,
    _unsupported,
    _unsupported,
    _number(_f32, 4),
    _number(_f64, 8),
    _number(_u8, 1),
    _number(_u16, 2),
    _number(_u32, 4),
    _number(_u64, 8),
    _number(_i8, 1),
    _number(_i16, 2),
    _number(_i32, 4),
    _number(_i64, 8),
    _unsupported,
    _unsupported,
    _unsupported,
    _unsupported,
    _unsupported,
    _string(_u8, 1),
    _string(_u16, 2),
    _string(_u32, 4),
    _array(_u16, 2),
    _array(_u32, 4),
    _map(_u16, 2),
    _map(_u32, 4),
)


# What is the same in all messages of a kind, up to a value that is not.
_length_into = struct.Struct(">I").pack_into
_ADDRESS: Final = b"\x82" + pack("address") + b"\x82" + pack("nodeid")
_NTH: Final = pack("nth")
_FIRST: Final = _NTH + pack(0)
_SCOPE: Final = pack("scope")
_STARTED: Final = bytes(HEADER) + b"\x82" + pack("type") + pack("started") + pack("task")
_AT: Final = pack("at")
_RESULT: Final = bytes(HEADER) + b"\x85" + pack("type") + pack("result") + pack("task")
_OUTCOME: Final = pack("outcome")
_SETUP: Final = pack("seconds") + b"\x83" + pack("setup") + b"\xcb"
_CALL: Final = pack("call") + b"\xcb"
_TEARDOWN: Final = pack("teardown") + b"\xcb"
_PAYLOAD: Final = pack("payload")
_SHARED: Final = pack("shared")
_RERUNS: Final = pack("reruns")
_EXCUSED: Final = pack("excused") + pack(True)
_STORY: Final = pack("story")
_PASSED: Final = _OUTCOME + pack("passed")
_seconds = struct.Struct(f">{len(_SETUP)}sd{len(_CALL)}sd{len(_TEARDOWN)}sd{len(_PAYLOAD)}s").pack
# Frames whose numbers are of 16 bits: with the tag of the number that comes next.
_started = struct.Struct(f">{len(_STARTED) + 1}sH")
_started_16 = _started.pack
_STARTED_16: Final = (_started.size - HEADER).to_bytes(HEADER, "big") + _STARTED[HEADER:] + b"\xcd"
_RESULT_16: Final = _RESULT[HEADER:] + b"\xcd"
_PASSED_BEGIN: Final = _PASSED + _SETUP
_PAYLOAD_8: Final = _PAYLOAD + b"\xc4"
_PAYLOAD_16: Final = _PAYLOAD + b"\xc5"
_passed = (
    f">I{len(_RESULT_16)}sH{len(_PASSED_BEGIN)}sd{len(_CALL)}sd{len(_TEARDOWN)}sd{len(_PAYLOAD_8)}s"
)
_passed_8 = struct.Struct(_passed + "B").pack
_passed_16 = struct.Struct(_passed + "H").pack
_PASSED_8: Final = struct.calcsize(_passed + "B") - HEADER
_PASSED_16: Final = struct.calcsize(_passed + "H") - HEADER
