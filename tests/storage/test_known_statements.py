"""What a connection is made to know before a transaction, on real connections: nothing is taken for known that is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from realtime.storage.known_statements import KEPT, KnownStatements
from realtime.storage.postgres import PostgresStorage
from realtime.storage.statement import Operation, every
from tests.storage.steps import put

pytestmark = pytest.mark.usefixtures("certificates_may_be_looked_for")
TEXTS = ["select name from held where name = $1", "select value from held where name = $1", "select count(*) from held"]


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[asyncpg.Connection]]:
    opened = [await asyncpg.connect(url, **KEPT) for _ in range(count)]
    try:
        await opened[0].execute("create table held (name text, value text)")
        yield opened
    finally:
        for connection in opened:
            await connection.close()


async def prepared(raw: asyncpg.Connection, texts: Sequence[str]) -> int:
    found = await raw.fetchval("select count(*) from pg_prepared_statements where statement = any($1::text[])", list(texts))
    assert isinstance(found, int)
    return found


async def test_a_table_that_somebody_holds_costs_one_wait_and_is_learned_later(url: str) -> None:
    async with connections(url, 3) as (first, other, holder):
        known = KnownStatements()
        for text in TEXTS:
            known.met(first, "look", text)
        await other.execute("set statement_timeout = 300")
        await holder.execute("begin; lock table held in access exclusive mode")

        with pytest.raises(asyncpg.QueryCanceledError):
            await known.learn(other, "look")
        await holder.execute("rollback")
        await known.learn(other, "look")

        assert await prepared(other, TEXTS) == len(TEXTS)


async def test_what_cannot_be_made_known_holds_up_nothing_else(url: str) -> None:
    async with connections(url, 2) as (first, other):
        known = KnownStatements()
        for text in ("select nothing from nowhere", *TEXTS):
            known.met(first, "look", text)

        await known.learn(other, "look")

        assert await prepared(other, TEXTS) == len(TEXTS)
        assert not other.is_in_transaction()


async def test_what_two_operations_need_is_noted_for_both(url: str) -> None:
    async with connections(url, 2) as (first, other):
        known = KnownStatements()
        known.met(first, "look", TEXTS[0])
        known.met(first, "look again", TEXTS[0])

        await known.learn(other, "look again")

        assert await prepared(other, TEXTS[:1]) == 1


async def test_what_is_needed_is_known_after_any_number_of_other_statements(url: str) -> None:
    async with connections(url, 1) as (raw,):
        known = KnownStatements()
        await raw.fetch(TEXTS[0], "a")
        known.met(raw, "look", TEXTS[0])
        for number in range(1200):
            text = f"select {number}"
            await raw.fetch(text)
            known.met(raw, "count", text)
            if number % 200 == 0:
                await known.learn(raw, "look")
                assert await prepared(raw, TEXTS[:1]) == 1
        await known.learn(raw, "look")
        assert await prepared(raw, TEXTS[:1]) == 1


async def test_a_table_that_is_changed_under_a_running_program_is_noticed_by_nobody(url: str) -> None:
    storage = PostgresStorage(url, pool=2)
    await storage.open()

    def add(name: str) -> Operation[int]:
        yield from put(name)
        rows = yield from every("select * from installation where name = $1", name)
        return len(rows[0])

    assert await storage.write(add, "before") == 2
    changing = await asyncpg.connect(url)
    await changing.execute("alter table installation add column more text")
    assert await storage.write(add, "after") == 3
    assert await asyncio.gather(*(storage.write(add, f"{number}") for number in range(8))) == [3] * 8
    await changing.execute("alter table installation drop column more")
    await changing.close()
    await storage.close()
