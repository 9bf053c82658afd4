"""Askers: who counts, for how long, and what is forgotten."""

from __future__ import annotations

import pytest

from realtime import askers
from realtime.askers import ASKS_S, Askers


def test_an_asker_counts_until_nothing_was_heard_for_a_while() -> None:
    those = Askers()

    assert those.ask("b~one", 0)
    assert those.ask("b~two", 1)
    assert those.ask("p~one", 2)
    assert not those.ask("b~one", 3)

    assert (those.count("b"), those.count("p"), those.count("o"), len(those)) == (2, 1, 0, 3)
    assert those.next_over() == 1 + ASKS_S
    assert those.last(2) == ("b~one", "p~one")
    assert not those.over(ASKS_S)
    assert those.over(2 + ASKS_S)
    assert (those.last(9), those.count("b"), those.next_over()) == (("b~one",), 1, 3 + ASKS_S)
    assert those.over(3 + ASKS_S)
    assert (len(those), those.last(9), those.count("b"), those.next_over()) == (0, (), 0, None)


def test_of_very_many_the_one_that_asked_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(askers, "MOST_ASKERS", 2)
    those = Askers()
    for at, who in enumerate(("b1", "b2", "b1", "b3")):
        those.ask(who, at)

    assert those.count("b") == 2
    assert not those.ask("b1", 4)
    assert those.ask("b2", 5)
