"""Schedules: what an account has put in again and again. Each of its times is taken once, by whoever moves it on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from realtime.errors import Conflict, NotFound
from realtime.storage.statement import Operation, Row, Statement, changed

MOST = 100
"""Schedules of one account."""


class Schedule(Struct, frozen=True):
    """See schema.sql."""

    account_id: str
    name: str
    cron: str
    timezone: str
    missed: str
    body: str
    paused: bool
    next_ms: int
    last_ms: int
    last_id: str
    problem: str
    created_ms: int


_COLUMNS = "account_id, name, cron, timezone, missed, body, paused, next_ms, last_ms, last_id, problem, created_ms"
Put = Callable[[], Operation[str]]
"""Puts something in; its id."""


def put(schedule: Schedule) -> Operation[bool]:
    """Make a schedule, or change the one with its name, whose past stays. Whether it is a new one.

    Raises:
        Conflict: the account has so many already.
    """
    mine = schedule.account_id, schedule.name
    # The account's row is held, so that two at once are not one too many.
    yield Statement("select id from accounts where id = $1", mine[:1], "select id from accounts where id = $1 for update")
    count = yield from changed(
        "update schedules set cron = $3, timezone = $4, missed = $5, body = $6, paused = $7, next_ms = $8, problem = ''"
        " where account_id = $1 and name = $2",
        *mine, schedule.cron, schedule.timezone, schedule.missed, schedule.body, int(schedule.paused), schedule.next_ms,
    )  # fmt: skip
    if count:
        return False
    rows = yield Statement("select count(*) from schedules where account_id = $1", mine[:1])
    if rows[0][0] >= MOST:
        raise Conflict(f"An account has at most {MOST} schedules. Delete one that is not needed any more.")
    yield Statement(
        f"insert into schedules ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, 0, '', '', $9)",
        (
            *mine,
            schedule.cron,
            schedule.timezone,
            schedule.missed,
            schedule.body,
            int(schedule.paused),
            schedule.next_ms,
            schedule.created_ms,
        ),
    )
    return True


def one(account_id: str, name: str) -> Operation[Schedule]:
    """Raises: NotFound."""
    rows = yield Statement(f"select {_COLUMNS} from schedules where account_id = $1 and name = $2", (account_id, name))
    if not rows:
        raise NotFound("There is no such schedule.")
    return _schedule(rows[0])


def every(account_id: str) -> Operation[list[Schedule]]:
    rows = yield Statement(f"select {_COLUMNS} from schedules where account_id = $1 order by name", (account_id,))
    return [_schedule(row) for row in rows]


def remove(account_id: str, name: str) -> Operation[None]:
    """Raises: NotFound."""
    if not (yield from changed("delete from schedules where account_id = $1 and name = $2", account_id, name)):
        raise NotFound("There is no such schedule.")


def pause(account_id: str, name: str, *, paused: bool, next_ms: int) -> Operation[None]:
    """Stop it, or let it go on with a time that is to come: what passed meanwhile was not missed. Raises: NotFound."""
    count = yield from changed(
        "update schedules set paused = $3, next_ms = $4 where account_id = $1 and name = $2", account_id, name, int(paused), next_ms
    )
    if not count:
        raise NotFound("There is no such schedule.")


def stop(seen: Schedule, problem: str) -> Operation[None]:
    """Pause one that has no next time, unless it was changed since it was seen."""
    yield Statement(
        "update schedules set paused = 1, problem = $4 where account_id = $1 and name = $2 and next_ms = $3",
        (seen.account_id, seen.name, seen.next_ms, problem),
    )


def due(now_ms: int, limit: int) -> Operation[list[Schedule]]:
    """Those whose time has come, the earliest first."""
    rows = yield Statement(
        f"select {_COLUMNS} from schedules where paused = 0 and next_ms <= $1 order by next_ms limit $2", (now_ms, limit)
    )
    return [_schedule(row) for row in rows]


def first_ms() -> Operation[int | None]:
    """When the next time of any of them is."""
    rows = yield Statement("select next_ms from schedules where paused = 0 order by next_ms limit 1")
    return int(rows[0][0]) if rows else None


def fire(seen: Schedule, next_ms: int, last_ms: int, puts: Sequence[Put], problem: str = "") -> Operation[list[str]]:
    """Move a schedule on, and put in what its times are for, unless somebody has done so, or it was changed meanwhile. The ids of what was put in.

    Args:
        last_ms: its last time that has come.
        problem: why nothing could be put in; empty: nothing is wrong.
    """
    count = yield from changed(
        "update schedules set next_ms = $4, last_ms = $5, problem = $6 where account_id = $1 and name = $2 and next_ms = $3"
        " and paused = 0 and cron = $7 and body = $8",
        seen.account_id, seen.name, seen.next_ms, next_ms, last_ms, problem, seen.cron, seen.body,
    )  # fmt: skip
    if not count:
        return []
    ids = []
    for each in puts:
        ids.append((yield from each()))
    if ids:
        yield Statement("update schedules set last_id = $3 where account_id = $1 and name = $2", (seen.account_id, seen.name, ids[-1]))
    return ids


def _schedule(row: Row) -> Schedule:
    values: list[Any] = list(row)
    values[6] = bool(values[6])
    return Schedule(*values)
