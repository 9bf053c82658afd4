"""Real servers for the tests: one in the test's own loop, one as a process, and a client that speaks raw bytes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import hypercorn
import msgspec
from hypercorn.asyncio import serve as hypercorn_serve
from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

from realtime.server.listener import listen
from realtime.server.run import Server, make_server
from realtime.settings import Settings
from tests.server.app import LiveApp

DEFAULTS = Settings.defaults(port=0)
ROOT = Path(__file__).parents[2]
HEAD = (
    b"GET /live HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(b"k" * 16) + b"\r\n"
)


class Place:
    """Where an application is served in this loop, by whichever server."""

    def __init__(self, app: LiveApp, port: int) -> None:
        self.app = app
        self.port = port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live"


class Running(Place):
    """Our own server."""

    def __init__(self, app: LiveApp, server: Server, port: int) -> None:
        super().__init__(app, port)
        self.server = server


@asynccontextmanager
async def running(*, extension: bool = True, **changes: Any) -> AsyncIterator[Running]:
    """Serves a LiveApp on a free port; without the extension, with uvicorn's own WebSockets."""
    settings = msgspec.structs.replace(DEFAULTS, **changes)
    app = LiveApp(settings)
    server = make_server(app, settings, app)
    if not extension:
        server.config.ws = "websockets-sansio"
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    task = asyncio.create_task(server.serve([listener]))
    await until(lambda: server.started or task.done())
    try:
        yield Running(app, server, port)
    finally:
        app.release.set()
        server.should_exit = True
        await task


@asynccontextmanager
async def on_hypercorn(**changes: Any) -> AsyncIterator[Place]:
    """Serves a LiveApp on a free port with a server that knows nothing of ours."""
    settings = msgspec.structs.replace(DEFAULTS, **changes)
    app, over = LiveApp(settings), asyncio.Event()
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    config = hypercorn.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.websocket_max_message_size = settings.max_frame_bytes
    config.graceful_timeout = config.shutdown_timeout = 1
    config.errorlog = logging.getLogger("hypercorn.error")
    task = asyncio.create_task(hypercorn_serve(cast(Any, app), config, shutdown_trigger=over.wait))
    try:
        yield Place(app, port)  # it listens already; who comes before it is ready is kept waiting
    finally:
        app.release.set()
        over.set()
        await task


@contextmanager
def process(make: str = "make", **changes: Any) -> Iterator[tuple[subprocess.Popen[bytes], int, Callable[[], str]]]:
    """Serves tests.server.app in a process of its own. Yields it, its port, and a function that returns its log so far."""
    code = (
        "import json, sys; from realtime import logs; from realtime.settings import Settings; from realtime.server.run import serve\n"
        "if __name__ == '__main__':\n"
        "    logs.configure('info'); sys.exit(serve(sys.argv[1], Settings.defaults(**json.loads(sys.argv[2]))))"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, f"tests.server.app:{make}", json.dumps({"port": 0, **changes})]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT, env=environ)
    assert server.stderr is not None
    os.set_blocking(server.stderr.fileno(), False)
    written = bytearray()

    def log() -> str:
        with contextlib.suppress(BlockingIOError, ValueError):  # nothing new; closed, as the process has ended
            while part := os.read(server.stderr.fileno(), 65_536):  # type: ignore[union-attr]  # asserted above
                written.extend(part)
        return written.decode()

    try:
        deadline = time.monotonic() + 20
        while (found := re.search(r"nowserving is at http://127\.0\.0\.1:(\d+)", log())) is None:
            if server.poll() is not None or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        yield server, int(found[1]) if found else 0, log
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGKILL)
        server.wait()
        log()
        server.stderr.close()


async def messages(client: ClientConnection, count: int) -> list[str]:
    """So many messages, however many of them come in one text."""
    found: list[str] = []
    while len(found) < count:
        found += str(await client.recv()).split("\n")
    return found


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Waits until something is so. Raises: TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


class Raw:
    """A WebSocket client that sends what it is told to, right or wrong."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, opcode: int, payload: bytes, *, fin: bool = True) -> None:
        head = bytes([(0x80 if fin else 0) | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        elif len(payload) < 65_536:
            head += b"\xfe" + len(payload).to_bytes(2, "big")
        else:
            head += b"\xff" + len(payload).to_bytes(8, "big")
        self.writer.write(head + b"\0\0\0\0" + payload)  # masked with zeros

    async def frame(self) -> Frame:
        """The next frame from the server."""
        async with asyncio.timeout(20):
            first, size = await self.reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return Frame(Opcode(first & 0x0F), await self.reader.readexactly(size), fin=bool(first & 0x80))

    async def close_code(self) -> int:
        """The code of the server's close frame, whatever comes before it."""
        while (frame := await self.frame()).opcode is not Opcode.CLOSE:
            pass
        return int.from_bytes(bytes(frame.data[:2]), "big")

    async def ended(self) -> None:
        """Waits until the server has ended the connection."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                while await self.reader.read(65_536):
                    pass


@asynccontextmanager
async def raw(port: int, *, head: bytes = HEAD, behind: bytes = b"", receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """Opens a raw WebSocket, with what is to come `behind` the head in one piece; with a small receive buffer, one that soon takes no more."""
    client = socket.socket()
    client.setblocking(False)
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    limit = 2**16 if receive_buffer is None else 1024  # asyncio reads on until twice this much waits to be looked at
    reader, writer = await asyncio.open_connection(sock=client, limit=limit)
    try:
        writer.write(head + b"\r\n" + behind)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in answer, answer
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def http(port: int, request: bytes) -> bytes:
    """Sends raw bytes and returns everything that comes back until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.transport.abort()
