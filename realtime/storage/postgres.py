"""Storage in Postgres, for any number of processes: one transaction per operation, on a connection of the pool."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from databases import Database, DatabaseURL

from realtime.errors import CannotStart, Conflict, NowServingError, StorageFailed, Unavailable
from realtime.storage import lineage, schema
from realtime.storage.gathering import Gathering
from realtime.storage.known_statements import KEPT, KnownStatements
from realtime.storage.places import Places
from realtime.storage.session import SessionLimits
from realtime.storage.statement import NOTHING, Operation, P, Row, T, Together, name_of

log = logging.getLogger(__name__)

_WRITE = "begin isolation level read committed"
_READ = "begin isolation level repeatable read, read only"
_ATTEMPTS = 10
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25
_CHECK_SECONDS = 5.0
_VACUUM_SECONDS = 600

_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
"""A table has changed since the statement was made known."""
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, *_STALE)
"""The database undid the transaction so that another could go on, or will understand it the next time."""
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.StatementCompletionUnknownError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InternalClientError,
    OSError,
)
"""The connection is gone. A time that ran out is an OSError too, but says nothing of the connection."""
_BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class _Lost(Exception):
    """The connection went away before the commit was sent, so nothing was changed."""


class _Abandoned(Exception):
    """Nobody waits for this read any more."""


class PostgresStorage:
    """Durable as the server is told to be (`synchronous_commit`).

    Operations on the same store happen one after another, because each takes the store's row first (parties that join it meanwhile are
    gathered, and join in one transaction); their callers may resume in
    another order, so whoever needs the order goes by `seq`. An operation that the database undid for another's sake (40001, 40P01),
    or whose connection was lost before its commit was sent, is run again, a bounded number of times. A connection that is lost
    while the commit is under way leaves the outcome unknown: that is raised as Unavailable, never reported as done or undone.

    Args:
        write_queue: operations that may wait for a connection.
        pool: connections.
        statement_seconds: how long one statement may take, waiting for rows included.
        idle_seconds: how long a transaction may do nothing. A process that stands still in the middle of one (a machine that is moved,
            or lost without a word) keeps a store's row from all others for so long, once for each of its transactions that wait for it.
            From Postgres 17 on, none of them lasts longer than two statements may, whatever it waits for.
        acquire_seconds: how long an operation may wait for a connection.
    """

    def __init__(
        self,
        url: str,
        *,
        write_queue: int = 10_000,
        pool: int = 8,
        statement_seconds: float = 10.0,
        idle_seconds: float = 2.0,
        acquire_seconds: float = 5.0,
    ) -> None:
        self._url = DatabaseURL(url)
        self._limits = SessionLimits(statement_seconds, idle_seconds)
        self._idle_seconds = idle_seconds
        self._acquire_seconds = acquire_seconds
        # Of what may follow the `?` of an address, `databases` passes next to nothing on, so it is done here.
        options = self._url.options
        if unknown := sorted(options.keys() - {"host", "sslmode", "ssl", "application_name"}):
            raise CannotStart(f"DATABASE_URL has options that are not known: {', '.join(unknown)}. Take them out.")
        secure = {"ssl": options["sslmode"]} if "sslmode" in options else {}
        self._database = Database(
            self._url,
            # All connections are made at the start and kept: making one looks for certificates in the home folder, on the loop.
            min_size=pool,
            max_size=pool,
            max_inactive_connection_lifetime=0,
            timeout=acquire_seconds,
            command_timeout=statement_seconds + 1.0,
            server_settings={"application_name": options.get("application_name", "nowserving")},
            init=self._connected,
            reset=_nothing,
            **KEPT,
            **secure,
        )
        self._statements = KnownStatements()
        self._places = Places(pool, write_queue, acquire_seconds)
        self._mark = ""
        """The server's line of history when it was looked at last."""
        self._gathering = Gathering(
            self._places.run, lambda make, name: self._attempts(_WRITE, make, name, asyncio.Event()), write_queue, acquire_seconds
        )

    async def open(self) -> None:
        try:
            async with asyncio.timeout(self._acquire_seconds):
                await self._database.connect()
            self._places.open()
            sql = schema.text()
            self._tables = schema.tables(sql)
            await self.write(schema.install, sql)
            await self.write(schema.touch)
            await self.carry_on()
        except (*_BROKEN, ValueError, StorageFailed) as error:
            await self.close()
            raise self._cannot_start(error.__cause__ or error) from error
        except BaseException:
            await self.close()
            raise

    async def carry_on(self) -> None:
        try:
            mark = await self.read(lineage.of_server)
        except StorageFailed:
            return  # this user may not ask; a store that went back is noticed while it is looked at
        if mark != self._mark and not await self.write(lineage.carry_on, (mark,), mark, secrets.token_hex(4)):
            log.warning("The database is on another line of history, as after a restored backup or a failover: every screen begins anew")
        self._mark = mark

    async def close(self) -> None:
        await self._places.close()
        try:
            async with asyncio.timeout(self._acquire_seconds):
                await self._database.disconnect()
        except (*_BROKEN, AssertionError) as error:
            log.warning("the connections were not closed in order: %s", _reason(error))

    async def write(self, make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(_WRITE, make, args, kwargs)  # type: ignore[no-any-return]  # what `make` returns is T

    async def write_and_tell(self, tell: Callable[[T], None], make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(_WRITE, make, args, kwargs, tell)  # type: ignore[no-any-return]  # what `make` returns is T

    async def read(self, make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(_READ, make, args, kwargs)  # type: ignore[no-any-return]  # what `make` returns is T

    async def scrub(self) -> None:
        """Best effort: `vacuum` lets go of deleted rows; what write-ahead logs and backups hold is the server's business."""
        await self._places.run("scrub", self._vacuum)

    async def check(self) -> None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self.write(schema.touch)
        except TimeoutError:
            raise Unavailable(f"The database did not answer within {_CHECK_SECONDS:.0f} seconds.") from None

    # ---- one operation ----

    async def _run(
        self,
        begin: str,
        make: Callable[..., Operation[Any]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        tell: Callable[[Any], None] | None = None,
    ) -> Any:
        if isinstance(make, Together) and make.in_turn and begin == _WRITE and not kwargs:
            return await self._gathering.run(make, args, tell)
        abandoned = asyncio.Event()
        name = name_of(make)

        async def act() -> Any:
            value = await self._attempts(begin, lambda: make(*args, **kwargs), name, abandoned)
            if tell:
                tell(value)
            return value

        try:
            return await self._places.run(name, act, _about(args) if tell else "")
        except asyncio.CancelledError:
            if begin == _READ:
                abandoned.set()
            raise

    async def _attempts(self, begin: str, make: Callable[[], Operation[Any]], name: str, abandoned: asyncio.Event) -> Any:
        problem: BaseException | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                most = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
                await asyncio.sleep(random.uniform(0, most))  # rivals are spread over time
            try:
                return await self._transaction(begin, make, name, abandoned)
            except _AGAIN as error:
                problem = error
            except _Lost as error:
                problem = error.__cause__
            except asyncpg.IntegrityConstraintViolationError as error:
                log.warning("%s was refused: %s", name, _reason(error))
                error.detail = None  # it quotes the row
                raise Conflict from error
            except _BROKEN as error:
                problem = error
                break
            except (NowServingError, _Abandoned):
                raise
            except BaseException as error:
                log.error("%s failed: %s", name, _reason(error))
                raise
        log.error("%s failed: %s", name, _reason(problem))
        raise StorageFailed from problem

    async def _transaction(self, begin: str, make: Callable[[], Operation[Any]], name: str, abandoned: asyncio.Event) -> Any:
        async with self._connection() as raw:
            try:
                if begin == _WRITE:
                    await self._statements.learn(raw, name)
                started = asyncio.get_running_loop().time()
                await raw.execute(begin)
                value = await self._drive(raw, make(), name, abandoned)
                if asyncio.get_running_loop().time() - started >= self._idle_seconds:
                    await raw.execute("select 1")  # the server may have ended it; the commit's answer would not say so for certain
            except BaseException as error:
                if isinstance(error, _STALE):
                    self._statements.forget()
                await _roll_back(raw, error)
                if isinstance(error, Exception) and _is_lost(raw, error):
                    raise _Lost from error
                raise
            try:
                told = await raw.execute("commit")
            except _BROKEN as error:
                if isinstance(error, asyncpg.PostgresError) and not _is_lost(raw, error):
                    raise  # the server itself says that it did not commit
                _drop(raw)
                if begin == _READ:
                    raise _Lost from error
                log.error("%s: the connection was lost during the commit: %s", name, _reason(error))
                raise Unavailable("The database did not say whether that was saved. Look before you try again.") from error
            if told != "COMMIT":
                raise StorageFailed
            return value

    async def _drive(self, raw: asyncpg.Connection, operation: Operation[Any], name: str, abandoned: asyncio.Event) -> Any:
        try:
            statement = next(operation)
            while not abandoned.is_set():
                text = statement.postgres or statement.sql
                if text is NOTHING:
                    statement = operation.send([])
                    continue
                rows = await (_fetch_each(raw, text, statement.each) if statement.each else raw.fetch(text, *statement.args))
                self._statements.met(raw, name, text)
                statement = operation.send(rows)
            raise _Abandoned
        except StopIteration as stop:
            return stop.value

    async def _vacuum(self) -> None:
        async with self._connection() as raw:
            try:
                await self._limits.lift(raw)
                await raw.execute(f"vacuum {', '.join(self._tables)}", timeout=_VACUUM_SECONDS)
                await self._limits.set(raw)
            except _BROKEN as error:
                log.warning("vacuum was not finished: %s", _reason(error))
                _drop(raw)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool. Only called in a task of its own, as `databases` keeps one connection per task."""
        connection = self._database.connection()
        await connection.__aenter__()
        try:
            yield connection.raw_connection
        finally:
            try:
                await connection.__aexit__()
            except _BROKEN as error:  # what was done with it is done
                log.warning("a connection was lost when it was put back: %s", _reason(error))

    async def _connected(self, raw: asyncpg.Connection) -> None:
        self._statements.connected(raw)
        await self._limits.set(raw)

    def _cannot_start(self, error: BaseException) -> CannotStart:
        where = f"{self._url.hostname or 'localhost'}:{self._url.port or 5432}"
        if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
            why = f"Postgres at {where} refused the user or the password. Correct DATABASE_URL."
        elif isinstance(error, asyncpg.InvalidCatalogNameError):
            why = f"Postgres at {where} has no database {self._url.database}. Make it, or correct DATABASE_URL."
        elif isinstance(error, asyncpg.InsufficientPrivilegeError):
            why = f"Postgres at {where} does not let this user make tables in {self._url.database}. Grant it, or use another user."
        elif isinstance(error, OSError | asyncpg.PostgresConnectionError | asyncpg.CannotConnectNowError):
            why = f"Postgres at {where} does not answer. Start it, or correct DATABASE_URL."
        else:
            why = f"Postgres at {where} cannot be used ({_reason(error)}). Look at its log, or correct DATABASE_URL."
        return CannotStart(why)


def _about(args: tuple[Any, ...]) -> str:
    """What an operation changes that is told to others: a store, whose row it takes. Its first argument is that, or of it."""
    first = args[0] if args else ""
    return first if isinstance(first, str) else getattr(first, "store_id", "")


async def _fetch_each(raw: asyncpg.Connection, text: str, each: Sequence[tuple[Any, ...]]) -> list[Row]:
    if len(each) > 1 and " returning " not in text:
        await raw.executemany(text, each)  # a round trip for all of them
        return []
    return [row for args in each for row in await raw.fetch(text, *args)]


async def _nothing(_: asyncpg.Connection) -> None:
    """In place of asyncpg's reset, which costs a round trip: operations leave nothing in a session but what `SessionLimits` set."""


async def _roll_back(raw: asyncpg.Connection, error: BaseException) -> None:
    if isinstance(error, TimeoutError | asyncio.CancelledError) or _is_lost(raw, error):
        _drop(raw)  # to ask a server that does not answer for a rollback would only wait again
        return
    try:
        await raw.execute("rollback")
    except _BROKEN:
        _drop(raw)


def _is_lost(raw: asyncpg.Connection, error: BaseException) -> bool:
    """Whether the error means that the connection is gone."""
    if isinstance(error, TimeoutError):
        return False
    try:
        return isinstance(error, _LOST) or raw.is_closed()
    except asyncpg.InterfaceError:  # it has left the pool already
        return True


def _drop(raw: asyncpg.Connection) -> None:
    try:
        raw.terminate()
    except asyncpg.InterfaceError:  # it has left the pool already
        pass


def _reason(error: BaseException | None) -> str:
    """What went wrong in a word; never the error's own text, which may quote a person's data."""
    return getattr(error, "sqlstate", None) or type(error).__name__
