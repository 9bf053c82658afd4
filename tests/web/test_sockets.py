"""The live socket over real connections, on both kinds of sink."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from realtime.protocol import SUBPROTOCOL
from tests.support.waiting import until_async
from tests.web.conftest import HOST, House, Owner, join, new_owner
from tests.web.serving import Served, Talk, served

NOT_HERE = "You may not do that here."


@pytest_asyncio.fixture(params=[True, False], ids=["handed over", "through send"])
async def place(request: pytest.FixtureRequest, house: House) -> AsyncIterator[Served]:
    async with served(house, fanout=request.param) as place:
        yield place


def token_of(owner: Owner) -> str:
    return str(owner.client.headers["Authorization"].removeprefix("Bearer "))


async def own_ticket(phone: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await phone.get("/v1/ticket")).json()
    return found


# ---- the handshake


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://evil127.0.0.1:{port}",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}/",
        "",
    ],
)
async def test_no_other_page_opens_a_socket(house: House, place: Served, origin: str) -> None:
    port = place.base.rpartition(":")[2]

    with pytest.raises(InvalidStatus) as refused:
        await place.connect(origin=origin.format(port=port))

    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == "cross_site"
    assert not house.sockets.sessions


async def test_our_own_pages_and_programs_open_one(place: Served) -> None:
    for origin in (place.base, place.base.upper().replace("HTTP", "http"), None):
        async with place.connect(origin=origin) as socket:
            assert socket.subprotocol == SUBPROTOCOL


async def test_a_page_of_another_site_is_refused_even_without_origin(place: Served) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await place.connect(**{"Sec-Fetch-Site": "cross-site"})

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("subprotocol", [None, "nowserving.v2", "graphql-ws"])
async def test_another_protocol_is_refused_with_a_sentence(place: Served, subprotocol: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await place.connect(subprotocol=subprotocol)

    assert refused.value.response.status_code == 422
    assert b"nowserving.v1" in (refused.value.response.body or b"")


async def test_while_the_server_drains_nobody_comes_in(house: House, place: Served) -> None:
    house.serving.ready = False

    with pytest.raises(InvalidStatus) as refused:
        await place.connect()

    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"]


# ---- signing in


async def test_whoever_does_not_sign_in_first_is_sent_away(place: Served) -> None:
    async with place.connect() as socket:
        await socket.send('{"id":1,"subscribe":{"topic":"store/x/public"}}')

        assert await Talk(socket).closed() == 4401


async def test_a_token_of_nobodys_ends_the_socket(place: Served) -> None:
    async with place.connect() as socket:
        talk = Talk(socket)

        reply = await talk.say(authenticate={"token": "abc"})

        assert reply["error"]["code"] == "not_signed_in"
        assert await talk.closed() == 4401


async def test_a_socket_that_says_nothing_may_come_back(house: House, place: Served) -> None:
    async with place.connect() as socket:
        await until_async(lambda: len(house.sockets.sessions))
        house.clock.ahead = 9
        house.sockets.look_at_strangers()
        assert len(house.sockets.sessions) == 1

        house.clock.ahead = 10
        house.sockets.look_at_strangers()

        assert await Talk(socket).closed() == 4000


async def test_a_socket_that_signed_in_is_nobody_to_be_hurried(house: House, place: Served, owner: Owner) -> None:
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(owner)})
        house.clock.ahead = 10

        house.sockets.look_at_strangers()

        assert (await talk.say(unsubscribe={"topic": "t"}))["ok"] == {}


async def test_a_sign_in_that_ran_out_ends_the_socket_unless_it_was_renewed(house: House, place: Served, owner: Owner) -> None:
    async with place.connect() as kept, place.connect() as forgotten, place.connect() as busy:
        talks = [Talk(socket) for socket in (kept, forgotten, busy)]
        for talk in talks:
            await talk.say(authenticate={"token": token_of(owner)})
        ran_out = house.context.settings.access_token_minutes * 60 + 1
        house.clock.ahead = ran_out

        reply = await talks[2].say(unsubscribe={"topic": "t"})
        house.clock.ahead = 0
        renewed = await talks[0].say(authenticate={"token": token_of(owner)})
        house.clock.ahead = ran_out
        await house.sockets.look()

        assert reply["error"]["code"] == "not_signed_in"
        assert renewed["ok"]["as"] == "owner"
        assert [await talk.closed() for talk in talks] == [4401] * 3


async def test_signing_out_ends_the_accounts_sockets_and_nobody_elses(house: House, place: Served, owner: Owner) -> None:
    other = await new_owner(house, "maria@example.com")
    async with place.connect() as mine, place.connect() as hers:
        talk, her_talk = Talk(mine), Talk(hers)
        await talk.say(authenticate={"token": token_of(owner)})
        await her_talk.say(authenticate={"token": token_of(other)})

        answer = await owner.client.post("/v1/logout", headers={"Origin": HOST})

        assert answer.status_code == 204
        assert await talk.closed() == 4401
        assert "ok" in await her_talk.say(unsubscribe={"topic": "t"})


async def test_a_socket_never_changes_hands(house: House, place: Served, owner: Owner) -> None:
    other = await new_owner(house, "maria@example.com")
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(owner)})

        reply = await talk.say(authenticate={"token": token_of(other)})

        assert reply["error"]["code"] == "not_allowed"
        assert await talk.closed() == 4403


# ---- what happens on it


async def test_the_owner_sees_what_the_customer_does_and_calls(house: House, place: Served, owner: Owner) -> None:
    async with place.connect() as socket:
        talk = Talk(socket)
        granted = await talk.say(authenticate={"token": token_of(owner)})
        topic = granted["ok"]["topics"][0]
        subscribed = await talk.say(subscribe={"topic": topic})

        await join(house, owner)
        joined = await talk.push("joined")
        called = await talk.say(call_next={"store_id": owner.store_id, "queue": "A", "desk": "Desk 2"})
        again = await talk.say(call_next={"store_id": owner.store_id, "queue": "A"})
        served = await talk.say(change_ticket={"store_id": owner.store_id, "ticket": joined["ticket"]["id"], "action": "serve"})
        added = await talk.say(walk_in={"store_id": owner.store_id, "name": "Bo", "queue": "B"})
        edited = await talk.say(edit_store={"store_id": owner.store_id, "description": "Kitchen is late"})

        assert subscribed["ok"]["recovered"] is False
        assert joined["ticket"]["name"] == "Ann"
        assert (called["ok"]["state"], called["ok"]["desk"]) == ("called", "Desk 2")
        assert (again["error"]["code"], again["error"]["retry"]) == ("nobody_waiting", True)
        assert served["ok"]["state"] == "serving"
        assert added["ok"]["ticket"]["label"] == "B01"
        assert edited["ok"]["store"]["description"] == "Kitchen is late"


async def test_a_party_sees_its_turn_without_anybodys_name_and_leaves(house: House, place: Served, owner: Owner) -> None:
    phone = await join(house, owner, "Ann")
    await join(house, owner, "Bartholomew")
    own = await own_ticket(phone)
    async with place.connect() as socket:
        talk = Talk(socket)
        granted = await talk.say(authenticate={"token": own["live_token"]})
        replies = [await talk.say(subscribe={"topic": topic}) for topic in granted["ok"]["topics"]]

        refused = await talk.say(call_next={"store_id": owner.store_id, "queue": "A"})
        await owner.client.post(f"{owner.url}/queues/A/call-next", json={"desk": "Desk 2"})
        called = await talk.push("called")
        left = await talk.say(leave={})

        assert (refused["error"]["code"], refused["error"]["message"]) == ("not_allowed", NOT_HERE)
        assert called["ticket"]["desk"] == "Desk 2"
        assert left["ok"] == {}
        assert (await own_ticket(phone))["state"] == "left"
        assert "Bartholomew" not in json.dumps([replies, talk.pushes, called])


async def test_only_a_party_says_that_it_has_seen_its_call(house: House, place: Served, owner: Owner) -> None:
    phone = await join(house, owner, "Ann")
    own = await own_ticket(phone)
    async with place.connect() as socket, place.connect() as counter:
        party, staff = Talk(socket), Talk(counter)
        await party.say(authenticate={"token": own["live_token"]})
        await staff.say(authenticate={"token": token_of(owner)})
        await staff.say(subscribe={"topic": f"store/{owner.store_id}/owner"})
        called = (await staff.say(call_next={"store_id": owner.store_id, "queue": "A"}))["ok"]

        refused = await staff.say(seen={"called_ms": called["called_ms"]})
        wrong = await party.say(seen={"called_ms": 0})
        early = await party.say(seen={"called_ms": called["called_ms"] - 1})
        assert (await staff.say(change_ticket={"store_id": owner.store_id, "ticket": called["id"], "action": "recall"}))["ok"][
            "seen_ms"
        ] == 0
        now = await staff.push("recalled")
        answers = [await party.say(seen={"called_ms": now["ticket"]["called_ms"]}) for _ in range(2)]

        assert (refused["error"]["code"], wrong["error"]["field"], early["ok"]) == ("not_allowed", "seen.called_ms", {})
        assert [answer["ok"] for answer in answers] == [{}, {}]
        assert (await staff.push("seen"))["ticket"]["seen_ms"] >= now["ticket"]["called_ms"]


async def test_a_stranger_hears_nothing_of_a_store(house: House, place: Served, owner: Owner) -> None:
    other = await new_owner(house, "maria@example.com")
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(other)})

        reply = await talk.say(call_next={"store_id": owner.store_id, "queue": "A"})
        subscribed = await talk.say(subscribe={"topic": f"store/{owner.store_id}/owner"})

        assert reply["error"]["code"] in {"not_allowed", "store_not_found"}
        assert "error" in subscribed


async def test_commands_are_answered_in_their_order(place: Served, owner: Owner) -> None:
    async with place.connect() as socket:
        await socket.send(json.dumps({"id": 1, "authenticate": {"token": token_of(owner)}}))
        talk = Talk(socket)
        await talk.receive()
        for number in range(2, 12):
            verb = (
                {"subscribe": {"topic": f"store/{owner.store_id}/owner"}}
                if number % 2
                else {"unsubscribe": {"topic": f"store/{owner.store_id}/owner"}}
            )
            await socket.send(json.dumps({"id": number, **verb}))

        assert [(await talk.receive())["id"] for _ in range(2, 12)] == list(range(2, 12))


async def test_only_so_many_topics_on_one_socket(house: House, place: Served, owner: Owner) -> None:
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(owner)})
        await until_async(lambda: len(house.sockets.sessions))
        (session,) = house.sockets.sessions
        session._topics = tuple(str(number) for number in range(16))

        reply = await talk.say(subscribe={"topic": f"store/{owner.store_id}/owner"})

        assert reply["error"]["field"] == "subscribe.topic"


async def test_a_failure_of_ours_ends_one_command_and_not_the_socket(
    house: House, place: Served, owner: Owner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(house.context.reception, "call_next", broken)
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(owner)})

        reply = await talk.say(call_next={"store_id": owner.store_id, "queue": "A"})
        after = await talk.say(unsubscribe={"topic": "t"})

        assert reply["error"]["code"] == "internal_error"
        assert "secret" not in json.dumps(reply)
        assert after["ok"] == {}
    assert "CallNext failed" in caplog.text


async def test_a_socket_that_is_gone_leaves_nothing_behind(house: House, place: Served, owner: Owner) -> None:
    async with place.connect() as socket:
        talk = Talk(socket)
        granted = await talk.say(authenticate={"token": token_of(owner)})
        await talk.say(subscribe={"topic": granted["ok"]["topics"][0]})
        assert house.parts.hub.subscribers(granted["ok"]["topics"][0]) == 1

    await until_async(lambda: not house.sockets.sessions)
    assert house.parts.hub.subscribers(granted["ok"]["topics"][0]) == 0
    assert not house.parts.pings.sinks


# ---- hostile frames


@pytest.mark.parametrize(
    ("frame", "codes"),
    [
        ("nonsense", {4400}), ('{"id":1}', {4400}), ('{"id":1,"dance":{}}', {4400}), ("[" * 4000, {4400}), ("{" * 4000, {4400}), ('{"id":1,"leave":{},"leave2":{}}', {4400}), ("", {4400}),
        (b"\x00\x01", {1003}), ("x" * 5000, {1009}), ('{"id":1,"authenticate":{"token":"' + "x" * 3000 + '"}}', {4401, None}),
    ],
)  # fmt: skip
async def test_a_hostile_frame_costs_its_sender_the_socket_and_nobody_else_anything(
    house: House, place: Served, owner: Owner, caplog: pytest.LogCaptureFixture, frame: str | bytes, codes: set[int]
) -> None:
    async with place.connect() as bystander, place.connect() as socket:
        calm, talk = Talk(bystander), Talk(socket)
        await calm.say(authenticate={"token": token_of(owner)})

        await socket.send(frame)

        if None not in codes:
            assert await talk.closed() in codes
        assert "ok" in await calm.say(unsubscribe={"topic": "t"})
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_flood_ends_the_socket(place: Served, owner: Owner) -> None:
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(owner)})

        for _ in range(100):
            await socket.send("{}")

        assert await talk.closed() == 4400


async def test_a_socket_that_does_not_wait_for_replies_is_ended_before_it_costs_memory(
    house: House, place: Served, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def slow(*_: object, **__: object) -> None:
        await never.wait()

    monkeypatch.setattr(house.context.reception, "call_next", slow)
    async with place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(owner)})
        for number in range(40):
            await socket.send(json.dumps({"id": number, "call_next": {"store_id": owner.store_id, "queue": "A"}}))

        assert await talk.closed() == 4400
    never.set()


async def test_the_address_of_links_is_never_a_strangers(house: House, place: Served, owner: Owner) -> None:
    async with place.connect(host="evil.example") as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token_of(owner)})
        await talk.say(subscribe={"topic": f"store/{owner.store_id}/owner"})

    snapshot = (await owner.client.get(owner.url)).json()

    assert snapshot["code"]["link"].startswith(HOST)
