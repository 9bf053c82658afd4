"""The other side of the HTTP figures: kept-alive connections, each with one request under way, as cheap as Python makes them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import cast

_LENGTH = b"\r\ncontent-length: "


def post(path: str, body: bytes) -> bytes:
    """A whole request, as a program sends it that is no browser."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def send_all(port: int, requests: Sequence[bytes], connections: int, status: int) -> float:
    """Sends every request once and waits for every answer; the requests answered per second.

    Raises:
        ConnectionError: an answer has another status, or a connection ended.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    waiting = iter(requests)
    left = [min(connections, len(requests))]
    clients = [
        (await loop.create_connection(lambda: _Client(waiting, b" %d " % status, left, done), "127.0.0.1", port))[1] for _ in range(left[0])
    ]
    began = time.perf_counter()
    for client in clients:
        client.send_next()
    await done
    return len(requests) / (time.perf_counter() - began)


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, waiting: Iterator[bytes], expected: bytes, left: list[int], done: asyncio.Future[None]) -> None:
        self._waiting = waiting
        self._expected = expected
        self._left = left
        self._done = done
        self._answer = b""
        self._at_work = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        request = next(self._waiting, None)
        if request is not None:
            self._transport.write(request)
            return
        self._at_work = False
        self._left[0] -= 1
        self._transport.close()
        if not self._left[0] and not self._done.done():
            self._done.set_result(None)

    def data_received(self, data: bytes) -> None:
        answer = self._answer = self._answer + data if self._answer else data
        head = answer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = answer.find(_LENGTH, 0, head)
        begins = length + len(_LENGTH)
        if len(answer) < head + 4 + int(answer[begins : answer.find(b"\r\n", begins)]):
            return
        if answer[8:13] != self._expected:
            self._fail(f"{answer[:400]!r}")
            return
        self._answer = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("A connection ended.")

    def _fail(self, why: str) -> None:
        if self._at_work and not self._done.done():
            self._done.set_exception(ConnectionError(why))
