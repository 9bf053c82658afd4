"""Sinks on any ASGI server: hands an accepted socket to its handler, through the fan-out extension or, without it, through `send`."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from realtime.counts import LOST
from realtime.errors import TooLarge
from realtime.frames import CLOSE, TEXT, close_frame, split
from realtime.server.live import CLOSE_SECONDS, PAUSE_BYTES
from realtime.server.wire import EXTENSION
from realtime.sink import Handler, Sink, close_for

log = logging.getLogger(__name__)


async def hand_over(scope: Scope, receive: Receive, send: Send, handler_factory: Callable[[Sink], Handler], *, max_bytes: int) -> None:
    """Gives an accepted socket to its handler. Returns at once where the server has the extension, otherwise when the socket has ended.

    `max_bytes` is the largest message that is taken; with the extension it is uvicorn's `ws_max_size` that says so.
    """
    fanout = scope.get("extensions", {}).get(EXTENSION)
    if fanout is not None:
        fanout(handler_factory)
        return
    sink = SendSink()
    handler = handler_factory(sink)
    code = LOST
    try:
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(sink.send_all(send))
            reader = group.create_task(_read(receive, sink, handler, max_bytes))
            sink.on_abort = reader.cancel
            reader.add_done_callback(lambda _: writer.cancel())
        if not reader.cancelled():
            code = reader.result()
    finally:
        sink.ended()
        handler.on_close(sink.code or code)


class SendSink:
    """A sink with a queue and a task, because `send` takes one message and may wait. Dearer than a LiveSocket, the same to its users."""

    __slots__ = ("_buffered", "_deadline", "_open", "_queue", "_room", "_work", "code", "on_abort")
    fd = -1

    def __init__(self) -> None:
        self._queue: deque[tuple[int, bytes]] = deque()
        self._buffered = 0
        self._open = True
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._deadline: asyncio.TimerHandle | None = None
        self.code = 0
        """With what it was closed from here; 0 while it was not."""
        self.on_abort: Callable[[], object] = lambda: None

    def write(self, data: bytes) -> None:
        if self._open:
            self._put(data)

    def buffered_bytes(self) -> int:
        return self._buffered

    def close(self, code: int, reason: str = "") -> None:
        if self._open:
            self._put(close_frame(code, reason))
            self._open = False
            self.code = code
            self._room.set()
            self._deadline = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)

    def abort(self) -> None:
        self.ended()
        self.on_abort()

    def ended(self) -> None:
        """Nothing is sent any more."""
        self._open = False
        self._queue.clear()
        self._buffered = 0
        self._room.set()
        if self._deadline is not None:
            self._deadline.cancel()

    @property
    def open(self) -> bool:
        return self._open

    async def room(self) -> None:
        """Waits until the client has read most of what was written to it."""
        await self._room.wait()

    async def send_all(self, send: Send) -> None:
        """Sends what is queued, in order, until the close frame or the end of the socket."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue:
                opcode, payload = self._queue[0]
                try:
                    if opcode == TEXT:
                        await send({"type": "websocket.send", "text": payload.decode()})
                    elif opcode == CLOSE:
                        await send(
                            {"type": "websocket.close", "code": struct.unpack_from("!H", payload)[0], "reason": payload[2:].decode()}
                        )
                        return
                except Exception:  # noqa: BLE001 - each server says in its own way that the client has gone
                    self.abort()
                    return
                if self._queue:
                    self._queue.popleft()
                    self._buffered -= len(payload)
                if self._buffered <= PAUSE_BYTES // 2:
                    self._room.set()

    def _put(self, data: bytes) -> None:
        for opcode, payload in split(data):
            self._queue.append((opcode, payload))
            self._buffered += len(payload)
        if self._buffered > PAUSE_BYTES:
            self._room.clear()
        self._work.set()


async def _read(receive: Receive, sink: SendSink, handler: Handler, max_bytes: int) -> int:
    """Hands on what comes, until the client has gone: the code with which it did."""
    while True:
        await sink.room()
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return int(message.get("code") or LOST)
        text = message.get("text")
        if not sink.open:
            continue
        if text is None:
            sink.close(1003, "Send JSON text; this socket reads no binary messages.")
        elif len(text.encode()) > max_bytes:
            close_for(sink, TooLarge)
        else:
            try:
                handler.on_text(text)
            except Exception:
                log.exception("A socket's handler failed; the socket is closed.")
                sink.close(1011, "Something went wrong on our side. Please connect again.")
