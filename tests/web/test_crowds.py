"""How many sockets one store may have, over real connections, on both kinds of sink."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.waiting import until_async
from tests.web.conftest import House, Owner, join
from tests.web.serving import Served, Talk, served


@pytest_asyncio.fixture(params=[True, False], ids=["handed over", "through send"])
async def place(request: pytest.FixtureRequest, house: House) -> AsyncIterator[Served]:
    async with served(house, fanout=request.param) as place:
        yield place


def token_of(owner: Owner) -> str:
    return str(owner.client.headers["Authorization"].removeprefix("Bearer "))


async def own_ticket(phone: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await phone.get("/v1/ticket")).json()
    return found


async def test_one_store_cannot_take_the_room_of_all(house: House, place: Served, owner: Owner) -> None:
    house.context.crowds._most = 1
    ticket = await own_ticket(await join(house, owner))
    async with place.connect() as one, place.connect() as other, place.connect() as counter:
        assert (await Talk(one).say(authenticate={"token": ticket["live_token"]}))["ok"]["as"] == "ticket"

        refused = Talk(other)
        assert (await refused.say(authenticate={"token": ticket["live_token"]}))["error"]["code"] == "overloaded"
        assert await refused.closed() == 1013
        assert (await Talk(counter).say(authenticate={"token": token_of(owner)}))["ok"]["as"] == "owner"

        await one.close()
        await until_async(lambda: not len(house.context.crowds), what="the phone to be gone")
    async with place.connect() as again:
        assert (await Talk(again).say(authenticate={"token": ticket["live_token"]}))["ok"]["as"] == "ticket"
