"""The lifecycle of one process: whether it serves, and its end; see `realtime.server.run.Lifecycle`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from realtime.crowds import Crowds
from realtime.server.drain import disconnect_all
from realtime.server.pings import PingWheel


class Parts(Protocol):
    """What runs, once it does."""

    @property
    def pings(self) -> PingWheel: ...

    def begin_to_end(self) -> None:
        """Nothing new is begun any more."""


class Lifecycle:
    """Belongs to the loop's thread.

    Args:
        addresses: the sockets of each address.
        warm_up: what may be done once the process answers, on a thread.
    """

    def __init__(self, addresses: Crowds, warm_up: Callable[[], None] = lambda: None) -> None:
        self.ready = False
        self.parts: Parts | None = None
        self.warm_up = warm_up
        self.addresses = addresses

    def begin_drain(self) -> None:
        self.ready = False
        if self.parts:
            self.parts.begin_to_end()

    async def disconnect_all(self, budget_s: float) -> None:
        if self.parts:
            await disconnect_all(self.parts.pings.sinks, budget_s)
