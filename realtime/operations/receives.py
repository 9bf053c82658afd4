"""Receiving messages: a batch under one lease, the same again for a receive that is asked for twice."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import json

from realtime.operations import claims, keyed, queue
from realtime.operations.claims import Claimed
from realtime.operations.queue import Leased
from realtime.storage.statement import Operation, Row, Statement

MESSAGES = "messages/"
"""How the name of every message queue begins; its account and its own name follow."""
ATTEMPT_MS = 300_000
"""How long a receive can be asked for again."""
_COLUMNS = "store_id, id, queue, lane, body, attempts, leased_until_ms, created_ms, trace"
_SAME = f"select {_COLUMNS} from jobs where queue = $1 and state = 'leased' and lease = $2 and leased_until_ms > "


def receive(
    name: str, consumer: str, lease: str, lease_ms: int, limit: int, most: int, now_ms: int, *, owner: str = "", attempt: str = ""
) -> Operation[Claimed[Leased]]:
    """Lease up to `limit` messages of a queue to a consumer.

    Args:
        lease: a fresh random token.
        most: how often a message is received at most; after that it is a dead letter.
        owner, attempt: with these, a receive that was asked for already gets what it leased then and still holds, up to `limit` of it, and
            nothing else.
    """
    key = f"receive {consumer} {attempt}" if attempt else ""
    if key:
        before, _ = yield from keyed.stands_for(owner, name, key, lease, now_ms + ATTEMPT_MS, now_ms)
        if before != lease:
            lease = before
            held = yield Statement(
                f"{_SAME}$3 order by priority, ready_ms, id limit $4",
                (name, lease, now_ms, limit),
                f"{_SAME}{claims.NOW} and $3::bigint is not null order by priority, ready_ms, id limit $4",
            )
            return Claimed((_leased(row, lease) for row in held), again=True)
    claimed = yield from queue.claim(name, lease, lease_ms, limit, now_ms, worker=consumer, most=most)
    if key and not claimed:  # there is nothing to get again: the next one may be lucky
        yield Statement("delete from job_keys where store_id = $1 and queue = $2 and key = $3", (owner, name, key))
    return claimed


def _leased(row: Row, lease: str) -> Leased:
    owner, id_, name, lane, body, attempts, until_ms, created_ms, trace = row
    return Leased(owner, id_, name, lane, body, attempts, until_ms, created_ms, lease, trace=trace)


def queue_of(account_id: str, name: str) -> str:
    """What an account's queue is called among all."""
    return f"{MESSAGES}{account_id}/{name}"


def lease_of(owner: str, id_: str, consumer: str) -> Operation[str]:
    """The token under which a consumer holds a message; empty when it does not."""
    rows = yield Statement(
        "select lease from jobs where store_id = $1 and id = $2 and worker = $3 and state = 'leased'", (owner, id_, consumer)
    )
    return str(rows[0][0]) if rows else ""


def times(owner: str, id_: str) -> Operation[int]:
    """How often a message was received; 0 when it is not in its queue."""
    rows = yield Statement("select attempts from jobs where store_id = $1 and id = $2", (owner, id_))
    return int(rows[0][0]) if rows else 0


_TOOK = "select ended_ms - started_ms from attempts where store_id = $1 and ended_ms = $2 and job_id in "


def took(owner: str, ids: Sequence[str], now_ms: int) -> Operation[list[int]]:
    """How many milliseconds each attempt at these messages took that has ended now, in no order."""
    rows = yield Statement(
        f"{_TOOK}(select value from json_each($3))",
        (owner, now_ms, json.encode(ids).decode()),
        f"{_TOOK}(select json_array_elements_text($3::json))",
    )
    return [row[0] for row in rows]


_LOST = (
    "select 1 from attempts where store_id = $1 and job_id = $2 and worker = $3 and (outcome = 'lost' or ended_ms = 0 and not exists"
    " (select 1 from jobs where store_id = $1 and id = $2 and state = 'leased' and leased_until_ms > {now})) limit 1"
)


def lost(owner: str, id_: str, consumer: str, now_ms: int) -> Operation[int]:
    """1 when a consumer held a message once and its lease ended; 0 when it never did, or answered in time."""
    rows = yield Statement(
        _LOST.format(now="$4"), (owner, id_, consumer, now_ms), _LOST.format(now=f"{claims.NOW} and $4::bigint is not null")
    )
    return len(rows)
