"""The access log: one line for each request and each socket, with no query string, no secret of a path and no control character."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime.server.answer import ANSWER

log = logging.getLogger("realtime.access")

SECRETS = re.compile(r"^((?:/j|/v1/codes)/)[^/]+")
"""Paths whose next part is a join code."""
MOST_CHARACTERS = 200
_BEGINS = frozenset({"http.response.start", ANSWER})


class AccessLog:
    """ASGI middleware: `GET /v1/stores/x 200 3.1 ms`, written when the answer is complete; for a socket when it is accepted or refused."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not log.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._socket(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status: int | None = None

        def note(message: Message) -> Awaitable[None]:
            nonlocal status
            if status is None and message["type"] in _BEGINS:
                status = message["status"]
            return send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            # Nothing was answered: the client left first, or an error is on its way up, which uvicorn answers with 500.
            _write(scope["method"], scope["path"], status, began)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status: int | None = None

        async def tell(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind == "websocket.accept":
                _write("WS", scope["path"], 101, began)
                status = 101
            elif kind == "websocket.close" and status is None:
                _write("WS", scope["path"], 403, began)
                status = 403
            elif kind == "websocket.http.response.start":
                status = message["status"]
                _write("WS", scope["path"], message["status"], began)
            await send(message)

        await self._app(scope, receive, tell)


def shown(path: str) -> str:
    """A path as it may stand in a log."""
    if path.startswith(("/j/", "/v1/codes/")):
        path = SECRETS.sub(r"\1…", path)
    if len(path) > MOST_CHARACTERS:
        path = path[:MOST_CHARACTERS] + "…"
    return path if path.isprintable() else "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in path)


def _write(method: str, path: str, status: int | None, began: float) -> None:
    log.info("%s %s %s %.1f ms", method, shown(path), status or "-", (time.perf_counter() - began) * 1000)
