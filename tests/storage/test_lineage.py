"""A database that was left and one that was restored: the first goes on, in the second every store's past has another name."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from realtime.storage.postgres import PostgresStorage
from realtime.storage.sqlite import SqliteStorage
from realtime.storage.statement import Operation, Statement

STORE = (
    "insert into stores (id, account_id, name, description, timezone, state, epoch, seq, almost_at, board_code, accent, opened_ms, closes_ms, ladder)"
    " values ($1, 'owner', 'Luigi''s', '', 'UTC', $2, 'first', 7, 3, 0, '#112233', 1, 2, '')"
)


def fill() -> Operation[None]:
    yield Statement("insert into accounts (id, email, password_hash, created_ms) values ('owner', 'a@b.example', 'x', 1)", ())
    yield Statement(STORE, ("open", "open"))
    yield Statement(STORE, ("gone", "purged"))


def change() -> Operation[None]:
    yield Statement("update stores set seq = seq + 1 where id = 'open'", ())


def epochs() -> Operation[dict[str, str]]:
    found = yield Statement("select id, epoch from stores", ())
    return dict(found)  # type: ignore[arg-type]  # two texts each


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def backed_up(path: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(path.with_suffix(".backup"))) as backup:
        source.backup(backup)


@pytest.fixture
async def left(path: Path) -> Path:
    """A file that was in use and was backed up meanwhile."""
    storage = SqliteStorage(f"sqlite:///{path}")
    await storage.open()
    await storage.write(fill)
    backed_up(path)
    await storage.write(change)
    await storage.close()
    return path


async def opened(path: Path) -> dict[str, str]:
    """The epochs that somebody finds who opens the file."""
    storage = SqliteStorage(f"sqlite:///{path}")
    await storage.open()
    found = await storage.read(epochs)
    await storage.close()
    return found


def killed(path: Path, work: str) -> None:
    """A program opens the file, does something, and is killed."""
    program = f"""
import asyncio, os, signal
from pathlib import Path
from tests.storage.test_lineage import backed_up, change
from realtime.storage.sqlite import SqliteStorage

async def main():
    path = Path({str(path)!r})
    storage = SqliteStorage(f"sqlite:///{{path}}")
    await storage.open()
    {work}
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


async def test_a_file_that_was_left_goes_on(left: Path) -> None:
    for _ in range(3):
        assert await opened(left) == {"open": "first", "gone": "first"}


async def test_so_does_one_whose_program_was_killed(left: Path) -> None:
    killed(left, "for _ in range(5): await storage.write(change)")
    assert (await opened(left))["open"] == "first"


async def test_so_does_one_whose_program_was_killed_before_a_commit_and_after_it(left: Path) -> None:
    killed(left, "storage._writer.seal.before_commit(lambda *_: None)")
    assert (await opened(left))["open"] == "first"
    killed(left, "storage._writer.seal.committed = lambda: None; await storage.write(change)")
    assert (await opened(left))["open"] == "first"


@pytest.mark.parametrize("through_sqlite", [False, True])
async def test_a_backup_that_was_put_back_after_a_kill_has_another_past(left: Path, through_sqlite: bool) -> None:
    killed(left, "backed_up(path); await storage.write(change)")
    if through_sqlite:
        with closing(sqlite3.connect(left.with_suffix(".backup"))) as source, closing(sqlite3.connect(left)) as file:
            source.backup(file)
    else:
        over_it(left)
        left.with_name(left.name + "-wal").unlink()

    assert (await opened(left))["open"] != "first"


async def test_what_changes_nothing_leaves_the_seal_as_it_is(path: Path) -> None:
    storage = SqliteStorage(f"sqlite:///{path}")
    await storage.open()
    seal = storage._writer.seal
    assert seal is not None
    before = seal.mark
    await storage.write(change)  # there is no such store
    assert seal.mark == before
    await storage.write(fill)
    assert seal.mark != before
    await storage.close()


def over_it(path: Path) -> None:
    shutil.copyfile(path.with_suffix(".backup"), path)


def in_its_place(path: Path) -> None:
    path.with_suffix(".backup").replace(path)


def without_what_lay_beside(path: Path) -> None:
    over_it(path)
    path.with_name(path.name + ".lock").unlink()


@pytest.mark.parametrize("restore", [over_it, in_its_place, without_what_lay_beside])
async def test_a_restored_backup_has_another_past(left: Path, restore: Callable[[Path], None], caplog: pytest.LogCaptureFixture) -> None:
    restore(left)

    found = await opened(left)

    assert found["open"] != "first"
    assert found["gone"] == "first", "nobody looks at it any more"
    assert "every screen begins anew" in caplog.text
    assert await opened(left) == found, "once"


async def test_a_file_of_an_older_version_goes_on(left: Path) -> None:
    with closing(sqlite3.connect(left)) as connection:
        connection.execute("delete from installation where name = 'lineage'")
        connection.commit()

    assert (await opened(left))["open"] == "first"


async def test_another_line_of_history_of_a_server_is_another_past(new_database: Callable[[], str]) -> None:
    address = new_database()

    async def opened(change: Callable[[], Operation[None]] | None = None) -> str:
        storage = PostgresStorage(address, pool=2)
        await storage.open()
        found = (await storage.read(epochs)).get("open", "")
        if change:
            await storage.write(change)
        await storage.close()
        return found

    def on_another_timeline() -> Operation[None]:
        yield Statement("update installation set value = '1:00000001' where name = 'lineage'", ())

    await opened(fill)
    assert await opened() == "first"
    assert await opened(on_another_timeline) == "first"
    changed = await opened()
    assert changed != "first"
    assert await opened() == changed


async def test_another_line_of_history_is_noticed_under_a_running_program(new_database: Callable[[], str]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        address = new_database()
        one, other = (PostgresStorage(address, pool=2) for _ in range(2))
        for storage in (one, other):
            await storage.open()
            stack.push_async_callback(storage.close)
        await one.write(fill)
        await one.carry_on()
        assert (await one.read(epochs))["open"] == "first"

        def on_another_timeline() -> Operation[None]:
            yield Statement("update installation set value = '1:00000001' where name = 'lineage'", ())

        await one.write(on_another_timeline)
        for storage in (one, other):
            storage._mark = "1:00000001"
        await one.carry_on()
        changed = (await one.read(epochs))["open"]
        await other.carry_on()

        assert changed != "first"
        assert (await one.read(epochs))["open"] == changed, "once for all processes"
