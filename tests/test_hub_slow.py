"""Slow readers at the hub: what they get instead, when they are given up, and that nobody else waits for them."""

from __future__ import annotations

import asyncio

from realtime.frames import text_frame
from realtime.hub import LOOK_EVERY
from tests.support.hub import LINE, MemorySink, live, looked_after, make, ticking, until


async def test_a_slow_reader_gets_one_snapshot_and_the_others_every_change() -> None:
    asked: list[str] = []

    async def snapshot(topic: str) -> bytes:
        asked.append(topic)
        return text_frame(b"snapshot")

    hub = make(snapshot)
    slow, slower, quick = live(hub, MemorySink(reads=False)), live(hub, MemorySink(reads=False)), live(hub)
    async with looked_after(hub):
        for number in range(100):
            hub.publish(LINE, b"%d" % number + b"x" * 100)
            await asyncio.sleep(0)
        assert len(quick.texts) == 100
        assert slow.unread <= 1000 + 110
        assert asked == []
        slow.reads = slower.reads = True
        slow.unread = slower.unread = 0
        await until(lambda: slow.texts[-1] == slower.texts[-1] == "snapshot")
        assert asked == [LINE], "one snapshot is made for all who wait for it"
        hub.publish(LINE, b"next")
        await until(lambda: slow.texts[-1] == "next")
    assert slow.texts.count("snapshot") == 1
    assert slow.closed is None


async def test_what_happens_while_the_snapshot_is_made_comes_after_it() -> None:
    ready, asked = asyncio.Event(), asyncio.Event()

    async def snapshot(topic: str) -> bytes:
        asked.set()
        await ready.wait()
        return text_frame(b"snapshot")

    hub = make(snapshot)
    sink = live(hub)
    sink.unread = 2000
    async with looked_after(hub):
        hub.publish(LINE, b"left out")
        await asyncio.sleep(0)
        sink.unread = 0
        await asked.wait()
        hub.publish(LINE, b"meanwhile")
        await asyncio.sleep(0)
        ready.set()
        await until(lambda: sink.texts)
    assert sink.texts == ["snapshot", "meanwhile"]


async def test_a_snapshot_that_cannot_be_had_is_tried_again() -> None:
    attempts: list[int] = []

    async def snapshot(topic: str) -> bytes:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("the database is away")
        return text_frame(b"snapshot")

    hub = make(snapshot)
    sink = live(hub)
    sink.unread = 2000
    async with looked_after(hub):
        hub.publish(LINE, b"left out")
        await asyncio.sleep(0)
        sink.unread = 0
        await until(lambda: sink.texts == ["snapshot"])
    assert len(attempts) == 2


async def test_whoever_waits_for_a_snapshot_keeps_nobody_else_from_being_given_up() -> None:
    async def never(topic: str) -> bytes:
        await asyncio.Event().wait()
        return b""

    hub = make(never, age=0.01)
    drained, stuck = live(hub), live(hub, topic="store/other/public")
    drained.unread = stuck.unread = 2000
    async with looked_after(hub):
        hub.publish(LINE, b"1")
        await asyncio.sleep(0)
        drained.unread = 0
        await until(lambda: not hub._lagging)
        hub.publish("store/other/public", b"1")
        await until(lambda: stuck.closed)
    assert stuck.closed is not None
    assert stuck.closed[0] == 4008
    assert drained.closed is None


async def test_a_large_beginning_counts_until_it_was_read_and_every_one_does() -> None:
    hub = make()
    sink = MemorySink(reads=False)
    async with looked_after(hub):
        for topic in (LINE, "store/7h3k/owner"):
            hub.subscribe(topic, sink).start(text_frame(b"x" * 3000))
        hub.publish(LINE, b"1")
        await until(lambda: len(sink.texts) == 3)
        too_early = sink.closed
        assert too_early is None, "both beginnings are unread"

        sink.unread = 0
        await until(lambda: not hub._large)
        sink.unread = 4001
        hub.publish(LINE, b"2")
        await until(lambda: sink.closed)
    assert sink.closed is not None
    assert sink.closed[0] == 4008


async def test_a_reader_over_the_hard_limit_is_closed_as_too_slow() -> None:
    hub = make()
    sink = live(hub)
    sink.unread = 4001
    hub.publish(LINE, b"1")
    await until(lambda: sink.closed)
    assert sink.closed is not None
    assert sink.closed[0] == 4008
    assert hub.subscribers(LINE) == 0


async def test_a_reader_that_has_not_drained_in_time_is_closed_as_too_slow() -> None:
    hub = make(age=0.01)
    sink = live(hub)
    sink.unread = 2000
    async with looked_after(hub):
        hub.publish(LINE, b"1")
        await until(lambda: sink.closed)
    assert sink.closed is not None
    assert sink.closed[0] == 4008


async def test_a_store_whose_snapshot_is_larger_than_the_limits_can_be_watched() -> None:
    hub = make()
    sink = MemorySink(reads=False)
    hub.subscribe(LINE, sink).start(text_frame(b"x" * 50_000))
    hub.publish(LINE, b"1")
    await until(lambda: len(sink.texts) == 2)
    assert sink.closed is None


async def test_more_than_a_held_subscription_keeps_becomes_a_snapshot() -> None:
    async def snapshot(topic: str) -> bytes:
        return text_frame(b"snapshot")

    hub = make(snapshot)
    sink = MemorySink()
    subscription = hub.subscribe(LINE, sink)
    for _ in range(10):
        hub.publish(LINE, b"x" * 600)
        await asyncio.sleep(0)
    async with looked_after(hub):
        subscription.start(text_frame(b"first"))
        await until(lambda: len(sink.texts) == 2)
    assert sink.texts == ["first", "snapshot"]


async def test_a_burst_larger_than_the_hard_limit_becomes_a_snapshot() -> None:
    async def snapshot(topic: str) -> bytes:
        return text_frame(b"snapshot")

    hub = make(snapshot)
    sink = live(hub)
    async with looked_after(hub):
        for _ in range(50):
            hub.publish(LINE, b"x" * 100)
        await until(lambda: "snapshot" in sink.texts)
    assert sum(map(len, sink.writes)) < 4100


async def test_a_burst_on_a_large_topic_makes_snapshots_of_it_in_slices_and_loses_nothing() -> None:
    marks = iter(range(1, 1000))
    last = 0

    async def snapshot(topic: str) -> bytes:
        return text_frame(b"up to %d" % last)

    hub = make(snapshot, clock=ticking(1))
    sinks = [live(hub) for _ in range(3 * LOOK_EVERY)]
    seen: list[int] = []
    async with looked_after(hub):
        while hub._topics[LINE].conflates is False:
            last = next(marks)
            hub.publish(LINE, b"x" * 100, last)

        def in_between() -> None:
            seen.append(len(hub._lagging))
            if len(seen) < 3:
                asyncio.get_running_loop().call_soon(in_between)

        asyncio.get_running_loop().call_soon(in_between)
        await until(lambda: len(seen) == 3)
        late = live(hub)
        hub.publish(LINE, b"after", next(marks))
        await until(lambda: all(sink.texts for sink in (*sinks, late)))
        await until(lambda: all(sink.texts[-1] == "after" or sink.texts == [f"up to {last}"] for sink in sinks))
    assert seen[:2] == [LOOK_EVERY, 2 * LOOK_EVERY], "other work of the loop had to wait for all sinks"
    assert {sink.texts[0] for sink in sinks} == {f"up to {last}"}
