"""Two processes count together: who looks at a store, how often a visitor may ask, and how many sockets an address or a store may have."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.conftest import Serve
from tests.flows.client import Screen, join, live_ticket, open_store, visitor
from tests.flows.test_two_processes import HEARD_S, Two, two  # noqa: F401 - a fixture
from tests.support.process import ServerProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async


@contextlib.asynccontextmanager
async def socket(server: ServerProcess) -> AsyncIterator[ClientConnection]:
    async with connect(server.live_url, subprotocols=[Subprotocol("nowserving.v1")], proxy=None) as socket:
        yield socket


async def test_a_page_at_one_process_shows_on_the_owners_screens_at_both(two: Two) -> None:  # noqa: F811 - the fixture
    def shown(screen: Screen, pages: list[int], *, boards: int) -> bool:
        last = screen.presence[-1] if screen.presence else {}
        return (last.get("open"), last.get("boards")) == (pages, boards)

    async with visitor(two.first) as phone:
        ticket = await join(two.owner, phone, "Ann")
    live = await live_ticket(two.owner, ticket)
    board = await two.owner.board_token()
    number = int(live["topics"][1].rpartition("/")[2])
    async with Screen(two.second, live["live_token"], *live["topics"]), Screen(two.first, board, f"store/{two.owner.store_id}/board"):
        for screen in (two.at_first, two.at_second):
            await until_async(partial(shown, screen, [number], boards=1), HEARD_S, "the page and the board to be shown")
            last = screen.presence[-1]
            assert (last["public"], last["owners"], last["all"]) == (1, 2, True)

    for screen in (two.at_first, two.at_second):
        await until_async(partial(shown, screen, [], boards=0), HEARD_S, "both to be gone")


@pytest.mark.parametrize("broker", ["listen", "valkey"])
async def test_what_was_tried_at_one_process_counts_at_the_other(
    server: Serve, new_database: Callable[[], str], valkey_server: ValkeyServer, broker: str
) -> None:
    """Each by itself would take ten tries a minute."""
    settings: dict[str, Any] = {
        "database_url": new_database(),
        "redis_url": valkey_server.url if broker == "valkey" else "",
        "sign_in_tries_per_minute": 10,
    }
    first, second = server(**settings), server(**settings)
    body = {"email": "nobody@example.org", "password": "not the password"}

    async with visitor(first) as one, visitor(second) as other:
        tried = [(await one.post("/v1/login", json=body)).status_code for _ in range(11)]
        more = [(await other.post("/v1/login", json=body)).status_code]
        while more[-1] == 401 and len(more) < 8:
            more.append((await other.post("/v1/login", json=body)).status_code)

    assert tried[:10] == [401] * 10
    assert more[-1] == 429, "the second process took as many as the first"


async def test_a_page_that_asks_one_process_shows_on_the_owners_screens_at_both(two: Two) -> None:  # noqa: F811 - the fixture
    async with visitor(two.first) as phone, visitor(two.second) as asker:
        ticket = await join(two.owner, phone, "Ann")
        live = await live_ticket(two.owner, ticket)
        number = int(live["topics"][1].rpartition("/")[2])
        for topic in live["topics"]:
            answer = await asker.get("/v1/live", params={"topic": topic}, headers={"Authorization": f"Bearer {live['live_token']}"})
            answer.raise_for_status()

    def shown(screen: Screen) -> bool:
        last = screen.presence[-1] if screen.presence else {}
        return (last.get("open"), last.get("public")) == ([number], 1)

    for screen in (two.at_first, two.at_second):
        await until_async(partial(shown, screen), HEARD_S, "the page to be shown")


@pytest.mark.parametrize("broker", ["listen", "valkey"])
async def test_the_sockets_of_an_address_at_one_process_count_at_the_other(
    server: Serve, new_database: Callable[[], str], valkey_server: ValkeyServer, broker: str
) -> None:
    redis_url = valkey_server.url if broker == "valkey" else ""
    settings: dict[str, Any] = {"database_url": new_database(), "redis_url": redis_url, "max_sockets_per_address": 3}
    first, second = server(**settings), server(**settings)

    async def refused() -> str:
        try:
            async with socket(second):
                return ""
        except InvalidStatus as error:
            assert error.response.status_code == 503
            return str(json.loads(error.response.body or b"")["detail"])

    async with socket(first), socket(first), socket(second):
        said = await until_async(refused, HEARD_S, "the fourth to be refused")
        assert said == "There are too many connections from this address. Close one of them, then try again."

    async def welcome() -> bool:
        return not await refused()

    await until_async(welcome, HEARD_S, "another one to be let in when they had gone")


async def test_the_phones_of_a_store_at_one_process_count_at_the_other(server: Serve, new_database: Callable[[], str]) -> None:
    settings: dict[str, Any] = {"database_url": new_database(), "max_sockets_per_store": 1}
    first, second = server(**settings), server(**settings)
    async with open_store(first) as owner, visitor(first) as phone:
        live = await live_ticket(owner, await join(owner, phone, "Ann"))

        async def answer(connection: ClientConnection) -> dict[str, Any]:
            await connection.send(json.dumps({"id": 1, "authenticate": {"token": live["live_token"]}}))
            found: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), HEARD_S))
            return found

        async def refused() -> bool:
            async with socket(second) as there:
                if "ok" in await answer(there):
                    return False
                await asyncio.wait_for(there.wait_closed(), HEARD_S)
                return there.close_code == 1013

        async with socket(first) as here:
            assert "ok" in await answer(here)
            await until_async(refused, HEARD_S, "the second phone to be refused")
