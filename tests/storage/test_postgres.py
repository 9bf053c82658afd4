"""What Postgres does of its own: undone transactions run again, lost connections are no lies, nothing waits for ever."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from realtime.errors import CannotStart, NotFound, StorageBusy, StorageFailed, Unavailable
from realtime.storage.postgres import PostgresStorage
from realtime.storage.statement import Operation, Statement, every, one
from tests.storage.steps import count_up, names, put, put_two, value_of
from tests.support.postgres import PostgresServer
from tests.support.process import free_port
from tests.support.waiting import until_async

pytestmark = pytest.mark.usefixtures("certificates_may_be_looked_for")
END_OWN_CONNECTION = "select pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
async def storage(url: str) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(url, pool=3, statement_seconds=2.0, acquire_seconds=2.0)
    await storage.open()
    yield storage
    await storage.close()


# ---- run again ----------------------------------------------------------------------------------------------------


async def test_two_operations_that_lock_each_other_out_both_happen(storage: PostgresStorage) -> None:
    await storage.write(put_two, "row")
    held: set[str] = set()
    runs: list[str] = []

    def change(first: str, then: str, patience: str) -> Operation[None]:
        runs.append(first)
        yield Statement(f"set local deadlock_timeout = '{patience}'")
        yield Statement("update installation set value = value || $2 where name = $1", (first, first))
        held.add(first)
        while len(held) < 2:
            yield Statement("select pg_sleep(0.01)")
        yield Statement("update installation set value = value || $2 where name = $1", (then, first))

    await asyncio.gather(storage.write(change, "row/1", "row/2", "50ms"), storage.write(change, "row/2", "row/1", "60s"))

    # The impatient one looks, is undone and runs again, each time it is faster than the other one wakes up; the patient one never is.
    assert runs.count("row/1") > 1
    assert runs.count("row/2") == 1
    rows = await storage.read(every, "select value from installation where name like 'row/%'")
    assert {value for (value,) in rows} <= {"row/1row/2", "row/2row/1"}
    assert len(rows) == 2


async def test_an_operation_that_could_not_be_serialized_is_run_again(storage: PostgresStorage) -> None:
    runs: list[int] = []

    def fail_twice() -> Operation[str]:
        runs.append(1)
        yield from put("a")
        if len(runs) < 3:
            yield Statement("do $$ begin raise exception sqlstate '40001'; end $$")
        return "done"

    assert await storage.write(fail_twice) == "done"
    assert len(runs) == 3
    assert await storage.read(names) == ["a"]


async def test_an_operation_that_is_always_undone_fails_in_the_end(storage: PostgresStorage) -> None:
    runs: list[int] = []

    def fail() -> Operation[None]:
        runs.append(1)
        yield Statement("do $$ begin raise exception sqlstate '40P01'; end $$")

    with pytest.raises(StorageFailed) as raised:
        await storage.write(fail)

    assert isinstance(raised.value.__cause__, asyncpg.DeadlockDetectedError)
    assert 1 < len(runs) < 20


# ---- lost connections ---------------------------------------------------------------------------------------------


async def test_a_connection_lost_before_the_commit_costs_nothing(storage: PostgresStorage) -> None:
    runs: list[int] = []

    def lose_once() -> Operation[str]:
        runs.append(1)
        yield from put("a")
        if len(runs) == 1:
            yield Statement(END_OWN_CONNECTION)
        return "done"

    assert await storage.write(lose_once) == "done"
    assert await storage.read(names) == ["a"]


async def test_a_connection_lost_during_the_commit_is_neither_told_as_done_nor_run_again(storage: PostgresStorage) -> None:
    def set_trap() -> Operation[None]:
        yield Statement(
            f"create function trap() returns trigger language plpgsql as $$ begin perform ({END_OWN_CONNECTION[7:]}); return null; end $$"
        )
        yield Statement(
            "create constraint trigger trap after insert on installation deferrable initially deferred"
            " for each row when (new.name = 'trapped') execute function trap()"
        )

    runs: list[int] = []

    def put_into_trap() -> Operation[None]:
        runs.append(1)
        yield from put("trapped")

    await storage.write(set_trap)

    with pytest.raises(Unavailable, match="did not say whether") as raised:
        await storage.write(put_into_trap)

    assert type(raised.value) is Unavailable
    assert len(runs) == 1
    assert await storage.write(put, "after") == "after"


async def test_what_was_acknowledged_is_there_when_connections_are_cut_under_load(
    storage: PostgresStorage, url: str, postgres_server: PostgresServer
) -> None:
    database = url.rsplit("/", 1)[1]
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                await storage.write(put_two, name := f"{writer}-{number}")
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                acknowledged.append(name)

    async def until_more() -> None:
        enough = len(acknowledged) + 20
        await until_async(lambda: len(acknowledged) >= enough, what="the pool to heal")

    async def cut() -> None:
        for _ in range(6):
            await until_more()
            await asyncio.to_thread(
                postgres_server.sql, f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"
            )
        await until_more()
        stop.set()

    await asyncio.gather(cut(), *(write(writer) for writer in range(4)))

    found = await storage.read(names)
    assert set(acknowledged) <= {name[:-2] for name in found}
    assert len(found) == 2 * len({name[:-2] for name in found})


# ---- nothing waits for ever ---------------------------------------------------------------------------------------


async def test_a_statement_that_takes_too_long_fails(url: str) -> None:
    storage = PostgresStorage(url, pool=1, statement_seconds=2.0)
    await storage.open()

    with pytest.raises(StorageFailed) as raised:
        await storage.write(one, "select pg_sleep(60)")

    assert isinstance(raised.value.__cause__, asyncpg.QueryCanceledError)
    assert await storage.write(put, "after") == "after"
    await storage.close()


async def test_a_server_that_does_not_answer_fails_operations_until_it_does(url: str) -> None:
    storage = PostgresStorage(url, pool=1, statement_seconds=2.0, acquire_seconds=2.0)
    await storage.open()
    row = await storage.read(one, "select pg_backend_pid()")
    assert row is not None
    os.kill(row[0], signal.SIGSTOP)

    try:
        with pytest.raises(StorageFailed):
            await storage.write(put, "a")
    finally:
        os.kill(row[0], signal.SIGCONT)

    assert await storage.write(put, "after") == "after"
    await storage.close()


async def test_who_waits_too_long_for_a_connection_is_told_to_come_back(url: str) -> None:
    storage = PostgresStorage(url, pool=1, acquire_seconds=0.5)
    await storage.open()
    holding = asyncio.Event()
    enough = asyncio.Event()

    def hold() -> Operation[None]:
        while not enough.is_set():
            yield Statement("select pg_sleep(0.01)")
            holding.set()

    held = asyncio.create_task(storage.write(hold))
    await holding.wait()
    with pytest.raises(StorageBusy) as raised:
        await storage.write(put, "a")
    enough.set()
    await held

    assert raised.value.retry
    assert await storage.write(put, "b") == "b"
    await storage.close()


async def test_who_waits_for_one_row_leaves_connections_for_all_others(url: str) -> None:
    storage = PostgresStorage(url, pool=4, acquire_seconds=1.0)
    await storage.open()
    await storage.write(put, "held")
    holder = await asyncpg.connect(url)
    await holder.execute("begin; update installation set value = 'mine' where name = 'held'")

    def change(name: str, value: str) -> Operation[None]:
        yield Statement("update installation set value = $2 where name = $1", (name, value))

    told: list[None] = []
    waiting = [asyncio.create_task(storage.write_and_tell(told.append, change, "held", str(number))) for number in range(4)]
    await until_async(lambda: _waiting_for_rows(storage))
    assert await storage.write(put, "free") == "free"
    assert await storage.read(value_of, "held") == ""
    refused = await asyncio.gather(*waiting[2:], return_exceptions=True)
    assert [type(each) for each in refused] == [StorageBusy, StorageBusy], "they had their time to wait"
    await holder.execute("commit")
    await asyncio.gather(*waiting[:2])

    await asyncio.gather(*(storage.write_and_tell(told.append, change, "held", str(number)) for number in range(9)))
    assert len(told) == 2 + 9
    await holder.close()
    await storage.close()


async def _waiting_for_rows(storage: PostgresStorage) -> bool:
    return await storage.read(
        one, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    ) == (2,)


async def test_a_caller_that_leaves_after_its_turn_has_begun_loses_only_the_answer(storage: PostgresStorage) -> None:
    begun = asyncio.Event()

    def begin_then_put() -> Operation[None]:
        yield from put("a/1")
        begun.set()
        yield from put("a/2")

    leaving = asyncio.create_task(storage.write(begin_then_put))
    await begun.wait()
    leaving.cancel()
    await asyncio.wait([leaving])

    assert leaving.cancelled()
    await until_async(lambda: _found(storage, ["a/1", "a/2"]))


async def test_a_read_whose_reader_left_ends_without_a_word(storage: PostgresStorage) -> None:
    begun = asyncio.Event()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def read_on() -> Operation[None]:
        while True:
            yield Statement("select pg_sleep(0.01)")
            begun.set()

    leaving = asyncio.create_task(storage.read(read_on))
    await begun.wait()
    leaving.cancel()
    await asyncio.wait([leaving])
    await until_async(lambda: not storage._places._running)
    del leaving
    gc.collect()

    assert complaints == []


async def test_who_leaves_while_waiting_for_a_connection_takes_the_operation_back(url: str) -> None:
    storage = PostgresStorage(url, pool=1)
    await storage.open()
    holding = asyncio.Event()
    enough = asyncio.Event()

    def hold() -> Operation[None]:
        while not enough.is_set():
            yield Statement("select pg_sleep(0.01)")
            holding.set()

    held = asyncio.create_task(storage.write(hold))
    await holding.wait()
    leaving = asyncio.create_task(storage.write(put, "a"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    enough.set()
    await held

    assert await storage.read(names) == []
    await storage.close()


async def test_an_operation_leaves_nothing_in_its_session(storage: PostgresStorage) -> None:
    def fail() -> Operation[None]:
        yield from count_up()
        raise NotFound

    for _ in range(6):
        with pytest.raises(NotFound):
            await storage.write(fail)

    row = await storage.read(
        one,
        "select count(*) from pg_locks l join pg_database d on d.oid = l.database where d.datname = current_database() and not l.granted",
    )
    assert row is not None
    assert row[0] == 0
    assert await storage.write(count_up) == 1


# ---- who may start ------------------------------------------------------------------------------------------------


async def refusal(url: str) -> str:
    with pytest.raises(CannotStart) as raised:
        await PostgresStorage(url, acquire_seconds=5.0).open()
    return raised.value.message


async def test_a_server_that_is_not_there_is_named(url: str) -> None:
    port = free_port()

    assert f"Postgres at 127.0.0.1:{port} does not answer. Start it" in await refusal(f"postgres://ann:secret@127.0.0.1:{port}/shop")


async def test_a_wrong_password_is_told_without_the_password(url: str, postgres_server: PostgresServer) -> None:
    told = await refusal(url.replace(postgres_server.password, "wrong-secret"))

    assert "refused the user or the password. Correct DATABASE_URL." in told
    assert "wrong-secret" not in told


async def test_a_missing_database_is_named(url: str) -> None:
    assert "has no database nowhere. Make it" in await refusal(url.rsplit("/", 1)[0] + "/nowhere")


@pytest.mark.parametrize("change", [("postgresql://", "postgres://"), ("?", "?sslmode=disable"), ("?", "?application_name=shop")])
async def test_the_addresses_that_hosts_give_are_taken(url: str, change: tuple[str, str]) -> None:
    storage = PostgresStorage((url + "?").replace(*change).rstrip("?"), pool=1)

    await storage.open()

    row = await storage.read(one, "select current_setting('application_name')")
    assert row is not None
    assert row[0] == ("shop" if "shop" in change[1] else "nowserving")
    await storage.close()


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(CannotStart, match="not known: pool_size"):
        PostgresStorage("postgres://ann@127.0.0.1/shop?pool_size=3")


async def _found(storage: PostgresStorage, expected: list[str]) -> bool:
    found: Any = await storage.read(names)
    return bool(found == expected)
