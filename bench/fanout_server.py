"""The servers that the fan-out figures compare, each in a process of its own: `python -m bench.fanout_server extension|one_by_one|send_text`.

Each does what `bench/peers/control.py` says.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bench.peers import control
from realtime.hub import Hub
from realtime.server import door
from realtime.server.faults import FaultLog
from realtime.server.listener import allow_files, listen
from realtime.server.pings import PingWheel
from realtime.server.sinks import hand_over
from realtime.server.wire import Upgrade
from realtime.sink import Sink


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

    def on_close(self, code: int) -> None:
        self._hub.drop(self._sink)
        self._pings.drop(self._sink)


def extension(window_ms: float, *, batches: bool) -> tuple[ASGIApp, Callable[[int], None], Callable[[], int]]:
    """Hub and fan-out extension, as the product has them."""

    async def snapshot(topic: str) -> tuple[bytes, int]:
        return b"{}", 0

    hub = Hub(soft_bytes=65_536, hard_bytes=262_144, max_age_s=15, window_ms=window_ms, snapshot=snapshot, batches=batches)
    pings = PingWheel(ping_seconds=600, pong_seconds=600)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await hand_over(scope, receive, send, lambda sink: Listener(hub, pings, sink), max_bytes=4096)

    def publish(number: int) -> None:
        for _ in range(number):
            hub.publish("line", control.message())

    return app, publish, lambda: hub.subscribers("line")


def send_text() -> tuple[ASGIApp, Callable[[int], None], Callable[[], int]]:
    """What a Starlette application does without: `send_text` to every socket."""
    sockets: set[WebSocket] = set()
    tasks: set[asyncio.Task[None]] = set()

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
            text = control.message().decode()
            for socket in list(sockets):
                await socket.send_text(text)

    def publish(number: int) -> None:
        task = asyncio.get_running_loop().create_task(tell(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return Starlette(routes=[WebSocketRoute("/live", live)]), publish, lambda: len(sockets)


async def main(kind: str, window_ms: float) -> None:
    allow_files()
    ours = kind != "send_text"
    app, publish, count = extension(window_ms, batches=kind == "extension") if ours else send_text()
    config = uvicorn.Config(
        app,
        http=door.opened(10, FaultLog()) if ours else "httptools",
        ws=cast(Any, Upgrade) if ours else "websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        interface="asgi3",
    )
    listener = listen("127.0.0.1", 0)
    orders = await control.listen(publish, count)
    print(listener.getsockname()[1], control.port_of(orders), flush=True)
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 25))
