"""The sink of an event stream: what is written to it as WebSocket frames goes out as Server-Sent Events, in the answer to one request.

The format is that of the HTML standard, section 9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable

import msgspec
from starlette.types import Receive, Scope, Send

from realtime import events
from realtime.counts import LOST
from realtime.frames import texts
from realtime.protocol import PING
from realtime.server.answer import ABORT
from realtime.server.live import CLOSE_SECONDS

COMMENT = b":\n\n"
"""What stands for a ping: a line that clients skip, and that keeps proxies from ending a quiet connection."""
_DISCONNECT = re.compile(rb'\{"disconnect":.*"after_ms":(\d+)')


class EventStream:
    """A sink. Each text is one message event whose data is the same JSON as on the socket; there is nothing that comes in.

    The id of an event is `epoch:seq`: every topic of the stream that is numbered has been told up to there, so a client that comes back
    with it misses nothing and may hear something twice. Topics of single tickets are not numbered; they always begin with a whole state.
    What the connection itself holds back, about 128 KiB here and in the system, is not counted in `buffered_bytes`.

    Args:
        topics: those it will be subscribed to, all of one store.
        on_taken: called when the network has taken a ping, and all that was written before.
    """

    __slots__ = ("_at", "_buffered", "_deadline", "_epoch", "_on_taken", "_open", "_queue", "_work", "code", "on_abort")
    fd = -1

    def __init__(self, topics: Iterable[str], on_taken: Callable[[], None]) -> None:
        self._at = {topic: -1 for topic in topics if not topic.startswith("ticket/")}
        self._epoch = ""
        self._on_taken = on_taken
        self._queue: deque[bytes] = deque()
        self._buffered = 0
        self._open = True
        self._work = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self.code = LOST
        """With what it was closed; there is no goodbye from the other side."""
        self.on_abort: Callable[[], object] = lambda: None

    # ---- the sink -----------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self._open:
            for text in texts(data):
                self._put(self._event(text))

    def buffered_bytes(self) -> int:
        return self._buffered

    def close(self, code: int, reason: str = "") -> None:
        if self._open:
            self.tell("close", msgspec.json.encode({"code": code, "reason": reason}))
            self._open = False
            self.code = code
            self._work.set()
            self._deadline = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)

    def abort(self) -> None:
        self.ended()
        self.on_abort()

    # ---- the stream ---------------------------------------------------------------------------------------------

    def tell(self, name: str, text: bytes) -> None:
        """Writes an event of another name than `message`. `text` is one line."""
        if self._open:
            self._put(b"event: %b\ndata: %b\n\n" % (name.encode(), text))

    def ended(self) -> None:
        """Nothing is sent any more."""
        self._open = False
        self._queue.clear()
        self._buffered = 0
        if self._deadline is not None:
            self._deadline.cancel()

    async def send_all(self, send: Send) -> None:
        """Sends what is queued, in order, until it is closed or cancelled."""
        try:
            while self._open or self._queue:
                await self._work.wait()
                self._work.clear()
                while self._queue:
                    piece = self._queue[0]
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    if self._queue:
                        self._queue.popleft()
                        self._buffered -= len(piece)
                    if piece is COMMENT:
                        self._on_taken()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception:  # noqa: BLE001 - each server says in its own way that the client has gone
            self.abort()

    def _put(self, piece: bytes) -> None:
        self._queue.append(piece)
        self._buffered += len(piece)
        self._work.set()

    def _event(self, text: bytes) -> bytes:
        """One JSON text, which is one line, as an event."""
        standing = events.standing(text)
        if standing is None:
            if text == PING:
                return COMMENT
            told = _DISCONNECT.match(text)
            return b"retry: %b\ndata: %b\n\n" % (told[1], text) if told else b"data: %b\n\n" % text
        topic, epoch, seq = standing
        self._epoch = epoch or self._epoch
        if topic in self._at:
            # A whole state that is read anew may be older than what was told since; what is not newer is no news.
            self._at[topic] = seq if epoch else max(seq, self._at[topic])
            least = min(self._at.values())
            if least >= 0:
                return b"id: %b:%d\ndata: %b\n\n" % (self._epoch.encode(), least, text)
        return b"data: %b\n\n" % text


async def serve(stream: EventStream, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends an event stream as the rest of an answer that has begun. Returns when it has ended, whoever ended it."""
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(stream.send_all(send))
        reader = group.create_task(_left(receive))
        stream.on_abort = scope.get("extensions", {}).get(ABORT) or writer.cancel
        reader.add_done_callback(lambda _: writer.cancel())
        writer.add_done_callback(lambda _: reader.cancel())


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
