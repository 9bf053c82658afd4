"""A sink is one socket's way out: the interface between the server, the hub and the web layer, with what comes in at the other end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from realtime.errors import NowServingError


class Sink(Protocol):
    """One socket's way out. What is written arrives in the order of the calls. Compared by identity.

    All methods are called on the loop's thread, return at once, and do nothing when the socket is closing or gone.
    """

    @property
    def fd(self) -> int:
        """Its file, while nothing is buffered and frames may be written to it without this object's help, the rest of them given to `write`;
        -1 when and where that may not be. Never kept: another socket's file may have that number a moment later."""

    def write(self, data: bytes) -> None:
        """Sends pre-made WebSocket frames, one or many."""

    def buffered_bytes(self) -> int:
        """What was written and not yet taken by the network."""

    def close(self, code: int, reason: str = "") -> None:
        """Says goodbye after everything written. The connection is gone a few seconds later, whatever the other side does."""

    def abort(self) -> None:
        """Drops the connection now; what is buffered is lost."""


class Handler(Protocol):
    """What a socket's events go to, on the loop's thread."""

    def on_text(self, text: str) -> None:
        """One message came: valid UTF-8, not over the size limit. Not called once the socket is closing."""

    def on_close(self, code: int) -> None:
        """The connection has ended, with this close code: that of whoever said goodbye first, 1006 where nobody did. Called exactly once, never from inside a call to the sink."""


class HandOver(Protocol):
    """The `realtime.fanout` extension of a WebSocket scope."""

    def __call__(self, handler_factory: Callable[[Sink], Handler]) -> None:
        """After `websocket.accept`: the handler gets all further messages, and the endpoint returns without ending the socket."""

    def at_close(self, callback: Callable[[], None]) -> None:
        """Has `callback` called when the connection has ended, handed over or not."""


def close_for(sink: Sink, error: type[NowServingError]) -> None:
    """Closes a socket for the reason that an error stands for, with its code and sentence."""
    sink.close(error.close_code or 1011, error.sentence)
