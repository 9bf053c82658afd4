"""A call, from the party's page that shows it to the staff that hear it was not seen: what is sent when, and what is not any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from realtime import ladder
from realtime.errors import Conflict
from realtime.events import staff_event
from realtime.ladder import NOT_REACHED, Ladder
from realtime.model import Delivery, Job, JobState
from realtime.operations import jobs, queue, rows
from realtime.operations.changes import Change, append, take
from realtime.operations.notices import LeaseLost
from realtime.storage.statement import Operation, Statement

CALLED = "called"
SEEN = "seen on their page"
OVER = "not called any more"
STORE_CLOSED = "the store has closed"
TOLD_STAFF = "the staff were told"


class NotThisCall(Conflict):
    """The call was seen before, or is over: nothing was changed."""


def climb(deliveries: Sequence[Delivery], steps: Ladder, called_ms: int) -> list[Delivery]:
    """What a call owes, each at its time. Pure.

    A delivery of this moment whose notifier is on the ladder waits for its step and goes out only if the call is unseen by then; any
    other stays as it was composed. A step that would come after the delivery's `not_after_ms`, and one that is never used, falls away.
    """
    times = {step.channel: step.after_s for step in steps}
    owed = []
    for delivery in deliveries:
        if delivery.moment != CALLED or delivery.notifier not in times:
            owed.append(delivery)
            continue
        after_s = times[delivery.notifier]
        if after_s is None:
            continue
        due_ms = called_ms + after_s * 1000
        if not delivery.not_after_ms or due_ms <= delivery.not_after_ms:
            owed.append(msgspec.structs.replace(delivery, not_before_ms=due_ms, unless_seen=True))
    if (last_s := times.get(NOT_REACHED)) is not None:
        owed.append(Delivery(NOT_REACHED, "", CALLED, {}, not_before_ms=called_ms + last_s * 1000, unless_seen=True))
    return owed


def called(deliveries: Iterable[Delivery], kept: str, called_ms: int) -> list[Delivery]:
    """`climb` for a ladder as its store keeps it."""
    return climb(list(deliveries), ladder.kept(kept), called_ms)


_THIS_CALL = "store_id = $1 and id = $2 and state = 'called' and called_ms = $3 and seen_ms = 0"


def seen(store_id: str, ticket_id: int, called_ms: int, now_ms: int) -> Operation[Change]:
    """A party's page shows this call: the steps that wait for it are cancelled, and the staff are told. `value` is whether that is news.

    An earlier call, and one that was seen before, change nothing.

    Raises:
        NotThisCall: somebody was quicker between two looks.
        StoreClosed, StoreNotFound
    """
    waits = yield Statement(f"select 1 from tickets where {_THIS_CALL}", (store_id, ticket_id, called_ms))
    if not waits:
        return Change(False)
    taken = yield from take(store_id, 1)
    found = yield Statement(
        f"update tickets set seen_ms = $4, unreached_ms = 0 where {_THIS_CALL} returning {rows.TICKET}",
        (store_id, ticket_id, called_ms, now_ms),
    )
    if not found:
        raise NotThisCall
    event = staff_event(store_id, taken.first_seq, now_ms, "seen", rows.ticket(found[0]))
    yield from append(event)
    yield from _cancel_steps(store_id, ticket_id, now_ms)
    return Change(True, (event,))


def _cancel_steps(store_id: str, ticket_id: int, now_ms: int) -> Operation[None]:
    waiting = yield Statement(
        "select id from jobs where store_id = $1 and ticket_id = $2 and called_ms > 0 and state = 'waiting' order by lane, id",
        (store_id, ticket_id),
    )
    for row in waiting:
        yield from queue.cancel(store_id, row[0], now_ms, SEEN)


def why_not(job: Job) -> Operation[str]:
    """Why a step is not taken any more, in a few words; empty while it is owed."""
    found = yield Statement(
        "select s.state, t.state, t.called_ms, t.seen_ms from tickets t join stores s on s.id = t.store_id"
        " where t.store_id = $1 and t.id = $2",
        (job.store_id, job.ticket_id),
    )
    if not found or found[0][0] != "open":
        return STORE_CLOSED
    _, state, called_ms, seen_ms = found[0]
    if state != "called" or called_ms != job.called_ms:
        return OVER
    return SEEN if seen_ms else ""


def tell_staff(job: Job, now_ms: int) -> Operation[Change]:
    """The last step: nobody has seen the call, so the staff are told. `value` is True.

    Raises:
        NotThisCall: it was seen, or is over; `why_not` says so.
        LeaseLost, StoreClosed, StoreNotFound
    """
    taken = yield from take(job.store_id, 1)
    found = yield Statement(
        f"update tickets set unreached_ms = $4 where {_THIS_CALL} returning {rows.TICKET}",
        (job.store_id, job.ticket_id, job.called_ms, now_ms),
    )
    if not found:
        raise NotThisCall
    event = staff_event(job.store_id, taken.first_seq, now_ms, "not_reached", rows.ticket(found[0]))
    yield from append(event)
    if not (yield from jobs.settle(job.store_id, job.id, job.lease, JobState.DONE, TOLD_STAFF, now_ms)):
        raise LeaseLost
    return Change(True, (event,))
