"""The model as its readers see it: whole stores for owners, for the public, for boards."""

from __future__ import annotations

from realtime.estimate import minutes
from realtime.events import owner_ticket, public_ticket, queue_view
from realtime.keys import Keys
from realtime.ladder import kept
from realtime.messages import CodeView, OwnerSnapshot, OwnerStoreView, OwnTicket, PublicSnapshot, StoreView
from realtime.model import Code, Store
from realtime.operations.snapshots import Own, Whole
from realtime.qr import svg


def store_view(store: Store) -> StoreView:
    return StoreView(store.id, store.name, store.description, store.timezone, store.accent, store.state, store.opened_ms, store.closes_ms)


def code_view(store_id: str, code: Code, keys: Keys, base: str) -> CodeView:
    link = f"{base}/j/{keys.code(store_id, code.number)}"
    return CodeView(code.number, code.expires_ms, link, svg(link))


def owner_snapshot(whole: Whole, keys: Keys, base: str) -> OwnerSnapshot:
    store = whole.store
    view = OwnerStoreView(
        store.id,
        store.name,
        store.description,
        store.timezone,
        store.accent,
        store.state,
        store.opened_ms,
        store.closes_ms,
        store.almost_at,
        store.board_code,
        f"{base}/board#{keys.board_token(store.account_id)}",
        kept(store.ladder),
        store.quiet_hours,
    )
    return OwnerSnapshot(
        view,
        [queue_view(store.id, queue) for queue in whole.queues],
        [owner_ticket(ticket) for ticket in whole.tickets],
        code_view(store.id, whole.code, keys, base) if whole.code else None,
    )


def public_snapshot(whole: Whole, code: CodeView | None) -> PublicSnapshot:
    return PublicSnapshot(
        store_view(whole.store),
        [queue_view(whole.store.id, queue) for queue in whole.queues],
        [public_ticket(ticket) for ticket in whole.tickets],
        code,
    )


def own_view(own: Own, live_token: str = "", topics: list[str] | None = None) -> OwnTicket:
    ticket = own.ticket
    return OwnTicket(
        store_view(own.store),
        queue_view(own.store.id, own.queue),
        ticket.id,
        ticket.label,
        ticket.state,
        ticket.desk,
        ticket.name,
        ticket.party,
        ticket.phone,
        ticket.email,
        own.ahead,
        list(minutes(own.queue.pace_ms, own.ahead)) if ticket.state == "waiting" else [],
        ticket.joined_ms,
        ticket.called_ms,
        ticket.ended_ms,
        live_token,
        topics or [],
        [],
    )
