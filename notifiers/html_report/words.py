"""Figures as words: how long, how many, from when to when."""

from __future__ import annotations

import re
from datetime import datetime

from notifiers.html_report.figures import Slot

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def duration(seconds: int) -> str:
    """Rounded as the mail that carries the report rounds it: "under 1 min", "12 min", "1 h 05"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under 1 min"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"


def at_most(seconds: int) -> str:
    """The same as a bound: "12 min or less", and "under 1 min", which is one already."""
    return f"{duration(seconds)} or less" if round(seconds / 60) else duration(seconds)


def number(count: int) -> str:
    return f"{count:,}"


def parties(count: int) -> str:
    return f"{count:,} {'party' if count == 1 else 'parties'}"


def span(slot: Slot) -> str:
    return f"{slot.label} to {slot.until}" + (f" ({slot.zone})" if slot.zone else "")


def day(at: datetime) -> str:
    """In English, whatever the server's language: "Saturday, 22 November 2025"."""
    return f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year}"


def clean(text: str) -> str:
    """A store's or queue's name without characters that are no letters and could turn what stands after them around."""
    return _CONTROL.sub(" ", text).strip()


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
