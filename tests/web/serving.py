"""A house behind a real server: uvicorn with the fan-out extension, or without it, on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from realtime.protocol import SUBPROTOCOL
from realtime.server import door
from realtime.server.faults import FaultLog
from realtime.server.wire import Upgrade
from tests.web.conftest import House


class Served:
    """Where it is, and sockets to it."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.live = f"ws://127.0.0.1:{port}/live"

    def connect(self, *, origin: str | None = None, subprotocol: str | None = SUBPROTOCOL, host: str = "", **headers: str) -> Any:
        """`host` is what the handshake says in place of the address that it is sent to."""
        protocols = [Subprotocol(subprotocol)] if subprotocol else None
        given = Origin(origin) if origin is not None else None
        named: dict[str, Any] = {"host": "127.0.0.1", "port": int(self.base.rpartition(":")[2]), "proxy": None} if host else {}
        uri = f"ws://{host}/live" if host else self.live
        return connect(uri, subprotocols=protocols, origin=given, additional_headers=headers, compression=None, open_timeout=10, **named)


@contextlib.asynccontextmanager
async def served(house: House, *, fanout: bool = True) -> AsyncIterator[Served]:
    config = uvicorn.Config(
        house.app,
        port=0,
        http=door.opened(10, FaultLog()),
        ws=cast(Any, Upgrade) if fanout else "websockets-sansio",
        ws_max_size=house.context.settings.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    turning = asyncio.create_task(server.main_loop())
    try:
        yield Served(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await turning
        await server.shutdown()


class Talk:
    """A client that numbers its commands and keeps what comes in between."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pushes: list[dict[str, Any]] = []
        self._number = 0
        self._lines: list[str] = []

    async def receive(self) -> dict[str, Any]:
        """The next message that is no ping."""
        while True:
            if not self._lines:
                self._lines = str(await asyncio.wait_for(self.socket.recv(), 10)).split("\n")
            message: dict[str, Any] = json.loads(self._lines.pop(0))
            if message:
                return message

    async def say(self, **verb: Any) -> dict[str, Any]:
        """Sends a command and waits for its reply."""
        self._number += 1
        await self.socket.send(json.dumps({"id": self._number, **verb}))
        while True:
            message = await self.receive()
            if message.get("id") == self._number:
                return message
            self.pushes.append(message)

    async def push(self, change: str) -> dict[str, Any]:
        """The next push of this change."""
        while True:
            for push in self.pushes:
                if push.get("change") == change:
                    self.pushes.remove(push)
                    return push
            self.pushes.append(await self.receive())

    async def closed(self) -> int:
        """The code it was closed with."""
        await asyncio.wait_for(self.socket.wait_closed(), 10)
        assert self.socket.close_code is not None
        return self.socket.close_code
