"""A followed store: what one process knows of a store that somebody listens to here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache

from realtime.model import Event
from realtime.ring import Ring
from realtime.seen import Seen

AUDIENCES = ("owner", "public", "board")
_RING_BYTES = 262_144
"""Of a store's last events that are kept in memory."""


class Followed:
    """How far a store was published, what came before its turn, and what happened lately. Belongs to the loop's thread."""

    __slots__ = (
        "alone",
        "behind",
        "believed_s",
        "early",
        "epoch",
        "filling",
        "next",
        "own_reads",
        "parties",
        "read_s",
        "reading",
        "reads_now",
        "ring",
        "seen",
        "shows",
        "starts",
        "store_id",
        "tailing",
    )  # fmt: skip

    def __init__(self, store_id: str, replay_events: int) -> None:
        self.store_id = store_id
        self.epoch = ""
        self.next = 0
        """The `seq` of the event that is published next; 0 until the store was read."""
        self.ring = Ring(replay_events, _RING_BYTES)
        self.early: dict[int, Event] = {}
        """What was committed after an event that is not known here yet."""
        self.parties: set[str] = set()
        """The topics of single tickets that somebody subscribed to."""
        self.shows: bool | None = None
        """Whether the boards show the code; None while that is not known."""
        self.filling = False
        """What is missing is being read."""
        self.behind = False
        """The store reached further while what it reached before was being read."""
        self.believed_s = float("-inf")
        """When a screen was believed last that knew more than there is, by the loop's clock."""
        self.starts = 0
        """How often it turned out that the database went back to an earlier state."""
        self.alone = False
        """Nobody listened when it was looked at last."""
        self.seen: Seen | None = None
        self.reading: asyncio.Future[Seen] | None = None
        self.reads_now = False
        """The database is being asked; until then `reading` waits for its time."""
        self.read_s = float("-inf")
        """When it was read as a whole last, by the loop's clock."""
        self.tailing: asyncio.Future[None] | None = None
        self.own_reads = 0
        """Reads of single tickets that are under way."""

    @property
    def reached(self) -> int:
        """The `seq` up to which everything was published."""
        return self.next - 1

    @property
    def told(self) -> int:
        """The last `seq` that anybody told of, published or not: a read that begins now finds it, or the database went back."""
        return max(self.reached, *self.early) if self.early else self.reached

    def let_go(self, early: Iterable[int]) -> AbstractSet[int]:
        """Forget events that came before their turn; those that are left."""
        for seq in early:
            self.early.pop(seq, None)
        return self.early.keys()

    def topics(self) -> Iterator[str]:
        yield from topics_of(self.store_id)
        yield from self.parties

    def start(self, epoch: str, seq: int) -> None:
        """The store was read as it was at `seq`; what follows is published."""
        self.epoch, self.next = epoch, seq + 1

    def restart(self) -> None:
        """Nothing of what is known holds any more."""
        self.epoch, self.next, self.seen = "", 0, None
        self.starts += 1
        self.early.clear()
        self.ring.clear()


@lru_cache(maxsize=1024)
def topics_of(store_id: str) -> tuple[str, ...]:
    return tuple(f"store/{store_id}/{audience}" for audience in AUDIENCES)
