"""The hub tells every socket of this process what happened on its topics: framed once, written together, never waiting for the slow."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator

from realtime.batch import Batch, repeats
from realtime.counts import Counts
from realtime.errors import TooSlow
from realtime.sink import Sink as Sink
from realtime.sink import close_for
from realtime.topic import State, Subscription, Topic
from realtime.writing import Writer

TURN_SECONDS = 0.004
"""How long sinks are written to before the loop's other work gets its turn."""
LOOK_EVERY = 64
"""Sinks that are written to between two looks at the clock."""
SHORTEST_WINDOW_S = 0.002
WINDOW_TIMES = 0.5
"""A window is so many times as long as it took to tell the topic last: on a topic that is busy all the time, two thirds of the loop."""
LEAST_PATIENCE = 0.1
"""Below this part of a window there is none."""
CHECK_SECONDS = 0.1
"""How often slow sinks are looked at, while there are any."""
SNAPSHOT_SECONDS = 5.0
"""How long a snapshot for slow sinks may take before it is given up and tried again."""
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Hub:
    """Topics to sinks, in one process. Every method is called on the loop's thread; only `run` waits.

    Memory per sink is bounded: by `hard_bytes`, the largest snapshot it was sent, and one flush. A sink with over `soft_bytes` buffered
    gets no further publications of a topic, but one fresh `snapshot(topic)` (frames, mark) when it has drained; with over `hard_bytes`,
    or not drained after `max_age_s`, it is closed as too slow. Snapshots count against neither limit until they were read, or a store
    whose snapshot is larger than the limit could not be watched. A busy topic is told once a window, which grows with the time that
    telling it takes, up to `window_ms`, and shrinks to nothing where waiting brings nothing more.
    """

    def __init__(
        self,
        *,
        soft_bytes: int,
        hard_bytes: int,
        max_age_s: float,
        window_ms: float,
        snapshot: Callable[[str], Awaitable[tuple[bytes, int]]],
        clock: Callable[[], float] = time.perf_counter,
        counts: Counts | None = None,
        batches: bool = True,
    ) -> None:
        self._writer = Writer(batches=batches)
        self._soft_bytes = soft_bytes
        self._hard_bytes = hard_bytes
        self._max_age_s = max_age_s
        self._window_s = window_ms / 1000
        self._snapshot = snapshot
        self._clock = clock
        """Seconds, to measure with: uvloop's own clock stands still while a callback runs."""
        self._counts = counts or Counts()
        self._topics: dict[str, Topic] = {}
        self._topics_of: dict[Sink, tuple[Topic, ...]] = {}
        self._large: dict[Sink, int] = {}
        """The starting points of a sink that it has not read yet, in bytes, where one was larger than the soft limit."""
        self._turns: deque[tuple[Topic, Iterator[None]]] = deque()
        """What is being written, in the order in which it was begun."""
        self._lagging: dict[Subscription, None] = {}
        self._some_lag = asyncio.Event()
        self.on_change: Callable[[str], None] | None = None
        """Called with a topic's name when somebody begins to hear it, begins anew with a whole state, or has gone."""

    def subscribe(self, topic: str, sink: Sink) -> Subscription:
        """A held subscription. Read the topic's state after this call, then `start`. Replaces the sink's earlier one of that topic."""
        self.unsubscribe(topic, sink)
        known = self._topics.get(topic)
        if known is None:
            known = self._topics[topic] = Topic(topic)
        subscription = Subscription(self._start, known, sink)
        self._topics_of[sink] = (*self._topics_of.get(sink, ()), known)
        return subscription

    def unsubscribe(self, topic: str, sink: Sink) -> None:
        """Ends a sink's subscription of a topic, if it has one."""
        known = self._topics.get(topic)
        if known is None or (subscription := known.find(sink)) is None:
            return
        self._end(subscription)
        rest = tuple(other for other in self._topics_of[sink] if other is not known)
        if rest:
            self._topics_of[sink] = rest
        else:
            del self._topics_of[sink]

    def drop(self, sink: Sink) -> None:
        """Ends all subscriptions of a sink."""
        for topic in self._topics_of.pop(sink, ()):
            if subscription := topic.find(sink):
                self._end(subscription)
        self._large.pop(sink, None)

    def publish(self, topic: str, text: bytes, mark: int = 0) -> None:
        """Tells every subscriber of a topic one JSON text, at the end of this tick or, on a busy topic, of its window.

        Args:
            mark: how far it brings its reader, higher each time: whoever starts there has heard it. 0 for what everybody is to hear.
        """
        known = self._topics.get(topic)
        if known is None:
            return
        known.pending.append(text)
        known.marks.append(mark)
        known.pending_bytes += len(text) + 1
        if len(known.marks) == 1:
            known.first_at = asyncio.get_running_loop().time()
        elif not known.gathers:
            known.gathers = asyncio.get_running_loop().time() > known.first_at
        if known.pending_bytes > self._hard_bytes:
            known.pending, known.marks, known.pending_bytes, known.conflates = [], [], 0, True
        if not known.flushing:
            self._schedule(known)

    def close_topic(self, topic: str, code: int, reason: str) -> None:
        """Closes the sockets of all subscribers of a topic, after what was published."""
        known = self._topics.get(topic)
        if known is None:
            return
        known.ending = (code, reason)
        if not known.flushing:
            self._schedule(known)

    def subscribers(self, topic: str) -> int:
        known = self._topics.get(topic)
        return len(known) if known else 0

    def any_subscribe(self, topics: Iterable[str]) -> bool:
        """Whether anybody subscribes to one of them."""
        return any(map(self.subscribers, topics))

    def listeners(self, topic: str) -> int:
        """Those among the subscribers that have been given their starting point."""
        known = self._topics.get(topic)
        return known.begun if known else 0

    async def run(self) -> None:
        """Looks after slow sinks, until cancelled: one task of the lifespan, asleep while everybody keeps up."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._some_lag.wait()
                self._some_lag.clear()
                while self._lagging or self._large:
                    await asyncio.sleep(CHECK_SECONDS)
                    for topic, subscriptions in (await self._look_after_slow()).items():
                        group.create_task(self._refresh(topic, subscriptions))

    # ---- telling ------------------------------------------------------------------------------------------------

    def _schedule(self, topic: Topic) -> None:
        topic.flushing = True
        loop = asyncio.get_running_loop()
        if topic.due <= loop.time():
            self._begin(topic)
        else:
            topic.waited = True
            loop.call_at(topic.due, self._begin, topic)

    def _begin(self, topic: Topic) -> None:
        self._turns.append((topic, self._flush(topic)))
        if len(self._turns) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Writes for a while, then lets the loop do its other work."""
        clock = self._clock
        end = clock() + TURN_SECONDS
        while self._turns:
            topic, flush = self._turns[0]
            try:
                for _ in flush:
                    if clock() >= end:
                        asyncio.get_running_loop().call_soon(self._turn)
                        return
            except Exception:
                log.exception("Not everybody was told of %s; all there get it anew", topic.name.partition("/")[0])
                topic.conflates, topic.due = True, asyncio.get_running_loop().time() + RETRY_SECONDS
                self._schedule(topic)
            self._turns.popleft()

    def _flush(self, topic: Topic) -> Iterator[None]:
        """Writes what is pending to the subscriptions that are there when it begins; stops every few sinks."""
        clock = self._clock
        if topic.conflates:
            yield from self._conflate(topic)
        batch = Batch(topic.pending, topic.marks)
        data = batch.data
        topic.pending, topic.marks, topic.pending_bytes = [], [], 0
        if topic.gathers:
            topic.patience = 1.0
        elif topic.waited:
            topic.patience = topic.patience / 2 if topic.patience > 2 * LEAST_PATIENCE else 0.0
        topic.gathers = topic.waited = False
        topic.gone.clear()
        took, began = 0.0, clock()
        live, apart = (list(topic.live), list(topic.apart.values())) if data else ([], [])

        def otherwise(sink: Sink, data: bytes) -> None:
            self._tell_slow(topic.live[sink], data)

        for at in range(0, len(live), LOOK_EVERY):
            if at:
                took += clock() - began
                yield
                began = clock()
            some = live[at : at + LOOK_EVERY]
            self._writer.write_to_all([sink for sink in some if sink not in topic.gone] if topic.gone else some, data, otherwise)
        for number, subscription in enumerate(apart, 1):
            self._tell_apart(subscription, batch)
            if number % LOOK_EVERY == 0:
                took += clock() - began
                yield
                began = clock()
        topic.gone.clear()
        took += clock() - began
        if topic.pending:
            topic.patience = 1.0
        whole = min(self._window_s, max(SHORTEST_WINDOW_S, WINDOW_TIMES * took))
        topic.due = asyncio.get_running_loop().time() + topic.patience * whole
        if topic.ending and not topic.pending:
            yield from self._close(topic)
        if topic.pending or topic.ending or topic.conflates:
            self._schedule(topic)
        else:
            topic.flushing = False
        yield

    def _tell_apart(self, subscription: Subscription, batch: Batch) -> None:
        """What it gets of a batch whose telling began when it was not live."""
        match subscription.state:
            case State.HELD:
                self._hold(subscription, batch)
            case State.STARTED:
                self._tell_started(subscription, batch)
            case State.LIVE:
                self._tell_slow(subscription, batch.data)

    def _close(self, topic: Topic) -> Iterator[None]:
        code, reason = topic.ending or (1000, "")
        topic.ending = None
        for number, sink in enumerate([*topic.live, *topic.apart], 1):
            sink.close(code, reason)
            self.drop(sink)
            if number % LOOK_EVERY == 0:
                yield

    def _start(self, subscription: Subscription, first: bytes, mark: int) -> None:
        """What `Subscription.start` does."""
        sink, held, topic = subscription.sink, subscription.held, subscription.topic
        sink.write(b"".join((first, *(batch.after(mark) for batch in held))) if held else first)
        if len(first) > self._soft_bytes:
            self._large[sink] = self._large.get(sink, 0) + len(first)
            self._some_lag.set()
        subscription.held = None
        subscription.become(State.STARTED if mark and topic.flushing else State.LIVE)
        subscription.mark = mark
        if held is None:
            self._lag(subscription)
        if not subscription.begun:
            subscription.begun = True
            topic.begun += 1
        if self.on_change:
            self.on_change(topic.name)

    def _tell_started(self, subscription: Subscription, batch: Batch) -> None:
        if data := batch.after(subscription.mark):
            self._tell_slow(subscription, data)
        if subscription.state is State.STARTED and not repeats(subscription.topic.marks, subscription.mark):
            subscription.become(State.LIVE)

    def _hold(self, subscription: Subscription, batch: Batch) -> None:
        if subscription.held is None:
            return
        subscription.held_bytes += len(batch.data)
        if subscription.held_bytes > self._hard_bytes:
            subscription.held = None
        else:
            subscription.held.append(batch)

    def _end(self, subscription: Subscription) -> None:
        topic = subscription.topic
        subscription.become(State.ENDED)
        subscription.held = None
        self._lagging.pop(subscription, None)
        if not topic:
            del self._topics[topic.name]
        if subscription.begun:
            topic.begun -= 1
            if self.on_change:
                self.on_change(topic.name)

    # ---- the slow -----------------------------------------------------------------------------------------------

    def _tell_slow(self, subscription: Subscription, data: bytes) -> None:
        sink = subscription.sink
        over = sink.buffered_bytes() - self._large.get(sink, 0)
        if over > self._hard_bytes:
            self._give_up(sink)
        elif over > self._soft_bytes:
            self._lag(subscription)
        else:
            sink.write(data)

    def _lag(self, subscription: Subscription) -> None:
        subscription.become(State.LAGGING)
        subscription.slow_since = asyncio.get_running_loop().time()
        self._lagging[subscription] = None
        self._some_lag.set()

    def _conflate(self, topic: Topic) -> Iterator[None]:
        """Everybody gets a snapshot in place of what was let go; stops every few sinks."""
        topic.conflates = False
        for number, subscription in enumerate((*topic.live.values(), *topic.apart.values()), 1):
            if subscription.state in (State.LIVE, State.STARTED):
                self._lag(subscription)
            elif subscription.state is State.HELD:
                subscription.held = None
            if number % LOOK_EVERY == 0:
                yield

    def _give_up(self, sink: Sink) -> None:
        self.drop(sink)
        close_for(sink, TooSlow)

    async def _look_after_slow(self) -> dict[Topic, list[Subscription]]:
        """One look at every slow sink. Those that have drained, by topic: they are held, and are to have a snapshot."""
        now = asyncio.get_running_loop().time()
        for number, sink in enumerate(list(self._large), 1):
            if sink.buffered_bytes() <= self._soft_bytes // 4:
                self._large.pop(sink, None)
            if number % LOOK_EVERY == 0:
                await asyncio.sleep(0)
        drained: dict[Topic, list[Subscription]] = {}
        for number, subscription in enumerate(list(self._lagging), 1):
            if number % LOOK_EVERY == 0:
                await asyncio.sleep(0)
            if subscription.state is not State.LAGGING:  # it has ended, or was given up with another topic of the same sink
                continue
            sink = subscription.sink
            buffered = sink.buffered_bytes()
            if buffered <= self._soft_bytes // 4:
                if subscription.topic.retry <= now:
                    del self._lagging[subscription]
                    subscription.become(State.HELD)
                    subscription.held, subscription.held_bytes = [], 0
                    drained.setdefault(subscription.topic, []).append(subscription)
            elif buffered > self._hard_bytes + self._large.get(sink, 0) or now - subscription.slow_since > self._max_age_s:
                self._give_up(sink)
        return drained

    async def _refresh(self, topic: Topic, subscriptions: list[Subscription]) -> None:
        """One snapshot for all of them, with no gap to what is published while it is made."""
        try:
            async with asyncio.timeout(SNAPSHOT_SECONDS):
                first, mark = await self._snapshot(topic.name)
        except Exception as error:  # noqa: BLE001 - whatever the storage raises, the other topics' readers are still looked after
            log.warning("No snapshot for slow readers of %s, trying again: %r", topic.name.partition("/")[0], error)
            topic.retry = asyncio.get_running_loop().time() + RETRY_SECONDS
            for subscription in subscriptions:
                if subscription.state is State.HELD:
                    self._lag(subscription)
            return
        self._counts.conflated += len(subscriptions)
        for number, subscription in enumerate(subscriptions, 1):
            subscription.start(first, mark)
            if number % LOOK_EVERY == 0:
                await asyncio.sleep(0)
