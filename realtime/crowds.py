"""Crowds: how many sockets each name has - an address, a store - so that nobody in trouble takes the room of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from realtime.errors import Overloaded

SHARE = 16
"""Other processes are told of a name that has at least so small a part of what it may have. Where many may come nearly none has, so nearly nothing is told."""
HELD_S = 12.0
"""How long those count that another process told of and tells of no more: it may have been killed, and they come back."""


class Elsewhere(Protocol):
    """What other processes count, and who tells them what is counted here."""

    def changed(self, mark: str) -> None:
        """Here it is another number now."""

    def of(self, mark: str) -> Iterable[int]:
        """What each of the others counts."""

    @property
    def silent(self) -> bool:
        """None of them counts anything worth telling."""


class Crowds:
    """Counts by name, here and in those processes that it shares with. What those say of the last moment has not come yet: so many more
    may be there in all as others let in meanwhile, and what each does not tell for being few.

    Args:
        most: sockets of one name, in all processes together.
        refusal: what the one is told that is too many.
    """

    __slots__ = ("_counts", "_elsewhere", "_large", "_mark", "_most", "_refusal", "_worth_telling")

    def __init__(self, most: int, refusal: str) -> None:
        self._most = most
        self._refusal = refusal
        self._worth_telling = max(1, most // SHARE)
        self._counts: dict[str, int] = {}
        self._large: dict[str, int] = {}
        """Counts that others are told, by mark."""
        self._mark: Callable[[str], str] = str
        self._elsewhere: Elsewhere | None = None

    def share(self, elsewhere: Elsewhere, mark: Callable[[str], str] = str) -> None:
        """From now on counts together with other processes, under what `mark` makes of a name."""
        self._elsewhere, self._mark = elsewhere, mark

    def worth_telling(self, mark: str) -> int:
        """What others are told of a name; 0 where it has too few."""
        return self._large.get(mark, 0)

    def enter(self, name: str) -> None:
        """One more. Raises: Overloaded."""
        here = self._counts.get(name, 0)
        if here + self._there(name) >= self._most:
            raise Overloaded(self._refusal)
        self._count(name, here, here + 1)

    def leave(self, name: str) -> None:
        """One that entered is gone."""
        here = self._counts[name]
        self._count(name, here, here - 1)

    def __len__(self) -> int:
        """Names that have any here."""
        return len(self._counts)

    def _there(self, name: str) -> int:
        """As the others tell it: whatever that is, it makes no room."""
        others = self._elsewhere
        return 0 if others is None or others.silent else sum(max(0, count) for count in others.of(self._mark(name)))

    def _count(self, name: str, before: int, now: int) -> None:
        if now:
            self._counts[name] = now
        else:
            del self._counts[name]
        if self._elsewhere is not None and max(before, now) >= self._worth_telling:
            mark = self._mark(name)
            if now >= self._worth_telling:
                self._large[mark] = now
            else:
                self._large.pop(mark, None)
            self._elsewhere.changed(mark)
