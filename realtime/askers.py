"""Askers: who asks again and again counts as there, until nothing was heard of them for a while."""

from __future__ import annotations

from collections import Counter, OrderedDict
from itertools import islice

ASKS_S = 12.0
"""How long after its last question an asker counts: three to five of the browser client's, which asks every 2 to 4 s."""
MOST_ASKERS = 5_000
"""Of one store; of more the one that asked longest ago is forgotten."""


class Askers:
    """Those of one store, by marks: a letter for what is asked for, and whatever tells askers apart. Times are seconds of one clock."""

    __slots__ = ("_counts", "_until")

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()
        """Mark -> until when it counts, the soonest first."""
        self._counts: Counter[str] = Counter()

    def ask(self, mark: str, now: float) -> bool:
        """Somebody asks; whether they are new."""
        new = mark not in self._until
        self._until[mark] = now + ASKS_S
        self._until.move_to_end(mark)
        if new:
            self._counts[mark[0]] += 1
            if len(self._until) > MOST_ASKERS:
                self._drop()
        return new

    def over(self, now: float) -> bool:
        """Forgets who has not asked for too long; whether there was any."""
        gone = False
        while self._until and next(iter(self._until.values())) <= now:
            self._drop()
            gone = True
        return gone

    def next_over(self) -> float | None:
        """When the next one may be gone; None where there is none."""
        return next(iter(self._until.values()), None)

    def last(self, most: int) -> tuple[str, ...]:
        """Marks of those that asked last."""
        return tuple(islice(reversed(self._until), most))

    def count(self, letter: str) -> int:
        """Those that ask for the same."""
        return self._counts[letter]

    def __len__(self) -> int:
        return len(self._until)

    def _drop(self) -> None:
        mark, _ = self._until.popitem(last=False)
        self._counts[mark[0]] -= 1
