"""WebSocket frames as a server sends them: made once from a text, then written to every socket as they are (RFC 6455 §5.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

FIN = 0x80
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MOST_CONTROL_BYTES = 125
"""§5.5: "All control frames MUST have a payload length of 125 bytes or less"."""


def text_frame(text: bytes) -> bytes:
    """One unmasked, unfragmented text frame. `text` is UTF-8 already."""
    return _frame(TEXT, text)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; a reason that is too long for one is cut between two characters (§5.5.1)."""
    return _frame(CLOSE, struct.pack("!H", code) + fitting(reason).encode())


def echoed_close_frame(payload: bytes) -> bytes:
    """The answer to a close frame, saying the same (§5.5.1)."""
    return _frame(CLOSE, payload)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a protocol ping, with its payload (§5.5.3)."""
    return _frame(PONG, payload)


def ping_frame(payload: bytes = b"") -> bytes:
    """A protocol ping, which browsers answer by themselves and never show to the page. Raises: ValueError over 125 bytes."""
    if len(payload) > MOST_CONTROL_BYTES:
        raise ValueError(f"A ping carries at most {MOST_CONTROL_BYTES} bytes, not {len(payload)}; shorten the payload.")
    return _frame(PING, payload)


def fitting(reason: str) -> str:
    """As much of a close reason as a close frame has room for: 123 bytes, whole characters."""
    return reason.encode()[: MOST_CONTROL_BYTES - 2].decode(errors="ignore")


def split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Joined server frames -> (opcode, payload) each, for servers that take messages and not frames."""
    at = 0
    while at < len(data):
        opcode, size = data[at] & 0x0F, data[at + 1]
        at += 2
        if size == 126:
            (size,) = struct.unpack_from("!H", data, at)
            at += 2
        elif size == 127:
            (size,) = struct.unpack_from("!Q", data, at)
            at += 8
        yield opcode, data[at : at + size]
        at += size


def texts(data: bytes) -> Iterator[bytes]:
    """Joined server frames -> the JSON texts in them; several may stand in one, each on a line of its own."""
    for opcode, payload in split(data):
        if opcode == TEXT:
            yield from payload.split(b"\n")


def _frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((FIN | opcode, size)) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", FIN | opcode, 126, size) + payload
    return struct.pack("!BBQ", FIN | opcode, 127, size) + payload


APPLICATION_PING = text_frame(b"{}")
"""The ping that a page sees and answers with `{}`; browsers show protocol pings to nobody."""
