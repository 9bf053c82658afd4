"""Latencies: which push belongs to which command of the staff."""

from __future__ import annotations

import pytest

from realtime.rehearse.record import Record, percentile


def called(seq: int, ticket: int) -> dict[str, object]:
    return {"seq": seq, "change": "called", "ticket": {"id": ticket}}


def test_the_first_call_asked_for_is_the_first_that_arrives() -> None:
    record = Record()
    record.acted(7, "called", 10.0)
    record.acted(7, "called", 20.0)
    record.arrived(called(41, 7), 10.001)
    record.arrived(called(41, 7), 10.003)
    record.arrived(called(55, 7), 20.002)
    record.arrived(called(60, 8), 99.0)

    latency = record.latency()

    assert (latency.changes, latency.deliveries) == (2, 3)
    assert [latency.each_p50, latency.each_p99, latency.last_p50, latency.last_p99] == pytest.approx([2, 3, 2, 3])


@pytest.mark.parametrize(("part", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_the_nearest_rank(part: float, expected: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], part) == expected


def test_of_nothing_it_is_nothing() -> None:
    assert percentile([], 0.99) == 0
