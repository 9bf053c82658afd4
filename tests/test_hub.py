"""The hub, with sinks that are a list in memory: what is written, in which order, and what the slow get."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from realtime import hub as hub_module
from realtime.frames import text_frame
from realtime.hub import LOOK_EVERY, Sink
from tests.simulation import clock
from tests.support.hub import LINE, MemorySink, live, looked_after, make, ticking, until


async def test_everybody_is_told_everything_in_the_order_of_the_calls() -> None:
    hub = make()
    sinks = [live(hub) for _ in range(3)]
    for number in range(50):
        hub.publish(LINE, b"%d" % number)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await until(lambda: all(len(sink.texts) == 50 for sink in sinks))
    assert [sink.texts for sink in sinks] == [[str(number) for number in range(50)]] * 3


async def test_what_is_published_in_one_tick_is_one_frame_and_the_same_bytes_for_all() -> None:
    hub = make()
    one, other = live(hub), live(hub)
    hub.publish(LINE, b"1")
    hub.publish(LINE, b"2")
    await until(lambda: other.writes)
    assert one.writes == [text_frame(b"1\n2")]
    assert one.writes[0] is other.writes[0]


async def test_a_quiet_topic_is_told_at_once_and_a_busy_one_once_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SHORTEST_WINDOW_S", 0.5)  # nothing here takes so long
    hub = make(window_ms=1000)
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


class Faulty(MemorySink):
    """Fails when it is to, as no sink should."""

    fails = False

    def write(self, data: bytes) -> None:
        if self.fails:
            raise LookupError("a sink's own fault")
        super().write(data)


async def test_a_fault_at_one_sink_ends_nobodys_telling_and_all_of_its_topic_begin_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def snapshot(topic: str) -> bytes:
        return text_frame(b"snapshot")

    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.01)
    hub = make(snapshot)
    faulty, beside, elsewhere = Faulty(), MemorySink(), live(hub, topic="store/other/public")
    for sink in (faulty, beside):
        hub.subscribe(LINE, sink).start(b"")
        sink.writes.clear()

    async with looked_after(hub):
        faulty.fails = True
        hub.publish(LINE, b"1")
        hub.publish("store/other/public", b"2")
        await until(lambda: elsewhere.texts == ["2"])
        faulty.fails = False
        await until(lambda: beside.texts[-1:] == faulty.texts == ["snapshot"])
        hub.publish(LINE, b"3")
        await until(lambda: beside.texts[-1] == faulty.texts[-1] == "3")

    assert "Not everybody was told of store; all there get it anew" in caplog.text


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


async def test_nothing_is_repeated_that_a_starting_point_held() -> None:
    """Whether it was published before, and not told yet, or while the starting point was read; what is no step of that kind always comes."""
    hub = make(window_ms=1)
    live(hub)
    hub.publish(LINE, b"told", 1)
    await asyncio.sleep(0)
    hub.publish(LINE, b"waits for the window", 2)
    sinks = {mark: MemorySink() for mark in (1, 2, 3, 4)}
    subscriptions = {mark: hub.subscribe(LINE, sink) for mark, sink in sinks.items()}
    subscriptions[2].start(text_frame(b"state 2"), 2)
    hub.publish(LINE, b"total")
    hub.publish(LINE, b"three", 3)
    subscriptions[1].start(text_frame(b"state 1"), 1)
    await until(lambda: "three" in sinks[2].texts)
    subscriptions[3].start(text_frame(b"state 3"), 3)
    hub.publish(LINE, b"four", 4)
    subscriptions[4].start(text_frame(b"state 4"), 4)
    hub.publish(LINE, b"five", 5)
    await until(lambda: "five" in sinks[4].texts)
    assert sinks[1].texts == ["state 1", "waits for the window", "total", "three", "four", "five"]
    assert sinks[2].texts == ["state 2", "total", "three", "four", "five"]
    assert sinks[3].texts == ["state 3", "total", "four", "five"]
    assert sinks[4].texts == ["state 4", "total", "five"]


async def test_a_starting_point_in_the_middle_of_a_slice_is_not_repeated() -> None:
    hub = make(clock=ticking(1))
    for _ in range(LOOK_EVERY):
        live(hub)
    subscription = hub.subscribe(LINE, sink := MemorySink())
    hub.publish(LINE, b"one", 1)
    await asyncio.sleep(0)  # the first slice, which has not come to it
    subscription.start(text_frame(b"state 1"), 1)
    hub.publish(LINE, b"two", 2)
    await until(lambda: "two" in sink.texts)
    assert sink.texts == ["state 1", "two"]


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


def test_the_window_of_a_topic_grows_with_the_time_that_telling_it_takes_up_to_a_limit() -> None:
    async def window(seconds: float) -> float:
        hub = make(window_ms=20, clock=ticking(seconds))
        sink = live(hub)
        hub.publish(LINE, b"1")
        while not sink.texts:
            await asyncio.sleep(0)
        return hub._topics[LINE].due - asyncio.get_running_loop().time()

    quiet, busy, busiest = (clock.run(window(seconds)) for seconds in (0, 0.01, 0.1))
    assert quiet == pytest.approx(0.002)
    assert busy == pytest.approx(0.005)
    assert busiest == pytest.approx(0.02)


def test_windows_that_bring_nothing_shrink_to_none_and_are_whole_again_once_more_comes() -> None:
    async def windows() -> list[float]:
        hub = make(window_ms=20, clock=ticking(0.02))
        sink = live(hub)
        found = []
        for texts in ([b"1"], [b"2"], [b"3"], [b"4", b"and more"], [b"5"], [b"6"], [b"7"], [b"8"], [b"9"]):
            for text in texts:
                hub.publish(LINE, text)
                await asyncio.sleep(0.0001 * len(texts) - 0.0001)
            while not sink.texts or sink.texts[-1] != texts[-1].decode():
                await asyncio.sleep(0.00001)
            found.append(round(hub._topics[LINE].due - asyncio.get_running_loop().time(), 3))
        return found

    assert clock.run(windows()) == pytest.approx([0.01, 0.005, 0.0025, 0.01, 0.005, 0.0025, 0.00125, 0, 0], abs=0.0006)


def test_what_comes_while_a_topic_is_told_waits_a_whole_window() -> None:
    async def waits() -> float:
        hub = make(window_ms=20, clock=ticking(0.01))
        sinks = [live(hub) for _ in range(2 * LOOK_EVERY)]
        loop = asyncio.get_running_loop()
        for number in range(6):  # windows that bring nothing
            hub.publish(LINE, b"%d" % number)
            while not sinks[-1].texts or sinks[-1].texts[-1] != str(number):
                await asyncio.sleep(0.00001)
        hub.publish(LINE, b"told")
        await asyncio.sleep(0)
        assert (sinks[0].texts[-1], sinks[-1].texts[-1]) == ("told", "5"), "told at once, and one slice of it"
        hub.publish(LINE, b"waits")
        while sinks[-1].texts[-1] != "told":
            await asyncio.sleep(0)
        began = loop.time()
        while sinks[-1].texts[-1] != "waits":
            await asyncio.sleep(0.00001)
        return loop.time() - began

    assert clock.run(waits()) == pytest.approx(0.01, abs=0.0006)


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


@pytest.mark.parametrize("again", [False, True], ids=["gone", "there again"])
async def test_who_leaves_between_two_slices_is_not_told_the_rest(again: bool) -> None:
    hub = make(clock=ticking(1))
    sinks = [live(hub) for _ in range(2 * LOOK_EVERY)]
    leaving = sinks[-1]
    hub.publish(LINE, b"1")
    await asyncio.sleep(0)
    hub.unsubscribe(LINE, leaving)
    if again:
        hub.subscribe(LINE, leaving).start(text_frame(b"state with 1"))
    await until(lambda: sinks[-2].texts)
    hub.publish(LINE, b"2")
    await until(lambda: len(sinks[-2].texts) == 2)
    assert leaving.texts == (["state with 1", "2"] if again else [])


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
