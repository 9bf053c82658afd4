"""A shop to measure with: its settings and folder, an open store, scanned codes, and tickets in bulk."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from realtime.keys import Keys, digest
from realtime.operations import accounts, stores
from realtime.operations.accounts import Session
from realtime.operations.joining import Guest, Proof
from realtime.operations.stores import NewQueue, NewStore
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement, Storage

T = TypeVar("T")

ACCOUNT = "benchowner01"
STORE = "benchstore01"
QUEUE = "A"
DAY_MS = 24 * 3_600_000
FIRST_CODE = 1_000_000
"""Numbers of prepared codes; the store itself shows smaller ones."""
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class Code(NamedTuple):
    """A code that a phone has scanned, and what it scanned it with."""

    text: str
    key: str
    proof: Proof


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Runs it on the event loop that the server takes."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def new_secret() -> str:
    return secrets.token_urlsafe(48)


def guest(number: int) -> Guest:
    """A party as `Reception.join` hands it on."""
    return Guest(QUEUE, f"Guest {number:06d}", f"+49151{number:08d}", "", 2)


@contextmanager
def disk_folder() -> Iterator[Path]:
    """An empty folder on a disk, for as long as the block lasts: a file system in memory would make every fsync free."""
    places = [tempfile.gettempdir(), "/var/tmp", str(Path.cwd())]
    place = next((place for place in places if Path(place).is_dir() and _file_system(Path(place)) not in _IN_MEMORY), places[0])
    with tempfile.TemporaryDirectory(prefix="nowserving-bench-", dir=place) as folder:
        yield Path(folder)


def _file_system(path: Path) -> str:
    """Its type, empty where the system has no /proc to ask."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    found = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    inside = [(mount, kind) for mount, kind in found if path.resolve().is_relative_to(mount)]
    return max(inside, key=lambda mounted: len(mounted[0]))[1] if inside else ""


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of what each turn says: the two of one turn had the same neighbours on the machine."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def cores() -> list[int]:
    """The cores this process may use, none where they cannot be chosen."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []


def settings_in(folder: Path, secret: str, **more: Any) -> Settings:
    return Settings.defaults(**{"database_url": f"sqlite:///{folder / 'nowserving.db'}", "secret_key": secret, **more})


async def open_shop(storage: Storage, keys: Keys) -> None:
    """An account and its open store with one queue."""
    now = now_ms()
    await storage.write(accounts.make, ACCOUNT, "owner@example.com", "", Session("", "", 0), now)
    new = NewStore(
        "Trattoria Bella", "Pasta and wine", "Europe/Berlin", "#0B6E4F", 3, False, [NewQueue("Table (1-8)", "Have a seat.", "Welcome!")]
    )
    await storage.write(stores.open_store, STORE, ACCOUNT, "1a2b3c4d", new, keys.code_hash, now, now + DAY_MS, now + DAY_MS)


async def scanned_codes(storage: Storage, keys: Keys, count: int) -> list[Code]:
    """So many codes of the shop that phones have scanned and not yet used."""
    made = []
    for number in range(FIRST_CODE, FIRST_CODE + count):
        text, key = keys.code(STORE, number), f"phone-{number}"
        made.append(Code(text, key, Proof(digest(text), keys.pass_hash(text, key))))
    for start in range(0, count, 1000):
        await storage.write(_scanned, FIRST_CODE + start, made[start : start + 1000], now_ms())
    return made


def _scanned(first: int, codes: Sequence[Code], now: int) -> Operation[None]:
    for number, code in enumerate(codes, first):
        yield Statement(
            "insert into codes (store_id, number, hash, pass_hash, state, created_ms, expires_ms) values ($1, $2, $3, $4, 'scanned', $5, $6)",
            (STORE, number, code.proof.code_hash, code.proof.pass_hash, now, now + DAY_MS),
        )


def fill_line(folder: Path, count: int) -> None:
    """So many parties who wait. Nobody else may have the file open."""
    _fill(folder, count, "'waiting', '', i, 0, 0, 0, $3 + i, 0, 0, 0")
    with _quick(folder) as connection:
        connection.execute("update queues set waiting = ?, last_number = ?", (count, count))


def fill_evening(folder: Path, count: int) -> None:
    """So many parties who were served, or left, or were not there. Nobody else may have the file open."""
    states = "case i % 20 when 0 then 'left' when 1 then 'no_show' else 'done' end"
    served = "case when i % 20 < 2 then 0 else $3 + i + 700000 end"
    _fill(folder, count, f"{states}, 'Desk ' || (i % 7), i, i % 9 = 0, 1, $3, $3 + i, $3 + i + 600000, {served}, $3 + i + 900000")
    with _quick(folder) as connection:
        connection.execute("update queues set last_number = ?", (count,))


def _fill(folder: Path, count: int, rest: str) -> None:
    with _quick(folder) as connection:
        (first,) = connection.execute("select seq + 1 from stores").fetchone()
        connection.execute(
            "insert into tickets (store_id, id, queue_id, number, name, phone, email, party, state, desk, place, walk_in, calls, almost_ms,"
            " joined_ms, called_ms, served_ms, ended_ms)"
            f" with recursive n (i) as (select {first} union all select i + 1 from n where i < {first} + $2 - 1)"
            f" select $1, i, '{QUEUE}', i, 'Guest ' || i, '+49151' || (10000000 + i), '', 1 + i % 6, {rest} from n".replace("$", "?"),
            (STORE, count, now_ms() - DAY_MS // 2),
        )
        connection.execute("update stores set seq = seq + ?", (count,))


@contextmanager
def _quick(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection that makes data in no time, because losing it would matter to nobody."""
    connection = sqlite3.connect(folder / "nowserving.db", isolation_level=None)
    try:
        connection.execute("pragma synchronous = off")
        connection.execute("begin")
        yield connection
        connection.execute("commit")
        connection.execute("pragma wal_checkpoint(truncate)")
    finally:
        connection.close()


@contextmanager
def durable_postgres(all_cores: Sequence[int]) -> Iterator[Callable[[], str] | None]:
    """Hands out addresses of empty databases in a Postgres of the tests, made to keep what it commits; None where there is none.

    It runs on the first core; the caller's is the last.
    """
    try:
        from tests.support.postgres import PostgresServer
        from tests.support.waiting import until
    except ImportError:
        yield None
        return
    if all_cores:
        os.sched_setaffinity(0, all_cores[:1])
    with PostgresServer() as server:
        # The tests' server may lose everything. This one is as its makers deliver it.
        server.process.send_signal(signal.SIGINT)
        server.process.wait(20)
        command = [server.programs / "postgres", "-D", server.folder / "data", "-k", server.folder, "-p", str(server.port)]
        server.process = subprocess.Popen(
            [*map(str, command), "-c", "listen_addresses=127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=server.log,
            stderr=server.log,
            cwd=server.folder,
            **server.user,
        )
        until(server._ready, 30, "Postgres to start again")
        yield server.new_database
