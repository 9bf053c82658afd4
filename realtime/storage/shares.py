"""So many of a few places for each who asks, so that whoever waits long for something leaves room for all others."""

from __future__ import annotations

from asyncio import Semaphore


class _Share:
    def __init__(self, most: int) -> None:
        self.room = Semaphore(most)
        self.users = 0


class Shares:
    """
    Args:
        most: places that may be held in one name at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: dict[str, _Share] = {}

    async def enter(self, name: str) -> None:
        """Waits for room, in the order of coming; each that returns is followed by one `leave`."""
        share = self._of.get(name)
        if share is None:
            share = self._of[name] = _Share(self._most)
        share.users += 1
        try:
            await share.room.acquire()
        except BaseException:
            self._forget(name, share)
            raise

    def leave(self, name: str) -> None:
        share = self._of[name]
        share.room.release()
        self._forget(name, share)

    def _forget(self, name: str, share: _Share) -> None:
        share.users -= 1
        if not share.users:
            del self._of[name]
