"""Pasts: a store that turns out to have lost what was told of it gets another name for what happened (`epoch`), and its screens begin anew.

A failover to a copy that lagged behind, or a restored backup: other changes get the numbers of those that were lost. Nobody who
heard of the lost ones may go on from there, whenever they come back.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable

from realtime.clerk import Tasks
from realtime.errors import NowServingError
from realtime.followed import Followed
from realtime.model import Event
from realtime.operations import stores
from realtime.storage.statement import Storage

AGAIN_S = 1.0
"""How long a database that failed is left alone."""

BELIEVED_S = 60.0
"""How often a store's screens may say that it went back: nobody sends the others away again and again."""

_log = logging.getLogger("nowserving.live")


class Pasts:
    """Of the stores that this process follows. Belongs to the loop's thread.

    Args:
        restart: sends a store's screens away; whoever comes back is told what did happen.
        look: compares how far stores are with how far they were told, soon.
    """

    def __init__(self, storage: Storage, tasks: Tasks, restart: Callable[[Followed], None], look: Callable[[], None]) -> None:
        self._storage = storage
        self._tasks = tasks
        self._restart = restart
        self._look = look
        self._renaming: set[tuple[str, str]] = set()

    def told_again(self, followed: Followed, event: Event) -> None:
        """An event came after its turn: the one that was told in its place, or else the store went back."""
        known = followed.ring.at(event.seq)
        if known is None:
            self._look()
        elif (known.at_ms, known.kind, known.public) != (event.at_ms, event.kind, event.public):
            self.went_back(followed)

    def heard(self, followed: Followed, epoch: str, seq: int, reached: int) -> None:
        """Somebody who is believed, once a while, was told of a store up to `seq`, and it is at `reached`."""
        now_s = asyncio.get_running_loop().time()
        if epoch == followed.epoch and seq > reached and now_s - followed.believed_s >= BELIEVED_S:
            followed.believed_s = now_s
            self.went_back(followed)

    def went_back(self, followed: Followed) -> None:
        """What was told did not happen. Never waits; once is enough for each past."""
        past = followed.store_id, followed.epoch
        if followed.epoch and past not in self._renaming:
            self._renaming.add(past)
            self._tasks.start("renaming a past", self._rename(followed, *past))

    async def _rename(self, followed: Followed, store_id: str, epoch: str) -> None:
        try:
            while True:
                try:
                    await self._storage.write(stores.rename_past, store_id, epoch, secrets.token_hex(4))
                    break
                except NowServingError as error:
                    _log.warning("The past of store %s gets another name in a moment: %s", store_id, error.message)
                    await asyncio.sleep(AGAIN_S)
            if followed.epoch == epoch:
                self._restart(followed)
        finally:
            self._renaming.discard((store_id, epoch))
