"""How many messages a recipient got, counted on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from realtime.model import Delivery, Job
from realtime.operations import guest_messages
from realtime.operations.changes import owe
from realtime.operations.guest_messages import Standing, release, reserve
from realtime.storage.statement import Operation, Statement, Storage
from tests.operations.conftest import Shop

ANN, BO = "hash of Ann", "hash of Bo"
MOST = 2


async def counted(storage: Storage, job: str, now_ms: int, who: str = ANN, since_ms: int = 0) -> bool:
    return await storage.write(reserve, who, job, MOST, since_ms, now_ms)


async def test_so_many_go_to_one_recipient_and_no_more(storage: Storage) -> None:
    assert [await counted(storage, job, 10) for job in ("a", "b", "c")] == [True, True, False]
    assert await counted(storage, "d", 10, who=BO)


async def test_the_same_message_counts_once_however_often_it_is_tried(storage: Storage) -> None:
    assert [await counted(storage, "a", at) for at in (10, 11, 12, 13)] == [True] * 4
    assert await counted(storage, "b", 14)
    assert await counted(storage, "a", 15), "also where there is no room for another"


async def test_what_was_not_sent_does_not_count(storage: Storage) -> None:
    await counted(storage, "a", 10)
    await counted(storage, "b", 10)

    await storage.write(release, ANN, "a")

    assert await counted(storage, "c", 10)


async def test_time_makes_room(storage: Storage) -> None:
    await counted(storage, "a", 10)
    await counted(storage, "b", 20)

    assert not await counted(storage, "c", 70, since_ms=9)
    assert await counted(storage, "c", 70, since_ms=10)
    assert [row[0] for row in await storage.read(_ask, "select job_id from guest_messages order by job_id")] == ["b", "c"]


async def test_many_that_count_at_once_find_no_room_for_one_too_many(storage: Storage) -> None:
    answers = await asyncio.gather(*(counted(storage, f"job {number}", 10) for number in range(12)))

    assert sum(answers) == MOST


async def test_what_nobody_counts_any_more_is_forgotten_in_parts(storage: Storage) -> None:
    for number in range(3):
        await counted(storage, f"job {number}", 10, who=f"hash {number}")
    await counted(storage, "late", 30)

    assert [await storage.write(guest_messages.forget, 20, 2) for _ in range(3)] == [2, 1, 0]
    assert [row[0] for row in await storage.read(_ask, "select job_id from guest_messages")] == ["late"]


@pytest.mark.parametrize("recipient", ["+391", "ann@example.com", "somebody@example.com", ""])
async def test_an_address_is_a_partys_own_or_it_is_not(shop: Shop, recipient: str) -> None:
    ticket = await shop.add("Ann", phone="+391")

    def job(ticket_id: int) -> Job:
        return Job(shop.store_id, "job", Delivery("text", recipient, "joined", {}), 1, "lease", 0, ticket_id=ticket_id)

    standing = await shop.storage.read(guest_messages.look, job(ticket.id), to_its_browser=False)

    assert (standing.over, standing.own) == ("", recipient == "+391")
    assert await shop.storage.read(guest_messages.look, job(99), to_its_browser=False) == Standing()


async def test_the_plan_for_what_is_newer_looks_at_one_lane_only(shop: Shop, database_url: str) -> None:
    def fill() -> Operation[None]:
        for number in range(2_000):
            yield from owe(shop.store_id, f"cause-{number}", [Delivery("sms", f"+{number}", "joined", {})], 1_000, tickets=[number])

    await shop.storage.write(fill)
    sql = guest_messages.LATER.replace("$1", f"'{shop.store_id}'").replace("$2", f"'{shop.store_id}-cause-7-0'")
    if database_url.startswith("sqlite"):
        steps = [str(row[3]) for row in await shop.storage.read(_ask, f"explain query plan {sql}")]
        assert [step.split(" ")[0] for step in steps] == ["SEARCH", "SEARCH"], steps
        assert "INDEX jobs_lane (store_id=? AND queue=? AND lane=?" in steps[1], steps
        return
    await shop.storage.write(_ask, "analyze jobs")
    plan = "\n".join(row[0] for row in await shop.storage.write(_ask, f"explain {sql}"))
    assert "Seq Scan" not in plan, plan
    assert "using jobs_lane" in plan, plan


async def test_the_plan_looks_at_one_recipient_only(storage: Storage, database_url: str) -> None:
    def fill() -> Operation[None]:
        yield Statement(
            "insert into guest_messages (recipient_hash, job_id, at_ms) values ($1, $2, $3)",
            each=[(f"hash {number}", f"job {number}", number) for number in range(3_000)],
        )

    await storage.write(fill)
    asked = (
        (guest_messages.COUNT.replace("$1", "'hash 7'"), "autoindex_guest_messages_1", "guest_messages_pkey"),
        (guest_messages.OLD.replace("$1", "5").replace("$2", "10"), "guest_messages_at", "guest_messages_at"),
    )
    if database_url.startswith("sqlite"):
        for sql, index, _ in asked:
            (step,) = [str(row[3]) for row in await storage.read(_ask, f"explain query plan {sql}")]
            assert step.startswith("SEARCH"), step
            assert index in step, step
        return
    await storage.write(_ask, "analyze guest_messages")
    for sql, _, index in asked:
        plan = "\n".join(row[0] for row in await storage.write(_ask, f"explain {sql}"))
        assert "Seq Scan" not in plan, plan
        assert index in plan, plan


def _ask(sql: str) -> Operation[list[Sequence[Any]]]:
    return (yield Statement(sql))
