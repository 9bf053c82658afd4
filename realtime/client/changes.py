"""The changes of one topic, one after the other, for whoever iterates over them."""

from __future__ import annotations

import asyncio
from collections import deque

from msgspec import Struct

from realtime.client.view import Json
from realtime.errors import NowServingError


class Change(Struct, frozen=True):
    """Something happened on a topic; its view has taken it in already."""

    topic: str
    seq: int
    push: Json
    """The push as docs/protocol.md shows it; empty where `whole`."""
    whole: bool = False
    """The view was replaced: read it anew. So it begins, and so it goes on where not every event could be given."""

    @property
    def change(self) -> str:
        """What happened: "joined", "called" ...; empty for ticks, for pushes of a ticket's own topic, and for whole states."""
        return str(self.push.get("change", ""))


class Changes:
    """An asynchronous iterator over the changes of one topic from now on, in order.

    It holds at most `most` that nobody took. When it is full they all give way to one `whole` change, so a slow reader
    goes on with the present instead of with the past. It ends when the client is closed.
    """

    def __init__(self, topic: str, most: int) -> None:
        self.topic = topic
        self._most = most
        self._waiting: deque[Change] = deque()
        self._some = asyncio.Event()
        self._over = False
        self._error: NowServingError | None = None

    def put(self, change: Change) -> None:
        """For the client."""
        if len(self._waiting) >= self._most or change.whole:
            self._waiting.clear()
            change = Change(change.topic, change.seq, {}, whole=True)
        self._waiting.append(change)
        self._some.set()

    def end(self, error: NowServingError | None) -> None:
        """For the client: nothing comes any more."""
        self._over, self._error = True, error
        self._some.set()

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> Change:
        """Raises: the error that ended the client for good, once all that came before is taken."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._some.clear()
            await self._some.wait()
        return self._waiting.popleft()
