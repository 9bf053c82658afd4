"""`/live`: the handshake of the live socket, and the sweep that ends sockets which may not stay."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from realtime.errors import InvalidInput, NowServingError, Restarting
from realtime.protocol import SUBPROTOCOL
from realtime.server import sinks
from realtime.sink import Handler, Sink
from realtime.web import problems
from realtime.web.addresses import header
from realtime.web.context import Context
from realtime.web.problems import CrossSite
from realtime.web.session import Session

TURN_SECONDS = 1.0
SWEEP_TURNS = 5
SLICE = 500
"""Sockets that are looked at before other work of the loop gets its turn."""


class Sockets:
    """The ASGI application behind `/live`.

    A browser says by Origin which page opens the socket; only our own may (403 before the handshake is accepted). Programs
    send no Origin; they are let in, for what a socket may hear depends on the token in its first message alone.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.sessions: set[Session] = context.sessions
        """Every socket of this process that was handed over."""
        self._strangers: deque[Session] = deque()
        """Those that came last, in the order in which they came; some have signed in since."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        await receive()
        if refusal is not None:
            await _refuse(refusal, scope, send)
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        # Nothing of the handshake goes along but the address: a scope is 6 KiB, and a socket lives for hours.
        base = self._context.public_base(scope)
        handler: Callable[[Sink], Handler] = partial(self._begin, base)
        await sinks.hand_over(scope, receive, send, handler, max_bytes=self._context.settings.max_frame_bytes)

    def _begin(self, base: str, sink: Sink) -> Session:
        session = Session(self._context, base, self.sessions, sink)
        self._strangers.append(session)
        return session

    def _refusal(self, scope: Scope) -> NowServingError | None:
        origins = [value.decode("latin-1") for key, value in scope["headers"] if key == b"origin"]
        if origins and not (len(origins) == 1 and self._context.own_origin(origins[0], scope)):
            return CrossSite()
        if header(scope, b"sec-fetch-site") not in {None, "same-origin", "none"}:
            return CrossSite()
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            return InvalidInput(f"Ask for the subprotocol {SUBPROTOCOL}.", field="Sec-WebSocket-Protocol")
        return None if self._context.lifecycle.ready else Restarting()

    async def sweep(self) -> None:
        """Ends sockets that do not sign in, or whose sign-in has run out. Runs until it is cancelled."""
        while True:
            for _ in range(SWEEP_TURNS):
                await asyncio.sleep(TURN_SECONDS)
                self.look_at_strangers()
            await self.look()

    def look_at_strangers(self) -> None:
        """Looks at those sockets whose time to sign in is over, and at no others."""
        now, now_ms = self._context.clock(), self._context.now_ms()
        while self._strangers and self._strangers[0].sign_in_by <= now:
            self._strangers.popleft().look(now, now_ms)

    async def look(self) -> None:
        """Looks at every socket once."""
        now, now_ms = self._context.clock(), self._context.now_ms()
        for count, session in enumerate(list(self.sessions), 1):
            session.look(now, now_ms)
            if count % SLICE == 0:
                await asyncio.sleep(0)


async def _refuse(error: NowServingError, scope: Scope, send: Send) -> None:
    """Answers the handshake with a problem document, or, on servers that cannot, with a refusal without words (403)."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": error.close_code or 4403, "reason": error.message})
        return
    body = msgspec.json.encode(problems.problem(error))
    headers: dict[str, Any] = {**problems.headers(error), "Content-Type": problems.MEDIA_TYPE, "Content-Length": str(len(body))}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": raw})
    await send({"type": "websocket.http.response.body", "body": body})
