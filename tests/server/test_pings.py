"""The ping wheel, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.server.pings import PingWheel, _Waits
from tests.server.running import raw, running, until


async def test_a_socket_that_answers_is_asked_again_and_one_that_does_not_is_closed() -> None:
    async with (
        running(ping_seconds=0.3, pong_seconds=0.2) as server,
        connect(server.url) as answering,
        raw(server.port) as silent,
    ):
        asked = 0

        async def answer() -> None:
            nonlocal asked
            with contextlib.suppress(ConnectionClosed):
                async for text in answering:
                    assert text == "{}"
                    asked += 1
                    await answering.send("{}")

        task = asyncio.create_task(answer())
        assert bytes((await silent.frame()).data) == b"{}"
        assert await silent.close_code() == 4012
        await until(lambda: asked >= 3)
        assert len(server.app.pings.sinks) == 1
        await answering.close()
        await task
        await until(lambda: not server.app.pings.sinks)


async def test_pings_are_spread_over_the_interval_and_answers_nobody_asked_for_change_nothing() -> None:
    async with running(ping_seconds=20, pong_seconds=20) as server:
        clients = [await connect(server.url) for _ in range(40)]
        await until(lambda: len(server.app.handlers) == 40)
        for client in clients:
            await client.send("{}")
        places = {turn for turn, slot in enumerate(server.app.pings._slots) if slot}
        assert len(places) >= 4, "all sockets are asked in the same turn"
        assert len(server.app.pings.sinks) == 40
        for client in clients:
            await client.close()
    assert not server.app.pings.sinks


class Reader:
    """A socket in memory that takes `takes` bytes at each look."""

    fd = -1

    def __init__(self, buffered: int, takes: int) -> None:
        self.buffered = buffered
        self.takes = takes
        self.closed: int | None = None
        self.looks = 0

    def write(self, data: bytes) -> None:
        pass

    def buffered_bytes(self) -> int:
        self.looks += 1
        self.buffered = max(0, self.buffered - self.takes)
        return self.buffered

    def close(self, code: int, reason: str = "") -> None:
        self.closed = code

    def abort(self) -> None:
        self.closed = 1006


async def test_who_is_still_taking_in_what_came_before_a_ping_is_waited_for_and_who_takes_nothing_is_not() -> None:
    wheel = PingWheel(ping_seconds=0.05, pong_seconds=0.02)
    slow, stuck = Reader(buffered=1_000, takes=100), Reader(buffered=1_000, takes=0)
    wheel.add(slow)
    wheel.add(stuck)

    await until(lambda: stuck.closed)
    assert stuck.looks == 2, "once with the ping, once when its answer was due"
    await until(lambda: slow.closed)
    assert slow.looks >= 10
    assert (stuck.closed, slow.closed) == (4012, 4012)


async def test_many_sockets_of_one_turn_let_other_work_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.server.pings.SLICE", 10)
    wheel = PingWheel(ping_seconds=10, pong_seconds=10)
    readers = [Reader(0, 0) for _ in range(35)]
    for reader in readers:
        wheel._put(reader, 0, _Waits.FOR_PING)
    looked: list[int] = []

    def in_between() -> None:
        looked.append(sum(reader.looks for reader in readers))
        if looked[-1] < 35:
            asyncio.get_running_loop().call_soon(in_between)

    wheel._turn(float("inf"))
    in_between()
    await until(lambda: looked[-1] == 35)
    assert looked == [10, 20, 30, 35]
