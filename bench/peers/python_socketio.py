"""The peer python-socketio: its asynchronous server under uvicorn, every message emitted to everybody."""

from __future__ import annotations

import asyncio

import socketio
import uvicorn
import uvloop

from bench.peers import control
from realtime.server.listener import allow_files, listen


async def main() -> None:
    allow_files()
    server = socketio.AsyncServer(async_mode="asgi", ping_interval=600, ping_timeout=600)
    connected: set[str] = set()
    tasks: set[asyncio.Task[None]] = set()

    @server.event
    async def connect(sid: str, environ: object) -> None:
        connected.add(sid)

    @server.event
    async def disconnect(sid: str, reason: object) -> None:
        connected.discard(sid)

    async def tell(number: int) -> None:
        for _ in range(number):
            await server.emit("m", control.message().decode())

    def publish(number: int) -> None:
        task = asyncio.get_running_loop().create_task(tell(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    app = socketio.ASGIApp(server)
    config = uvicorn.Config(app, ws_per_message_deflate=False, ws_ping_interval=None, lifespan="off", log_config=None, access_log=False)
    listener = listen("127.0.0.1", 0)
    orders = await control.listen(publish, lambda: len(connected))
    print(listener.getsockname()[1], control.port_of(orders), flush=True)
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    uvloop.run(main())
