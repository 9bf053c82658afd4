"""Posts: events on their way to webhooks. Owed with the change that causes them, kept for a while once they ended, and posted again on demand.

A post is a job of the queue "webhooks". Posts to one webhook that are tried for the first time are in one lane, so they arrive in order as long as
nothing fails; one that has failed goes on to a lane of its own kind, see `posting.again`, so nothing waits behind it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from realtime.errors import Conflict, NotFound
from realtime.model import Event
from realtime.operations import attempts, lanes, webhooks
from realtime.operations.queue import NewJob, enqueue
from realtime.operations.webhooks import Listeners, Webhook, posts_of, span
from realtime.storage.statement import Operation, Row, Statement

QUEUE = "webhooks"
NOTIFIER = "webhook"
"""Who carries them."""
FIRST, LATER = 1, 2
"""Priorities of first attempts and of all others: a receiver that hangs does not take the turn of one that answers."""
EVENTS = (
    "store.opened", "store.closed", "ticket.joined", "ticket.called", "ticket.serving", "ticket.done", "ticket.no_show", "ticket.left",
    "ticket.removed", "ticket.returned",
)  # fmt: skip
PING = "ping"
_OF_CHANGE = {
    "opened": "store.opened", "closed": "store.closed", "joined": "ticket.joined", "called": "ticket.called", "recalled": "ticket.called",
    "serving": "ticket.serving", "done": "ticket.done", "no_show": "ticket.no_show", "left": "ticket.left", "removed": "ticket.removed",
    "returned": "ticket.returned", "undone": "ticket.returned",
}  # fmt: skip
_OF_STORE = ("id", "name", "timezone", "state", "opened_ms", "closes_ms")
REPLAYED_AT_ONCE = 500
_listeners = msgspec.json.Decoder(Listeners).decode


# ---- owed


def tell(listening: str, event: Event, change: str) -> Operation[int]:
    """Owe an event of a store to every webhook that wants it; returns how many.

    Args:
        listening: what the store's row says.
        change: what happened, as the event says it, or "opened" or "closed".
    """
    type_ = _OF_CHANGE[change]
    to = _listeners(listening)
    wanted = [id_ for id_, events in to.of if not events or type_ in events]
    if not wanted:
        return 0
    payload = _payload(type_, event.at_ms, b'{"store_id":"%b","seq":%d,%b' % (event.store_id.encode(), event.seq, _public(event)[1:]))
    for id_ in wanted:
        yield from _owe(to.account_id, id_, f"{event.store_id}-{event.seq:07d}", type_, payload, event.at_ms)
    return len(wanted)


def _public(event: Event) -> bytes:
    """What a receiver may know, for longer than the store is there: what everybody sees, without the owner's free text about the store."""
    if event.kind != "store":
        return event.public.encode()
    said = msgspec.json.decode(event.public)
    return msgspec.json.encode({"change": said["change"], "store": {name: said["store"][name] for name in _OF_STORE}})


def ping(account_id: str, id_: str, unique: str, now_ms: int) -> Operation[str]:
    """Owe a webhook a test, also one that is turned off; its id.

    Raises:
        Conflict: the test before is under way.
        NotFound
    """
    yield from webhooks.one(account_id, id_)
    of, (first, last) = posts_of(account_id), span(id_)
    busy = yield Statement(
        "select 1 from jobs where store_id = $1 and id >= $2 and id < $3 and moment = 'ping' and state in ('waiting', 'leased')",
        (of, first, last),
    )
    if busy:
        raise Conflict("A test is on its way already. Wait for its answer.")
    data = b'{"webhook_id":"%b"}' % id_.encode()
    return (yield from _owe(account_id, id_, f"ping-{unique}", PING, _payload(PING, now_ms, data), now_ms))


def _payload(type_: str, at_ms: int, data: bytes) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return (b'{"type":"%b","timestamp":"%b","data":%b}' % (type_.encode(), at.encode(), data)).decode()


def _owe(account_id: str, id_: str, cause: str, type_: str, payload: str, now_ms: int) -> Operation[str]:
    """Its id says to whom, when and why, so nothing is owed twice, and ids are in the order of time."""
    job_id = f"{id_}-{now_ms:013d}-{cause}"
    lane = first_lane(id_) if type_ != PING else f"{id_}/{PING}"
    body = msgspec.json.encode({"payload": payload}).decode()
    job = NewJob(posts_of(account_id), job_id, QUEUE, body, lane=lane, priority=FIRST, notifier=NOTIFIER, recipient=id_, moment=type_)
    yield from enqueue(job, now_ms)
    return job_id


def first_lane(webhook_id: str) -> str:
    return webhook_id


# ---- seen


class Post(Struct, frozen=True):
    """One event and one webhook."""

    id: str
    type: str
    state: str
    """As a job's: "waiting", "leased", "done", "expired" when it was given up, "cancelled" when the webhook was off."""
    attempts: int
    outcome: str
    created_ms: int
    due_ms: int
    ended_ms: int


class Tried(Struct, frozen=True):
    number: int
    started_ms: int
    ended_ms: int
    outcome: str
    detail: str


_POST = "id, moment, state, attempts, outcome, created_ms, due_ms, ended_ms"
STATES = {
    "": "state <> ''",
    "owed": "state in ('waiting', 'leased')",
    "sent": "state = 'done'",
    "failed": "state in ('expired', 'cancelled')",
}
"""What a list may be of."""


def page(account_id: str, id_: str, state: str, before: str, limit: int) -> Operation[list[Post]]:
    """A webhook's posts, the newest first.

    Args:
        state: a key of `STATES`.
        before: only those older than the one with this id; empty: all.

    Raises:
        NotFound
    """
    yield from webhooks.one(account_id, id_)
    first, last = span(id_)
    rows = yield Statement(
        f"select {_POST} from jobs where store_id = $1 and id >= $2 and id < $3 and {STATES[state]} order by id desc limit $4",
        (posts_of(account_id), first, min(before, last) if before else last, limit),
    )
    return [Post(*row) for row in rows]


def one(account_id: str, id_: str, post_id: str) -> Operation[tuple[Post, str, list[Tried]]]:
    """A post with what it says, empty when that was thrown away, and its attempts, also those from before it was posted again. Raises: NotFound."""
    row = yield from _row(account_id, id_, post_id)
    tries = yield Statement(
        "select number, started_ms, ended_ms, outcome, detail from attempts where store_id = $1 and job_id = $2 order by started_ms, number",
        (posts_of(account_id), post_id),
    )
    return Post(*row[:8]), msgspec.json.decode(row[8]).get("payload", ""), [Tried(at, *each[1:]) for at, each in enumerate(tries, 1)]


def _row(account_id: str, id_: str, post_id: str) -> Operation[Row]:
    yield from webhooks.one(account_id, id_)
    rows = yield Statement(
        f"select {_POST}, body from jobs where store_id = $1 and id = $2 and recipient = $3", (posts_of(account_id), post_id, id_)
    )
    if not rows:
        raise NotFound("There is no such delivery. What ended is kept for seven days.")
    return rows[0]


# ---- again


def replay(account_id: str, id_: str, post_id: str, now_ms: int) -> Operation[Post]:
    """Post one again with the same id, or now, where it waits for its next attempt.

    Raises:
        Conflict: the webhook is off, or the post is under way.
        NotFound
    """
    _on((yield from webhooks.one(account_id, id_)))
    post = Post(*(yield from _row(account_id, id_, post_id))[:8])
    if post.state == "waiting":
        yield from _hasten(posts_of(account_id), post_id, now_ms)
    elif not (yield from _again(posts_of(account_id), id_, post_id, now_ms)):
        raise Conflict("It is being posted at this moment, or what it said was thrown away.")
    return Post(*(yield from _row(account_id, id_, post_id))[:8])


def replay_all(account_id: str, id_: str, since_ms: int, until_ms: int, only_failed: bool, now_ms: int) -> Operation[tuple[int, int]]:
    """Post again, with the same ids and in their order, what was made in a time and has ended, tests excepted.

    Returns how many, and where to go on: the time of the first that was left for the next call, 0 when none was.

    Raises:
        Conflict: the webhook is off.
        NotFound
    """
    _on((yield from webhooks.one(account_id, id_)))
    of, (first, last) = posts_of(account_id), span(id_, since_ms, until_ms)
    state = STATES["failed"] if only_failed else "state not in ('waiting', 'leased')"
    rows = yield Statement(
        f"select id, created_ms from jobs where store_id = $1 and id >= $2 and id < $3 and {state} and moment <> 'ping' and body <> '{{}}'"
        " order by id limit $4",
        (of, first, last, REPLAYED_AT_ONCE + 1),
    )
    count = 0
    for post_id, _ in rows[:REPLAYED_AT_ONCE]:
        count += int((yield from _again(of, id_, post_id, now_ms)))
    return count, rows[REPLAYED_AT_ONCE][1] if len(rows) > REPLAYED_AT_ONCE else 0


def _on(webhook: Webhook) -> None:
    if webhook.off_ms:
        raise Conflict("This webhook is off. Turn it on, then post again.")


def _again(of: str, id_: str, post_id: str, now_ms: int) -> Operation[bool]:
    lane = first_lane(id_)
    place, head = yield from lanes.next_place(of, QUEUE, lane, now_ms)
    rows = yield Statement(
        "update jobs set state = 'waiting', lane = $3, place = $4, head = $5, priority = $7, attempts = 0, outcome = '', due_ms = $6, ready_ms = $6, ended_ms = 0"
        " where store_id = $1 and id = $2 and state not in ('waiting', 'leased') and body <> '{}' returning id",
        (of, post_id, lane, place, head, now_ms, FIRST),
    )
    if rows:
        yield from attempts.set_aside(of, post_id)
    return bool(rows)


def _hasten(of: str, post_id: str, now_ms: int) -> Operation[None]:
    """It may go at once: in no lane, so that it need not wait for those that failed before it."""
    rows = yield Statement("select lane from jobs where store_id = $1 and id = $2", (of, post_id))
    lane = rows[0][0]
    if lane:
        yield from lanes.lock(of, QUEUE, lane)
    yield Statement(
        "update jobs set lane = '', place = 0, head = 1, due_ms = $3, ready_ms = $3 where store_id = $1 and id = $2 and state = 'waiting'",
        (of, post_id, now_ms),
    )
    yield from lanes.promote(of, QUEUE, lane, now_ms)
