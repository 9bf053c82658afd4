"""The handshake of a WebSocket, and the `realtime.fanout` extension by which an endpoint hands its socket over and is done.

uvicorn's own WebSocket reads the head of a request a second time and keeps a parser, a queue and a coroutine for each socket; this one
does what is left to do after the first reading, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, cast

from starlette.types import ASGIApp, Message, Scope
from uvicorn.server import ServerState

from realtime.frames import close_frame
from realtime.server import eager
from realtime.server.faults import FaultLog
from realtime.server.live import LiveSocket
from realtime.sink import Handler as Handler
from realtime.sink import HandOver as HandOver
from realtime.sink import Sink as Sink

EXTENSION = "realtime.fanout"
VERSION = b"13"
ONE_HOST = "Say in one Host header which server you ask."
"""RFC 9112 §3.2."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 §1.3."""
_ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: "

Pairs = Iterable[tuple[bytes, bytes]]


class BadHandshake(Exception):
    """It asks for a WebSocket in a way that is none of RFC 6455's."""

    def __init__(self, status: int, sentence: str, headers: Pairs = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers


def key_of(scope: Scope) -> bytes:
    """The key of a handshake (§4.2.1). Raises: BadHandshake."""
    keys: list[bytes] = []
    versions: list[bytes] = []
    hosts = 0
    for name, value in scope["headers"]:
        if name == b"sec-websocket-key":
            keys.append(value.strip())
        elif name == b"sec-websocket-version":
            versions.append(value.strip())
        elif name == b"host":
            hosts += 1
    if scope["method"] != "GET" or scope["http_version"] != "1.1":
        raise BadHandshake(400, "Ask for a WebSocket with GET and HTTP/1.1.")
    if hosts != 1:
        raise BadHandshake(400, ONE_HOST)
    if versions != [VERSION]:
        raise BadHandshake(
            426, "This server speaks WebSocket version 13.", [(b"sec-websocket-version", VERSION), (b"upgrade", b"websocket")]
        )
    if len(keys) != 1 or len(keys[0]) != 24 or not _is_base64(keys[0]):
        raise BadHandshake(400, "Sec-WebSocket-Key is 16 bytes in base64.")
    return keys[0]


def refusal(status: int, headers: Pairs, body: bytes) -> bytes:
    """An answer after which the connection ends."""
    names = {name.lower() for name, _ in headers}
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%b: %b\r\n" % pair for pair in headers]
    if b"content-length" not in names:
        lines.append(b"content-length: %d\r\n" % len(body))
    if b"connection" not in names:
        lines.append(b"connection: close\r\n")
    return b"".join((*lines, b"\r\n", body))


class Upgrade(asyncio.Protocol):
    """A connection that is to become a WebSocket, for as long as its endpoint runs; the endpoint's ASGI server, and the extension in its
    scope.

    After `websocket.accept` the endpoint hands the socket over, or closes it: messages are for whoever it is handed to.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        scope: Scope,
        key: bytes,
        state: ServerState,
        faults: FaultLog,
        most_bytes: int,
        early: bytes = b"",
    ) -> None:
        """`early` is what came in one piece with the handshake's head, behind it."""
        self.transport: asyncio.Transport | None = transport
        self._key = key
        self._connections = cast("set[Any]", state.connections)
        self._default_headers = state.default_headers
        self._tasks = state.tasks
        self._faults = faults
        self._most_bytes = most_bytes
        self._early = early
        """What came before the socket was handed over."""
        self._connected = self._accepted = self._answered = self._handed_over = self._lost = False
        self._left: asyncio.Event | None = None
        """For whoever waits until the client has left."""
        self._refusal: Message | None = None
        self._body = b""
        self._at_close: list[Callable[[], None]] = []
        self._scope: Scope | None = scope
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        scope["subprotocols"] = [
            token.strip()
            for name, value in scope["headers"]
            if name == b"sec-websocket-protocol"
            for token in value.decode("latin-1").split(",")
        ]
        scope["extensions"] = {"websocket.http.response": {}, EXTENSION: self}

    def begin(self, app: ASGIApp) -> None:
        """Takes the connection over, and has the endpoint run."""
        transport = self.transport
        assert transport is not None
        if self._early:
            transport.pause_reading()  # as for what comes later: it is read on when this was read
        if task := eager.begin(self.run(app)):  # whoever is handed over at once, as nearly all are, needs none
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not self._handed_over:
            transport.set_protocol(self)
            self._connections.add(self)  # `Server.shutdown` ends what is in it

    async def run(self, app: ASGIApp) -> None:
        """The endpoint, from its first step to its last."""
        scope, self._scope = self._scope, None
        assert scope is not None
        try:
            await app(scope, self.receive, self.send)
        except Exception:  # noqa: BLE001 - FaultLog.exception writes the traceback
            self._faults.exception("Exception in ASGI application")
        transport, self.transport = self.transport, None  # a scope that somebody keeps must not keep the connection
        if transport is None or self._lost:
            return
        if not self._answered:
            transport.write(refusal(500, self._default_headers, b"Internal Server Error"))
        elif self._accepted:
            transport.write(close_frame(1000))
        transport.close()

    # ---- ASGI

    async def receive(self) -> Message:
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if not self._lost:
            self._left = self._left or asyncio.Event()
            await self._left.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: Message) -> None:
        kind, transport = message["type"], self.transport
        if transport is None or self._lost:
            return
        if kind == "websocket.accept" and not self._answered:
            self._answered = self._accepted = True
            self._accept(transport, message)
        elif kind == "websocket.close" and self._accepted:
            self._accepted = False
            transport.write(close_frame(message.get("code") or 1000, message.get("reason") or ""))
        elif kind == "websocket.close" and not self._answered:
            self._refuse(transport, 403, [], b"")
        elif kind == "websocket.http.response.start" and not self._answered:
            self._refusal = message
        elif kind == "websocket.http.response.body" and self._refusal is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                start, self._refusal = self._refusal, None
                self._refuse(
                    transport, start["status"], [(bytes(name), bytes(value)) for name, value in start.get("headers", ())], self._body
                )
        else:
            raise RuntimeError(f"{kind} has no place here: accept the WebSocket and hand it over, or refuse it.")

    def _accept(self, transport: asyncio.Transport, message: Message) -> None:
        digest = hashlib.sha1(self._key + _GUID, usedforsecurity=False).digest()
        lines = [_ACCEPTED, binascii.b2a_base64(digest, newline=False), b"\r\n"]
        if subprotocol := message.get("subprotocol"):
            lines.append(b"sec-websocket-protocol: %b\r\n" % subprotocol.encode())
        lines += [b"%b: %b\r\n" % (name, value) for name, value in message.get("headers") or ()]
        lines.append(b"\r\n")
        transport.set_write_buffer_limits(0)  # a live socket is to know of every byte that waits; what is written goes out at once
        transport.write(b"".join(lines))

    def _refuse(self, transport: asyncio.Transport, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._answered = True
        transport.write(refusal(status, [*self._default_headers, *headers], body))
        transport.close()

    # ---- the extension

    def __call__(self, handler_factory: Callable[[Sink], Handler]) -> None:
        transport = self.transport
        if transport is None:
            raise RuntimeError("This WebSocket was handed over already, or has ended.")
        if not self._accepted:
            raise RuntimeError("Accept the WebSocket before it is handed over.")
        live = LiveSocket(transport, self._connections, self._at_close, self._faults, self._most_bytes)
        live.begin(handler_factory)
        self._connections.discard(self)
        self._handed_over, self.transport, self._at_close = True, None, []
        transport.set_protocol(live)
        if self._early or self._lost:
            asyncio.get_running_loop().call_soon(_catch_up, live, transport, self._early, self._lost)

    def at_close(self, callback: Callable[[], None]) -> None:
        """Has `callback` called when the connection has ended."""
        if self.transport is None or self._lost:
            callback()
        else:
            self._at_close.append(callback)

    # ---- the transport's events

    def data_received(self, data: bytes) -> None:
        self._early += data
        if self.transport is not None:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._connections.discard(self)
        if self._left is not None:
            self._left.set()
        callbacks, self._at_close = self._at_close, []
        for callback in callbacks:
            callback()

    def abort(self) -> None:
        self._lost = True
        if self.transport is not None:
            self.transport.abort()

    def shutdown(self) -> None:
        """uvicorn's word for going away."""
        transport = self.transport
        if transport is None:
            return
        if self._accepted:
            transport.write(close_frame(1012))
        elif not self._answered:
            self._answered = True
            transport.write(refusal(503, self._default_headers, b""))
        transport.close()


def _catch_up(live: LiveSocket, transport: asyncio.Transport, early: bytes, lost: bool) -> None:
    """Gives the handler what came between accept and hand-over."""
    if early:
        live.data_received(early)
    if lost:
        live.connection_lost(None)
    elif early:
        transport.resume_reading()


def _is_base64(key: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == 16
    except binascii.Error:
        return False
