"""Several commands in one text, and commands that do not wait for the answer to the token before them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from realtime.errors import StorageBusy
from tests.web.conftest import House, Owner
from tests.web.serving import Served, Talk, served


@pytest_asyncio.fixture(params=[True, False], ids=["handed over", "through send"])
async def place(request: pytest.FixtureRequest, house: House) -> AsyncIterator[Served]:
    async with served(house, fanout=request.param) as place:
        yield place


def lines(*commands: dict[str, Any]) -> str:
    return "\n".join(json.dumps({"id": number, **command}) for number, command in enumerate(commands, 1))


def sign_in(owner: Owner) -> dict[str, Any]:
    return {"authenticate": {"token": owner.client.headers["Authorization"].removeprefix("Bearer ")}}


async def test_one_text_signs_in_and_subscribes(place: Served, owner: Owner) -> None:
    topic = f"store/{owner.store_id}/owner"
    async with place.connect() as socket:
        talk = Talk(socket)
        await socket.send(lines(sign_in(owner), {"subscribe": {"topic": topic}}, {"unsubscribe": {"topic": topic}}))
        replies = [await talk.receive() for _ in range(3)]

    assert [reply["id"] for reply in replies if "id" in reply] == [1, 2, 3]
    assert replies[0]["ok"]["topics"] == [topic]
    assert replies[1]["ok"]["snapshot"]["store"]["id"] == owner.store_id
    assert replies[2]["ok"] == {}


async def test_with_a_token_of_nobodys_nothing_that_follows_is_carried_out(place: Served, owner: Owner) -> None:
    async with place.connect() as socket:
        talk = Talk(socket)
        await socket.send(lines({"authenticate": {"token": "x"}}, {"call_next": {"store_id": owner.store_id, "queue": "A"}}))

        reply = await talk.receive()

        assert (reply["id"], reply["error"]["code"]) == (1, "not_signed_in")
        assert await talk.closed() == 4401


async def test_what_follows_a_token_that_cannot_be_checked_now_is_refused_with_it_and_may_come_again(
    house: House, place: Served, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticate, tries = house.context.live.authenticate, []

    async def busy_at_first(token: str) -> Any:
        tries.append(token)
        if len(tries) == 1:
            raise StorageBusy(retry_after=1)
        return await authenticate(token)

    monkeypatch.setattr(house.context.live, "authenticate", busy_at_first)
    text = lines(sign_in(owner), {"subscribe": {"topic": f"store/{owner.store_id}/owner"}})
    async with place.connect() as socket:
        talk = Talk(socket)
        await socket.send(text)
        refused = [await talk.receive() for _ in range(2)]
        await socket.send(text)
        replies = [await talk.receive() for _ in range(2)]

    assert [(reply["id"], reply["error"]["code"], reply["error"]["retry"]) for reply in refused] == [
        (1, StorageBusy.code, True),
        (2, StorageBusy.code, True),
    ]
    assert [reply["id"] for reply in replies if "ok" in reply] == [1, 2]


async def test_too_many_in_one_text_end_the_socket(place: Served) -> None:
    async with place.connect() as socket:
        await socket.send("\n".join(["{}"] * 17))

        assert await Talk(socket).closed() == 4400
