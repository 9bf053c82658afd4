"""Screens that never read among many that do, on a busy store: the readers miss nothing, the stuck are dropped, memory stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import psutil

from tests.conftest import Serve
from tests.flows.client import MANY, PATIENCE_S, Screen, deaf, open_store
from tests.support.waiting import until_async

READERS = 100
STUCK = 30
MOST_MIB = 60
"""30 x (256 KiB of backlog + 64 KiB in the system + a snapshot) is 12 MiB; the rest is for the allocator and for what 40 MiB of answers leave behind."""


def sockets(pid: int, port: int) -> int:
    """Connections that the process holds on its port."""
    held = psutil.Process(pid).net_connections(kind="tcp")
    return sum(one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED for one in held if one.laddr)


async def test_stuck_screens_are_dropped_and_cost_the_others_nothing(server: Serve) -> None:
    started = server(max_backlog_seconds=2, **MANY)
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(started, queues=10))
        token = await owner.board_token()
        topic = f"store/{owner.store_id}/board"
        readers = [Screen(started, token, topic) for _ in range(READERS)]
        for screen in readers:
            await screen.connect()
        stuck = [await deaf(started, token, topic) for _ in range(STUCK)]
        for one in stuck:
            stack.callback(one.transport.abort)
        process = psutil.Process(started.pid)
        held_before = sockets(started.pid, started.port)
        assert held_before >= READERS + STUCK
        rss_before = rss_most = process.memory_info().rss

        edits = 0
        while sockets(started.pid, started.port) > held_before - STUCK:
            text = f"{edits} " + "Wait a little. " * 60
            queues = [{"id": letter, "waiting_text": text, "end_text": text} for letter in "ABCDEFGHIJ"]
            (await owner.http.put(owner.path, json={"queues": queues})).raise_for_status()
            edits += 1
            rss_most = max(rss_most, process.memory_info().rss)
            assert edits < 2000, "the stuck sockets are still held"

        assert sockets(started.pid, started.port) == held_before - STUCK
        assert (rss_most - rss_before) / 2**20 < MOST_MIB
        await asyncio.gather(*(screen.check() for screen in readers[:5]))
        last = readers[0].view
        for screen in readers[5:]:
            await screen.reached(last.seq)
            assert not screen.view.differences(last)
            assert not screen.faults
            assert screen.connected
        for screen in readers:
            await screen.lock()


async def test_a_screen_that_stops_for_a_while_gets_one_fresh_state(server: Serve) -> None:
    """It reads again before it is given up: what it missed comes as a whole."""
    started = server(max_backlog_seconds=60, soft_backlog_bytes=2048, hard_backlog_bytes=4_000_000, **MANY)
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(started, queues=10))
        topic = f"store/{owner.store_id}/board"
        screen = await stack.enter_async_context(Screen(started, await owner.board_token(), topic))
        other = await stack.enter_async_context(Screen(started, await owner.board_token(), topic))
        assert screen.connection is not None
        assert screen.connection.socket is not None
        transport = screen.connection.socket.transport
        transport.pause_reading()
        # Else the system's buffer grows with what comes, up to more than all of this.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        for number in range(60):
            text = f"{number} " + "Wait a little. " * 60
            queues = [{"id": letter, "waiting_text": text, "end_text": text} for letter in "ABCDEFGHIJ"]
            (await owner.http.put(owner.path, json={"queues": queues})).raise_for_status()
        transport.resume_reading()

        await until_async(lambda: any('"conflated":true' in text for text in screen.heard), PATIENCE_S, "a fresh state")
        await other.check()
        await screen.reached(other.view.seq)
        assert not screen.view.differences(other.view)
