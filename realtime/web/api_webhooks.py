"""The HTTP API of webhooks: where an account's events are posted to, and how that went."""

from __future__ import annotations

from starlette.responses import Response

from realtime import webhook_messages as messages
from realtime.errors import Conflict, NotFound
from realtime.web.endpoint import Auth, Call, Endpoint


async def make(call: Call[messages.NewWebhook]) -> Response:
    return call.answer(await call.context.webhooks.make(call.account_id, call.body))


async def every(call: Call[None]) -> Response:
    return call.answer(await call.context.webhooks.every(call.account_id))


async def one(call: Call[None]) -> Response:
    return call.answer(await call.context.webhooks.one(call.account_id, call.path["webhook"]))


async def edit(call: Call[messages.EditWebhook]) -> Response:
    return call.answer(await call.context.webhooks.edit(call.account_id, call.path["webhook"], call.body))


async def remove(call: Call[None]) -> Response:
    await call.context.webhooks.remove(call.account_id, call.path["webhook"])
    return call.answer()


async def secret(call: Call[None]) -> Response:
    return call.answer(await call.context.webhooks.secret(call.account_id, call.path["webhook"]))


async def rotate(call: Call[messages.RotateSecret]) -> Response:
    return call.answer(await call.context.webhooks.rotate(call.account_id, call.path["webhook"], call.body))


async def ping(call: Call[None]) -> Response:
    return call.answer(await call.context.webhooks.ping(call.account_id, call.path["webhook"]))


async def posts(call: Call[None]) -> Response:
    return call.answer(await call.context.webhooks.posts(call.account_id, call.path["webhook"], call.query))


async def post(call: Call[None]) -> Response:
    return call.answer(await call.context.webhooks.post(call.account_id, call.path["webhook"], call.path["post"]))


async def replay(call: Call[None]) -> Response:
    return call.answer(await call.context.webhooks.replay(call.account_id, call.path["webhook"], call.path["post"]))


async def replay_all(call: Call[messages.Replay]) -> Response:
    return call.answer(await call.context.webhooks.replay_all(call.account_id, call.path["webhook"], call.body))


TAG = "Webhooks"
_ONE = "/v1/webhooks/{webhook}"
_POST = f"{_ONE}/deliveries/{{post}}"
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/webhooks", "Have events posted to an address", TAG, make,
        auth=Auth.OWNER, request=messages.NewWebhook, response=messages.MadeWebhook, status=201, errors=(Conflict,),
    ),
    Endpoint("GET", "/v1/webhooks", "The account's webhooks", TAG, every, auth=Auth.OWNER, response=list[messages.WebhookView]),
    Endpoint("GET", _ONE, "One webhook", TAG, one, auth=Auth.OWNER, response=messages.WebhookView),
    Endpoint(
        "PATCH", _ONE, "Change it, turn it on or off", TAG, edit,
        auth=Auth.OWNER, request=messages.EditWebhook, response=messages.WebhookView,
    ),
    Endpoint("DELETE", _ONE, "Delete it with its deliveries", TAG, remove, auth=Auth.OWNER, status=204, errors=(NotFound,)),
    Endpoint("GET", f"{_ONE}/secret", "What an event is checked with", TAG, secret, auth=Auth.OWNER, response=messages.WebhookSecret),
    Endpoint(
        "POST", f"{_ONE}/rotate", "A new secret or key pair; the one before signs too for a day", TAG, rotate,
        auth=Auth.OWNER, request=messages.RotateSecret, response=messages.WebhookSecret,
    ),
    Endpoint(
        "POST", f"{_ONE}/test", "Post a test there, once", TAG, ping,
        auth=Auth.OWNER, response=messages.PostView, status=202, errors=(Conflict,),
    ),
    Endpoint(
        "GET", f"{_ONE}/deliveries", "What was and will be posted there, the newest first", TAG, posts,
        auth=Auth.OWNER, query=messages.ShowPosts, response=messages.Posts,
    ),
    Endpoint("GET", _POST, "One delivery: what it says, and its attempts", TAG, post, auth=Auth.OWNER, response=messages.WholePost),
    Endpoint(
        "POST", f"{_POST}/replay", "Post it again, or now, with the same id", TAG, replay,
        auth=Auth.OWNER, response=messages.PostView, status=202, errors=(Conflict,),
    ),
    Endpoint(
        "POST", f"{_ONE}/replay", "Post again what was made in a time and has ended", TAG, replay_all,
        auth=Auth.OWNER, request=messages.Replay, response=messages.Replayed, status=202, errors=(Conflict,),
    ),
)  # fmt: skip
