"""Lanes: strict order within one owner's queue. A lane has one head at a time, and nothing else of it can be claimed.

Whoever puts a job into a lane or takes one out holds the lane's lock until the end of the transaction, so no head is missed or made
twice. A lane is nothing but its jobs: one without any costs nothing.
"""

from __future__ import annotations

from realtime.storage.statement import Operation, Statement

PENDING = "lane <> '' and state in ('waiting', 'leased')"


def lock(store_id: str, queue: str, lane: str) -> Operation[None]:
    """Hold a lane. On SQLite whoever writes holds everything."""
    key = f"{store_id} {queue} {lane}"
    yield Statement("select $1", (key,), "select pg_advisory_xact_lock(hashtextextended($1, 0))")


def next_place(store_id: str, queue: str, lane: str, now_ms: int) -> Operation[tuple[int, int]]:
    """The place after everybody in a lane, and 1 if it is the first. Holds the lane."""
    yield from lock(store_id, queue, lane)
    rows = yield Statement(
        f"select (select place from jobs where store_id = $1 and queue = $2 and lane = $3 and {PENDING} order by place desc limit 1),"
        " (select max(place) from dead_jobs where store_id = $1 and queue = $2 and lane = $3 and blocks = 1)",
        (store_id, queue, lane),
    )
    last, blocked = rows[0]
    return max(now_ms, (last or 0) + 1, (blocked or 0) + 1), int(last is None and blocked is None)


def promote(store_id: str, queue: str, lane: str, now_ms: int) -> Operation[None]:
    """Make whoever stands first in a lane its head, unless one is in flight or a dead letter blocks it. The lane is held already."""
    if lane:
        yield Statement(
            "update jobs set head = 1, ready_ms = case when due_ms > $4 then due_ms else $4 end"
            f" where store_id = $1 and queue = $2 and lane = $3 and {PENDING} and head = 0 and place = (select place from jobs"
            f" where store_id = $1 and queue = $2 and lane = $3 and {PENDING} order by place limit 1)"
            " and not exists (select 1 from jobs where store_id = $1 and queue = $2 and lane = $3 and lane <> '' and state = 'leased')"
            " and not exists (select 1 from dead_jobs where store_id = $1 and queue = $2 and lane = $3 and blocks = 1)",
            (store_id, queue, lane, now_ms),
        )


def demote(store_id: str, queue: str, lane: str) -> Operation[None]:
    """Nobody who waits in a lane is its head any more. The lane is held already; `promote` comes next."""
    if lane:
        yield Statement(
            f"update jobs set head = 0 where store_id = $1 and queue = $2 and lane = $3 and {PENDING} and state = 'waiting' and head = 1",
            (store_id, queue, lane),
        )
