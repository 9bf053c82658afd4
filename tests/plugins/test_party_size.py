"""Queues that say for how many they are."""

from __future__ import annotations

import pytest

from plugins.party_size import check_join
from realtime.hookspecs import JoinFacts, QueueFacts
from tests.plugins.facts import STORE


def ask(queue: str, party: int, *, walk_in: bool = False) -> str | None:
    return check_join(JoinFacts(store=STORE, queue=QueueFacts(id="A", name=queue), name="Ann", party=party, walk_in=walk_in))


@pytest.mark.parametrize(
    ("queue", "fits"),
    [
        ("Table (1-2)", range(1, 3)),
        ("Table (3 – 4)", range(3, 5)),
        ("Hall (5+)", range(5, 100)),
        ("Bar (max 3)", range(1, 4)),
        ("Bar (≤3)", range(1, 4)),
        ("Table for two", range(1, 100)),
        ("Terrace (2)", range(1, 100)),
        ("Room 3-4", range(1, 100)),
        ("(1-2) upstairs", range(1, 100)),
    ],
)
def test_a_party_joins_where_the_name_says_it_fits(queue: str, fits: range) -> None:
    assert [party for party in range(1, 100) if ask(queue, party) is None] == list(fits)


def test_the_refusal_says_what_to_do() -> None:
    assert ask("Table (1-2)", 5) == "This line is for parties of up to 2. Please choose another line."
    assert ask("Hall (5+)", 2) == "This line is for parties of 5 or more. Please choose another line."


def test_the_staff_may_seat_whom_they_like() -> None:
    assert ask("Table (1-2)", 5, walk_in=True) is None
