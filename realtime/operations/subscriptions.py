"""Push subscriptions: the browsers in which a party asked to be notified."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.errors import WrongState
from realtime.model import LIVE, Subscription
from realtime.operations import tickets
from realtime.operations.changes import take
from realtime.storage.statement import Operation, Statement

MOST = 3
"""So many browsers are notified of one ticket; the next one takes the place of the oldest."""


def held(store_id: str, ticket_ids: Sequence[int]) -> Operation[list[int]]:
    """Those of the tickets that still exist."""
    found = []
    for ticket_id in ticket_ids:
        if (yield Statement("select 1 from tickets where store_id = $1 and id = $2", (store_id, ticket_id))):
            found.append(ticket_id)
    return found


def subscribe(store_id: str, ticket_ids: Sequence[int], subscription: Subscription, now_ms: int) -> Operation[None]:
    """Notify a browser of those of the tickets that are still in the store's hands. Doing it again changes nothing but its age.

    Raises:
        WrongState: none of them is.
        TicketNotFound, StoreClosed, StoreNotFound
    """
    yield from take(store_id, 0)
    noted = 0
    for ticket_id in ticket_ids:
        if (yield from tickets.one(store_id, ticket_id)).state not in LIVE:
            continue
        yield Statement(
            "insert into push_subscriptions (store_id, ticket_id, id, endpoint, p256dh, auth, created_ms) values ($1, $2, $3, $4, $5, $6, $7)"
            " on conflict (store_id, ticket_id, id) do update set p256dh = excluded.p256dh, auth = excluded.auth, created_ms = excluded.created_ms",
            (
                store_id,
                ticket_id,
                subscription.id,
                subscription.endpoint,
                subscription.p256dh,
                subscription.auth,
                now_ms,
            ),
        )
        yield from _note(store_id, ticket_id, subscription.id)
        noted += 1
    if not noted:
        raise WrongState("This ticket has ended, so there is nothing to notify you of.")


def forget(store_id: str, ticket_ids: Sequence[int], id_: str = "") -> Operation[int]:
    """Notify this browser of the tickets no more; without an id, no browser. Returns how many subscriptions are gone."""
    gone = 0
    # The store's row first, as whoever subscribes has it; also of a store that is closed.
    if (yield Statement("update stores set seq = seq where id = $1 returning seq", (store_id,))):
        for ticket_id in ticket_ids:
            gone += len(
                (
                    yield Statement(
                        "delete from push_subscriptions where store_id = $1 and ticket_id = $2 and ($3 = '' or id = $3) returning id",
                        (store_id, ticket_id, id_),
                    )
                )
            )
            yield from _note(store_id, ticket_id)
    return gone


def _note(store_id: str, ticket_id: int, newest: str = "") -> Operation[None]:
    """Keep the latest, and say on the ticket which they are: who composes what is owed has the ticket at hand, and nothing else."""
    found = yield Statement(
        "select id from push_subscriptions where store_id = $1 and ticket_id = $2 order by case when id = $3 then 0 else 1 end, created_ms desc, id",
        (store_id, ticket_id, newest),
    )
    for row in found[MOST:]:
        yield Statement("delete from push_subscriptions where store_id = $1 and ticket_id = $2 and id = $3", (store_id, ticket_id, row[0]))
    kept = " ".join(sorted(row[0] for row in found[:MOST]))
    yield Statement("update tickets set push = $3 where store_id = $1 and id = $2", (store_id, ticket_id, kept))


def one(store_id: str, ticket_id: int, id_: str) -> Operation[Subscription | None]:
    """A browser that is to be notified of a ticket; None when it no longer is."""
    found = yield Statement(
        "select id, endpoint, p256dh, auth from push_subscriptions where store_id = $1 and ticket_id = $2 and id = $3",
        (store_id, ticket_id, id_),
    )
    return Subscription(*found[0]) if found else None


def of_tickets(store_id: str, ticket_ids: Sequence[int]) -> Operation[list[str]]:
    """The ids of the browsers that are notified of at least one of the tickets."""
    ids: set[str] = set()
    for ticket_id in ticket_ids:
        found = yield Statement("select push from tickets where store_id = $1 and id = $2", (store_id, ticket_id))
        ids.update(*(row[0].split() for row in found))
    return sorted(ids)
