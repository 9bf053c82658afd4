"""The connections that read a SQLite file: each read sees one consistent snapshot, and can change nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
from databases import Database
from databases.core import Connection

from realtime.errors import StorageBusy, StorageFailed
from realtime.storage.dialect import BROKEN, Texts, as_told, reason
from realtime.storage.statement import Operation, name_of
from realtime.storage.turns import Turns

log = logging.getLogger(__name__)


class Readers:
    """A fixed number of read connections, each open for life. Who comes while all are in use waits in line, up to a bound."""

    def __init__(self, database: Database, *, count: int, queue: int) -> None:
        self._database = database
        self._count = count
        self._queue = queue
        self._texts = Texts()
        self._waiting = 0
        self._free: list[Connection] = []
        self._pausing = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._accepting = False

    async def start(self, turns: Turns) -> None:
        self._turns = turns
        self._places = asyncio.Semaphore(0)
        await self._database.connect()
        try:
            for _ in range(self._count):
                self._free.append(await self._connect())
                self._places.release()
        except BaseException:
            await self._disconnect()
            raise
        self._accepting = True

    async def stop(self) -> None:
        """Wait for the reads that have begun, then disconnect. Those that wait in line are refused."""
        if self._accepting:
            self._accepting = False
            async with self.paused():
                await self._disconnect()

    async def read(self, make: Callable[..., Operation[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run an operation on one snapshot.

        Raises:
            StorageBusy, StorageFailed, and what the operation raises.
        """
        if not self._accepting:
            raise StorageFailed
        if self._waiting >= self._queue:
            log.warning("%s was refused: %d operations wait already", name_of(make), self._waiting)
            raise StorageBusy(retry_after=1)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        if not self._free:  # it was closed meanwhile
            self._places.release()
            raise StorageFailed
        connection = self._free.pop()
        self._turns.begin()
        cancelled = False
        try:
            return await self._snapshot(connection.raw_connection, make, args, kwargs)
        except asyncio.CancelledError:
            cancelled = True
            raise
        except BROKEN as error:
            raise as_told(make, error) from error
        finally:
            # The end of the transaction changes nothing for the caller, who need not wait for it - and cannot, once cancelled.
            task = asyncio.create_task(self._end(connection, interrupt=cancelled))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Inside, nobody reads: those who read have finished, those who come wait."""
        async with self._pausing:
            held = 0
            try:
                while held < self._count:
                    await self._places.acquire()
                    held += 1
                yield
            finally:
                for _ in range(held):
                    self._places.release()

    async def _snapshot(
        self, raw: aiosqlite.Connection, make: Callable[..., Operation[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        await raw.execute_fetchall("begin")
        operation = make(*args, **kwargs)
        try:
            statement = next(operation)
            while True:
                rows = await raw.execute_fetchall(self._texts[statement.sql], statement.args)
                statement = operation.send(rows)  # type: ignore[arg-type]  # a list, declared as an iterable
        except StopIteration as stop:
            return stop.value

    async def _end(self, connection: Connection, *, interrupt: bool) -> None:
        try:
            if interrupt:
                await connection.raw_connection.interrupt()
            await connection.raw_connection.rollback()
        except Exception as error:  # noqa: BLE001 - a connection that cannot even end its transaction is replaced
            log.error("a read connection is replaced: %s", reason(error))
            connection = await self._replace(connection)
        finally:
            self._turns.end()
            self._free.append(connection)
            self._places.release()

    async def _replace(self, connection: Connection) -> Connection:
        try:
            fresh = await self._connect()
            await connection.__aexit__()
        except Exception as error:  # noqa: BLE001 - the next read will fail and try again
            log.error("a read connection could not be replaced: %s", reason(error))
            return connection
        return fresh

    async def _connect(self) -> Connection:
        # `databases` ties a connection to the task that asked for it, so each has a short task of its own to ask.
        return await asyncio.create_task(self._obtain())

    async def _obtain(self) -> Connection:
        connection = await self._database.connection().__aenter__()
        await connection.raw_connection.execute_fetchall("pragma query_only = on")
        return connection

    async def _disconnect(self) -> None:
        for connection in self._free:
            await connection.__aexit__()
        self._free.clear()
        await self._database.disconnect()
