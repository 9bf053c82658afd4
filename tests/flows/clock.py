"""The wall clock of a server process, moved by libfaketime while the process runs; its timers go on as they were."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

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
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """From now on it is that much later than it was."""
        self.ahead_s += seconds
        # Put in place whole: the process reads it all the time.
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.ahead_s:+d}\n")
        new.replace(self._file)
