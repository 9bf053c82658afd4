"""What is not possible any more is refused with 409 over HTTP, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from tests.conftest import Serve
from tests.flows.client import MANY, Owner, Screen, join, open_store, visitor


@pytest_asyncio.fixture
async def owner(server: Serve, database_url: str) -> AsyncIterator[Owner]:
    async with open_store(server(database_url=database_url, **MANY)) as owner:
        yield owner


async def standing(owner: Owner) -> tuple[int, dict[str, Any]]:
    async with Screen(owner.server, owner.token, owner.topic) as screen:
        return screen.view.seq, await owner.snapshot()


async def refused(owner: Owner, answer: httpx.Response, code: str, before: tuple[int, dict[str, Any]]) -> None:
    assert answer.status_code == 409, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["detail"]
    assert await standing(owner) == before


async def test_a_ticket_that_left_cannot_be_called_served_or_leave_again(owner: Owner) -> None:
    async with visitor(owner.server) as phone:
        ticket = await join(owner, phone, "Ann")
        assert (await phone.delete("/v1/ticket")).status_code == 204
        before = await standing(owner)

        for action in ("call", "recall", "serve", "done", "no_show", "remove"):
            await refused(owner, await owner.change(ticket["id"], action), "wrong_state", before)
        await refused(owner, await phone.delete("/v1/ticket"), "wrong_state", before)
        await refused(owner, await owner.http.post(f"{owner.path}/queues/A/call-next", json={}), "nobody_waiting", before)


async def test_a_second_no_show_and_a_second_done_are_refused(owner: Owner) -> None:
    for last in ("no_show", "done"):
        ticket = (await owner.walk_in("Bo"))["ticket"]
        await owner.call_next()
        assert (await owner.change(ticket["id"], last)).json()["state"] == last
        before = await standing(owner)

        await refused(owner, await owner.change(ticket["id"], last), "wrong_state", before)


async def test_two_who_serve_the_same_ticket_at_once_do_it_once(owner: Owner) -> None:
    ticket = (await owner.walk_in("Bo"))["ticket"]
    before, _ = await standing(owner)

    answers = await asyncio.gather(*(owner.change(ticket["id"], "serve") for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert (await standing(owner))[0] == before + 1


async def test_a_closed_store_takes_nothing_and_is_not_closed_twice(owner: Owner) -> None:
    waiting = (await owner.walk_in("Cleo"))["ticket"]["id"]
    code, key = await owner.code(), "k" * 32
    async with visitor(owner.server) as phone:
        assert (await phone.post(f"/v1/codes/{code}/scan", json={"key": key})).status_code == 200
        next_code = await owner.code()
        assert (await owner.http.delete(owner.path)).status_code == 202
        # Without a mail server the report waits for the owner's decision, so nothing moves any more.
        async with Screen(owner.server, owner.token, owner.topic) as screen:
            await screen.reached(screen.view.seq)
            while screen.view.store["state"] != "reported":
                await screen.reached(screen.view.seq + 1)
        before = await standing(owner)

        body = {"code": code, "key": key, "parties": [{"name": "Ann", "queue": "A"}]}
        await refused(owner, await phone.post("/v1/tickets", json=body), "store_closed", before)
        await refused(owner, await phone.post(f"/v1/codes/{next_code}/scan", json={"key": key}), "store_closed", before)
        await refused(owner, await owner.http.delete(owner.path), "store_closed", before)
        await refused(owner, await owner.http.post(f"{owner.path}/tickets", json={"name": "Bo", "queue": "A"}), "store_closed", before)
        await refused(owner, await owner.http.post(f"{owner.path}/queues/A/call-next", json={}), "store_closed", before)
        await refused(owner, await owner.change(waiting, "serve"), "store_closed", before)
        await refused(owner, await owner.http.put(owner.path, json={"name": "Mario's"}), "store_closed", before)


async def test_one_account_has_one_open_store(owner: Owner) -> None:
    before = await standing(owner)

    await refused(owner, await owner.http.post("/v1/stores/again"), "store_open", before)
    body = {"name": "Second", "queues": [{"name": "A line"}]}
    await refused(owner, await owner.http.post("/v1/stores", json=body), "store_open", before)


async def test_a_code_that_was_used_gives_nobody_else_a_number(owner: Owner) -> None:
    async with visitor(owner.server) as phone, visitor(owner.server) as stranger:
        ticket = await join(owner, phone, "Ann")
        before = await standing(owner)

        await refused(owner, await stranger.post(f"/v1/codes/{ticket['code']}/scan", json={"key": "s" * 32}), "code_used", before)
        body = {"code": ticket["code"], "key": "s" * 32, "parties": [{"name": "Eve", "queue": "A"}]}
        await refused(owner, await stranger.post("/v1/tickets", json=body), "code_used", before)
