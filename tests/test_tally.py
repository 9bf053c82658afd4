"""A tally: processes that lose notes, hear them twice, are killed or come late end up with the same sums."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import tally
from realtime.broker.contract import MOST_NOTE_BYTES
from realtime.tally import AGAIN, KEEP_S, Tally


class Process:
    def __init__(self, world: World) -> None:
        self.world = world
        self.counts: dict[str, int] = {}
        self.tally: Tally[int] = Tally("sockets", int, 0, self._own, self._tell, lambda: world.now, self._now_ms, self._news)
        self.news: list[str] = []
        self.tally._say({})

    def _own(self, name: str) -> int:
        return self.counts.get(name, 0)

    def _now_ms(self) -> int:
        return int(self.world.now * 1000)

    def _tell(self, kind: str, body: bytes) -> None:
        assert kind == "sockets"
        assert len(body) <= MOST_NOTE_BYTES
        self.world.under_way += [(other, body) for other in self.world.processes if other is not self]

    def _news(self, name: str) -> None:
        self.news.append(name)

    def count(self, name: str, number: int) -> None:
        self.counts[name] = number
        self.tally.changed(name)

    def total(self, name: str) -> int:
        return self.counts.get(name, 0) + sum(self.tally.of(name))


class World:
    def __init__(self, processes: int) -> None:
        self.now = 1000.0
        self.under_way: list[tuple[Process, bytes]] = []
        self.processes: list[Process] = []
        for _ in range(processes):
            self.processes.append(Process(self))

    def deliver(self) -> int:
        """Everybody tells what they have to tell, and all of it is heard; how many notes that were."""
        heard = 0
        for process in self.processes:
            process.tally.tell_others()
        while self.under_way:
            to, body = self.under_way.pop(0)
            to.tally.hear(body)
            heard += 1
        return heard

    def pass_time(self, seconds: float) -> None:
        """As `Tally.run` does it."""
        end = self.now + seconds
        while self.now < end:
            self.now += KEEP_S / 12
            for process in self.processes:
                process.tally.look(self.now)
            self.deliver()


NAMES = ("bar", "shop")


@settings(max_examples=200)
@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_whatever_is_lost_the_sums_are_right_in_the_end(chance: random.Random, steps: int) -> None:
    world = World(3)
    for _ in range(steps):
        process = chance.choice(world.processes)
        process.count(chance.choice(NAMES), chance.randrange(3))
        if chance.random() < 0.3:
            process.tally.tell_others()
        if chance.random() < 0.2 and world.under_way:
            world.under_way.pop(chance.randrange(len(world.under_way)))
        if chance.random() < 0.2 and world.under_way:
            world.under_way.append(chance.choice(world.under_way))
        if chance.random() < 0.1:
            world.processes.remove(process)
            world.processes.append(Process(world))
        if chance.random() < 0.2:
            world.now += chance.randrange(30)

    world.pass_time(2 * KEEP_S)

    for name in NAMES:
        assert {process.total(name) for process in world.processes} == {sum(process.counts.get(name, 0) for process in world.processes)}


def test_what_did_not_change_is_told_again_only_when_it_is_time() -> None:
    world = World(2)
    one, two = world.processes
    one.count("bar", 5)
    assert one.tally.silent
    assert world.deliver() == 2  # the other one said that it has come
    assert world.deliver() == 1  # so it is told once more
    one.count("bar", 6)
    one.count("bar", 5)
    assert world.deliver() == 0

    world.now += KEEP_S * AGAIN
    one.tally.look(world.now)

    assert world.deliver() == 1
    assert two.news == ["bar"]


def test_what_a_killed_process_counted_ends_by_itself_and_a_late_one_is_told_at_once() -> None:
    world = World(2)
    one, two = world.processes
    two.count("bar", 5)
    world.deliver()
    assert one.total("bar") == 5

    world.processes.remove(two)
    world.pass_time(KEEP_S)
    assert one.total("bar") == 0
    assert one.news == ["bar", "bar"]
    assert one.tally.silent

    one.count("bar", 2)
    world.deliver()
    late = Process(world)
    world.processes.append(late)
    world.deliver()
    world.deliver()
    assert late.total("bar") == 2


def test_one_that_ends_in_order_takes_everything_back_at_once() -> None:
    world = World(2)
    one, two = world.processes
    two.count("bar", 5)
    two.count("shop", 1)
    world.deliver()
    assert one.total("bar") == 5

    two.tally.end()
    two.count("bar", 6)
    world.deliver()

    assert one.tally.silent


def test_what_was_recorded_and_is_played_again_later_is_passed_over() -> None:
    world = World(2)
    one, two = world.processes
    two.count("bar", 5)
    two.tally.tell_others()
    (_, recorded) = world.under_way[-1]
    world.under_way.clear()

    world.now += KEEP_S + 1
    one.tally.hear(recorded)

    assert one.total("bar") == 0


def test_processes_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST_PROCESSES", 2)
    world = World(1)
    for _ in range(5):
        Process(world)
    world.deliver()

    assert len(world.processes[0].tally._known) == 2


def test_very_many_names_go_into_few_notes() -> None:
    world = World(2)
    one, two = world.processes
    world.deliver()
    for number in range(1000):
        one.count(f"{number:012}", number)

    assert world.deliver() < 8

    assert two.total("000000000999") == 999


def test_a_note_of_another_version_is_passed_over() -> None:
    world = World(1)

    world.processes[0].tally.hear(b"\x00nothing")
    world.processes[0].tally.hear(b"\x92\xa4some\x81\xa3bar\xa5seven")

    assert world.processes[0].total("bar") == 0
