"""The servers that the fan-out figures compare, each in a process of its own: `python -m bench.fanout_server extension|send_text`.

Prints two ports: sockets, and control. On control, every "p" publishes one 128-byte message; "c" asks for the CPU time used, "n" for the number of sockets.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bench.load import TEXT
from realtime.hub import Hub
from realtime.server.listener import allow_files, listen
from realtime.server.pings import PingWheel
from realtime.server.sinks import hand_over
from realtime.server.wire import FanoutProtocol
from realtime.sink import Sink


class Control(asyncio.Protocol):
    """Turns bytes on the control connection into publications."""

    def __init__(self, publish: Callable[[int], None], count: Callable[[], int]) -> None:
        self._publish = publish
        self._count = count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if publications := data.count(b"p"):
            self._publish(publications)
        if b"c" in data:
            used = resource.getrusage(resource.RUSAGE_SELF)
            self._transport.write(b"%d\n" % int((used.ru_utime + used.ru_stime) * 1_000_000))
        if b"n" in data:
            self._transport.write(b"%d\n" % self._count())


class Listener:
    """A subscriber that never says anything."""

    __slots__ = ("_hub", "_pings", "_sink")

    def __init__(self, hub: Hub, pings: PingWheel, sink: Sink) -> None:
        self._hub = hub
        self._sink = sink
        self._pings = pings
        pings.add(sink)
        hub.subscribe("line", sink).start(b"")

    def on_text(self, text: str) -> None:
        self._pings.answered(self._sink)

    def on_close(self) -> None:
        self._hub.drop(self._sink)
        self._pings.drop(self._sink)


def extension(window_ms: float) -> tuple[ASGIApp, Callable[[int], None], Callable[[], int]]:
    """Hub and fan-out extension, as the product has them."""

    async def snapshot(topic: str) -> bytes:
        return b"{}"

    hub = Hub(soft_bytes=65_536, hard_bytes=262_144, max_age_s=15, window_ms=window_ms, snapshot=snapshot)
    pings = PingWheel(ping_seconds=600, pong_seconds=600)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await hand_over(scope, receive, send, lambda sink: Listener(hub, pings, sink), max_bytes=4096)

    def publish(number: int) -> None:
        for _ in range(number):
            hub.publish("line", TEXT)

    return app, publish, lambda: hub.subscribers("line")


def send_text() -> tuple[ASGIApp, Callable[[int], None], Callable[[], int]]:
    """What a Starlette application does without: `send_text` to every socket."""
    sockets: set[WebSocket] = set()
    tasks: set[asyncio.Task[None]] = set()
    text = TEXT.decode()

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        sockets.add(socket)
        try:
            async for _ in socket.iter_text():
                pass
        finally:
            sockets.discard(socket)

    async def tell(number: int) -> None:
        for _ in range(number):
            for socket in list(sockets):
                await socket.send_text(text)

    def publish(number: int) -> None:
        task = asyncio.get_running_loop().create_task(tell(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return Starlette(routes=[WebSocketRoute("/live", live)]), publish, lambda: len(sockets)


async def main(kind: str, window_ms: float) -> None:
    allow_files()
    app, publish, count = extension(window_ms) if kind == "extension" else send_text()
    config = uvicorn.Config(
        app,
        ws=FanoutProtocol if kind == "extension" else "websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        interface="asgi3",
    )
    listener = listen("127.0.0.1", 0)
    control = await asyncio.get_running_loop().create_server(lambda: Control(publish, count), "127.0.0.1", 0)
    print(listener.getsockname()[1], control.sockets[0].getsockname()[1], flush=True)
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 25))
