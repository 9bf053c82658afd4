"""Storage in one SQLite file, for one process: one thread writes, a few connections read."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from realtime.errors import AnotherProcess, CannotStart, StorageFailed, Unavailable
from realtime.storage import lineage, schema
from realtime.storage.dialect import BROKEN, cannot_start, reason
from realtime.storage.readers import Readers
from realtime.storage.seal import Seal
from realtime.storage.statement import Operation, P, T
from realtime.storage.turns import Turns
from realtime.storage.writer import Writer

if TYPE_CHECKING:
    from databases import Database

log = logging.getLogger(__name__)

_BUSY_SECONDS = 5.0
_LOOK_SECONDS = 0.3
_CHECK_SECONDS = 5.0
_SCRUB_TRIES = 50
_PRAGMAS = (
    "synchronous = full",
    "fullfsync = on",
    "checkpoint_fullfsync = on",
    "foreign_keys = on",
    "secure_delete = on",
    "temp_store = memory",
    "cache_size = -16000",
    "journal_size_limit = 67108864",
    "trusted_schema = off",
)


class SqliteStorage:
    """Durable in the sense of `synchronous=FULL`: what was answered survives a killed process and a lost power supply.

    All writes take place in one order; awaiting callers resume in that order.
    """

    def __init__(self, url: str, *, write_queue: int = 10_000, write_batch: int = 256, read_connections: int = 2) -> None:
        address = urlsplit(url)
        self._path = unquote(address.path[1:])
        if not self._path or address.query:
            raise CannotStart("DATABASE_URL must be sqlite:/// and the path of a file, with nothing after it.")
        self._lock: int | None = None
        self._writer = Writer(self._connect, queue=write_queue, batch=write_batch)
        self._readers = Readers(partial(_to_read, url), count=read_connections, queue=write_queue)

    async def open(self) -> None:
        self._lock = self._take_file()
        turns = Turns()
        try:
            await self._writer.start(turns)
            await self.write(schema.install, schema.text())
            await self.write(schema.touch)
            self._readers.start(turns)
            await self._take_over(self._lock)
        except BaseException as error:
            await self.close()
            if isinstance(error, (StorageFailed, *BROKEN)):
                raise cannot_start(self._path, error.__cause__ or error) from error
            raise

    async def close(self) -> None:
        await self._readers.stop()
        await self._writer.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def write(self, make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._writer.write(make, args, kwargs)  # type: ignore[no-any-return]  # what `make` returns is T

    async def write_and_tell(self, tell: Callable[[T], None], make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._writer.write(make, args, kwargs, tell)  # type: ignore[no-any-return]  # what `make` returns is T

    async def read(self, make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._readers.read(make, args, kwargs)  # type: ignore[no-any-return]  # what `make` returns is T

    async def scrub(self) -> None:
        # Deleted rows are overwritten in the file itself (secure_delete), but the log holds older pages until it is emptied, and
        # that cannot be done while somebody reads from it.
        for _ in range(_SCRUB_TRIES):
            async with self._readers.paused():
                if await self._writer.between_commits(_empty_log):
                    return
            await asyncio.sleep(0.1)
        raise StorageFailed(
            f"The log of {self._path} cannot be emptied while another program reads the file. Stop that program; it is tried again."
        )

    async def check(self) -> None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self.write(schema.touch)
        except TimeoutError:
            raise Unavailable(f"The database did not answer within {_CHECK_SECONDS:.0f} seconds.") from None

    async def carry_on(self) -> None:
        """Nobody puts another past into a file that is open; `open` looks."""

    async def _take_over(self, lock: int) -> None:
        """See whether the file is the one that was left, and seal its commits from now on."""
        seal = Seal(lock, self._file())
        if not await self.write(lineage.carry_on, seal.left(), seal.mark, secrets.token_hex(4)):
            log.warning("%s is not as it was left, as after a restored backup: every screen begins anew", self._path)
        seal.take()
        self._writer.seal = seal

    def _file(self) -> int:
        """Which file it is, whatever it holds."""
        return Path(self._path).stat().st_ino

    def _take_file(self) -> int:
        path = f"{os.path.realpath(self._path)}.lock"  # the same for every name of the file
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotStart(
                f"The file {path} cannot be written ({error.strerror}). Make its folder, and allow this user to write there."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise AnotherProcess(
                f"Another process is using the database file {self._path}. SQLite serves one process:"
                " stop the other one, or set DATABASE_URL to a Postgres database."
            ) from error
        return lock

    def _connect(self) -> sqlite3.Connection:
        """The connection that writes; called on its thread."""
        # The file holds names, phone numbers and the secret key. SQLite gives its mode to the files beside it.
        with contextlib.suppress(OSError):  # SQLite says better what is wrong
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=512)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"pragma {pragma}")
            (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
            if mode != "wal":
                raise CannotStart(
                    f"The database file {self._path} is on a disk that cannot share memory between connections, as some network"
                    " disks. Put it on a local disk, or set DATABASE_URL to a Postgres database."
                )
            _look_for_damage(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection


def _to_read(url: str) -> Database:
    from databases import Database  # it loads SQLAlchemy, a quarter of a start

    return Database(url, timeout=_BUSY_SECONDS, cached_statements=256)


def _look_for_damage(connection: sqlite3.Connection, path: str) -> None:
    """Look through the file for damage, as far as the time allows that a start may take."""
    until = time.monotonic() + _LOOK_SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > until), 10_000)
    try:
        found: list[tuple[Any, ...]] = connection.execute("pragma quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if reason(error) != "SQLITE_INTERRUPT":
            raise
        log.info("%s is large; the look for damage ended after %.1f s", path, _LOOK_SECONDS)
        return
    finally:
        connection.set_progress_handler(None, 0)
    if found != [("ok",)]:
        raise CannotStart(f"The database file {path} is damaged. Put back a copy of it, or move it away to begin with an empty one.")


def _empty_log(connection: sqlite3.Connection) -> bool:
    connection.execute("pragma busy_timeout = 0")  # other operations wait behind this one
    try:
        busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    finally:
        connection.execute(f"pragma busy_timeout = {_BUSY_SECONDS * 1000:.0f}")
    return not busy
