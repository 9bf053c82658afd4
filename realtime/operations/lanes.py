"""Lanes: strict order within one owner's queue. A lane has one head at a time, and nothing else of it can be claimed.

Whoever puts a job into a lane or takes one out holds the lane's lock until the end of the transaction, so no head is missed or made
twice. A lane is nothing but its jobs: one without any costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import json

from realtime.storage.statement import Operation, Statement

PENDING = "lane <> '' and state in ('waiting', 'leased')"


def lock(store_id: str, queue: str, lane: str) -> Operation[None]:
    """Hold a lane. On SQLite whoever writes holds everything."""
    key = f"{store_id} {queue} {lane}"
    yield Statement("select $1", (key,), "select pg_advisory_xact_lock(hashtextextended($1, 0))")


def lock_all(lanes: Sequence[tuple[str, str, str]]) -> Operation[None]:
    """Hold several lanes, named in an order that everybody uses."""
    keys = json.encode([" ".join(lane) for lane in lanes]).decode()
    yield Statement(
        "select $1", (keys,), "select pg_advisory_xact_lock(hashtextextended(key, 0)) from json_array_elements_text($1::json) as each (key)"
    )


_ENDS = (
    "ends as materialized (select (select place from jobs where store_id = $1 and queue = {queue} and lane = {lane} and lane <> ''"
    " and state in ('waiting', 'leased') order by place desc limit 1) as last, (select max(place) from dead_jobs where store_id = $1"
    " and queue = {queue} and lane = {lane} and blocks = 1) as blocked)"
)
ENDS = _ENDS.format(queue="$3", lane="$4")
"""The place of whoever stands last in lane $4 of $1's queue $3, and of the last dead letter for which it waits. The lane is held already."""


def next_place(store_id: str, queue: str, lane: str, now_ms: int) -> Operation[tuple[int, int]]:
    """The place after everybody in a lane, and 1 if it is the first. Holds the lane."""
    yield from lock(store_id, queue, lane)
    rows = yield Statement(
        f"with {_ENDS.format(queue='$2', lane='$3')} select last, blocked from ends",
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


_PROMOTE_ALL = (
    "update jobs set head = 1, ready_ms = case when due_ms > $2 then due_ms else $2 end from {each} where jobs.store_id = {0}"
    " and jobs.queue = {1} and jobs.lane = {2} and jobs.lane <> '' and jobs.state in ('waiting', 'leased') and jobs.head = 0"
    " and jobs.place = (select f.place from jobs f where f.store_id = {0} and f.queue = {1} and f.lane = {2} and f.lane <> ''"
    " and f.state in ('waiting', 'leased') order by f.place limit 1)"
    " and not exists (select 1 from jobs l where l.store_id = {0} and l.queue = {1} and l.lane = {2} and l.lane <> '' and l.state = 'leased')"
    " and not exists (select 1 from dead_jobs d where d.store_id = {0} and d.queue = {1} and d.lane = {2} and d.blocks = 1)"
)
_PROMOTE_SQLITE = _PROMOTE_ALL.format(*(f"json_extract(e.value, '$[{at}]')" for at in range(3)), each="json_each($1) as e")
_PROMOTE_POSTGRES = _PROMOTE_ALL.format(*(f"e ->> {at}" for at in range(3)), each="json_array_elements($1::json) as e")


def promote_all(lanes: Sequence[tuple[str, str, str]], now_ms: int) -> Operation[None]:
    """`promote` for several lanes."""
    yield Statement(_PROMOTE_SQLITE, (json.encode(lanes).decode(), now_ms), _PROMOTE_POSTGRES)


def demote(store_id: str, queue: str, lane: str) -> Operation[None]:
    """Nobody who waits in a lane is its head any more. The lane is held already; `promote` comes next."""
    if lane:
        yield Statement(
            f"update jobs set head = 0 where store_id = $1 and queue = $2 and lane = $3 and {PENDING} and state = 'waiting' and head = 1",
            (store_id, queue, lane),
        )
