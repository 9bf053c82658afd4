"""A live socket: what is left of a WebSocket after its endpoint handed it over, small enough for ten thousand of them to wait idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from realtime.counts import LOST
from realtime.frames import fitting
from realtime.server.faults import FaultLog
from realtime.sink import Handler, Sink

CLOSE_SECONDS = 3.0
"""How long a socket may take to close before it is dropped: a peer that does not read would hold it open for ever."""


class LiveSocket(asyncio.Protocol):
    """The sink of one socket, and the asyncio protocol on its transport. websockets' sans-I/O parser reads what comes in.

    A peer that leaves too much unread is not read from either, so that the answers to its commands stay bounded.
    """

    __slots__ = (
        "_at_close",
        "_conn",
        "_connections",
        "_deadline",
        "_failed",
        "_faults",
        "_fragments",
        "_handler",
        "_loop",
        "_open",
        "_transport",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        conn: ServerProtocol,
        connections: set[Any],
        at_close: list[Callable[[], None]],
        faults: FaultLog,
    ) -> None:
        self._transport = transport
        self._conn = conn
        self._connections = connections
        """uvicorn's set of everything that `Server.shutdown` must end."""
        self._at_close = at_close
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._open = conn.state is OPEN and not transport.is_closing()
        self._failed = False
        self._fragments: bytearray | None = None
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

    def buffered_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str = "") -> None:
        if self._open:
            self._conn.send_close(code, fitting(reason))
            self._send_from_conn()
            self._leave()

    def abort(self) -> None:
        self._open = False
        self._transport.abort()

    def shutdown(self) -> None:
        """uvicorn's word for going away."""
        self.close(1012)

    # ---- the transport's events ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._failed:  # what still comes is read only so that the peer gets to see the close frame
            return
        conn = self._conn
        conn.receive_data(data)
        for event in conn.events_received():
            if isinstance(event, Frame):
                self._frame_came(event)
        if conn.parser_exc is not None:
            self._fail()

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        self._connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        callbacks, self._at_close = self._at_close, []
        self._handler.on_close(self._close_code())
        for callback in callbacks:
            callback()

    def pause_writing(self) -> None:
        if self._open:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    # ---- frames -------------------------------------------------------------------------------------------------

    def _frame_came(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.CONT:
            self._text_came(frame)
        elif opcode is Opcode.BINARY:
            self.refuse_binary()
        elif opcode is Opcode.PING:
            if self._open:
                self._send_from_conn()
        elif opcode is Opcode.CLOSE:
            # 7.1.1: the server closes the connection, once both sides have said goodbye.
            if self._open:
                self._send_from_conn()
            self._leave()
            self._transport.close()

    def _text_came(self, frame: Frame) -> None:
        if not self._open:
            return
        data = frame.data
        if self._fragments is not None:
            self._fragments += data
            data = self._fragments
        elif not frame.fin:
            self._fragments = bytearray(data)
        if not frame.fin:
            return
        self._fragments = None
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError:
            self._faults.warning("A client sent a text that is not UTF-8 and was disconnected.")
            self.close(1007, "Send UTF-8 text.")
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
        self._faults.warning("A client sent a binary message and was disconnected.")
        self.close(1003, "Send JSON text; this socket reads no binary messages.")

    # ---- the end ------------------------------------------------------------------------------------------------

    def _send_from_conn(self) -> None:
        self._transport.write(b"".join(self._conn.data_to_send()))

    def _leave(self) -> None:
        """No more is written; the connection is dropped when it has not ended by the deadline."""
        self._open = False
        self._fragments = None
        self._transport.resume_reading()
        if self._deadline is None:
            self._deadline = self._loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def _close_code(self) -> int:
        sent, received = self._conn.close_sent, self._conn.close_rcvd
        first = received if self._conn.close_rcvd_then_sent or sent is None else sent
        return LOST if first is None else first.code

    def _fail(self) -> None:
        """7.1.7: the parser met what breaks the protocol and has made a close frame that says so."""
        self._failed = True
        sent = self._conn.close_sent
        self._faults.warning("A client broke the WebSocket protocol and was disconnected (code %s).", sent.code if sent else "none")
        if self._open:
            self._send_from_conn()
            # Half-closed and read on: closing with unread input makes the system send a reset, and the close frame is lost.
            if self._transport.can_write_eof():
                self._transport.write_eof()
        self._leave()
