"""The client for programs at a real server: commands, changes, and a server that is killed meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from realtime.client import Client
from realtime.errors import NobodyWaiting
from tests.conftest import Serve
from tests.flows.client import MANY, PATIENCE_S, off_loop, open_store


async def test_an_owner_calls_by_the_socket_and_hears_of_it_whatever_becomes_of_the_server(server: Serve) -> None:
    started = server(**MANY)
    async with open_store(started) as owner, Client(started.url, lambda: owner.token) as client, asyncio.timeout(PATIENCE_S):
        before = client.views[owner.topic].seq
        changes = client.changes(owner.topic)
        await owner.walk_in("Ann")
        ticket = await client.ask({"call_next": {"store_id": owner.store_id, "queue": "A", "desk": "Bar"}})
        await client.until(owner.topic, lambda view: view.tickets[ticket["id"]]["state"] == "called")

        await off_loop(started.kill)
        await off_loop(started.start)
        await owner.walk_in("Bo")
        await client.until(owner.topic, lambda view: len(view.waiting()) == 1)

        heard = [(await anext(changes)).seq for _ in range(client.views[owner.topic].seq - before)]
        assert heard == list(range(before + 1, client.views[owner.topic].seq + 1)), "each change once, in order"
        assert client.views[owner.topic].recovered is True
        await client.ask({"call_next": {"store_id": owner.store_id, "queue": "A", "desk": "Bar"}})
        await client.until(owner.topic, lambda view: not view.waiting())
        with pytest.raises(NobodyWaiting):
            await client.ask({"call_next": {"store_id": owner.store_id, "queue": "A", "desk": "Bar"}})
