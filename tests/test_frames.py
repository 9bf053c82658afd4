"""Frames: what they look like to a WebSocket library that is not ours."""

from __future__ import annotations

import pytest
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from realtime.frames import APPLICATION_PING, CLOSE, PING, TEXT, close_frame, ping_frame, split, text_frame, texts

SIZES = [0, 1, 125, 126, 65_535, 65_536, 200_000]


def parsed(data: bytes) -> Frame:
    reader = StreamReader()
    reader.feed_data(data)
    parser = Frame.parse(reader.read_exact, mask=False)
    try:
        next(parser)
    except StopIteration as done:
        assert not reader.buffer, "bytes are left over"
        frame: Frame = done.value
        return frame
    raise AssertionError("the frame is not complete")


@pytest.mark.parametrize("size", SIZES)
def test_a_text_of_any_size_is_one_final_unmasked_frame(size: int) -> None:
    text = b"x" * size
    frame = parsed(text_frame(text))
    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.TEXT, text, True)


def test_a_close_frame_carries_code_and_reason() -> None:
    frame = parsed(close_frame(4008, "The connection was too slow to keep up."))
    assert frame.opcode is Opcode.CLOSE
    assert Close.parse(bytes(frame.data)) == Close(4008, "The connection was too slow to keep up.")


def test_a_reason_that_is_too_long_is_cut_between_two_characters() -> None:
    close = Close.parse(bytes(parsed(close_frame(1012, "ü" * 100)).data))
    assert close.reason == "ü" * 61


def test_a_ping_with_more_than_a_control_frame_holds_is_refused() -> None:
    assert parsed(ping_frame(b"p" * 125)).opcode is Opcode.PING
    with pytest.raises(ValueError, match="at most 125 bytes"):
        ping_frame(b"p" * 126)


def test_the_application_ping_is_an_empty_object() -> None:
    assert bytes(parsed(APPLICATION_PING).data) == b"{}"


def test_joined_frames_can_be_told_apart_again() -> None:
    said = [b"x" * size for size in SIZES]
    joined = b"".join(map(text_frame, said)) + ping_frame(b"p") + close_frame(1000)
    assert list(split(joined)) == [*((TEXT, text) for text in said), (PING, b"p"), (CLOSE, b"\x03\xe8")]


def test_the_lines_of_a_text_are_texts_of_their_own() -> None:
    joined = text_frame(b"{}") + ping_frame(b"p\np") + text_frame(b'{"a":1}\n{"b":2}') + close_frame(1000, "a\nb")
    assert list(texts(joined)) == [b"{}", b'{"a":1}', b'{"b":2}']
