"""How many parties can join in a second: through storage, beside bare `sqlite3` and beside a `databases` transaction for each."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, NamedTuple

from databases import Database

from bench.result import Result, line
from bench.shop import (
    STORE,
    Code,
    cores,
    disk_folder,
    durable_postgres,
    guest,
    new_secret,
    now_ms,
    on_loop,
    open_shop,
    ratio,
    scanned_codes,
    settings_in,
)
from realtime import app
from realtime.house import House
from realtime.keys import Keys
from realtime.operations import joining
from realtime.operations.changes import Rules
from realtime.settings import Settings
from realtime.storage.statement import NOTHING, Operation, Statement, Storage

WRITERS = 64
Join = Callable[..., Operation[Any]]


class Prepared(NamedTuple):
    """A store that opened, with codes that were scanned; `file` is its database, which every run copies."""

    settings: Settings
    codes: list[Code]
    rules: Rules
    file: Path


def run(quick: bool) -> list[Result]:
    """The figures, medians of several runs, each on a fresh file. The compared ways take turns, so that a busy machine is busy for all."""
    runs, joins, slow_joins = (3, 4_000, 64) if quick else (5, 16_000, 128)
    everywhere = cores()
    with disk_folder() as folder, durable_postgres(everywhere) as new_database:
        if everywhere:
            os.sched_setaffinity(0, everywhere[-1:])
        secret = new_secret()
        settings = settings_in(folder, secret)
        registry = app.load_plugins(settings)
        rules = House(registry, Keys(secret), settings.public_url, "http://127.0.0.1:8000").rules()
        codes = on_loop(prepare(settings, joins))
        prepared = Prepared(settings, codes, rules, folder / "nowserving.db")
        statements = on_loop(recorded(prepared))
        ours, bare, theirs, server = list[float](), list[float](), list[float](), list[float]()
        for _ in range(runs):
            ours.append(on_loop(through_storage(prepared)))
            bare.append(through_sqlite3(prepared, statements))
            # Many writers of `databases` wait for each other by trying again and again; one by one it may be faster.
            theirs.append(max(on_loop(through_databases(prepared, statements[:slow_joins], writers)) for writers in (1, WRITERS)))
        for _ in range(3 if new_database else 0):
            assert new_database is not None
            server.append(on_loop(through_postgres(prepared, new_database(), joins // 16)))
        on_loop(registry.close())
    mine, most, query = statistics.median(ours), statistics.median(bare), statistics.median(theirs)
    to_bare, to_query = ratio(ours, bare), ratio(ours, theirs)
    results = [
        Result("joins, bare sqlite3, 64 to a transaction", most, "/s"),
        Result("joins, a transaction of `databases` each", query, "/s"),
        Result(f"joins through storage, {WRITERS} writers", mine, "/s", to_bare, "bare sqlite3", ">= 0.5 x", to_bare >= 0.5),
        Result(f"joins through storage, {WRITERS} writers", mine, "/s", to_query, "`databases`", ">= 30 x", to_query >= 30),
        Result(f"joins through storage, {WRITERS} writers", mine, "/s", None, "", ">= 25,000", mine >= 25_000),
    ]
    if server:
        results.append(Result(f"joins through storage, {WRITERS} writers, Postgres", statistics.median(server), "/s"))
    return results


async def prepare(settings: Settings, count: int) -> list[Code]:
    """A store and so many scanned codes, in the database that the settings name."""
    storage, keys = app.make_storage(settings), Keys(settings.secret_key)
    await storage.open()
    try:
        await open_shop(storage, keys)
        return await scanned_codes(storage, keys, count)
    finally:
        await storage.close()


async def through_storage(prepared: Prepared, join: Join = joining.join) -> float:
    """Joins per second: the real operation, each with a scanned code as its proof, under the rules of the plugins that come along."""
    storage = app.make_storage(_on_copy(prepared))
    await storage.open()
    try:
        return await measure(storage, prepared, prepared.codes, join)
    finally:
        await storage.close()


async def measure(storage: Storage, prepared: Prepared, codes: list[Code], join: Join = joining.join) -> float:
    waiting = iter([((guest(number),), code.proof) for number, code in enumerate(codes, 1)])

    async def writer() -> None:
        for guests, proof in waiting:
            await storage.write(join, STORE, guests, proof, prepared.rules, now_ms())

    return len(codes) / await timed(writer, WRITERS)


async def timed(work: Callable[[], Coroutine[Any, Any, None]], writers: int) -> float:
    """Seconds until so many at once have nothing left to do."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(writers):
            group.create_task(work())
    return time.perf_counter() - began


async def recorded(prepared: Prepared) -> list[list[Statement]]:
    """What every join says to the database when it is alone, in the order in which they were run."""
    said: list[list[Statement]] = []

    def join(*args: Any) -> Generator[Statement, Any, Any]:
        mine: list[Statement] = []
        said.append(mine)
        operation, rows = joining.join(*args), None
        while True:
            try:
                statement = operation.send(rows)  # type: ignore[arg-type]  # None begins it
            except StopIteration as stop:
                return stop.value
            mine += [Statement(statement.sql, args, statement.postgres) for args in statement.each] or [statement]
            rows = yield statement

    await through_storage(prepared, join)
    return said


def through_sqlite3(prepared: Prepared, joins: list[list[Statement]]) -> float:
    """The same statements with nothing around them, 64 joins to a transaction, as durable as storage makes them."""
    connection = sqlite3.connect(_on_copy(prepared).sqlite_path, isolation_level=None, cached_statements=512)
    for pragma in ("synchronous = full", "foreign_keys = on", "cache_size = -16000", "temp_store = memory", "secure_delete = on"):
        connection.execute(f"pragma {pragma}")
    plain = [[(re.sub(r"\$(\d+)", r"?\1", said.sql), said.args, _answers(said)) for said in join] for join in joins]
    execute = connection.cursor().execute
    began = time.perf_counter()
    for start in range(0, len(plain), WRITERS):
        execute("begin immediate")
        for join in plain[start : start + WRITERS]:
            for sql, args, answers in join:
                rows = execute(sql, args)
                if answers:
                    rows.fetchall()
        execute("commit")
    seconds = time.perf_counter() - began
    connection.close()
    return len(joins) / seconds


def _answers(said: Statement) -> bool:
    return said.sql.startswith("select") or " returning " in said.sql


async def through_databases(prepared: Prepared, joins: list[list[Statement]], writers: int) -> float:
    """The same statements as `databases` is meant to be used: its queries, in its transaction.

    They are those for Postgres: its transactions begin deferred, and one that reads before it writes fails beside others.
    """
    names = re.compile(r"\$(\d+)")
    plain = iter([
        [
            (names.sub(r":v\1", text), {f"v{n}": value for n, value in enumerate(said.args, 1)}, " returning " in text)
            for said in join
            if (text := said.postgres or said.sql) != NOTHING
        ]
        for join in joins
    ])  # fmt: skip
    async with Database(_on_copy(prepared).database_url, timeout=60) as database:

        async def writer() -> None:
            for join in plain:
                async with database.transaction():
                    for sql, values, answers in join:
                        if answers:
                            await database.fetch_one(sql, values)
                        else:
                            await database.execute(sql, values)

        return len(joins) / await timed(writer, writers)


async def through_postgres(prepared: Prepared, url: str, count: int) -> float:
    settings = Settings.defaults(database_url=url, secret_key=prepared.settings.secret_key)
    codes = await prepare(settings, count)
    storage = app.make_storage(settings)
    await storage.open()
    try:
        return await measure(storage, prepared, codes)
    finally:
        await storage.close()


def _on_copy(prepared: Prepared) -> Settings:
    """The settings of a run of its own: on a fresh copy of the prepared file."""
    folder = prepared.file.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(prepared.file, folder)
    return settings_in(folder, prepared.settings.secret_key)


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
