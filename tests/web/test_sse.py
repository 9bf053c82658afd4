"""The event stream over real connections: who may listen, what it tells, how it resumes and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realtime.errors import Restarting
from realtime.server.drain import disconnect_all
from tests.support.event_source import EventSource, Said
from tests.support.waiting import until_async
from tests.web.conftest import House, Open, Owner, join, new_owner
from tests.web.serving import Served, served


@pytest_asyncio.fixture
async def place(house: House) -> AsyncIterator[Served]:
    async with served(house) as place:
        yield place


def token_of(owner: Owner) -> str:
    return str(owner.client.headers["Authorization"].removeprefix("Bearer "))


class Ear:
    """One stream, read one event after another."""

    def __init__(self, place: Served, token: str = "", *topics: str, **headers: str) -> None:
        given = {"Authorization": f"Bearer {token}"} if token else {}
        self.source = EventSource(f"{place.base}/live/sse?topic={','.join(topics)}", **given, **headers)
        self.events = self.source.said()

    async def __aenter__(self) -> Ear:
        answer = await self.source.open()
        assert answer.status_code == 200, await answer.aread()
        assert (await self.next()).name == "signed_in"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.events.aclose()  # type: ignore[attr-defined]  # it is a generator
        await self.source.close()

    async def next(self) -> Said:
        """The next event that does not say who looks."""
        while True:
            said = await asyncio.wait_for(anext(self.events), 10)
            if not said.data.startswith('{"presence"'):
                return said

    async def message(self) -> dict[str, Any]:
        """The data of the next event that is no comment."""
        while (said := await self.next()).name == "comment":
            pass
        found: dict[str, Any] = json.loads(said.data)
        return found


async def refused(place: Served, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(place.base + path, headers=headers)


async def call_next(owner: Owner) -> None:
    (await owner.client.post(f"{owner.url}/queues/A/call-next", json={})).raise_for_status()


async def walk_in(owner: Owner, name: str = "Bo") -> None:
    (await owner.client.post(f"{owner.url}/tickets", json={"name": name, "queue": "A"})).raise_for_status()


# ---- who may listen


async def test_it_begins_with_who_listens_then_the_whole_state_then_every_change(place: Served, owner: Owner) -> None:
    topic = f"store/{owner.store_id}/owner"
    source = EventSource(f"{place.base}/live/sse", Authorization=f"Bearer {token_of(owner)}")
    answer = await source.open()
    events = source.said()

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    signed_in = await anext(events)
    assert (signed_in.name, json.loads(signed_in.data)["as"], json.loads(signed_in.data)["topics"]) == ("signed_in", "owner", [topic])
    whole = json.loads((await anext(events)).data)
    assert (whole["topic"], whole["recovered"]) == (topic, False)
    presence = await anext(events)
    assert (list(json.loads(presence.data)), presence.last_id) == (["presence"], f"{whole['epoch']}:{whole['seq']}")
    await walk_in(owner)
    said = await anext(events)
    assert json.loads(said.data)["change"] == "joined"
    assert said.last_id == f"{whole['epoch']}:{whole['seq'] + 1}"
    await source.close()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "not_signed_in"),
        ({"Authorization": "Bearer nobody"}, 401, "not_signed_in"),
        ({"Authorization": "Basic abc"}, 401, "not_signed_in"),
        ({"Authorization": "Bearer nobody", "Origin": "https://evil.example"}, 403, "cross_site"),
        ({"Authorization": "Bearer nobody", "Sec-Fetch-Site": "cross-site"}, 403, "cross_site"),
    ],
)
@pytest.mark.parametrize("path", ["/live/sse", "/v1/live/topics", "/v1/live?topic=store/a/public"])
async def test_nobody_listens_without_a_token_or_from_another_site(
    place: Served, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await refused(place, path, **headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_what_is_not_theirs_is_refused_before_anything_is_told(house: House, place: Served, owner: Owner) -> None:
    phone = await join(house, owner)
    live = (await phone.get("/v1/ticket")).json()["live_token"]
    public = f"store/{owner.store_id}/public"
    for topics, status in ((f"store/{owner.store_id}/owner", 403), (f"{public},store/other/public", 422), (f"{public},ticket/x", 422)):
        answer = await refused(place, f"/live/sse?topic={topics}", Authorization=f"Bearer {live}")
        assert answer.status_code == status, topics
    assert not house.sockets.sessions
    assert house.parts.hub.subscribers(public) == 0


async def test_a_phone_listens_with_its_ticket_cookie(house: House, place: Served, owner: Owner) -> None:
    phone = await join(house, owner)
    cookie = f"nowserving_ticket={phone.cookies['nowserving_ticket']}"

    async with Ear(place, Cookie=cookie) as ear:
        first, second = await ear.message(), await ear.message()
        await call_next(owner)

        assert {first["topic"].split("/")[0], second["topic"].split("/")[0]} == {"store", "ticket"}
        heard = [await ear.message(), await ear.message()]
        assert any(push.get("own", {}).get("state") == "called" for push in heard)


async def test_while_the_server_drains_nobody_comes_in(house: House, place: Served, owner: Owner) -> None:
    house.serving.ready = False

    answer = await refused(place, "/live/sse", Authorization=f"Bearer {token_of(owner)}")

    assert (answer.status_code, answer.json()["code"]) == (503, "restarting")
    assert answer.headers["Retry-After"]


async def test_a_head_request_ends(place: Served, owner: Owner) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.head(f"{place.base}/live/sse", headers={"Authorization": f"Bearer {token_of(owner)}"})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")


# ---- resuming


async def test_the_last_event_id_brings_what_was_missed(place: Served, owner: Owner) -> None:
    topic = f"store/{owner.store_id}/owner"
    async with Ear(place, token_of(owner), topic) as ear:
        whole = await ear.message()
    last = f"{whole['epoch']}:{whole['seq']}"
    assert ear.source.last_id == last
    await walk_in(owner)
    await call_next(owner)

    async with Ear(place, token_of(owner), topic, **{"Last-Event-ID": last}) as again:
        missed = await again.message()

    assert missed["recovered"] is True
    assert [push["change"] for push in missed["events"]] == ["joined", "called"]
    assert again.source.last_id == f"{whole['epoch']}:{missed['seq']}"


@pytest.mark.parametrize("last", ["another:1", "garbage", "", "a:b", "%0A:1"])
async def test_an_id_that_is_none_of_ours_brings_the_whole_state(place: Served, owner: Owner, last: str) -> None:
    async with Ear(place, token_of(owner), f"store/{owner.store_id}/owner", **{"Last-Event-ID": last}) as ear:
        assert (await ear.message())["recovered"] is False


async def test_the_id_is_what_every_topic_has_come_to(house: House, place: Served, owner: Owner) -> None:
    """A stream that is cut between two topics must not skip the second."""
    topics = f"store/{owner.store_id}/owner", f"store/{owner.store_id}/public"
    async with Ear(place, token_of(owner), *topics) as ear:
        first = await ear.next()
        assert first.last_id == ""
        second = await ear.next()
        assert second.last_id.endswith(f":{json.loads(second.data)['seq']}")
        before = second.last_id
        await walk_in(owner)

        assert (await ear.next()).last_id == before
        assert (await ear.next()).last_id != before


# ---- staying and going


async def test_a_ping_is_a_comment_and_is_answered_by_being_taken(house: House, place: Served, owner: Owner) -> None:
    async with Ear(place, token_of(owner)) as ear:
        await ear.message()
        (listener,) = house.context.sessions
        answered: list[object] = []
        house.parts.pings.answered = answered.append  # type: ignore[method-assign, assignment]  # watched, the rest is real

        listener.stream.write(b"\x81\x02{}")

        assert (await ear.next()).name == "comment"
        await until_async(lambda: answered == [listener.stream])


async def test_a_drain_tells_when_to_come_back_and_ends_the_stream(house: House, place: Served, owner: Owner) -> None:
    async with Ear(place, token_of(owner)) as ear:
        await ear.message()

        await disconnect_all(house.parts.pings.sinks, 1)

        told = await ear.message()
        assert told["disconnect"]["code"] == Restarting.close_code
        assert ear.source.retry_ms == told["disconnect"]["after_ms"]
        closed = await ear.next()
        assert (closed.name, json.loads(closed.data)["code"]) == ("close", Restarting.close_code)
        with pytest.raises(StopAsyncIteration):
            await ear.next()
    await until_async(lambda: not house.sockets.sessions)
    assert not house.parts.pings.sinks


async def test_a_sign_in_that_ran_out_ends_the_stream(house: House, place: Served, owner: Owner) -> None:
    async with Ear(place, token_of(owner)) as ear:
        await ear.message()
        house.clock.ahead = house.context.settings.access_token_minutes * 60 + 1

        await house.sockets.look()

        assert (await ear.message())["code"] == 4401


async def test_signing_out_ends_the_stream(house: House, place: Served, owner: Owner) -> None:
    async with Ear(place, token_of(owner)) as ear:
        await ear.message()

        house.context.end_sessions("somebody else")
        assert house.parts.hub.subscribers(f"store/{owner.store_id}/owner") == 1
        house.context.end_sessions(house.context.accounts.who(token_of(owner)))

        assert (await ear.message())["code"] == 4401


async def test_a_client_that_goes_leaves_nothing_behind(house: House, place: Served, owner: Owner) -> None:
    topic = f"store/{owner.store_id}/owner"
    async with Ear(place, token_of(owner), topic) as ear:
        await ear.message()
        assert house.parts.hub.subscribers(topic) == 1

    await until_async(lambda: not house.sockets.sessions)
    assert house.parts.hub.subscribers(topic) == 0
    assert not house.parts.pings.sinks


async def test_a_store_takes_so_many_streams_and_its_owner_always(open_house: Open) -> None:
    house = await open_house(max_sockets_per_store=1)
    owner = await new_owner(house)
    cookie = f"nowserving_ticket={(await join(house, owner)).cookies['nowserving_ticket']}"
    async with served(house) as place:
        async with Ear(place, Cookie=cookie):
            second = await refused(place, "/live/sse", Cookie=cookie)
            async with Ear(place, token_of(owner)):
                pass
            assert (second.status_code, second.json()["code"]) == (503, "overloaded")
        await until_async(lambda: len(house.context.crowds) == 0)
        async with Ear(place, Cookie=cookie):
            pass
