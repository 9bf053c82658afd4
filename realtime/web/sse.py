"""`/live/sse`: what the live socket tells, as Server-Sent Events, for places where WebSocket is blocked."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from realtime.errors import NotAllowed, NotSignedIn, NowServingError, Overloaded, Restarting
from realtime.server import event_stream
from realtime.server.event_stream import EventStream
from realtime.server.limits import STREAM_PATH
from realtime.web.addresses import header
from realtime.web.cases import Granted
from realtime.web.context import Context
from realtime.web.endpoint import Auth, Call, Endpoint
from realtime.web.listening import REFUSALS, Topics, hears, position, signed_in, topics_of

MEDIA_TYPE = "text/event-stream"


class Listen(Struct, frozen=True):
    topic: Topics = ""


class Listener:
    """One stream among the sockets: asked by the same wheel whether it is there, ended by the same sweep and drain, held by the same hub.

    Raises:
        Overloaded: the store has as many customers and boards as it may have.
    """

    __slots__ = ("_context", "_crowd", "_granted", "stream")

    def __init__(self, context: Context, granted: Granted, topics: tuple[str, ...]) -> None:
        self._context = context
        self._granted = granted
        self.stream = EventStream(topics, self._taken)
        self._crowd = "" if granted.kind == "owner" else granted.store_id
        if self._crowd:
            context.crowds.enter(self._crowd)

    def begin(self) -> None:
        self._context.sessions.add(self)
        self._context.pings.add(self.stream)

    def over(self) -> None:
        """The stream has ended; nothing may hold it any longer."""
        self.stream.ended()
        if self in self._context.sessions:
            self._context.counts.closed(self.stream.code)
        if self._crowd:
            self._context.crowds.leave(self._crowd)
        self._context.sessions.discard(self)
        self._context.pings.drop(self.stream)
        self._context.live.drop(self.stream)

    def look(self, now: float, now_ms: int) -> None:
        """Ends a stream whose sign-in has run out."""
        if 0 < self._granted.expires_ms <= now_ms:
            self._close(NotSignedIn())

    def end(self, account_id: str) -> None:
        """Ends the stream if it is this account's."""
        if self._granted.account_id == account_id:
            self._close(NotSignedIn())

    def _taken(self) -> None:
        self._context.pings.answered(self.stream)

    def _close(self, error: NowServingError) -> None:
        self._context.live.drop(self.stream)
        self.stream.close(error.close_code or 1011, error.message)


class _Answer(Response):
    """The answer that goes on for as long as its listener listens."""

    def __init__(self, listener: Listener | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type=MEDIA_TYPE)
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self.body = None  # type: ignore[assignment]  # it is not known whole, so it is not sent whole
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if self._listener is None:
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            self._listener.begin()
            await send(start)
            await event_stream.serve(self._listener.stream, scope, receive, send)
        finally:
            self._listener.over()


async def listen(call: Call[None]) -> Response:
    if not call.context.lifecycle.ready:
        raise Restarting
    granted = await signed_in(call)
    topics = topics_of(call.query.topic, granted)
    if call.scope["method"] == "HEAD":
        return _Answer(None)
    listener = Listener(call.context, granted, topics)
    listener.stream.tell("signed_in", msgspec.json.encode(hears(granted)))
    since = position(header(call.scope, b"last-event-id") or "")
    try:
        for topic in topics:
            await call.context.live.subscribe(granted, topic, since, listener.stream, _as_it_is, call.public_base)
    except BaseException:
        listener.over()
        raise
    return _Answer(listener)


def _as_it_is(body: bytes) -> bytes:
    return body


ENDPOINTS = (
    Endpoint(
        "GET", STREAM_PATH, "Everything that happens, as Server-Sent Events; resumes by Last-Event-ID", "Live", listen,
        auth=Auth.LIVE, query=Listen, response=str, media_type=MEDIA_TYPE, errors=(*REFUSALS, NotAllowed, Overloaded),
    ),
)  # fmt: skip
