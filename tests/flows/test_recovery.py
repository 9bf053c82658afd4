"""A phone that was locked while things happened comes back to exactly what everybody else sees, by the missed events or by a fresh state."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.conftest import Serve
from tests.flows.client import MANY, Owner, Screen, live_ticket, off_loop, open_store, visitor
from tests.flows.client import join as join_store
from tests.support.waiting import until_async


async def evening(owner: Owner) -> None:
    """Fifty things: joins, calls, every kind of end, edits, scans."""
    parties = [(await owner.walk_in(f"Party {number}", "AB"[number % 2]))["ticket"]["id"] for number in range(15)]  # 15
    for queue in "AB":
        for _ in range(4):
            await owner.call_next(queue)  # 23
    for ticket, action in zip(parties[:8], ("recall", "serve", "done", "no_show", "return", "remove", "serve", "done"), strict=True):
        (await owner.change(ticket, action)).raise_for_status()  # 31
    for paused in (True, False):
        (
            await owner.http.put(owner.path, json={"name": f"Luigi's {paused}", "queues": [{"id": "A", "paused": paused}]})
        ).raise_for_status()  # 35
    for number in range(6):
        async with visitor(owner.server) as http:
            await join_store(owner, http, f"Guest {number}")  # 47
            if number == 5:
                (await http.delete("/v1/ticket")).raise_for_status()  # 48
    (await owner.change(parties[0], "done")).raise_for_status()
    (await owner.change(parties[9], "serve")).raise_for_status()  # 50


@pytest.mark.parametrize(("replay_events", "recovered"), [(1000, True), (20, False)], ids=["missed events", "more than are kept"])
async def test_a_locked_phone_comes_back_to_the_present(server: Serve, database_url: str, replay_events: int, recovered: bool) -> None:
    started = server(database_url=database_url, replay_events=replay_events, **MANY)
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(started, board_code=True))
        phone = await stack.enter_async_context(visitor(started))
        own = await live_ticket(owner, await join_store(owner, phone, "Ann"))
        locked = [
            Screen(started, owner.token, owner.topic),
            Screen(started, own["live_token"], own["topics"][0]),
            Screen(started, await owner.board_token(), f"store/{owner.store_id}/board"),
        ]
        party = Screen(started, own["live_token"], own["topics"][1])
        watching = await stack.enter_async_context(Screen(started, owner.token, owner.topic))
        for screen in (*locked, party):
            await screen.connect()
            await screen.lock()
        before = locked[0].view.seq

        await evening(owner)
        for screen in (*locked, party):
            await screen.connect(since=True)

        assert locked[0].view.seq >= before + 50
        for screen in locked:
            assert screen.view.recovered is recovered
            await screen.check()
        await party.check()
        await watching.check()
        for screen in (*locked, party):
            await screen.lock()


async def test_what_was_missed_is_also_given_after_a_restart(server: Serve, database_url: str) -> None:
    started = server(database_url=database_url, **MANY)
    async with open_store(started) as owner:
        screen = await Screen(started, owner.token, owner.topic).connect()
        await screen.lock()
        await evening(owner)
        await off_loop(started.stop)
        await off_loop(started.start)

        await screen.connect(since=True)

        assert screen.view.recovered is True
        await screen.check()
        await screen.lock()


async def test_who_remembers_another_past_gets_the_whole_state(server: Serve) -> None:
    started = server(**MANY)
    async with open_store(started) as owner, Screen(started, owner.token, owner.topic) as screen:
        ann = (await owner.walk_in("Ann"))["ticket"]["id"]
        # What is told after its new beginning is in that already, which this screen does not read.
        await until_async(lambda: ann in screen.view.tickets, what="the screen to hear of Ann")

        reply = await screen.say(subscribe={"topic": owner.topic, "since": {"epoch": "another", "seq": 1}})

        assert reply["ok"]["recovered"] is False
        await screen.check()


async def test_where_an_owners_screen_remembers_more_than_there_is_everybody_begins_anew(server: Serve) -> None:
    """The database is at an earlier state than was told: whatever happens next gets the numbers of what was lost."""
    started = server(**MANY)
    async with open_store(started) as owner, Screen(started, owner.token, owner.topic) as screen:
        ann = (await owner.walk_in("Ann"))["ticket"]["id"]
        # What is told after its new beginning is in that already, which this screen does not read.
        await until_async(lambda: ann in screen.view.tickets, what="the screen to hear of Ann")
        before = screen.view.epoch

        reply = await screen.say(subscribe={"topic": owner.topic, "since": {"epoch": before, "seq": 2**53}})

        assert reply["ok"]["recovered"] is False
        assert await screen.gone() == 4000
        await screen.connect(since=True)
        assert screen.view.recovered is False
        assert screen.view.epoch != before
        await screen.check()


async def test_subscribing_while_much_happens_skips_and_repeats_nothing(server: Serve, database_url: str) -> None:
    """Whole states and missed events are read while commits go on."""
    started = server(database_url=database_url, **MANY)
    async with open_store(started) as owner:
        over = asyncio.Event()

        async def busy(name: str) -> None:
            while not over.is_set():
                await owner.walk_in(name)

        work = [asyncio.create_task(busy(f"Worker {number}")) for number in range(4)]
        screens = [Screen(started, owner.token, owner.topic) for _ in range(6)]
        for screen in screens:
            await screen.connect()
        for _ in range(3):
            for screen in screens:
                await screen.lock()
                await screen.connect(since=True)
                assert screen.view.recovered is True
        over.set()
        await asyncio.gather(*work)

        for screen in screens:
            await screen.check()
            await screen.lock()
