"""Writing one `bytes` to many files: what each takes, and what is left to its sink, one by one and many in one call."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from realtime import uring, writing
from realtime.uring import ENTRIES, MOST_BYTES, Broken, Uring
from realtime.writing import Writer
from tests.support.batches import HAS_THEM
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


@pytest.fixture(params=[False, True] if HAS_THEM else [False], ids=lambda batches: "in batches" if batches else "one by one")
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Writer:
    monkeypatch.setattr(writing, "FEW", 0)
    return Writer(batches=request.param)


def nobody(sink: object, data: bytes) -> None:
    raise AssertionError(f"{sink} has a file")


def test_every_file_takes_all_of_it(held: ExitStack, writer: Writer) -> None:
    sinks = [FileSink(held) for _ in range(150)]
    for data in (DATA, DATA[:5], DATA):
        writer.write_to_all(sinks, data, nobody)
        assert [sink.came for sink in sinks] == [data] * 150
    assert not any(sink.writes for sink in sinks)


def test_who_has_no_room_or_has_gone_is_left_to_the_sink_and_holds_up_nobody(held: ExitStack, writer: Writer) -> None:
    sinks = [FileSink(held) for _ in range(9)]
    full, gone, last = sinks[0], sinks[4], sinks[8]
    full.fill()
    last.fill()
    gone.other.close()
    writer.write_to_all(sinks, DATA, nobody)
    others = [sink for sink in sinks if sink not in (full, gone, last)]
    assert [sink.came for sink in others] == [DATA] * 6
    assert [sink.writes for sink in sinks] == [[DATA], [], [], [], [DATA], [], [], [], [DATA]]


@pytest.mark.parametrize("size", [MOST_BYTES, MOST_BYTES + 256, 1_024_000])
def test_what_a_file_has_no_room_for_is_given_to_its_sink(held: ExitStack, writer: Writer, size: int) -> None:
    sinks = [FileSink(held) for _ in range(3)]
    data = bytes(range(256)) * (size // 256)
    writer.write_to_all(sinks, data, nobody)
    for sink in sinks:
        (rest,) = sink.writes
        taken = b""
        while piece := sink.came:
            taken += piece
        assert taken
        assert taken + rest == data


def test_a_sink_without_a_file_is_told_otherwise(held: ExitStack, writer: Writer) -> None:
    plain, other = MemorySink(), MemorySink()
    sinks = [plain, FileSink(held), other, FileSink(held)]
    told: list[tuple[object, bytes]] = []
    writer.write_to_all(sinks, DATA, lambda sink, data: told.append((sink, data)))
    assert told == [(plain, DATA), (other, DATA)]
    assert [sink.came for sink in sinks if isinstance(sink, FileSink)] == [DATA, DATA]


def test_few_are_written_to_one_by_one_and_more_in_batches_where_that_is_wanted(held: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def none() -> Uring:
        tried.append(None)
        raise OSError("not allowed")

    monkeypatch.setattr(uring, "tried", none)
    sinks = [FileSink(held) for _ in range(writing.FEW + 1)]

    Writer().write_to_all(sinks[1:], DATA, nobody)
    Writer(batches=False).write_to_all(sinks, DATA, nobody)
    assert not tried
    Writer().write_to_all(sinks, DATA, nobody)
    assert len(tried) == 1

    assert [sink.came for sink in sinks] == [2 * DATA, *[3 * DATA] * writing.FEW]


def test_a_python_that_cannot_call_the_system_writes_one_by_one(held: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    sinks = [FileSink(held) for _ in range(20)]

    Writer().write_to_all(sinks, DATA, nobody)

    assert [sink.came for sink in sinks] == [DATA] * 20


def test_where_the_system_has_no_batches_it_is_said_once_and_all_is_written(
    held: ExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none() -> Uring:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(uring, "tried", none)
    caplog.set_level(logging.INFO)
    sinks, writer = [FileSink(held) for _ in range(20)], Writer()

    for _ in range(2):
        writer.write_to_all(sinks, DATA, nobody)

    assert [sink.came for sink in sinks] == [2 * DATA] * 20
    assert [record.getMessage() for record in caplog.records] == ["Sends go to the system one by one: [Errno 1] Operation not permitted"]


class Breaks:
    """Sends a few, and breaks: of the others some took nothing, and of one nobody knows."""

    def __init__(self) -> None:
        self.calls = 0

    def send(self, files: Sequence[int], data: bytes) -> list[int]:
        self.calls += 1
        if self.calls == 1:
            return [os.write(file, data) for file in files]
        raise Broken([0, None, *[0] * (len(files) - 2)])


def test_when_batches_break_nobody_is_told_twice_and_who_may_have_been_is_sent_away(
    held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = Breaks()
    monkeypatch.setattr(uring, "tried", lambda: breaks)
    sinks, writer = [FileSink(held) for _ in range(2 * ENTRIES + 9)], Writer()

    for _ in range(2):
        writer.write_to_all(sinks, DATA, nobody)

    lost = sinks.pop(ENTRIES + 1)
    assert lost.closed == (1006, "")
    assert breaks.calls == 2
    assert all(sink.came + b"".join(sink.writes) == 2 * DATA for sink in sinks)
    assert not any(sink.closed for sink in sinks)
