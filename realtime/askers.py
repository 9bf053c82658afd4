"""Askers: who asks again and again counts as there, until nothing was heard of them for a while."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable

ASKS_S = 12.0
"""How long after its last question an asker counts: three of the browser client's, which asks every 3 s or so."""
MOST_ASKERS = 5_000
"""Of one store; of more the one that asked longest ago is forgotten."""


class Askers:
    """Those of one store, by what each asks for. Times are seconds of one clock."""

    __slots__ = ("_counts", "_until")

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()
        """What is asked for, and who asks -> until when that counts, the soonest first."""
        self._counts: Counter[str] = Counter()

    def ask(self, what: str, who: str, now: float) -> bool:
        """Somebody asks; whether they are new."""
        new = (what, who) not in self._until
        self._until[what, who] = now + ASKS_S
        self._until.move_to_end((what, who))
        if new:
            self._counts[what] += 1
            if len(self._until) > MOST_ASKERS:
                self._drop()
        return new

    def over(self, now: float) -> set[str]:
        """Forgets who has not asked for too long; what they asked for."""
        gone = set()
        while self._until and next(iter(self._until.values())) <= now:
            gone.add(self._drop())
        return gone

    def next_over(self) -> float | None:
        """When the next one may be gone; None where there is none."""
        return next(iter(self._until.values()), None)

    def count(self, what: str) -> int:
        return self._counts[what]

    def what(self) -> Iterable[str]:
        """What anybody asks for."""
        return self._counts.keys()

    def __len__(self) -> int:
        return len(self._until)

    def _drop(self) -> str:
        (what, _), _ = self._until.popitem(last=False)
        self._counts[what] -= 1
        if not self._counts[what]:
            del self._counts[what]
        return what
