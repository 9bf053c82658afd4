"""What a WebSocket's client sends, read from bytes as they come (RFC 6455 §5): whole messages and control frames, or what is wrong. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from websockets.frames import EXTERNAL_CLOSE_CODES

from realtime.frames import BINARY, CLOSE, CONT, FIN, MOST_CONTROL_BYTES, PING, PONG, TEXT

try:
    from websockets.speedups import apply_mask
except ImportError:  # where its C extension could not be built
    from websockets.utils import apply_mask

PROTOCOL_ERROR, NOT_UTF8, TOO_LARGE = 1002, 1007, 1009
NO_CODE = 1005
"""§7.1.5: what a close frame without a code stands for."""
MOST_FRAGMENTS = 1_000
"""Of one message; empty ones add nothing to its length, and each has to be read."""
_RESERVED, _MASKED = 0x70, 0x80
_KNOWN = frozenset({CONT, TEXT, BINARY, CLOSE, PING, PONG})


class Broken(Exception):
    """The client broke the protocol: nothing that follows can be read, and the connection ends with `code` (§7.1.7)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Reader:
    """Frames of one client, in bytes however they are cut.

    Args:
        most_bytes: the largest message, all of its fragments together; no more of it is kept.
    """

    __slots__ = ("_fragments", "_kind", "_most_bytes", "_parts", "_rest")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._rest = b""
        """The beginning of a frame that is not whole yet."""
        self._parts: bytearray | None = None
        """The fragments of a message that is not whole yet."""
        self._fragments = 0
        self._kind = TEXT

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) of each message (TEXT, BINARY; the payload is not decoded) and each control frame (CLOSE, PING, PONG).

        Raises:
            Broken: after everything that came before the fault.
        """
        if self._rest:
            data = self._rest + data
        at = 0
        while len(data) - at >= 2:
            first, length = data[at], data[at + 1] & ~_MASKED
            self._check(first, data[at + 1])
            begin = at + 6
            if length == 126:
                begin = at + 8
                if len(data) < begin:
                    break
                (length,) = struct.unpack_from("!H", data, at + 2)
            elif length == 127:
                begin = at + 14
                if len(data) < begin:
                    break
                (length,) = struct.unpack_from("!Q", data, at + 2)
            opcode = first & 0x0F
            if length > self._most_bytes - len(self._parts or b"") and opcode < CLOSE:
                raise Broken(TOO_LARGE, f"Send at most {self._most_bytes} bytes in one message.")
            end = begin + length
            if len(data) < end:
                break
            payload = apply_mask(data[begin:end], data[begin - 4 : begin]) if length else b""
            at = end
            if opcode == CLOSE and self._parts is not None:
                close_code(payload)
                raise Broken(PROTOCOL_ERROR, "A goodbye stands behind a whole message.")
            if opcode >= CLOSE or (first & FIN and self._parts is None):
                yield opcode, payload
            elif (whole := self._gather(first, payload)) is not None:
                yield self._kind, whole
        self._rest = data[at:]

    def _check(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED or opcode not in _KNOWN:
            raise Broken(PROTOCOL_ERROR, "A frame has bits that nobody agreed on.")
        if not second & _MASKED:
            raise Broken(PROTOCOL_ERROR, "A client masks its frames.")
        if opcode >= CLOSE:
            if not first & FIN or second & ~_MASKED > MOST_CONTROL_BYTES:
                raise Broken(PROTOCOL_ERROR, "A control frame is short and whole.")
        elif (opcode == CONT) is (self._parts is None):
            raise Broken(PROTOCOL_ERROR, "A fragment stands where none belongs.")

    def _gather(self, first: int, payload: bytes) -> bytes | None:
        """Keeps a fragment; the whole message, if that was the last."""
        if self._parts is None:
            self._kind, self._parts, self._fragments = first & 0x0F, bytearray(payload), 1
            return None
        self._fragments += 1
        if self._fragments > MOST_FRAGMENTS:
            raise Broken(TOO_LARGE, f"Send a message in at most {MOST_FRAGMENTS} fragments.")
        self._parts += payload
        if not first & FIN:
            return None
        whole, self._parts = bytes(self._parts), None
        return whole


def close_code(payload: bytes) -> int:
    """The code of a close frame. Raises: Broken."""
    if not payload:
        return NO_CODE
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Broken(NOT_UTF8, "Send UTF-8 text.") from None
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000):
        raise Broken(PROTOCOL_ERROR, "A close frame has a code that means something.")
    return code
