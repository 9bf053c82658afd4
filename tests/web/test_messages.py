"""The message queue over HTTP: who may, what comes back, and that nothing is lost or seen twice at once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realtime.lifecycle import Lifecycle
from realtime.server.limits import of_addresses
from tests.web.conftest import House, Open, Owner, new_owner, program_of


@pytest_asyncio.fixture
async def program(house: House, owner: Owner) -> httpx.AsyncClient:
    """A program with a token for everything."""
    return await program_of(house, owner, "publish", "consume")


async def _publish(program: httpx.AsyncClient, message: Any = "hello", **more: Any) -> str:
    answer = await program.post("/v1/publish", json={"message": message, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["messageId"])


async def _consume(program: httpx.AsyncClient, cid: str = "1", **more: Any) -> list[dict[str, Any]]:
    answer = await program.get("/v1/consumer", params={"cid": cid, "limit": 10, **more})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["messages"]
    return found


async def _delete(program: httpx.AsyncClient, id_: str, cid: str = "1", **more: Any) -> Any:
    answer = await program.delete("/v1/consumer", params={"cid": cid, "id": id_, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_works_as_wonderq_describes_itself(program: httpx.AsyncClient) -> None:
    id_ = await _publish(program, {"order": 17})

    (message,) = await _consume(program, limit=1)
    assert (message["messageId"], message["message"], message["attempt"]) == (id_, {"order": 17}, 1)
    assert await _consume(program, cid="2") == []
    assert await _delete(program, id_, cid="2") is False
    assert await _delete(program, id_) is True
    assert await _delete(program, id_, receipt=message["receipt"]) is True
    assert await _consume(program) == []


async def test_ids_grow_in_the_order_of_publishing(program: httpx.AsyncClient) -> None:
    ids = [await _publish(program, number) for number in range(5)]

    assert ids == sorted(ids)
    assert {len(id_) for id_ in ids} == {19}
    assert [message["message"] for message in await _consume(program)] == [0, 1, 2, 3, 4]


async def test_what_is_not_deleted_in_time_is_seen_again_and_its_old_receipt_is_worth_nothing(
    program: httpx.AsyncClient, house: House
) -> None:
    id_ = await _publish(program)
    (first,) = await _consume(program, vt=1)
    await _let_lapse(house)

    (second,) = await _consume(program)

    assert second["attempt"] == 2
    assert await _delete(program, id_, receipt=first["receipt"]) is False
    assert await _delete(program, id_, receipt=second["receipt"]) is True


async def test_a_message_that_is_never_deleted_is_a_dead_letter_after_five_receives(program: httpx.AsyncClient, house: House) -> None:
    await _publish(program, lane="a")
    await _publish(program, "next", lane="a")
    for _ in range(5):
        assert len(await _consume(program)) == 1
        await _let_lapse(house)

    assert [*await _consume(program), *await _consume(program)][0]["message"] == "next"
    (letter,) = (await program.get("/v1/dead")).json()["letters"]
    assert (letter["attempts"], letter["reason"]) == (5, "given up after 5 attempts: its worker ended without an answer")


async def test_a_message_that_was_given_back_too_often_is_a_dead_letter_at_once(program: httpx.AsyncClient) -> None:
    id_ = await _publish(program)
    for _ in range(5):
        await _consume(program)
        assert (await program.patch("/v1/consumer", json={"cid": "1", "id": id_, "vt": 0})).json() is True

    (letter,) = (await program.get("/v1/dead")).json()["letters"]
    assert (letter["attempts"], letter["reason"]) == (5, "given up after 5 attempts: released")


async def test_a_message_whose_last_consumer_crashed_is_a_dead_letter_though_nobody_consumes(open_house: Open) -> None:
    house = await open_house(message_receives=1)
    program = await program_of(house, await new_owner(house), "publish", "consume")
    await _publish(program)
    assert len(await _consume(program, vt=1)) == 1

    async with asyncio.timeout(20):
        while not (letters := (await program.get("/v1/dead")).json()["letters"]):
            await asyncio.sleep(0.05)

    assert letters[0]["attempts"] == 1


async def test_a_lane_is_consumed_one_by_one_and_others_beside_it(program: httpx.AsyncClient) -> None:
    for number in range(3):
        await _publish(program, number, lane="a")
    await _publish(program, "other", lane="b")

    held = await _consume(program)
    assert [message["message"] for message in held] == [0, "other"]
    await _delete(program, held[0]["messageId"])

    assert [message["message"] for message in await _consume(program)] == [1]


async def test_a_receive_can_be_asked_for_again(program: httpx.AsyncClient) -> None:
    for number in range(3):
        await _publish(program, number)

    first = await _consume(program, limit=2, attempt_id="a1")
    again = await _consume(program, limit=2, attempt_id="a1")

    assert [message["messageId"] for message in again] == [message["messageId"] for message in first]
    assert [message["receipt"] for message in again] == [message["receipt"] for message in first]
    assert [message["message"] for message in await _consume(program, attempt_id="a2")] == [2]
    await _delete(program, first[0]["messageId"])
    assert len(await _consume(program, attempt_id="a1")) == 1


async def test_a_receive_that_is_asked_for_again_when_nothing_of_it_is_held_is_empty_at_once(program: httpx.AsyncClient) -> None:
    await _publish(program)
    (message,) = await _consume(program, attempt_id="a1")
    await _delete(program, message["messageId"])
    await _publish(program, "another")

    assert await _consume(program, attempt_id="a1", wait=20) == []
    assert [each["message"] for each in await _consume(program, attempt_id="a2", wait=20)] == ["another"]


@pytest.mark.parametrize("more", [{}, {"attempt_id": "a1"}])
async def test_who_waits_gets_a_message_as_soon_as_there_is_one(program: httpx.AsyncClient, more: dict[str, str]) -> None:
    waiting = asyncio.create_task(_consume(program, wait=20, **more))
    while not program_waits(program) and not waiting.done():
        await asyncio.sleep(0)
    await _publish(program, "at last")

    async with asyncio.timeout(10):
        (message,) = await waiting

    assert message["message"] == "at last"


async def test_who_waits_is_answered_when_the_server_ends(program: httpx.AsyncClient, house: House) -> None:
    waiting = asyncio.create_task(_consume(program, wait=20))
    while not program_waits(program):
        await asyncio.sleep(0)
    lifecycle = Lifecycle(of_addresses(1))
    lifecycle.parts = house.parts

    lifecycle.begin_drain()

    async with asyncio.timeout(10):
        assert await waiting == []
        assert await _consume(program, wait=20) == []


async def test_a_look_at_the_head_takes_nothing(program: httpx.AsyncClient) -> None:
    await _publish(program)

    assert (await program.head("/v1/consumer", params={"cid": "1"})).status_code == 200

    assert len(await _consume(program)) == 1


def program_waits(program: httpx.AsyncClient) -> bool:
    transport = program._transport
    assert isinstance(transport, httpx.ASGITransport)
    (route,) = [route for route in transport.app.routes if getattr(route, "path", "") == "/v1/consumer"]  # type: ignore[attr-defined]  # Starlette's
    return bool(route.app.context.messaging._waiting)


async def test_a_message_is_held_longer_or_given_back(program: httpx.AsyncClient) -> None:
    id_ = await _publish(program)
    (message,) = await _consume(program)
    more = {"cid": "1", "id": id_, "receipt": message["receipt"]}

    assert (await program.patch("/v1/consumer", json={**more, "vt": 3_000})).json() is True
    assert (await program.patch("/v1/consumer", json={**more, "receipt": "other", "vt": 0})).json() is False
    assert (await program.patch("/v1/consumer", json={**more, "vt": 0})).json() is True
    assert len(await _consume(program, cid="2")) == 1


async def test_batches_are_published_whole_and_deleted_one_by_one(program: httpx.AsyncClient) -> None:
    bad = await program.post("/v1/publish/batch", json={"messages": [{"message": 1}, {"message": 2, "lane": "a\nb"}]})
    good = await program.post("/v1/publish/batch", json={"messages": [{"message": number} for number in range(3)]})

    assert bad.status_code == 422
    ids = [published["messageId"] for published in good.json()]
    assert [message["messageId"] for message in await _consume(program)] == ids
    asked = [{"cid": "1", "id": ids[0]}, {"cid": "2", "id": ids[1]}, {"cid": "1", "id": "1" * 19}]
    assert (await program.post("/v1/consumer/batch", json={"messages": asked})).json() == [True, False, False]


async def test_an_account_sees_its_own_queues_only(house: House, program: httpx.AsyncClient) -> None:
    await _publish(program)
    elsewhere = await new_owner(house, "maria@example.com")

    assert await _consume(await program_of(house, elsewhere, "consume")) == []
    assert await _consume(program, queue="other") == []


async def test_a_token_does_what_it_may_until_it_is_revoked(house: House, owner: Owner) -> None:
    program = await program_of(house, owner, "publish")
    (token,) = (await owner.client.get("/v1/tokens")).json()

    await _publish(program)
    assert (await program.get("/v1/consumer", params={"cid": "1"})).json()["code"] == "not_allowed"
    assert (await owner.client.delete(f"/v1/tokens/{token['id']}")).status_code == 204

    assert (await program.post("/v1/publish", json={"message": 1})).status_code == 401
    assert (await owner.client.delete(f"/v1/tokens/{token['id']}")).status_code == 404
    assert (await owner.client.get("/v1/tokens")).json() == []


async def test_the_secret_of_a_token_is_kept_nowhere(house: House, owner: Owner) -> None:
    made = (await owner.client.post("/v1/tokens", json={"name": "Kitchen", "scopes": ["publish"]})).json()

    (seen,) = (await owner.client.get("/v1/tokens")).json()

    assert seen == {"id": made["id"], "name": "Kitchen", "scopes": ["publish"], "created_ms": seen["created_ms"]}
    assert made["token"].rpartition("_")[2] not in str(await _rows(house, "select * from api_tokens"))


async def test_an_owner_uses_the_queues_without_a_token_and_strangers_do_not(house: House, owner: Owner) -> None:
    await _publish(owner.client)

    assert len(await _consume(owner.client)) == 1
    for headers in ({}, {"Authorization": "Bearer ns_x_y"}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic ns_x_y"}):
        stranger = await house.client(**headers)
        assert (await stranger.get("/v1/consumer", params={"cid": "1"})).status_code == 401


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "cid"),
        ({"cid": "1", "limit": "0"}, "limit"),
        ({"cid": "1", "limit": "ten"}, "limit"),
        ({"cid": "1", "limit": "101"}, "limit"),
        ({"cid": "a b"}, "cid"),
        ({"cid": "1", "wait": "21"}, "wait"),
        ({"cid": "1", "queue": "a/b"}, "queue"),
        ({"cid": "1", "colour": "red"}, "colour"),
    ],
)
async def test_what_is_asked_wrongly_is_named(program: httpx.AsyncClient, params: dict[str, str], field: str) -> None:
    answer = await program.get("/v1/consumer", params=params)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_parameter_that_is_given_twice_is_refused(program: httpx.AsyncClient) -> None:
    assert (await program.get("/v1/consumer?cid=1&cid=2")).json()["field"] == "cid"


async def _let_lapse(house: House) -> None:
    """Every lease ends now."""
    await house.parts.storage.write(_run, "update jobs set leased_until_ms = 1 where state = 'leased'")


async def _rows(house: House, sql: str) -> Any:
    return await house.parts.storage.read(_run, sql)


def _run(sql: str) -> Any:
    from realtime.storage.statement import Statement

    return (yield Statement(sql))


# ---- asked for twice


async def test_publishing_again_with_the_same_key_gets_the_same_answer_and_happens_once(program: httpx.AsyncClient) -> None:
    first, second = [await program.post("/v1/publish", json={"message": 1}, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert len(await _consume(program)) == 1


async def test_a_batch_again_with_the_same_key_gets_the_same_answers(program: httpx.AsyncClient) -> None:
    batch = {"messages": [{"message": 1, "key": "a"}, {"message": 2, "lane": "z"}, {"message": 3, "key": "a"}]}

    first, second = [await program.post("/v1/publish/batch", json=batch, headers={"Idempotency-Key": "b"}) for _ in range(2)]

    assert [each["deduplicated"] for each in first.json()] == [False, False, True]
    assert first.json() == second.json()
    assert len(await _consume(program)) == 2


async def test_a_key_that_came_with_another_message_is_refused_and_nothing_is_published(program: httpx.AsyncClient) -> None:
    await program.post("/v1/publish", json={"message": 1}, headers={"Idempotency-Key": "k"})

    for path, body in (("/v1/publish", {"message": 2}), ("/v1/publish/batch", {"messages": [{"message": 1}]})):
        refused = await program.post(path, json=body, headers={"Idempotency-Key": "k"})

        assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "invalid_input", "Idempotency-Key")
    assert [message["message"] for message in await _consume(program)] == [1]


async def test_a_key_of_one_account_says_nothing_to_another(program: httpx.AsyncClient, house: House) -> None:
    other = await program_of(house, await new_owner(house, "other@example.com"), "publish", "consume")

    answers = [
        await each.post("/v1/publish", json={"message": number}, headers={"Idempotency-Key": "k"})
        for number, each in enumerate((program, other))
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [message["message"] for message in await _consume(other)] == [1]


async def test_where_the_server_asks_for_receipts_nothing_is_deleted_without_one(open_house: Open) -> None:
    house = await open_house(message_receipt_required=True)
    program = await program_of(house, await new_owner(house), "publish", "consume")
    id_ = await _publish(program)
    (message,) = await _consume(program)

    refused = await program.delete("/v1/consumer", params={"cid": "1", "id": id_})

    assert (refused.status_code, refused.json()["field"]) == (422, "receipt")
    assert await _delete(program, id_, receipt=message["receipt"]) is True


# ---- dead letters


async def _die(program: httpx.AsyncClient, house: House, message: Any, **more: Any) -> str:
    id_ = await _publish(program, message, **more)
    for _ in range(6):
        await _consume(program, vt=1)
        await _let_lapse(house)
    return id_


async def test_dead_letters_are_shown_page_by_page_with_their_reasons(program: httpx.AsyncClient, house: House) -> None:
    ids = [await _die(program, house, number) for number in range(3)]

    first = (await program.get("/v1/dead", params={"limit": 2})).json()
    second = (await program.get("/v1/dead", params={"limit": 2, "after": first["next"]})).json()

    assert [letter["messageId"] for letter in first["letters"] + second["letters"]] == ids
    assert [letter["message"] for letter in first["letters"]] == [0, 1]
    assert first["letters"][0]["reason"].startswith("given up after 5 attempts")
    assert (second["next"], first["letters"][0]["blocks"]) == ("", False)


async def test_dead_letters_are_redriven_by_reason_and_number_and_can_be_consumed_again(program: httpx.AsyncClient, house: House) -> None:
    ids = [await _die(program, house, number) for number in range(2)]

    assert (await program.post("/v1/dead/redrive", json={"reason": "nothing like it"})).json() == {"redriven": 0}
    assert (await program.post("/v1/dead/redrive", json={"reason": "given up", "limit": 1})).json() == {"redriven": 1}

    assert [(message["messageId"], message["attempt"]) for message in await _consume(program)] == [(ids[0], 1)]


async def test_a_lane_that_blocks_waits_until_its_dead_letter_is_let_go(program: httpx.AsyncClient, house: House) -> None:
    dead = await _die(program, house, 1, lane="a", on_dead="block")
    await _publish(program, 2, lane="a")

    assert await _consume(program) == []
    blocking = (await program.get("/v1/dead", params={"blocking": "true"})).json()["letters"]
    assert [letter["messageId"] for letter in blocking] == [dead]
    assert (await program.delete("/v1/dead", params={"id": dead})).status_code == 204

    assert [message["message"] for message in await _consume(program)] == [2]
    assert (await program.delete("/v1/dead", params={"id": dead})).status_code == 404


async def test_dead_letters_of_another_account_are_not_seen_redriven_or_let_go(program: httpx.AsyncClient, house: House) -> None:
    dead = await _die(program, house, 1)
    other = await program_of(house, await new_owner(house, "other@example.com"), "publish", "consume")

    assert (await other.get("/v1/dead")).json()["letters"] == []
    assert (await other.post("/v1/dead/redrive", json={})).json() == {"redriven": 0}
    assert (await other.delete("/v1/dead", params={"id": dead})).status_code == 404
