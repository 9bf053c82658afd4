"""Whole states of stores, as owners, the public, boards and single parties see them: read once for all who ask at about the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from realtime.clerk import Tasks
from realtime.counts import Counts
from realtime.errors import StoreClosed
from realtime.followed import Followed
from realtime.house import House
from realtime.keys import Keys
from realtime.messages import CodeView
from realtime.model import Code, StoreState
from realtime.operations import snapshots
from realtime.operations.snapshots import Everything
from realtime.seen import Seen
from realtime.shown_codes import ShownCodes
from realtime.storage.statement import Storage
from realtime.views import code_view, own_view, owner_snapshot, public_snapshot

FRESH_S = 0.1
"""The least time between two reads of a store: a storm of phones waits for the next one, or, where a phone has seen nothing yet, begins
with the last one and what happened since."""
SINGLY = 4
"""Parties whose tickets are read one by one; when more ask at once, the store is read as a whole for all of them."""

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("nowserving.live")


class States:
    """Reads for one process. Belongs to the loop's thread.

    `began(followed, epoch, seq, before)` is told of each read: what it found, and how far the store had been published when it began.
    """

    def __init__(
        self,
        storage: Storage,
        keys: Keys,
        house: House,
        tasks: Tasks,
        codes: ShownCodes,
        began: Callable[[Followed, str, int, int], None],
        counts: Counts,
    ) -> None:
        self._storage = storage
        self._keys = keys
        self._house = house
        self._tasks = tasks
        self._codes = codes
        self._began = began
        self._counts = counts

    def body(self, seen: Seen, audience: str) -> bytes:
        """What "owner", "public" or "board" see, as JSON."""
        return seen.body(audience, self._owner if audience == "owner" else self._board if audience == "board" else self._public)

    def fresh(self, followed: Followed) -> Seen | None:
        """The last read, if it is a moment old at most, and all events since it are known."""
        seen = followed.seen
        if seen is None or seen.epoch != followed.epoch:
            return None
        young = asyncio.get_running_loop().time() - seen.at_s <= FRESH_S
        return seen if young and followed.ring.since(seen.seq) is not None else None

    async def seen(self, followed: Followed, need: int) -> Seen:
        """The store at `need` or later.

        Raises:
            StoreClosed: its data was deleted.
            StoreNotFound
        """
        starts, known = followed.starts, followed.seen
        if known is not None and known.epoch == followed.epoch and known.seq >= need:
            return known
        while True:
            reading = followed.reading
            # One that has ended, and is not yet taken away, was begun too early for who asks now.
            if reading is None or reading.done():
                reading = followed.reading = self._tasks.run(self._read(followed))
            seen = await asyncio.shield(reading)
            if seen.seq >= need or followed.starts != starts:
                return seen

    async def anew(self, followed: Followed) -> Seen:
        """The store as it is now: read by a read that has not asked the database yet, one for all who ask meanwhile.

        Raises:
            StoreClosed, StoreNotFound
        """
        while followed.reads_now and followed.reading is not None:
            await asyncio.wait([followed.reading])
        reading = followed.reading
        if reading is None or reading.done():
            reading = followed.reading = self._tasks.run(self._read(followed))
        return await asyncio.shield(reading)

    async def own(self, followed: Followed, ticket_id: int, need: int, *, known: bool = True) -> tuple[str, int, bytes]:
        """Epoch, `seq`, and a party's ticket as it sees it, at `need` or later; if it may be `known`, from a read that others asked for.

        Raises:
            TicketNotFound, StoreNotFound
        """
        last = followed.seen
        own = None
        if known and (followed.own_reads >= SINGLY or (last is not None and last.epoch == followed.epoch and last.seq >= need)):
            own = (await self.seen(followed, need)).own(ticket_id)
        while own is None or own.store.seq < need:
            starts, before = followed.starts, followed.told
            followed.own_reads += 1
            try:
                own = await self._storage.read(snapshots.own, followed.store_id, ticket_id)
            finally:
                followed.own_reads -= 1
            self._began(followed, own.store.epoch, own.store.seq, before)
            if followed.starts != starts:
                break
        return own.store.epoch, own.store.seq, _encode(own_view(own))

    async def _read(self, followed: Followed) -> Seen:
        clock = asyncio.get_running_loop().time
        if (wait_s := followed.read_s + FRESH_S - clock()) > 0:
            await asyncio.sleep(wait_s)
        before = followed.told
        self._counts.whole_reads += 1
        _log.debug("Store %s is read as a whole", followed.store_id)
        followed.reads_now = True
        try:
            everything = await self._storage.read(snapshots.everything, followed.store_id)
        finally:
            followed.reads_now, followed.read_s = False, clock()
        if everything.store.state is StoreState.PURGED:
            raise StoreClosed
        if everything.code:
            self._codes.show(followed.store_id, everything.code)
        followed.shows = everything.store.board_code
        self._began(followed, everything.store.epoch, everything.store.seq, before)
        seen = followed.seen = Seen(everything, clock())
        return seen

    def _owner(self, everything: Everything) -> bytes:
        return _encode(owner_snapshot(everything.owner(), self._keys, self._house.base))

    def _public(self, everything: Everything) -> bytes:
        return _encode(public_snapshot(everything.public(), None))

    def _board(self, everything: Everything) -> bytes:
        store, code = everything.store, everything.code
        return _encode(public_snapshot(everything.public(), self.code(store.id, code) if store.board_code and code else None))

    def code(self, store_id: str, code: Code) -> CodeView:
        return code_view(store_id, code, self._keys, self._house.base)
