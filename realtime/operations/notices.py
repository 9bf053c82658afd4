"""How notifications to a party went, kept with its ticket and told to the owner as an event."""

from __future__ import annotations

import msgspec

from realtime.errors import Conflict, StoreClosed, StoreNotFound
from realtime.events import notice_event
from realtime.model import Event, Job, JobState, Notice
from realtime.operations import jobs, rows
from realtime.operations.changes import Change, append, take
from realtime.storage.statement import Operation, Statement

MOST = 8
"""So many are kept, the latest."""
_decode = msgspec.json.Decoder(list[Notice]).decode


class LeaseLost(Conflict):
    """Somebody else has the delivery: nothing was changed."""


def settle(job: Job, state: JobState, outcome: str, notice: Notice, now_ms: int) -> Operation[Change]:
    """`jobs.settle` for a delivery about a ticket; the owner is told. `value` is True.

    Raises:
        LeaseLost
    """
    # The store's row first, then the delivery's lane: in the order in which whoever joins takes them.
    event = yield from _note(job, notice, now_ms)
    if not (yield from jobs.settle(job.store_id, job.id, job.lease, state, outcome, now_ms)):
        raise LeaseLost
    return Change(True, event)


def retry(job: Job, due_ms: int, outcome: str, notice: Notice, now_ms: int) -> Operation[Change]:
    """`jobs.retry`, and the owner is told. `value` is True. Raises: LeaseLost."""
    event = yield from _note(job, notice, now_ms)
    if not (yield from jobs.retry(job.store_id, job.id, job.lease, due_ms, outcome, now_ms)):
        raise LeaseLost
    return Change(True, event)


def _note(job: Job, notice: Notice, now_ms: int) -> Operation[tuple[Event, ...]]:
    """Nothing once the store is closed: nobody looks at its tickets any more."""
    try:
        taken = yield from take(job.store_id, 1)
    except (StoreClosed, StoreNotFound):
        return ()
    found = yield Statement("select notices from tickets where store_id = $1 and id = $2", (job.store_id, job.ticket_id))
    known = _decode(found[0][0]) if found and found[0][0] else []
    kept = [each for each in known if (each.by, each.moment, each.state) != (notice.by, notice.moment, "retrying")]
    text = msgspec.json.encode([*kept, notice][-MOST:]).decode()
    changed = yield Statement(
        f"update tickets set notices = $3 where store_id = $1 and id = $2 returning {rows.TICKET}", (job.store_id, job.ticket_id, text)
    )
    event = notice_event(job.store_id, taken.first_seq, now_ms, rows.ticket(changed[0]))
    yield from append(event)
    return (event,)
