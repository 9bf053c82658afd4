"""A live socket: what is left of a WebSocket after its endpoint handed it over, small enough for ten thousand of them to wait idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from realtime.counts import LOST
from realtime.errors import BadMessage
from realtime.frames import BINARY, CLOSE, PING, PONG, TEXT, close_frame, echoed_close_frame, pong_frame
from realtime.server.dropping import drop
from realtime.server.faults import FaultLog
from realtime.server.reader import NOT_UTF8, Broken, Reader, close_code
from realtime.sink import Handler, Sink

CONTROLS_PER_MINUTE = 100
"""Pings and pongs that a client may send; a browser sends none by itself."""
PAUSE_BYTES = 65_536
"""With more than this unread by a peer, nothing more is read from it."""
CLOSE_SECONDS = 3.0
"""How long a socket may take to close before it is dropped: a peer that does not read would hold it open for ever."""


class LiveSocket(asyncio.Protocol):
    """The sink of one socket, and the asyncio protocol on its transport.

    A peer that leaves too much unread is not read from either, so that the answers to its commands stay bounded.
    """

    __slots__ = (
        "_at_close",
        "_code",
        "_connections",
        "_controls",
        "_controls_since",
        "_deadline",
        "_failed",
        "_faults",
        "_handler",
        "_loop",
        "_open",
        "_reader",
        "_transport",
        "buffered_bytes",
        "fd",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        connections: set[Any],
        at_close: list[Callable[[], None]],
        faults: FaultLog,
        most_bytes: int,
    ) -> None:
        self._transport = transport
        self.buffered_bytes: Callable[[], int] = transport.get_write_buffer_size
        """As the transport has it."""
        self._reader = Reader(most_bytes)
        self._connections = connections
        """uvicorn's set of everything that `Server.shutdown` must end."""
        self._at_close = at_close
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._open = not transport.is_closing()
        self.fd = _fileno(transport) if self._open and not self.buffered_bytes() else -1
        """Transports close their file only after `connection_lost`, which ends with -1 here."""
        self._failed = False
        self._controls, self._controls_since = 0, 0.0
        self._code = 0
        """That of whoever said goodbye first; 0 while nobody did."""
        self._deadline: asyncio.TimerHandle | None = None
        self._handler: Handler

    def begin(self, handler_factory: Callable[[Sink], Handler]) -> None:
        """Makes the handler; from here on the socket is its own."""
        self._handler = handler_factory(self)
        self._connections.add(self)

    # ---- the sink -----------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self._open:
            self._transport.write(data)
            if self.fd < 0 and self.buffered_bytes() > PAUSE_BYTES:
                self._transport.pause_reading()

    def close(self, code: int, reason: str = "") -> None:
        if self._open:
            self._transport.write(close_frame(code, reason))
            self._leave(code)

    def abort(self) -> None:
        self._open, self.fd = False, -1
        drop(self._transport)

    def shutdown(self) -> None:
        """uvicorn's word for going away."""
        self.close(1012)

    # ---- the transport's events ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._failed:  # what still comes is read only so that the peer gets to see the close frame
            return
        try:
            for opcode, payload in self._reader.read(data):
                if opcode == TEXT:
                    self._text_came(payload)
                else:
                    self._other_came(opcode, payload)
        except Broken as broken:
            self._fail(broken)

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open, self.fd = False, -1
        self._connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        callbacks, self._at_close = self._at_close, []
        self._handler.on_close(self._code or LOST)
        for callback in callbacks:
            callback()

    def pause_writing(self) -> None:
        """Something is buffered: what is written next has to wait behind it."""
        self.fd = -1
        if self._open and self.buffered_bytes() > PAUSE_BYTES:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._open:
            self.fd = _fileno(self._transport)
        self._transport.resume_reading()

    # ---- frames -------------------------------------------------------------------------------------------------

    def _other_came(self, opcode: int, payload: bytes) -> None:
        if opcode == BINARY:
            self.refuse_binary()
        elif opcode in (PING, PONG):
            if self._open and self._may_control() and opcode == PING:
                self.write(pong_frame(payload))
        elif opcode == CLOSE:
            # 7.1.1: the server closes the connection, once both sides have said goodbye.
            code = close_code(payload)
            if self._open:
                self._transport.write(echoed_close_frame(payload))
            self._leave(code)
            self._failed = True  # after a goodbye there is nothing to read
            self._transport.close()

    def _may_control(self) -> bool:
        """Counts one control frame; whether it was not one too many, which ends the socket."""
        now = self._loop.time()
        if now - self._controls_since >= 60:
            self._controls, self._controls_since = 0, now
        self._controls += 1
        if self._controls > CONTROLS_PER_MINUTE:
            self._faults.warning("A client sent too many control frames and was disconnected.")
            self.close(BadMessage.close_code or 4400, "That was too many messages in one minute.")
            self._failed = True  # whatever still comes is not even read
        return self._open

    def _text_came(self, data: bytes) -> None:
        if not self._open:
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._faults.warning("A client sent a text that is not UTF-8 and was disconnected.")
            self.close(NOT_UTF8, "Send UTF-8 text.")
            return
        self.deliver(text)

    def deliver(self, text: str) -> None:
        """Gives one text to the handler."""
        if not self._open:
            return
        try:
            self._handler.on_text(text)
        except Exception:  # noqa: BLE001 - FaultLog.exception writes the traceback; one message must not end the others
            self._faults.exception("A socket's handler failed; the socket is closed.")
            self.close(1011, "Something went wrong on our side. Please connect again.")

    def refuse_binary(self) -> None:
        if self._open:
            self._faults.warning("A client sent a binary message and was disconnected.")
        self.close(1003, "Send JSON text; this socket reads no binary messages.")

    # ---- the end ------------------------------------------------------------------------------------------------

    def _leave(self, code: int = 0) -> None:
        """No more is written; the connection is dropped when it has not ended by the deadline."""
        self._open, self.fd = False, -1
        self._code = self._code or code
        self._transport.resume_reading()
        if self._deadline is None:
            self._deadline = self._loop.call_later(CLOSE_SECONDS, self._drop)

    def _drop(self) -> None:
        """The peer has not closed: one that does not read takes nothing with it, one that is only slow still gets what was sent."""
        if self.buffered_bytes():
            drop(self._transport)
        else:
            self._transport.abort()

    def _fail(self, broken: Broken) -> None:
        """7.1.7: the client broke the protocol, and is told how."""
        self._failed = True
        self._faults.warning("A client broke the WebSocket protocol and was disconnected (code %s).", broken.code)
        if self._open:
            self._transport.write(close_frame(broken.code, broken.reason))
            # Half-closed and read on: closing with unread input makes the system send a reset, and the close frame is lost.
            if self._transport.can_write_eof():
                self._transport.write_eof()
        self._leave(broken.code)


def _fileno(transport: asyncio.Transport) -> int:
    """The file behind a transport that writes to it as it is; -1 if there is none, or what is written is encrypted first."""
    plain = transport.get_extra_info("socket")
    return -1 if plain is None or transport.get_extra_info("sslcontext") is not None else int(plain.fileno())
