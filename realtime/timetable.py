"""Times that come again, as a cron expression names them in a time zone: pure, the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FIELDS = "A cron expression has five fields: minute, hour, day of the month, month, weekday."


class NoTimes(Exception):
    """The expression names no time, with the reason as one sentence."""


def next_ms(cron: str, timezone: str, after_ms: int) -> int:
    """The first of its times after a moment. Where the clocks change it goes as Debian's cron does.

    Raises: NoTimes
    """
    return next(_times(cron, timezone, after_ms))


def last_ms(cron: str, timezone: str, since_ms: int, until_ms: int, most: int) -> list[int]:
    """Its times from one moment to another, both included, the newest `most` of them in their order. Raises: NoTimes."""
    found: list[int] = []
    for at_ms in _times(cron, timezone, until_ms + 1, back=True):
        if at_ms < since_ms or len(found) == most:
            break
        found.append(at_ms)
    return found[::-1]


def _times(cron: str, timezone: str, from_ms: int, *, back: bool = False) -> Iterator[int]:
    from cronsim import CronSim, CronSimError  # few installations have a schedule

    if len(cron.split()) != 5:  # with a sixth it would be seconds
        raise NoTimes(_FIELDS)
    try:
        # It steps by minutes; from within one it would pass by the minute itself on its way back.
        start_ms = -(-from_ms // 60_000) * 60_000 if back else from_ms
        for at in CronSim(cron, datetime.fromtimestamp(start_ms / 1000, ZoneInfo(timezone)), reverse=back):
            yield int(at.timestamp()) * 1000
    except CronSimError as error:
        raise NoTimes(f"{error} in the cron expression. {_FIELDS}") from None
    except ZoneInfoNotFoundError:
        raise NoTimes(f"This server does not know the time zone {timezone}. Name another.") from None
    raise NoTimes("There is no such time within fifty years. Correct the expression.")
