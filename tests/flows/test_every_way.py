"""Whatever way a screen is told by - socket, event stream, polls - it is told the same: in order, without a gap, and only what is its own."""

from __future__ import annotations

import asyncio
import contextlib

import psutil
import pytest

from tests.conftest import Serve
from tests.flows.client import MANY, PATIENCE_S, Screen, live_ticket, off_loop, open_store, visitor
from tests.flows.client import join as join_store
from tests.flows.screens import VIAS, PollScreen, SseScreen, screen
from tests.flows.test_recovery import evening
from tests.support.waiting import until_async

ways = pytest.mark.parametrize("via", VIAS)


@ways
async def test_the_state_then_every_change_in_order(server: Serve, via: str) -> None:
    started = server(**MANY)
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(started, board_code=True))
        phone = await stack.enter_async_context(visitor(started))
        own = await live_ticket(owner, await join_store(owner, phone, "Ann"))
        screens = [
            screen(via, started, owner.token, owner.topic),
            screen(via, started, own["live_token"], own["topics"][0]),
            screen(via, started, await owner.board_token(), f"store/{owner.store_id}/board"),
        ]
        party = screen(via, started, own["live_token"], *own["topics"])
        for each in (*screens, party):
            await stack.enter_async_context(each)

        await evening(owner)

        for each in screens:
            await each.check()
        line, ticket = (party.views[topic] for topic in own["topics"])
        await until_async(lambda: ticket.own["state"] == "called", PATIENCE_S, "the party to hear that it is called")
        await party.reached(screens[1].view.seq, line.topic)
        assert not line.differences(screens[1].view)
        assert not party.faults
        assert len(screens[0].view.changes) >= 50
        assert not any("Ann" in text for text in screens[2].heard)


@ways
@pytest.mark.parametrize(("replay_events", "recovered"), [(1000, True), (20, False)], ids=["missed events", "more than are kept"])
async def test_a_lost_connection_is_taken_up_again(server: Serve, via: str, replay_events: int, recovered: bool) -> None:
    started = server(replay_events=replay_events, **MANY)
    async with open_store(started) as owner:
        lost = await screen(via, started, owner.token, owner.topic).connect()
        await lost.lock()
        await evening(owner)

        await lost.connect(since=True)

        assert lost.view.recovered is recovered
        await lost.check()
        await lost.lock()


@pytest.mark.parametrize(
    ("database_url", "via"),
    [("sqlite", "websocket"), ("postgres", "websocket"), ("postgres", "sse"), ("sqlite", "polling")],
    indirect=["database_url"],
)
async def test_a_restart_loses_nothing_and_tells_when_to_come_back(server: Serve, database_url: str, via: str) -> None:
    started = server(database_url=database_url, **MANY)
    async with open_store(started) as owner:
        listening = await screen(via, started, owner.token, owner.topic).connect()
        await owner.walk_in("Ann")
        await listening.reached(2)

        assert await off_loop(started.stop, 10.0) == 0
        code = await listening.gone()
        await off_loop(started.start)
        await owner.walk_in("Bo")
        await listening.come_back()

        assert listening.view.recovered is True
        await listening.check()
        if via != "polling":
            assert code == 1012
            assert listening.told_to_come_back[0]["after_ms"] >= 0
        if isinstance(listening, SseScreen):
            assert listening._source is not None
        await listening.lock()


@ways
async def test_who_is_killed_in_the_middle_of_a_rush_comes_back_to_the_truth(server: Serve, via: str) -> None:
    started = server(**MANY)
    async with open_store(started) as owner:
        listening = await screen(via, started, owner.token, owner.topic).connect()
        for _ in range(2):
            await asyncio.gather(*(owner.walk_in(f"Party {number}") for number in range(20)))
            await off_loop(started.kill)
            await listening.gone()
            await off_loop(started.start)
            await listening.come_back()
        await listening.check()
        await listening.lock()


@ways
async def test_a_wrong_token_hears_nothing(server: Serve, via: str) -> None:
    started = server(**MANY)
    async with open_store(started) as owner:
        for token, topic in (("nobody", owner.topic), (await owner.board_token(), owner.topic), (owner.token, "store/another/owner")):
            listening = screen(via, started, token, topic)
            with pytest.raises((KeyError, AssertionError, ConnectionError)):
                await listening.connect()
            assert not listening.view.store
            await listening.lock()


@ways
async def test_the_end_of_a_store_is_told(server: Serve, via: str) -> None:
    started = server(**MANY)
    async with open_store(started) as owner:
        listening = await screen(via, started, owner.token, owner.topic).connect()

        await owner.close_store()
        await until_async(lambda: listening.view.store["state"] == "reported", PATIENCE_S, "the report")
        (await owner.http.post(f"{owner.path}/delete")).raise_for_status()

        code = await listening.gone()
        if isinstance(listening, PollScreen):
            assert listening.refusal in {"store_closed", "store_not_found"}
        else:
            assert code == 4410
        with pytest.raises((AssertionError, ConnectionError)):
            await listening.connect()
        await listening.lock()


async def test_a_stuck_stream_is_dropped_and_costs_the_others_nothing(server: Serve) -> None:
    started = server(max_backlog_seconds=2, **MANY)
    async with open_store(started, queues=10) as owner:
        topic, token = f"store/{owner.store_id}/board", await owner.board_token()
        reader = await screen("sse", started, token, topic).connect()
        socket = await Screen(started, token, topic).connect()
        _, stuck = await asyncio.open_connection("127.0.0.1", started.port, limit=1024)
        stuck.write(f"GET /live/sse?topic={topic} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        stuck.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
        port = stuck.get_extra_info("sockname")[1]

        def held() -> bool:
            connections = psutil.Process(started.pid).net_connections(kind="tcp")
            return any(each.raddr and each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED for each in connections)

        await until_async(held, what="the stuck stream to be there")
        edits = 0
        while held():
            text = f"{edits} " + "Wait a little. " * 60
            queues = [{"id": letter, "waiting_text": text, "end_text": text} for letter in "ABCDEFGHIJ"]
            (await owner.http.put(owner.path, json={"queues": queues})).raise_for_status()
            edits += 1
            assert edits < 2000, "the stuck stream is still held"

        for each in (reader, socket):
            await each.check()
            await each.lock()
        stuck.transport.abort()
