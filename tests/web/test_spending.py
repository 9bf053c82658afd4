"""Spending: several processes together give one visitor what one would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.broker.contract import MOST_NOTE_BYTES
from realtime.errors import TooMany
from realtime.web.limits import DEEPEST, Buckets, Limits
from realtime.web.spending import MOST_WAITING, OLD_MS, Spending
from tests.web.conftest import Clock


class Process:
    """The allowances of one process; its notes reach the others when `deliver` is called."""

    def __init__(self, clock: Clock, *, per_minute: float = 6, burst: float = 6) -> None:
        self.notes: list[bytes] = []
        self.now_ms = 1_000_000
        self.spending = Spending(self._tell, lambda: self.now_ms)
        self.buckets = Buckets(per_minute, burst, clock.seconds)
        self.buckets.share(self.spending, "joins")

    def _tell(self, kind: str, body: bytes) -> None:
        assert len(body) <= MOST_NOTE_BYTES
        self.notes.append(body)

    def deliver(self, *others: Process) -> int:
        self.spending.tell_others()
        notes, self.notes = self.notes, []
        for other in others:
            for body in notes:
                other.spending.hear(body)
        return len(notes)


def taken(buckets: Buckets, key: str, tries: int = 10) -> int:
    return sum(buckets.wait(key) == 0 for _ in range(tries))


def test_what_was_spent_at_one_process_is_not_there_at_another() -> None:
    clock = Clock()
    one, two = Process(clock), Process(clock)

    assert taken(one.buckets, "a", 4) == 4
    one.deliver(two)

    assert taken(two.buckets, "a") == 2
    assert taken(two.buckets, "b") == 6
    assert two.buckets.quota("a").left == 0


def test_what_was_given_twice_at_the_same_moment_is_owed() -> None:
    clock = Clock()
    one, two = Process(clock), Process(clock)
    assert (taken(one.buckets, "a"), taken(two.buckets, "a")) == (6, 6)
    one.deliver(two)
    two.deliver(one)

    clock.ahead = 60
    assert (taken(one.buckets, "a"), taken(two.buckets, "a")) == (0, 0)
    assert one.buckets.quota("a").left == 0
    clock.ahead = 120

    assert taken(one.buckets, "a") == 6


def test_what_is_owed_is_bounded() -> None:
    clock = Clock()
    process = Process(clock)

    process.buckets.spent_elsewhere(process.buckets._mark("a"), 10**9)

    clock.ahead = (DEEPEST + 1) * 60
    assert taken(process.buckets, "a") == 6


def test_a_try_that_was_right_makes_the_allowance_whole_everywhere() -> None:
    clock = Clock()
    one, two = Process(clock), Process(clock)
    taken(one.buckets, "a")
    one.buckets.forget("a")
    taken(one.buckets, "a", 1)
    taken(two.buckets, "a")

    one.deliver(two)

    assert taken(two.buckets, "a") == 5


def test_nothing_spent_is_nothing_told_and_nothing_is_told_twice() -> None:
    clock = Clock()
    one, two = Process(clock), Process(clock)

    assert one.deliver(two) == 0
    taken(one.buckets, "a", 1)
    assert one.deliver(two) == 1
    assert one.deliver(two) == 0
    taken(one.buckets, "a", 1)
    assert one.deliver(two) == 1
    assert taken(two.buckets, "a") == 4


def test_what_comes_out_of_a_jam_is_passed_over() -> None:
    clock = Clock()
    one, two = Process(clock), Process(clock)
    taken(one.buckets, "a")
    two.now_ms += OLD_MS + 1

    one.deliver(two)

    assert taken(two.buckets, "a") == 6


def test_of_a_flood_of_visitors_much_is_told_in_bounded_notes_and_little_is_kept() -> None:
    clock = Clock()
    one, two = Process(clock), Process(clock)
    for number in range(2 * MOST_WAITING):
        one.buckets.wait(f"2001:db8::{number:x}")
    assert len(one.spending._waiting) == MOST_WAITING

    times = 0
    while one.deliver(two):
        times += 1

    assert times < 20
    assert len(two.buckets) == MOST_WAITING


def test_nobody_can_read_who_it_was() -> None:
    clock = Clock()
    told: list[bytes] = []
    limits = Limits(10, 60, clock.seconds, secret=b"k" * 32)
    spending = Spending(lambda kind, body: told.append(body), lambda: 0)
    limits.share(spending)

    limits.sign_in("192.0.2.7", "luigi@example.com")
    spending.tell_others()

    assert told
    assert b"192.0.2.7" not in told[0]
    assert b"luigi" not in told[0]


def test_every_rule_is_shared() -> None:
    clock = Clock()
    told: list[bytes] = []
    one, two = Limits(2, 2, clock.seconds), Limits(2, 2, clock.seconds)
    here, there = Spending(lambda kind, body: told.append(body), lambda: 0), Spending(lambda kind, body: None, lambda: 0)
    one.share(here)
    two.share(there)
    for _ in range(2):
        one.join("a")
        one.sign_in("a", "luigi@example.com")

    here.tell_others()
    for body in told:
        there.hear(body)

    with pytest.raises(TooMany):
        two.join("a")
    with pytest.raises(TooMany):
        two.sign_in("a", "luigi@example.com")
    two.sign_in("a", "mario@example.com")


def test_a_note_of_another_version_is_passed_over() -> None:
    process = Process(Clock())

    process.spending.hear(b"\x00nothing")

    assert taken(process.buckets, "a") == 6


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.booleans(), st.integers(0, 5)), max_size=60))
def test_over_time_processes_together_give_what_one_would(steps: list[tuple[int, int, bool, int]]) -> None:
    """Whatever the order of tries, notes and pauses: never more than the rate gives, the burst, and once what the others could not know."""
    clock = Clock()
    processes = [Process(clock) for _ in range(3)]
    given_out = 0
    for at, tries, deliver, seconds in steps:
        given_out += taken(processes[at].buckets, "a", tries)
        if deliver:
            for process in processes:
                process.deliver(*(other for other in processes if other is not process))
        clock.ahead += seconds

    # Each by itself, at worst.
    assert given_out <= 3 * (6 + clock.ahead * 0.1)
    if all(deliver for _, _, deliver, _ in steps):
        assert given_out <= 6 + clock.ahead * 0.1 + 1e-6
