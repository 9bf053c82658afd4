"""One file for one process: who may open it, what is refused, and what is left in it."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from realtime.errors import AnotherProcess, CannotStart, NowServingError, StorageFailed
from realtime.storage.dialect import cannot_start
from realtime.storage.sqlite import SqliteStorage
from realtime.storage.statement import Operation, Statement
from tests.storage.steps import names, put, value_of
from tests.support.process import ROOT, clean_environment

SECRET = "Ann Example +1 555 0100"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(f"sqlite:///{path}")
    await storage.open()
    yield storage
    await storage.close()


async def refusal(path: Path) -> CannotStart:
    """How a file that cannot be used is refused. Nothing of it may stay open."""
    storage = SqliteStorage(f"sqlite:///{path}")
    try:
        with pytest.raises(CannotStart) as raised:
            await storage.open()
    finally:
        await storage.close()
    return raised.value


def put_many(count: int) -> Operation[None]:
    for number in range(count):
        yield Statement("insert into installation values ($1, $2)", (f"{number:05}", SECRET * 10))


def forget_all() -> Operation[None]:
    yield Statement("delete from installation where name <> 'schema'")


# ---- who may open it ----------------------------------------------------------------------------------------------


async def test_a_second_process_is_refused(storage: SqliteStorage, path: Path) -> None:
    program = [sys.executable, "-m", "tests.storage.writing", f"sqlite:///{path}", "second"]

    done = subprocess.run(program, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert f"AnotherProcess: Another process is using the database file {path}." in done.stderr
    await storage.write(put, "a")
    assert await storage.read(names) == ["a"]


async def test_another_name_for_the_same_file_is_refused(storage: SqliteStorage, path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)

    assert isinstance(await refusal(link), AnotherProcess)


async def test_the_file_is_free_again_after_close(storage: SqliteStorage, path: Path) -> None:
    await storage.write(put, "a")
    await storage.close()

    second = SqliteStorage(f"sqlite:///{path}")
    await second.open()

    assert await second.read(names) == ["a"]
    await second.close()


async def test_a_path_relative_to_the_working_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = SqliteStorage("sqlite:///shop.db")

    await storage.open()
    await storage.close()

    assert (tmp_path / "shop.db").is_file()


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///shop.db?mode=ro"])
def test_an_address_that_is_not_a_file_is_refused(url: str) -> None:
    with pytest.raises(CannotStart, match="DATABASE_URL must be sqlite:///"):
        SqliteStorage(url)


# ---- what is refused ----------------------------------------------------------------------------------------------


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "shop.db"

    assert f"{path}.lock cannot be written" in (await refusal(path)).message


async def test_a_folder_in_place_of_the_file_is_named(path: Path) -> None:
    path.mkdir()

    assert f"The database file {path} cannot be opened" in (await refusal(path)).message


async def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))

    refused = await refusal(path)

    assert f"The database file {path} is damaged" in refused.message
    assert path.read_bytes() == random.Random(1).randbytes(20_000), "it must be left as it was found"


async def test_damage_in_a_page_that_nobody_has_asked_for_is_found_at_the_start(storage: SqliteStorage, path: Path) -> None:
    await storage.write(put_many, 200)
    await storage.close()
    whole = path.read_bytes()
    middle = len(whole) // 4096 // 2 * 4096
    path.write_bytes(whole[:middle] + random.Random(3).randbytes(4096) + whole[middle + 4096 :])

    assert f"The database file {path} is damaged" in (await refusal(path)).message


async def test_damage_is_named_or_harmless_wherever_it_is(storage: SqliteStorage, path: Path) -> None:
    await storage.write(put_many, 200)
    await storage.close()
    whole = path.read_bytes()
    chance = random.Random(7)
    named = 0

    for _ in range(60):
        damaged = bytearray(whole)
        where = chance.choice([chance.randrange(4096), chance.randrange(len(whole))])
        damaged[where : where + 64] = chance.randbytes(64)
        path.write_bytes(damaged[: chance.choice([len(whole), chance.randrange(len(whole))])])
        again = SqliteStorage(f"sqlite:///{path}")
        try:
            await again.open()
        except CannotStart as refused:
            assert str(path) in refused.message
            named += 1
        else:
            try:
                await again.read(names)
            except StorageFailed:
                pass
            await again.close()
        for left in path.parent.glob("shop.db-*"):
            left.unlink()

    assert 10 < named < 60


@pytest.mark.parametrize(
    ("pragma", "what_to_do"), [("query_only = on", "Allow this user to write"), ("max_page_count = 1", "Free some space")]
)
def test_what_sqlite_refuses_is_explained(path: Path, pragma: str, what_to_do: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table small (a)")
    connection.execute(f"pragma {pragma}")
    with pytest.raises(sqlite3.Error) as raised:
        connection.execute("create table large (a)")
    connection.close()

    told = cannot_start(str(path), raised.value)

    assert str(path) in told.message
    assert what_to_do in told.message


async def test_another_program_that_holds_the_file_is_waited_for_and_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.storage.sqlite._BUSY_SECONDS", 0.1)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("begin immediate")

    refused = await refusal(path)

    connection.close()
    assert isinstance(refused, AnotherProcess)
    assert f"Another program is writing to the database file {path}" in refused.message


async def test_a_disk_that_refuses_to_write_fails_operations_and_not_reads(path: Path) -> None:
    """RLIMIT_FSIZE gives the input/output errors that a broken disk gives."""
    program = f"""
import asyncio, resource
from realtime.errors import StorageFailed
from realtime.storage.sqlite import SqliteStorage
from tests.storage.steps import names, put
async def main():
    storage = SqliteStorage("sqlite:///{path}")
    await storage.open()
    await storage.write(put, "before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    large = "x" * 600_000
    failed = await asyncio.gather(*(storage.write(put, name) for name in ("a", large, "b")), return_exceptions=True)
    found = await storage.read(names)
    print([type(outcome).__name__ for outcome in failed], [name for name in found if name != large])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await storage.write(put, "after")
    print(await storage.read(names))
    await storage.close()
asyncio.run(main())
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)

    told = done.stdout.splitlines()
    assert told == ["['StorageFailed', 'StorageFailed', 'StorageFailed'] ['before']", "['after', 'before']"], done.stderr


# ---- what is left in it -------------------------------------------------------------------------------------------


async def test_after_scrub_nothing_deleted_is_left_in_any_file(storage: SqliteStorage, path: Path) -> None:
    await storage.write(put_many, 300)
    assert SECRET.encode() in b"".join(file.read_bytes() for file in path.parent.glob("shop.db*"))
    await storage.write(forget_all)

    await storage.scrub()

    assert path.with_name("shop.db-wal").stat().st_size == 0
    assert SECRET.encode() not in b"".join(file.read_bytes() for file in path.parent.glob("shop.db*"))


async def test_scrub_waits_for_those_who_read(storage: SqliteStorage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.storage.sqlite._SCRUB_TRIES", 1)
    looked, enough = asyncio.Event(), asyncio.Event()

    def look_until_enough() -> Operation[None]:
        while not enough.is_set():
            yield from names()
            looked.set()

    await storage.write(put, "a")
    reading = asyncio.create_task(storage.read(look_until_enough))
    await looked.wait()
    scrubbing = asyncio.create_task(storage.scrub())
    await storage.write(put, "b")
    assert not scrubbing.done()
    enough.set()

    await asyncio.gather(reading, scrubbing)

    assert path.with_name("shop.db-wal").stat().st_size == 0


async def test_scrub_says_when_another_program_is_in_the_way(storage: SqliteStorage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.storage.sqlite._SCRUB_TRIES", 2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin")
    other.execute("select * from installation").fetchall()
    await storage.write(put, "a")

    with pytest.raises(NowServingError, match="while another program reads") as raised:
        await storage.scrub()

    assert raised.value.retry
    other.close()
    await storage.scrub()


async def test_a_copy_of_the_files_of_a_running_process_can_be_opened(storage: SqliteStorage, path: Path, tmp_path: Path) -> None:
    """As after a power cut: the file and its log, without a farewell."""
    await storage.write(put, "a", value="1")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in path.parent.glob("shop.db*"):
        shutil.copy(file, copy)

    second = SqliteStorage(f"sqlite:///{copy / 'shop.db'}")
    await second.open()

    assert await second.read(value_of, "a") == "1"
    await second.close()
