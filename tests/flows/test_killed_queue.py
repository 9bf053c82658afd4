"""kill -9 at random, on all three faces of the queue: nothing is lost, and each lane keeps its order.

Something happens twice only where the end came between its effect and its acknowledgement.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.flows.client import MANY, Owner, off_loop, open_store, select, visitor
from tests.support.mail import MailServer
from tests.support.nursery import Born
from tests.support.process import ServerProcess, bear
from tests.support.sink import HttpSink
from tests.support.waiting import until_async

ROUNDS = 3
PATIENCE_S = 60.0
LANES = 3
EACH = 12
"""Messages, or jobs, of a lane."""
SHORT_LEASES: dict[str, Any] = {
    "job_lease_seconds": 2,
    "job_service_seconds": 1,
    "notifier_deadline_seconds": 1,
    "smtp_deadline_seconds": 1,
    "retry_first_seconds": 0.1,
    "retry_most_seconds": 0.5,
}


@contextlib.asynccontextmanager
async def program(owner: Owner, *scopes: str) -> AsyncIterator[httpx.AsyncClient]:
    made = (await owner.http.post("/v1/tokens", json={"name": "Kitchen", "scopes": list(scopes)})).raise_for_status().json()
    async with visitor(owner.server, Authorization=f"Bearer {made['token']}") as http:
        yield http


async def until_answered(ask: Callable[[], Any]) -> httpx.Response:
    """Asks again for as long as nobody answers: the server is killed and started meanwhile."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer: httpx.Response = await ask()
                if answer.status_code < 500:
                    return answer.raise_for_status()
            await asyncio.sleep(0.05)


def in_order(effects: Sequence[int], what: str) -> None:
    """Every number is there, and none after a later one; only the last may be repeated."""
    assert sorted(set(effects)) == list(range(EACH)), f"{what}: {effects}"
    assert list(effects) == sorted(effects), f"{what}: {effects}"


# ---- messages: the server is killed, and consumers die with messages in their hands ---------------------------------------


class Consumers:
    """What they did with each message, in order, and which of it they know to be acknowledged."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.effects: dict[str, list[int]] = {f"lane {lane}": [] for lane in range(LANES)}
        self.unknown: Counter[tuple[str, int]] = Counter()
        """Effects whose acknowledgement did not come back."""

    @property
    def count(self) -> int:
        return sum(len(set(numbers)) for numbers in self.effects.values())

    async def consume(self, http: httpx.AsyncClient, cid: str) -> None:
        params = {"cid": cid, "limit": "2", "vt": "2", "wait": "1"}
        while self.count < LANES * EACH:
            try:
                answer = await http.get("/v1/consumer", params=params)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            for message in answer.json()["messages"] if answer.status_code == 200 else ():
                await self.work(http, cid, message)

    async def work(self, http: httpx.AsyncClient, cid: str, message: dict[str, Any]) -> None:
        if self.chance.random() < 0.1:
            return  # it dies before it did anything
        if message["visible_ms"] <= time.time() * 1000:
            return  # it was slow, and knows it
        lane, number = message["lane"], message["message"]
        self.effects[lane].append(number)
        self.unknown[lane, number] += 1
        if self.chance.random() < 0.1:
            return  # it dies before it said so
        with contextlib.suppress(httpx.TransportError):
            said = await http.delete("/v1/consumer", params={"cid": cid, "id": message["messageId"], "receipt": message["receipt"]})
            if said.status_code == 200 and said.json() is True:
                self.unknown[lane, number] -= 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("database_url", "seed"), [("sqlite", 1), ("postgres", 2)], indirect=["database_url"])
async def test_messages_survive_a_server_and_consumers_that_are_killed(server: Serve, database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    started = server(database_url=database_url, message_receives=1000, **MANY)
    consumers = Consumers(chance)
    async with open_store(started) as owner, program(owner, "publish", "consume") as http:

        async def publish(lane: int) -> None:
            for number in range(EACH):
                body = {"message": number, "lane": f"lane {lane}"}
                await until_answered(
                    lambda: http.post("/v1/publish", json=body, headers={"Idempotency-Key": f"{lane}-{number}"})  # noqa: B023 - waited for here
                )

        async with asyncio.TaskGroup() as group:
            for lane in range(LANES):
                group.create_task(publish(lane))
            for cid in range(4):
                group.create_task(consumers.consume(http, str(cid)))
            for round_ in range(ROUNDS):
                enough = chance.randrange(LANES * EACH * (round_ + 1) // (ROUNDS + 1) + 1)
                await until_async(lambda: consumers.count >= enough, PATIENCE_S, f"{enough} messages")  # noqa: B023 - as above
                for _ in range(chance.randrange(40)):
                    await asyncio.sleep(0)
                await off_loop(started.kill)
                await off_loop(started.start)

        for name, effects in consumers.effects.items():
            in_order(effects, name)
            for number, times in Counter(effects).items():
                assert times - 1 <= consumers.unknown[name, number], (
                    f"{number} of {name} was done again after it was acknowledged: {effects}"
                )


# ---- jobs: two workers, one of them is killed ------------------------------------------------------------------------


class Workers:
    """Two `nowserving worker` beside a server."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.server = server
        self.logs = (folder / f"worker-{number}.log" for number in itertools.count())
        self.used: list[Path] = []
        self.running: list[Born] = []

    def start(self) -> None:
        self.used.append(next(self.logs))
        self.running.append(bear("worker", folder=self.server.folder, environment=self.server.environment, log=self.used[-1]))

    def kill(self) -> None:
        """The one that has run for longest."""
        process = self.running.pop(0)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def close(self) -> None:
        while self.running:
            self.kill()
        for log in self.used:
            assert "Traceback" not in log.read_text(), log.read_text()


@pytest.mark.timeout(180)
async def test_jobs_survive_workers_that_are_killed(
    server: Serve, new_database: Callable[[], str], http_sink: HttpSink, tmp_path: Path
) -> None:
    chance = random.Random(3)
    started = server(
        database_url=new_database(),
        run_jobs=False,
        job_service_url=http_sink.url,
        outbound_networks="127.0.0.0/8",
        job_retries=100,
        **SHORT_LEASES,
        **MANY,
    )
    workers = Workers(started, tmp_path)
    async with open_store(started) as owner, program(owner, "jobs") as http:
        ids: list[str] = []
        for number in range(EACH):
            for lane in range(LANES):
                answer = await http.post("/addJob", json={"payload": number, "lane": f"lane {lane}"})
                ids.append(answer.raise_for_status().json()["jobId"])
        try:
            await off_loop(workers.start)
            for round_ in range(ROUNDS):
                await off_loop(workers.start)
                enough = chance.randrange(LANES * EACH * (round_ + 1) // (ROUNDS + 1) + 1)
                await until_async(lambda: len(http_sink.requests) >= enough, PATIENCE_S, f"{enough} calls")  # noqa: B023 - waited for here
                await off_loop(workers.kill)
            jobs = [await _ended(http, id_) for id_ in ids]
        finally:
            await off_loop(workers.close)

        assert {job["status"] for job in jobs} == {"SUCCESS"}
        numbers = {id_: at // LANES for at, id_ in enumerate(ids)}
        calls = [request.headers["idempotency-key"].strip('"') for request in http_sink.requests]
        for lane in range(LANES):
            in_order([numbers[id_] for id_ in calls if ids.index(id_) % LANES == lane], f"lane {lane}")
        for job in jobs:
            outcomes = [attempt["outcome"] for attempt in job["attempts"]]
            assert outcomes[-1] == "done"
            assert outcomes.count("done") == 1
            unanswered = len(outcomes) - 1
            assert calls.count(job["id"]) - 1 <= unanswered, f"{job} was done {calls.count(job['id'])} times"
            assert set(outcomes[:-1]) <= {"lost", "retry"}


async def _ended(http: httpx.AsyncClient, id_: str) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        job: dict[str, Any] = (await http.get(f"/status/{id_}")).raise_for_status().json()
        return job if job["status"] != "PENDING" else None

    found: dict[str, Any] = await until_async(ended, PATIENCE_S, f"job {id_}")
    return found


# ---- deliveries: the server is killed while it mails -----------------------------------------------------------------


@pytest.mark.timeout(180)
async def test_notifications_survive_a_server_that_is_killed(server: Serve, database_url: str, smtp_sink: MailServer) -> None:
    chance = random.Random(4)
    guests = [f"guest{number}@example.com" for number in range(8)]
    started = server(
        database_url=database_url,
        smtp_url=smtp_sink.url,
        smtp_allow_plain=True,
        mail_from="queue@example.org",
        call_ladder="email:0",
        **SHORT_LEASES,
        **MANY,
    )
    async with open_store(started) as owner:
        for guest in guests:
            body = {"name": guest, "queue": "A", "email": guest}
            (await owner.http.post(f"{owner.path}/tickets", json=body)).raise_for_status()
        called = 0
        for _ in range(ROUNDS):
            for _ in range(chance.randrange(1, 4)):
                if called < len(guests):
                    await owner.call_next()
                    called += 1
            for _ in range(chance.randrange(200)):
                await asyncio.sleep(0)
            await off_loop(started.kill)
            await off_loop(started.start)
        for _ in range(called, len(guests)):
            await owner.call_next()
        await until_async(lambda: _settled(database_url), PATIENCE_S, "every mail to be sent")

        tries = {
            row[0]: row[1]
            for row in await select(
                database_url,
                "select j.id, j.attempts from jobs j where j.queue = 'deliveries' and j.notifier = 'email' and j.state in ('done', 'cancelled')",
            )
        }
        again = Counter(
            id_ for (id_,) in await select(database_url, "select job_id from attempts where outcome = 'lost' or outcome = 'retry'")
        )
        sent = Counter(str(mail.message["Message-ID"]).strip("<>").partition("@")[0] for mail in smtp_sink.mails)
        for guest in guests:
            assert smtp_sink.to(guest), f"{guest} was never told"
        # Taken back is what says "you are next" to a party that was called meanwhile; it may have been sent before a kill nevertheless.
        done = {
            id_
            for (id_,) in await select(
                database_url, "select id from jobs where queue = 'deliveries' and notifier = 'email' and state = 'done'"
            )
        }
        went = set()
        for id_, times in sent.items():
            owed = next(job for job in tries if job in id_ or id_ in job)
            went.add(owed)
            assert times - 1 <= again[owed], f"{id_} was sent {times} times in {tries[owed]} attempts"
        assert done <= went
        for guest in guests:
            ids = [str(mail.message["Message-ID"]) for mail in smtp_sink.to(guest)]
            assert [id_ for id_, _ in itertools.groupby(ids)] == list(dict.fromkeys(ids)), (
                "its mails came in the order in which they were owed"
            )


async def _settled(database_url: str) -> bool:
    return not await select(database_url, "select 1 from jobs where state = 'waiting' or state = 'leased' limit 1")
