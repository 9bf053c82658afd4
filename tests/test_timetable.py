"""Times that come again: the next one and the last ones, also where the clocks change, and never one twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import timetable


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_the_next_time_is_after_the_moment_and_never_the_moment_itself() -> None:
    assert timetable.next_ms("0 3 * * *", "UTC", ms("2026-11-27 02:59:59")) == ms("2026-11-27 03:00")
    assert timetable.next_ms("0 3 * * *", "UTC", ms("2026-11-27 03:00")) == ms("2026-11-28 03:00")


def test_a_time_is_that_of_its_time_zone() -> None:
    assert timetable.next_ms("0 3 * * *", "Europe/Berlin", ms("2026-11-27 00:00")) == ms("2026-11-27 02:00")
    assert timetable.next_ms("0 3 * * *", "Europe/Berlin", ms("2026-07-01 00:00")) == ms("2026-07-01 01:00")


def test_a_day_on_which_the_clocks_change_has_its_daily_time_once() -> None:
    for date, count in (("2026-03-29", 1), ("2026-10-25", 1)):
        times = timetable.last_ms("30 2 * * *", "Europe/Berlin", ms(f"{date} 00:00") - 3_600_000, ms(f"{date} 20:00"), 100)

        assert len(times) == count, date


def test_the_last_times_are_those_from_one_moment_to_another_the_newest_of_them_in_order() -> None:
    hourly = "0 * * * *"

    assert timetable.last_ms(hourly, "UTC", ms("2026-11-27 01:00"), ms("2026-11-27 03:00"), 9) == [
        ms(f"2026-11-27 0{hour}:00") for hour in (1, 2, 3)
    ]
    assert timetable.last_ms(hourly, "UTC", ms("2024-01-01 00:00"), ms("2026-11-27 03:30"), 2) == [
        ms("2026-11-27 02:00"),
        ms("2026-11-27 03:00"),
    ]
    assert timetable.last_ms(hourly, "UTC", ms("2026-11-27 03:01"), ms("2026-11-27 03:59"), 9) == []


@given(st.integers(ms("2026-01-01"), ms("2027-01-01")), st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *", "0 0 1 * *"]))
def test_the_next_time_is_among_the_last_ones_as_soon_as_it_has_come_and_not_before(now_ms: int, cron: str) -> None:
    next_ms = timetable.next_ms(cron, "Europe/Berlin", now_ms)

    assert next_ms > now_ms
    assert timetable.last_ms(cron, "Europe/Berlin", now_ms + 1, next_ms - 1, 1) == []
    assert timetable.last_ms(cron, "Europe/Berlin", now_ms + 1, next_ms, 1) == [next_ms]


@pytest.mark.parametrize(
    "cron", ["", "every day", "* * * *", "61 * * * *", "0 0 30 2 *", "* * * * * *", "* * * * * * *", "@daily", "é * * * *", "0 0 * * MON#6"]
)
def test_an_expression_that_names_no_time_is_told_why(cron: str) -> None:
    with pytest.raises(timetable.NoTimes, match=r"[.]$"):
        timetable.next_ms(cron, "UTC", 0)
