"""Figures for Prometheus: who may read them, and that they say what happened."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from realtime.app import now_ms
from realtime.metrics import count_sockets
from realtime.operations import queue, receives, services, snapshots
from realtime.operations.changes import DELIVERIES
from realtime.operations.queue import NewJob
from realtime.storage.statement import Operation, Statement
from tests.support.evening import Phone
from tests.support.waiting import until_async
from tests.web.conftest import House, Open, join, new_owner, program_of
from tests.web.serving import Talk, served


class Waiting(Phone):
    """A socket for which something waits."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self._waiting = waiting

    def buffered_bytes(self) -> int:
        return self._waiting


TOKEN = "a token of at least 32 characters for figures"


async def figures(house: House, token: str = TOKEN) -> dict[tuple[str, ...], float]:
    collector = await house.client(Authorization=f"Bearer {token}")
    answer = (await collector.get("/metrics")).raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[(sample.name, *(value for _, value in sorted(sample.labels.items())))] = sample.value
    return found


@pytest.mark.parametrize("settings", [{}, {"operator_token": "o" * 32}, {"metrics_token": "m" * 32}])
async def test_nobody_else_reads_them(open_house: Open, settings: dict[str, str]) -> None:
    house: House = await open_house(**settings)
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {'x' * 32}"}):
        assert (await (await house.client(**header)).get("/metrics")).status_code == 401


async def test_the_token_for_figures_opens_nothing_else(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN, operator_token="o" * 32)
    assert await figures(house)
    assert await figures(house, "o" * 32)
    collector = await house.client(Authorization=f"Bearer {TOKEN}")
    assert (await collector.get("/v1/operator")).status_code == 401


async def test_jobs_messages_and_notifications_are_counted_where_they_stand_and_how_they_went(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)
    owner = await new_owner(house)
    made = (await owner.client.post("/v1/tokens", json={"name": "Till", "scopes": ["publish", "consume", "jobs"]})).json()
    program: httpx.AsyncClient = await house.client(Authorization=f"Bearer {made['token']}")
    await program.post("/v1/publish/batch", json={"messages": [{"message": 1}, {"message": 2}]})
    (message,) = (await program.get("/v1/consumer?cid=1&limit=1")).json()["messages"]
    job = (await program.post("/addJob", json={"handler": "echo"})).json()["jobId"]
    async with asyncio.timeout(20):
        while (await program.get(f"/status/{job}")).json()["status"] == "PENDING":
            await asyncio.sleep(0.01)
    await join(house, owner)

    found = await figures(house)

    assert found["nowserving_jobs", "messages", "ready"] == 1
    assert found["nowserving_jobs", "messages", "in_flight"] == 1
    assert found["nowserving_jobs", "messages", "dead"] == 0
    assert found["nowserving_job_attempts_total", "echo", "done", "service"] == 1
    assert found["nowserving_job_run_seconds_count", "echo", "service"] == 1
    assert found["nowserving_job_wait_seconds_count", "service"] == 1
    assert found["nowserving_job_wait_seconds_count", "messages"] == 1
    assert found["nowserving_alarms", "dead_letters"] == 0
    assert "nowserving_blocked_lanes" in {name for name, *_ in found}


async def test_how_late_the_event_loop_was_is_shown(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)

    async with asyncio.timeout(10):
        while not (await figures(house))["nowserving_loop_lag_seconds_count",]:
            await asyncio.sleep(0.01)


async def test_a_lease_is_lost_by_whoever_answers_after_its_end_and_by_nobody_else(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)
    owner = await new_owner(house)
    made = (await owner.client.post("/v1/tokens", json={"name": "Till", "scopes": ["publish", "consume"]})).json()
    program: httpx.AsyncClient = await house.client(Authorization=f"Bearer {made['token']}")
    lost = "nowserving_leases_lost_total", "messages"
    await program.post("/v1/publish", json={"message": 1})
    (message,) = (await program.get("/v1/consumer?cid=1&vt=1")).json()["messages"]
    id_, receipt = message["messageId"], message["receipt"]
    for wrong in (f"cid=2&id={id_}", f"cid=1&id={id_}&receipt=wrong", f"cid=1&id=17&receipt={receipt}"):
        assert (await program.delete(f"/v1/consumer?{wrong}")).json() is False
    assert lost not in await figures(house)

    async with asyncio.timeout(20):
        while (await figures(house))["nowserving_jobs", "messages", "ready"] != 1:
            await asyncio.sleep(0.05)
    assert (await program.delete(f"/v1/consumer?cid=1&id={id_}&receipt={receipt}")).json() is False
    assert (await figures(house))[lost] == 1
    assert (await program.patch("/v1/consumer", json={"cid": "1", "id": id_, "vt": 9, "receipt": receipt})).json() is False
    assert (await figures(house))[lost] == 2


def _dies(job: NewJob) -> Operation[None]:
    """A worker of another process takes a job as soon as it is there, and dies."""
    yield from queue.enqueue(job, now_ms() - 1_000)
    yield from queue.claim(job.queue, "a dead worker's lease", 0, 1, now_ms())


async def test_what_a_worker_or_consumer_that_died_held_is_counted_once_as_lost(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)
    owner = await new_owner(house)
    account_id = str((await owner.client.get("/v1/account")).json()["id"])
    program = await program_of(house, owner, "consume")
    name = receives.queue_of(account_id, "default")
    for job in (
        NewJob(owner.store_id, "owed", DELIVERIES, "{}", notifier="pigeon", recipient="+1", moment="called"),
        NewJob(services.owner(account_id), "17", services.QUEUE, '{"payload":1,"url":""}', notifier="echo"),
        NewJob(f"account-{account_id}", "18", name, "1"),
    ):
        await house.parts.storage.write(_dies, job)
    house.parts.courier.wake()
    house.parts.worker.wake()
    expected = {"deliveries": "pigeon", "service": "echo", "messages": "consumer"}

    async with asyncio.timeout(20):
        while len(counted(found := await figures(house), "nowserving_leases_unanswered_total")) < len(expected):
            await program.get("/v1/consumer?cid=2")

    await program.get("/v1/consumer?cid=2")
    found = await figures(house)
    for queue_, by in expected.items():
        assert found["nowserving_leases_unanswered_total", queue_] == 1
        assert found["nowserving_job_attempts_total", by, "lost", queue_] == 1
    assert counted(found, "nowserving_leases_lost_total") == {}, "nobody answered too late"


async def test_messages_are_counted_as_they_are_answered_for_and_keys_as_they_are_used_again(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN, message_receives=2)
    program = await program_of(house, await new_owner(house), "publish", "consume", "jobs")
    for _ in range(3):
        await program.post("/v1/publish", json={"message": 1, "key": "once"})
        await program.post("/addJob", json={"handler": "echo", "key": "once"})
    await program.post("/v1/publish/batch", json={"messages": [{"message": 2}, {"message": 3}]})

    first, second, third = (await program.get("/v1/consumer?cid=1")).json()["messages"]
    asked = [{"cid": "1", "id": each["messageId"]} for each in (first, second)]
    for _ in range(2):  # said again it stays true, and is no other attempt
        assert (await program.post("/v1/consumer/batch", json={"messages": asked})).json() == [True, True]
    back = {"cid": "1", "id": third["messageId"], "vt": 0}
    assert (await program.patch("/v1/consumer", json={**back, "vt": 9})).json() is True
    assert (await program.patch("/v1/consumer", json=back)).json() is True
    await program.get("/v1/consumer?cid=1")
    assert (await program.patch("/v1/consumer", json=back)).json() is True

    found = await figures(house)
    assert found["nowserving_job_attempts_total", "consumer", "done", "messages"] == 2
    assert found["nowserving_job_attempts_total", "consumer", "retry", "messages"] == 2
    assert found["nowserving_job_run_seconds_count", "consumer", "messages"] == 4
    assert 0 <= found["nowserving_job_run_seconds_sum", "consumer", "messages"] < 60
    assert counted(found, "nowserving_deduplicated_total") == {"messages": 2, "service": 2}


def counted(figures: dict[tuple[str, ...], float], name: str) -> dict[str, float]:
    """By their label, those that are not zero."""
    return {label[0] if label else "": value for (found, *label), value in figures.items() if found == name and value}


@pytest.mark.parametrize("fanout", [True, False], ids=["handed over", "through send"])
async def test_sockets_are_counted_with_how_they_ended_and_how_they_came_back(open_house: Open, fanout: bool) -> None:
    house: House = await open_house(metrics_token=TOKEN, replay_events=2)
    owner = await new_owner(house)
    token = str(owner.client.headers["Authorization"].removeprefix("Bearer "))
    name = f"store/{owner.store_id}/owner"
    async with served(house, fanout=fanout) as place:
        async with place.connect() as socket:
            talk = Talk(socket)
            await talk.say(authenticate={"token": token})
            first = (await talk.say(subscribe={"topic": name}))["ok"]
            await join(house, owner)
            last = (await house.parts.storage.read(snapshots.tail, owner.store_id, 1)).seq
            await talk.say(subscribe={"topic": name, "since": {"epoch": first["epoch"], "seq": last - 1}})
            for another in ("another", "and another"):
                await talk.say(subscribe={"topic": name, "since": {"epoch": another, "seq": last}})
        async with place.connect() as socket:
            await socket.close(4999)
        async with place.connect() as socket:
            await socket.send("no json")
            await socket.wait_closed()
            assert socket.close_code == 4400
        await until_async(lambda: not house.sockets.sessions)
        lost = await place.connect()
        await until_async(lambda: house.sockets.sessions)  # the handshake is answered before the session begins
        lost.transport.abort()
        await until_async(lambda: not house.sockets.sessions)

    found = await figures(house)

    without_goodbye = "1006" if fanout else "1005"  # which is what uvicorn says of it
    assert counted(found, "nowserving_socket_closes_total") == {"1000": 1, "other": 1, "4400": 1, without_goodbye: 1}
    assert counted(found, "nowserving_recoveries_total") == {"ring": 1, "snapshot": 2}
    assert found["nowserving_events_published_total",] >= 1
    assert found["nowserving_whole_state_reads_total",] >= 1
    assert counted(found, "nowserving_conflations_total") == {}
    assert "nowserving_broker_lag_seconds" in {found.removesuffix("_count") for found, *_ in found}


def _moved(store_id: str, by: int) -> Operation[None]:
    yield Statement("update stores set seq = seq + $2 where id = $1", (store_id, by))


async def test_stores_that_were_not_where_they_were_told_up_to_are_counted(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)
    owner = await new_owner(house)
    token = str(owner.client.headers["Authorization"].removeprefix("Bearer "))
    async with served(house) as place, place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": token})
        await talk.say(subscribe={"topic": f"store/{owner.store_id}/owner"})
        for by in (1, -3):
            await house.parts.storage.write(_moved, owner.store_id, by)
            await house.parts.live.check_positions()
        assert await talk.closed() == 4000

    assert counted(await figures(house), "nowserving_positions_found_total") == {"ahead": 1, "back": 1}


async def test_what_waits_for_the_network_is_looked_at_in_all_sockets(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)
    metrics = house.parts.metrics
    assert metrics is not None
    looking = asyncio.create_task(count_sockets(metrics, range(700), [Waiting(bytes_) for bytes_ in range(700)]))
    try:
        async with asyncio.timeout(10):
            while not (found := await figures(house))["nowserving_buffered_bytes",]:
                await asyncio.sleep(0)
    finally:
        looking.cancel()

    assert found["nowserving_buffered_bytes",] == sum(range(700))
    assert found["nowserving_sockets",] == 700
