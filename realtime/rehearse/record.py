"""What happened in a rehearsal: counts, how long changes took to arrive, and everything that must not be."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import ceil
from typing import Any

from msgspec import Struct


class Latency(Struct, frozen=True):
    """Milliseconds from a command of the staff to the screens."""

    changes: int
    deliveries: int
    each_p50: float
    """One change on one screen."""
    each_p99: float
    last_p50: float
    """One change on the last of all screens."""
    last_p99: float


class Record:
    """Filled by everybody who takes part."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        """Refusals that belong to the evening, by code."""
        self.differences: list[str] = []
        self.joined: set[int] = set()
        """Tickets that somebody was given."""
        self.called: set[tuple[int, int]] = set()
        """Who was called, and the how manieth call of that party it was, as the desks were answered."""
        self.codes: set[str] = set()
        """Codes that were joined with."""
        self.unanswered = 0
        """Commands of which nobody knows whether they were done."""
        self._acted: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
        self._arrived: defaultdict[int, list[float]] = defaultdict(list)
        self._changes: dict[int, tuple[int, str]] = {}

    def differs(self, sentence: str) -> None:
        self.differences.append(sentence)

    def acted(self, ticket: int, change: str, at: float) -> None:
        """The staff asked for this change at that moment, and were told that it is done."""
        self._acted[ticket, change].append(at)

    def arrived(self, push: dict[str, Any], at: float) -> None:
        """A change of a ticket came to a live client."""
        if ticket := push.get("ticket"):
            self._changes[push["seq"]] = ticket["id"], push["change"]
            self._arrived[push["seq"]].append(at)

    def latency(self) -> Latency:
        """The first "called" of a ticket belongs to the first call that was asked for, and so on."""
        waiting = {key: iter(times) for key, times in self._acted.items()}
        each, last = list[float](), list[float]()
        for seq in sorted(self._changes):
            begun = next(waiting.get(self._changes[seq], iter(())), None)
            if begun is not None:
                taken = [(at - begun) * 1000 for at in self._arrived[seq]]
                each += taken
                last.append(max(taken))
        return Latency(len(last), len(each), percentile(each, 0.5), percentile(each, 0.99), percentile(last, 0.5), percentile(last, 0.99))


def percentile(values: list[float], part: float) -> float:
    """The smallest value that so many are not above (nearest rank); 0 where there are none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else 0.0
