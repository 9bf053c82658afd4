"""The job service over HTTP: as its description says, one client's jobs one after another, and nothing done twice or lost."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio

from realtime.hookspecs import Done, JobFacts, JobOutcome, Permanent, Retry
from realtime.storage.statement import Operation, Statement
from tests.support.waiting import until_async
from tests.web.conftest import House, Open, Owner, new_owner, program_of


class Scripted:
    """A handler that answers as it is told, and remembers what it was given."""

    name = "scripted"

    def __init__(self) -> None:
        self.given: list[JobFacts] = []
        self.gate: asyncio.Event | None = None
        self.under_way: list[str] = []
        self.most: dict[str, int] = {}

    async def handle(self, job: JobFacts) -> JobOutcome:
        self.given.append(job)
        self.under_way.append(job.lane)
        self.most[job.lane] = max(self.most.get(job.lane, 0), self.under_way.count(job.lane))
        if self.gate is not None:
            await self.gate.wait()
        self.under_way.remove(job.lane)
        answers: list[str] = (job.payload or {}).get("answers", [])
        said = answers[min(job.attempt, len(answers)) - 1] if answers else "done"
        outcomes: dict[str, JobOutcome] = {"done": Done("fine"), "retry": Retry("not now"), "never": Permanent("no")}
        return outcomes[said]


@pytest_asyncio.fixture
async def scripted(house: House) -> Scripted:
    handler = Scripted()
    registry = house.parts.registry
    plugin = next(plugin for plugin in registry._plugins if plugin.name == "echo")
    registry._workers[handler.name] = type(registry._workers["echo"])(handler, plugin)
    house.parts.worker._random = lambda: 0.0  # tried again at once
    return handler


@pytest_asyncio.fixture
async def program(house: House, owner: Owner) -> httpx.AsyncClient:
    return await _program(house, owner)


async def _program(house: House, owner: Owner, *scopes: str) -> httpx.AsyncClient:
    return await program_of(house, owner, *(scopes or ("jobs",)))


async def _add(program: httpx.AsyncClient, payload: Any = None, **more: Any) -> str:
    answer = await program.post("/addJob", json={"handler": "scripted", "payload": payload, **more})
    assert answer.status_code == 202, answer.text
    assert answer.json()["message"] == "Job added successfully"
    return str(answer.json()["jobId"])


async def _ended(program: httpx.AsyncClient, id_: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found: dict[str, Any] = (await program.get(f"/status/{id_}")).raise_for_status().json()
            if found["status"] != "PENDING":
                return found
            await asyncio.sleep(0.01)


async def test_it_works_as_the_job_service_describes_itself(program: httpx.AsyncClient) -> None:
    answer = await program.post("/addJob", json={"handler": "echo", "payload": {"order": 17}})
    assert answer.status_code == 202
    id_ = answer.json()["jobId"]
    await _ended(program, id_)

    statuses = (await program.get("/status", params={"count": 10, "status_type": "SUCCESS"})).json()

    assert statuses["message"] == "Job statuses fetched successfully"
    (job,) = statuses["data"]["jobs"]
    assert (job["id"], job["status"], job["numberOfAttempts"]) == (id_, "SUCCESS", 1)
    assert job["timestamp"].endswith("+00:00")
    assert statuses["data"]["total_jobs_returned"] == 1
    assert (await program.get("/status", params={"status_type": "FAILED"})).json()["data"]["jobs"] == []


async def test_what_fails_for_now_is_tried_three_times_more_and_each_try_is_shown(program: httpx.AsyncClient, scripted: Scripted) -> None:
    id_ = await _add(program, {"answers": ["retry"]})

    job = await _ended(program, id_)

    assert (job["status"], job["state"], job["numberOfAttempts"]) == ("FAILED", "dead", 4)
    assert job["reason"] == "given up after 4 attempts: not now"
    assert [(attempt["number"], attempt["outcome"]) for attempt in job["attempts"]] == [
        (1, "retry"),
        (2, "retry"),
        (3, "retry"),
        (4, "dead"),
    ]
    assert [given.id for given in scripted.given] == [id_] * 4


async def test_what_fails_for_good_is_tried_once(program: httpx.AsyncClient, scripted: Scripted) -> None:
    job = await _ended(program, await _add(program, {"answers": ["never"]}))

    assert (job["status"], job["numberOfAttempts"], job["reason"]) == ("FAILED", 1, "no")


async def test_a_clients_jobs_are_done_one_after_another_and_many_clients_at_once(house: House, owner: Owner, scripted: Scripted) -> None:
    clients = [await _program(house, owner) for _ in range(3)]
    scripted.gate = asyncio.Event()
    ids = [await _add(client, {"number": number}) for number in range(3) for client in clients]

    async with asyncio.timeout(20):
        while len(scripted.given) < 3:
            await asyncio.sleep(0.01)
    assert len(scripted.under_way) == len(set(scripted.under_way)) == 3
    scripted.gate.set()
    for client, id_ in zip(clients * 3, ids, strict=True):
        await _ended(client, id_)

    assert set(scripted.most.values()) == {1}
    for lane in scripted.most:
        assert [job.payload["number"] for job in scripted.given if job.lane == lane] == [0, 1, 2]


async def test_a_retry_keeps_its_place(program: httpx.AsyncClient, scripted: Scripted) -> None:
    first = await _add(program, {"answers": ["retry", "retry", "done"]})
    second = await _add(program)
    await _ended(program, second)

    assert [job.id for job in scripted.given] == [first, first, first, second]


async def test_of_one_account_only_so_many_jobs_are_done_at_once(house: House, program: httpx.AsyncClient, scripted: Scripted) -> None:
    house.parts.worker.each = 2
    scripted.gate = asyncio.Event()
    ids = [await _add(program, lane="") for _ in range(5)]
    other = await _program(house, await new_owner(house, "mario@example.com"))
    theirs = await _add(other, lane="")

    await until_async(lambda: len(scripted.under_way) == 3)
    scripted.gate.set()

    for client, id_ in (*((program, id_) for id_ in ids), (other, theirs)):
        assert (await _ended(client, id_))["status"] == "SUCCESS"
    assert scripted.most[""] == 3


async def test_jobs_are_listed_by_lane_and_by_the_time_at_which_they_were_added(
    house: House, program: httpx.AsyncClient, scripted: Scripted
) -> None:
    now_ms = 1_795_000_000_000
    house.parts.jobs._now = lambda: now_ms
    ids = []
    for lane in ("a", "b", "a"):
        ids.append(await _add(program, lane=lane))
        now_ms += 1_000
    failed = await _add(program, {"answers": ["never"]}, lane="a")
    await _ended(program, failed)

    async def listed(**wanted: Any) -> list[str]:
        found = (await program.get("/status", params=wanted)).raise_for_status().json()["data"]["jobs"]
        return [job["id"] for job in found]

    assert await listed(lane="a") == [failed, ids[2], ids[0]]
    assert await listed(lane="a", status_type="FAILED") == [failed]
    assert await listed(lane="c") == []
    assert await listed(since_ms=1_795_000_001_000) == [failed, ids[2], ids[1]]
    assert await listed(until_ms=1_795_000_001_000) == [ids[0]]
    assert await listed(since_ms=1_795_000_001_000, until_ms=1_795_000_002_000) == [ids[1]]
    assert await listed(until_ms=1_795_000_009_000, before=ids[1]) == [ids[0]]
    assert (await program.get("/status", params={"since_ms": 1 << 43})).status_code == 422


async def test_the_same_key_gets_the_same_job_and_another_body_is_refused(program: httpx.AsyncClient, scripted: Scripted) -> None:
    body, key = {"handler": "scripted", "payload": {"n": 1}}, {"Idempotency-Key": "k"}
    first, second = [await program.post("/addJob", json=body, headers=key) for _ in range(2)]
    other = await program.post("/addJob", json={**body, "payload": {"n": 2}}, headers=key)
    await _ended(program, first.json()["jobId"])

    assert first.json() == second.json()
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    assert len(scripted.given) == 1


async def test_the_answer_says_where_to_ask_and_whether_the_key_stood_for_an_earlier_job(
    program: httpx.AsyncClient, scripted: Scripted
) -> None:
    body = {"handler": "scripted", "key": "order 17"}
    first, second = [await program.post("/addJob", json={**body, "payload": {"n": number}}) for number in range(2)]
    again = [await program.post("/addJob", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    id_ = first.json()["jobId"]

    assert [each.json()["deduplicated"] for each in (first, second, *again)] == [False, True, True, True]
    assert {each.json()["jobId"] for each in (second, *again)} == {id_}
    assert {each.headers["location"] for each in (first, second, *again)} == {f"/status/{id_}"}
    assert (await _ended(program, id_))["status"] == "SUCCESS"
    assert len(scripted.given) == 1


async def test_a_lane_goes_on_after_a_job_that_failed_or_waits_until_somebody_has_decided(
    program: httpx.AsyncClient, scripted: Scripted
) -> None:
    for lane, on_dead in (("skips", "skip"), ("blocks", "block")):
        await _ended(program, await _add(program, {"answers": ["never"]}, lane=lane, on_dead=on_dead))
    waits = await _add(program, lane="blocks")

    assert (await _ended(program, await _add(program, lane="skips")))["status"] == "SUCCESS"
    assert (await program.get(f"/status/{waits}")).json()["status"] == "PENDING"
    refused = await program.post("/addJob", json={"handler": "scripted", "on_dead": "explode"})
    assert (refused.status_code, refused.json()["field"]) == (422, "on_dead")


async def test_a_job_that_nobody_has_begun_is_cancelled_and_its_lane_goes_on(program: httpx.AsyncClient, scripted: Scripted) -> None:
    first = await _add(program, lane="a", delay=3600)
    second = await _add(program, lane="a")

    assert (await program.delete(f"/status/{first}")).status_code == 204

    assert (await _ended(program, second))["status"] == "SUCCESS"
    gone = (await program.get(f"/status/{first}")).json()
    assert (gone["status"], gone["state"], gone["reason"]) == ("FAILED", "cancelled", "cancelled")
    assert [job.id for job in scripted.given] == [second]


async def test_what_runs_or_has_ended_is_not_cancelled_and_says_why(program: httpx.AsyncClient, scripted: Scripted) -> None:
    scripted.gate = asyncio.Event()
    id_ = await _add(program)
    await until_async(lambda: scripted.given, what="the job to be begun")

    for method, path in (("DELETE", f"/status/{id_}"), ("POST", f"/status/{id_}/retry")):
        refused = await program.request(method, path)
        assert (refused.status_code, refused.json()["detail"][:26]) == (409, "A worker holds this job. W")
    scripted.gate.set()
    await _ended(program, id_)
    for method, path in (("DELETE", f"/status/{id_}"), ("POST", f"/status/{id_}/retry")):
        refused = await program.request(method, path)
        assert (refused.status_code, refused.json()["detail"][:17]) == (409, "This job is done:")


async def test_what_failed_is_tried_anew_in_its_place_or_let_go(program: httpx.AsyncClient, scripted: Scripted) -> None:
    failed, let_go = [await _add(program, {"answers": ["never"]}, lane=lane, on_dead="block") for lane in "ab"]
    waits, goes = [await _add(program, lane=lane) for lane in "ab"]
    for id_ in (failed, let_go):
        await _ended(program, id_)
    scripted.gate = asyncio.Event()

    again = await program.post(f"/status/{failed}/retry")

    assert (again.status_code, again.json()["status"]) == (200, "PENDING")
    assert (await program.delete(f"/status/{let_go}")).status_code == 204
    assert (await program.get(f"/status/{let_go}")).status_code == 404
    scripted.gate.set()
    assert (await _ended(program, goes))["status"] == "SUCCESS"
    done = await _ended(program, failed)
    assert (done["numberOfAttempts"], [(each["number"], each["outcome"]) for each in done["attempts"]]) == (1, [(1, "dead"), (2, "dead")])
    assert (await program.delete(f"/status/{failed}")).status_code == 204
    assert (await _ended(program, waits))["status"] == "SUCCESS"


async def test_nobody_cancels_or_retries_what_belongs_to_another(program: httpx.AsyncClient, house: House, owner: Owner) -> None:
    id_ = await _add(program, handler="echo", delay=3600)
    other = await _program(house, await new_owner(house, "other@example.com"))
    publisher = await _program(house, owner, "publish", "consume")
    message = (await publisher.post("/v1/publish", json={"message": 1})).json()["messageId"]

    for method, path in (("DELETE", f"/status/{id_}"), ("POST", f"/status/{id_}/retry")):
        assert (await other.request(method, path)).status_code == 404
        assert (await publisher.request(method, path)).status_code == 403
        assert (await program.request(method, path.replace(id_, message))).status_code == 404, "a message is none"
    assert (await program.get(f"/status/{id_}")).json()["state"] == "waiting"


async def test_pages_follow_one_another_from_the_newest_on(program: httpx.AsyncClient, scripted: Scripted) -> None:
    ids = [await _add(program, {"answers": ["never"] if number % 2 else ["done"]}) for number in range(5)]
    for id_ in ids:
        await _ended(program, id_)

    first = (await program.get("/status", params={"count": 3})).json()["data"]
    second = (await program.get("/status", params={"count": 3, "before": first["next"]})).json()["data"]

    assert [job["id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
    assert [job["status"] for job in first["jobs"]] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert second["next"] == ""


async def test_nobody_sees_the_jobs_of_another_account(program: httpx.AsyncClient, house: House, scripted: Scripted) -> None:
    id_ = await _add(program)
    other = await _program(house, await new_owner(house, "other@example.com"))

    assert (await other.get(f"/status/{id_}")).status_code == 404
    assert (await other.get("/status")).json()["data"]["jobs"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({"handler": "nobody"}, "handler"), ({"handler": "echo", "priority": 7}, "priority"), ({"handler": "echo", "lane": "a\nb"}, "lane")],
)
async def test_what_cannot_be_done_is_refused_with_a_sentence(program: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    refused = await program.post("/addJob", json=body)

    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert (await program.get("/status")).json()["data"]["jobs"] == []


async def test_a_token_for_messages_is_none_for_jobs(house: House, owner: Owner) -> None:
    program = await _program(house, owner, "publish", "consume")

    assert (await program.post("/addJob", json={"handler": "echo"})).status_code == 403


async def test_a_handler_that_raises_is_tried_again_and_the_others_go_on(program: httpx.AsyncClient, scripted: Scripted) -> None:
    broken = await _add(program, {"answers": ["nonsense"]}, lane="")
    fine = await _add(program, lane="")

    assert (await _ended(program, fine))["status"] == "SUCCESS"
    job = await _ended(program, broken)
    assert (job["status"], job["numberOfAttempts"]) == ("FAILED", 4)
    assert "KeyError" in job["reason"]


async def test_an_empty_status_asks_for_all_and_an_unknown_one_is_told_what_there_is(program: httpx.AsyncClient) -> None:
    job = await _add(program, handler="echo")

    found = (await program.get("/status", params={"count": 10, "status_type": ""})).raise_for_status().json()
    refused = await program.get("/status", params={"status_type": "DONE"})

    assert [each["id"] for each in found["data"]["jobs"]] == [job]
    assert (refused.status_code, refused.json()["field"]) == (422, "status_type")
    assert "FAILED, PENDING, SUCCESS" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.org/", "http:// or https://"),
        ("http://user:pw@example.org/", "without a user name"),
        ("http://169.254.169.254/latest", "private network"),
        ("http://127.0.0.1:22/", "private network"),
        ("http://[::1]/", "private network"),
        ("http://10.1.2.3/", "job_service_hosts"),
        ("http://8.8.8.8/", "job_service_hosts"),
        ("https://other.example/hook", "job_service_hosts"),
    ],
)
async def test_an_address_that_can_never_be_called_is_refused_at_once(open_house: Open, url: str, said: str) -> None:
    house = await open_house(job_service_hosts=["10.1.2.4", "shop.example"], outbound_networks=["10.0.0.0/8"])
    program = await _program(house, await new_owner(house))

    refused = await program.post("/addJob", json={"url": url})

    assert (refused.status_code, refused.json()["field"]) == (422, "url")
    assert said in refused.json()["detail"]
    for right in ("http://10.1.2.4/hook", "https://shop.example/hook"):
        assert (await program.post("/addJob", json={"url": right, "delay": 60})).status_code == 202


async def test_a_token_without_the_scope_is_told_which_one_it_needs(house: House, owner: Owner) -> None:
    program = await _program(house, owner, "publish")

    refused = await program.post("/addJob", json={"handler": "echo"})

    assert (refused.status_code, refused.json()["detail"]) == (
        403, 'This token was not made for the job service. Make one with the scope "jobs" on the account page.',
    )  # fmt: skip


async def test_a_job_that_came_too_late_was_never_attempted(house: House, program: httpx.AsyncClient) -> None:
    job = await _add(program, handler="echo", delay=1, expires=1)
    await house.parts.storage.write(_late)
    house.parts.worker.wake()

    async with asyncio.timeout(20):
        while (one := (await program.get(f"/status/{job}")).json())["state"] == "waiting":
            await asyncio.sleep(0.01)

    assert (one["state"], one["numberOfAttempts"], one["attempts"]) == ("expired", 0, [])


def _late() -> Operation[None]:
    yield Statement("update jobs set ready_ms = 1, due_ms = 1, not_after_ms = 2")
