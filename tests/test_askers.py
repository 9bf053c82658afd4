"""Askers: who counts, for how long, and what is forgotten."""

from __future__ import annotations

import pytest

from realtime import askers
from realtime.askers import ASKS_S, Askers


def test_an_asker_counts_until_nothing_was_heard_for_a_while() -> None:
    those = Askers()

    assert those.ask("board", "one", 0)
    assert those.ask("board", "two", 1)
    assert those.ask("public", "one", 2)
    assert not those.ask("board", "one", 3)

    assert (those.count("board"), those.count("public"), those.count("owner")) == (2, 1, 0)
    assert those.next_over() == 1 + ASKS_S
    assert those.over(ASKS_S) == set()
    assert those.over(2 + ASKS_S) == {"board", "public"}
    assert (set(those.what()), those.count("board"), those.next_over()) == ({"board"}, 1, 3 + ASKS_S)
    assert those.over(3 + ASKS_S) == {"board"}
    assert (len(those), list(those.what()), those.next_over()) == (0, [], None)


def test_of_very_many_the_one_that_asked_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(askers, "MOST_ASKERS", 2)
    those = Askers()
    for at, who in enumerate(("one", "two", "one", "three")):
        those.ask("board", who, at)

    assert those.count("board") == 2
    assert not those.ask("board", "one", 4)
    assert those.ask("board", "two", 5)
