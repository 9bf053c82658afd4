"""The HTTP API of notifications in a customer's browser: with which key to subscribe, and whom to notify."""

from __future__ import annotations

from starlette.responses import Response

from realtime import push_messages as messages
from realtime.errors import NotFound, StoreClosed, TicketNotFound, WrongState
from realtime.web.endpoint import Auth, Call, Endpoint


async def key(call: Call[None]) -> Response:
    return call.answer(call.context.push.key())


async def state(call: Call[None]) -> Response:
    return call.answer(await call.context.push.state(call.tickets))


async def subscribe(call: Call[messages.SubscribePush]) -> Response:
    call.quota = call.context.limits.subscribe(call.client)
    return call.answer(await call.context.push.subscribe(call.tickets, call.body))


async def unsubscribe(call: Call[None]) -> Response:
    await call.context.push.unsubscribe(call.tickets, call.query.id)
    return call.answer()


TAG = "Ticket"
ENDPOINTS = (
    Endpoint("GET", "/v1/push", "The key with which browsers subscribe", TAG, key, response=messages.PushKey, errors=(NotFound,)),
    Endpoint(
        "GET", "/v1/ticket/push", "Which browsers are notified of the caller's own tickets", TAG, state,
        auth=Auth.TICKET, response=messages.PushState, errors=(TicketNotFound,),
    ),
    Endpoint(
        "PUT", "/v1/ticket/push", "Notify this browser of the caller's own tickets", TAG, subscribe,
        auth=Auth.TICKET, request=messages.SubscribePush, response=messages.PushState, limited=True,
        errors=(NotFound, TicketNotFound, WrongState, StoreClosed),
    ),
    Endpoint(
        "DELETE", "/v1/ticket/push", "Notify it no more", TAG, unsubscribe,
        auth=Auth.TICKET, query=messages.WhichPush, status=204, errors=(TicketNotFound,),
    ),
)  # fmt: skip
