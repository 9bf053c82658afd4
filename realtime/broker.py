"""A broker carries "store X reached seq N" between processes. It wakes; the data is read from the event rows, so a lost message loses nothing."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from realtime.model import Event

_log = logging.getLogger("nowserving.broker")

CHANNEL = "nowserving"
WORK = "!"
"""Begins what is said of queues; no store is named so."""
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 10.0
WATCH_S = 30.0
"""How often a connection is asked whether it still lives, and what may have been missed is looked for."""

Reached = Callable[[str, int], None]


class Broker(Protocol):
    """Tells the other processes how far a store is, and hears it from them.

    `reached(store_id, seq)` is called for each message, `catch_up()` whenever messages may have been lost, `work(queue)` when there is
    something to do: a hint, for whoever works looks by itself as well.
    """

    def tell(self, events: tuple[Event, ...]) -> None:
        """Announce committed events; never waits, never raises."""

    def tell_work(self, queue: str) -> None:
        """Announce that something was put into a queue; the same."""

    async def run(self) -> None:
        """Keep connected until cancelled."""


class NoBroker:
    """One process: there is nobody to tell."""

    def tell(self, events: tuple[Event, ...]) -> None:
        """Nobody is told."""

    def tell_work(self, queue: str) -> None:
        """The same."""

    async def run(self) -> None:
        await asyncio.Event().wait()


class _Announcing:
    """Collects how far each store is, and sends the newest only: again, if it is not certain that it was sent."""

    def __init__(self, reached: Reached, catch_up: Callable[[], None], work: Callable[[str], None] = lambda queue: None) -> None:
        self._reached = reached
        self._work = work
        self._puts = 0
        self._catch_up = catch_up
        self._news: dict[str, int] = {}
        self._awake = asyncio.Event()
        self._wait_s = FIRST_WAIT_S
        self._cut = False
        """Whether the connection said by itself that it is lost."""

    def tell(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._news[event.store_id] = max(event.seq, self._news.get(event.store_id, 0))
        if events:
            self._awake.set()

    def tell_work(self, queue: str) -> None:
        self._puts += 1
        self._news[WORK + queue] = self._puts
        self._awake.set()

    async def run(self) -> None:
        while True:
            try:
                await self._connected()
            except Exception as error:  # noqa: BLE001 - a driver's own errors: whatever it is, the connection is made anew
                _log.warning("The broker is not reachable, trying again: %s", _kind(error))
            await asyncio.sleep(self._wait_s * (0.5 + random.random()))
            self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)

    async def _connected(self) -> None:
        """Connect, listen, and `_announce`, until the connection breaks."""
        raise NotImplementedError

    async def _announce(self, send: Callable[[str], Awaitable[object]]) -> None:
        """Send what is new as it comes, for as long as the connection holds. `send("")` asks whether it does."""
        loop = asyncio.get_running_loop()
        self._wait_s = FIRST_WAIT_S
        watched = loop.time()
        while True:
            self._awake.clear()
            if self._cut:
                raise ConnectionError
            for store_id, seq in list(self._news.items()):
                await send(f"{store_id} {seq}")
                if self._news[store_id] == seq:
                    del self._news[store_id]
            if loop.time() - watched >= WATCH_S:
                await send("")
                # Who commits and dies before it could tell has told nobody: so everybody looks now and then.
                self._catch_up()
                watched = loop.time()
            try:
                async with asyncio.timeout_at(watched + WATCH_S):
                    await self._awake.wait()
            except TimeoutError:
                continue

    def _heard(self, text: str) -> None:
        store_id, _, seq = text.partition(" ")
        if store_id.startswith(WORK):
            self._work(store_id.removeprefix(WORK))
        elif store_id and seq.isascii() and seq.isdigit():
            self._reached(store_id, int(seq))


class PostgresBroker(_Announcing):
    """LISTEN and NOTIFY on one connection of its own; many commits between two sends make one NOTIFY each store."""

    def __init__(self, url: str, reached: Reached, catch_up: Callable[[], None], work: Callable[[str], None] = lambda queue: None) -> None:
        super().__init__(reached, catch_up, work)
        # Imported here, where nobody waits yet: it reads files.
        import asyncpg

        self._connect: Callable[..., Awaitable[Any]] = asyncpg.connect
        self._url = url

    def _lost(self, connection: object) -> None:
        self._cut = True
        self._awake.set()

    async def _connected(self) -> None:
        self._cut = False
        connection = await self._connect(self._url, timeout=10, command_timeout=10)
        try:
            connection.add_termination_listener(self._lost)
            await connection.add_listener(CHANNEL, lambda *message: self._heard(message[3]))
            self._catch_up()

            async def send(text: str) -> None:
                if text:
                    await connection.execute("select pg_notify($1, $2)", CHANNEL, text)
                else:
                    await connection.execute("select 1")

            await self._announce(send)
        finally:
            connection.terminate()


class ValkeyBroker(_Announcing):
    """Publish and subscribe on Valkey or Redis."""

    def __init__(self, url: str, reached: Reached, catch_up: Callable[[], None], work: Callable[[str], None] = lambda queue: None) -> None:
        super().__init__(reached, catch_up, work)
        # Imported here, where nobody waits yet: it reads files.
        from redis import asyncio as redis

        self._client_from: Callable[..., Any] = redis.from_url
        self._url = url

    async def _connected(self) -> None:
        client = self._client_from(self._url, socket_connect_timeout=10, socket_keepalive=True, health_check_interval=int(WATCH_S))
        try:
            async with client.pubsub() as subscription, asyncio.TaskGroup() as group:
                await subscription.subscribe(CHANNEL)
                group.create_task(self._listen(subscription))
                await self._announce(lambda text: client.publish(CHANNEL, text) if text else client.ping())
        finally:
            await client.aclose()

    async def _listen(self, subscription: Any) -> None:
        async for message in subscription.listen():
            if message["type"] == "subscribe":
                self._catch_up()
            elif message["type"] == "message":
                self._heard(message["data"].decode(errors="replace"))
        raise ConnectionError


def _kind(error: BaseException) -> str:
    """What broke, in a word; of several the first."""
    return _kind(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else type(error).__name__
