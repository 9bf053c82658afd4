"""The HTTP API of the message queue, compatible with WonderQ, and of the tokens that programs use it with."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from realtime import queue_messages as messages
from realtime.errors import Conflict, NotFound
from realtime.web.endpoint import Auth, Call, Endpoint, bearer
from realtime.web.waiting import while_connected


async def make_token(call: Call[messages.NewToken]) -> Response:
    return call.answer(await call.context.programs.make_token(call.account_id, call.body))


async def tokens(call: Call[None]) -> Response:
    return call.answer(await call.context.programs.tokens(call.account_id))


async def revoke_token(call: Call[None]) -> Response:
    await call.context.programs.revoke_token(call.account_id, call.path["token_id"])
    return call.answer()


async def publish(call: Call[messages.Publish]) -> Response:
    (published,) = await call.context.messaging.publish(call.account_id, [call.body], call.idempotency_key, trace=call.trace)
    return call.answer(published)


async def publish_many(call: Call[messages.PublishMany]) -> Response:
    return call.answer(
        await call.context.messaging.publish(call.account_id, call.body.messages, call.idempotency_key, batch=True, trace=call.trace)
    )


async def consume(call: Call[None]) -> Response:
    if call.scope["method"] == "HEAD":  # nobody would see the messages
        return call.answer(messages.Messages([]))
    # A token may be revoked while somebody waits with it.
    still = partial(call.context.programs.who, bearer(call.scope) or "", "consume") if call.program else None
    consuming = call.context.messaging.consume(call.account_id, call.query, still)
    # A consumer that went away would be given messages that nobody reads.
    held = await (while_connected(call.receive, consuming) if call.query.wait and call.receive else consuming)
    return call.answer(messages.Messages(held))


async def acknowledge(call: Call[None]) -> Response:
    (consumed,) = await call.context.messaging.acknowledge(call.account_id, [call.query])
    return call.answer(consumed)


async def acknowledge_many(call: Call[messages.AcknowledgeMany]) -> Response:
    return call.answer(await call.context.messaging.acknowledge(call.account_id, call.body.messages))


async def change(call: Call[messages.Change]) -> Response:
    return call.answer(await call.context.messaging.change(call.account_id, call.body))


async def dead_letters(call: Call[None]) -> Response:
    return call.answer(await call.context.messaging.dead_letters(call.account_id, call.query))


async def redrive(call: Call[messages.Redrive]) -> Response:
    return call.answer(await call.context.messaging.redrive(call.account_id, call.body))


async def let_go(call: Call[None]) -> Response:
    await call.context.messaging.let_go(call.account_id, call.query)
    return call.answer()


TAG = "Message queue"
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/tokens", "Make a token for a program", TAG, make_token,
        auth=Auth.OWNER, request=messages.NewToken, response=messages.MadeToken, status=201, errors=(Conflict,),
    ),
    Endpoint("GET", "/v1/tokens", "The account's tokens in use", TAG, tokens, auth=Auth.OWNER, response=list[messages.TokenView]),
    Endpoint("DELETE", "/v1/tokens/{token_id}", "Revoke a token", TAG, revoke_token, auth=Auth.OWNER, status=204, errors=(NotFound,)),
    Endpoint(
        "POST", "/v1/publish", "Publish a message", TAG, publish,
        auth=Auth.PROGRAM, scope="publish", request=messages.Publish, response=messages.Published, status=201, idempotent=True,
    ),
    Endpoint(
        "POST", "/v1/publish/batch", "Publish up to 100 messages, all or none", TAG, publish_many,
        auth=Auth.PROGRAM, scope="publish", request=messages.PublishMany, response=list[messages.Published], status=201, idempotent=True,
    ),
    Endpoint(
        "GET", "/v1/consumer", "Lease messages; nobody else gets them until they are visible again", TAG, consume,
        auth=Auth.PROGRAM, scope="consume", query=messages.Consume, response=messages.Messages,
    ),
    Endpoint(
        "DELETE", "/v1/consumer", "A message was processed; false when its lease was lost", TAG, acknowledge,
        auth=Auth.PROGRAM, scope="consume", query=messages.Acknowledge, response=bool,
    ),
    Endpoint(
        "PATCH", "/v1/consumer", "Hold a message longer, or give it back; false when its lease was lost", TAG, change,
        auth=Auth.PROGRAM, scope="consume", request=messages.Change, response=bool,
    ),
    Endpoint(
        "POST", "/v1/consumer/batch", "Up to 100 messages were processed; an answer for each", TAG, acknowledge_many,
        auth=Auth.PROGRAM, scope="consume", request=messages.AcknowledgeMany, response=list[bool],
    ),
    Endpoint(
        "GET", "/v1/dead", "Messages that nobody could process, the oldest first", TAG, dead_letters,
        auth=Auth.PROGRAM, scope="consume", query=messages.ShowDead, response=messages.DeadLetters,
    ),
    Endpoint(
        "POST", "/v1/dead/redrive", "Put dead letters back into their places", TAG, redrive,
        auth=Auth.PROGRAM, scope="consume", request=messages.Redrive, response=messages.Redriven,
    ),
    Endpoint(
        "DELETE", "/v1/dead", "Delete a dead letter; its lane goes on", TAG, let_go,
        auth=Auth.PROGRAM, scope="consume", query=messages.LetGo, status=204, errors=(NotFound,),
    ),
)  # fmt: skip
