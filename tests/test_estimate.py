"""The likely wait, and the pace it is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.estimate import minutes, smooth

MINUTE = 60_000


def test_while_the_pace_is_unknown_nothing_is_promised() -> None:
    assert minutes(0, 3) == ()


@pytest.mark.parametrize(
    ("pace_minutes", "ahead", "expected"),
    [
        (4, 3, (10, 20)),  # 16 minutes: 12 to 20
        (5, 3, (15, 25)),  # 20 minutes: 15 to 25, exactly on the steps
        (1, 0, (0, 5)),
        (20, 0, (15, 25)),
        (3, 11, (25, 45)),
    ],
)
def test_the_wait_is_the_pace_for_everybody_ahead_and_oneself(pace_minutes: int, ahead: int, expected: tuple[int, int]) -> None:
    assert minutes(pace_minutes * MINUTE, ahead) == expected


@given(st.integers(1, 60 * MINUTE), st.integers(0, 500))
def test_the_range_holds_what_the_pace_says_and_the_browser_computes_the_same(pace_ms: int, ahead: int) -> None:
    low, high = minutes(pace_ms, ahead) or (0, 0)

    wait_ms = pace_ms * (ahead + 1)
    assert low * MINUTE <= 0.75 * wait_ms < (low + 5) * MINUTE
    assert (high - 5) * MINUTE < 1.25 * wait_ms <= high * MINUTE
    assert low % 5 == high % 5 == 0


def test_the_first_interval_is_the_pace() -> None:
    assert smooth(0, 4 * MINUTE) == 4 * MINUTE


def test_two_calls_at_the_same_moment_are_no_fast_line() -> None:
    assert smooth(0, 900) == MINUTE


def test_a_new_interval_counts_three_tenths() -> None:
    assert smooth(4 * MINUTE, 14 * MINUTE) == 7 * MINUTE


@pytest.mark.parametrize("interval_ms", [30 * MINUTE + 1, 24 * 60 * MINUTE, -1])
def test_a_long_pause_or_a_clock_set_back_does_not_change_the_pace(interval_ms: int) -> None:
    assert smooth(4 * MINUTE, interval_ms) == 4 * MINUTE
    assert smooth(0, interval_ms) == 0


@given(st.integers(0, 30 * MINUTE), st.lists(st.integers(0, 30 * MINUTE), min_size=1))
def test_a_known_pace_never_becomes_unknown_or_leaves_what_was_measured(pace_ms: int, intervals: list[int]) -> None:
    pace = pace_ms
    for interval in intervals:
        pace = smooth(pace, interval)

    assert 1 <= pace <= 30 * MINUTE
