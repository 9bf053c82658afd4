"""The start of an application that cannot start: where the reason is known it is one sentence, and not a traceback."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime.errors import CannotStart


class Starting:
    """ASGI middleware. Starlette reports a failed start as a traceback; this waits to see what was raised."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._start(scope, receive, send) if scope["type"] == "lifespan" else self._app(scope, receive, send)

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: list[Message] = []

        async def tell(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, tell)
        except CannotStart as error:
            failed[:] = [{"type": "lifespan.startup.failed", "message": error.message}]
        finally:
            for message in failed:
                await send(message)
