"""Writing one `bytes` to many files: what each takes, and what is left to its sink."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from realtime.writing import write_to_all
from tests.support.hub import MemorySink

DATA = b"one for all"


class FileSink(MemorySink):
    """A sink on one end of a pair of sockets."""

    def __init__(self, held: ExitStack) -> None:
        super().__init__()
        self.own, self.other = (held.enter_context(end) for end in socket.socketpair())
        self.own.setblocking(False)
        self.other.setblocking(False)
        self.own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.fd = self.own.fileno()

    def fill(self) -> None:
        """Leaves its file no room."""
        try:
            while True:
                self.own.send(bytes(1000))
        except BlockingIOError:
            pass

    @property
    def came(self) -> bytes:
        try:
            return self.other.recv(100)
        except BlockingIOError:
            return b""


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def nobody(sink: object, data: bytes) -> None:
    raise AssertionError(f"{sink} has a file")


def test_every_file_takes_all_of_it(held: ExitStack) -> None:
    sinks = [FileSink(held) for _ in range(50)]
    write_to_all(sinks, DATA, nobody)
    assert [sink.came for sink in sinks] == [DATA] * 50
    assert not any(sink.writes for sink in sinks)


def test_who_has_no_room_or_has_gone_is_left_to_the_sink_and_holds_up_nobody(held: ExitStack) -> None:
    sinks = [FileSink(held) for _ in range(9)]
    full, gone, last = sinks[0], sinks[4], sinks[8]
    full.fill()
    last.fill()
    gone.other.close()
    write_to_all(sinks, DATA, nobody)
    others = [sink for sink in sinks if sink not in (full, gone, last)]
    assert [sink.came for sink in others] == [DATA] * 6
    assert [sink.writes for sink in sinks] == [[DATA], [], [], [], [DATA], [], [], [], [DATA]]


def test_what_a_file_has_no_room_for_is_given_to_its_sink(held: ExitStack) -> None:
    sinks = [FileSink(held) for _ in range(3)]
    data = bytes(range(256)) * 4000
    write_to_all(sinks, data, nobody)
    for sink in sinks:
        (rest,) = sink.writes
        taken = b""
        while piece := sink.came:
            taken += piece
        assert taken
        assert taken + rest == data


def test_a_sink_without_a_file_is_told_otherwise(held: ExitStack) -> None:
    plain, other = MemorySink(), MemorySink()
    sinks = [plain, FileSink(held), other, FileSink(held)]
    told: list[tuple[object, bytes]] = []
    write_to_all(sinks, DATA, lambda sink, data: told.append((sink, data)))
    assert told == [(plain, DATA), (other, DATA)]
    assert [sink.came for sink in sinks if isinstance(sink, FileSink)] == [DATA, DATA]
