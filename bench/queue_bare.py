"""Claims and acknowledgements as bare `sqlite3` makes them: the same statements in the same transactions, with nothing around them."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from bench import queue_load, shop
from bench.queue_load import opened
from realtime.storage.dialect import Texts
from realtime.storage.statement import Statement

Transaction = list[Statement]
_PRAGMAS = ("synchronous = full", "foreign_keys = on", "cache_size = -16000", "temp_store = memory", "secure_delete = on")


async def consume(folder: Path, count: int, batch: int) -> float:
    """Jobs per second, of so many that one consumer claims and acknowledges in batches."""
    settings = shop.settings_in(folder, shop.new_secret())
    async with opened(settings) as storage:
        await queue_load.publish(storage, count, 64)
    before = folder / "before.db"
    shutil.copyfile(settings.sqlite_path, before)
    said: list[Transaction] = []
    async with opened(settings) as storage:
        await queue_load.consume(_Noting(storage, said), count, 1, batch)  # type: ignore[arg-type]  # it writes, and that is all
    return count / _again(before, said)


class _Noting:
    """Keeps what each operation says to the database."""

    def __init__(self, storage: Any, said: list[Transaction]) -> None:
        self._storage = storage
        self._said = said

    async def write(self, make: Callable[..., Any], /, *args: Any) -> Any:
        mine: Transaction = []
        self._said.append(mine)

        def noted() -> Generator[Statement, Any, Any]:
            operation, rows = make(*args), None
            while True:
                try:
                    statement = operation.send(rows)
                except StopIteration as stop:
                    return stop.value
                mine.append(statement)
                rows = yield statement

        return await self._storage.write(noted)


def _again(file: Path, said: list[Transaction]) -> float:
    """Seconds."""
    texts = Texts()
    plain = [[(texts[each.sql], each.args, each.each) for each in mine] for mine in said]
    connection = sqlite3.connect(file, isolation_level=None, cached_statements=512)
    for pragma in _PRAGMAS:
        connection.execute(f"pragma {pragma}")
    cursor = connection.cursor()
    began = time.perf_counter()
    for transaction in plain:
        cursor.execute("begin immediate")
        for sql, args, each in transaction:
            if each:
                cursor.executemany(sql, each)
            else:
                cursor.execute(sql, args).fetchall()
        cursor.execute("commit")
    seconds = time.perf_counter() - began
    (left,) = connection.execute("select count(*) from jobs where state <> 'done'").fetchone()
    connection.close()
    if left:
        raise ValueError(f"{left} jobs were not acknowledged")
    return seconds
