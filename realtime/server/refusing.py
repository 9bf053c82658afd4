"""A refusal that no page and no endpoint makes, of a handshake above all: a problem document, with the headers that every answer carries."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from starlette.types import Receive, Scope, Send

from realtime.errors import NowServingError
from realtime.problem import MEDIA_TYPE, problem
from realtime.server.protection import protected


async def refuse(
    error: NowServingError, scope: Scope, receive: Receive, send: Send, headers: Iterable[tuple[bytes, bytes]] = (), *, secure: bool = False
) -> None:
    """Answers a request or a handshake, after which the connection ends; where a server cannot answer a handshake, it is closed."""
    await receive()
    kind = "http" if scope["type"] == "http" else "websocket.http"
    if kind != "http" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": error.close_code or 4400, "reason": error.message})
        return
    body = msgspec.json.encode(problem(error))
    own = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body)), *headers, (b"connection", b"close")]
    await send({"type": f"{kind}.response.start", "status": error.status, "headers": protected(own, secure)})
    await send({"type": f"{kind}.response.body", "body": body})
