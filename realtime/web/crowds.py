"""Crowds: how many sockets each store has in this process, so that one store in trouble cannot take the room of all."""

from __future__ import annotations

from realtime.errors import Overloaded


class Crowds:
    """Counts customers and boards. Owners are never turned away: their screens are what a full store is run with.

    Args:
        most: sockets of one store.
    """

    __slots__ = ("_counts", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}

    def enter(self, store_id: str) -> None:
        """One more. Raises: Overloaded."""
        count = self._counts.get(store_id, 0)
        if count >= self._most:
            raise Overloaded("Too many phones look at this store at the moment. Please try again.")
        self._counts[store_id] = count + 1

    def leave(self, store_id: str) -> None:
        """One that entered is gone."""
        left = self._counts[store_id] - 1
        if left:
            self._counts[store_id] = left
        else:
            del self._counts[store_id]

    def __len__(self) -> int:
        """Stores that have any."""
        return len(self._counts)
