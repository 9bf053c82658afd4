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
from realtime.operations import attempts, claims, lanes, pauses
from realtime.operations.claims import NOW, PRIORITIES, Claimed
from realtime.storage.statement import NOTHING, Operation, Row, Statement, Together, changed

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
    trace: str = ""
    """See schema.sql."""
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
    trace: str = ""


class Settled(StrEnum):
    """What became of an attempt to settle, extend or give back."""

    DONE = "done"
    LEASE_LOST = "lease_lost"
    """The lease ended, or somebody else has it."""
    ALREADY_DONE = "already_done"
    NOT_FOUND = "not_found"
    TOO_LONG = "too_long"
    """It is held, and may not be held for so long."""


_PUT = (
    "insert into jobs (store_id, id, queue, lane, priority, state, max_attempts, due_ms, ready_ms, not_after_ms, created_ms, body,"
    " notifier, recipient, moment, needs_report, blocks, ticket_id, called_ms, trace, place, head) {each}"
)
_VALUES = "$1, $2, $3, $4, $5, 'waiting', $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18"
_ENQUEUE = _PUT.format(each=f"values ({_VALUES}, 0, 1)")
_LAST = (
    f"with {lanes.ENDS} select {_VALUES}, {{greatest}}($9, coalesce(last, 0) + 1, coalesce(blocked, 0) + 1),"
    f" case when last is null and blocked is null then 1 else 0 end from ends"
)
_ENQUEUE_IN_LANE = _PUT.format(each=_LAST.format(greatest="max"))
_ENQUEUE_IN_LANE_POSTGRES = _PUT.format(each=_LAST.format(greatest="greatest"))


def _enqueue(job: NewJob, now_ms: int) -> Operation[None]:
    if job.lane:
        yield from lanes.lock(job.store_id, job.queue, job.lane)
        yield Statement(_ENQUEUE_IN_LANE, _new(job, now_ms), _ENQUEUE_IN_LANE_POSTGRES)
    else:
        yield Statement(_ENQUEUE, _new(job, now_ms))


def _enqueue_many(calls: Sequence[tuple[NewJob, int]]) -> Operation[list[None]]:
    if free := [_new(job, now_ms) for job, now_ms in calls if not job.lane]:
        yield Statement(_ENQUEUE, each=free)
    for job, now_ms in calls:
        if job.lane:
            yield from _enqueue(job, now_ms)
    return [None] * len(calls)


enqueue = Together(_enqueue, _enqueue_many, in_turn=False)
"""Put a job in, as part of the transaction that causes it. A taken id is a Conflict."""


def _new(job: NewJob, now_ms: int) -> tuple[str | int, ...]:
    return (
        job.store_id, job.id, job.queue, job.lane, job.priority, job.max_attempts, job.due_ms or now_ms, job.not_after_ms, now_ms, job.body,
        job.notifier, job.recipient, job.moment, int(job.needs_report), int(job.blocks), job.ticket_id, job.called_ms, job.trace,
    )  # fmt: skip


def claim(
    queue: str, lease: str, lease_ms: int, limit: int, now_ms: int, *, worker: str = "", most: int = 0, each: int = 0
) -> Operation[Claimed[Leased]]:
    """Lease up to `limit` jobs: those whose lease ended first, then by priority and by how long they have been ready.

    Every claim counts as an attempt. What came too late, and what was claimed too often, is ended instead, and that does not count.

    Args:
        lease: a fresh random token.
        most: how often a job is claimed at most, where it does not say so itself; 0: without end. A report is never given up.
        each: how many of one owner's may be in flight; 0: any number.
    """
    args = queue, lease, lease_ms, limit, now_ms, worker
    if each:
        yield from lanes.lock("", queue, "")  # two at once would count alike
        rows = yield Statement(claims.CLAIM_EACH_SQLITE, (*args, each), claims.CLAIM_EACH_POSTGRES)
    else:
        rows = yield Statement(claims.CLAIM_SQLITE, args, claims.CLAIM_POSTGRES)
    return (yield from _begun(rows, worker, lease, now_ms, most))


def claim_of(
    queue: str, notifier: str, lease: str, lease_ms: int, limit: int, now_ms: int, *, worker: str = "", most: int = 0
) -> Operation[Claimed[Leased]]:
    """`claim` of what one notifier carries, whatever its priority, without a look at what others carry. What came too late is passed by."""
    lost: list[str] = []
    for _ in range(ROUNDS):
        rows = yield Statement(claims.CLAIM_OF_SQLITE, (queue, lease, lease_ms, limit, now_ms, worker, notifier), claims.CLAIM_OF_POSTGRES)
        held = yield from _begun(rows, worker, lease, now_ms, most)
        lost += held.lost
        if held or not rows:
            return Claimed(held, lost)
    return Claimed((), lost)


def _begun(rows: Sequence[Row], worker: str, lease: str, now_ms: int, most: int) -> Operation[Claimed[Leased]]:
    """Note the attempts that a claim begins, and end what must not be tried any more."""
    if not rows:
        return Claimed()
    yield from attempts.begun(rows, worker, now_ms)
    lost = yield from attempts.lost([(row[0], row[1], row[5] - 1) for row in rows if row[5] > 1], now_ms)
    held = Claimed[Leased](lost=[row[8] for row in rows if (row[0], row[1]) in lost])
    for row in sorted(rows, key=_turn):
        job = _leased(row, lease)
        limit_of_job = row[13] or (0 if job.needs_report else most)
        if job.not_after_ms and now_ms > job.not_after_ms:
            yield from end(job.store_id, job.id, lease, JobState.EXPIRED, TOO_LATE, now_ms, just_claimed=True)
        elif limit_of_job and job.attempts > limit_of_job:
            why = attempts.LOST if (job.store_id, job.id) in lost else row[18]
            yield from bury(job.store_id, job.id, lease, attempts.given_up(job.attempts - 1, why), now_ms, just_claimed=True)
        else:
            held.append(job)
            continue
        yield from attempts.untried(job.store_id, job.id, job.attempts)
    return held


def _leased(row: Row, lease: str) -> Leased:
    values: tuple[Any, ...] = (*row[:8], lease, *row[8:12], bool(row[12]), *row[15:18], row[19])
    return Leased(*values)


def _turn(row: Row) -> tuple[int, int, str]:
    return row[14], row[15], row[1]


_MINE = "store_id = $1 and id = $2 and lease = $3 and state = 'leased' and leased_until_ms > "
_NOW_4 = ("$4", NOW)


def _held(store_id: str, id_: str, lease: str, now_ms: int, just_claimed: bool = False) -> Operation[Row | None]:
    """Queue, lane, attempts and what else counts of a job under a lease that holds; its row, and its lane, are held from here on."""
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


_ENDED = (
    "state = $5, outcome = $6, ended_ms = $4, lease = '', leased_until_ms = 0, head = 0, body = case when $5 = 'dead' or $7 = 1"
    " then body else '{}' end"
)
_LOOK = f"select queue, lane, attempts from jobs where {_MINE}{{since}}$4 and $5 <> '' and $6 is not null and $7 >= 0"
# Each round trip to Postgres costs more than what it asks for, so there one statement finds the job and ends it.
_END_POSTGRES = (
    f"with held as (select queue, lane, attempts from jobs where {_MINE}{{since}}{NOW} for update),"
    f" ended as (update jobs set {_ENDED.replace('{}', '{{}}')} from held where jobs.store_id = $1 and jobs.id = $2),"
    " tried as (update attempts set ended_ms = $4, outcome = $5, detail = $6 from held where store_id = $1 and job_id = $2"
    " and number = held.attempts) select * from held"
)


def end(
    store_id: str, id_: str, lease: str, state: JobState, outcome: str, now_ms: int, *, just_claimed: bool = False, keep: bool = False
) -> Operation[Settled]:
    """End a job under its lease; the next of its lane may go. What it said is forgotten, unless `keep`, or it is a report's: somebody may send it again."""
    args = store_id, id_, lease, now_ms, state.value, outcome, int(keep)
    since = "0 * " if just_claimed else ""
    rows = yield Statement(_LOOK.format(since=since), args, _END_POSTGRES.format(since=since))
    if not rows:
        return (yield from _why_not(store_id, id_))
    queue, lane, number = rows[0]
    if lane:
        yield from lanes.lock(store_id, queue, lane)
    yield Statement(f"update jobs set {_ENDED} where store_id = $1 and id = $2 and lease = $3", args, NOTHING)
    yield from attempts.ended(store_id, id_, number, state.value, outcome, now_ms, postgres=NOTHING)
    yield from lanes.promote(store_id, queue, lane, now_ms)
    return Settled.DONE


class Done(Struct, frozen=True):
    """A job that is done, under the lease of whoever did it."""

    store_id: str
    id: str
    lease: str
    outcome: str = ""


_HELD = "select j.store_id, j.id, j.queue, j.lane, j.attempts from {each} where {mine} and j.state = 'leased' and j.leased_until_ms > {now}"
_DONE = (
    "update jobs set state = 'done', outcome = {said}, ended_ms = $2, lease = '', leased_until_ms = 0, head = 0, body = '{{}}' from {each}"
)
_TRIED = "update attempts set ended_ms = $2, outcome = 'done', detail = {said} from {each}"
_OF = [f"json_extract(e.value, '$[{at}]')" for at in range(5)]
_HELD_SQLITE = _HELD.format(
    each="json_each($1) as e cross join jobs as j", mine=f"j.store_id = {_OF[0]} and j.id = {_OF[1]} and j.lease = {_OF[2]}", now="$2"
)
_DONE_SQLITE = f"{_DONE} where jobs.store_id = {_OF[0]} and jobs.id = {_OF[1]}".format(said=_OF[3], each="json_each($1) as e")
_TRIED_SQLITE = (
    f"{_TRIED} where attempts.store_id = {_OF[0]} and attempts.job_id = {_OF[1]} and attempts.number = {_OF[2]}"
).format(said=_OF[3], each="json_each($1) as e")  # fmt: skip
_HELD_POSTGRES = _HELD.replace(" from ", ", e ->> 3 as said from ").format(
    each="json_array_elements($1::json) as e join jobs as j on j.store_id = e ->> 0 and j.id = e ->> 1", mine="j.lease = e ->> 2", now=NOW
)
_END_ALL_POSTGRES = (
    f"with held as ({_HELD_POSTGRES} order by j.store_id, j.id for update of j),"
    f" done as ({_DONE} where jobs.store_id = held.store_id and jobs.id = held.id),"
    f" tried as ({_TRIED} where attempts.store_id = held.store_id and attempts.job_id = held.id and attempts.number = held.attempts)"
    " select store_id, id, queue, lane, attempts from held"
).format(said="held.said", each="held")


def end_all(jobs: Sequence[Done], now_ms: int) -> Operation[list[Settled]]:
    """`end` as done, for many in a few statements; an answer for each. One that is named twice is done already the second time."""
    if len(jobs) == 1:
        job = jobs[0]
        return [(yield from end(job.store_id, job.id, job.lease, JobState.DONE, job.outcome, now_ms))]
    asked = json.encode([(job.store_id, job.id, job.lease, job.outcome) for job in jobs]).decode()
    rows = yield Statement(_HELD_SQLITE, (asked, now_ms), _END_ALL_POSTGRES)
    held = {(row[0], row[1]): row for row in rows}
    lanes_of = sorted({(row[0], row[2], row[3]) for row in held.values() if row[3]})
    if lanes_of:  # everybody holds lanes in one order
        yield from lanes.lock_all(lanes_of)
    if held:
        said = {(job.store_id, job.id): job.outcome for job in jobs}
        ended = json.encode([(*key, row[4], said[key]) for key, row in held.items()]).decode()
        for text in (_DONE_SQLITE, _TRIED_SQLITE):
            yield Statement(text, (ended, now_ms), NOTHING)
    if lanes_of:
        yield from lanes.promote_all(lanes_of, now_ms)
    answers = []
    for job in jobs:
        mine = held.pop((job.store_id, job.id), None)
        answers.append(Settled.DONE if mine else (yield from _why_not(job.store_id, job.id)))
    return answers


def retry(store_id: str, id_: str, lease: str, due_ms: int, outcome: str, now_ms: int, *, counted: bool = True) -> Operation[Settled]:
    """Give a job back, to be tried again at `due_ms`. It keeps its place; its lane waits for it.

    Args:
        counted: False takes the attempt back, as one that was not brought to its end; its row stays.
    """
    row = yield from _held(store_id, id_, lease, now_ms)
    if row is None:
        return (yield from _why_not(store_id, id_))
    yield Statement(
        "update jobs set state = 'waiting', due_ms = $3, ready_ms = $3, outcome = $4, attempts = attempts - $5, lease = '',"
        " leased_until_ms = 0, head = case when lane = '' then 1 else 0 end where store_id = $1 and id = $2",
        (store_id, id_, due_ms, outcome, 0 if counted else 1),
    )
    yield from lanes.promote(store_id, row[0], row[1], now_ms)  # itself, unless one that was redriven stands before it
    yield from attempts.ended(store_id, id_, row[2], "retry" if counted else "given_back", outcome, now_ms)
    if not counted:
        yield from attempts.uncounted(store_id, id_, row[2])
    return Settled.DONE


def bury(store_id: str, id_: str, lease: str, outcome: str, now_ms: int, *, just_claimed: bool = False) -> Operation[Settled]:
    """Give a job up: it is a dead letter from now on. Its lane goes on, or waits for a decision, as the job said."""
    row = yield from _held(store_id, id_, lease, now_ms, just_claimed)
    if row is None:
        return (yield from _why_not(store_id, id_))
    queue, lane, number, needs_report, blocks = row
    if needs_report:  # it stays with its store until it is sent again, or a person decides
        return (yield from end(store_id, id_, lease, JobState.DEAD, outcome, now_ms, just_claimed=just_claimed))
    yield Statement(
        "insert into dead_jobs (store_id, id, queue, lane, place, priority, attempts, max_attempts, not_after_ms, outcome, created_ms,"
        " died_ms, blocks, body, notifier, recipient, moment, ticket_id, called_ms, trace) select store_id, id, queue, lane, place, priority, attempts,"
        " max_attempts, not_after_ms, $3, created_ms, $4, $5, body, notifier, recipient, moment, ticket_id, called_ms, trace from jobs where store_id = $1 and id = $2",
        (store_id, id_, outcome, now_ms, int(blocks and lane != "")),
    )
    yield Statement("delete from jobs where store_id = $1 and id = $2", (store_id, id_))
    yield from attempts.ended(store_id, id_, number, "dead", outcome, now_ms)
    yield from lanes.promote(store_id, queue, lane, now_ms)
    return Settled.DONE


def extend(store_id: str, id_: str, lease: str, lease_ms: int, now_ms: int) -> Operation[Settled]:
    """Hold a job for `lease_ms` from now, if it is held still; no longer than `attempts.LONGEST_MS` from when it was claimed."""
    sqlite, postgres = (
        f"update jobs set leased_until_ms = {now} + $5 where {_MINE}{now} and {now} + $5 <= $6 + {attempts.BEGAN} returning 1"
        for now in _NOW_4
    )
    rows = yield Statement(sqlite, (store_id, id_, lease, now_ms, lease_ms, attempts.LONGEST_MS), postgres)
    if rows:
        return Settled.DONE
    return Settled.TOO_LONG if (yield from _held(store_id, id_, lease, now_ms)) else (yield from _why_not(store_id, id_))


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
