"""The evening that is rehearsed: made up beforehand, the same for the same seed."""

from __future__ import annotations

import pytest

from realtime.rehearse.evening import MARK, MOST_TOGETHER, Evening, plan


@pytest.fixture(scope="module")
def evening() -> Evening:
    return plan(200, 60, 1)


def test_the_same_seed_is_the_same_evening(evening: Evening) -> None:
    assert plan(200, 60, 1) == evening


def test_another_seed_is_another_evening(evening: Evening) -> None:
    other = plan(200, 60, 2)

    assert other.arrivals != evening.arrivals
    assert other.interludes != evening.interludes
    assert [desk.turns for desk in other.desks] != [desk.turns for desk in evening.desks]


@pytest.mark.parametrize("customers", [1, 2, 25, 200, 501])
def test_as_many_come_as_were_asked_for_each_with_a_name_of_their_own(customers: int) -> None:
    evening = plan(customers, 10, 3)

    visitors = [visitor for arrival in evening.arrivals for visitor in arrival.visitors]
    visitors += [interlude.visitor for interlude in evening.interludes if interlude.visitor]
    assert evening.parties == len(visitors) == customers
    assert len({visitor.name for visitor in visitors}) == customers
    assert all(f" {MARK} " in visitor.name for visitor in visitors)


def test_they_come_in_order_inside_the_evening_alone_or_in_groups(evening: Evening) -> None:
    times = [arrival.at for arrival in evening.arrivals]

    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= evening.seconds
    assert {len(arrival.visitors) for arrival in evening.arrivals} <= set(range(1, MOST_TOGETHER + 1))
    assert any(len(arrival.visitors) > 1 for arrival in evening.arrivals)


def test_a_paused_line_goes_on_before_the_evening_ends() -> None:
    for seed in range(50):
        paused: set[str] = set()
        for interlude in plan(20, 60, seed).interludes:
            if interlude.kind == "pause":
                paused.add(interlude.queue)
            elif interlude.kind == "resume":
                paused.discard(interlude.queue)
        assert not paused


def test_a_longer_evening_is_the_same_one_in_slow_motion() -> None:
    short, long = plan(50, 30, 4), plan(50, 60, 4)

    assert [arrival.at * 2 for arrival in short.arrivals] == pytest.approx([arrival.at for arrival in long.arrivals])


def test_nobody_can_be_reached_where_messages_would_be_real() -> None:
    evening = plan(100, 60, 1, contacts=False)

    assert all(visitor.phone == visitor.email == "" for arrival in evening.arrivals for visitor in arrival.visitors)
