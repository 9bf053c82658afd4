"""The ping wheel, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

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
    async with running(ping_seconds=0.5, pong_seconds=0.5) as server:
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
