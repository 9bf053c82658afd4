"""What every storage does, on each database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest

from realtime.errors import CannotStart, Conflict, NotFound, StorageBusy, StorageFailed
from realtime.storage.statement import NOTHING, Operation, Statement, Storage, changed, every, one
from tests.conformance.conftest import MakeStorage
from tests.storage.steps import count_up, names, put, put_then_raise, put_two, value_of


async def test_what_is_written_is_read(storage: Storage) -> None:
    answer = await storage.write(put, "a", value="1")

    assert answer == "a"
    assert await storage.read(value_of, "a") == "1"


async def test_rows_are_read_by_position(storage: Storage) -> None:
    def read() -> Operation[tuple[str, int, None]]:
        rows = yield Statement("select cast($1 as text), cast($2 as bigint), null", ("x", 7))
        text, number, nothing = rows[0]
        return text, number, nothing

    assert await storage.read(read) == ("x", 7, None)
    assert await storage.read(every, "select name from installation where name = $1", "nobody") == []
    assert await storage.read(one, "select name from installation where name = $1", "nobody") is None


async def test_a_statement_may_have_a_text_of_its_own_for_postgres(storage: Storage) -> None:
    row = await storage.read(one, "select 'sqlite ' || $1", "7", postgres="select 'postgres ' || $1::text")

    assert row is not None
    assert row[0] == f"{'sqlite' if 'Sqlite' in type(storage).__name__ else 'postgres'} 7"


async def test_changed_rows_are_counted_without_reading_them(storage: Storage) -> None:
    def rename(name: str) -> Operation[int]:
        return (yield from changed("update installation set value = $2 where name = $1", name, "other"))

    await storage.write(put_two, "a")

    assert await storage.write(rename, "a/1") == 1
    assert await storage.write(rename, "nobody") == 0
    assert await storage.write(changed, "delete from installation where name = $1 or name = $2", "a/1", "a/2") == 2


async def test_a_statement_may_be_for_sqlite_only(storage: Storage) -> None:
    def put_on_sqlite() -> Operation[int]:
        rows = yield Statement("insert into installation (name, value) values ($1, '1') returning 1", ("a",), NOTHING)
        return len(rows)

    on_sqlite = "Sqlite" in type(storage).__name__

    assert await storage.write(put_on_sqlite) == int(on_sqlite)
    assert await storage.read(names) == (["a"] if on_sqlite else [])


async def test_a_placeholder_may_repeat_and_come_in_any_order(storage: Storage) -> None:
    row = await storage.read(one, "select cast($2 as text) || '$1' || cast($1 as text) || cast($2 as text)", "a", "b")

    assert row is not None
    assert row[0] == "b$1ab"


async def test_an_error_of_the_operation_takes_back_what_it_did_and_arrives_unchanged(storage: Storage) -> None:
    refused = NotFound("nothing here")

    with pytest.raises(NotFound) as raised:
        await storage.write(put_then_raise, "a", refused)

    assert raised.value is refused
    assert await storage.read(names) == []


async def test_a_broken_constraint_is_a_conflict_and_changes_nothing(storage: Storage) -> None:
    def put_both() -> Operation[None]:
        yield from put("new")
        yield from put("there")

    await storage.write(put, "there")

    with pytest.raises(Conflict) as raised:
        await storage.write(put_both)

    assert raised.value.__cause__ is not None
    assert await storage.read(names) == ["there"]


async def test_a_missing_parent_is_a_conflict(storage: Storage) -> None:
    def orphan() -> Operation[None]:
        yield Statement("insert into queues (store_id, id, name) values ('nowhere', 'A', '')")

    with pytest.raises(Conflict):
        await storage.write(orphan)


async def test_operations_that_fail_leave_those_beside_them_alone(storage: Storage) -> None:
    await storage.write(put, "there")

    async with asyncio.TaskGroup() as group:
        good = [group.create_task(storage.write(put_two, f"good{number}")) for number in range(10)]
        bad = [
            group.create_task(_error(storage.write(put_then_raise, "bad", NotFound()))),
            group.create_task(_error(storage.write(put, "there"))),
            group.create_task(_error(storage.write(put_then_raise, "bad", ZeroDivisionError()))),
        ]
        good += [group.create_task(storage.write(put_two, f"good{number}")) for number in range(10, 20)]

    assert [task.exception() for task in good] == [None] * 20
    assert [type(task.result()) for task in bad] == [NotFound, Conflict, ZeroDivisionError]
    assert await storage.read(names) == sorted([f"good{number}/{half}" for number in range(20) for half in (1, 2)] + ["there"])


async def test_numbers_taken_at_once_have_no_gap_and_no_repeat(storage: Storage) -> None:
    numbers = await asyncio.gather(*(storage.write(count_up) for _ in range(100)))

    assert sorted(numbers) == list(range(1, 101))


async def test_a_read_sees_one_snapshot(storage: Storage) -> None:
    await storage.write(count_up)
    looked, written = asyncio.Event(), asyncio.Event()

    def look_until_written() -> Operation[set[str | None]]:
        seen = set()
        while not written.is_set():
            seen.add((yield from value_of("count")))
            looked.set()
        seen.add((yield from value_of("count")))
        return seen

    reading = asyncio.create_task(storage.read(look_until_written))
    await looked.wait()
    await storage.write(count_up)
    written.set()

    assert await reading == {"1"}
    assert await storage.read(value_of, "count") == "2"


async def test_a_read_cannot_change_anything(storage: Storage) -> None:
    with pytest.raises(StorageFailed):
        await storage.read(put, "a")

    assert await storage.read(names) == []


async def test_a_failed_read_leaves_its_connection_clean(storage: Storage) -> None:
    def look_then_raise() -> Operation[None]:
        yield from names()
        raise NotFound

    for number in range(6):
        with pytest.raises(NotFound):
            await storage.read(look_then_raise)
        await storage.write(put, f"{number}")
        assert f"{number}" in await storage.read(names)


async def test_a_cancelled_read_leaves_its_connection_clean(storage: Storage) -> None:
    def look_for_ever() -> Operation[None]:
        while True:
            yield from names()
            looked.set()

    for number in range(6):
        looked = asyncio.Event()
        reading = asyncio.create_task(storage.read(look_for_ever))
        await looked.wait()
        reading.cancel()
        await asyncio.wait([reading])
        await storage.write(put, f"{number}")
        assert f"{number}" in await storage.read(names)


async def test_a_cancelled_write_happens_wholly_or_not_at_all(storage: Storage) -> None:
    for turns in range(20):
        writing = asyncio.create_task(storage.write(put_two, f"{turns:02}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])

    await storage.write(put, "after")
    await storage.scrub()  # by now whatever began has ended
    found = await storage.read(names)
    assert found[-1] == "after"
    assert len(found) % 2 == 1
    assert [name[:2] for name in found[:-1:2]] == [name[:2] for name in found[1::2]]


async def test_a_full_queue_refuses(make_storage: MakeStorage) -> None:
    storage = make_storage(write_queue=3)
    await storage.open()

    outcomes = await asyncio.gather(*(storage.write(put, f"{number}") for number in range(20)), return_exceptions=True)

    written = [outcome for outcome in outcomes if isinstance(outcome, str)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, StorageBusy)]
    assert len(written) >= 3
    assert len(refused) == 20 - len(written) > 0
    assert refused[0].retry
    assert await storage.read(names) == sorted(written)
    await storage.close()


async def test_a_broken_statement_fails_alone_and_is_named_without_its_arguments(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    def misspelt(secret: str) -> Operation[None]:
        yield Statement("insert into instalation (name) values ($1)", (secret,))

    with caplog.at_level(logging.DEBUG, "realtime"), pytest.raises(StorageFailed):
        await storage.write(misspelt, "Ann Example")

    assert await storage.write(put, "a") == "a"
    assert "misspelt" in caplog.text
    assert "Ann Example" not in caplog.text


async def test_a_conflict_is_named_without_the_row(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    await storage.write(put, "Ann Example")

    with caplog.at_level(logging.DEBUG, "realtime"), pytest.raises(Conflict) as raised:
        await storage.write(put, "Ann Example")

    assert "put" in caplog.text
    assert "Ann Example" not in caplog.text + str(raised.value.__cause__)


async def test_close_finishes_what_was_accepted_and_refuses_what_comes_later(make_storage: MakeStorage) -> None:
    storage = make_storage()
    await storage.open()
    writing = [asyncio.create_task(storage.write(put, f"{number}")) for number in range(5)]
    await asyncio.sleep(0)

    await storage.close()

    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    for refused in (storage.write(put, "late"), storage.read(names)):
        with pytest.raises(StorageFailed):
            await refused
    await storage.open()
    assert await storage.read(names) == [outcome for outcome in outcomes if isinstance(outcome, str)]
    await storage.close()


async def test_check_commits_something(storage: Storage) -> None:
    before = await storage.read(value_of, "checked")

    await storage.check()

    assert await storage.read(value_of, "checked") != before


async def test_scrub_keeps_what_is_left(storage: Storage) -> None:
    await storage.write(put, "a")

    await storage.scrub()

    assert await storage.read(names) == ["a"]


async def test_the_tables_of_another_version_are_refused(make_storage: MakeStorage, storage: Storage) -> None:
    def tell_future() -> Operation[None]:
        yield Statement("update installation set value = '999' where name = 'schema'")

    await storage.write(tell_future)
    await storage.close()

    with pytest.raises(CannotStart, match="version 999"):
        await make_storage().open()


async def _error(writing: Coroutine[Any, Any, object]) -> Exception | None:
    try:
        await writing
    except (NotFound, Conflict, ZeroDivisionError) as error:
        return error
    return None
