"""A store's life: opened, edited, closed, reported, settled, purged."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from realtime.errors import Conflict, NotAllowed, QueueNotFound, StoreNotFound, StoreOpen
from realtime.events import queue_event, store_event
from realtime.model import Event, Queue, Store, StoreState
from realtime.operations import codes, posts, rows, webhooks, wordings
from realtime.operations.changes import Change, append, take
from realtime.storage.statement import Operation, Row, Statement


class NewQueue(msgspec.Struct, frozen=True):
    name: str
    waiting_text: str = ""
    end_text: str = ""
    logo: str = ""
    logo_version: str = ""


class NewStore(msgspec.Struct, frozen=True):
    """A store as it is opened; also what an account keeps of it for the next time."""

    name: str
    description: str
    timezone: str
    accent: str
    almost_at: int
    board_code: bool
    queues: list[NewQueue]
    ladder: str | None = None
    """See `model.Store`; None: as this installation has it."""
    quiet_hours: str = ""


class QueueChange(msgspec.Struct, frozen=True):
    """None leaves a field as it is."""

    id: str
    name: str | None = None
    waiting_text: str | None = None
    end_text: str | None = None
    paused: bool | None = None
    logo: str | None = None
    logo_version: str | None = None


class StoreChange(msgspec.Struct, frozen=True):
    """None leaves a field as it is."""

    name: str | None = None
    description: str | None = None
    accent: str | None = None
    almost_at: int | None = None
    board_code: bool | None = None
    ladder: str | None = None
    quiet_hours: str | None = None
    queues: tuple[QueueChange, ...] = ()
    add_queues: tuple[NewQueue, ...] = ()


def rename_past(store_id: str, epoch: str, other: str) -> Operation[None]:
    """What happened in a store so far is called `other` from now on, if it is called `epoch` still."""
    yield Statement("update stores set epoch = $3 where id = $1 and epoch = $2", (store_id, epoch, other))


def open_store(
    store_id: str, account_id: str, epoch: str, new: NewStore, hash_of: codes.CodeHash, now_ms: int, closes_ms: int, code_until_ms: int
) -> Operation[Change]:
    """Open a store with its queues and its first join code. `value` is the store.

    Raises:
        StoreOpen: the account has an open store.
    """
    open_one = yield Statement("select 1 from stores where account_id = $1 and state = 'open'", (account_id,))
    if open_one:
        raise StoreOpen
    made = yield Statement(
        "insert into stores (id, account_id, name, description, timezone, accent, almost_at, board_code, state, epoch, seq, opened_ms,"
        " closes_ms, ladder) values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, 2, $10, $11, $12)"
        f" on conflict (account_id) where state = 'open' do nothing returning {rows.STORE}",
        (
            store_id,
            account_id,
            new.name,
            new.description,
            new.timezone,
            new.accent,
            new.almost_at,
            int(new.board_code),
            epoch,
            now_ms,
            closes_ms,
            new.ladder or "",
        ),
    )
    if not made:
        raise StoreOpen
    yield from _keep_quiet(store_id, new.quiet_hours)
    for letter, queue in zip(_LETTERS, new.queues, strict=False):
        yield from _add_queue(store_id, letter, queue)
    yield Statement("update accounts set template = $2 where id = $1", (account_id, msgspec.json.encode(new).decode()))
    yield from wordings.carry_over(account_id)
    store = msgspec.structs.replace(rows.store(made[0]), quiet_hours=new.quiet_hours)
    opened = store_event(1, now_ms, "opened", store)
    yield from append(opened)
    posted = 0
    if listening := (yield from webhooks.listeners(account_id)):
        yield Statement("update stores set webhooks = $2 where id = $1", (store_id, listening))
        posted = yield from posts.tell(listening, opened, "opened")
    shown = yield from codes.show(store_id, 2, hash_of, now_ms, code_until_ms)
    return Change(store, (opened, *shown.events), 0, posted)


def _keep_quiet(store_id: str, hours: str) -> Operation[None]:
    """From now on; empty: never."""
    if hours:
        yield Statement(
            "insert into quiet_hours (store_id, hours) values ($1, $2) on conflict (store_id) do update set hours = excluded.hours",
            (store_id, hours),
        )
    else:
        yield Statement("delete from quiet_hours where store_id = $1", (store_id,))


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _add_queue(store_id: str, letter: str, queue: NewQueue) -> Operation[Queue]:
    yield Statement(
        "insert into queues (store_id, id, name, waiting_text, end_text, logo, logo_version) values ($1, $2, $3, $4, $5, $6, $7)",
        (store_id, letter, queue.name, queue.waiting_text, queue.end_text, queue.logo, queue.logo_version),
    )
    return Queue(letter, queue.name, queue.waiting_text, queue.end_text, False, 0, queue.logo_version)


def template(account_id: str) -> Operation[NewStore | None]:
    """What the account's last store was opened with, and edited to."""
    found = yield Statement("select template from accounts where id = $1", (account_id,))
    return msgspec.json.decode(found[0][0], type=NewStore) if found and found[0][0] else None


def owned(store_id: str, account_id: str) -> Operation[Store]:
    """A store, for its owner only.

    Raises:
        NotAllowed: it is somebody else's.
        StoreNotFound
    """
    store = yield from one(store_id)
    if store.account_id != account_id:
        raise NotAllowed("This belongs to another account. Sign in with the one it belongs to.")
    return store


def one(store_id: str) -> Operation[Store]:
    """A store in any state.

    Raises:
        StoreNotFound: there is no such store.
    """
    if not store_id.isprintable():  # a text that not every database takes
        raise StoreNotFound
    found = yield Statement(f"select {rows.STORE} from stores where id = $1", (store_id,))
    if not found:
        raise StoreNotFound
    return rows.store(found[0])


def of_account(account_id: str) -> Operation[Store | None]:
    """The account's open store; else its newest that is not purged."""
    found = yield Statement(
        f"select {rows.STORE} from stores where account_id = $1 and state <> 'purged'"
        " order by case when state = 'open' then 0 else 1 end, opened_ms desc limit 1",
        (account_id,),
    )
    return rows.store(found[0]) if found else None


def edit(store_id: str, account_id: str, change: StoreChange, now_ms: int) -> Operation[Change]:
    """Change a store and its queues, all or nothing; what is changed is also kept for the account's next store.

    Raises:
        QueueNotFound: an edited queue is none of the store's.
        Conflict: there would be more than 26 queues.
        NotAllowed, StoreClosed, StoreNotFound
    """
    yield from owned(store_id, account_id)
    wants = change.name, change.description, change.accent, change.almost_at, change.board_code, change.ladder, change.quiet_hours
    own = any(want is not None for want in wants)
    count = int(own) + len(change.queues) + len(change.add_queues)
    if not count:
        return Change(None)
    taken = yield from take(store_id, count)
    seq, events = taken.first_seq, list[Event]()
    if own:
        if change.quiet_hours is not None:
            yield from _keep_quiet(store_id, change.quiet_hours)
        found = yield Statement(
            "update stores set name = coalesce($2, name), description = coalesce($3, description), accent = coalesce($4, accent),"
            f" almost_at = coalesce($5, almost_at), board_code = coalesce($6, board_code), ladder = coalesce($7, ladder) where id = $1 returning {rows.STORE}",
            (store_id, *wants[:4], None if change.board_code is None else int(change.board_code), change.ladder),
        )
        events.append(store_event(seq, now_ms, "store_changed", rows.store(found[0])))
    for queue in change.queues:
        found = yield Statement(
            "update queues set name = coalesce($3, name), waiting_text = coalesce($4, waiting_text), end_text = coalesce($5, end_text),"
            " paused = coalesce($6, paused), logo = coalesce($7, logo), logo_version = coalesce($8, logo_version)"
            f" where store_id = $1 and id = $2 returning {rows.QUEUE}",
            (
                store_id,
                queue.id,
                queue.name,
                queue.waiting_text,
                queue.end_text,
                None if queue.paused is None else int(queue.paused),
                queue.logo,
                queue.logo_version,
            ),
        )
        if not found:
            raise QueueNotFound(field="queues")
        events.append(queue_event(store_id, seq + len(events), now_ms, "queue_changed", rows.queue(found[0])))
    letters = yield from _free_letters(store_id)
    if len(change.add_queues) > len(letters):
        raise Conflict("A store can have 26 queues at most.", field="add_queues")
    for letter, draft in zip(letters, change.add_queues, strict=False):
        queue_made = yield from _add_queue(store_id, letter, draft)
        events.append(queue_event(store_id, seq + len(events), now_ms, "queue_added", queue_made))
    for event in events:
        yield from append(event)
    alike = yield Statement("select 1 from queues where store_id = $1 group by lower(name) having count(*) > 1", (store_id,))
    if alike:
        raise Conflict("Two queues would have the same name. Give each its own, so that guests can tell them apart.", field="queues")
    yield from _remember(store_id)
    return Change(None, tuple(events))


def _free_letters(store_id: str) -> Operation[str]:
    taken = yield Statement("select id from queues where store_id = $1", (store_id,))
    used = {row[0] for row in taken}
    return "".join(letter for letter in _LETTERS if letter not in used)


def _remember(store_id: str) -> Operation[None]:
    store = yield from one(store_id)
    lines = yield Statement(
        "select name, waiting_text, end_text, logo, logo_version from queues where store_id = $1 order by id", (store_id,)
    )
    new = NewStore(
        store.name,
        store.description,
        store.timezone,
        store.accent,
        store.almost_at,
        store.board_code,
        [NewQueue(*line) for line in lines],
        store.ladder,
        store.quiet_hours,
    )
    yield Statement("update accounts set template = $2 where id = $1", (store.account_id, msgspec.json.encode(new).decode()))


def close(store_id: str, now_ms: int) -> Operation[Change]:
    """Take nothing any more, from this moment. `value` is the store.

    Raises:
        StoreClosed: it is closed already.
        StoreNotFound
    """
    taken = yield from take(store_id, 1)
    found = yield Statement(
        f"update stores set state = 'closing', closed_ms = $2 where id = $1 and state = 'open' returning {rows.STORE}", (store_id, now_ms)
    )
    change = yield from moved(found, taken.first_seq, now_ms)
    posted = (yield from posts.tell(taken.webhooks, change.events[0], "closed")) if taken.webhooks else 0
    return Change(change.value, change.events, 0, posted)


def step(store_id: str, before: StoreState, after: StoreState, now_ms: int) -> Operation[Change]:
    """Take a closing store one state further, once. `value` is the store, None when it was not in the state `before`."""
    found = yield Statement(
        f"update stores set state = $3, seq = seq + 1 where id = $1 and state = $2 returning {rows.STORE}",
        (store_id, before.value, after.value),
    )
    if not found:
        return Change(None)
    return (yield from moved(found, rows.store(found[0]).seq, now_ms))


def moved(found: Sequence[Row], seq: int, now_ms: int) -> Operation[Change]:
    store = rows.store(found[0])
    event = store_event(seq, now_ms, store.state.value, store)
    yield from append(event)
    return Change(store, (event,))


def due(now_ms: int, limit: int) -> Operation[list[str]]:
    """Open stores whose time is over."""
    found = yield Statement(
        "select id from stores where state = 'open' and closes_ms <= $1 order by closes_ms limit $2",
        (now_ms, limit),
    )
    return [row[0] for row in found]


def unfinished() -> Operation[list[str]]:
    """Stores that began to close and are not purged yet."""
    found = yield Statement("select id from stores where state in ('closing', 'reported', 'settled') order by closes_ms", ())
    return [row[0] for row in found]


def next_close_ms() -> Operation[int | None]:
    """When the next open store closes by itself."""
    found = yield Statement("select min(closes_ms) from stores where state = 'open'", ())
    return found[0][0] if found else None


def logo(store_id: str, queue_id: str) -> Operation[tuple[str, str] | None]:
    """A queue's logo as a data: URL, and its version."""
    found = yield Statement("select logo, logo_version from queues where store_id = $1 and id = $2", (store_id, queue_id))
    return (found[0][0], found[0][1]) if found and found[0][0] else None
