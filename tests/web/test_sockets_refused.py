"""What a live socket is refused, and in which words; and addresses at which there is no socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.web.conftest import House, Owner, join, new_owner
from tests.web.serving import Served, Talk, served
from tests.web.test_sockets import NOT_HERE, own_ticket, token_of


@pytest_asyncio.fixture(params=[True, False], ids=["handed over", "through send"])
async def place(request: pytest.FixtureRequest, house: House) -> AsyncIterator[Served]:
    async with served(house, fanout=request.param) as place:
        yield place


@pytest.mark.parametrize("who", ["owner", "ticket", "board"])
async def test_a_topic_that_was_not_granted_is_refused_in_words_that_fit_whoever_asks(
    house: House, place: Served, owner: Owner, who: str
) -> None:
    own = await own_ticket(await join(house, owner))
    board = (await owner.client.get(owner.url)).json()["store"]["board_link"].rpartition("#")[2]
    tokens = {"owner": token_of(owner), "ticket": own["live_token"], "board": board}
    topics = {
        "owner": f"store/{owner.store_id}/owner",
        "ticket": f"ticket/{owner.store_id}/{own['id']}",
        "board": f"store/{owner.store_id}/board",
    }
    for topic in (topic for kind, topic in topics.items() if kind != who):
        async with place.connect() as socket:
            talk = Talk(socket)
            await talk.say(authenticate={"token": tokens[who]})
            assert "ok" in await talk.say(subscribe={"topic": topics[who]})

            refused = await talk.say(subscribe={"topic": topic})

            assert refused["error"]["message"] == NOT_HERE
            assert await talk.closed() == 4403
            assert socket.close_reason == NOT_HERE


async def test_an_owner_is_told_that_a_store_is_another_accounts(house: House, place: Served, owner: Owner) -> None:
    other = await new_owner(house, "maria@example.com")
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(other)})

        called = await talk.say(call_next={"store_id": owner.store_id, "queue": "A"})
        subscribed = await talk.say(subscribe={"topic": f"store/{owner.store_id}/owner"})

        for reply in (called, subscribed):
            assert reply["error"]["message"] == "This belongs to another account. Sign in with the one it belongs to."


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_whoever_asks_for_the_socket_without_a_handshake_is_told_what_it_takes(place: Served, method: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.request(method, f"{place.base}/live")

    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert answer.headers["x-content-type-options"] == "nosniff"
    if method != "HEAD":
        assert answer.json()["code"] == "upgrade_required"
        assert "/live/sse" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/live/", "/nothing", "/v1/stores", "/static/live.js"])
async def test_a_handshake_somewhere_else_is_told_that_there_is_nothing(place: Served, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{place.base.replace('http', 'ws', 1)}{path}", proxy=None)

    answer = refused.value.response
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert b'"code":"not_found"' in answer.body
