"""The HTTP API of codes and tickets: scan, join, look, leave; and for the staff call, serve, add and hand out."""

from __future__ import annotations

from msgspec import Struct
from starlette.responses import Response

from realtime import messages
from realtime.errors import (
    CodeExpired,
    CodeUsed,
    Conflict,
    NobodyWaiting,
    QueueNotFound,
    QueuePaused,
    Refused,
    StoreClosed,
    StoreNotFound,
    TicketNotFound,
    WrongState,
)
from realtime.protocol import Seen
from realtime.web.endpoint import Auth, Call, Endpoint
from realtime.web.held import labelled, shown


class TicketLink(Struct, frozen=True):
    link: str
    """Address of the ticket's own page, with its secret."""
    svg: str
    """A QR code of the link."""


async def scan(call: Call[messages.ScanCode]) -> Response:
    call.quota = call.context.limits.join(call.client)
    tickets = call.cookies.read_tickets(call.scope)
    return call.answer(await call.context.reception.scan(call.path["code"], call.body, tickets, base=call.public_base))


async def join(call: Call[messages.Join]) -> Response:
    call.quota = call.context.limits.join(call.client)
    joined = await call.context.reception.join(call.body, call.idempotency_key, base=call.public_base, languages=call.languages)
    cookies = call.cookies
    held = cookies.read_tickets(call.scope)
    cookie = cookies.set_tickets([ticket.token for ticket in joined.tickets], held, call.context.ticket_seconds)
    return call.answer(joined, [cookie])


async def own(call: Call[None]) -> Response:
    _, ticket = await shown(call.context.reception, call.tickets, call.public_base)
    return call.answer(ticket)


async def leave(call: Call[None]) -> Response:
    token, _ = await shown(call.context.reception, call.tickets, call.public_base)
    await call.context.reception.leave(token)
    return call.answer()


async def seen(call: Call[Seen]) -> Response:
    token, _ = await shown(call.context.reception, call.tickets, call.public_base)
    await call.context.reception.seen(token, call.body.called_ms)
    return call.answer()


async def trade(call: Call[messages.TradeTicket]) -> Response:
    call.quota = call.context.limits.use_link(call.client)
    tokens = call.cookies.read_tickets(call.scope)
    if call.body.label:
        token = await labelled(call.context.reception, tokens, call.body.label, call.public_base)
    else:
        token = call.body.token
        await call.context.reception.own_ticket(token, base=call.public_base)
    return call.answer(cookies=[call.cookies.set_tickets([token], tokens, call.context.ticket_seconds)])


async def call_next(call: Call[messages.CallNext]) -> Response:
    where = call.path["store_id"], call.path["queue"]
    return call.answer(await call.context.reception.call_next(call.account_id, *where, call.body, call.idempotency_key))


async def change(call: Call[messages.ChangeTicket]) -> Response:
    which = call.path["store_id"], call.path["ticket"]
    return call.answer(await call.context.reception.change_ticket(call.account_id, *which, call.body))


async def walk_in(call: Call[messages.WalkIn]) -> Response:
    added = await call.context.reception.walk_in(
        call.account_id, call.path["store_id"], call.body, call.idempotency_key, base=call.public_base
    )
    return call.answer(added)


async def ticket_link(call: Call[None]) -> Response:
    link, svg = await call.context.reception.ticket_link(call.account_id, call.path["store_id"], call.path["ticket"], base=call.public_base)
    return call.answer(TicketLink(link, svg))


TAG = "Ticket"
STAFF = "Counter"
_STORE = "/v1/stores/{store_id}"
_MINE = (StoreNotFound, StoreClosed)
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/codes/{code}/scan", "Scan a code: it is this phone's now, and the next one is shown", TAG, scan,
        request=messages.ScanCode, response=messages.ScannedCode, errors=(CodeUsed, CodeExpired, StoreClosed, StoreNotFound), limited=True,
    ),
    Endpoint(
        "POST", "/v1/tickets", "Join the line with a scanned code, up to five parties at once", TAG, join,
        request=messages.Join, response=messages.Joined, status=201, idempotent=True, sets_cookie=True, limited=True,
        errors=(CodeUsed, CodeExpired, QueuePaused, QueueNotFound, StoreClosed, StoreNotFound, Refused, Conflict),
    ),
    Endpoint(
        "GET", "/v1/ticket", "The caller's own ticket", TAG, own, auth=Auth.TICKET, response=messages.OwnTicket, errors=(TicketNotFound,)
    ),
    Endpoint("DELETE", "/v1/ticket", "Leave the line", TAG, leave, auth=Auth.TICKET, status=204, errors=(TicketNotFound, WrongState, StoreClosed)),
    Endpoint(
        "POST", "/v1/ticket/seen", "Say that the page shows a call; one that was seen before, or is over, changes nothing", TAG, seen,
        auth=Auth.TICKET, request=Seen, status=204, errors=(TicketNotFound, StoreClosed),
    ),
    Endpoint(
        "POST", "/v1/ticket/trade", "Trade the secret of a ticket's link for a cookie", TAG, trade,
        request=messages.TradeTicket, status=204, errors=(TicketNotFound,), sets_cookie=True, limited=True,
    ),
    Endpoint(
        "POST", _STORE + "/queues/{queue}/call-next", "Call whoever stands first; two at once call two", STAFF, call_next,
        auth=Auth.OWNER, request=messages.CallNext, response=messages.OwnerTicket, idempotent=True,
        errors=(*_MINE, QueueNotFound, NobodyWaiting, Conflict),
    ),
    Endpoint(
        "PATCH", _STORE + "/tickets/{ticket}", "Call, recall, serve, finish, return or remove a ticket", STAFF, change,
        auth=Auth.OWNER, request=messages.ChangeTicket, response=messages.OwnerTicket, errors=(*_MINE, TicketNotFound, WrongState),
    ),
    Endpoint(
        "POST", _STORE + "/tickets", "Add a party that stands at the counter", STAFF, walk_in,
        auth=Auth.OWNER, request=messages.WalkIn, response=messages.WalkedIn, status=201, idempotent=True,
        errors=(*_MINE, QueueNotFound, QueuePaused, Refused, Conflict),
    ),
    Endpoint(
        "GET", _STORE + "/tickets/{ticket}/link", "The link of a ticket's own page, with its QR code", STAFF, ticket_link,
        auth=Auth.OWNER, response=TicketLink, errors=(*_MINE, TicketNotFound),
    ),
)  # fmt: skip
