"""A process that is killed while it writes loses nothing that it has said is done."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

from realtime.storage.sqlite import SqliteStorage
from tests.storage.steps import names
from tests.support.process import ROOT, clean_environment

SEED = 20
ROUNDS = 6


def write_until_killed(url: str, name: str, after: int) -> list[str]:
    """Kills a writing process once it has acknowledged `after` writes; returns all that it acknowledged."""
    program = [sys.executable, "-m", "tests.storage.writing", url, name]
    with subprocess.Popen(program, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(after)]
        process.kill()
        acknowledged += process.stdout.readlines()
    return [line.decode().strip() for line in acknowledged if line.endswith(b"\n")]


async def test_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'crash.db'}"
    chance = random.Random(SEED)
    acknowledged: set[str] = set()
    places = set()

    for turn in range(ROUNDS):
        told = write_until_killed(url, f"{turn}", after=chance.randrange(1, 1_000))
        acknowledged.update(told)
        storage = SqliteStorage(url)
        await storage.open()  # after a crash, as a restarted server would
        found = await storage.read(names)
        await storage.close()

        wholes = [name[:-2] for name in found if name.endswith("/1")]
        assert [name[:-2] for name in found if name.endswith("/2")] == wholes, "an operation happened by half"
        assert acknowledged <= set(wholes)
        places.add(len(told))

    assert len(places) > ROUNDS // 2, "the kills must land in varied places"
    connection = sqlite3.connect(tmp_path / "crash.db")
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    connection.close()
