"""The operator over HTTP: who may ask, what is shown, and what is done at once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realtime.hookspecs import Retry, Sent
from realtime.web.limits import Limits
from tests.web.conftest import House, Open, Owner, new_owner, program_of

TOKEN = "an operator's token of at least 32 characters"


@pytest_asyncio.fixture
async def installation(open_house: Open) -> House:
    found: House = await open_house(operator_token=TOKEN, alarm_to=["log:ops"], alarm_dead_letters=1)
    return found


@pytest_asyncio.fixture
async def operator(installation: House) -> httpx.AsyncClient:
    return await installation.client(Authorization=f"Bearer {TOKEN}")


async def _program(house: House, owner: Owner) -> httpx.AsyncClient:
    return await program_of(house, owner, "publish", "consume")


async def _queue(operator: httpx.AsyncClient, queue: str) -> dict[str, Any]:
    found = (await operator.get("/v1/operator")).raise_for_status().json()["queues"]
    return next((each for each in found if each["queue"] == queue), {})


async def test_without_a_token_of_the_settings_there_is_no_operator(house: House) -> None:
    anybody = await house.client(Authorization="Bearer ")
    answer = await anybody.get("/v1/operator")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert "operator_token" in answer.json()["detail"]


async def test_only_the_operator_is_let_in_and_guesses_are_counted(installation: House) -> None:
    owner = await new_owner(installation)
    for client in (
        await installation.client(),
        owner.client,
        await installation.client(Authorization=f"Bearer {TOKEN}+"),
    ):
        assert (await client.get("/v1/operator")).status_code == 401


async def test_too_many_guesses_are_refused_and_the_right_token_is_not(open_house: Open) -> None:
    house = await open_house(operator_token=TOKEN, limits=Limits(3, 100, lambda: 1.0))
    guesser = await house.client(address="10.1.1.1", Authorization="Bearer guess")
    assert [(await guesser.get("/v1/operator")).status_code for _ in range(4)] == [401, 401, 401, 429]
    right = await house.client(address="10.1.1.1", Authorization=f"Bearer {TOKEN}")
    assert (await right.get("/v1/operator")).status_code == 200


async def test_a_dead_message_is_found_put_back_and_read(installation: House, operator: httpx.AsyncClient) -> None:
    owner = await new_owner(installation)
    program = await _program(installation, owner)
    await program.post("/v1/publish", json={"message": "secret order"})
    for _ in range(6):
        for message in (await program.get("/v1/consumer?cid=1&limit=1")).json()["messages"]:
            await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})

    (job,) = (await operator.get("/v1/operator/jobs?state=dead")).raise_for_status().json()["jobs"]
    assert "secret" not in str(job)
    one = (await operator.get(f"/v1/operator/jobs/{job['owner']}/{job['id']}")).raise_for_status().json()
    assert [each["number"] for each in one["attempts"]] == list(range(1, len(one["attempts"]) + 1))
    assert (await _queue(operator, job["queue"]))["dead"] == 1
    assert (await operator.get("/v1/operator/jobs?state=blocking")).json()["jobs"] == []

    assert (await operator.post(f"/v1/operator/jobs/{job['owner']}/{job['id']}/retry")).json() == {"changed": True}

    (message,) = (await program.get("/v1/consumer?cid=1&limit=1")).json()["messages"]
    assert "secret order" in str(message)
    held = await operator.post(f"/v1/operator/jobs/{job['owner']}/{job['id']}/cancel")
    assert (held.status_code, held.json()["code"]) == (409, "conflict")
    nobody = await operator.post("/v1/operator/jobs/nobody/nothing/retry")
    assert nobody.status_code == 404


async def test_a_paused_queue_gives_nothing_and_a_waiting_consumer_hears_of_its_end(
    installation: House, operator: httpx.AsyncClient
) -> None:
    owner = await new_owner(installation)
    program = await _program(installation, owner)
    await program.post("/v1/publish", json={"message": 1})
    name = (await operator.get("/v1/operator")).json()["queues"][0]["queue"]
    assert (await operator.post("/v1/operator/pause", json={"queue": name})).json() == {"changed": True}
    assert (await operator.post("/v1/operator/pause", json={"queue": name})).json() == {"changed": False}
    assert (await program.get("/v1/consumer?cid=1&limit=1")).json() == {"messages": []}
    assert (await _queue(operator, name))["paused_ms"] > 0

    waiting = asyncio.create_task(program.get("/v1/consumer?cid=1&limit=1&wait=20"))
    async with asyncio.timeout(10):
        while not installation.parts.messaging._waiting:
            await asyncio.sleep(0)
    assert (await operator.post("/v1/operator/resume", json={"queue": name})).json() == {"changed": True}

    async with asyncio.timeout(10):
        assert len((await waiting).json()["messages"]) == 1
    assert (await operator.post("/v1/operator/resume", json={"queue": name})).json() == {"changed": False}


async def test_a_queue_that_there_is_not_is_refused_and_not_made(installation: House, operator: httpx.AsyncClient) -> None:
    for action in ("pause", "resume", "redrive", "purge"):
        refused = await operator.post(f"/v1/operator/{action}", json={"queue": "messages/nobody/typo"})
        assert (refused.status_code, "There is no queue messages/nobody/typo" in refused.json()["detail"]) == (404, True), action
    assert (await operator.get("/v1/operator")).json()["queues"] == []
    for queue in ("deliveries", "service", "webhooks"):
        assert (await operator.post("/v1/operator/pause", json={"queue": queue})).json() == {"changed": True}
        assert (await operator.post("/v1/operator/resume", json={"queue": queue})).json() == {"changed": True}


async def test_a_queue_that_was_worked_off_can_be_paused(installation: House, operator: httpx.AsyncClient) -> None:
    program = await _program(installation, await new_owner(installation))
    await program.post("/v1/publish", json={"message": 1})
    queue = next(each["queue"] for each in (await operator.get("/v1/operator")).json()["queues"] if each["queue"].startswith("messages/"))
    (message,) = (await program.get("/v1/consumer?cid=1")).json()["messages"]
    await program.delete(f"/v1/consumer?cid=1&id={message['messageId']}")

    assert (await operator.post("/v1/operator/pause", json={"queue": queue})).json() == {"changed": True}
    job = f"/v1/operator/jobs/account-{queue.split('/')[1]}/{message['messageId']}"
    assert (await operator.post(f"{job}/cancel")).json()["detail"] == "This job is done: there is nothing left to try or to cancel."


async def test_dead_letters_of_a_queue_are_put_back_and_deleted_together(installation: House, operator: httpx.AsyncClient) -> None:
    owner = await new_owner(installation)
    program = await _program(installation, owner)
    await program.post("/v1/publish/batch", json={"messages": [{"message": each} for each in range(3)]})
    for _ in range(6):
        for message in (await program.get("/v1/consumer?cid=1&limit=10")).json()["messages"]:
            await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})
    queue = (await operator.get("/v1/operator")).json()["queues"][0]["queue"]

    ids = [job["id"] for job in (await operator.get("/v1/operator/jobs?state=dead")).json()["jobs"]]
    for action, more, chosen in (
        ("redrive", {}, ids),
        ("redrive", {"limit": 2}, ids[:2]),
        ("redrive", {"reason": "given up after"}, ids),
        ("redrive", {"reason": "another"}, []),
        ("purge", {"limit": 1}, ids[:1]),
        ("purge", {"older_than": 60}, []),
    ):
        would = (await operator.post(f"/v1/operator/{action}", json={"queue": queue, "dry_run": True, **more})).raise_for_status().json()
        assert (would["dry_run"], would["count"], [job["id"] for job in would["jobs"]]) == (True, len(chosen), chosen), (
            action,
            more,
        )
        assert all(job["owner"].startswith("account-") and "released" in job["reason"] for job in would["jobs"])
    assert (await _queue(operator, queue))["dead"] == 3, "nothing was changed"
    assert (await operator.post("/v1/operator/redrive", json={"queue": "messages/nobody/typo", "dry_run": True})).status_code == 404

    assert (await operator.post("/v1/operator/redrive", json={"queue": queue, "limit": 2})).json() == {"count": 2}
    assert ((await _queue(operator, queue))["ready"], (await _queue(operator, queue))["dead"]) == (2, 1)
    assert (await operator.post("/v1/operator/purge", json={"queue": queue, "older_than": 60})).json() == {"count": 0}
    assert (await operator.post("/v1/operator/purge", json={"queue": queue})).json() == {"count": 1}
    assert (await _queue(operator, queue))["dead"] == 0


async def test_when_a_message_is_tried_next_is_changed_and_a_waiting_consumer_hears_of_it(
    installation: House, operator: httpx.AsyncClient
) -> None:
    program = await _program(installation, await new_owner(installation))
    id_ = (await program.post("/v1/publish", json={"message": "later", "delay": 3600})).json()["messageId"]
    (job,) = (await operator.get("/v1/operator/jobs?state=deferred")).json()["jobs"]
    path = f"/v1/operator/jobs/{job['owner']}/{job['id']}/reschedule"
    now = (await operator.get("/v1/operator")).json()["at_ms"]
    waiting = asyncio.create_task(program.get("/v1/consumer?cid=1&limit=1&wait=20"))
    async with asyncio.timeout(10):
        while not installation.parts.messaging._waiting:
            await asyncio.sleep(0)

    assert (await operator.post(path, json={"due_ms": now + 7_200_000})).json() == {"changed": True}
    (put_off,) = (await operator.get("/v1/operator/jobs?state=deferred")).json()["jobs"]
    assert put_off["due_ms"] == now + 7_200_000
    assert (await operator.post(path, json={"due_ms": 0})).json() == {"changed": True}

    async with asyncio.timeout(10):
        assert [message["messageId"] for message in (await waiting).json()["messages"]] == [id_]
    held = await operator.post(path, json={"due_ms": 0})
    assert (held.status_code, held.json()["code"], held.json()["detail"][:25]) == (409, "conflict", "A worker holds this job. ")
    far = await operator.post(path, json={"due_ms": now + 400 * 86_400_000})
    assert (far.status_code, far.json()["field"], far.json()["detail"]) == (422, "due_ms", "Name a time within a year from now.")
    for wrong in ({}, {"due_ms": -1}, {"due_ms": "soon"}, {"due_ms": 1e300}):
        assert (await operator.post(path, json=wrong)).status_code == 422, wrong
    assert (await operator.post("/v1/operator/jobs/nobody/nothing/reschedule", json={"due_ms": 0})).status_code == 404


async def test_a_dead_letter_is_not_rescheduled(installation: House, operator: httpx.AsyncClient) -> None:
    program = await _program(installation, await new_owner(installation))
    await program.post("/v1/publish", json={"message": 1})
    for _ in range(6):
        for message in (await program.get("/v1/consumer?cid=1&limit=1")).json()["messages"]:
            await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})
    (job,) = (await operator.get("/v1/operator/jobs?state=dead")).json()["jobs"]

    refused = await operator.post(f"/v1/operator/jobs/{job['owner']}/{job['id']}/reschedule", json={"due_ms": 0})

    assert (refused.status_code, refused.json()["detail"]) == (
        409, "This job was given up. Put it back first (retry), then say when it is tried.",
    )  # fmt: skip


async def test_a_check_up_finds_what_needs_a_person_until_it_is_seen_to(installation: House, operator: httpx.AsyncClient) -> None:
    async def found() -> list[tuple[str, str]]:
        diagnosis = (await operator.get("/v1/operator/doctor")).raise_for_status().json()
        assert diagnosis["at_ms"] > 0
        return [(each["kind"], each["of"]) for each in diagnosis["findings"]]

    assert await found() == []
    program = await _program(installation, await new_owner(installation))
    await program.post("/v1/publish", json={"message": 1, "lane": "a", "on_dead": "block"})
    for _ in range(6):
        for message in (await program.get("/v1/consumer?cid=1&limit=1")).json()["messages"]:
            await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})
    (job,) = (await operator.get("/v1/operator/jobs?state=dead")).json()["jobs"]
    queue = job["queue"]
    await operator.post("/v1/operator/pause", json={"queue": "service"})
    await installation.parts.alarms.look()
    for number in range(5):
        installation.parts.courier.providers.heard("sms", str(number), Retry("The gateway answered 503.", provider_down=True))

    assert await found() == [
        ("provider", "sms"), ("paused", "service"), ("blocked_lanes", queue), ("dead_letters", queue), ("alarm", "dead_letters"),
    ]  # fmt: skip

    await operator.post("/v1/operator/resume", json={"queue": "service"})
    await operator.post(f"/v1/operator/jobs/{job['owner']}/{job['id']}/cancel")
    await installation.parts.alarms.look()
    installation.parts.courier.providers.heard("sms", "6", Sent())
    assert await found() == []


async def test_the_operator_is_told_of_an_alarm_once_and_when_it_is_over(
    installation: House, operator: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    owner = await new_owner(installation)
    program = await _program(installation, owner)
    await program.post("/v1/publish", json={"message": 1})
    for _ in range(6):
        for message in (await program.get("/v1/consumer?cid=1&limit=1")).json()["messages"]:
            await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})
    caplog.set_level("INFO")

    assert await installation.parts.alarms.look() == {"dead_letters": 1}
    await installation.parts.alarms.look()

    (alarm,) = (await operator.get("/v1/operator")).json()["alarms"]
    assert alarm["text"] == "1 job was given up and waits for a decision."
    queue = next(each["queue"] for each in (await operator.get("/v1/operator")).json()["queues"] if each["dead"])
    await operator.post("/v1/operator/purge", json={"queue": queue})
    assert await installation.parts.alarms.look() == {}
    assert (await operator.get("/v1/operator")).json()["alarms"] == []
    async with asyncio.timeout(10):
        while caplog.text.count("alarm=dead_letters") < 2:
            await asyncio.sleep(0.01)
    assert caplog.text.count("alarm=dead_letters") == 2


async def test_a_provider_that_is_down_is_named_and_goes_when_it_is_up(installation: House, operator: httpx.AsyncClient) -> None:
    providers = installation.parts.courier.providers
    for number in range(5):
        providers.heard("sms", str(number), Retry("The gateway answered 503.", provider_down=True))

    async def standing() -> dict[str, Any]:
        (found,) = (await operator.get("/v1/operator")).raise_for_status().json()["providers"]
        return found

    seen = await standing()
    assert (seen["notifier"], seen["state"], seen["reason"], seen["failures"]) == ("sms", "open", "The gateway answered 503.", 5)
    assert seen["until_ms"] > seen["since_ms"] > 0
    assert 'nowserving_provider_down{name="sms"} 1.0' in (await operator.get("/metrics")).text

    providers.heard("sms", "6", Sent())
    assert (await standing())["state"] == "closed"
    assert 'nowserving_provider_down{name="sms"} 0.0' in (await operator.get("/metrics")).text
