"""What every compared server understands: it prints `port control_port`, and on the control connection "p" publishes, "n" counts its sockets.

A server whose work is done by other processes prints their ids behind the ports.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from typing import cast

MESSAGE_BYTES = 128
STAMP = b"@"
"""Stands once in each message."""
_REST = b" " + b"x" * (MESSAGE_BYTES - 21)


def message() -> bytes:
    """128 bytes that say when they were published: "@" and 19 digits, nanoseconds of the system's monotonic clock."""
    return b"@%019d" % time.monotonic_ns() + _REST


class Control(asyncio.Protocol):
    """Turns bytes on the control connection into publications. "c" asks for the CPU time used, in microseconds."""

    def __init__(self, publish: Callable[[int], None], count: Callable[[], int]) -> None:
        self._publish = publish
        self._count = count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if publications := data.count(b"p"):
            self._publish(publications)
        if b"c" in data:
            used = resource.getrusage(resource.RUSAGE_SELF)
            self._transport.write(b"%d\n" % int((used.ru_utime + used.ru_stime) * 1_000_000))
        if b"n" in data:
            self._transport.write(b"%d\n" % self._count())


async def listen(publish: Callable[[int], None], count: Callable[[], int]) -> asyncio.Server:
    """Takes orders on a free port for as long as the answer is kept."""
    return await asyncio.get_running_loop().create_server(lambda: Control(publish, count), "127.0.0.1", 0)


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])
