"""Messages and jobs under a key, and the trace they belong to, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio

from realtime.app import now_ms
from tests.web.conftest import House, Owner, program_of

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest_asyncio.fixture
async def program(house: House, owner: Owner) -> httpx.AsyncClient:
    return await program_of(house, owner, "publish", "consume", "jobs")


async def consume(program: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await program.get("/v1/consumer", params={"cid": "1"})).raise_for_status().json()["messages"]
    return found


async def test_a_key_stands_for_the_first_message(program: httpx.AsyncClient) -> None:
    first, second = [(await program.post("/v1/publish", json={"message": number, "key": "k"})).json() for number in range(2)]

    assert second == {"messageId": first["messageId"], "deduplicated": True, "replaced": False}
    assert [message["message"] for message in await consume(program)] == [0]


async def test_the_newest_message_of_a_key_takes_the_place_of_the_one_that_waits(program: httpx.AsyncClient) -> None:
    body = {"key": "table 7", "on_key": "replace", "window": 60}
    said = [(await program.post("/v1/publish", json={**body, "message": number})).json() for number in range(3)]

    (message,) = await consume(program)
    assert (message["messageId"], message["message"]) == (said[0]["messageId"], 2)
    assert [(each["messageId"] == message["messageId"], each["deduplicated"], each["replaced"]) for each in said] == [
        (True, False, False),
        (True, True, True),
        (True, True, True),
    ]
    after = (await program.post("/v1/publish", json={**body, "message": 3})).json()
    assert (after["deduplicated"], [each["message"] for each in await consume(program)]) == (False, [3])


async def test_several_of_one_key_in_one_batch_are_one_message(program: httpx.AsyncClient) -> None:
    each = {"key": "k", "on_key": "replace"}
    await program.post("/v1/publish/batch", json={"messages": [{**each, "message": number} for number in range(3)]})

    assert [message["message"] for message in await consume(program)] == [2]


async def test_a_message_that_is_postponed_waits_for_its_delay_anew(program: httpx.AsyncClient, house: House) -> None:
    body, start, passed_s = {"key": "k", "on_key": "postpone", "delay": 10, "window": 15}, now_ms(), 0.0
    house.parts.messaging._now = lambda: start + int(passed_s * 1000)
    await program.post("/v1/publish", json={**body, "message": 1})
    passed_s = 9.0
    await program.post("/v1/publish", json={**body, "message": 2})
    passed_s = 14.999

    assert await consume(program) == []
    passed_s = 15.0  # its window ends before the delay
    assert [message["message"] for message in await consume(program)] == [2]


async def test_a_job_is_what_the_newest_of_its_key_says(program: httpx.AsyncClient) -> None:
    body = {"handler": "echo", "key": "k", "on_key": "replace", "delay": 60}
    first, second = [(await program.post("/addJob", json={**body, "payload": number})).json() for number in range(2)]

    assert (second["jobId"], second["deduplicated"], second["replaced"]) == (first["jobId"], True, True)


@pytest.mark.parametrize("wrong", [{"window": 0}, {"window": 604_801}, {"on_key": "overwrite"}])
async def test_a_window_or_a_word_that_is_none_is_refused(program: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    for path, body in (("/v1/publish", {"message": 1}), ("/addJob", {"handler": "echo"})):
        answer = await program.post(path, json={**body, "key": "k", **wrong})

        assert (answer.status_code, answer.json()["field"]) == (422, next(iter(wrong)))


async def test_a_message_belongs_to_the_trace_of_who_published_it(program: httpx.AsyncClient) -> None:
    headers = {"traceparent": TRACE, "tracestate": "vendor=1,other=2"}
    await program.post("/v1/publish", json={"message": 1}, headers=headers)
    await program.post("/v1/publish", json={"message": 2})

    traced, plain = await consume(program)
    assert (traced["traceparent"], traced["tracestate"]) == (TRACE, "vendor=1,other=2")
    assert "traceparent" not in plain


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "ff" + TRACE[2:],
        TRACE.upper(),
        TRACE + " x",
        TRACE + "-" + "a" * 512,
        "'; drop table jobs; --",
    ],
)
async def test_a_trace_that_is_none_is_passed_by(program: httpx.AsyncClient, parent: str) -> None:
    answer = await program.post("/v1/publish", json={"message": 1}, headers={"traceparent": parent, "tracestate": "a=1"})

    assert answer.status_code == 201
    (message,) = await consume(program)
    assert "traceparent" not in message
    assert "tracestate" not in message


async def test_a_trace_stays_with_a_dead_letter_that_is_put_back(program: httpx.AsyncClient, house: House) -> None:
    await program.post("/v1/publish", json={"message": 1}, headers={"traceparent": TRACE})
    for _ in range(house.context.settings.message_receives):
        (message,) = await consume(program)
        await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})
    assert len((await program.get("/v1/dead")).json()["letters"]) == 1

    await program.post("/v1/dead/redrive", json={})

    assert [message["traceparent"] for message in await consume(program)] == [TRACE]
