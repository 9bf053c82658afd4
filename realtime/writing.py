"""One `bytes` to many sinks: to their files, where nothing waits in front of it, in one loop that is CPython's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from os import write

from realtime.sink import Sink


def write_to_all(sinks: Sequence[Sink], data: bytes, otherwise: Callable[[Sink, bytes], None]) -> None:
    """Writes pre-made frames to the file of each sink, and what that does not take to the sink itself; calls `otherwise` for those without."""
    files = [sink.fd for sink in sinks]
    if -1 in files:
        for sink, file in zip(sinks, files, strict=True):
            if file < 0:
                otherwise(sink, data)
        sinks = [sink for sink, file in zip(sinks, files, strict=True) if file >= 0]
        files = [file for file in files if file >= 0]
    todo, sent = iter(files), list[int]()
    while len(sent) < len(files):
        try:
            sent.extend(map(write, todo, repeat(data)))  # keeps what came before a failure
        except OSError:  # no room, or the end: the sink finds out which
            sent.append(0)
    size = len(data)
    if sent.count(size) < len(sent):
        for sink, taken in zip(sinks, sent, strict=True):
            if taken < size:
                sink.write(data[taken:])
