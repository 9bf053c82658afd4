"""A party's way through a queue once it has joined: be called, be served, leave."""

from __future__ import annotations

import msgspec

from realtime.errors import NobodyWaiting, QueueNotFound, TicketNotFound, WrongState
from realtime.events import ticket_event
from realtime.model import CHANGES, MOVES, Action, Delivery, Ticket, TicketState
from realtime.operations import escalation, posts, rows, wordings
from realtime.operations.changes import Change, Moment, Rules, Taken, append, owe, take
from realtime.storage.statement import Operation, Statement


def call_next(store_id: str, queue_id: str, desk: str, rules: Rules | None, now_ms: int) -> Operation[Change]:
    """Call whoever stands first in the line. Two calls at once call two parties. `value` is the ticket.

    Raises:
        NobodyWaiting: the line is empty.
        QueueNotFound, StoreClosed, StoreNotFound
    """
    taken = yield from take(store_id, 1)
    found = yield Statement(
        "update tickets set state = 'called', was = '[[\"waiting\",\"\",' || calls || ',0,0,0,0]]', desk = $3, called_ms = $4, calls = calls + 1, seen_ms = 0,"
        " unreached_ms = 0"
        " where store_id = $1 and id = (select id from tickets where store_id = $1 and queue_id = $2 and state = 'waiting'"
        f" order by place limit 1) returning {rows.TICKET}",
        (store_id, queue_id, desk, now_ms),
    )
    if not found:
        known = yield Statement("select 1 from queues where store_id = $1 and id = $2", (store_id, queue_id))
        raise NobodyWaiting if known else QueueNotFound
    return (yield from _moved(store_id, taken, Action.CALL, rows.ticket(found[0]), -1, rules, now_ms))


_SET = {
    Action.CALL: "state = 'called', was = $5, desk = $6, called_ms = $4, calls = calls + 1, seen_ms = 0",
    # The time of a call names it, so none has the time of the one before.
    Action.RECALL: "was = $5, desk = case when $6 = '' then desk else $6 end, calls = calls + 1, seen_ms = 0,"
    " called_ms = case when called_ms >= $4 then called_ms + 1 else $4 end",
    Action.SERVE: "state = 'serving', was = $5, desk = case when $6 = '' then desk else $6 end, served_ms = $4,"
    " called_ms = case when called_ms = 0 then $4 else called_ms end",
    Action.DONE: "state = 'done', was = $5, desk = case when $6 = '' then desk else $6 end, ended_ms = $4,"
    " served_ms = case when served_ms = 0 then $4 else served_ms end",
    Action.NO_SHOW: "state = 'no_show', was = $5, desk = case when $6 = '' then desk else $6 end, ended_ms = $4",
    Action.RETURN: "state = 'waiting', was = $4, desk = '', called_ms = 0, served_ms = 0, ended_ms = 0, seen_ms = 0",
    Action.REMOVE: "state = 'removed', was = $5, ended_ms = $4",
    Action.LEAVE: "state = 'left', was = $5, ended_ms = $4",
}
"""What a move writes: $4 is the time, $5 what an undo goes back to, $6 the desk. A return has no time, so there $4 is what an undo goes back to."""

_AT_DESK = frozenset({Action.CALL, Action.RECALL, Action.SERVE, Action.DONE, Action.NO_SHOW})
_UNTIMED = frozenset({Action.RETURN})


def change(store_id: str, ticket_id: int, action: Action, desk: str, rules: Rules | None, now_ms: int) -> Operation[Change]:
    """Move one ticket as the table of legal moves allows. `value` is the ticket as it is now.

    Raises:
        WrongState: no such move from the state it is in; nothing is changed.
        TicketNotFound, StoreClosed, StoreNotFound
    """
    taken = yield from take(store_id, 1)
    before = yield from one(store_id, ticket_id)
    allowed, _ = MOVES[action]
    if before.state not in allowed:
        raise WrongState(f"{before.label} is {_SAID[before.state]}; from there this is not possible.")
    found = yield Statement(
        f"update tickets set {_SET[action]}, unreached_ms = 0 where store_id = $1 and id = $2 and state = $3 returning {rows.TICKET}",
        (
            store_id,
            ticket_id,
            before.state.value,
            *(() if action in _UNTIMED else (now_ms,)),
            _remembered(before, action),
            *((desk,) if action in _AT_DESK else ()),
        ),
    )
    if not found:
        raise WrongState
    ticket = rows.ticket(found[0])
    was, now = before.state == TicketState.WAITING, ticket.state == TicketState.WAITING
    return (yield from _moved(store_id, taken, action, ticket, int(now) - int(was), rules, now_ms))


def undo(store_id: str, ticket_id: int, now_ms: int) -> Operation[Change]:
    """Take a ticket's last move back: it is what it was before, at its old place, and nobody is notified. `value` is the ticket.

    Raises:
        WrongState: it has not moved.
        TicketNotFound, StoreClosed, StoreNotFound
    """
    taken = yield from take(store_id, 1)
    now = yield from one(store_id, ticket_id)
    if not (steps := _steps(now)):
        raise WrongState(f"{now.label} is {_SAID[now.state]}; there is nothing to undo.")
    *earlier, before = steps
    found = yield Statement(
        "update tickets set state = $3, was = $5, desk = $6, calls = $7, called_ms = $8, served_ms = $9, ended_ms = $10, seen_ms = $11,"
        f" unreached_ms = 0 where store_id = $1 and id = $2 and state = $4 returning {rows.TICKET}",
        (
            store_id,
            ticket_id,
            before.state.value,
            now.state.value,
            _written(earlier),
            before.desk,
            before.calls,
            before.called_ms,
            before.served_ms,
            before.ended_ms,
            before.seen_ms,
        ),
    )
    if not found:
        raise WrongState
    waiting = int(before.state is TicketState.WAITING) - int(now.state is TicketState.WAITING)
    yield Statement(_COUNT, (store_id, now.queue, waiting))
    event = ticket_event(store_id, taken.first_seq, now_ms, "undone", rows.ticket(found[0]))
    yield from append(event)
    posted = (yield from posts.tell(taken.webhooks, event, "undone")) if taken.webhooks else 0
    return Change(rows.ticket(found[0]), (event,), 0, posted)


class _Step(msgspec.Struct, frozen=True, array_like=True):
    """A ticket as it was before one of its moves, in what a move changes."""

    state: TicketState
    desk: str
    calls: int
    called_ms: int
    served_ms: int
    ended_ms: int
    seen_ms: int


def _steps(ticket: Ticket) -> list[_Step]:
    return msgspec.json.decode(ticket.was, type=list[_Step]) if ticket.was else []


def _written(steps: list[_Step]) -> str:
    return msgspec.json.encode(steps).decode() if steps else ""


def _remembered(before: Ticket, action: Action) -> str:
    """What the ticket keeps of its moves, from the line on. A call that is made again is no step of its own."""
    if action is Action.RECALL:
        return before.was
    earlier = [] if before.state is TicketState.WAITING else _steps(before)
    step = _Step(before.state, before.desk, before.calls, before.called_ms, before.served_ms, before.ended_ms, before.seen_ms)
    return _written([*earlier, step])


_SAID = {
    TicketState.WAITING: "waiting",
    TicketState.CALLED: "called already",
    TicketState.SERVING: "being served",
    TicketState.DONE: "done",
    TicketState.NO_SHOW: "marked as not here",
    TicketState.LEFT: "gone",
    TicketState.REMOVED: "removed",
}


def _moved(
    store_id: str, taken: Taken, action: Action, ticket: Ticket, waiting: int, rules: Rules | None, now_ms: int
) -> Operation[Change]:
    """What every move leads to: the line's count and pace, the event, and who is to be told."""
    calls = action is Action.CALL
    found = yield Statement(_COUNT_AND_PACE if calls else _COUNT, (store_id, ticket.queue, waiting, *((now_ms,) if calls else ())))
    queue = rows.queue(found[0])
    seq = taken.first_seq
    event = ticket_event(store_id, seq, now_ms, CHANGES[action], ticket, queue.pace_ms if calls else None)
    yield from append(event)
    posted = (yield from posts.tell(taken.webhooks, event, CHANGES[action])) if taken.webhooks else 0
    if not rules:
        return Change(ticket, (event,), 0, posted)
    owed: list[Delivery] = []
    about: list[int] = []
    if action in (Action.CALL, Action.RECALL):
        texts = (yield from wordings.of_store(store_id, "called")) if taken.worded and (ticket.phone or ticket.email) else ()
        moment = Moment("called", store_id, taken.name, taken.timezone, queue, ticket, 0, now_ms, taken.language, texts)
        owed += escalation.called(rules.compose(moment), taken.ladder, ticket.called_ms)
        about += [ticket.id] * len(owed)
    if waiting < 0 and taken.almost_at:
        near = yield Statement(
            "update tickets set almost_ms = $4 where store_id = $1 and almost_ms = 0 and id in (select id from tickets"
            f" where store_id = $1 and queue_id = $2 and state = 'waiting' order by place limit $3) returning {rows.TICKET}",
            (store_id, ticket.queue, taken.almost_at, now_ms),
        )
        texts = (yield from wordings.of_store(store_id, "almost")) if taken.worded and near else ()
        for row in near:
            next_one = rows.ticket(row)
            before = yield Statement(
                "select count(*) from tickets where store_id = $1 and queue_id = $2 and state = 'waiting' and place < $3",
                (store_id, ticket.queue, next_one.place),
            )
            moment = Moment("almost", store_id, taken.name, taken.timezone, queue, next_one, before[0][0], now_ms, taken.language, texts)
            owed += rules.compose(moment)
            about += [next_one.id] * (len(owed) - len(about))
    count = yield from owe(store_id, seq, owed, now_ms, tickets=about, call=(ticket.id, ticket.called_ms))
    return Change(ticket, (event,), count, posted)


_COUNT = f"update queues set waiting = waiting + $3 where store_id = $1 and id = $2 returning {rows.QUEUE}"

# The pace is the time between two calls, smoothed (3 parts of the newest in 10); a gap of over half an hour says nothing about it.
_COUNT_AND_PACE = (
    "update queues set waiting = waiting + $3, last_call_ms = $4, pace_ms = case"
    " when last_call_ms = 0 or $4 - last_call_ms > 1800000 or $4 < last_call_ms then pace_ms"
    " when pace_ms = 0 and $4 - last_call_ms < 60000 then 60000"
    " when pace_ms = 0 then $4 - last_call_ms else (pace_ms * 7 + ($4 - last_call_ms) * 3) / 10 end"
    f" where store_id = $1 and id = $2 returning {rows.QUEUE}"
)


def one(store_id: str, ticket_id: int) -> Operation[Ticket]:
    """One ticket.

    Raises:
        TicketNotFound: there is no such ticket.
    """
    found = yield Statement(f"select {rows.TICKET} from tickets where store_id = $1 and id = $2", (store_id, ticket_id))
    if not found:
        raise TicketNotFound
    return rows.ticket(found[0])
