"""Screens that cost next to nothing: a fixed handshake, and frames written and read as bytes; for tests and figures with thousands of them."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import msgspec

from tests.flows.view import View

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
"""As the pages wait before they try again: anything up to the first, then up to twice as much each time."""
ANSWER_S = 60.0
_HANDSHAKE = (
    b"GET /live HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: nowserving.v1\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class LightScreen(asyncio.Protocol):
    """One client with a view of each of its topics. It may connect again and again.

    Args:
        resumes: it asks for what it missed; otherwise for whole states, as a page that is loaded anew.
    """

    def __init__(self, port: int, token: str, *topics: str, resumes: bool = True) -> None:
        self.views = {topic: View(topic) for topic in topics}
        self.resumes = resumes
        self.refusals: list[int] = []
        """The status of each answer to a handshake that was not 101."""
        self.errors: list[Any] = []
        self.goodbyes: list[str] = []
        """Code and reason of each close frame."""
        self._port = port
        self._token = token
        self._transport: asyncio.Transport | None = None
        self._gone = asyncio.Event()
        self._gone.set()

    @property
    def faults(self) -> list[str]:
        return [f"{view.topic}: {fault}" for view in self.views.values() for fault in view.faults] + [str(error) for error in self.errors]

    async def come(self) -> None:
        """Connect, sign in and subscribe; once. Raises: OSError, among them ConnectionError and TimeoutError."""
        loop = asyncio.get_running_loop()
        self._rest, self._upgraded = bytearray(), False
        self._missing = len(self.views)
        self._back = loop.create_future()
        self._gone.clear()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        except OSError:
            self._gone.set()
            raise
        async with asyncio.timeout(ANSWER_S):
            await self._back

    async def come_back(self, chance: random.Random) -> None:
        """Once the connection is lost: come, as often as it takes."""
        await self._gone.wait()
        attempt = 0
        while True:
            await asyncio.sleep(chance.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt)))
            attempt += 1
            try:
                return await self.come()
            except OSError:
                await self._gone.wait()

    def go(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def gone(self) -> None:
        await self._gone.wait()

    # ---- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type
        self._write(_HANDSHAKE % self._port)

    def data_received(self, data: bytes) -> None:
        rest = self._rest
        rest += data
        if not self._upgraded:
            end = rest.find(b"\r\n\r\n")
            if end < 0:
                return
            if (status := int(rest[9:12])) != 101:
                self.refusals.append(status)
                self.go()
                return
            del rest[: end + 4]
            self._upgraded = True
            self._say({"id": 1, "authenticate": {"token": self._token}})
        at = 0
        while len(rest) - at >= 2:
            head, size = 2, rest[at + 1]
            if size > 125:
                head = 4 if size == 126 else 10
                size = int.from_bytes(rest[at + 2 : at + head], "big")
            if len(rest) - at < head + size:
                break
            payload = bytes(rest[at + head : at + head + size])
            if rest[at] & 15 == 1:
                for message in payload.split(b"\n"):
                    self._heard(message)
            elif rest[at] & 15 == 8:
                self.goodbyes.append(f"{int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}")
            at += head + size
        del rest[:at]

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if not self._back.done():
            self._back.set_exception(
                ConnectionResetError(f"it ended before everything was answered: {self.errors or self.goodbyes[-1:] or error}")
            )
        self._gone.set()

    # ---- what is said

    def _subscribe(self) -> None:
        said: list[dict[str, Any]] = []
        for number, view in enumerate(self.views.values(), 2):
            since = {"since": {"epoch": view.epoch, "seq": view.seq}} if self.resumes and view.epoch else {}
            said.append({"id": number, "subscribe": {"topic": view.topic, **since}})
        self._say(*said)

    def _say(self, *commands: dict[str, Any]) -> None:
        self._write(b"".join(_frame(_encode(command)) for command in commands))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _heard(self, text: bytes) -> None:
        if text == b"{}":
            self._write(_frame(text))
            return
        message = _decode(text)
        if "error" in message:
            self.errors.append(message["error"])
            self.go()
        elif "id" in message:
            if "recovered" in message["ok"]:
                self.views[message["ok"]["topic"]].stand(message["ok"])
                self._missing -= 1
                if not self._missing:
                    self._back.set_result(None)
            else:
                self._subscribe()
        elif message.get("conflated"):
            self.views[message["topic"]].replace(message)
        elif "topic" in message:
            self.views[message["topic"]].push(message)


def _frame(text: bytes) -> bytes:
    """A client's frame, masked with nothing."""
    size = len(text)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + text
