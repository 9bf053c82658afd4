"""What an operator sees and does, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from realtime.app import make_storage
from realtime.operations import alarms, checkup, dead, oversight, pauses, queue
from realtime.operations.changes import HELD_MS
from realtime.operations.oversight import Backlog, Standing
from realtime.operations.queue import NewJob
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement, Storage
from tests.support.desk import Desk, Q


async def backlog(desk: Desk) -> Backlog:
    (found,) = await desk.storage.read(oversight.backlogs, desk.now)
    return found


async def page(desk: Desk, standing: Standing, **more: Any) -> list[str]:
    found = await desk.storage.read(
        oversight.page,
        standing,
        more.get("queue", ""),
        more.get("owner", ""),
        more.get("limit", 100),
        desk.now,
        blocking=more.get("blocking", False),
    )
    assert all(each.standing is standing for each in found)
    return [each.id for each in found]


async def test_every_job_is_counted_and_listed_where_it_stands(desk: Desk) -> None:
    under_way = await desk.put(priority=0)
    await desk.claim(1)
    waits = await desk.put()
    deferred = await desk.put(due_ms=desk.now + 60_000)
    held = await desk.put(due_ms=HELD_MS)
    first, behind = await desk.put("lane"), await desk.put("lane")
    buried = await desk.put("blocked", priority=0, blocks=True)
    await desk.claim(1, "other")
    await desk.fail(buried, "other")
    done = await desk.put(priority=0)
    await desk.claim(1, "third")
    await desk.done(done, "third")

    found = await backlog(desk)

    assert found == Backlog(queue=Q, ready=2, deferred=1, behind=1, held=1, in_flight=1, dead=1, oldest_ready_ms=desk.now, blocked_lanes=1)
    assert await page(desk, Standing.IN_FLIGHT) == [under_way]
    assert await page(desk, Standing.READY) == [waits, first]
    assert await page(desk, Standing.DEFERRED) == [deferred]
    assert await page(desk, Standing.HELD) == [held]
    assert await page(desk, Standing.BEHIND) == [behind]
    assert await page(desk, Standing.DEAD) == [buried]
    assert await page(desk, Standing.ENDED) == [done]
    assert await page(desk, Standing.DEAD, blocking=True) == [buried]
    assert await page(desk, Standing.DEAD, blocking=True, queue="other") == []
    assert await page(desk, Standing.READY, limit=1) == [waits]
    assert await page(desk, Standing.READY, queue="other") == []
    assert await page(desk, Standing.READY, owner="shop", queue=Q) == [waits, first]


async def test_an_empty_installation_has_no_backlog(desk: Desk) -> None:
    assert await desk.storage.read(oversight.backlogs, desk.now) == []
    assert await desk.storage.read(oversight.one, "shop", "0001", desk.now) is None


async def test_nobody_is_shown_an_address_or_what_a_job_says(desk: Desk) -> None:
    id_ = await desk.put("sms:+393331234567", notifier="sms", recipient="+393331234567", moment="called")
    found = await desk.storage.read(oversight.one, "shop", id_, desk.now)
    assert found
    seen = found[0]

    assert (seen.lane, seen.recipient, seen.bytes) == ("sms", "+39…67", len(f'"{id_}"'))
    assert "3331234" not in str(seen)
    assert oversight.covered("ann@example.org") == "a…@example.org"


async def test_nothing_is_taken_from_a_paused_queue_and_what_is_under_way_goes_on(desk: Desk) -> None:
    first = await desk.put()
    assert await desk.ids(1) == [first]
    assert await desk.storage.write(pauses.pause, Q, desk.now)
    assert not await desk.storage.write(pauses.pause, Q, desk.now + 1)
    second = await desk.put()

    assert await desk.ids() == []
    assert await desk.storage.read(queue.next_ready_ms, Q) is None, "or a worker would look all the time"
    assert (await backlog(desk)).paused_ms == desk.now
    assert await desk.done(first) is queue.Settled.DONE

    assert await desk.storage.write(pauses.resume, Q)
    assert not await desk.storage.write(pauses.resume, Q)
    assert await desk.ids() == [second]


@pytest.mark.parametrize("sql", [*oversight.COUNTS, alarms.FIRST_READY, checkup.UNSETTLED])
async def test_counting_looks_at_what_is_pending_and_not_at_what_has_ended(sql: str, tmp_path: Path) -> None:
    """The planner of Postgres chooses by size; that of SQLite says always the same."""
    settings = await asyncio.to_thread(lambda: Settings.defaults(database_url=f"sqlite:///{tmp_path / 'plan.db'}"))
    storage = await asyncio.to_thread(make_storage, settings)
    await storage.open()
    args = [0, HELD_MS][: sql.count("$2") + 1 if "$1" in sql else 0]
    plan = [str(step[3]) for step in await Desk(storage).rows(f"explain query plan {sql}", *args)]
    await storage.close()

    assert all("USING" in step for step in plan if step.startswith(("SCAN jobs", "SEARCH jobs", "SCAN j", "SEARCH j"))), plan


async def wrong(storage: Storage, names: dict[str, int], now_ms: int, to: str = "log") -> int:
    return await storage.write(alarms.look, names, [(to, "ops")], 1000, "", now_ms)


async def test_an_alarm_is_told_once_again_when_it_lasts_and_when_it_is_over(desk: Desk) -> None:
    storage = desk.storage
    assert await wrong(storage, {"dead_letters": 3}, 10_000) == 1
    assert await wrong(storage, {"dead_letters": 4}, 10_500) == 0, "it was told"
    (raised,) = await storage.read(alarms.raised)
    assert (raised.figure, raised.since_ms, raised.text) == (4, 10_000, "4 jobs were given up and wait for a decision.")
    assert await wrong(storage, {"dead_letters": 4}, 11_000) == 1, "it lasts"
    assert await wrong(storage, {}, 11_500) == 1, "it is over"
    assert await wrong(storage, {}, 12_000) == 0
    assert await storage.read(alarms.raised) == []

    rows = await desk.rows("select moment, body from jobs order by id")
    assert [row[0] for row in rows] == ["alarm"] * 3
    assert "There are no longer too many dead letters." in rows[-1][1] + rows[0][1]


async def test_what_is_wrong_is_found(desk: Desk) -> None:
    for id_ in [await desk.put(priority=0), await desk.put()]:
        await desk.claim(1)
        await desk.fail(id_)
    await desk.put()

    found = await desk.storage.read(alarms.figures, 1000, desk.now + 30_000)
    assert (found.dead_letters, found.backlog_seconds, found.failed_reports, found.missed_deletions) == (2, 30, 0, 0)

    assert alarms.backlog(found) == "1 is ready in the queue work."
    await desk.storage.write(pauses.pause, Q, desk.now)
    assert (await desk.storage.read(alarms.figures, 1000, desk.now + 30_000)).backlog_seconds == 0, "it is paused"


async def test_a_message_that_nobody_takes_is_a_backlog_also_where_its_consumer_crashed(desk: Desk) -> None:
    for name, lease_ms in (("messages/a/en", 1_000), ("messages/b/en", 2_000)):
        for number in range(2):
            await desk.storage.write(queue.enqueue, NewJob("account-a", f"{name[9]}{number}", name, "{}"), desk.now)
        await desk.storage.write(queue.claim, name, "lease", lease_ms, 2, desk.now)
    assert (await desk.storage.read(alarms.figures, 1000, desk.now)).backlog_queue == ""

    found = await desk.storage.read(alarms.figures, 1000, desk.now + 90_000)

    assert 80 < found.backlog_seconds <= 89
    assert alarms.backlog(found) == "2 are ready in the queue messages/a/en."
    await desk.storage.write(
        alarms.look, {alarms.BACKLOG: 89}, [("log", "ops")], 1000, "", desk.now, {alarms.BACKLOG: alarms.backlog(found)}
    )
    ((body,),) = await desk.rows("select body from jobs where moment = 'alarm'")
    assert "A job has been ready for 89 seconds and nobody has taken it. 2 are ready in the queue messages/a/en." in body


@pytest.mark.parametrize(
    ("state", "report", "expected"),
    [
        ("open", "", (0, 1)),
        ("closing", "", (0, 1)),
        ("settled", "", (0, 1)),
        ("reported", "", (1, 0)),
        ("reported", "dead", (1, 0)),
        ("reported", "waiting", (0, 0)),
        ("purged", "", (0, 0)),
    ],
)
async def test_a_store_that_was_not_finished_is_found(desk: Desk, state: str, report: str, expected: tuple[int, int]) -> None:
    def make() -> Operation[None]:
        yield Statement("insert into accounts (id, email, password_hash, created_ms) values ('a', 'a@example.org', 'h', 1)")
        yield Statement(
            "insert into stores (id, account_id, name, description, timezone, accent, almost_at, board_code, state, epoch, seq, opened_ms,"
            " closes_ms, closed_ms) values ('s', 'a', 'n', '', 'UTC', '', 3, 0, $1, 'e', 1, 1, 2, $2)",
            (state, 0 if state == "open" else 2),
        )
        if report:
            yield from queue.enqueue(NewJob("s", "r", Q, "{}", needs_report=True), 3)
            yield Statement("update jobs set state = $1", (report,))

    await desk.storage.write(make)

    found = await desk.storage.read(alarms.figures, 1000, 5000)
    assert (found.failed_reports, found.missed_deletions) == expected


async def test_dead_letters_are_deleted_by_age(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim(1)
    await desk.fail(id_)
    assert await desk.storage.write(dead.purge, Q, desk.now, 10, desk.now) == 0
    assert await desk.storage.write(dead.purge, Q, desk.now + 1, 10, desk.now) == 1
