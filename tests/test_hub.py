"""The hub, with sinks that are a list in memory: what is written, in which order, and what the slow get."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count

from realtime.frames import split, text_frame
from realtime.hub import LOOK_EVERY, Hub, Sink

LINE = "store/7h3k/public"


class MemorySink:
    """A sink whose network is a number: `unread` bytes are buffered until somebody sets it to 0."""

    def __init__(self, *, reads: bool = True) -> None:
        self.writes: list[bytes] = []
        self.reads = reads
        self.unread = 0
        self.closed: tuple[int, str] | None = None

    def write(self, data: bytes) -> None:
        if self.closed is None:
            self.writes.append(data)
            self.unread += 0 if self.reads else len(data)

    def buffered_bytes(self) -> int:
        return self.unread

    def close(self, code: int, reason: str = "") -> None:
        self.closed = self.closed or (code, reason)

    def abort(self) -> None:
        self.closed = self.closed or (1006, "")

    @property
    def texts(self) -> list[str]:
        return [payload.decode() for data in self.writes for _, payload in split(data)]


async def no_snapshot(topic: str) -> bytes:
    raise AssertionError(f"nobody needs a snapshot of {topic}")


def make(
    snapshot: Callable[[str], Awaitable[bytes]] = no_snapshot,
    *,
    soft: int = 1000,
    hard: int = 4000,
    age: float = 60,
    window_ms: float = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Hub:
    return Hub(soft_bytes=soft, hard_bytes=hard, max_age_s=age, window_ms=window_ms, snapshot=snapshot, clock=clock)


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much each time somebody looks at it."""
    return partial(next, count(step=seconds))


@asynccontextmanager
async def looked_after(hub: Hub) -> AsyncIterator[None]:
    task = asyncio.create_task(hub.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def live(hub: Hub, sink: MemorySink | None = None, topic: str = LINE) -> MemorySink:
    sink = sink or MemorySink()
    hub.subscribe(topic, sink).start(b"")
    sink.writes.clear()
    return sink


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_everybody_is_told_everything_in_the_order_of_the_calls() -> None:
    hub = make()
    sinks = [live(hub) for _ in range(3)]
    for number in range(50):
        hub.publish(LINE, b"%d" % number)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await until(lambda: all(len(sink.texts) == 50 for sink in sinks))
    assert [sink.texts for sink in sinks] == [[str(number) for number in range(50)]] * 3


async def test_what_is_published_in_one_tick_is_one_write_of_the_same_bytes() -> None:
    hub = make()
    one, other = live(hub), live(hub)
    hub.publish(LINE, b"1")
    hub.publish(LINE, b"2")
    await until(lambda: other.writes)
    assert one.writes == [text_frame(b"1") + text_frame(b"2")]
    assert one.writes[0] is other.writes[0]


async def test_a_quiet_topic_is_told_at_once_and_a_busy_one_once_a_window() -> None:
    hub = make(window_ms=50)
    sink = live(hub)
    hub.publish(LINE, b"first")
    await asyncio.sleep(0)
    assert sink.texts == ["first"]
    hub.publish(LINE, b"second")
    await asyncio.sleep(0)
    hub.publish(LINE, b"third")
    assert sink.texts == ["first"]
    await until(lambda: len(sink.writes) > 1)
    assert sink.texts == ["first", "second", "third"]
    assert len(sink.writes) == 2


async def test_other_topics_are_not_told() -> None:
    hub = make()
    here, there = live(hub), live(hub, topic="store/other/public")
    hub.publish(LINE, b"1")
    await until(lambda: here.texts)
    assert there.texts == []


async def test_a_held_subscription_joins_without_a_gap() -> None:
    hub = make()
    sink = MemorySink()
    subscription = hub.subscribe(LINE, sink)
    hub.publish(LINE, b"2")
    await asyncio.sleep(0)
    hub.publish(LINE, b"3")
    await asyncio.sleep(0)
    assert sink.writes == []
    hub.publish(LINE, b"4")
    subscription.start(text_frame(b"up to 1"))
    hub.publish(LINE, b"5")
    await until(lambda: len(sink.texts) == 5)
    assert sink.texts == ["up to 1", "2", "3", "4", "5"]


async def test_a_large_topic_is_written_in_slices_and_keeps_its_order() -> None:
    hub = make(clock=ticking(1))
    sinks = [live(hub) for _ in range(3 * LOOK_EVERY)]
    seen: list[int] = []
    hub.publish(LINE, b"1")

    def in_between() -> None:
        seen.append(sum(len(sink.texts) for sink in sinks))
        hub.publish(LINE, b"2")

    asyncio.get_running_loop().call_soon(in_between)
    await until(lambda: len(sinks[-1].texts) == 2)
    assert seen == [LOOK_EVERY], "other work of the loop had to wait for all sinks"
    assert all(sink.texts == ["1", "2"] for sink in sinks)


async def test_many_topics_at_once_let_other_work_in_between() -> None:
    hub = make(clock=ticking(1))
    sinks = [live(hub, topic=f"store/{number}/public") for number in range(10)]
    for number in range(10):
        hub.publish(f"store/{number}/public", b"1")
    told: list[int] = []

    def in_between() -> None:
        told.append(sum(len(sink.texts) for sink in sinks))
        if told[-1] < 10:
            asyncio.get_running_loop().call_soon(in_between)

    in_between()
    await until(lambda: told[-1] == 10)
    assert told == list(range(11))


async def test_the_window_of_a_topic_grows_with_the_time_that_telling_it_takes_up_to_a_limit() -> None:
    loop = asyncio.get_running_loop()
    windows = []
    for seconds in (0, 0.001, 0.01):
        hub = make(window_ms=20, clock=ticking(seconds))
        sink = live(hub)
        hub.publish(LINE, b"1")
        await until(lambda sink=sink: sink.texts)  # type: ignore[misc]  # the sink of this round
        windows.append(hub._topics[LINE].due - loop.time())

    quiet, busy, busiest = windows
    assert quiet <= 0.002
    assert quiet < busy <= 0.004
    assert busy < busiest <= 0.02


async def test_a_subscription_made_while_slices_are_written_misses_nothing() -> None:
    hub = make(clock=ticking(1))
    sinks = [live(hub) for _ in range(2 * LOOK_EVERY)]
    late = MemorySink()
    hub.publish(LINE, b"1")
    await asyncio.sleep(0)
    assert sinks[0].texts
    assert not sinks[-1].texts
    subscription = hub.subscribe(LINE, late)
    hub.publish(LINE, b"2")
    await until(lambda: len(sinks[-1].texts) == 2)
    subscription.start(text_frame(b"up to 1"))
    assert late.texts == ["up to 1", "2"]


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


async def test_a_closed_topic_says_its_last_words_first() -> None:
    hub = make(window_ms=20)
    sinks = [live(hub) for _ in range(LOOK_EVERY + 1)]
    hub.publish(LINE, b"1")
    await asyncio.sleep(0)
    hub.publish(LINE, b"closed")
    hub.close_topic(LINE, 4410, "This store has closed.")
    await until(lambda: sinks[-1].closed)
    assert all(sink.texts == ["1", "closed"] and sink.closed == (4410, "This store has closed.") for sink in sinks)
    assert hub.subscribers(LINE) == 0


async def test_a_topic_without_news_can_be_closed() -> None:
    hub = make()
    sink = live(hub)
    hub.close_topic(LINE, 4404, "")
    await until(lambda: sink.closed)
    hub.close_topic(LINE, 4404, "")


async def test_who_leaves_is_told_nothing_more_and_kept_by_nobody() -> None:
    hub = make()
    staying, leaving, gone = live(hub), live(hub), live(hub)
    live(hub, gone, "ticket/7h3k/12")
    hub.publish(LINE, b"1")
    hub.unsubscribe(LINE, leaving)
    hub.drop(gone)
    await until(lambda: staying.texts)
    assert leaving.writes == gone.writes == []
    assert (hub.subscribers(LINE), hub.subscribers("ticket/7h3k/12")) == (1, 0)
    kept = [weakref.ref(leaving), weakref.ref(gone)]
    del leaving, gone
    gc.collect()
    assert [ref() for ref in kept] == [None, None]


async def test_a_sink_that_subscribes_again_starts_afresh() -> None:
    hub = make()
    sink = live(hub)
    old = hub.subscribe(LINE, sink)
    new = hub.subscribe(LINE, sink)
    old.start(text_frame(b"old"))
    new.start(text_frame(b"new"))
    hub.publish(LINE, b"1")
    await until(lambda: len(sink.texts) == 2)
    assert sink.texts == ["new", "1"]
    assert hub.subscribers(LINE) == 1


def test_a_memory_sink_is_a_sink() -> None:
    sink: Sink = MemorySink()
    sink.abort()
