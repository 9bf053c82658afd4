"""Whether the process lives, and whether it can do its work: two cheap answers for whoever watches it."""

from __future__ import annotations

from msgspec import Struct
from starlette.responses import Response

from realtime.errors import Restarting, Unavailable
from realtime.web.endpoint import Call, Endpoint


class Health(Struct, frozen=True):
    status: str


async def alive(call: Call[None]) -> Response:
    return call.answer(Health("ok"))


async def ready(call: Call[None]) -> Response:
    """Not while the server starts or drains, and not while the database takes no write."""
    if not call.context.lifecycle.ready:
        raise Restarting
    await call.context.readiness.check(call.context.storage, call.context.clock)
    return call.answer(Health("ready"))


TAG = "Health"
ENDPOINTS = (
    Endpoint("GET", "/healthz", "Whether the process answers", TAG, alive, response=Health),
    Endpoint("GET", "/readyz", "Whether it can do its work now; 503 if not", TAG, ready, response=Health, errors=(Unavailable,)),
)
