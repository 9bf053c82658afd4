"""Deliveries: notifications on their way, as jobs of one queue. A lane is one recipient of one notifier in one store; a report has none."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from realtime.model import Delivery, Job, JobState
from realtime.operations import attempts, pauses, queue
from realtime.operations.changes import DELIVERIES, HELD_MS
from realtime.operations.claims import Claimed
from realtime.storage.statement import Operation, Statement


def claim_each(
    lease: str, lease_ms: int, rooms: Mapping[str, int], now_ms: int, *, worker: str = "", most: int = 0
) -> Operation[Claimed[Job]]:
    """Lease deliveries of the notifiers that have room, up to so many of each: who has none is not even looked at, however much it is owed."""
    held = Claimed[Job]()
    for notifier, room in rooms.items():
        of_one = yield from queue.claim_of(DELIVERIES, notifier, lease, lease_ms, room, now_ms, worker=worker, most=most)
        held += [_job(each) for each in of_one]
        held.lost += of_one.lost
    return held


def _job(held: queue.Leased) -> Job:
    body = msgspec.json.decode(held.body)
    delivery = Delivery(held.notifier, held.recipient, held.moment, body, held.not_after_ms, held.needs_report)
    return Job(held.store_id, held.id, delivery, held.attempts, held.lease, held.created_ms, held.ready_ms, held.ticket_id, held.called_ms)


def settle(store_id: str, id_: str, lease: str, state: JobState, outcome: str, now_ms: int) -> Operation[bool]:
    """End a delivery under its lease; False when the lease was lost meanwhile. What is given up becomes a dead letter, unless it carries a report."""
    if state is JobState.DEAD:
        return (yield from queue.bury(store_id, id_, lease, outcome, now_ms)) is queue.Settled.DONE
    return (yield from queue.end(store_id, id_, lease, state, outcome, now_ms)) is queue.Settled.DONE


def retry(store_id: str, id_: str, lease: str, due_ms: int, outcome: str, now_ms: int, *, counted: bool = True) -> Operation[bool]:
    """Give a delivery back, to be tried again at `due_ms`; see `queue.retry`. False when the lease was lost meanwhile."""
    return (yield from queue.retry(store_id, id_, lease, due_ms, outcome, now_ms, counted=counted)) is queue.Settled.DONE


_OF = "queue = $1 and state = 'waiting' and head = 1 and notifier <> ''"
FRONTS = (
    "with recursive names (name) as ("
    f"select (select notifier from jobs where {_OF} order by notifier limit 1) union all"
    f" select (select notifier from jobs where {_OF} and notifier > names.name order by notifier limit 1) from names where name is not null)"
    f" select name, at_ms from (select name, (select ready_ms from jobs where {_OF} and notifier = names.name order by ready_ms limit 1) as at_ms"
    " from names where name is not null union all"
    " select notifier, leased_until_ms from jobs where queue = $1 and state = 'leased') as fronts"
    f" where at_ms < $2 and {pauses.NOT_PAUSED}"
)


def fronts() -> Operation[dict[str, int]]:
    """When the next delivery of each notifier can be claimed; those that wait for a person do not count. Empty while deliveries are paused.

    It leaps from name to name, so it costs what there are notifiers, not what they are owed.
    """
    rows = yield Statement(FRONTS, (DELIVERIES, HELD_MS))
    first: dict[str, int] = {}
    for notifier, at_ms in rows:
        first[notifier] = min(at_ms, first.get(notifier, at_ms))
    return first


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
        "update jobs set state = 'waiting', head = 1, due_ms = $2, ready_ms = $2, ended_ms = 0, attempts = 0 where store_id = $1 and needs_report = 1"
        " and (state = 'dead' or (state = 'waiting' and due_ms < $3)) returning id",
        (store_id, now_ms, HELD_MS),
    )
    for (id_,) in rows:
        yield from attempts.set_aside(store_id, id_)
    return len(rows)


def forget(ended_ms: int, died_ms: int, now_ms: int, limit: int) -> Operation[int]:
    """Delete some of what ended, or died, before these times and belongs to no store, and keys whose window is over; what belongs to a store
    goes with it. Returns how many of the most frequent kind."""
    ended = yield Statement(
        "delete from jobs where (store_id, id) in (select store_id, id from jobs where ended_ms > 0 and ended_ms < $1"
        " and store_id like 'account-%' order by ended_ms limit $2) returning store_id, id",
        (ended_ms, limit),
    )
    dead = yield Statement(
        "delete from dead_jobs where (store_id, id) in (select store_id, id from dead_jobs where died_ms < $1"
        " and blocks = 0 and store_id like 'account-%' order by died_ms limit $2) returning store_id, id",
        (died_ms, limit),
    )
    if gone := [*ended, *dead]:
        yield from attempts.forget([(row[0], row[1]) for row in gone])
    keys = yield Statement(
        "delete from job_keys where (store_id, queue, key) in (select store_id, queue, key from job_keys where until_ms < $1 limit $2)"
        " returning key",
        (now_ms, limit),
    )
    return max(len(ended), len(dead), len(keys))
