"""What became of deliveries that a provider accepted, as it tells later.

accepted → delivered, or undelivered. The first word stands, and what comes again changes nothing; but a word that outranks it, as its notifier
says, takes the place of the opposite. For each notifier one of the two does, so in whichever order they come, the same is known in the end.
"""

from __future__ import annotations

from msgspec import Struct

from realtime.errors import Conflict
from realtime.model import Job, Notice
from realtime.operations.changes import DELIVERIES, store_of
from realtime.storage.statement import Operation, Statement

ACCEPTED, DELIVERED, UNDELIVERED = "accepted", "delivered", "undelivered"


class NothingNew(Conflict):
    """It is known already, or about nothing that is here: nothing was changed."""


class Arrival(Struct, frozen=True):
    """One delivery of which a provider tells."""

    store_id: str
    job_id: str
    ticket_id: int
    moment: str
    at_ms: int
    """When it was accepted; 0 where that is still being written down."""


def begin(job: Job, recipient_hash: str, notice: Notice) -> Operation[Notice]:
    """A provider accepted it. The notice of that; or of what became of it, where the provider was quicker than this was written down."""
    rows = yield Statement(
        "insert into arrivals (store_id, job_id, notifier, recipient_hash, ticket_id, moment, at_ms, state) values"
        " ($1, $2, $3, $4, $5, $6, $7, 'accepted') on conflict (store_id, job_id) do update set at_ms = excluded.at_ms,"
        " recipient_hash = excluded.recipient_hash returning state, why, told_ms",
        (job.store_id, job.id, notice.by, recipient_hash, job.ticket_id, notice.moment, notice.at_ms),
    )
    state, why, told_ms = rows[0]
    return notice if state == ACCEPTED else Notice(notice.by, notice.moment, state, told_ms, why)


def by_delivery(notifier: str, delivery_id: str) -> Operation[Arrival | None]:
    """The delivery with this id, also while it is still being carried."""
    key = store_of(delivery_id), delivery_id, notifier
    rows = yield Statement(
        "select store_id, job_id, ticket_id, moment, at_ms from arrivals where store_id = $1 and job_id = $2 and notifier = $3", key
    )
    if not rows:
        rows = yield Statement(
            "select store_id, id, ticket_id, moment, 0 from jobs where store_id = $1 and id = $2 and notifier = $3"
            f" and queue = '{DELIVERIES}' and ticket_id > 0 and state = 'leased'",
            key,
        )
    return Arrival(*rows[0]) if rows else None


def by_recipient(notifier: str, recipient_hash: str, since_ms: int) -> Operation[Arrival | None]:
    """The latest delivery to somebody of which nothing is known yet: a guess, where a provider names nothing but the recipient."""
    rows = yield Statement(
        "select store_id, job_id, ticket_id, moment, at_ms from arrivals where notifier = $1 and recipient_hash = $2 and at_ms >= $3"
        " and state = 'accepted' order by at_ms desc limit 1",
        (notifier, recipient_hash, since_ms),
    )
    return Arrival(*rows[0]) if rows else None


def by_message(notifier: str, message_hash: str) -> Operation[Arrival | None]:
    """The delivery of which the provider told before under its own id of the message."""
    rows = yield Statement(
        "select a.store_id, a.job_id, a.ticket_id, a.moment, a.at_ms from arrival_messages m"
        " join arrivals a on a.store_id = m.store_id and a.job_id = m.job_id where m.message_hash = $1 and a.notifier = $2 limit 1",
        (message_hash, notifier),
    )
    return Arrival(*rows[0]) if rows else None


def mean(arrival: Arrival, message_hash: str) -> Operation[None]:
    """From now on the provider's own id of the message means this delivery.

    Raises:
        NothingNew: it means one already; what was told first under it has just been written down.
    """
    rows = yield Statement(
        "insert into arrival_messages (store_id, message_hash, job_id) values ($1, $2, $3) on conflict (store_id, message_hash) do nothing"
        " returning 1",
        (arrival.store_id, message_hash, arrival.job_id),
    )
    if not rows:
        raise NothingNew


class Word(Struct, frozen=True):
    """What is known of a delivery."""

    state: str
    at_ms: int
    """Since when: when it was accepted, or what became of it was told. 0 while nobody was shown it."""


def known(arrival: Arrival) -> Operation[Word]:
    """What is known so far. For whoever holds the store's row."""
    rows = yield Statement(
        "select state, at_ms, told_ms from arrivals where store_id = $1 and job_id = $2", (arrival.store_id, arrival.job_id)
    )
    if not rows:
        return Word(ACCEPTED, 0)
    state, at_ms, told_ms = rows[0]
    return Word(state, at_ms if state == ACCEPTED or not at_ms else told_ms)


def told(arrival: Arrival, notifier: str, state: str, why: str, now_ms: int, *, outranks: bool = False) -> Operation[Word]:
    """From accepted, or where it outranks that from the opposite, to what became of it. Returns what was known before.

    Raises:
        NothingNew: something was told before that stands.
    """
    before = yield from known(arrival)
    rows = yield Statement(
        "insert into arrivals (store_id, job_id, notifier, recipient_hash, ticket_id, moment, at_ms, state, why, told_ms) values"
        " ($1, $2, $3, '', $4, $5, 0, $6, $7, $8) on conflict (store_id, job_id) do update set state = excluded.state, why = excluded.why,"
        " told_ms = excluded.told_ms where arrivals.state = 'accepted' or ($9 = 1 and arrivals.state <> excluded.state) returning at_ms",
        (arrival.store_id, arrival.job_id, notifier, arrival.ticket_id, arrival.moment, state, why, now_ms, int(outranks)),
    )
    if not rows:
        raise NothingNew
    return before
