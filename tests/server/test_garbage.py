"""The interpreter's search for garbage never holds the loop for long, and still finds what is to be found."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from realtime.server import garbage
from realtime.server.garbage import LOOKS, YOUNG, Garbage
from tests.support.waiting import until_async


class Node:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture
async def started() -> AsyncIterator[Garbage]:
    rules = Garbage()
    rules.start()
    yield rules
    rules.stop()
    gc.unfreeze()


async def test_however_many_objects_live_only_the_new_ones_are_looked_through(started: Garbage) -> None:
    before, most = gc.get_stats()[2]["collections"], 0
    kept = []
    for number in range(YOUNG * 20):
        kept.append([number])
        if number % 1_000 == 0:
            most = max(most, sum(len(gc.get_objects(generation)) for generation in range(3)))

    assert len(kept) == YOUNG * 20
    assert most <= YOUNG * (LOOKS + 2)
    assert gc.get_stats()[2]["collections"] == before


async def test_what_dies_young_is_found(started: Garbage) -> None:
    nodes = [weakref.ref(Node()) for _ in range(YOUNG * 4)]

    assert sum(ref() is not None for ref in nodes) <= YOUNG * 2


async def test_what_died_while_it_was_left_alone_is_found_in_the_end(started: Garbage) -> None:
    node = Node()
    ref = weakref.ref(node)
    gc.freeze()
    del node
    gc.collect()
    assert ref() is not None

    garbage.look_through_all()

    assert ref() is None


async def test_all_are_looked_through_by_itself_when_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_LOOK_S", 0.01)
    monkeypatch.setattr(garbage, "_FULL_S", 0.0)
    monkeypatch.setattr(garbage, "_QUIET", 1_000.0)
    rules = Garbage()
    node = Node()
    ref = weakref.ref(node)
    rules.start()
    del node
    try:
        await until_async(lambda: ref() is None)
    finally:
        rules.stop()
        gc.unfreeze()


async def test_a_busy_minute_is_no_time_to_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_LOOK_S", 0.001)
    monkeypatch.setattr(garbage, "_FULL_S", 0.0)
    monkeypatch.setattr(garbage, "_QUIET", -1.0)
    looks: list[None] = []
    monkeypatch.setattr(garbage, "look_through_all", lambda: looks.append(None))
    rules = Garbage()
    rules.start()
    waited = rules._timer
    try:
        await until_async(lambda: rules._timer is not waited)
        assert looks == []
        monkeypatch.setattr(garbage, "_LATEST_S", 0.0)
        await until_async(lambda: looks != [])
    finally:
        rules.stop()
        gc.unfreeze()


async def test_afterwards_the_interpreter_does_as_before() -> None:
    before = gc.get_threshold(), list(gc.callbacks)
    rules = Garbage()
    rules.start()
    rules.stop()
    gc.unfreeze()

    assert (gc.get_threshold(), list(gc.callbacks)) == before
