"""When the client comes back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realtime.client.retry import MOST_SECONDS, STABLE_SECONDS, Retry
from realtime.errors import Dropped, Overloaded

ROOT = Path(__file__).parents[2]
SAID = {
    "realtime/web/static/live/clock.js": r"MOST_MS = (\d+)_000;",
    "docs/protocol.md": r"Coming back: after a random time between 0 and min\((\d+) s, ",
    "docs/scaling.md": r"a random time that grows to at most (\d+) s\.",
    "docs/client.md": r"a random time that grows to (\d+) seconds",
}


def most(retry: Retry, error: Dropped | Overloaded, times: int) -> list[float]:
    return [retry.pause(100.0, error) for _ in range(times)]


def test_pauses_are_drawn_between_nothing_and_a_limit_that_doubles() -> None:
    assert most(Retry(lambda: 1.0), Dropped(), 8) == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert most(Retry(lambda: 0.25), Dropped(), 3) == [0.125, 0.25, 0.5]
    assert most(Retry(lambda: 0.0), Dropped(), 3) == [0, 0, 0]


def test_only_a_connection_that_held_makes_it_quick_again() -> None:
    retry = Retry(lambda: 1.0)
    most(retry, Dropped(), 4)

    assert not retry.held(STABLE_SECONDS - 1)
    assert retry.pause(100.0, Dropped()) == 8
    assert retry.held(STABLE_SECONDS + 1)
    assert retry.pause(100.0, Dropped()) == 0.5


def test_a_server_without_room_is_given_time() -> None:
    assert Retry(lambda: 1.0).pause(100.0, Overloaded()) == MOST_SECONDS


def test_the_servers_own_wish_comes_first() -> None:
    retry = Retry(lambda: 1.0)
    retry.told(100.0, 3.0)

    assert retry.pause(101.0, Dropped()) == 2.0
    assert retry.pause(103.5, Dropped()) == pytest.approx(1.0)
    assert retry.pause(110.0, Overloaded(retry_after=5)) == 5 + MOST_SECONDS, "many are told the same, so chance spreads them"


@pytest.mark.parametrize("place", SAID)
def test_the_longest_wait_is_the_same_for_every_client_and_in_every_document(place: str) -> None:
    assert re.findall(SAID[place], (ROOT / place).read_text()) == [f"{MOST_SECONDS:g}"]
