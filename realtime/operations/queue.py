"""The durable queue: put in with whatever causes it, claimed under a lease, settled once, in order where a lane asks for it.

A claim gives a fresh random token. Only who has it, and has it still, can settle, extend or give back; a token that was superseded
changes nothing. Leases live by the database's clock; on SQLite that is this process's own, so it is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct, json

from realtime.model import JobState
from realtime.operations import lanes, pauses
from realtime.storage.statement import Operation, Row, Statement, changed

PRIORITIES = 4
NOW = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
LOST = "its worker ended without an answer"
TOO_LATE = "too late to be of use"
ROUNDS = 64
"""So often one transaction looks past what came too late."""


class NewJob(Struct, frozen=True):
    """A job to be put into a queue."""

    store_id: str
    """Whose it is; see schema.sql."""
    id: str
    queue: str
    body: str
    lane: str = ""
    """Jobs of one lane run one after the other, in the order in which they were put in. Empty: in no order."""
    priority: int = 1
    """0 to 3, the lowest number first; between lanes, never within one."""
    due_ms: int = 0
    """Not claimed before; a lane waits for its head."""
    not_after_ms: int = 0
    """Dropped after this time; 0: never too late."""
    max_attempts: int = 0
    """0: as many as the claimer allows."""
    notifier: str = ""
    recipient: str = ""
    moment: str = ""
    needs_report: bool = False
    ticket_id: int = 0
    """The ticket that a delivery is about."""
    called_ms: int = 0
    """The call that it is about, where it is dropped once that was seen."""
    blocks: bool = False
    """What happens when it is given up: its lane waits until somebody has decided, or else the next may go."""


class Leased(Struct, frozen=True):
    """A job as its worker holds it."""

    store_id: str
    id: str
    queue: str
    lane: str
    body: str
    attempts: int
    """How often it was claimed, this time included."""
    leased_until_ms: int
    created_ms: int
    lease: str
    notifier: str = ""
    recipient: str = ""
    moment: str = ""
    not_after_ms: int = 0
    needs_report: bool = False
    ready_ms: int = 0
    """When it could first have been taken."""
    ticket_id: int = 0
    called_ms: int = 0


class Settled(StrEnum):
    """What became of an attempt to settle, extend or give back."""

    DONE = "done"
    LEASE_LOST = "lease_lost"
    """The lease ended, or somebody else has it."""
    ALREADY_DONE = "already_done"
    NOT_FOUND = "not_found"


def enqueue(job: NewJob, now_ms: int) -> Operation[None]:
    """Put a job in, as part of the transaction that causes it. A taken id is a Conflict."""
    place, head = (yield from lanes.next_place(job.store_id, job.queue, job.lane, now_ms)) if job.lane else (0, 1)
    due_ms = job.due_ms or now_ms
    yield Statement(
        "insert into jobs (store_id, id, queue, lane, place, head, priority, state, max_attempts, due_ms, ready_ms, not_after_ms,"
        " created_ms, body, notifier, recipient, moment, needs_report, blocks, ticket_id, called_ms)"
        " values ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $9, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        (
            job.store_id, job.id, job.queue, job.lane, place, head, job.priority, job.max_attempts, due_ms, job.not_after_ms, now_ms,
            job.body, job.notifier, job.recipient, job.moment, int(job.needs_report), int(job.blocks),
            job.ticket_id, job.called_ms,
        ),
    )  # fmt: skip


def enqueue_once(job: NewJob, key: str, window_ms: int, now_ms: int) -> Operation[str]:
    """Put a job in unless one with this key was put in within its window; the id of the one that stands for the key."""
    mine = yield Statement(
        "insert into job_keys (store_id, queue, key, job_id, until_ms) values ($1, $2, $3, $4, $5)"
        " on conflict (store_id, queue, key) do update set job_id = excluded.job_id, until_ms = excluded.until_ms"
        " where job_keys.until_ms <= $6 returning job_id",
        (job.store_id, job.queue, key, job.id, now_ms + window_ms, now_ms),
    )
    if mine:
        yield from enqueue(job, now_ms)
        return job.id
    first = yield Statement("select job_id from job_keys where store_id = $1 and queue = $2 and key = $3", (job.store_id, job.queue, key))
    return str(first[0][0])


_PICK = "select store_id, id from jobs where queue = $1 and "
_OF_PRIORITY = _PICK + "state = 'waiting' and head = 1 and priority = {priority} and ready_ms <= $5 order by ready_ms, id limit $4 {lock}"
_CANDIDATES = (
    "select * from (" + _PICK + "state = 'leased' and leased_until_ms <= {now} order by leased_until_ms limit $4 {lock}) as l"
) + "".join(f" union all select * from ({_OF_PRIORITY.replace('{priority}', str(each))}) as p{each}" for each in range(PRIORITIES))
_OF_NOTIFIER = (
    "select * from ("
    + _PICK
    + "state = 'leased' and leased_until_ms <= {now} and notifier = $7 order by leased_until_ms limit $4 {lock}) as l"
    " union all select * from (" + _PICK + "state = 'waiting' and head = 1 and notifier = $7 and notifier <> '' and ready_ms <= $5"
    " order by ready_ms, id limit $4 {lock}) as w"
)
_CLAIM = (
    f"with picked as materialized (select * from ({{candidates}}) as c where {pauses.NOT_PAUSED} limit $4)"
    " update jobs set state = 'leased', attempts = attempts + 1, lease = $2, leased_until_ms = {now} + $3, worker = $6"
    " where (store_id, id) in (select store_id, id from picked) returning store_id, id, queue, lane, body, attempts, leased_until_ms,"
    " created_ms, notifier, recipient, moment, not_after_ms, needs_report, max_attempts, priority, ready_ms, ticket_id, called_ms"
)
_ON_SQLITE = {"now": "$5", "lock": ""}
_ON_POSTGRES = {"now": NOW, "lock": "for update skip locked"}
CLAIM_SQLITE, CLAIM_OF_SQLITE = (_CLAIM.replace("{candidates}", each).format(**_ON_SQLITE) for each in (_CANDIDATES, _OF_NOTIFIER))
CLAIM_POSTGRES, CLAIM_OF_POSTGRES = (_CLAIM.replace("{candidates}", each).format(**_ON_POSTGRES) for each in (_CANDIDATES, _OF_NOTIFIER))


def claim(queue: str, lease: str, lease_ms: int, limit: int, now_ms: int, *, worker: str = "", most: int = 0) -> Operation[list[Leased]]:
    """Lease up to `limit` jobs: those whose lease ended first, then by priority and by how long they have been ready.

    Every claim counts as an attempt. What came too late, and what was claimed too often, is ended instead.

    Args:
        lease: a fresh random token.
        most: how often a job is claimed at most, where it does not say so itself; 0: without end. A report is never given up.
    """
    rows = yield Statement(CLAIM_SQLITE, (queue, lease, lease_ms, limit, now_ms, worker), CLAIM_POSTGRES)
    return (yield from _begun(rows, queue, lease, now_ms, most))


def claim_of(
    queue: str, notifier: str, lease: str, lease_ms: int, limit: int, now_ms: int, *, worker: str = "", most: int = 0
) -> Operation[list[Leased]]:
    """`claim` of what one notifier carries, whatever its priority, without a look at what others carry. What came too late is passed by."""
    for _ in range(ROUNDS):
        rows = yield Statement(CLAIM_OF_SQLITE, (queue, lease, lease_ms, limit, now_ms, worker, notifier), CLAIM_OF_POSTGRES)
        held = yield from _begun(rows, queue, lease, now_ms, most)
        if held or not rows:
            return held
    return []


def _begun(rows: Sequence[Row], queue: str, lease: str, now_ms: int, most: int) -> Operation[list[Leased]]:
    """Note the attempts that a claim begins, and end what must not be tried any more."""
    if not rows:
        return []
    yield Statement(
        "insert into attempts (store_id, job_id, number, worker, started_ms)"
        " select store_id, id, attempts, worker, $3 from jobs where queue = $1 and state = 'leased' and lease = $2"
        " on conflict (store_id, job_id, number) do update set worker = excluded.worker, started_ms = excluded.started_ms, ended_ms = 0,"
        " outcome = '', detail = ''",
        (queue, lease, now_ms),
    )
    held = []
    for row in sorted(rows, key=_turn):
        job = _leased(row, lease)
        limit_of_job = row[13] or (0 if job.needs_report else most)
        if job.not_after_ms and now_ms > job.not_after_ms:
            yield from end(job.store_id, job.id, lease, JobState.EXPIRED, TOO_LATE, now_ms, just_claimed=True)
        elif limit_of_job and job.attempts > limit_of_job:
            yield from bury(job.store_id, job.id, lease, f"given up after {limit_of_job} attempts: {LOST}", now_ms, just_claimed=True)
        else:
            held.append(job)
    return held


def _leased(row: Row, lease: str) -> Leased:
    values: tuple[Any, ...] = (*row[:8], lease, *row[8:12], bool(row[12]), *row[15:])
    return Leased(*values)


def _turn(row: Row) -> tuple[int, int, str]:
    return row[14], row[15], row[1]


_MINE = "store_id = $1 and id = $2 and lease = $3 and state = 'leased' and leased_until_ms > "
_NOW_4 = ("$4", NOW)


def _held(store_id: str, id_: str, lease: str, now_ms: int, just_claimed: bool = False) -> Operation[Row | None]:
    """Queue, lane and attempts of a job under a lease that holds; its row, and its lane, are held from here on."""
    since = "0 * " if just_claimed else ""
    sqlite, postgres = (f"select queue, lane, attempts, needs_report, blocks from jobs where {_MINE}{since}{now}" for now in _NOW_4)
    rows = yield Statement(sqlite, (store_id, id_, lease, now_ms), f"{postgres} and $4::bigint is not null for update")
    if not rows:
        return None
    if rows[0][1]:
        yield from lanes.lock(store_id, rows[0][0], rows[0][1])
    return rows[0]


def _why_not(store_id: str, id_: str) -> Operation[Settled]:
    rows = yield Statement(
        "select state from jobs where store_id = $1 and id = $2 union all select 'dead' from dead_jobs where store_id = $1 and id = $2",
        (store_id, id_),
    )
    if not rows:
        return Settled.NOT_FOUND
    return Settled.ALREADY_DONE if rows[0][0] == "done" else Settled.LEASE_LOST


def _attempted(store_id: str, id_: str, number: int, outcome: str, detail: str, now_ms: int) -> Operation[None]:
    yield Statement(
        "update attempts set ended_ms = $4, outcome = $5, detail = $6 where store_id = $1 and job_id = $2 and number = $3",
        (store_id, id_, number, now_ms, outcome, detail),
    )


def end(
    store_id: str, id_: str, lease: str, state: JobState, outcome: str, now_ms: int, *, just_claimed: bool = False, keep: bool = False
) -> Operation[Settled]:
    """End a job under its lease; the next of its lane may go. What it said is forgotten, unless `keep`, or it is a report's: somebody may send it again."""
    row = yield from _held(store_id, id_, lease, now_ms, just_claimed)
    if row is None:
        return (yield from _why_not(store_id, id_))
    queue, lane, attempts = row[:3]
    yield Statement(
        "update jobs set state = $3, outcome = $4, ended_ms = $5, lease = '', leased_until_ms = 0, head = 0,"
        " body = case when $3 = 'dead' or $6 = 1 then body else '{}' end where store_id = $1 and id = $2",
        (store_id, id_, state.value, outcome, now_ms, int(keep)),
    )
    yield from _attempted(store_id, id_, attempts, state.value, outcome, now_ms)
    yield from lanes.promote(store_id, queue, lane, now_ms)
    return Settled.DONE


class Done(Struct, frozen=True):
    """A job that is done, under the lease of whoever did it."""

    store_id: str
    id: str
    lease: str
    outcome: str = ""


_HELD_SQLITE = (
    "select j.store_id, j.id, j.queue, j.lane, j.attempts from json_each($1) as e cross join jobs as j where j.store_id ="
    " json_extract(e.value, '$[0]') and j.id = json_extract(e.value, '$[1]') and j.lease = json_extract(e.value, '$[2]')"
    " and j.state = 'leased' and j.leased_until_ms > $2"
)
_HELD_POSTGRES = (
    "select j.store_id, j.id, j.queue, j.lane, j.attempts from json_array_elements($1::json) as e join jobs as j on j.store_id = e ->> 0"
    f" and j.id = e ->> 1 and j.lease = e ->> 2 where j.state = 'leased' and j.leased_until_ms > {NOW} and $2::bigint is not null"
    " order by j.store_id, j.id for update of j"
)
_DONE = (
    "update jobs set state = 'done', outcome = {outcome}, ended_ms = $2, lease = '', leased_until_ms = 0, head = 0, body = '{{}}'"
    " from {each} where jobs.store_id = {of_0} and jobs.id = {of_1}"
)
_TRIED = (
    "update attempts set ended_ms = $2, outcome = 'done', detail = {outcome} from {each} where attempts.store_id = {of_0} and attempts.job_id = {of_1}"
    " and attempts.number = {of_2}"
)
_OF_SQLITE = {
    "each": "json_each($1) as e",
    **{f"of_{at}": f"json_extract(e.value, '$[{at}]')" for at in range(3)},
    "outcome": "json_extract(e.value, '$[3]')",
}
_OF_POSTGRES = {
    "each": "json_array_elements($1::json) as e",
    "of_0": "e ->> 0",
    "of_1": "e ->> 1",
    "of_2": "(e ->> 2)::bigint",
    "outcome": "e ->> 3",
}


def end_all(jobs: Sequence[Done], now_ms: int) -> Operation[list[Settled]]:
    """`end` as done, for many in a few statements; an answer for each. One that is named twice is done already the second time."""
    asked = json.encode([(job.store_id, job.id, job.lease) for job in jobs]).decode()
    rows = yield Statement(_HELD_SQLITE, (asked, now_ms), _HELD_POSTGRES)
    held = {(row[0], row[1]): row for row in rows}
    said = {(job.store_id, job.id): job.outcome for job in jobs}
    lanes_of = sorted({(row[0], row[2], row[3]) for row in held.values() if row[3]})
    for each in lanes_of:  # everybody holds lanes in one order
        yield from lanes.lock(*each)
    if held:
        ended = json.encode([(*key, row[4], said[key]) for key, row in held.items()]).decode()
        for text in (_DONE, _TRIED):
            yield Statement(text.format(**_OF_SQLITE), (ended, now_ms), text.format(**_OF_POSTGRES))
    for each in lanes_of:
        yield from lanes.promote(*each, now_ms)
    answers = []
    for job in jobs:
        mine = held.pop((job.store_id, job.id), None)
        answers.append(Settled.DONE if mine else (yield from _why_not(job.store_id, job.id)))
    return answers


def retry(store_id: str, id_: str, lease: str, due_ms: int, outcome: str, now_ms: int, *, counted: bool = True) -> Operation[Settled]:
    """Give a job back, to be tried again at `due_ms`. It keeps its place; its lane waits for it.

    Args:
        counted: False takes the attempt back: nothing was tried.
    """
    row = yield from _held(store_id, id_, lease, now_ms)
    if row is None:
        return (yield from _why_not(store_id, id_))
    yield Statement(
        "update jobs set state = 'waiting', due_ms = $3, ready_ms = $3, outcome = $4, attempts = attempts - $5, lease = '',"
        " leased_until_ms = 0 where store_id = $1 and id = $2",
        (store_id, id_, due_ms, outcome, 0 if counted else 1),
    )
    yield from _attempted(store_id, id_, row[2], "retry" if counted else "given_back", outcome, now_ms)
    return Settled.DONE


def bury(store_id: str, id_: str, lease: str, outcome: str, now_ms: int, *, just_claimed: bool = False) -> Operation[Settled]:
    """Give a job up: it is a dead letter from now on. Its lane goes on, or waits for a decision, as the job said."""
    row = yield from _held(store_id, id_, lease, now_ms, just_claimed)
    if row is None:
        return (yield from _why_not(store_id, id_))
    queue, lane, attempts, needs_report, blocks = row
    if needs_report:  # it stays with its store until it is sent again, or a person decides
        return (yield from end(store_id, id_, lease, JobState.DEAD, outcome, now_ms, just_claimed=just_claimed))
    yield Statement(
        "insert into dead_jobs (store_id, id, queue, lane, place, priority, attempts, max_attempts, not_after_ms, outcome, created_ms,"
        " died_ms, blocks, body, notifier, recipient, moment, ticket_id, called_ms) select store_id, id, queue, lane, place, priority, attempts,"
        " max_attempts, not_after_ms, $3, created_ms, $4, $5, body, notifier, recipient, moment, ticket_id, called_ms from jobs where store_id = $1 and id = $2",
        (store_id, id_, outcome, now_ms, int(blocks and lane != "")),
    )
    yield Statement("delete from jobs where store_id = $1 and id = $2", (store_id, id_))
    yield from _attempted(store_id, id_, attempts, "dead", outcome, now_ms)
    yield from lanes.promote(store_id, queue, lane, now_ms)
    return Settled.DONE


def extend(store_id: str, id_: str, lease: str, lease_ms: int, now_ms: int) -> Operation[Settled]:
    """Hold a job for `lease_ms` from now, if it is held still."""
    count = yield from changed_under_lease(store_id, id_, lease, lease_ms, now_ms)
    return Settled.DONE if count else (yield from _why_not(store_id, id_))


def changed_under_lease(store_id: str, id_: str, lease: str, lease_ms: int, now_ms: int) -> Operation[int]:
    sqlite, postgres = (f"update jobs set leased_until_ms = {now} + $5 where {_MINE}{now}" for now in _NOW_4)
    rows = yield Statement(sqlite, (store_id, id_, lease, now_ms, lease_ms), f"{postgres} and $4::bigint is not null returning 1")
    return len(rows)


def next_ready_ms(queue: str) -> Operation[int | None]:
    """When something of a queue can be claimed next: a head is ready, or a lease ends. None while it is paused."""
    earliest = [
        f"select (select ready_ms from jobs where queue = $1 and state = 'waiting' and head = 1 and priority = {each} order by ready_ms limit 1)"
        for each in range(PRIORITIES)
    ]
    lease = "select (select leased_until_ms from jobs where queue = $1 and state = 'leased' order by leased_until_ms limit 1)"
    rows = yield Statement(f"select * from ({' union all '.join([*earliest, lease])}) as next where {pauses.NOT_PAUSED}", (queue,))
    return min((row[0] for row in rows if row[0] is not None), default=None)


def cancel(store_id: str, id_: str, now_ms: int, outcome: str = "cancelled") -> Operation[bool]:
    """End a job that nobody holds; False when somebody does, or it has ended."""
    rows = yield Statement("select queue, lane from jobs where store_id = $1 and id = $2 and state = 'waiting'", (store_id, id_))
    if not rows:
        return False
    queue, lane = rows[0]
    if lane:
        yield from lanes.lock(store_id, queue, lane)
    count = yield from changed(
        "update jobs set state = 'cancelled', outcome = $4, ended_ms = $3, head = 0, body = '{}'"
        " where store_id = $1 and id = $2 and state = 'waiting'",
        store_id, id_, now_ms, outcome,
    )  # fmt: skip
    yield from lanes.promote(store_id, queue, lane, now_ms)
    return count == 1
