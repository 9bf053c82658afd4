"""What happened to the sockets of one process since it started: plain integers, so that counting costs nothing, read when somebody asks."""

from __future__ import annotations

from realtime.errors import NowServingError

LOST = 1006
"""RFC 6455 §7.4.1: "the connection was closed abnormally, e.g., without sending or receiving a Close control frame"."""
OTHER = 0
"""Stands for every close code that is neither ours nor the RFC's: a client may say any, and none of them is worth a series."""
_OF_THE_RFC = (1000, 1001, 1002, 1003, 1005, LOST, 1007, 1008, 1009, 1010, 1011, 1012, 1013)


class Counts:
    """Each only grows. Belongs to the loop's thread."""

    __slots__ = ("closes", "conflated", "found", "published", "recoveries", "whole_reads")

    def __init__(self) -> None:
        self.closes = dict.fromkeys((OTHER, *_OF_THE_RFC, *sorted(_our_codes(NowServingError))), 0)
        """Live sockets and event streams that ended, by close code."""
        self.conflated = 0
        """Whole states that took the place of what a slow reader did not take."""
        self.found = {"ahead": 0, "back": 0, "gone": 0}
        """Stores that were not where they were published up to, when positions were compared."""
        self.published = 0
        """Events of stores that somebody listened to here, or had a moment ago."""
        self.recoveries = {"ring": 0, "rows": 0, "snapshot": 0}
        """Subscriptions with `since`: answered from memory, from the event rows, or with the whole state."""
        self.whole_reads = 0
        """Stores that were read from the database as a whole."""

    def closed(self, code: int) -> None:
        """A socket ended."""
        self.closes[code if code in self.closes else OTHER] += 1


def _our_codes(kind: type[NowServingError]) -> set[int]:
    own = {kind.close_code} if kind.close_code is not None else set()
    return own.union(*map(_our_codes, kind.__subclasses__()))
