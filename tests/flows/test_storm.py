"""The server is killed and started again: everybody comes back at once, is told what happened, and no store is read more often than it must be."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections import defaultdict
from datetime import datetime
from functools import partial
from itertools import pairwise

import httpx
import pytest

from realtime.app import now_ms
from realtime.keys import Keys
from tests.conftest import Serve
from tests.flows.client import MANY, Owner, Screen, off_loop, open_store, select
from tests.flows.light_screen import LightScreen
from tests.flows.view import View
from tests.support.process import ServerProcess
from tests.support.waiting import until_async

STORES, TICKETS = 3, 10
OWNERS, BOARDS, PHONES = 2, 98, 10
"""Screens of each store; the phones are of each ticket."""
PATIENCE_S = 90
BETWEEN_READS_S = 0.1
_OWN = ("id", "label", "state", "desk", "called_ms", "ended_ms")
SECRET = "k" * 40


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_after_a_kill_everybody_is_back_and_in_sync_while_the_evening_goes_on(server: Serve, database_url: str) -> None:
    started = server(database_url=database_url, log_level="debug", secret_key=SECRET, **MANY)
    chance = random.Random(11)
    async with contextlib.AsyncExitStack() as stack:
        owners = [await stack.enter_async_context(open_store(started, f"owner{number}@example.com")) for number in range(STORES)]
        screens = [screen for owner in owners for screen in await _screens_of(started, owner)]
        for screen in screens:
            stack.callback(screen.go)
        await asyncio.gather(*(screen.come() for screen in screens))
        enough = asyncio.Event()
        busy = [asyncio.create_task(_go_on(owner, enough)) for owner in owners]

        await off_loop(started.kill)
        await asyncio.gather(*(screen.gone() for screen in screens))
        before = len(started.output())
        began = asyncio.get_running_loop().time()
        await off_loop(started.start_nowait)
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(screen.come_back(chance) for screen in screens))
        took_s = asyncio.get_running_loop().time() - began
        enough.set()
        await asyncio.gather(*busy)  # a request that is given up may still be carried out

        assert [status for screen in screens for status in screen.refusals] == []
        reads = _reads(started.output()[before:])
        assert set(reads) == {owner.store_id for owner in owners}
        for times in reads.values():
            assert len(times) <= took_s / BETWEEN_READS_S + 3, f"{len(times)} reads in {took_s:.1f} s"
            # The log has whole milliseconds.
            assert min((later - earlier for earlier, later in pairwise(times)), default=1) >= BETWEEN_READS_S - 0.005, times
        kept = {id_: (epoch, seq) for id_, epoch, seq in await select(database_url, "select id, epoch, seq from stores")}
        for owner in owners:
            await _all_agree(started, owner, screens, kept[owner.store_id])
        assert [fault for screen in screens for fault in screen.faults] == []


async def _screens_of(server: ServerProcess, owner: Owner) -> list[LightScreen]:
    """Every second one will ask for what it missed, the others for the whole state."""
    board_token = await owner.board_token()
    wanted: list[tuple[str, tuple[str, ...]]] = []
    wanted += [(owner.token, (owner.topic,))] * OWNERS
    wanted += [(board_token, (f"store/{owner.store_id}/board",))] * BOARDS
    for number in range(TICKETS):
        id_ = (await owner.walk_in(f"Guest {number}"))["ticket"]["id"]
        topics = (f"ticket/{owner.store_id}/{id_}", f"store/{owner.store_id}/public")
        wanted += [(_ticket_token(owner, id_), topics)] * PHONES
    return [LightScreen(server.port, token, *topics, resumes=number % 2 == 0) for number, (token, topics) in enumerate(wanted)]


def _ticket_token(owner: Owner, id_: int) -> str:
    return Keys(SECRET).live_token(owner.store_id, id_, now_ms(), 60)


async def _go_on(owner: Owner, enough: asyncio.Event) -> None:
    """People come and are called, and the staff change the store, whatever becomes of the server."""
    number = 0
    while not enough.is_set():
        number += 1
        with contextlib.suppress(httpx.TransportError):
            await owner.walk_in(f"Late {number}")
            await owner.call_next()
            await owner.http.put(owner.path, json={"queues": [{"id": "B", "waiting_text": f"Text {number}", "end_text": ""}]})
        await asyncio.sleep(0.02)


def _reads(log: str) -> dict[str, list[float]]:
    """When each store was read as a whole."""
    found: dict[str, list[float]] = defaultdict(list)
    for at, store_id in re.findall(r"^(\S+)Z DEBUG nowserving\.live Store (\S+) is read as a whole$", log, re.MULTILINE):
        found[store_id].append(datetime.fromisoformat(at).timestamp())
    return dict(found)


async def _all_agree(server: ServerProcess, owner: Owner, screens: list[LightScreen], kept: tuple[str, int]) -> None:
    """Every view of a store's screens is what somebody sees who comes now, and that is what the database has."""
    views: dict[str, list[View]] = defaultdict(list)
    for view in (view for screen in screens for view in screen.views.values() if f"/{owner.store_id}" in view.topic):
        views[view.topic].append(view)
    board_token = await owner.board_token()
    for topic, mine in views.items():
        kind, _, last = topic.partition(f"/{owner.store_id}/")
        phone = int(last) if kind == "ticket" else next(int(other.rpartition("/")[2]) for other in views if other.startswith("ticket/"))
        token = owner.token if last == "owner" else board_token if last == "board" else _ticket_token(owner, phone)
        async with Screen(server, token, topic) as fresh:
            assert kind == "ticket" or (fresh.view.epoch, fresh.view.seq) == kept
            found = partial(_differences, mine, fresh.view)
            with contextlib.suppress(AssertionError):
                await until_async(lambda found=found: not found())  # type: ignore[misc]  # the last changes may be on their way
            left = found()
            assert left == [], "\n".join(left[:3])


def _differences(views: list[View], fresh: View) -> list[str]:
    """A party's own topic tells what becomes of its ticket; how the queue moves it finds out from the public line."""
    if fresh.own:
        right = [fresh.own[name] for name in _OWN]
        return [f"{view.own} instead of {right}" for view in views if [view.own[name] for name in _OWN] != right]
    return [difference for view in views for difference in view.differences(fresh)]
