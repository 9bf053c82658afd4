"""What happened in a store, as it goes over the wire: made once for the owner and once for the public."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from realtime.ladder import kept
from realtime.live_messages import OwnStoreView
from realtime.messages import OwnerTicket, PublicTicket, QueueView, StoreView
from realtime.model import Code, Event, Notice, Queue, Store, Ticket

_decode_notices = msgspec.json.Decoder(list[Notice]).decode
_encode = msgspec.json.Encoder().encode
_HEAD = re.compile(rb'\{"topic":"([^"]*)"(?:,"epoch":"([^"]*)")?,"seq":(\d+)')
"""How every text about a topic begins."""

TICK = "{}"
"""The public body of an event the public does not see: its `seq` passes, nothing else."""


def owner_ticket(ticket: Ticket, label: str = "") -> OwnerTicket:
    return OwnerTicket(
        ticket.id,
        ticket.queue,
        label or ticket.label,
        ticket.state,
        ticket.desk,
        ticket.place,
        ticket.name,
        ticket.phone,
        ticket.email,
        ticket.party,
        ticket.walk_in,
        ticket.calls,
        ticket.joined_ms,
        ticket.called_ms,
        ticket.served_ms,
        ticket.ended_ms,
        _decode_notices(ticket.notices) if ticket.notices else [],
        ticket.seen_ms,
        ticket.unreached_ms,
    )


def public_ticket(ticket: Ticket, label: str = "") -> PublicTicket:
    return PublicTicket(ticket.id, ticket.queue, label or ticket.label, ticket.state, ticket.desk, ticket.place, ticket.called_ms)


def queue_view(store_id: str, queue: Queue) -> QueueView:
    logo = f"/v1/stores/{store_id}/queues/{queue.id}/logo/{queue.logo}" if queue.logo else ""
    return QueueView(queue.id, queue.name, queue.waiting_text, queue.end_text, queue.paused, queue.pace_ms, logo)


def ticket_event(store_id: str, seq: int, at_ms: int, change: str, ticket: Ticket, pace_ms: int | None = None) -> Event:
    """A ticket is now as given; `pace_ms` is its queue's, where that changed too."""
    more = b"" if pace_ms is None else b',"pace_ms":%d' % pace_ms
    head = b'{"change":"' + change.encode() + b'"' + more + b',"ticket":'
    label = ticket.label
    owner = head + _encode(owner_ticket(ticket, label)) + b"}"
    public = head + _encode(public_ticket(ticket, label)) + b"}"
    return Event(store_id, seq, at_ms, "ticket", owner.decode(), public.decode())


def notice_event(store_id: str, seq: int, at_ms: int, ticket: Ticket) -> Event:
    """A notification to a ticket's party went some way."""
    return staff_event(store_id, seq, at_ms, "notified", ticket)


def staff_event(store_id: str, seq: int, at_ms: int, change: str, ticket: Ticket) -> Event:
    """Something about a ticket that only the owner sees."""
    owner = b'{"change":"' + change.encode() + b'","ticket":' + _encode(owner_ticket(ticket)) + b"}"
    return Event(store_id, seq, at_ms, "ticket", owner.decode(), TICK)


def queue_event(store_id: str, seq: int, at_ms: int, change: str, queue: Queue) -> Event:
    body = _encode({"change": change, "queue": queue_view(store_id, queue)}).decode()
    return Event(store_id, seq, at_ms, "queue", body, body)


def store_event(seq: int, at_ms: int, change: str, store: Store) -> Event:
    shared = (store.id, store.name, store.description, store.timezone, store.accent, store.state, store.opened_ms, store.closes_ms)
    own = OwnStoreView(*shared, store.almost_at, store.board_code, kept(store.ladder), store.quiet_hours)
    owner = _encode({"change": change, "store": own}).decode()
    public = _encode({"change": change, "store": StoreView(*shared)}).decode()
    return Event(store.id, seq, at_ms, "store", owner, public)


def code_event(store_id: str, seq: int, at_ms: int, number: int, expires_ms: int) -> Event:
    """A new join code is on show. The code itself is not in it; it is put in for those who may see it, on the way out."""
    body = _encode({"change": "code_shown", "code": {"number": number, "expires_ms": expires_ms}}).decode()
    return Event(store_id, seq, at_ms, "code", body, TICK)


def code_of(event: Event) -> Code:
    """The join code that a "code" event put on show."""
    shown = msgspec.json.decode(event.owner)["code"]
    return Code(shown["number"], shown["expires_ms"])


def push(topic: str, seq: int, at_ms: int, body: str | bytes) -> bytes:
    """The JSON text of one push on one topic."""
    raw = body.encode() if isinstance(body, str) else body
    rest = raw[1:] if raw == b"{}" else b"," + raw[1:]
    return b'{"topic":"%b","seq":%d,"at_ms":%d%b' % (topic.encode(), seq, at_ms, rest)


def snapshot(topic: str, epoch: str, seq: int, body: bytes, *, conflated: bool = False) -> bytes:
    """The JSON text of a whole state; `conflated` when it stands for deltas that a slow reader did not take."""
    mark = b'"conflated":true,' if conflated else b'"recovered":false,'
    return b'{"topic":"%b","epoch":"%b","seq":%d,%b"snapshot":%b}' % (topic.encode(), epoch.encode(), seq, mark, body)


def replay(topic: str, epoch: str, seq: int, pushes: Sequence[bytes]) -> bytes:
    """The JSON text of every event that was missed, in order."""
    return b'{"topic":"%b","epoch":"%b","seq":%d,"recovered":true,"events":[%b]}' % (
        topic.encode(),
        epoch.encode(),
        seq,
        b",".join(pushes),
    )


def standing(text: bytes) -> tuple[str, str, int] | None:
    """Where a text leaves its topic: (topic, epoch, seq), epoch being empty in a push. None when it is about no topic."""
    found = _HEAD.match(text)
    return (found[1].decode(), (found[2] or b"").decode(), int(found[3])) if found else None
