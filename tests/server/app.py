"""A small application for the server's tests: echoing, publishing sockets and a few routes, as plain ASGI."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.errors import AnotherProcess
from realtime.frames import text_frame
from realtime.hub import Hub
from realtime.server.drain import disconnect_all
from realtime.server.limits import of_addresses
from realtime.server.pings import PingWheel
from realtime.server.run import Lifecycle
from realtime.server.sinks import hand_over
from realtime.settings import Settings
from realtime.sink import Handler, Sink

LINE = "line"


class Echo:
    """Answers every text, except for a few words that have a meaning."""

    def __init__(self, app: LiveApp, sink: Sink) -> None:
        self.app = app
        self.sink = sink
        self.texts: list[str] = []
        self.closed = 0
        self.code = 0

    def on_text(self, text: str) -> None:
        self.texts.append(text)
        if text == "{}":
            self.app.pings.answered(self.sink)
        elif text == "subscribe":
            self.app.hub.subscribe(LINE, self.sink).start(text_frame(b"subscribed"))
        elif text == "fail":
            raise LookupError("a handler's own fault")
        else:
            self.sink.write(text_frame(b"echo " + text.encode()))

    def on_close(self, code: int) -> None:
        self.closed += 1
        self.code = code
        self.app.hub.drop(self.sink)
        self.app.pings.drop(self.sink)


class LiveApp:
    """The application and its lifecycle in one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.hub = Hub(
            soft_bytes=settings.soft_backlog_bytes,
            hard_bytes=settings.hard_backlog_bytes,
            max_age_s=settings.max_backlog_seconds,
            window_ms=settings.flush_window_ms,
            batches=settings.batch_sends,
            snapshot=self.snapshot,
        )
        self.pings = PingWheel(ping_seconds=settings.ping_seconds, pong_seconds=settings.pong_seconds, chance=random.Random(7))
        self.ready = True
        self.handlers: list[Echo] = []
        self.connected = asyncio.Event()
        self.release = asyncio.Event()
        self.before_hand_over: asyncio.Event | None = None
        self.make_handler: Callable[[Sink], Handler] = self.echo
        self.clients: list[Any] = []
        self.stopped = False
        self.addresses = of_addresses(settings.max_sockets_per_address)

    async def snapshot(self, topic: str) -> tuple[bytes, int]:
        return text_frame(b"snapshot"), 0

    def echo(self, sink: Sink) -> Echo:
        handler = Echo(self, sink)
        self.handlers.append(handler)
        self.pings.add(sink)
        return handler

    def warm_up(self) -> None:
        pass

    def begin_drain(self) -> None:
        self.ready = False

    async def disconnect_all(self, budget_s: float) -> None:
        await disconnect_all(self.pings.sinks, budget_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "websocket":
            await self.socket(scope, receive, send)
        else:
            await self.request(scope, receive, send)

    async def lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        looks = asyncio.create_task(self.hub.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        looks.cancel()
        self.stopped = True
        await send({"type": "lifespan.shutdown.complete"})

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.clients.append(scope["client"])
        await receive()
        await send({"type": "websocket.accept"})
        self.connected.set()
        if self.before_hand_over is not None:
            await self.before_hand_over.wait()
        await hand_over(scope, receive, send, self.make_handler, max_bytes=self.settings.max_frame_bytes)

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        if scope["path"] == "/wait":
            self.connected.set()
            await self.release.wait()
        if scope["path"].startswith("/whole/"):
            answer = {"type": "realtime.answer", "status": int(scope["path"][7:]), "headers": b"x-whole: yes\r\n", "body": b"whole"}
            for _ in range(1 + (scope["query_string"] == b"twice")):
                await send(answer)
            return
        numbers = [pair for pair in scope["headers"] if pair[0] == b"x-number"]
        body = b"%d bytes, %s" % (size, b"ready" if self.ready else b"not ready")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body)), *numbers]})
        await send({"type": "http.response.body", "body": body})


def make(settings: Settings) -> tuple[ASGIApp, Lifecycle]:
    """For the runner, by import name."""
    app = LiveApp(settings)
    return app, app


def refuse_to_start(settings: Settings) -> tuple[ASGIApp, Lifecycle]:
    """An application whose lifespan fails."""

    class Broken(LiveApp):
        async def lifespan(self, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

    app = Broken(settings)
    return app, app


def cannot_start(settings: Settings) -> tuple[ASGIApp, Lifecycle]:
    """An application that fails as Starlette does, for a reason that is known."""

    class Broken(LiveApp):
        async def lifespan(self, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "Traceback (most recent call last)"})
            raise AnotherProcess

    app = Broken(settings)
    return app, app


def hang(settings: Settings) -> tuple[ASGIApp, Lifecycle]:
    """An application that never shuts down."""

    class Hanging(LiveApp):
        async def lifespan(self, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue

    app = Hanging(settings)
    return app, app
