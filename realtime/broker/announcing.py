"""What every broker with a connection does alike: tell in order and again where it is uncertain, hear once, stay connected, and catch up after a loss."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine

from realtime.broker.contract import Hears
from realtime.broker.news import Batch, News
from realtime.model import Event

_log = logging.getLogger("nowserving.broker")

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 10.0
ANSWER_S = 5.0
"""How long the other end may take for an answer; then the connection counts as lost."""
PING_S = 10.0
"""A connection that was quiet for so long is asked whether it still lives."""
LOOK_S = 30.0
"""How often everybody looks whether something was missed: who commits and dies before it could tell has told nobody."""
LOOK_ALONE_S = 5.0
"""The same while there is no connection, and nothing is heard at all."""
CLOSE_S = 1.0
"""How long a connection may take to say goodbye."""
KEPT_S = 1.5 * CLOSE_S
"""How long a connection that is to end may take before it is told once more: a driver may have kept the first time to itself."""
MOST_TRIES = 3
"""A message that so many connections broke at is left out; whoever misses it notices by its number."""
MOST_SENDERS = 1024
"""Processes whose last number is remembered; the one that was silent longest is forgotten."""


class Announcing:
    """A broker but for its connection.

    Messages are sent one after another, and one of which it is not certain that it went out is sent again; its number tells the
    others that they had it. What is heard twice, or from itself, is passed over, and a number that is missing is a loss.
    """

    def __init__(self, hears: Hears, most_bytes: int, *, in_full: bool) -> None:
        self._hears = hears
        self._sender = secrets.token_hex(8)
        self._news = News(self._sender, most_bytes, in_full=in_full)
        self._sending: Batch | None = None
        self._tries = 0
        self._known: dict[str, int] = {}
        """Sender -> the number of the last message that was heard of it."""
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()
        """Everything was sent."""
        self._wait_s = FIRST_WAIT_S
        self._up = False
        self._lost = False
        """Whether the connection said by itself that it is lost."""
        self.ignored = 0
        """Messages that were nothing this installation told."""

    # ---- telling

    def tell(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._news.add(event)
        if events:
            self._wake()

    def tell_work(self, queue: str) -> None:
        self._news.add_work(queue)
        self._wake()

    def tell_note(self, kind: str, body: bytes = b"") -> None:
        self._news.add_note(kind, body)
        self._wake()

    async def told(self, within_s: float) -> None:
        if self._up:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._idle.wait()

    def _wake(self) -> None:
        self._awake.set()
        self._idle.clear()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            while True:
                self._lost = False
                try:
                    await _to_its_end(self._connected())
                except Exception as error:  # noqa: BLE001 - a driver's own errors: whatever it is, the connection is made anew
                    go_on()  # a TaskGroup of Python 3.11 that ends and fails at the same time tells of the failure only
                    _log.warning("The broker is not reachable, trying again: %s", _kind(error))
                self._up = False
                await asyncio.sleep(self._wait_s * (0.5 + random.random()))
                self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)

    async def _connected(self) -> None:
        """Connect, listen, say `_is_up` once it is heard, and `_announce`, until the connection breaks."""
        raise NotImplementedError

    def _is_up(self) -> None:
        """From now on everything is heard; what was before may not have been."""
        self._up = True
        self._wait_s = FIRST_WAIT_S
        self._hear(self._hears.catch_up)

    def _is_lost(self) -> None:
        self._lost = True
        self._awake.set()

    async def _announce(self, send: Callable[[Batch], Awaitable[object]], ask: Callable[[], Awaitable[object]]) -> None:
        """Send what is new as it comes, for as long as the connection holds. `ask` raises, or does not return, when it does not."""
        while True:
            go_on()
            self._awake.clear()
            while not self._lost and (batch := self._next()):
                async with asyncio.timeout(ANSWER_S):
                    await send(batch)
                self._sending = None
                go_on()
            if self._lost:
                raise ConnectionError
            self._idle.set()
            try:
                async with asyncio.timeout(PING_S):
                    await self._awake.wait()
            except TimeoutError:
                async with asyncio.timeout(ANSWER_S):
                    await ask()

    def _next(self) -> Batch | None:
        if self._sending is None or self._tries >= MOST_TRIES:
            if self._sending is not None:
                _log.error("A message of %d events could not be sent and is left out", len(self._sending.events))
            self._sending, self._tries = self._news.take(), 0
        self._tries += 1
        return self._sending

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            await asyncio.sleep(LOOK_ALONE_S * (0.8 + 0.4 * random.random()))
            if not self._up or loop.time() - looked >= LOOK_S:
                looked = loop.time()
                self._hear(self._hears.catch_up)

    # ---- hearing

    def _heard(self, batch: Batch) -> None:
        if batch.sender == self._sender:
            return
        known = self._known.pop(batch.sender, None)
        self._known[batch.sender] = max(batch.number, known or 0)
        if len(self._known) > MOST_SENDERS:
            del self._known[next(iter(self._known))]
        if known is not None and batch.number <= known:
            return
        hears = self._hears
        if known is not None and batch.number > known + 1:
            self._hear(hears.catch_up)
        if batch.events:
            self._hear(hears.told, batch.events)
        for store_id, seq in batch.reached.items():
            self._hear(hears.reached, store_id, seq)
        for queue in batch.work:
            self._hear(hears.work, queue)
        for note in batch.notes:
            self._hear(hears.note, note.kind, note.body)

    def _hear(self, what: Callable[..., None], *heard: object) -> None:
        try:
            what(*heard)
        except Exception:  # noqa: BLE001 - a supervised edge: the connection is not to blame, and others wait behind it
            _log.exception("What another process told could not be used")

    def _ignore(self, what: str) -> None:
        self.ignored += 1
        # The first, and then fewer and fewer: whoever sends nonsense does not fill the log.
        if self.ignored & (self.ignored - 1) == 0:
            _log.warning("Ignored %s on the broker's channel; so far %d", what, self.ignored)


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Does it; a cancellation is repeated until it has ended, for drivers may keep one to themselves, and wait for an answer that does not come."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=KEPT_S)
        if not task.cancelled():
            task.exception()  # how it ended is of no interest any more, and asyncio would say that nobody asked
        raise
    task.result()


def go_on() -> None:
    """Raises CancelledError in a task that was to end and was not told: `asyncio.wait_for` of Python 3.11, which drivers use, may keep it."""
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise asyncio.CancelledError


def _kind(error: BaseException) -> str:
    """What broke, in a word; of several the first."""
    return _kind(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else type(error).__name__
