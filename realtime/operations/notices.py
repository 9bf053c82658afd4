"""How notifications to a party went, kept with its ticket and told to the owner as an event."""

from __future__ import annotations

import msgspec

from realtime.errors import Conflict, StoreClosed, StoreNotFound
from realtime.events import notice_event
from realtime.model import Event, Job, JobState, Notice
from realtime.operations import arrivals, jobs, rows
from realtime.operations.changes import Change, append, take
from realtime.storage.statement import Operation, Statement

MOST = 8
"""So many are kept, the latest."""
_decode = msgspec.json.Decoder(list[Notice]).decode


class LeaseLost(Conflict):
    """Somebody else has the delivery: nothing was changed."""


def settle(job: Job, state: JobState, outcome: str, notice: Notice, now_ms: int, recipient_hash: str = "") -> Operation[Change]:
    """`jobs.settle` for a delivery about a ticket; the owner is told. `value` is True.

    Raises:
        LeaseLost
    """
    # The store's row first, then the delivery's lane: in the order in which whoever joins takes them.
    event = yield from _note(job, notice, now_ms, recipient_hash)
    if not (yield from jobs.settle(job.store_id, job.id, job.lease, state, outcome, now_ms)):
        raise LeaseLost
    return Change(True, event)


def retry(job: Job, due_ms: int, outcome: str, notice: Notice, now_ms: int) -> Operation[Change]:
    """`jobs.retry`, and the owner is told. `value` is True. Raises: LeaseLost."""
    event = yield from _note(job, notice, now_ms)
    if not (yield from jobs.retry(job.store_id, job.id, job.lease, due_ms, outcome, now_ms)):
        raise LeaseLost
    return Change(True, event)


def arrived(
    notifier: str,
    delivery_id: str,
    recipient_hash: str,
    *,
    delivered: bool,
    why: str,
    since_ms: int,
    now_ms: int,
    message_hash: str = "",
    outranks: bool = False,
) -> Operation[Change]:
    """A provider tells what became of a delivery that it accepted; the owner is told once.

    Args:
        delivery_id: which one; empty: the one that `message_hash` means, else the latest to the recipient since `since_ms` of which
            nothing is known.
        message_hash: stands for the provider's own id of the message; empty: it has none.
        outranks: it counts also where the opposite was told before.

    Raises:
        NothingNew: it is known already, or not here.
        StoreClosed, StoreNotFound: nobody looks at its ticket any more.
    """
    is_guess = False
    if delivery_id:
        found = yield from arrivals.by_delivery(notifier, delivery_id)
    else:
        found = (yield from arrivals.by_message(notifier, message_hash)) if message_hash else None
        if found is None:
            found, is_guess = (yield from arrivals.by_recipient(notifier, recipient_hash, since_ms)), bool(message_hash)
    if found is None:
        raise arrivals.NothingNew
    taken = yield from take(found.store_id, 1)
    if is_guess:
        yield from arrivals.mean(found, message_hash)
    state = arrivals.DELIVERED if delivered else arrivals.UNDELIVERED
    before = yield from arrivals.told(found, notifier, state, why, now_ms, outranks=outranks)
    known = yield from _known(found.store_id, found.ticket_id)
    was = (notifier, found.moment, before.state, before.at_ms)
    told = [
        Notice(each.by, each.moment, state, now_ms, why) if (each.by, each.moment, each.state, each.at_ms) == was else each
        for each in known
    ]
    # An event also where nothing is shown yet, or any more: the number is taken.
    return Change(True, (yield from _write(found.store_id, found.ticket_id, told, taken.first_seq, now_ms)))


def _note(job: Job, notice: Notice, now_ms: int, recipient_hash: str = "") -> Operation[tuple[Event, ...]]:
    """Nothing once the store is closed: nobody looks at its tickets any more."""
    try:
        taken = yield from take(job.store_id, 1)
    except (StoreClosed, StoreNotFound):
        return ()
    if notice.state == arrivals.ACCEPTED:
        notice = yield from arrivals.begin(job, recipient_hash, notice)
    known = yield from _known(job.store_id, job.ticket_id)
    kept = [each for each in known if (each.by, each.moment, each.state) != (notice.by, notice.moment, "retrying")]
    return (yield from _write(job.store_id, job.ticket_id, [*kept, notice], taken.first_seq, now_ms))


def _known(store_id: str, ticket_id: int) -> Operation[list[Notice]]:
    found = yield Statement("select notices from tickets where store_id = $1 and id = $2", (store_id, ticket_id))
    return _decode(found[0][0]) if found and found[0][0] else []


def _write(store_id: str, ticket_id: int, notices: list[Notice], seq: int, now_ms: int) -> Operation[tuple[Event, ...]]:
    text = msgspec.json.encode(notices[-MOST:]).decode()
    changed = yield Statement(
        f"update tickets set notices = $3 where store_id = $1 and id = $2 returning {rows.TICKET}", (store_id, ticket_id, text)
    )
    event = notice_event(store_id, seq, now_ms, rows.ticket(changed[0]))
    yield from append(event)
    return (event,)
