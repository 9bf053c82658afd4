"""One HTTP/1.1 connection with deadlines: uvicorn waits for a request for as long as it takes, and for a head of any size."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from realtime.errors import BadMessage
from realtime.server.answer import with_answers
from realtime.server.faults import FaultLog
from realtime.server.refusing import refuse
from realtime.server.wire import ONE_HOST, BadHandshake, Upgrade, key_of, refusal

BODY_SECONDS = 30.0
"""How long the rest of a request may take after its head."""
MOST_HEAD_BYTES = 32_768

_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class RequestProtocol(HttpToolsProtocol):
    """Closes a connection whose request head, or body, is not there in time, or that never speaks; has no part in what a socket does."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        head_seconds: float,
        faults: FaultLog,
        due: float | None = None,
    ) -> None:
        """`due` is until when the first head is waited for, by the loop's clock, where that began before."""
        super().__init__(config, server_state, app_state, _loop)
        self.faults = self.logger = faults
        self.head_seconds = head_seconds
        self.head_bytes = 0
        self.in_head = True
        self.begun = 0
        """So many requests began in what came last."""
        self.early = b""
        """What came behind the head of a handshake, in one piece with it."""
        self.due = due
        self.timer: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """A request is being answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.due_in(self.head_seconds if self.due is None else self.due - self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.due is None and not self.busy:
            self.in_head, self.head_bytes = True, 0
            self.due_in(self.head_seconds)
        if self.in_head and len(data) > MOST_HEAD_BYTES and data.find(b"\r\n\r\n", 0, MOST_HEAD_BYTES) < 0:
            self.refuse_large()
            return
        first = self.in_head and not self.head_bytes
        self.begun = 0
        self.read(data)
        if self.in_head and not self.transport.is_closing():
            # Behind an earlier request in the same piece, nobody says how much of it is this head's: a byte at least.
            self.head_bytes += len(data) if self.begun <= first else 1
            if self.head_bytes > MOST_HEAD_BYTES:
                self.refuse_large()

    def read(self, data: bytes) -> None:
        """As uvicorn's `data_received`, which loses what comes in one piece with a handshake."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            sentence = "Invalid HTTP request received."
            self.faults.warning(sentence)
            self.send_400_response(sentence)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.early = data[upgrade.args[0] :]
                self.handle_websocket_upgrade()
            else:
                self._unsupported_upgrade_warning()

    def on_message_begin(self) -> None:
        # Not every head begins with what comes from the network: requests may follow each other without waiting for answers.
        self.in_head, self.head_bytes, self.begun = True, 0, self.begun + 1
        if self.due is None and not self.busy:
            self.due_in(self.head_seconds)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # what comes after the body as a trailer is read by nobody, and would be kept without a bound
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.in_head = False
        self.due_in(BODY_SECONDS)
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        answers = partial(with_answers, cycle, cast(ASGIApp, app)) if _names_host(cycle.scope) else self.refuse_without_host
        super()._start_asgi_task(cycle, cast(ASGI3Application, answers))

    async def refuse_without_host(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.faults.warning("A request did not say which host it asks.")
        await refuse(BadMessage(ONE_HOST), scope, receive, send, secure=scope["scheme"] == "https")

    def on_message_complete(self) -> None:
        self.due = None
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self.stop_timer()
        if self.ws_protocol_class is cast(Any, Upgrade):
            self.upgrade()
        else:
            super().handle_websocket_upgrade()
        # The parser and this object hold each other; thousands of idle sockets would keep them until the next full collection.
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost

    def upgrade(self) -> None:
        """The head is read; whether it asks for a WebSocket in the right way, and then the endpoint's part."""
        transport, scope = self.transport, cast(Any, self.scope)
        self.connections.discard(self)
        try:
            url = httptools.parse_url(self.url)
            key = key_of(scope)
        except (BadHandshake, httptools.HttpParserError) as error:
            self.faults.warning("A WebSocket handshake could not be read.")
            status, headers = (error.status, error.headers) if isinstance(error, BadHandshake) else (400, ())
            sentence = error.sentence if isinstance(error, BadHandshake) else "The address is none."
            transport.write(refusal(status, [*self.server_state.default_headers, *headers], sentence.encode()))
            transport.close()
            return
        scope["headers"] = [(name, value.rstrip(b" \t")) for name, value in scope["headers"]]  # the parser takes it off on the left only
        scope["asgi"] = {"version": self.asgi_version, "spec_version": "2.4"}
        path = url.path.decode("ascii")
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode() + url.path
        scope["query_string"] = url.query or b""
        Upgrade(transport, scope, key, self.server_state, self.faults, self.config.ws_max_size, self.early).begin(cast(ASGIApp, self.app))

    def due_in(self, seconds: float) -> None:
        """Sets the deadline. The timer is armed once and looks again when it fires: most requests never arm a second one."""
        self.due = self.loop.time() + seconds
        if self.timer is not None and self.timer.when() > self.due:
            self.timer.cancel()
            self.timer = None
        if self.timer is None:
            self.timer = self.loop.call_at(self.due, self.look)

    def look(self) -> None:
        self.timer = None
        if self.due is None or self.transport.is_closing():
            return
        if self.due > self.loop.time():
            self.timer = self.loop.call_at(self.due, self.look)
            return
        if not self.in_head:
            self.faults.warning("A request's body did not arrive in time.")
            self.end_late()
        elif self.head_bytes:
            self.faults.warning("A request's head did not arrive in time.")
            self.refuse(_LATE)
        else:
            self.transport.close()

    def end_late(self) -> None:
        """Answers a request whose body is late, unless an answer has begun: its own, or that of one before it."""
        if self.cycle.response_started or self.pipeline:
            self.transport.abort()
            return
        self.cycle.disconnected = True  # the endpoint hears that nobody is there, and what it says is not written
        self.cycle.message_event.set()
        self.transport.write(_LATE)
        self.transport.close()

    def refuse_large(self) -> None:
        self.faults.warning("A request had too large a head and was refused.")
        self.refuse(_LARGE)

    def refuse(self, answer: bytes) -> None:
        # While an earlier request is being answered, an answer of ours would land in the middle of it.
        if not self.busy:
            self.transport.write(answer)
        self.transport.close()

    def stop_timer(self) -> None:
        self.due = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _names_host(scope: HTTPScope) -> bool:
    """RFC 9112 §3.2: once, or in HTTP/1.0 not at all."""
    hosts = [name for name, _ in scope["headers"]].count(b"host")
    return hosts == 1 or (hosts == 0 and scope["http_version"] == "1.0")
