"""Requests at a steady rate, whatever the answers do: each on a kept-alive connection that has nothing else to do."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import NamedTuple

_ID = re.compile(rb'"id":(\d+)')
LONGEST_ANSWER_S = 20.0


class Sent(NamedTuple):
    """One request; times are nanoseconds of the monotonic clock."""

    sent_ns: int
    answered_ns: int
    id: int
    """The first "id" of the answer, 0 where it has none."""


async def send_steadily(port: int, requests: Sequence[bytes], per_s: float) -> list[Sent]:
    """Sends each once, `per_s` a second. Raises: ConnectionError, TimeoutError: a request was refused, or not answered for 20 s."""
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, request in enumerate(requests):
            await asyncio.sleep(began + number / per_s - time.perf_counter())
            tasks.append(group.create_task(_send(port, request, idle)))
    for _, writer in idle:
        writer.close()
    return [task.result() for task in tasks]


async def _send(port: int, request: bytes, idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> Sent:
    async with asyncio.timeout(LONGEST_ANSWER_S):
        reader, writer = await _connection(port, idle)
        sent_ns = time.monotonic_ns()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(length[1]) if length else 0)
    if head[9:10] != b"2":
        raise ConnectionError(f"{(head + body)[:400]!r}")
    idle.append((reader, writer))
    found = _ID.search(body)
    return Sent(sent_ns, time.monotonic_ns(), int(found[1]) if found else 0)


async def _connection(
    port: int, idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """One that is kept alive, if the server has not ended it meanwhile; it does after some seconds without a request."""
    while idle:
        reader, writer = idle.pop()
        if not reader.at_eof():
            return reader, writer
        writer.close()
    return await asyncio.open_connection("127.0.0.1", port)
