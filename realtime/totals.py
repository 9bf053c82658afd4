"""What several processes count of the same thing, by process: the last word of each, for as long as it is repeated."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Totals(Generic[T]):
    """Keeps values that others told by name, each until it is told anew, taken back or `keep_s` old. Times are seconds of one clock.

    A process that was killed takes nothing back: what it told is over when it is too old. A repeated word changes nothing, and a lost
    one is made good by the next.

    Args:
        keep_s: how long a value holds.
        most: values kept; the one that was told longest ago gives way.
    """

    __slots__ = ("_by_name", "_keep_s", "_most", "_told")

    def __init__(self, keep_s: float, most: int) -> None:
        self._keep_s = keep_s
        self._most = most
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        """Name and process -> when it was told, the longest ago first."""
        self._by_name: dict[str, dict[str, T]] = {}

    def __len__(self) -> int:
        return len(self._told)

    def hear(self, process: str, name: str, value: T, now: float) -> bool:
        """A process counts `value` of `name`; whether that is news."""
        before = self._by_name.setdefault(name, {})
        news = process not in before or before[process] != value
        before[process] = value
        self._told[name, process] = now
        self._told.move_to_end((name, process))
        while len(self._told) > self._most:
            self._drop(*next(iter(self._told)))
        return news

    def take_back(self, process: str, name: str) -> bool:
        """A process counts nothing of `name` any more; whether that is news."""
        if (name, process) not in self._told:
            return False
        self._drop(name, process)
        return True

    def expire(self, now: float) -> set[str]:
        """Forgets what is too old; the names whose values changed by that."""
        changed = set()
        while self._told:
            (name, process), told = next(iter(self._told.items()))
            if told + self._keep_s > now:
                break
            self._drop(name, process)
            changed.add(name)
        return changed

    def of(self, name: str) -> Iterator[T]:
        """What each process counts of `name`."""
        return iter(self._by_name.get(name, {}).values())

    def _drop(self, name: str, process: str) -> None:
        del self._told[name, process]
        values = self._by_name[name]
        del values[process]
        if not values:
            del self._by_name[name]
