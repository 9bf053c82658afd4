"""The writer's thread: one order, many operations to a commit, and never a success that was not committed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from realtime.errors import Conflict, StorageFailed
from realtime.storage.statement import Operation, Statement, every
from realtime.storage.turns import Turns
from realtime.storage.writer import Writer

Write = Callable[..., asyncio.Task[object]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "writer.db"


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma foreign_keys = on")
        connection.execute("create table if not exists parties (name text primary key, host text references parties (name))")
        return connection

    writer = Writer(connect, queue=1000, batch=16)
    await writer.start(Turns())
    yield writer
    await writer.stop()


@pytest.fixture
def write(writer: Writer) -> Write:
    """Submits an operation: those submitted one after another are committed together."""
    return lambda make, *args: asyncio.create_task(writer.write(make, args, {}))


def put(name: str, host: str | None = None) -> Operation[str]:
    yield Statement("insert into parties values ($1, $2)", (name, host))
    return name


def parties(path: Path) -> list[str]:
    """What another program finds in the file."""
    connection = sqlite3.connect(path)
    try:
        return [name for (name,) in connection.execute("select name from parties order by rowid")]
    finally:
        connection.close()


async def outcomes(*tasks: asyncio.Task[object]) -> list[object]:
    """Values, and the classes of errors."""
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(outcome) if isinstance(outcome, BaseException) else outcome for outcome in found]


async def test_callers_resume_in_the_order_of_the_commits(writer: Writer, path: Path) -> None:
    resumed: list[str] = []

    async def join(name: str) -> None:
        resumed.append(await writer.write(put, (name,), {}))

    await asyncio.gather(*(join(f"{number}") for number in range(100)))

    assert resumed == parties(path) == [f"{number}" for number in range(100)]


async def test_nothing_is_told_before_it_is_committed(writer: Writer, path: Path) -> None:
    async def join(name: str) -> None:
        await writer.write(put, (name,), {})
        assert name in parties(path)

    await asyncio.gather(*(join(f"{number}") for number in range(40)))


async def test_what_waits_is_committed_together(writer: Writer, write: Write) -> None:
    commits: list[str] = []
    await writer.between_commits(lambda connection: connection.set_trace_callback(commits.append))

    await asyncio.gather(*(write(put, f"{number}") for number in range(16)))

    assert [statement for statement in commits if statement in ("begin immediate", "commit")] == ["begin immediate", "commit"]


async def test_what_comes_in_turns_that_follow_each_other_is_committed_together(
    writer: Writer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.storage.writer._GATHER_S", 60)
    commits: list[str] = []
    await writer.between_commits(lambda connection: connection.set_trace_callback(commits.append))

    tasks = []
    for number in range(8):
        tasks.append(write(put, f"{number}"))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert [statement for statement in commits if statement in ("begin immediate", "commit")] == ["begin immediate", "commit"]


async def test_an_operation_alone_needs_no_savepoint(writer: Writer, write: Write) -> None:
    statements: list[str] = []
    await writer.between_commits(lambda connection: connection.set_trace_callback(statements.append))

    await write(put, "a")

    assert [statement.split()[0] for statement in statements] == ["begin", "insert", "commit"]


async def test_an_operation_alone_that_fails_leaves_nothing(write: Write, path: Path) -> None:
    def put_then_fail() -> Operation[None]:
        yield from put("a")
        raise ZeroDivisionError

    assert await outcomes(write(put_then_fail)) == [ZeroDivisionError]
    assert await outcomes(write(put, "b")) == ["b"]
    assert parties(path) == ["b"]


async def test_operations_whose_transaction_was_given_up_are_run_again(write: Write, path: Path) -> None:
    def give_up(name: str) -> Operation[None]:
        yield from put(name)
        yield Statement("insert or rollback into parties values ($1, null)", (name,))

    found = await outcomes(write(put, "a"), write(give_up, "x"), write(put, "b"))

    assert found == ["a", Conflict, "b"]
    assert parties(path) == ["a", "b"]


async def test_nothing_is_told_as_done_when_a_second_run_is_given_up_too(write: Write, path: Path) -> None:
    def give_up(name: str) -> Operation[None]:
        yield from put(name)
        yield Statement("insert or rollback into parties values ($1, null)", (name,))

    found = await outcomes(write(put, "a"), write(give_up, "x"), write(put, "b"), write(give_up, "y"), write(put, "c"))

    assert found == [StorageFailed, Conflict, StorageFailed, Conflict, StorageFailed]
    assert parties(path) == []
    assert await outcomes(write(put, "a"), write(put, "b")) == ["a", "b"]


async def test_a_failed_commit_fails_all_of_it(write: Write, path: Path) -> None:
    def orphan() -> Operation[None]:
        yield Statement("pragma defer_foreign_keys = on")
        yield from put("orphan", "nobody")

    found = await outcomes(write(put, "a"), write(orphan), write(put, "b"))

    assert found == [StorageFailed, StorageFailed, StorageFailed]
    assert parties(path) == []
    assert await outcomes(write(put, "a"), write(put, "b")) == ["a", "b"]


async def test_a_full_disk_refuses_what_is_too_large_and_no_more(writer: Writer, write: Write, path: Path) -> None:
    (pages,) = await writer.between_commits(lambda connection: connection.execute("pragma page_count").fetchone())
    await writer.between_commits(lambda connection: connection.execute(f"pragma max_page_count = {pages + 4}"))

    found = await outcomes(write(put, "a"), write(put, "x" * 100_000), write(put, "b"))
    assert found == ["a", StorageFailed, "b"]
    assert parties(path) == ["a", "b"]

    await writer.between_commits(lambda connection: connection.execute("pragma max_page_count = 1000000"))
    assert await outcomes(write(put, "x" * 100_000)) == ["x" * 100_000]


async def test_a_disk_that_stays_full_fails_everything_and_recovers_by_itself(writer: Writer, write: Write, path: Path) -> None:
    (pages,) = await writer.between_commits(lambda connection: connection.execute("pragma page_count").fetchone())
    await writer.between_commits(lambda connection: connection.execute(f"pragma max_page_count = {pages}"))

    found = await outcomes(*(write(put, f"{number}" * 10_000) for number in range(10)))
    assert found == [StorageFailed] * 10
    assert parties(path) == []

    await writer.between_commits(lambda connection: connection.execute("pragma max_page_count = 1000000"))
    assert await outcomes(write(put, "a")) == ["a"]


async def test_a_file_that_another_program_is_writing_to_fails_what_waits(writer: Writer, write: Write, path: Path) -> None:
    await writer.between_commits(lambda connection: connection.execute("pragma busy_timeout = 20"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")

    assert await outcomes(write(put, "a"), write(put, "b")) == [StorageFailed, StorageFailed]

    other.execute("rollback")
    other.close()
    assert await outcomes(write(put, "a"), write(put, "b")) == ["a", "b"]


async def test_a_caller_that_leaves_before_its_turn_takes_its_operation_back(writer: Writer, write: Write, path: Path) -> None:
    staying, leaving = write(put, "stays"), write(put, "leaves")
    await asyncio.sleep(0)  # both are submitted now; neither has been handed over

    leaving.cancel()

    assert await outcomes(staying, leaving) == ["stays", asyncio.CancelledError]
    assert parties(path) == ["stays"]


async def test_a_caller_that_leaves_after_its_turn_has_begun_loses_only_the_answer(writer: Writer, write: Write, path: Path) -> None:
    loop = asyncio.get_running_loop()
    begun = asyncio.Event()

    def tell_then_put() -> Operation[None]:
        loop.call_soon_threadsafe(begun.set)
        rows = yield from every("with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select count(*) from n")
        yield from put(f"{rows[0][0]}")

    leaving = write(tell_then_put)
    await begun.wait()
    leaving.cancel()
    assert await outcomes(leaving, write(put, "after")) == [asyncio.CancelledError, "after"]

    assert parties(path) == ["300000", "after"]


async def test_even_an_operation_that_wants_to_end_the_program_fails_alone(write: Write, path: Path) -> None:
    def leave() -> Operation[None]:
        yield from put("x")
        raise SystemExit(1)

    assert await outcomes(write(put, "a"), write(leave), write(put, "b")) == ["a", StorageFailed, "b"]
    assert parties(path) == ["a", "b"]


async def test_more_operations_than_one_commit_takes_are_all_done(write: Write, path: Path) -> None:
    assert len(await outcomes(*(write(put, f"{number}") for number in range(50)))) == 50

    assert len(parties(path)) == 50


async def test_an_action_takes_its_turn_among_the_operations(writer: Writer, write: Write) -> None:
    before = write(put, "before")
    counting = asyncio.create_task(
        writer.between_commits(lambda connection: connection.execute("select count(*) from parties").fetchone()[0])
    )
    after = write(put, "after")

    assert await outcomes(before, counting, after) == ["before", 1, "after"]


async def test_what_was_accepted_is_finished_before_the_end(writer: Writer, write: Write, path: Path) -> None:
    tasks = [write(put, f"{number}") for number in range(40)]
    await asyncio.sleep(0)

    await writer.stop()

    assert await outcomes(*tasks) == [f"{number}" for number in range(40)] == parties(path)
    assert await outcomes(write(put, "late")) == [StorageFailed]
