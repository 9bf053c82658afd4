"""The wall clock of a server process, moved by libfaketime while the process runs; its timers go on as they were."""

from __future__ import annotations

import importlib.util
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.support.process import ServerProcess
from tests.support.waiting import until_async

HOUR_S = 3600


class WallClock:
    """Give `environment` to a server, then `jump`."""

    def __init__(self, folder: Path) -> None:
        spec = importlib.util.find_spec("libfaketime")
        if spec is None or spec.origin is None:
            pytest.skip("libfaketime is not installed (Linux only)")
        (library,) = Path(spec.origin).parent.rglob("libfaketime.so.1")
        self._file = folder / "clock"
        self.ahead_s = 0
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Reading the file whenever the time is asked for would make the process ten times as slow.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """It is that much later than it was; a process that runs notices within a second or two."""
        self.ahead_s += seconds
        # Put in place whole: the process reads it all the time.
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.ahead_s:+d}\n")
        new.replace(self._file)

    async def jump_seen(self, seconds: int, by: ServerProcess) -> None:
        """The same; waits until a server has noticed."""
        self.jump(seconds)

        async with httpx.AsyncClient() as http:

            async def seen() -> bool:
                told = parsedate_to_datetime((await http.get(by.url + "/healthz")).headers["date"]).timestamp()
                return abs(told - time.time() - self.ahead_s) < 60

            await until_async(seen, what="the server to notice that its clock jumped")
