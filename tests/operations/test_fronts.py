"""Claims for single notifiers: what one is owed neither hides nor slows what another is owed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from realtime.operations import claims, jobs, pauses, queue
from realtime.operations.changes import DELIVERIES, HELD_MS
from realtime.operations.queue import NewJob
from realtime.storage.statement import Operation, Statement
from tests.operations.conftest import Shop

NOW = 10_000


def put(*owed: tuple[str, int], prefix: str = "") -> Operation[None]:
    """Deliveries of these notifiers, due at these times."""
    for number, (notifier, due_ms) in enumerate(owed):
        job = NewJob(
            "shop", f"{prefix}{notifier}-{number:05d}", DELIVERIES, "{}", f"{notifier}:{prefix}{number}", notifier=notifier, due_ms=due_ms
        )
        yield from queue.enqueue(job, 1_000)


async def test_the_front_of_each_notifier_is_when_its_first_can_be_taken(shop: Shop) -> None:
    owed = (("sms", 9_000), ("sms", 8_000), ("email", 20_000), ("email", HELD_MS), ("push", HELD_MS))
    await shop.storage.write(put, *owed)

    assert await shop.storage.read(jobs.fronts) == {"sms": 8_000, "email": 20_000}


async def test_what_is_held_comes_to_the_front_when_its_lease_ends(shop: Shop) -> None:
    await shop.storage.write(put, ("sms", 8_000))
    (job,) = await shop.storage.write(jobs.claim_each, "lease", 60_000, {"sms": 1}, NOW)
    (until_ms,) = (await shop.storage.read(jobs.fronts)).values()

    assert until_ms > NOW
    await shop.storage.write(jobs.retry, job.store_id, job.id, "lease", 30_000, "again", NOW)
    assert await shop.storage.read(jobs.fronts) == {"sms": 30_000}


async def test_a_lease_that_ended_is_taken_up_only_where_its_notifier_has_room(shop: Shop) -> None:
    await shop.storage.write(put, ("sms", 8_000), ("email", 8_000))
    await shop.storage.write(jobs.claim_each, "lease", 0, {"sms": 1, "email": 1}, NOW)

    (job,) = await shop.storage.write(jobs.claim_each, "lease 2", 60_000, {"email": 5}, NOW + 1)

    assert (job.delivery.notifier, job.attempts) == ("email", 2)


async def test_nothing_is_taken_while_deliveries_are_paused(shop: Shop) -> None:
    await shop.storage.write(put, ("sms", 8_000))
    await shop.storage.write(pauses.pause, DELIVERIES, NOW)

    assert await shop.storage.read(jobs.fronts) == {}
    assert await shop.storage.write(jobs.claim_each, "lease", 60_000, {"sms": 5}, NOW) == []


async def test_each_notifier_gives_as_many_as_it_has_room_for_in_order(shop: Shop) -> None:
    await shop.storage.write(put, *(("sms", 5_000 + number) for number in range(10)), ("email", 9_000), ("push", 9_000))

    claimed = await shop.storage.write(jobs.claim_each, "lease", 60_000, {"sms": 3, "email": 3}, NOW)

    assert [job.id for job in claimed] == ["sms-00000", "sms-00001", "sms-00002", "email-00010"]


async def test_what_came_too_late_is_passed_by(shop: Shop) -> None:
    def late() -> Operation[None]:
        for number in range(queue.ROUNDS // 2):
            yield from queue.enqueue(NewJob("shop", f"a{number}", DELIVERIES, "{}", "sms:one", notifier="sms", not_after_ms=9_000), 1_000)
        yield from queue.enqueue(NewJob("shop", "b", DELIVERIES, "{}", "sms:two", notifier="sms"), 2_000)

    await shop.storage.write(late)

    assert [job.id for job in await shop.storage.write(jobs.claim_each, "lease", 60_000, {"sms": 1}, NOW)] == ["b"]


async def test_the_plan_looks_only_at_what_is_taken(shop: Shop, database_url: str) -> None:
    """A hundred thousand for a notifier that is down are not even looked at: each notifier's are found through an index of their own."""

    def fill() -> Operation[None]:
        yield from put(*(("sms", 5_000) for _ in range(3_000)))
        yield from put(("email", 9_000), prefix="x")

    await shop.storage.write(fill)
    claim = {1: f"'{DELIVERIES}'", 2: "'lease'", 3: "1", 4: "10", 5: str(NOW), 6: "'me'", 7: "'email'"}
    fronts = {1: f"'{DELIVERIES}'", 2: str(HELD_MS)}
    if database_url.startswith("sqlite"):
        for sql, values in ((claims.CLAIM_OF_SQLITE, claim), (jobs.FRONTS, fronts)):
            steps = [str(row[3]) for row in await shop.storage.read(_ask, f"explain query plan {_filled(sql, values)}")]
            assert not [step for step in steps if step.startswith("SCAN jobs") or "TEMP B-TREE" in step], steps
            assert [step for step in steps if "INDEX jobs_of_notifier" in step], steps
            assert sum("INDEX jobs_leased" in step for step in steps) == 1
        return
    await shop.storage.write(_ask, "analyze jobs")
    for sql, values in ((claims.CLAIM_OF_POSTGRES, claim), (jobs.FRONTS, fronts)):
        plan = "\n".join(row[0] for row in await shop.storage.write(_ask, f"explain {_filled(sql, values)}"))
        assert "Seq Scan on jobs" not in plan, plan
        assert "using jobs_of_notifier" in plan, plan


def _filled(sql: str, values: dict[int, str]) -> str:
    for number, value in values.items():
        sql = sql.replace(f"${number}", value)
    return sql


def _ask(sql: str) -> Operation[list[Sequence[Any]]]:
    return (yield Statement(sql))
