"""What a client sends, cut in any way: messages and control frames out, or the code that ends it; the same as websockets' own parser says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as some
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from realtime.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT
from realtime.server.reader import NO_CODE, Broken, Reader, close_code

MOST = 300


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = b"\1\2\3\4", bits: int = 0) -> bytes:
    head = bytes([(0x80 if fin else 0) | bits | opcode])
    size = len(payload)
    head += (
        bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big") if size < 65_536 else b"\xff" + size.to_bytes(8, "big")
    )
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def read(*parts: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """What comes out, and the code of what broke it; 0 if nothing did."""
    reader, found = Reader(MOST), []
    try:
        for part in parts:
            for opcode, payload in reader.read(part):
                if opcode == CLOSE:
                    close_code(payload)
                found.append((opcode, payload))
    except Broken as broken:
        assert str(broken)
        return found, broken.code
    return found, 0


def in_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, MOST])
def test_a_message_of_any_size_comes_whole_however_it_is_cut(size: int) -> None:
    data = frame(TEXT, b"x" * size) + frame(PING, b"y")
    expected = ([(TEXT, b"x" * size), (PING, b"y")], 0)

    assert read(data) == expected
    assert read(*in_bytes(data)) == expected
    assert read(data[:5], data[5:]) == expected


def test_fragments_are_one_message_and_control_frames_may_stand_between_them() -> None:
    data = (
        frame(TEXT, b"on", fin=False)
        + frame(PING)
        + frame(CONT, b"", fin=False)
        + frame(PONG, b"p")
        + frame(CONT, b"e")
        + frame(BINARY, b"two")
    )

    assert read(data) == ([(PING, b""), (PONG, b"p"), (TEXT, b"one"), (BINARY, b"two")], 0)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, bits=0x40), 1002),
        (frame(0x3), 1002),
        (frame(0xB), 1002),
        (b"\x81\x01x", 1002),  # not masked
        (frame(PING, fin=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CONT), 1002),
        (frame(TEXT, fin=False) + frame(TEXT), 1002),
        (frame(TEXT, b"x" * (MOST + 1)), 1009),
        (frame(TEXT, b"x" * 70_000)[:14], 1009),  # before the rest of it has come
        (b"\x81\xff" + b"\xff" * 12, 1009),
        (frame(TEXT, b"x" * 200, fin=False) + frame(CONT, b"x" * 101), 1009),
        (frame(TEXT, fin=False) + frame(CLOSE), 1002),
        (frame(TEXT, fin=False) + frame(CLOSE, b"\0\0\x80"), 1007),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
        (frame(CLOSE, (2999).to_bytes(2, "big")), 1002),
        (frame(CLOSE, (5000).to_bytes(2, "big")), 1002),
        (frame(CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
    ],
)
def test_what_breaks_the_protocol_has_its_code(data: bytes, code: int) -> None:
    good = frame(TEXT, b"good")

    assert read(good + data) == ([(TEXT, b"good")], code)
    assert read(*in_bytes(data)) == ([], code)


@pytest.mark.parametrize(("payload", "code"), [(b"", NO_CODE), (b"\x03\xe8", 1000), (b"\x0b\xb8bye", 3000), (b"\x11\x3a", 4410)])
def test_a_goodbye_has_a_code(payload: bytes, code: int) -> None:
    assert close_code(payload) == code


def by_websockets(parts: list[bytes]) -> tuple[list[tuple[int, bytes]], int]:
    """What websockets' parser makes of it, fragments put together."""
    conn = ServerProtocol(max_size=MOST, state=OPEN)
    found: list[tuple[int, bytes]] = []
    whole, kind = b"", TEXT
    for part in parts:
        conn.receive_data(part)
        for event in conn.events_received():
            assert isinstance(event, Frame)
            data = bytes(event.data)
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                if event.opcode is not Opcode.CONT:
                    kind = int(event.opcode)
                whole += data
                if event.fin:
                    found.append((kind, whole))
                    whole = b""
            else:
                found.append((int(event.opcode), data))
        if conn.parser_exc is not None:
            assert conn.close_sent is not None
            return found, conn.close_sent.code
        if conn.close_rcvd is not None:
            break
    return found, 0


frames = some.builds(
    frame,
    some.sampled_from([CONT, TEXT, BINARY, CLOSE, PING, PONG, TEXT, CONT, 0x3, 0xF]),
    some.binary(max_size=20)
    | some.sampled_from([b"\x03\xe8", b"\x03\xe8bye", b"\x03\xe8\xff", b"x" * 125, b"x" * 126, b"x" * 200, b"x" * MOST, b"x" * (MOST + 1)]),
    fin=some.booleans(),
    mask=some.binary(min_size=4, max_size=4),
    bits=some.sampled_from([0, 0, 0, 0, 0, 0, 0x40, 0x10]),
)


@given(some.lists(frames | some.binary(max_size=8), max_size=6).map(b"".join), some.lists(some.integers(0, 400), max_size=4))
@example(frame(TEXT, b"x" * 200, fin=False) + frame(CONT, b"x" * 200), [3])
@example(frame(CLOSE, b"\0\0\x80"), [])  # neither its code nor its reason is any
def test_any_bytes_are_read_as_websockets_reads_them(data: bytes, cuts: list[int]) -> None:
    at = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    parts = [data[begin:end] for begin, end in pairwise(at)]

    ours, our_code = read(*parts)
    if any(opcode == CLOSE for opcode, _ in ours):  # what follows a goodbye is read by nobody
        ours, our_code = ours[: [opcode for opcode, _ in ours].index(CLOSE) + 1], 0
    # Theirs looks at some heads only when the payload is there.
    theirs, code = by_websockets([*parts, bytes(70_000)] if our_code else parts)

    # It also takes a control frame for a part of the message around it, and finds that too large.
    assume(code != 1009 or our_code == 1009)

    assert ours == theirs
    assert code == our_code
