"""A program that writes to a SQLite file until it is killed, and says of each write that it is done. Started by test_crash.py."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from realtime.storage.sqlite import SqliteStorage
from tests.storage.steps import put_two

WRITERS = 8


async def main(url: str, name: str) -> None:
    storage = SqliteStorage(url)
    await storage.open()

    async def write(writer: int) -> None:
        for number in itertools.count():
            await storage.write(put_two, done := f"{name}-{writer}-{number}")
            os.write(1, f"{done}\n".encode())

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
