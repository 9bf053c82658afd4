"""Dead letters: jobs that were given up, looked at, put back in their place, or let go; and the lanes that wait for one of these."""

from __future__ import annotations

from msgspec import Struct

from realtime.operations import attempts, lanes
from realtime.storage.statement import Operation, Row, Statement


class DeadJob(Struct, frozen=True):
    store_id: str
    id: str
    queue: str
    lane: str
    attempts: int
    outcome: str
    """Why it was given up."""
    created_ms: int
    died_ms: int
    blocks: bool
    """Whether its lane waits for a decision."""
    body: str


_COLUMNS = "store_id, id, queue, lane, attempts, outcome, created_ms, died_ms, blocks, body"


def letters(queue: str, limit: int, after: tuple[int, str] = (0, "")) -> Operation[list[DeadJob]]:
    """A queue's dead letters, the oldest first, after the one that died then and has that id."""
    rows = yield Statement(
        f"select {_COLUMNS} from dead_jobs where queue = $1 and (died_ms > $2 or died_ms = $2 and id > $3) order by died_ms, id limit $4",
        (queue, *after, limit),
    )
    return [_dead(row) for row in rows]


def blocked(queue: str, limit: int) -> Operation[list[DeadJob]]:
    """The dead letters of a queue for which lanes wait."""
    rows = yield Statement(
        f"select {_COLUMNS} from dead_jobs where queue = $1 and blocks = 1 order by died_ms, id limit $2", (queue, limit)
    )
    return [_dead(row) for row in rows]


class Chosen(Struct, frozen=True):
    """A dead letter to which something would be done."""

    owner: str
    id: str
    reason: str
    """Why it was given up."""


_OF_REASON = [
    f"select store_id, id, lane, outcome from dead_jobs where queue = $1 and substr(outcome, 1, length({reason})) = {reason}"
    " order by died_ms, id limit $2"
    for reason in ("$3", "$3::text")
]
_OF_AGE = "select store_id, id, lane, outcome from dead_jobs where queue = $1 and died_ms < $2 order by died_ms, id limit $3"


def to_redrive(queue: str, limit: int, *, reason: str = "") -> Operation[list[Chosen]]:
    """Which dead letters `redrive` would put back."""
    sqlite, postgres = _OF_REASON
    rows = yield Statement(sqlite, (queue, limit, reason), postgres)
    return [Chosen(row[0], row[1], row[3]) for row in rows]


def to_purge(queue: str, before_ms: int, limit: int) -> Operation[list[Chosen]]:
    """Which dead letters `purge` would let go of."""
    rows = yield Statement(_OF_AGE, (queue, before_ms, limit))
    return [Chosen(row[0], row[1], row[3]) for row in rows]


def redrive(queue: str, limit: int, now_ms: int, *, reason: str = "") -> Operation[int]:
    """Put dead letters back into their queue, the oldest first, each to its old place in its lane; what they were tried before counts no more.

    Args:
        reason: only those whose reason begins so.
    """
    sqlite, postgres = _OF_REASON
    rows = yield Statement(sqlite, (queue, limit, reason), f"{postgres} for update skip locked")
    for store_id, id_, lane, _ in sorted(rows, key=lambda row: (row[0], row[2])):  # lanes are held in one order by everybody
        yield from _put_back(store_id, id_, queue, lane, now_ms)
    return len(rows)


def put_back(store_id: str, id_: str, now_ms: int) -> Operation[bool]:
    """`redrive` for one dead letter; False when there is none."""
    look = "select queue, lane from dead_jobs where store_id = $1 and id = $2"
    rows = yield Statement(look, (store_id, id_), f"{look} for update")
    if rows:
        yield from _put_back(store_id, id_, rows[0][0], rows[0][1], now_ms)
    return bool(rows)


def _put_back(store_id: str, id_: str, queue: str, lane: str, now_ms: int) -> Operation[None]:
    if lane:
        yield from lanes.lock(store_id, queue, lane)
    yield Statement(
        "insert into jobs (store_id, id, queue, lane, place, head, priority, state, attempts, max_attempts, due_ms, ready_ms,"
        " not_after_ms, created_ms, body, notifier, recipient, moment, blocks, ticket_id, called_ms, trace) select store_id, id, queue, lane, place,"
        " case when lane = '' then 1 else 0 end, priority, 'waiting', 0, max_attempts, $3, $3, not_after_ms, created_ms, body,"
        " notifier, recipient, moment, blocks, ticket_id, called_ms, trace from dead_jobs where store_id = $1 and id = $2",
        (store_id, id_, now_ms),
    )
    yield from attempts.set_aside(store_id, id_)
    yield from _leave(store_id, id_)
    yield from lanes.demote(store_id, queue, lane)
    yield from lanes.promote(store_id, queue, lane, now_ms)


def let_go(store_id: str, id_: str, now_ms: int, *, of: str = "") -> Operation[bool]:
    """Delete a dead letter; its lane goes on. False when there is none, or it is not of the queue that is named."""
    rows = yield Statement("select queue, lane from dead_jobs where store_id = $1 and id = $2", (store_id, id_))
    if not rows or of not in ("", rows[0][0]):
        return False
    queue, lane = rows[0]
    if lane:
        yield from lanes.lock(store_id, queue, lane)
    yield from _leave(store_id, id_)
    yield Statement("delete from attempts where store_id = $1 and job_id = $2", (store_id, id_))
    yield from lanes.promote(store_id, queue, lane, now_ms)
    return True


def purge(queue: str, before_ms: int, limit: int, now_ms: int) -> Operation[int]:
    """Let go of some of a queue's dead letters that died before a time."""
    rows = yield Statement(_OF_AGE, (queue, before_ms, limit))
    for store_id, id_, _, _ in sorted(rows, key=lambda row: (row[0], row[2])):
        yield from let_go(store_id, id_, now_ms)
    return len(rows)


def _leave(store_id: str, id_: str) -> Operation[None]:
    yield Statement("delete from dead_jobs where store_id = $1 and id = $2", (store_id, id_))


def _dead(row: Row) -> DeadJob:
    store_id, id_, queue, lane, tries, outcome, created_ms, died_ms, blocks, body = row
    return DeadJob(store_id, id_, queue, lane, tries, outcome, created_ms, died_ms, bool(blocks), body)
