"""Leases that ended without an answer: when the next one ends, and what becomes of its job without anybody who claims."""

from __future__ import annotations

from realtime.model import JobState
from realtime.operations import attempts, lanes, queue
from realtime.operations.claims import NOW
from realtime.storage.statement import Operation, Row, Statement

FIRST_ENDS = (
    "with recursive names (name) as ("
    "select (select queue from jobs where state = 'leased' order by queue limit 1) union all"
    " select (select queue from jobs where state = 'leased' and queue > names.name order by queue limit 1) from names where name is not null)"
    " select name, (select leased_until_ms from jobs where queue = names.name and state = 'leased' order by leased_until_ms limit 1)"
    " from names where name is not null"
)


def first_ends() -> Operation[dict[str, int]]:
    """When the next lease of each queue ends. It leaps from name to name, so it costs what there are queues, not what is in flight."""
    rows = yield Statement(FIRST_ENDS)
    return {name: until_ms for name, until_ms in rows if until_ms is not None}


ENDED = "state = 'leased' and leased_until_ms <= "
"""Followed by the database's clock: a job that is in flight no more, though nobody has said so yet."""
_COLUMNS = "select store_id, id, queue, lane, lease, attempts, max_attempts, needs_report, not_after_ms, leased_until_ms from jobs where "
_OF_QUEUE = f"queue = $1 and {ENDED}{{now}} and $2 > 0 order by leased_until_ms limit $2"
_ONE = f"store_id = $1 and id = $2 and {ENDED}{{now}}"
_POSTGRES = f"{NOW} and $3::bigint is not null"


def settle(name: str, limit: int, most: int, now_ms: int) -> Operation[int]:
    """Settle up to `limit` jobs of a queue whose lease ended, those of longest ago first; returns how many.

    Each goes back to its place, or is a dead letter where it was claimed `most` times, or has expired. What others hold is passed by.
    """
    sql = _COLUMNS + _OF_QUEUE
    rows = yield Statement(sql.format(now="$3"), (name, limit, now_ms), f"{sql.format(now=_POSTGRES)} for update skip locked")
    for row in sorted(rows, key=lambda row: (row[0], row[3])):  # lanes are held in one order by everybody
        yield from _settle(row, most, now_ms)
    return len(rows)


def settle_one(store_id: str, id_: str, most: int, now_ms: int) -> Operation[bool]:
    """`settle` for one job; False when its lease holds, or it has none."""
    sql = _COLUMNS + _ONE
    rows = yield Statement(sql.format(now="$3"), (store_id, id_, now_ms), f"{sql.format(now=_POSTGRES)} for update")
    for row in rows:
        yield from _settle(row, most, now_ms)
    return bool(rows)


def _settle(row: Row, most: int, now_ms: int) -> Operation[None]:
    store_id, id_, name, lane, lease, number, max_attempts, needs_report, not_after_ms, until_ms = row
    limit = max_attempts or (0 if needs_report else most)
    if not_after_ms and now_ms > not_after_ms:
        yield from queue.end(store_id, id_, lease, JobState.EXPIRED, queue.TOO_LATE, now_ms, just_claimed=True)
    elif limit and number >= limit:
        yield from queue.bury(store_id, id_, lease, attempts.given_up(number, attempts.LOST), now_ms, just_claimed=True)
    else:
        if lane:
            yield from lanes.lock(store_id, name, lane)
        yield Statement(
            "update jobs set state = 'waiting', due_ms = $3, ready_ms = $3, outcome = $4, lease = '', leased_until_ms = 0,"
            " head = case when lane = '' then 1 else 0 end where store_id = $1 and id = $2",
            (store_id, id_, min(until_ms, now_ms), attempts.LOST),  # the clocks may differ
        )
        yield from lanes.promote(store_id, name, lane, now_ms)
    yield from attempts.ended(store_id, id_, number, "lost", attempts.LOST, now_ms)
