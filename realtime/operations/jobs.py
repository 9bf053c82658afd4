"""Durable deliveries: claimed under a lease, tried again, settled once."""

from __future__ import annotations

from typing import Any

import msgspec

from realtime.model import Delivery, Job, JobState
from realtime.operations.changes import HELD_MS
from realtime.storage.statement import Operation, Statement

# Leases live by the database's clock. On SQLite that is this process's own, so it is passed in.
_NOW = "(extract(epoch from clock_timestamp()) * 1000)::bigint"

_CLAIM = (
    "update jobs set state = 'leased', attempts = attempts + 1, lease = $1, leased_until_ms = {now} + $2 where (store_id, id) in ("
    " select store_id, id from jobs j where state in ('waiting', 'leased') and due_ms <= $4 and leased_until_ms <= {now}"
    " and not exists (select 1 from jobs o where o.lane = j.lane and (o.state = 'leased' and o.leased_until_ms > {now}"
    " or o.state in ('waiting', 'leased') and (o.due_ms, o.id) < (j.due_ms, j.id)))"
    " order by due_ms limit $3 {lock}) returning store_id, id, notifier, recipient, moment, body, not_after_ms, needs_report, attempts,"
    " created_ms"
)
_CLAIM_SQLITE = _CLAIM.format(now="$4", lock="")
_CLAIM_POSTGRES = _CLAIM.format(now=_NOW, lock="for update skip locked")


def claim(lease: str, lease_ms: int, limit: int, now_ms: int) -> Operation[list[Job]]:
    """Lease up to `limit` due jobs, oldest first, at most one at a time per lane. Each claim counts as an attempt.

    Args:
        lease: a fresh random token; whoever settles a job has to know it.
    """
    rows = yield Statement(_CLAIM_SQLITE, (lease, lease_ms, limit, now_ms), _CLAIM_POSTGRES)
    return [_job(row, lease) for row in rows]


def _job(row: Any, lease: str) -> Job:
    store_id, id_, notifier, recipient, moment, body, not_after_ms, needs_report, attempts, created_ms = row
    delivery = Delivery(notifier, recipient, moment, msgspec.json.decode(body), not_after_ms, bool(needs_report))
    return Job(store_id, id_, delivery, attempts, lease, created_ms)


def settle(store_id: str, id_: str, lease: str, state: JobState, outcome: str, now_ms: int) -> Operation[bool]:
    """End a job under its lease; False when the lease was lost meanwhile. Its body is kept only where it may be sent again."""
    rows = yield Statement(
        "update jobs set state = $4, outcome = $5, ended_ms = $6, lease = '', leased_until_ms = 0,"
        " body = case when $4 = 'dead' and needs_report = 1 then body else '{}' end"
        " where store_id = $1 and id = $2 and lease = $3 and state = 'leased' returning id",
        (store_id, id_, lease, state.value, outcome, now_ms),
    )
    return bool(rows)


def retry(store_id: str, id_: str, lease: str, due_ms: int, outcome: str, *, counted: bool = True) -> Operation[bool]:
    """Give a job back, to be tried again at `due_ms`; False when the lease was lost meanwhile.

    Args:
        counted: False takes the attempt back: nothing was tried.
    """
    rows = yield Statement(
        "update jobs set state = 'waiting', due_ms = $4, outcome = $5, attempts = attempts - $6, lease = '', leased_until_ms = 0"
        " where store_id = $1 and id = $2 and lease = $3 and state = 'leased' returning id",
        (store_id, id_, lease, due_ms, outcome, 0 if counted else 1),
    )
    return bool(rows)


def next_due_ms() -> Operation[int | None]:
    """When the next job can be claimed: one is due whose lane is free, or a lease ends."""
    leased = yield Statement("select min(leased_until_ms) from jobs where state in ('waiting', 'leased') and state = 'leased'", ())
    free = yield Statement(
        "select due_ms from jobs j where state in ('waiting', 'leased') and state = 'waiting' and due_ms < $1 and not exists (select 1"
        " from jobs o where o.lane = j.lane and o.state in ('waiting', 'leased') and o.state = 'leased') order by due_ms limit 1",
        (HELD_MS,),
    )
    return min((row[0] for row in (*leased, *free) if row[0] is not None), default=None)


class Standing(msgspec.Struct, frozen=True):
    """How one of a closed store's deliveries stands."""

    notifier: str
    recipient: str
    state: JobState
    attempts: int
    outcome: str
    due_ms: int

    @property
    def held(self) -> bool:
        """Whether it waits for a person."""
        return self.state is JobState.WAITING and self.due_ms >= HELD_MS


def of_report(store_id: str) -> Operation[list[Standing]]:
    """The deliveries that carry a store's report."""
    rows = yield Statement(
        "select notifier, recipient, state, attempts, outcome, due_ms from jobs where store_id = $1 and needs_report = 1 order by id",
        (store_id,),
    )
    return [Standing(row[0], row[1], JobState(row[2]), *row[3:]) for row in rows]


def send_again(store_id: str, now_ms: int) -> Operation[int]:
    """Try a store's undelivered report again now; those that wait for a person stay held. Returns how many."""
    rows = yield Statement(
        "update jobs set state = 'waiting', due_ms = $2, ended_ms = 0, attempts = 0 where store_id = $1 and needs_report = 1"
        " and (state = 'dead' or (state = 'waiting' and due_ms < $3)) returning id",
        (store_id, now_ms, HELD_MS),
    )
    return len(rows)


def forget(before_ms: int, limit: int) -> Operation[int]:
    """Delete ended mails to accounts, which belong to no store."""
    rows = yield Statement(
        "delete from jobs where (store_id, id) in (select store_id, id from jobs where store_id like 'account-%'"
        " and ended_ms > 0 and ended_ms < $1 limit $2) returning id",
        (before_ms, limit),
    )
    return len(rows)
