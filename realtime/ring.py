"""A ring keeps a store's last events in memory: whoever was away for a moment is told what it missed without a look at the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from realtime.model import Event


class Ring:
    """Events in the order of their `seq`, without a gap; the oldest give way to a limit in number and one in bytes.

    Args:
        most: events.
        most_bytes: of their encodings, together.
    """

    __slots__ = ("_bytes", "_events", "_most", "_most_bytes")

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._events: deque[Event] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Event) -> None:
        """The next event. One that is not the next makes what came before useless, and takes its place."""
        if self._events and event.seq != self._events[-1].seq + 1:
            self.clear()
        self._events.append(event)
        self._bytes += _size(event)
        while len(self._events) > self._most or self._bytes > self._most_bytes:
            self._bytes -= _size(self._events.popleft())

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            self.add(event)

    def clear(self) -> None:
        self._events.clear()
        self._bytes = 0

    def at(self, seq: int) -> Event | None:
        """The event of this `seq`, if it is still here."""
        at = seq - self._events[0].seq if self._events else -1
        return self._events[at] if 0 <= at < len(self._events) else None

    def since(self, seq: int) -> list[Event] | None:
        """All events after `seq`, none if it is the last one's; None where they are not all here."""
        if not self._events:
            return None
        first = self._events[0].seq
        if not first - 1 <= seq <= self._events[-1].seq:
            return None
        return list(islice(self._events, seq - first + 1, None))


def _size(event: Event) -> int:
    return len(event.owner) + len(event.public)
