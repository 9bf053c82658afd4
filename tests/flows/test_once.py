"""What may happen once only happens once, and what ends ends everywhere, whichever of two processes was asked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio

from tests.conftest import Serve
from tests.flows.client import PASSWORD, Owner, Screen, visitor
from tests.flows.places import owners_at
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async

PHONES = 50


@pytest_asyncio.fixture(params=["postgres", "redis"])
async def owners(
    request: pytest.FixtureRequest, server: Serve, new_database: Callable[[], str], valkey_server: ValkeyServer
) -> AsyncIterator[list[Owner]]:
    url = valkey_server.url if request.param == "redis" else ""
    async with owners_at(server, 2, database_url=new_database(), broker=request.param, redis_url=url) as owners:
        yield owners


@pytest.mark.parametrize("owners", ["postgres"], indirect=True)
async def test_of_fifty_phones_at_two_processes_one_gets_the_code(owners: list[Owner]) -> None:
    code = await owners[0].code()

    async def redeem(http: httpx.AsyncClient, number: int) -> tuple[int, int]:
        key = secrets.token_hex(16)
        scanned = await http.post(f"/v1/codes/{code}/scan", json={"key": key})
        body = {"code": code, "key": key, "parties": [{"name": f"Phone {number}", "queue": "A"}]}
        return scanned.status_code, (await http.post("/v1/tickets", json=body)).status_code

    async with AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(visitor(owners[number % 2].server)) for number in range(PHONES)]
        answers = await asyncio.gather(*(redeem(http, number) for number, http in enumerate(phones)))

    assert sorted(answers) == [(200, 201), *[(409, 409)] * (PHONES - 1)]
    assert len((await owners[1].snapshot())["tickets"]) == 1


@pytest.mark.parametrize("owners", ["postgres"], indirect=True)
async def test_fifty_redemptions_of_one_phone_at_two_processes_are_one(owners: list[Owner]) -> None:
    code, key = await owners[0].code(), secrets.token_hex(16)
    body = {"code": code, "key": key, "parties": [{"name": "Ann", "queue": "A"}]}

    async with AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(visitor(owners[number % 2].server)) for number in range(PHONES)]
        (await phones[0].post(f"/v1/codes/{code}/scan", json={"key": key})).raise_for_status()
        answers = await asyncio.gather(*(http.post("/v1/tickets", json=body) for http in phones))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["tickets"][0]["id"] for answer in answers}) == 1
    assert len((await owners[1].snapshot())["tickets"]) == 1


async def test_signing_out_at_one_process_ends_the_sockets_at_the_other(owners: list[Owner]) -> None:
    here, there = (Screen(owner.server, owner.token, owner.topic) for owner in owners)
    async with here, there:
        (await owners[0].http.post("/v1/login", json={"email": owners[0].email, "password": PASSWORD})).raise_for_status()

        (await owners[0].http.post("/v1/logout")).raise_for_status()

        for screen in (here, there):
            assert await until_async(lambda: screen.close_codes, what="the screen to be closed") == [4401]  # noqa: B023 - waited for here


async def test_a_new_password_at_one_process_ends_the_sockets_at_the_other_and_nobody_elses(owners: list[Owner]) -> None:
    board = Screen(owners[1].server, await owners[0].board_token(), f"store/{owners[0].store_id}/board")
    there = Screen(owners[1].server, owners[1].token, owners[1].topic)
    async with there, board:
        (await owners[0].http.post("/v1/login", json={"email": owners[0].email, "password": PASSWORD})).raise_for_status()
        change = {"password": PASSWORD, "new_password": "five green lanterns"}

        (await owners[0].http.put("/v1/password", json=change)).raise_for_status()

        assert await until_async(lambda: there.close_codes, what="the screen to be closed") == [4401]
        # An access token stays good until it ends, and a board needs no sign-in.
        ticket = await owners[0].walk_in("Ann")
        await until_async(lambda: ticket["ticket"]["id"] in board.view.tickets, what="the board to go on")
        assert board.connected
