"""Brokers of several processes on one loop, what each of them heard, and how what joins them is cut, paused and disturbed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from realtime.broker import Broker, Hears, NoBroker, PostgresBroker, ValkeyBroker
from realtime.broker.announcing import Announcing
from realtime.broker.sealed import channel
from realtime.model import Event
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async

KEY = b"k" * 32
LISTENS = "query ilike '%listen%' or query like '%pg_notify%' or query = 'select 1'"


def event(store_id: str, seq: int, text: str = "{}", kind: str = "ticket") -> tuple[Event, ...]:
    return (Event(store_id, seq, 0, kind, text, "{}"),)


class Ear:
    """One process's broker, and what it heard."""

    def __init__(self, make: Callable[[Hears], Broker]) -> None:
        self.seqs: list[tuple[str, int]] = []
        """How far which store came, by events or by their `seq` alone, in the order in which it was heard."""
        self.events: list[Event] = []
        self.work: list[str] = []
        self.notes: list[tuple[str, bytes]] = []
        self.caught_up = 0
        self.broker = make(Hears(self._told, lambda *reached: self.seqs.append(reached), self._catch_up, self.work.append, self._noted))
        self.task = asyncio.create_task(self.broker.run())

    def _told(self, events: tuple[Event, ...]) -> None:
        self.events += events
        self.seqs += [(event.store_id, event.seq) for event in events]

    def _noted(self, kind: str, body: bytes) -> None:
        self.notes.append((kind, body))

    def _catch_up(self) -> None:
        self.caught_up += 1

    async def connected(self, times: int = 1, within: float = 10.0) -> None:
        await until_async(lambda: self.caught_up >= times, within, "the connection")

    async def listens(self) -> None:
        broker = self.broker
        assert isinstance(broker, Announcing)
        await until_async(lambda: broker._up, what="the connection")

    async def hears(self, store_id: str, seq: int, within: float = 10.0) -> None:
        await until_async(lambda: (store_id, seq) in self.seqs, within, f"{store_id} {seq}")

    async def hears_note(self, kind: str, body: bytes = b"") -> None:
        await until_async(lambda: (kind, body) in self.notes, what=f"the note {kind}")

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Cable:
    """What joins the brokers of one test. Without any there is one process, and nobody else to hear it."""

    joins = True

    def __init__(self) -> None:
        self.ears: list[Ear] = []

    def make(self, hears: Hears) -> Broker:
        raise NotImplementedError

    async def cut(self) -> None:
        """Every connection ends, and can be made again."""
        raise NotImplementedError

    async def say(self, message: bytes) -> None:
        """Somebody else says something on the channel."""
        raise NotImplementedError

    def pause(self, how: signal.Signals) -> None:
        """SIGSTOP and SIGCONT for everything between the processes."""
        raise NotImplementedError

    async def ear(self) -> Ear:
        ear = Ear(self.make)
        self.ears.append(ear)
        if self.joins:
            await ear.connected()
        return ear

    async def join(self, count: int = 2) -> tuple[Ear, list[Ear]]:
        """One process, and those that hear what it tells."""
        first = await self.ear()
        return first, [await self.ear() for _ in range(count - 1)] if self.joins else []

    async def close(self) -> None:
        for ear in self.ears:
            await ear.end()


class NoCable(Cable):
    joins = False

    def make(self, hears: Hears) -> Broker:
        return NoBroker()

    async def cut(self) -> None:
        """There is nothing to cut."""

    async def say(self, message: bytes) -> None:
        """There is nobody to hear it."""

    def pause(self, how: signal.Signals) -> None:
        """There is nothing to pause."""


class PostgresCable(Cable):
    def __init__(self, server: PostgresServer, url: str) -> None:
        super().__init__()
        self._server = server
        self._url = url

    def make(self, hears: Hears) -> Broker:
        return PostgresBroker(self._url, hears)

    async def cut(self) -> None:
        await off_loop(self._sql, f"select pg_terminate_backend(pid) from pg_stat_activity where ({LISTENS}) and {_MINE}")

    async def say(self, message: bytes) -> None:
        await off_loop(self._sql, f"select pg_notify('nowserving', '{message.decode()}')")

    def _sql(self, statement: str) -> str:
        return self._server.sql(statement, self._url.rpartition("/")[2])

    def pause(self, how: signal.Signals) -> None:
        self._server.pause(how)


_MINE = "datname = current_database() and pid <> pg_backend_pid()"


class ValkeyCable(Cable):
    def __init__(self, server: ValkeyServer) -> None:
        super().__init__()
        self._server = server

    def make(self, hears: Hears) -> Broker:
        return ValkeyBroker(self._server.url, KEY, hears)

    async def cut(self) -> None:
        await off_loop(self._server.stop)
        await off_loop(self._server.start)

    async def say(self, message: bytes) -> None:
        from redis.asyncio import Redis

        async with Redis.from_url(self._server.url) as stranger:
            assert await stranger.publish(channel(KEY), message) > 0

    def pause(self, how: signal.Signals) -> None:
        self._server.pause(how)


async def off_loop(work: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.to_thread(work, *args)
