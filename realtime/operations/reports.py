"""A closed store's report, part by part, and the deletion that follows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from realtime.events import store_event
from realtime.model import Account, Delivery, MadeFile, Store, StoreState, Ticket
from realtime.operations import accounts, jobs, rows, stores
from realtime.operations.changes import Change, owe
from realtime.storage.statement import Operation, Statement


def page(store_id: str, after: int, limit: int) -> Operation[list[Ticket]]:
    """The next tickets in the order they joined."""
    found = yield Statement(
        f"select {rows.TICKET} from tickets where store_id = $1 and id > $2 order by id limit $3", (store_id, after, limit)
    )
    return [rows.ticket(row) for row in found]


def put(store_id: str, file: str, part: int, content: str) -> Operation[None]:
    """Keep one part of a report file. Making a report twice makes the same parts."""
    yield Statement(
        "insert into reports (store_id, file, part, content) select $1, $2, cast($3 as bigint), $4 where exists"
        " (select 1 from stores where id = $1 and state = 'closing')"
        " on conflict (store_id, file, part) do update set content = excluded.content",
        (store_id, file, part, content),
    )


def part(store_id: str, file: str, number: int) -> Operation[str | None]:
    found = yield Statement("select content from reports where store_id = $1 and file = $2 and part = $3", (store_id, file, number))
    return found[0][0] if found else None


class Reported(msgspec.Struct, frozen=True):
    tickets: int
    delivered: bool
    closed_ms: int


def standing(store_id: str) -> Operation[Reported]:
    """What is known of a store's report."""
    found = yield Statement("select report_tickets, delivered, closed_ms from stores where id = $1", (store_id,))
    tickets, delivered, closed_ms = found[0]
    return Reported(tickets, bool(delivered), closed_ms)


def files(store_id: str) -> Operation[list[MadeFile]]:
    """The files of a store's report, once it is made."""
    found = yield Statement(
        "select file, media_type, tickets, bytes, sha256, about from report_files where store_id = $1 order by file", (store_id,)
    )
    return [MadeFile(*row) for row in found]


Compose = Callable[[Account], Sequence[Delivery]]
"""The deliveries that a made report owes, for the owner as they are now."""


def finish(store_id: str, tickets: int, made: Sequence[MadeFile], compose: Compose, now_ms: int) -> Operation[Change]:
    """The report is made: from closing to reported, with the deliveries it owes. `value` is the store, None when that was done already.

    While the owner's address is not confirmed, deliveries that carry the report are held.
    """
    yield Statement("update stores set report_tickets = $2 where id = $1 and state = 'closing'", (store_id, tickets))
    change = yield from stores.step(store_id, StoreState.CLOSING, StoreState.REPORTED, now_ms)
    if change.value is None:
        return change
    for file in made:
        yield Statement(
            "insert into report_files (store_id, file, media_type, tickets, bytes, sha256, about) values ($1, $2, $3, $4, $5, $6, $7)",
            (store_id, file.name, file.media_type, file.tickets, file.bytes, file.sha256, file.about),
        )
    owed = yield from _owe_report(change.value, change.value.seq, compose, now_ms)
    return Change(change.value, change.events, owed)


def _owe_report(store: Store, cause: int | str, compose: Compose, now_ms: int) -> Operation[int]:
    # Who confirms the address in this moment waits, and releases what is owed here.
    account = yield from accounts.held(store.account_id)
    return (yield from owe(store.id, cause, compose(account), now_ms, hold_report=not account.confirmed))


def send_again(store_id: str, compose: Compose, now_ms: int) -> Operation[Change]:
    """Try an undelivered report again now; if nothing was owed, because nobody could carry it then, ask again who can.

    `value` is False when the store's report is not waiting to be delivered.
    """
    held = yield Statement("update stores set seq = seq where id = $1 and state = 'reported' returning seq", (store_id,))
    if not held:
        return Change(False)
    again = yield from jobs.send_again(store_id, now_ms)
    standing_ones = yield from jobs.of_report(store_id)
    if not standing_ones:
        store = yield from stores.one(store_id)
        again = yield from _owe_report(store, f"again-{now_ms}", compose, now_ms)
    return Change(True, (), again)


def settle(store_id: str, now_ms: int) -> Operation[Change]:
    """From reported to settled once every delivery of the report is done. `value` is None while one is not, or there is none."""
    open_ones = yield Statement(
        "select count(*), sum(case when state = 'done' then 1 else 0 end) from jobs where store_id = $1 and needs_report = 1", (store_id,)
    )
    total, done = open_ones[0]
    if not total or total != done:
        return Change(None)
    yield Statement("update stores set delivered = 1 where id = $1 and state = 'reported'", (store_id,))
    return (yield from stores.step(store_id, StoreState.REPORTED, StoreState.SETTLED, now_ms))


def decide(store_id: str, now_ms: int) -> Operation[Change]:
    """A person decided that the data is deleted without a delivery. `value` is None when it is not reported (any more)."""
    return (yield from stores.step(store_id, StoreState.REPORTED, StoreState.SETTLED, now_ms))


_DELETE = {
    table: f"delete from {table} where store_id = $1 and ({key}) in (select {key} from {table} where store_id = $1 limit $2) returning 1"
    for table, key in (
        ("jobs", "store_id, id"),
        ("dead_jobs", "store_id, id"),
        ("attempts", "store_id, job_id, number"),
        ("arrivals", "store_id, job_id"),
        ("arrival_messages", "store_id, message_hash"),
        ("outbox", "store_id, id"),
        ("tickets", "store_id, id"),
        ("push_subscriptions", "store_id, ticket_id, id"),
        ("codes", "store_id, number"),
        ("reports", "store_id, file, part"),
        ("answers", "store_id, key"),
        ("events", "store_id, seq"),
    )
}


def delete_some(store_id: str, limit: int) -> Operation[int]:
    """Delete some of a settled store's data; 0 when nothing is left."""
    settled = yield Statement("select 1 from stores where id = $1 and state = 'settled'", (store_id,))
    if not settled:
        return 0
    gone = 0
    for sql in _DELETE.values():
        gone += len((yield Statement(sql, (store_id, limit - gone))))
        if gone >= limit:
            break
    return gone


def purge(store_id: str, account_id: str, receipt: str) -> Operation[bool]:
    """From settled to purged, with the signed receipt. False when that was done already."""
    found = yield Statement(
        "update stores set state = 'purged', description = '', seq = seq + 1 where id = $1 and state = 'settled' returning id", (store_id,)
    )
    if not found:
        return False
    yield Statement("delete from report_files where store_id = $1", (store_id,))
    yield Statement("delete from quiet_hours where store_id = $1", (store_id,))
    yield Statement("update queues set logo = '', logo_version = '', waiting_text = '', end_text = '' where store_id = $1", (store_id,))
    yield Statement("insert into receipts (store_id, account_id, body) values ($1, $2, $3)", (store_id, account_id, receipt))
    return True


def purge_and_tell(store_id: str, account_id: str, receipt: str, now_ms: int) -> Operation[Change]:
    """The same, told to every process that has sockets of this store. Its event is kept nowhere, for all others are deleted."""
    if not (yield from purge(store_id, account_id, receipt)):
        return Change(False)
    store = yield from stores.one(store_id)
    return Change(True, (store_event(store.seq, now_ms, store.state.value, store),))


def receipt(store_id: str) -> Operation[str | None]:
    found = yield Statement("select body from receipts where store_id = $1", (store_id,))
    return found[0][0] if found else None


def receipts(account_id: str) -> Operation[list[str]]:
    """The account's receipts, newest first."""
    found = yield Statement(
        "select r.body from receipts r join stores s on s.id = r.store_id where r.account_id = $1 order by s.opened_ms desc", (account_id,)
    )
    return [row[0] for row in found]


def overview(store_id: str, account_id: str) -> Operation[tuple[Store, Reported, list[MadeFile], list[jobs.Standing], str | None]]:
    """A closing as its owner sees it, all of one moment: the store, its report, the files, their deliveries, and the receipt.

    Raises:
        NotAllowed, StoreNotFound
    """
    store = yield from stores.owned(store_id, account_id)
    known = yield from standing(store_id)
    made = yield from files(store_id)
    deliveries = yield from jobs.of_report(store_id)
    return store, known, made, deliveries, (yield from receipt(store_id))
