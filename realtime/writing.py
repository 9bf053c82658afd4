"""One `bytes` to many sinks: to their files, where nothing waits in front of it, with as few calls as the system allows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import repeat
from os import write

from realtime import uring
from realtime.sink import Sink

FEW = 4
"""So many files are written to one by one: an io_uring is made by the first who has more to do."""

log = logging.getLogger(__name__)


class Writer:
    """Writes to many sinks at once. Only for the loop's thread.

    Args:
        batches: many sends in one call (io_uring), where the system has that and allows it.
    """

    def __init__(self, *, batches: bool = True) -> None:
        self._wanted = batches
        self._uring: uring.Uring | None = None

    def write_to_all(self, sinks: Sequence[Sink], data: bytes, otherwise: Callable[[Sink, bytes], None]) -> None:
        """Writes pre-made frames to the file of each sink, and what that does not take to the sink itself; calls `otherwise` for those without."""
        files = [sink.fd for sink in sinks]
        if -1 in files:
            for sink, file in zip(sinks, files, strict=True):
                if file < 0:
                    otherwise(sink, data)
            sinks = [sink for sink, file in zip(sinks, files, strict=True) if file >= 0]
            files = [file for file in files if file >= 0]
        size = len(data)
        taken = self._send(sinks, files, data) if self._wanted and len(files) > FEW else _write(files, data)
        if taken.count(size) < len(taken):
            for sink, its in zip(sinks, taken, strict=True):
                if its < size:
                    sink.write(data[max(its, 0) :])  # no room, or the end: the sink finds out which

    def _send(self, sinks: Sequence[Sink], files: list[int], data: bytes) -> list[int]:
        if self._uring is None:
            try:
                self._uring = uring.tried()
            except Exception as error:  # noqa: BLE001 - a Python without ctypes, a system without io_uring: the other way is always there
                log.info("Sends go to the system one by one: %s", error)
                self._wanted = False
                return _write(files, data)
        if len(data) > uring.MOST_BYTES:
            return _write(files, data)
        taken: list[int] = []
        try:
            for at in range(0, len(files), uring.ENTRIES):
                taken += self._uring.send(files[at : at + uring.ENTRIES], data)
        except uring.Broken as broken:
            log.error("Sends go to the system one by one from now on: %s", broken)
            self._wanted, self._uring = False, None
            for sink, its in zip(sinks[len(taken) :], broken.taken, strict=False):
                if its is None:
                    sink.abort()
                taken.append(len(data) if its is None else its)
            taken += _write(files[len(taken) :], data)
        return taken


def _write(files: list[int], data: bytes) -> list[int]:
    """What each file took, written to one after the other in a loop that is CPython's own."""
    todo, taken = iter(files), list[int]()
    while len(taken) < len(files):
        try:
            taken.extend(map(write, todo, repeat(data)))  # keeps what came before a failure
        except OSError:
            taken.append(0)
    return taken
