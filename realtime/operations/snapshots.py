"""A store as a whole, read at one moment: for its owner, for the public, for one party; and its events since another moment."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from realtime.errors import StoreClosed
from realtime.model import Code, Event, Queue, Store, StoreState, Ticket
from realtime.operations import codes, rows, stores, tickets
from realtime.storage.statement import Operation, Row, Statement

PAGE = 500
"""Parties that are read in one step: where thousands wait, the event loop goes on in between."""
_ENDED_SHOWN = 30
_CALLED_SHOWN = 5


class Whole(msgspec.Struct, frozen=True):
    """A store, its queues and tickets, and the `seq` at which they were so."""

    store: Store
    queues: list[Queue]
    tickets: list[Ticket]
    code: Code | None


class Everything(msgspec.Struct, frozen=True):
    """A store at one moment, from which what anybody may see of it can be made."""

    store: Store
    queues: list[Queue]
    live: list[Ticket]
    """Called and serving, in the order of their calls; then waiting, by queue and place."""
    ended: list[Ticket]
    """The 30 that ended last."""
    called: list[Ticket]
    """The five called last of those whose call is over."""
    code: Code | None

    def owner(self) -> Whole:
        return Whole(self.store, self.queues, self.live + self.ended, self.code)

    def public(self) -> Whole:
        return Whole(self.store, self.queues, self.live + self.called, self.code)


def everything(store_id: str) -> Operation[Everything]:
    """Raises: StoreNotFound."""
    live = yield from _live(store_id)
    return Everything(live.store, live.queues, live.tickets, (yield from _ended(store_id)), (yield from _called(store_id)), live.code)


def owner(store_id: str) -> Operation[Whole]:
    """Everything: all live tickets, and the 30 that ended last.

    Raises:
        StoreNotFound
    """
    live = yield from _live(store_id)
    return msgspec.structs.replace(live, tickets=live.tickets + (yield from _ended(store_id)))


def _live(store_id: str) -> Operation[Whole]:
    store = yield from stores.one(store_id)
    lines = yield from queues(store_id)
    found: list[Ticket] = []
    if store.state is not StoreState.PURGED:
        at_desk = yield Statement(
            f"select {rows.TICKET} from tickets where store_id = $1 and state in ('called', 'serving') order by called_ms", (store_id,)
        )
        found = [rows.ticket(row) for row in at_desk]
        found += yield from _waiting(store_id)
    code = yield from codes.current(store_id)
    return Whole(store, lines, found, code)


def _waiting(store_id: str) -> Operation[list[Ticket]]:
    found: list[Ticket] = []
    page: list[Row] = [()] * PAGE
    while len(page) == PAGE:
        last = (found[-1].queue, found[-1].place) if found else ("", 0)
        page = yield Statement(
            f"select {rows.TICKET} from tickets where store_id = $1 and state = 'waiting' and (queue_id, place) > ($2, $3)"
            " order by queue_id, place limit $4",
            (store_id, *last, PAGE),
        )
        found += [rows.ticket(row) for row in page]
    return found


def _ended(store_id: str) -> Operation[list[Ticket]]:
    found = yield Statement(
        f"select {rows.TICKET} from tickets where store_id = $1 and ended_ms > 0 order by ended_ms desc limit $2",
        (store_id, _ENDED_SHOWN),
    )
    return [rows.ticket(row) for row in found]


def _called(store_id: str) -> Operation[list[Ticket]]:
    found = yield Statement(
        f"select {rows.TICKET} from tickets where store_id = $1 and called_ms > 0 and state in ('done', 'no_show')"
        " order by called_ms desc limit $2",
        (store_id, _CALLED_SHOWN),
    )
    return [rows.ticket(row) for row in found]


def queues(store_id: str) -> Operation[list[Queue]]:
    found = yield Statement(f"select {rows.QUEUE} from queues where store_id = $1 order by id", (store_id,))
    return [rows.queue(row) for row in found]


def waiting(store_id: str) -> Operation[dict[str, int]]:
    """Parties waiting, by queue."""
    found = yield Statement("select id, waiting from queues where store_id = $1 order by id", (store_id,))
    return {row[0]: row[1] for row in found}


class Own(msgspec.Struct, frozen=True):
    """A ticket as its party sees it."""

    store: Store
    queue: Queue
    ticket: Ticket
    ahead: int


def own(store_id: str, ticket_id: int) -> Operation[Own]:
    """One ticket with its queue, and the parties before it: those waiting at an earlier place.

    Raises:
        TicketNotFound, StoreNotFound
        StoreClosed: its data was deleted.
    """
    store = yield from stores.one(store_id)
    if store.state is StoreState.PURGED:
        raise StoreClosed("The store has closed, and its list was deleted.")
    ticket = yield from tickets.one(store_id, ticket_id)
    line = yield Statement(f"select {rows.QUEUE} from queues where store_id = $1 and id = $2", (store_id, ticket.queue))
    before = yield Statement(
        "select count(*) from tickets where store_id = $1 and queue_id = $2 and state = 'waiting' and place < $3",
        (store_id, ticket.queue, ticket.place),
    )
    return Own(store, rows.queue(line[0]), ticket, before[0][0] if ticket.state == "waiting" else 0)


class Since(msgspec.Struct, frozen=True):
    """What happened after `seq`: every event in order, or None when they cannot all be given."""

    epoch: str
    seq: int
    board_code: bool
    events: list[Event] | None


def since(store_id: str, epoch: str, seq: int, limit: int) -> Operation[Since]:
    """All events after `seq` of this epoch, all or nothing: none when there are more than `limit`, or the past is another one.

    Raises:
        StoreNotFound
    """
    store = yield from stores.one(store_id)
    if epoch != store.epoch or seq > store.seq or store.seq - seq > limit or store.state is StoreState.PURGED:
        return Since(store.epoch, store.seq, store.board_code, None)
    events = yield from after(store_id, seq, limit)
    whole = len(events) == store.seq - seq
    return Since(store.epoch, store.seq, store.board_code, events if whole else None)


class Tail(msgspec.Struct, frozen=True):
    """Where a store is, and what happened last."""

    epoch: str
    seq: int
    board_code: bool
    events: list[Event]
    """In order and without a gap, up to `seq`."""


def tail(store_id: str, most: int) -> Operation[Tail]:
    """At most so many of the newest events.

    Raises:
        StoreNotFound
    """
    store = yield from stores.one(store_id)
    found: list[Event] = []
    if store.state is not StoreState.PURGED:
        found = yield from after(store_id, store.seq - most, most)
    gap = next((at for at, event in enumerate(reversed(found)) if event.seq != store.seq - at), len(found))
    return Tail(store.epoch, store.seq, store.board_code, found[len(found) - gap :])


class Top(msgspec.Struct, frozen=True):
    """How far a store is."""

    epoch: str
    seq: int
    state: StoreState


def tops(store_ids: Sequence[str]) -> Operation[dict[str, Top]]:
    """Of each store that there is; one statement, so ask for some hundred at a time."""
    places = ", ".join(f"${number}" for number in range(1, len(store_ids) + 1))
    found = yield Statement(f"select id, epoch, seq, state from stores where id in ({places})", tuple(store_ids))
    return {row[0]: Top(row[1], row[2], StoreState(row[3])) for row in found}


def after(store_id: str, seq: int, limit: int) -> Operation[list[Event]]:
    found = yield Statement(
        "select store_id, seq, at_ms, kind, owner, public from events where store_id = $1 and seq > $2 order by seq limit $3",
        (store_id, seq, limit),
    )
    return [Event(*row) for row in found]
