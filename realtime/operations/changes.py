"""One change of a store: its row is taken, events are appended with its next numbers, and what is owed is written beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from realtime.errors import StoreClosed, StoreNotFound
from realtime.model import Delivery, Event, Queue, Ticket
from realtime.operations.queue import NewJob, enqueue
from realtime.storage.statement import NOTHING, Operation, Statement
from realtime.wording import OwnText


class Moment(msgspec.Struct, frozen=True):
    """A point in a party's wait at which somebody may want to be told."""

    kind: str
    """"joined", "almost" or "called"."""
    store_id: str
    store_name: str
    timezone: str
    queue: Queue
    ticket: Ticket
    ahead: int
    """Parties before it in the line."""
    now_ms: int
    language: str = ""
    """The store's, for whoever said none; empty: English."""
    texts: tuple[OwnText, ...] = ()
    """What the owner wrote for this moment in place of our texts."""
    together: tuple[tuple[Queue, Ticket], ...] = ()
    """All parties that joined in one request, this one among them; empty where there is only one."""


class Rules(Protocol):
    """What plugins have to say inside a transaction. Pure and quick; may be asked again for the same moment."""

    def check(self, moment: Moment) -> str | None:
        """A sentence refuses a party that joins."""

    def compose(self, moment: Moment) -> Sequence[Delivery]:
        """The deliveries that the moment owes."""


class Change(msgspec.Struct, frozen=True):
    """What a committed operation did: its answer, the events to tell, and how many deliveries and posts to webhooks it owes now."""

    value: Any
    events: tuple[Event, ...] = ()
    owed: int = 0
    posted: int = 0


class Taken(msgspec.Struct, frozen=True):
    """A store's row, held until the transaction ends."""

    first_seq: int
    name: str
    timezone: str
    almost_at: int
    ladder: str
    """See `model.Store`."""
    webhooks: str = ""
    """Who is told of its events, see `webhooks.Listeners`; empty: nobody."""
    language: str = ""
    """The primary tag of what its guests read, unless they said otherwise; empty: English."""
    worded: bool = False
    """Whether its owner wrote texts of their own."""


def take(store_id: str, events: int, now_ms: int = 0) -> Operation[Taken]:
    """Take an open store's row and the numbers of as many events as the change will append.

    With `now_ms` a store whose time is over counts as closed, whether or not anybody has closed it yet.

    Raises:
        StoreNotFound: there is no such store.
        StoreClosed: it is not open any more.
    """
    rows = yield Statement(_LOOK, (store_id, events, now_ms), _TAKE)
    if not rows:
        rows = yield Statement("select 1 from stores where id = $1", (store_id,))
        raise StoreClosed if rows else StoreNotFound
    seq, *more = rows[0]
    yield Statement("update stores set seq = $2 where id = $1", (store_id, seq), NOTHING)
    return Taken(seq - events + 1, *more)


# SQLite has one writer at a time, so there a look and a write are as good as one guarded write, and cost half of `returning`.
_OF_STORE = "name, timezone, almost_at, ladder, webhooks, language, worded"
_LOOK = f"select seq + $2, {_OF_STORE} from stores where id = $1 and state = 'open' and closes_ms > $3"
_TAKE = f"update stores set seq = seq + $2 where id = $1 and state = 'open' and closes_ms > $3 returning seq, {_OF_STORE}"


def append(event: Event) -> Operation[None]:
    yield Statement(APPEND, appended(event))


APPEND = "insert into events (store_id, seq, at_ms, kind, owner, public) values ($1, $2, $3, $4, $5, $6)"


def appended(event: Event) -> tuple[str | int, ...]:
    """An event as `APPEND` takes it."""
    return (event.store_id, event.seq, event.at_ms, event.kind, event.owner, event.public)


def owe(
    store_id: str,
    cause: int | str,
    deliveries: Sequence[Delivery],
    now_ms: int,
    *,
    hold_report: bool = False,
    tickets: Sequence[int] = (),
    call: tuple[int, int] = (0, 0),
) -> Operation[int]:
    """Write the deliveries that an event owes. Their ids come from what caused them (an event's number), so that nothing owes one twice.

    Args:
        hold_report: keep those that carry the report until they are released.
        tickets: the ticket that each is about, where they are about tickets.
        call: a ticket that is called, and its `called_ms`; what is about it may be dropped once the call was seen.
    """
    tickets = tickets or [0] * len(deliveries)
    for index, delivery in enumerate(deliveries):
        held = hold_report and delivery.needs_report
        later = delivery.not_before_ms > now_ms
        yield from enqueue(
            NewJob(
                store_id,
                f"{store_id}-{cause}-{index}",
                DELIVERIES,
                msgspec.json.encode(delivery.body).decode(),
                # What waits for its time holds up nobody who is to be told something now.
                lane="" if delivery.needs_report or later else f"{delivery.notifier}:{delivery.recipient}",
                due_ms=HELD_MS if held else max(now_ms, delivery.not_before_ms),
                not_after_ms=delivery.not_after_ms,
                notifier=delivery.notifier,
                recipient=delivery.recipient,
                moment=delivery.moment,
                needs_report=delivery.needs_report,
                ticket_id=tickets[index],
                called_ms=call[1] if delivery.unless_seen and tickets[index] == call[0] else 0,
            ),
            now_ms,
        )
    return len(deliveries)


def store_of(delivery_id: str) -> str:
    """The store that a delivery about a ticket belongs to, as `owe` made its id."""
    return delivery_id.rsplit("-", 2)[0]


DELIVERIES = "deliveries"
"""The queue of all notifications."""
HELD_MS = 253_402_300_800_000
"""The due time of a delivery that waits for a person: the year 10000."""
