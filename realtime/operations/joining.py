"""Joining: every party gets a number, the last place in its queue, and an event. Parties that come at the same time join together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from realtime import wording
from realtime.errors import CodeExpired, CodeUsed, QueueNotFound, QueuePaused, Refused
from realtime.events import ticket_event
from realtime.model import Queue, Ticket, TicketState
from realtime.operations import posts, tickets, wordings
from realtime.operations.changes import APPEND, Change, Moment, Rules, appended, owe, take
from realtime.storage.statement import NOTHING, Operation, Statement, Together, changed_each
from realtime.wording import OwnText


class Guest(msgspec.Struct, frozen=True):
    """A party that wants to join, as it was checked."""

    queue: str
    name: str
    phone: str
    email: str
    party: int
    languages: tuple[str, ...] = ()
    """What its phone is set to, the dearest first."""


class Proof(msgspec.Struct, frozen=True):
    """One phone's right to join: the code it scanned, and what it scanned it with; both hashed."""

    code_hash: str
    pass_hash: str


Call: TypeAlias = tuple[str, Sequence[Guest], Proof | None, Rules | None, int]
"""The store, who joins, with what right, under which rules, and when."""


def _join(store_id: str, guests: Sequence[Guest], proof: Proof | None, rules: Rules | None, now_ms: int) -> Operation[Change]:
    (change,) = yield from _join_store(store_id, [(store_id, guests, proof, rules, now_ms)])
    return change


def _join_many(calls: Sequence[Call]) -> Operation[list[Change]]:
    stores: dict[str, list[int]] = {}
    for at, call in enumerate(calls):
        stores.setdefault(call[0], []).append(at)
    changes: dict[int, Change] = {}
    for store_id, places in stores.items():
        changes.update(zip(places, (yield from _join_store(store_id, [calls[at] for at in places])), strict=True))
    return [changes[at] for at in range(len(calls))]


join = Together(_join, _join_many)
"""Give every guest a number, the last place in their queue, and an event. `value` is the tuple of tickets.

With a proof its code is used up; without one the staff add a walk-in.

Raises:
    Refused: a plugin's rule says no, in its own sentence.
    CodeUsed, CodeExpired: the code is not this phone's to use.
    QueuePaused, QueueNotFound: the queue takes nobody.
    StoreClosed, StoreNotFound: the store takes nobody.
"""


def joined_with(store_id: str, proof: Proof) -> Operation[tuple[Ticket, ...]]:
    """The tickets that this phone's use of this code made, if it did: the answer to a request that was sent twice."""
    found = yield Statement(
        "select tickets from codes where store_id = $1 and hash = $2 and pass_hash = $3 and state = 'used'",
        (store_id, proof.code_hash, proof.pass_hash),
    )
    made = []
    for id_ in found[0][0].split(",") if found else ():
        made.append((yield from tickets.one(store_id, int(id_))))
    return tuple(made)


# ---- all that join one store in one transaction


class _Line(msgspec.Struct):
    """A queue while parties join it: the last number given, and how many wait."""

    queue: Queue
    number: int
    waiting: int


def _join_store(store_id: str, calls: Sequence[Call]) -> Operation[list[Change]]:
    """The changes of several joins, in their order. Where one cannot be, it says why; who gave several tries them singly then."""
    taken = yield from take(store_id, sum(len(guests) for _, guests, _, _, _ in calls), max(now_ms for *_, now_ms in calls))
    yield from _use_codes(store_id, calls, taken.first_seq)
    lines = yield from _lengthen(store_id, calls)
    texts = (yield from wordings.of_store(store_id, "joined")) if taken.worded and any(map(_asks_for_texts, calls)) else ()

    seq = taken.first_seq
    joined, new_tickets, new_events = [], [], []
    for _, guests, proof, rules, now_ms in calls:
        made = []
        for guest in guests:
            line = lines[guest.queue]
            line.number += 1
            line.waiting += 1
            mine = texts if rules and (guest.phone or guest.email) else ()
            ticket = _ticket(seq, guest, line.number, proof is None, mine, now_ms)
            event = ticket_event(store_id, seq, now_ms, "joined", ticket)
            made.append((ticket, event, line.waiting - 1, mine))
            # Who joins near the front is not told twice.
            new_tickets.append(_row(store_id, ticket, now_ms if line.waiting <= taken.almost_at else 0))
            new_events.append(appended(event))
            seq += 1
        joined.append(made)
    yield Statement(_NEW_TICKET, each=new_tickets)
    yield Statement(APPEND, each=new_events)

    changes = []
    for (_, guests, _, rules, now_ms), made in zip(calls, joined, strict=True):
        owed = posted = 0
        parties = tuple((lines[ticket.queue].queue, ticket) for ticket, *_ in made) if len(made) > 1 else ()
        for guest, (ticket, event, ahead, mine) in zip(guests, made, strict=True):
            if rules:
                queue = lines[guest.queue].queue
                moment = Moment("joined", store_id, taken.name, taken.timezone, queue, ticket, ahead, now_ms, taken.language, mine, parties)
                if sentence := rules.check(moment):
                    raise Refused(sentence)
                if deliveries := rules.compose(moment):
                    owed += yield from owe(store_id, ticket.id, deliveries, now_ms, tickets=[ticket.id] * len(deliveries))
            if taken.webhooks:
                posted += yield from posts.tell(taken.webhooks, event, "joined")
        changes.append(Change(tuple(ticket for ticket, *_ in made), tuple(event for _, event, *_ in made), owed, posted))
    return changes


def _asks_for_texts(call: Call) -> bool:
    _, guests, _, rules, _ = call
    return rules is not None and any(guest.phone or guest.email for guest in guests)


def _use_codes(store_id: str, calls: Sequence[Call], seq: int) -> Operation[None]:
    """Every code is used by the tickets that it is for, or none is."""
    uses = []
    for _, guests, proof, _, now_ms in calls:
        if proof:
            uses.append((store_id, proof.code_hash, proof.pass_hash, now_ms, ",".join(map(str, range(seq, seq + len(guests))))))
        seq += len(guests)
    if not uses:
        return
    used = yield from changed_each(
        "update codes set state = 'used', tickets = $5"
        " where store_id = $1 and hash = $2 and pass_hash = $3 and state = 'scanned' and expires_ms > $4",
        uses,
    )
    if used == len(uses):
        return
    _, code_hash, pass_hash, *_ = uses[0]  # the only one, where anybody asks
    found = yield Statement("select state, pass_hash from codes where store_id = $1 and hash = $2", (store_id, code_hash))
    state, by = found[0] if found else ("", "")
    raise CodeUsed if state == "used" or (state == "scanned" and by != pass_hash) else CodeExpired


def _lengthen(store_id: str, calls: Sequence[Call]) -> Operation[dict[str, _Line]]:
    """Every queue that is joined, as it was; its row counts those who join already."""
    more = Counter(guest.queue for _, guests, *_ in calls for guest in guests)
    lines = {}
    for queue_id, count in more.items():
        found = yield Statement(_LOOK_AT_LINE, (store_id, queue_id, count), _LENGTHEN)
        if not found:
            known = yield Statement("select 1 from queues where store_id = $1 and id = $2", (store_id, queue_id))
            raise (QueuePaused if known else QueueNotFound)(field=_field(calls, queue_id))
        number, waiting, name, waiting_text, end_text, pace_ms = found[0]
        yield Statement(
            "update queues set last_number = $3, waiting = $4 where store_id = $1 and id = $2",
            (store_id, queue_id, number, waiting),
            NOTHING,
        )
        queue = Queue(queue_id, name, waiting_text, end_text, False, pace_ms, "")
        lines[queue_id] = _Line(queue, number - count, waiting - count)
    return lines


def _field(calls: Sequence[Call], queue_id: str) -> str:
    """Where the request names a queue first."""
    _, guests, proof, *_ = calls[0]
    at = next((at for at, guest in enumerate(guests) if guest.queue == queue_id), 0)
    return f"parties[{at}].queue" if proof else "queue"


# As for the store's row: on SQLite a look and a write cost less than `returning`.
_LOOK_AT_LINE = "select last_number + $3, waiting + $3, name, waiting_text, end_text, pace_ms from queues where store_id = $1 and id = $2 and paused = 0"
_LENGTHEN = (
    "update queues set last_number = last_number + $3, waiting = waiting + $3 where store_id = $1 and id = $2 and paused = 0"
    " returning last_number, waiting, name, waiting_text, end_text, pace_ms"
)
_NEW_TICKET = (
    "insert into tickets (store_id, id, queue_id, number, name, phone, email, party, state, place, walk_in, almost_ms, joined_ms, language)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $2, $9, $10, $11, $12)"
)


def _row(store_id: str, ticket: Ticket, almost_ms: int) -> tuple[str | int, ...]:
    return (
        store_id, ticket.id, ticket.queue, ticket.number, ticket.name, ticket.phone, ticket.email, ticket.party, int(ticket.walk_in), almost_ms,
        ticket.joined_ms, ticket.language,
    )  # fmt: skip


def _ticket(seq: int, guest: Guest, number: int, walk_in: bool, texts: Sequence[OwnText], now_ms: int) -> Ticket:
    language = wording.spoken(guest.languages, texts) if guest.languages else ""
    return Ticket(
        seq, guest.queue, number, guest.name, guest.phone, guest.email, guest.party, TicketState.WAITING, "", seq, walk_in, 0, now_ms, 0, 0, 0,
        language=language,
    )  # fmt: skip
