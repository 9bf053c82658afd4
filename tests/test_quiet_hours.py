"""Quiet hours: what may be written, and what the store's clocks make of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from realtime.errors import InvalidInput
from realtime.quiet_hours import checked, is_quiet


@pytest.mark.parametrize("said", ["", "22:00-08:00", "00:00-23:59", "13:00-15:30"])
def test_hours_are_kept_as_they_are_written(said: str) -> None:
    assert checked(said) == said


@pytest.mark.parametrize(
    "said",
    [
        "22-08",
        "22:00",
        "22:00-",
        "-08:00",
        "24:00-08:00",
        "22:60-08:00",
        "9:00-10:00",
        "22:00-08:00\n",
        "\n",
        " ",
        "22:00–08:00",
        "٢٢:٠٠-٠٨:٠٠",
        "22:00-08:00-",
    ],
)
def test_what_is_no_hours_is_refused_with_what_to_write(said: str) -> None:
    with pytest.raises(InvalidInput, match="such as 22:00-08:00, or leave both empty") as refused:
        checked(said)

    assert refused.value.field == "quiet_hours"


def test_hours_that_end_when_they_begin_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Quiet hours cannot end when they begin"):
        checked("08:00-08:00")


def at(said: str) -> int:
    return int(datetime.fromisoformat(said).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "timezone", "utc", "quiet"),
    [
        ("", "UTC", "2026-01-10 03:00:00", False),
        ("13:00-15:00", "UTC", "2026-01-10 12:59:59.999", False),
        ("13:00-15:00", "UTC", "2026-01-10 13:00:00", True),
        ("13:00-15:00", "UTC", "2026-01-10 14:59:59.999", True),
        ("13:00-15:00", "UTC", "2026-01-10 15:00:00", False),
        ("22:00-08:00", "Europe/Rome", "2026-01-10 20:59:00", False),
        ("22:00-08:00", "Europe/Rome", "2026-01-10 21:00:00", True),
        ("22:00-08:00", "Europe/Rome", "2026-01-10 23:00:00", True),
        ("22:00-08:00", "Europe/Rome", "2026-01-11 06:59:00", True),
        ("22:00-08:00", "Europe/Rome", "2026-01-11 07:00:00", False),
        ("22:00-08:00", "America/New_York", "2026-01-11 03:00:00", True),
        ("22:00-08:00", "Asia/Kolkata", "2026-01-10 16:30:00", True),
    ],
)  # fmt: skip
def test_the_stores_clock_says_whether_it_is_quiet(hours: str, timezone: str, utc: str, quiet: bool) -> None:
    assert is_quiet(hours, timezone, at(utc)) is quiet


@pytest.mark.parametrize(
    ("utc", "quiet"),
    [
        # 25 October 2026: at 03:00 in Rome the clocks go back to 02:00.
        ("2026-10-24 23:59:00", False),
        ("2026-10-25 00:00:00", True),
        ("2026-10-25 00:30:00", True),
        ("2026-10-25 01:30:00", True),
        ("2026-10-25 02:00:00", False),
        # 29 March 2026: at 02:00 they go on to 03:00.
        ("2026-03-29 00:59:00", False),
        ("2026-03-29 01:00:00", False),
    ],
)
def test_where_clocks_are_changed_an_hour_is_quiet_twice_or_not_there(utc: str, quiet: bool) -> None:
    assert is_quiet("02:00-03:00", "Europe/Rome", at(utc)) is quiet
