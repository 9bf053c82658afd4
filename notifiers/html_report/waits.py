"""Waits in seconds in; how many, and which wait a given share did not exceed, out: in a fixed number of counters."""

from __future__ import annotations

from array import array
from math import ceil

_EXACT_BITS = 7
_EXACT = 1 << _EXACT_BITS
"""Below this many seconds every second has a counter of its own."""
LONGEST = 24 * 3600
"""Longer waits count as this long."""


def _counter(seconds: int) -> int:
    """Above `_EXACT`, each doubling is divided into `_EXACT / 2` counters of the same width."""
    if seconds < _EXACT:
        return seconds
    shift = seconds.bit_length() - _EXACT_BITS
    return (seconds >> shift) + shift * (_EXACT // 2)


def _middle(counter: int) -> int:
    """The wait in the middle of what a counter counts."""
    if counter < _EXACT:
        return counter
    shift = counter // (_EXACT // 2) - 1
    low = (counter - shift * (_EXACT // 2)) << shift
    return low + (1 << shift) // 2


COUNTERS = _counter(LONGEST) + 1


class Waits:
    """Counts waits. A quantile is exact below 128 s, and above off by less than 1 % (at most 1 in 128).

    The counters are those of HdrHistogram (Gil Tene, hdrhistogram.org): linear within each doubling, so that the error stays in
    proportion to the wait. There are fewer than 800 of them, however many waits are counted.
    """

    __slots__ = ("_counts", "longest", "total")

    def __init__(self) -> None:
        self._counts = array("L", bytes(array("L").itemsize * COUNTERS))
        self.total = 0
        self.longest = 0
        """Exact, in seconds."""

    def add(self, seconds: int) -> None:
        seconds = min(seconds, LONGEST)
        self._counts[_counter(seconds)] += 1
        self.total += 1
        if seconds > self.longest:
            self.longest = seconds

    def quantile(self, share: float) -> int:
        """The shortest wait in seconds that at least this share of all did not exceed; 0 when there are none."""
        wanted = max(ceil(share * self.total), 1)
        if wanted == self.total:
            return self.longest
        passed = 0
        for counter, count in enumerate(self._counts):
            passed += count
            if passed >= wanted:
                return min(_middle(counter), self.longest)
        return 0

    def merge(self, other: Waits) -> None:
        for counter, count in enumerate(other._counts):
            if count:
                self._counts[counter] += count
        self.total += other.total
        self.longest = max(self.longest, other.longest)
