"""kill -9 while people join and staff call: nothing acknowledged is lost, nothing happens twice, and every screen comes back to the truth."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from tests.conftest import Serve
from tests.flows.client import MANY, Screen, off_loop, open_store, select
from tests.flows.crowd import Crowd

ROUNDS = 3


@pytest.mark.parametrize(("database_url", "seed"), [("sqlite", 1), ("postgres", 2)], indirect=["database_url"])
async def test_nothing_is_lost_or_doubled_when_the_server_is_killed_under_load(server: Serve, database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    started = server(database_url=database_url, **MANY)
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(started, board_code=True))
        board = await owner.board_token()
        screens = [Screen(started, owner.token, owner.topic) for _ in range(3)]
        screens += [Screen(started, board, f"store/{owner.store_id}/board") for _ in range(2)]
        for screen in screens:
            await screen.connect()
        crowd = Crowd(owner, chance)
        crowd.start(customers=5, staff=2)

        for _ in range(ROUNDS):
            await crowd.serve(chance.randrange(10, 40))
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            await off_loop(started.kill)
            for screen in screens:
                await screen.gone()
            await off_loop(started.start)
            for screen in screens:
                await screen.come_back()
                assert screen.view.recovered is True
        await crowd.stop()

        await crowd.check()
        for screen in screens:
            await screen.check()
            await screen.lock()
        seqs = [seq for (seq,) in await select(database_url, "select seq from events order by seq")]
        assert seqs == list(range(1, len(seqs) + 1))
        ((seq,),) = await select(database_url, "select seq from stores")
        assert seq == seqs[-1]


async def test_a_process_that_is_killed_again_and_again_as_it_starts_loses_nothing(server: Serve) -> None:
    started = server(**MANY)
    async with open_store(started) as owner:
        tickets = [(await owner.walk_in(f"Party {number}"))["ticket"]["id"] for number in range(5)]
        for _ in range(3):
            await off_loop(started.kill)
            started.start_nowait()
        await off_loop(started.kill)
        await off_loop(started.start)

        assert [ticket["id"] for ticket in (await owner.snapshot())["tickets"]] == tickets
