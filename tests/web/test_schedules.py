"""Schedules over HTTP: made, changed, paused; and at their times what they say is put in once, also what was missed, as they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realtime.app import now_ms
from realtime.storage.statement import Operation, Statement
from tests.support.waiting import until_async
from tests.web.conftest import House, Open, Owner, new_owner, program_of

HOUR_MS = 3_600_000
HOURLY = {"cron": "0 * * * *", "message": {"message": "tick"}}


class Times:
    """The clock of the schedules, which stands still."""

    def __init__(self, house: House) -> None:
        self.now_ms = now_ms() // HOUR_MS * HOUR_MS + 1_000
        self._schedules = house.parts.schedules
        self._schedules._now = self._schedules._next_time._now = lambda: self.now_ms

    async def pass_by(self, hours: float) -> None:
        self.now_ms += int(hours * HOUR_MS)
        await self._schedules.look()


@pytest_asyncio.fixture
async def times(house: House) -> Times:
    return Times(house)


@pytest_asyncio.fixture
async def program(house: House, owner: Owner) -> AsyncIterator[httpx.AsyncClient]:
    yield await program_of(house, owner, "schedules", "consume", "jobs")


async def put(program: httpx.AsyncClient, name: str = "hourly", **said: Any) -> dict[str, Any]:
    answer = await program.put(f"/v1/schedules/{name}", json={**HOURLY, **said})
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def got(program: httpx.AsyncClient) -> list[Any]:
    found = (await program.get("/v1/consumer", params={"cid": "1", "limit": 100})).raise_for_status().json()["messages"]
    return [message["message"] for message in found]


async def view(program: httpx.AsyncClient, name: str = "hourly") -> dict[str, Any]:
    found: dict[str, Any] = (await program.get(f"/v1/schedules/{name}")).raise_for_status().json()
    return found


async def test_a_message_is_published_each_time(program: httpx.AsyncClient, times: Times) -> None:
    made = await put(program)
    assert made["next_ms"] == times.now_ms - 1_000 + HOUR_MS

    for _ in range(3):
        await times.pass_by(1)
        await times.pass_by(0)  # whoever looks again finds it taken
        assert await got(program) == ["tick"]
    seen = await view(program)
    assert (seen["last_ms"], seen["next_ms"]) == (made["next_ms"] + 2 * HOUR_MS, made["next_ms"] + 3 * HOUR_MS)
    assert len(seen["last_id"]) == 19


async def test_a_job_is_put_in_and_done(program: httpx.AsyncClient, times: Times) -> None:
    await put(program, message=None, job={"handler": "echo", "payload": 7})
    await times.pass_by(1)

    id_ = (await view(program))["last_id"]

    async def done() -> bool:
        found = (await program.get(f"/status/{id_}")).raise_for_status().json()
        return bool((found["status"], found["lane"]) == ("SUCCESS", "schedule hourly"))

    await until_async(done)


@pytest.mark.parametrize(("missed", "count"), [("skip", 0), ("once", 1), ("each", 5)])
async def test_times_that_passed_while_nobody_could_are_missed_as_it_says(
    program: httpx.AsyncClient, times: Times, missed: str, count: int
) -> None:
    await put(program, missed=missed)

    await times.pass_by(5.5)

    assert await got(program) == ["tick"] * count
    assert (await view(program))["next_ms"] > times.now_ms


async def test_a_time_a_few_seconds_ago_was_not_missed(program: httpx.AsyncClient, times: Times) -> None:
    await put(program, missed="skip")

    await times.pass_by(5)  # it is a second past the hour

    assert await got(program) == ["tick"]


async def test_of_what_was_missed_for_years_the_newest_hundred_are_put_in(program: httpx.AsyncClient, times: Times) -> None:
    await put(program, cron="* * * * *", missed="each")

    await times.pass_by(24 * 365)

    assert len(await got(program)) == 100
    assert await got(program) == []


async def test_while_it_is_paused_nothing_is_put_in_nor_missed(program: httpx.AsyncClient, times: Times) -> None:
    await put(program, missed="each")
    assert (await program.post("/v1/schedules/hourly/pause")).json()["paused"] is True
    await times.pass_by(5)
    assert await got(program) == []

    assert (await program.post("/v1/schedules/hourly/resume")).json()["paused"] is False
    await times.pass_by(0)
    assert await got(program) == []
    await times.pass_by(1)
    assert await got(program) == ["tick"]


async def test_a_changed_one_goes_by_what_it_says_now_and_keeps_its_past(program: httpx.AsyncClient, times: Times) -> None:
    await put(program)
    await times.pass_by(1)
    before = await view(program)

    after = await put(program, cron="30 4 * * *", timezone="Asia/Tokyo", message={"message": "tock", "queue": "other"})

    assert (after["last_ms"], after["last_id"]) == (before["last_ms"], before["last_id"])
    next_ = datetime.fromtimestamp(after["next_ms"] / 1000, UTC)
    assert (next_.hour, next_.minute) == (19, 30)
    await times.pass_by(24)
    assert (await program.get("/v1/consumer", params={"cid": "1", "queue": "other"})).json()["messages"][0]["message"] == "tock"


async def test_a_handler_that_is_gone_is_a_problem_that_is_told_and_ends_when_it_is_back(
    program: httpx.AsyncClient, house: House, times: Times
) -> None:
    await put(program, message=None, job={"handler": "echo"})
    gone = house.parts.registry._workers.pop("echo")

    await times.pass_by(1)
    assert "Nobody here does 'echo'" in (await view(program))["problem"]
    house.parts.registry._workers["echo"] = gone
    await times.pass_by(1)

    assert (await view(program))["problem"] == ""
    assert (await view(program))["last_id"]


@pytest.mark.parametrize(
    ("change", "problem", "paused"),
    [
        ("timezone = 'Mars/Olympus'", "This server does not know the time zone Mars/Olympus. Name another.", True),
        ('body = \'{"message":{"text":1}}\'', "This version of the program cannot read what is to be put in. Say it anew.", False),
        ("body = '{}'", "This version of the program cannot read what is to be put in. Say it anew.", False),
    ],
)
async def test_one_that_cannot_be_carried_out_any_more_holds_up_no_other(
    program: httpx.AsyncClient, house: House, times: Times, change: str, problem: str, paused: bool
) -> None:
    def spoil() -> Operation[None]:
        yield Statement(f"update schedules set {change} where name = 'a'")

    await put(program, "a")
    await put(program, "b")
    await house.parts.storage.write(spoil)

    await times.pass_by(1)

    assert await got(program) == ["tick"]
    assert ((await view(program, "a"))["problem"], (await view(program, "a"))["paused"]) == (problem, paused)
    assert (await view(program, "b"))["problem"] == ""


async def test_it_wakes_by_itself_for_one_that_is_due(program: httpx.AsyncClient, house: House) -> None:
    ahead_ms = 0
    schedules = house.parts.schedules
    schedules._now = schedules._next_time._now = lambda: now_ms() + ahead_ms
    next_ms = (await put(program))["next_ms"]
    ahead_ms = next_ms - now_ms() - 50
    await put(program)  # as on any change, its time is looked at anew

    async def came() -> bool:
        return await got(program) == ["tick"]

    await until_async(came)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"cron": ""}, "cron"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"missed": "all"}, "missed"),
        ({"job": {"handler": "echo"}}, "message"),
        ({"message": None}, "message"),
        ({"message": None, "job": {"handler": "nobody"}}, "handler"),
        ({"message": None, "job": {"handler": "echo", "url": "http://169.254.169.254/"}}, "url"),
        ({"message": {"message": 1, "queue": "a b"}}, "message.queue"),
        ({"message": {"message": 1, "key": "a\nb"}}, "key"),
    ],
)
async def test_what_can_never_be_put_in_is_refused_and_leaves_nothing(program: httpx.AsyncClient, said: dict[str, Any], field: str) -> None:
    answer = await program.put("/v1/schedules/hourly", json={**HOURLY, **said})

    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert (await program.get("/v1/schedules")).json() == []


async def test_nobody_sees_or_touches_anothers(program: httpx.AsyncClient, open_house: Open) -> None:
    await put(program)
    house = await open_house()
    other = await program_of(house, await new_owner(house), "schedules")

    assert (await other.get("/v1/schedules")).json() == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
        assert (await other.request(method, f"/v1/schedules/hourly{path}")).status_code == 404


async def test_a_token_for_something_else_keeps_no_schedules(house: House, owner: Owner) -> None:
    program = await program_of(house, owner, "publish", "consume", "jobs")

    answer = await program.put("/v1/schedules/hourly", json=HOURLY)

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_it_is_deleted_and_what_it_put_in_stays(program: httpx.AsyncClient, times: Times) -> None:
    await put(program)
    await times.pass_by(1)

    assert (await program.delete("/v1/schedules/hourly")).status_code == 204
    assert (await program.delete("/v1/schedules/hourly")).status_code == 404
    assert await got(program) == ["tick"]
    await asyncio.gather(*(times.pass_by(1) for _ in range(3)))
    assert await got(program) == []
