"""Quiet hours: from when to when, by a store's clock, its guests are written nothing but that it is their turn."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from realtime.errors import InvalidInput

_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_HOURS = re.compile(f"({_TIME})-({_TIME})")


def checked(said: str, field: str = "quiet_hours") -> str:
    """Hours as they are kept: "22:00-08:00", or empty for none.

    Raises:
        InvalidInput: they are written in another way, or end when they begin.
    """
    if not said:
        return ""
    found = _HOURS.fullmatch(said)
    if not found:
        raise InvalidInput("Say from when and until when, such as 22:00-08:00, or leave both empty.", field=field)
    if found[1] == found[2]:
        raise InvalidInput("Quiet hours cannot end when they begin. Leave both empty for none.", field=field)
    return said


def is_quiet(hours: str, timezone: str, at_ms: int) -> bool:
    """Whether a time (ms) is within a store's hours: the first minute is, the last is not.

    It goes by what the store's clocks show. Where these are put back, an hour that comes twice is quiet twice; one that is left out is missed by nobody.
    May wait for the disk, where timezones are kept.
    """
    if not hours:
        return False
    begin, end = hours.split("-")
    # By whole milliseconds: a float of seconds may round a time up into the next minute.
    local = datetime.fromtimestamp(at_ms // 1000, ZoneInfo(timezone)) + timedelta(milliseconds=at_ms % 1000)
    now = f"{local:%H:%M}"
    return begin <= now < end if begin < end else now >= begin or now < end


def said(hours: str) -> str:
    """Why something was not sent, as the staff read it."""
    return f"Quiet hours, {hours.replace('-', ' to ')}."
