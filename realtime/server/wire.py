"""uvicorn's WebSocket with one thing added: the `realtime.fanout` extension, by which an endpoint hands its socket over and is done.

This file leans on uvicorn's inside; tests/server/test_uvicorn_contract.py names everything it needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from realtime.server.faults import FaultLog
from realtime.server.live import LiveSocket
from realtime.sink import Handler as Handler
from realtime.sink import HandOver as HandOver
from realtime.sink import Sink as Sink

EXTENSION = "realtime.fanout"


class FanoutProtocol(WebSocketsSansIOProtocol):
    """A WebSocket until it is handed over; then a LiveSocket has the transport, and this object, its scope and its queue are let go."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        faults: FaultLog | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.faults = self.logger = faults or FaultLog()
        # At DEBUG it would write every frame, tokens and names among them.
        self.conn.logger, self.conn.debug = self.faults, False
        self.at_close: list[Callable[[], None]] = []

    async def run_asgi(self) -> None:
        offer = Offer(self)
        self.scope["extensions"][EXTENSION] = cast(Any, offer)
        try:
            await super().run_asgi()
        finally:
            offer.withdraw()

    def hand_over(self, handler_factory: Callable[[Sink], Handler]) -> None:
        """Raises: RuntimeError when the socket is not accepted, or compressed frames were agreed on."""
        if not self.handshake_complete or self.initial_response is not None:
            raise RuntimeError("Accept the WebSocket before it is handed over.")
        if self.conn.extensions:
            raise RuntimeError("Frames are made once for all sockets, so run uvicorn with ws_per_message_deflate=False.")
        transport = self.transport
        live = LiveSocket(transport, self.conn, self.connections, self.at_close, self.faults)
        live.begin(handler_factory)
        self.stop_keepalive()
        self.connections.discard(self)
        self.request.headers.clear()  # websockets' parser keeps the request for as long as the socket lives
        # From here on uvicorn's part has nothing to close, whichever way the endpoint ends.
        self.transport = _NoTransport()
        transport.set_protocol(live)
        self.loop.call_soon(_catch_up, live, transport, self.queue, self.disconnected)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # A head that HTTP takes and WebSocket does not; uvicorn would leave the answer unsent and the connection open.
            self.faults.warning("A WebSocket handshake could not be read.")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.faults.warning("A client sent a text that is not UTF-8 and was disconnected.")
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        callbacks, self.at_close = self.at_close, []
        for callback in callbacks:
            callback()


class Offer:
    """What the endpoint finds in its scope; good until the endpoint returns."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: FanoutProtocol) -> None:
        self._protocol: FanoutProtocol | None = protocol

    def __call__(self, handler_factory: Callable[[Sink], Handler]) -> None:
        protocol = self._protocol
        if protocol is None or isinstance(protocol.transport, _NoTransport):
            raise RuntimeError("This WebSocket was handed over already, or has ended.")
        protocol.hand_over(handler_factory)

    def at_close(self, callback: Callable[[], None]) -> None:
        protocol = self._protocol
        if protocol is None or protocol.disconnected:
            callback()
        else:
            protocol.at_close.append(callback)

    def withdraw(self) -> None:
        """Lets go of the protocol: a scope that somebody keeps must not keep it too."""
        self._protocol = None


class _NoTransport(asyncio.Transport):
    """Stands where the transport was: closing it closes nothing."""

    __slots__ = ()

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return True


def _catch_up(live: LiveSocket, transport: asyncio.Transport, queue: asyncio.Queue[Any], lost: bool) -> None:
    """Gives the handler what came between accept and hand-over."""
    while not queue.empty():
        event = queue.get_nowait()
        if event["type"] == "websocket.receive":
            if event.get("text") is not None:
                live.deliver(event["text"])
            else:
                live.refuse_binary()
    if lost:
        live.connection_lost(None)
    else:
        transport.resume_reading()
