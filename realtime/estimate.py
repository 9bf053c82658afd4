"""How long a party will probably wait: waits so far in, a range of minutes out."""

from __future__ import annotations

SMOOTHING = 0.3
"""How much the newest interval counts in the pace."""
LONGEST_INTERVAL_MS = 30 * 60_000
"""A longer pause between two calls says that nobody waited, not how fast the line moves."""
FIRST_MS = 60_000
"""The least pace that a first interval says: two desks that call at the same moment are no fast line."""
STEP_MINUTES = 5


def minutes(pace_ms: int, ahead: int) -> tuple[()] | tuple[int, int]:
    """The likely wait as (from, to) in minutes, a quarter less and a quarter more than the pace says, in steps of 5; () while unknown.

    `ahead` counts the parties before this one. The browser's client computes the same.
    """
    if pace_ms <= 0 or ahead < 0:
        return ()
    quarters = pace_ms * (ahead + 1)
    step = 4 * STEP_MINUTES * 60_000
    return 3 * quarters // step * STEP_MINUTES, -(-5 * quarters // step) * STEP_MINUTES


def smooth(pace_ms: int, interval_ms: int) -> int:
    """The queue's pace after one more call, `interval_ms` after the one before: an exponentially weighted moving average.

    Intervals above 30 minutes, and those of a clock that went backwards, leave the pace as it is.
    """
    if interval_ms < 0 or interval_ms > LONGEST_INTERVAL_MS:
        return pace_ms
    if pace_ms <= 0:
        return max(interval_ms, FIRST_MS)
    return max(round(pace_ms + SMOOTHING * (interval_ms - pace_ms)), 1)
