"""Crowds: how many sockets one name may have, in this process and in all of them together."""

from __future__ import annotations

import pytest

from realtime.crowds import Crowds
from realtime.errors import Overloaded


class Elsewhere:
    """What others count, by mark; keeps what changed here."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {}
        self.told: list[str] = []

    def changed(self, mark: str) -> None:
        self.told.append(mark)

    def of(self, mark: str) -> list[int]:
        return self.counts.get(mark, [])

    @property
    def silent(self) -> bool:
        return not self.counts


def enter(crowds: Crowds, name: str, times: int) -> None:
    for _ in range(times):
        crowds.enter(name)


def test_the_one_that_is_too_many_is_told_so_until_another_leaves() -> None:
    crowds = Crowds(2, "Too many.")
    enter(crowds, "bar", 2)
    crowds.enter("shop")

    with pytest.raises(Overloaded, match=r"^Too many\.$"):
        crowds.enter("bar")

    crowds.leave("bar")
    crowds.enter("bar")
    for name in ("bar", "bar", "shop"):
        crowds.leave(name)
    assert len(crowds) == 0


def test_those_of_other_processes_count_under_their_mark() -> None:
    crowds, others = Crowds(10, "Too many."), Elsewhere()
    crowds.share(others, lambda name: f"mark of {name}")
    others.counts = {"mark of bar": [5, 3], "mark of shop": [10]}

    enter(crowds, "bar", 2)
    with pytest.raises(Overloaded):
        crowds.enter("bar")
    with pytest.raises(Overloaded):
        crowds.enter("shop")

    others.counts["mark of bar"] = [5, -1000]
    enter(crowds, "bar", 3)
    with pytest.raises(Overloaded):
        crowds.enter("bar")


def test_only_a_name_with_many_is_told_of_and_taken_back_when_it_has_few() -> None:
    crowds, others = Crowds(64, "Too many."), Elsewhere()
    crowds.share(others, str.upper)

    enter(crowds, "bar", 3)
    assert (others.told, crowds.worth_telling("BAR")) == ([], 0)
    enter(crowds, "bar", 2)
    assert (others.told, crowds.worth_telling("BAR")) == (["BAR", "BAR"], 5)
    crowds.leave("bar")
    crowds.leave("bar")
    assert (others.told[2:], crowds.worth_telling("BAR")) == (["BAR", "BAR"], 0)
    crowds.leave("bar")
    assert len(others.told) == 4


def test_where_few_may_come_each_is_told_of() -> None:
    crowds, others = Crowds(1, "Too many."), Elsewhere()
    crowds.share(others)

    crowds.enter("bar")

    assert (others.told, crowds.worth_telling("bar")) == (["bar"], 1)
