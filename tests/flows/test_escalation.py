"""A guest is called: their page is open and shows it, or it is not; what leaves the house, what the staff see, over restarts and processes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.flows.client import MANY, PATIENCE_S, Owner, Screen, join, live_ticket, off_loop, open_store, select, visitor
from tests.support.process import ServerProcess
from tests.support.sink import HttpSink
from tests.support.waiting import until_async

PHONE = "+4915123456789"
SOON = ["sms:1", "not_reached:2"]
LATER = ["sms:600", "not_reached:1200"]


def settings(gateway: HttpSink, steps: list[str]) -> dict[str, Any]:
    return {**MANY, "sms_url": gateway.url.replace("http://", "json://"), "call_ladder": steps}


@contextlib.asynccontextmanager
async def guest(owner: Owner) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, Any]]]:
    async with visitor(owner.server) as phone:
        yield phone, await join(owner, phone, "Ann", phone=PHONE)


async def shown(owner: Owner) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in (await owner.snapshot())["tickets"] if each["name"] == "Ann")
    return found


async def texts(gateway: HttpSink, count: int) -> None:
    """Waits for so many text messages, the one of joining included."""
    await until_async(lambda: len(gateway.requests) >= count, PATIENCE_S, f"{count} text messages")


async def not_reached(owner: Owner) -> dict[str, Any]:
    async def told() -> dict[str, Any] | None:
        ticket = await shown(owner)
        return ticket if ticket["unreached_ms"] else None

    found: dict[str, Any] = await until_async(told, PATIENCE_S, "the staff to be told")
    return found


async def steps(database_url: str) -> list[tuple[Any, ...]]:
    """What a call owes, and how it stands."""
    return await select(database_url, "select notifier, state from jobs where called_ms > 0 order by due_ms, id")


async def test_no_message_leaves_for_a_guest_whose_page_shows_the_call(server: Serve, http_sink: HttpSink, database_url: str) -> None:
    running = server(**settings(http_sink, LATER), database_url=database_url)
    async with open_store(running) as owner, guest(owner) as (_, ticket):
        await texts(http_sink, 1)
        own = await live_ticket(owner, ticket)
        page = Screen(running, own["live_token"], *own["topics"])
        counter = Screen(running, owner.token, owner.topic)
        await counter.connect()
        await page.connect()
        called = await owner.call_next()
        assert await steps(database_url) == [("sms", "waiting"), ("not_reached", "waiting")]

        assert (await page.say(seen={"called_ms": called["called_ms"]}))["ok"] == {}

        assert await steps(database_url) == [("sms", "cancelled"), ("not_reached", "cancelled")]
        await until_async(lambda: any('"change":"seen"' in text for text in counter.heard), PATIENCE_S, "the counter to hear of it")
        assert (await shown(owner))["seen_ms"] >= called["called_ms"]
        assert len(http_sink.requests) == 1, "they joined, and no more"
        await page.lock()
        await counter.lock()


async def test_a_guest_whose_page_is_closed_is_texted_and_then_the_staff_are_told(server: Serve, http_sink: HttpSink) -> None:
    running = server(**settings(http_sink, SOON))
    async with open_store(running) as owner, guest(owner):
        await texts(http_sink, 1)

        await owner.call_next()

        await texts(http_sink, 2)
        ticket = await not_reached(owner)
        assert (ticket["state"], ticket["seen_ms"], ticket["phone"]) == ("called", 0, PHONE)
        recalled = (await owner.change(ticket["id"], "recall")).raise_for_status().json()
        assert recalled["unreached_ms"] == 0
        await texts(http_sink, 3)
        await not_reached(owner)


async def test_a_ladder_goes_on_where_a_killed_server_left_it(server: Serve, http_sink: HttpSink, database_url: str) -> None:
    short = {"job_lease_seconds": 5, "notifier_deadline_seconds": 4, "smtp_deadline_seconds": 4}
    running = server(**settings(http_sink, SOON), **short, database_url=database_url)
    async with open_store(running) as owner, guest(owner):
        await texts(http_sink, 1)
        await owner.call_next()

        await off_loop(running.kill)
        await off_loop(running.start)

        await texts(http_sink, 2)
        await not_reached(owner)


async def test_what_is_seen_at_one_process_is_not_sent_by_another(
    server: Serve, http_sink: HttpSink, new_database: Callable[[], str]
) -> None:
    url = new_database()
    first, second = (server(**settings(http_sink, LATER), database_url=url) for _ in range(2))
    async with open_store(first) as owner, guest(owner) as (_, ticket):
        called = await owner.call_next()
        async with visitor(second, Authorization=f"Bearer {ticket['token']}") as phone:
            answer = await phone.post("/v1/ticket/seen", json={"called_ms": called["called_ms"]})

        assert answer.status_code == 204
        assert await steps(url) == [("sms", "cancelled"), ("not_reached", "cancelled")]
        assert (await shown(owner))["seen_ms"] > 0


@pytest.mark.parametrize("way", ["page", "prefetch", "api"])
async def test_the_page_that_the_server_draws_is_seen_when_it_is_fetched(server: Serve, way: str) -> None:
    running = server(**MANY)
    async with open_store(running) as owner, guest(owner) as (phone, _):
        await owner.call_next()

        headers = {"Sec-Purpose": "prefetch"} if way == "prefetch" else {}
        (await phone.get("/v1/ticket" if way == "api" else "/ticket", headers=headers)).raise_for_status()

        assert bool((await shown(owner))["seen_ms"]) == (way == "page")


async def test_a_hostile_word_about_a_call_changes_nothing(server: Serve) -> None:
    running: ServerProcess = server(**MANY)
    async with open_store(running) as owner, guest(owner) as (phone, _), visitor(running) as stranger:
        called = await owner.call_next()
        hostile: list[Any] = [
            {},
            {"called_ms": 0},
            {"called_ms": "now"},
            {"called_ms": 2**60},
            {"called_ms": called["called_ms"], "x": 1},
            [],
        ]
        for body in hostile:
            assert (await phone.post("/v1/ticket/seen", json=body)).status_code == 422
        for of_another_call in (1, called["called_ms"] - 1, called["called_ms"] + 1):
            assert (await phone.post("/v1/ticket/seen", json={"called_ms": of_another_call})).status_code == 204
        assert (await stranger.post("/v1/ticket/seen", json={"called_ms": called["called_ms"]})).status_code in (401, 404)
        assert (await owner.http.post("/v1/ticket/seen", json={"called_ms": called["called_ms"]})).status_code in (401, 404)

        assert (await shown(owner))["seen_ms"] == 0
