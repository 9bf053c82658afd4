"""An answer that takes its time is given up when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from realtime.web.waiting import while_connected
from tests.support.waiting import until_async
from tests.web.conftest import House, Owner
from tests.web.serving import served


class Client:
    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.asked = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        if self.asked == 1:
            return {"type": "http.request", "body": b""}
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_what_is_done_in_time_is_answered() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await while_connected(Client().receive, work()) == "done"


async def test_what_fails_fails() -> None:
    async def work() -> str:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await while_connected(Client().receive, work())


async def test_it_ends_when_the_client_goes_away() -> None:
    client, ended = Client(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.ensure_future(while_connected(client.receive, work()))
    client.left.set()

    with pytest.raises(ClientDisconnect):
        await waiting
    assert ended.is_set()


async def test_a_consumer_that_went_away_is_given_no_message(house: House, owner: Owner) -> None:
    made = (await owner.client.post("/v1/tokens", json={"name": "Kitchen", "scopes": ["publish", "consume"]})).raise_for_status().json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    async with served(house) as place, httpx.AsyncClient(base_url=place.base, headers=headers) as http:
        asking = asyncio.create_task(http.get("/v1/consumer?cid=1&limit=1&wait=20"))
        await until_async(lambda: house.parts.messaging._waiting, what="the consumer to wait")
        asking.cancel()
        await until_async(lambda: not house.parts.messaging._waiting, what="the consumer to be forgotten")

        await http.post("/v1/publish", json={"message": 17})

        (message,) = (await http.get("/v1/consumer?cid=2&limit=1&wait=20")).json()["messages"]
        assert message["message"] == 17
