"""Providers: who is down is left alone, tried with one delivery at a time, and is up again with the first that comes through."""

from __future__ import annotations

import logging

import pytest

from realtime.hookspecs import Outcome, Permanent, Retry, Sent
from realtime.metering import NoMeter
from realtime.providers import FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, BreakerState, Providers

DOWN = Retry("It does not answer.", provider_down=True)
MOST = 3
FIRST_MS, LONGEST_MS = int(FIRST_PAUSE_S * 1000), int(LONGEST_PAUSE_S * 1000)


class Gauge(NoMeter):
    def __init__(self) -> None:
        self.said: list[bool] = []

    def provider(self, notifier: str, *, down: bool) -> None:
        self.said.append(down)


class Rig:
    """The provider "sms", with a clock in milliseconds."""

    def __init__(self, chance: float = 1.0) -> None:
        self.now, self.count, self.gauge = 1_000_000, 0, Gauge()
        self.providers = Providers(MOST, lambda: self.now, lambda: chance, self.gauge)

    def begin(self) -> str:
        self.count += 1
        self.providers.begin("sms", str(self.count))
        return str(self.count)

    def give(self, *outcomes: Outcome) -> None:
        for outcome in outcomes:
            id_ = self.begin()
            self.providers.heard("sms", id_, outcome)
            self.providers.end("sms", id_)

    @property
    def room(self) -> int:
        return self.providers.room("sms")

    def state(self) -> BreakerState:
        return self.providers.standings()[0].state

    def pause_ms(self) -> int:
        until_ms = self.providers.free_ms("sms")
        assert until_ms
        return until_ms - self.now


def test_each_may_hold_so_many_at_once() -> None:
    rig = Rig()
    held = [rig.begin() for _ in range(MOST)]

    assert (rig.room, rig.providers.free_ms("sms"), rig.providers.room("email")) == (0, None, MOST)

    rig.providers.end("sms", held[0])
    assert (rig.room, rig.providers.free_ms("sms")) == (1, 0)


def test_failures_in_a_row_open_the_breaker_and_others_between_them_do_not() -> None:
    rig = Rig()
    rig.give(
        *[DOWN] * (FAILURES - 1),
        Sent(),
        *[DOWN] * (FAILURES - 1),
        Retry("Greylisted."),
        *[DOWN] * (FAILURES - 1),
        Permanent("No such user."),
    )
    assert (rig.state(), rig.room) == (BreakerState.CLOSED, MOST)

    rig.give(*[DOWN] * FAILURES)

    assert (rig.state(), rig.room) == (BreakerState.OPEN, 0)
    assert rig.providers.standings()[0].reason == "It does not answer."


def test_after_the_pause_it_is_tried_with_one_at_a_time() -> None:
    rig = Rig()
    rig.give(*[DOWN] * FAILURES)
    rig.now += FIRST_MS - 1
    assert rig.room == 0

    rig.now += 1
    assert (rig.room, rig.state()) == (1, BreakerState.HALF_OPEN)
    probe = rig.begin()
    assert (rig.room, rig.providers.free_ms("sms")) == (0, None)

    rig.providers.heard("sms", probe, Sent())
    rig.providers.end("sms", probe)
    assert (rig.room, rig.state()) == (MOST, BreakerState.CLOSED)


def test_a_probe_that_ends_without_an_answer_makes_room_for_another() -> None:
    rig = Rig()
    rig.give(*[DOWN] * FAILURES)
    rig.now += FIRST_MS
    assert rig.room == 1
    rig.providers.end("sms", rig.begin())

    assert rig.room == 1


def test_pauses_grow_with_jitter_up_to_the_longest_and_start_afresh() -> None:
    for chance, share in ((1.0, 1.0), (0.0, 0.5)):
        rig, pauses = Rig(chance), list[int]()
        rig.give(*[DOWN] * FAILURES)
        for _ in range(8):
            pauses.append(rig.pause_ms())
            rig.now += pauses[-1]
            assert rig.room == 1
            rig.give(DOWN)
        assert pauses == [int(min(FIRST_MS * 2**at, LONGEST_MS) * share) for at in range(8)]
        rig.now += rig.pause_ms()
        assert rig.room == 1
        rig.give(Sent(), *[DOWN] * FAILURES)
        assert rig.pause_ms() == int(FIRST_MS * share)


@pytest.mark.parametrize(
    ("asked_s", "pause_ms"), [(60.0, 60_000), (1.0, FIRST_MS), (1e300, LONGEST_MS), (float("nan"), FIRST_MS), (-5.0, FIRST_MS)]
)
def test_what_it_asks_for_is_heeded_within_reason(asked_s: float, pause_ms: int) -> None:
    rig = Rig()
    rig.give(*[DOWN] * (FAILURES - 1), Retry("It is down for maintenance.", asked_s, provider_down=True))

    assert rig.pause_ms() == pause_ms


def test_what_was_under_way_when_it_opened_says_nothing_new_unless_it_comes_through() -> None:
    rig = Rig()
    late, later = rig.begin(), rig.begin()
    rig.give(*[DOWN] * FAILURES)
    until_ms = rig.providers.free_ms("sms")

    rig.providers.heard("sms", late, DOWN)
    assert rig.providers.free_ms("sms") == until_ms
    rig.now += FIRST_MS
    assert rig.room == 1
    rig.begin()
    rig.providers.heard("sms", late, DOWN)
    assert rig.state() is BreakerState.HALF_OPEN

    rig.providers.heard("sms", later, Sent())
    assert rig.state() is BreakerState.CLOSED


def test_a_clock_that_is_set_back_does_not_make_a_pause_longer_than_the_longest() -> None:
    rig = Rig()
    rig.give(*[DOWN] * FAILURES)
    rig.now -= 10 * LONGEST_MS

    assert rig.pause_ms() == LONGEST_MS


def test_each_change_of_state_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    with caplog.at_level(logging.INFO, "nowserving.providers"):
        rig.give(*[DOWN] * (FAILURES + 3))
        for _ in range(3):
            rig.now += rig.pause_ms()
            assert rig.room
            rig.give(DOWN)
        rig.now += rig.pause_ms()
        assert rig.room
        rig.give(Sent(), Sent())

    assert [record.getMessage().partition(":")[0].rpartition(" is ")[0] for record in caplog.records if "down" in record.getMessage()] == [
        "The provider of the notifier sms"
    ]
    assert len([record for record in caplog.records if "up again" in record.getMessage()]) == 1
    assert rig.gauge.said == [True, False]
