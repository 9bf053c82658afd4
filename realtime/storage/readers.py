"""The connections that read a SQLite file: each read sees one consistent snapshot, and can change nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiosqlite

from realtime.errors import StorageBusy, StorageFailed
from realtime.storage.dialect import BROKEN, Texts, as_told, reason
from realtime.storage.statement import Operation, name_of
from realtime.storage.turns import Turns

if TYPE_CHECKING:
    from databases import Database
    from databases.core import Connection

log = logging.getLogger(__name__)


class Readers:
    """A number of read connections, each opened when it is first needed. Who comes while all are in use waits in line, up to a bound.

    Args:
        make: called once, on a thread, when somebody reads for the first time: what `databases` loads would be a quarter of a start.
        count: connections at most.
        queue: operations that may wait.
    """

    def __init__(self, make: Callable[[], Database], *, count: int, queue: int) -> None:
        self._make = make
        self._count = count
        self._queue = queue
        self._texts = Texts()
        self._waiting = 0
        self._free: list[Connection] = []
        self._pausing = asyncio.Lock()
        self._ending: set[asyncio.Task[Any]] = set()
        self._database: Database | None = None
        self._making = asyncio.Lock()
        self._accepting = False

    def start(self, turns: Turns) -> None:
        self._turns = turns
        self._places = asyncio.Semaphore(self._count)
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
        if not self._is_open():
            raise StorageFailed
        if self._waiting >= self._queue:
            log.warning("%s was refused: %d operations wait already", name_of(make), self._waiting)
            raise StorageBusy(retry_after=1)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        if not self._is_open():  # any more
            self._places.release()
            raise StorageFailed
        connection = self._free.pop() if self._free else await self._another(make)
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

    def _is_open(self) -> bool:
        return self._accepting

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
            fresh = await asyncio.create_task(self._connect())
            await connection.__aexit__()
        except Exception as error:  # noqa: BLE001 - the next read will fail and try again
            log.error("a read connection could not be replaced: %s", reason(error))
            return connection
        return fresh

    async def _another(self, make: Callable[..., object]) -> Connection:
        """A connection for a place that has none yet. A reader that is cancelled meanwhile leaves it to the next."""
        connecting = asyncio.create_task(self._connect())
        self._ending.add(connecting)
        connecting.add_done_callback(self._ending.discard)
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(self._leave)
            raise
        except BROKEN as error:
            self._places.release()
            raise as_told(make, error) from error

    def _leave(self, connecting: asyncio.Task[Connection]) -> None:
        if not connecting.cancelled() and not connecting.exception():
            self._free.append(connecting.result())
        self._places.release()

    async def _connect(self) -> Connection:
        """Raises: what `BROKEN` says. Only called in a task of its own, as `databases` keeps one connection per task."""
        async with self._making:
            if self._database is None:
                database = await asyncio.to_thread(self._make)
                await database.connect()
                self._database = database
        connection = await self._database.connection().__aenter__()
        await connection.raw_connection.execute_fetchall("pragma query_only = on")
        return connection

    async def _disconnect(self) -> None:
        for connection in self._free:
            await connection.__aexit__()
        self._free.clear()
        if self._database:
            await self._database.disconnect()
