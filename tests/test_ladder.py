"""The ladder: what a setting or an owner may say, what is kept of it, and when a call's deliveries are due."""

from __future__ import annotations

import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import ladder
from realtime.ladder import NOT_REACHED, Step
from realtime.model import Delivery
from realtime.operations.escalation import climb
from realtime.settings import Settings

NOW = 1_795_393_000_000
channels = st.sampled_from(["web_push", "sms", "email", "pager", NOT_REACHED])
steps = st.lists(st.builds(Step, channels, st.none() | st.integers(0, ladder.LATEST_S)), unique_by=lambda step: step.channel, max_size=5)
deliveries = st.lists(
    st.builds(
        Delivery,
        notifier=st.sampled_from(["web_push", "sms", "email", "log"]),
        recipient=st.just("+391"),
        moment=st.sampled_from(["called", "large_party"]),
        body=st.just({}),
        not_after_ms=st.just(0) | st.integers(NOW, NOW + 2 * 3_600_000),
    )
)


@given(steps)
def test_what_is_kept_is_read_again_in_the_order_of_time(said: list[Step]) -> None:
    kept = ladder.kept(ladder.text(said))

    assert sorted(kept, key=lambda step: step.channel) == sorted(said, key=lambda step: step.channel)
    times = [step.after_s for step in kept]
    used = [time for time in times if time is not None]
    assert times == sorted(used) + [None] * (len(times) - len(used))


@given(steps)
def test_a_setting_can_say_every_ladder(said: list[Step]) -> None:
    words = [f"{step.channel}:{'never' if step.after_s is None else step.after_s}" for step in said]

    assert ladder.faults(words) == []
    assert ladder.of_setting(words) == tuple(said)


@given(steps, deliveries)
def test_every_delivery_of_a_call_is_due_at_its_step_or_falls_away(said: list[Step], composed: list[Delivery]) -> None:
    times = {step.channel: step.after_s for step in said}

    owed = climb(composed, tuple(said), NOW)

    last_s = times.get(NOT_REACHED)
    if last_s is not None:
        last = owed.pop()
        assert (last.notifier, last.not_before_ms, last.unless_seen) == (NOT_REACHED, NOW + last_s * 1000, True)
    assert NOT_REACHED not in [delivery.notifier for delivery in owed]
    for delivery in owed:
        after_s = times.get(delivery.notifier, 0)
        on_ladder = delivery.notifier in times and delivery.moment == "called"
        assert delivery.unless_seen == on_ladder
        assert delivery.not_before_ms == (NOW + (after_s or 0) * 1000 if on_ladder else 0)
        assert not delivery.not_after_ms or delivery.not_before_ms <= delivery.not_after_ms
    stripped = [msgspec.structs.replace(delivery, not_before_ms=0, unless_seen=False) for delivery in owed]
    kept = [each for each in composed if each.moment != "called" or each.notifier not in times or _in_time(each, times[each.notifier])]
    assert stripped == kept


def _in_time(delivery: Delivery, after_s: int | None) -> bool:
    return after_s is not None and (not delivery.not_after_ms or NOW + after_s * 1000 <= delivery.not_after_ms)


def test_without_a_ladder_everything_goes_out_at_once() -> None:
    composed = [Delivery("sms", "+391", "called", {})]

    assert climb(composed, ladder.kept(""), NOW) == composed


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (["sms"], '"sms" is no step'),
        (["sms:"], '"sms:" is no step'),
        (["sms:3601"], '"sms:3601" is no step'),
        (["sms:-1"], '"sms:-1" is no step'),
        (["sms:020"], '"sms:020" is no step'),
        (["SMS:20"], '"SMS:20" is no step'),
        (["sms:٢"], "is no step"),
        (["sms:20\n"], "is no step"),
        (["sms:20", "email:20", "sms:never"], '"sms:never" names a channel for the second time'),
        ([f"{letter}:1" for letter in string.ascii_lowercase[:9]], "has 9 steps; leave 8 at most"),
    ],
)
def test_a_setting_that_is_no_ladder_is_refused_with_a_sentence(said: list[str], complaint: str) -> None:
    (fault,) = ladder.faults(said)

    assert fault.startswith("call_ladder: ")
    assert complaint in fault


def test_what_ships_is_a_ladder_that_is_free_first() -> None:
    shipped = ladder.of_setting(Settings.defaults().call_ladder)

    assert [step.channel for step in shipped] == ["web_push", "sms", "email", NOT_REACHED]
    assert shipped == ladder.in_order(shipped)
