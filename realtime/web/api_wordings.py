"""The HTTP API of the texts for guests, and of the outbox in which messages are kept instead of sent."""

from __future__ import annotations

from starlette.responses import Response

from realtime import wording_messages as messages
from realtime.errors import Conflict, Refused, WrongState
from realtime.web.endpoint import Auth, Call, Endpoint


async def view(call: Call[None]) -> Response:
    return call.answer(await call.context.scribe.view(call.account_id))


async def write(call: Call[messages.WriteWording]) -> Response:
    return call.answer(await call.context.scribe.write(call.account_id, call.body))


async def reset(call: Call[None]) -> Response:
    await call.context.scribe.reset(call.account_id, call.query)
    return call.answer()


async def choose_language(call: Call[messages.ChooseLanguage]) -> Response:
    await call.context.scribe.set_language(call.account_id, call.body.language)
    return call.answer()


async def preview(call: Call[messages.PreviewWording]) -> Response:
    return call.answer(await call.context.scribe.preview(call.account_id, call.body, base=call.public_base))


async def send_test(call: Call[messages.TryWording]) -> Response:
    call.quota = call.context.limits.try_out(call.account_id, call.body.phone)
    await call.context.scribe.send_test(call.account_id, call.body, base=call.public_base)
    return call.answer()


async def outbox(call: Call[None]) -> Response:
    return call.answer(await call.context.outbox.of_owner(call.account_id))


async def operator_outbox(call: Call[None]) -> Response:
    return call.answer(await call.context.outbox.of_operator())


TAG = "Messages to guests"
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/wordings", "What guests are told: our texts, and those the owner wrote in their place", TAG, view,
        auth=Auth.OWNER, response=messages.WordingsView,
    ),
    Endpoint(
        "PUT", "/v1/wordings", "Write what guests are told at a moment, over a channel, in a language", TAG, write,
        auth=Auth.OWNER, request=messages.WriteWording, response=messages.WordingView, errors=(Conflict,),
    ),
    Endpoint(
        "DELETE", "/v1/wordings", "Put our text back", TAG, reset, auth=Auth.OWNER, query=messages.ResetWording, status=204,
    ),
    Endpoint(
        "PUT", "/v1/wordings/language", "Choose what guests are told whose language nobody wrote a text in", TAG, choose_language,
        auth=Auth.OWNER, request=messages.ChooseLanguage, status=204,
    ),
    Endpoint(
        "POST", "/v1/wordings/preview", "A text as a guest would get it, and how long it is", TAG, preview,
        auth=Auth.OWNER, request=messages.PreviewWording, response=messages.WordingPreview,
    ),
    Endpoint(
        "POST", "/v1/wordings/test", "Send a text to oneself", TAG, send_test,
        auth=Auth.OWNER, request=messages.TryWording, status=202, errors=(WrongState, Refused), limited=True,
    ),
    Endpoint(
        "GET", "/v1/outbox", "What was kept instead of sent, of the owner's own", TAG, outbox, auth=Auth.OWNER, response=messages.OutboxView
    ),
    Endpoint(
        "GET", "/v1/operator/outbox", "What was kept instead of sent and concerns no guest", TAG, operator_outbox,
        auth=Auth.OPERATOR, response=messages.OutboxView,
    ),
)  # fmt: skip
