"""A small HTTP/1.1 client: JSON over connections that are kept, polite to a server that asks for patience (RFC 9110, 9112)."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httptools
import msgspec

MOST_CONNECTIONS = 64
IDLE_SECONDS = 2.0
"""A connection that was idle for longer is not used again: the server may be about to close it."""
ANSWER_SECONDS = 30.0
MOST_SILENCES = 6
"""After so many requests in a row without an answer no more are sent."""
MOST_WAITS = 200
"""How often one request is sent again because the server asked to wait."""


class Refused(Exception):
    """The server said no: its code and its sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


class Lost(Exception):
    """There was no answer."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body) if self.body else None


class Http:
    """One server. Use with `async with`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.waits = 0
        """How often the server asked to come back later."""
        self._host = parts.hostname or ""
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._idle: list[tuple[float, _Connection]] = []
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)
        self._turn = asyncio.Lock()
        self._slowly = False
        self._silences = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()

    async def ask(self, method: str, path: str, body: Any = None, **more: str) -> Any:
        """The JSON of an answer. Raises: Refused, Lost."""
        return (await self.send(method, path, body, **more)).json()

    async def send(self, method: str, path: str, body: Any = None, *, token: str = "", cookie: str = "", key: str = "") -> Answer:
        """One request, sent again whenever the server says when. `key` is its Idempotency-Key.

        Once it has said that joins come too often, scans and joins go one after the other.

        Raises: Refused, Lost
        """
        headers = {"Host": self._authority, "Accept": "*/*", "Origin": self.url}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if cookie:
            headers["Cookie"] = cookie
        if key:
            headers["Idempotency-Key"] = key
        raw = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            raw = msgspec.json.encode(body)
        if method != "GET":
            headers["Content-Length"] = str(len(raw))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        limited = path == "/v1/tickets" or path.endswith("/scan")
        async with self._turn if limited and self._slowly else contextlib.nullcontext():
            answer = await self._send_patiently("\r\n".join(lines).encode("latin-1") + raw, again=method == "GET" or limited or bool(key))
        if answer.status >= 400:
            raise _refusal(answer)
        return answer

    async def _send_patiently(self, request: bytes, *, again: bool) -> Answer:
        tries = 0
        while True:
            answer = await self._send(request, again)
            tries += 1
            if answer.status not in (429, 503) or "retry-after" not in answer.headers or tries == MOST_WAITS:
                return answer
            self.waits += 1
            self._slowly |= answer.status == 429
            await asyncio.sleep(float(answer.headers["retry-after"]))

    async def _send(self, request: bytes, again: bool) -> Answer:
        """`again`: whether it may be sent twice, where nobody knows what became of the first."""
        async with self._room:
            try:
                return await self._in_time(request)
            except (OSError, Lost) as error:
                if not again:
                    raise Lost(f"No answer from {self.url}: {error!r}") from error
            try:
                return await self._in_time(request)
            except (OSError, Lost) as error:
                raise Lost(f"No answer from {self.url}: {error!r}") from error

    async def _in_time(self, request: bytes) -> Answer:
        """Raises: Lost, and OSError, of which TimeoutError is one kind."""
        if self._silences >= MOST_SILENCES:
            raise Lost("It does not answer any more.")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._exchange(request)
        except TimeoutError:
            self._silences += 1
            raise
        self._silences = 0
        return answer

    async def _exchange(self, request: bytes) -> Answer:
        connection = self._kept() or await _Connection.open(self._host, self._port, tls=self._tls)
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if connection.keeps:
            self._idle.append((asyncio.get_running_loop().time(), connection))
        else:
            connection.close()
        return answer

    def _kept(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, connection = self._idle.pop()
            if now - since < IDLE_SECONDS and not connection.ended:
                return connection
            connection.close()
        return None


class _Connection:
    """One connection; also what httptools calls back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.keeps = False
        self._parser: Any = None
        self._complete = False
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    @classmethod
    async def open(cls, host: str, port: int, *, tls: bool) -> _Connection:
        return cls(*await asyncio.open_connection(host, port, ssl=tls or None))

    @property
    def ended(self) -> bool:
        return self._reader.at_eof()

    async def exchange(self, request: bytes) -> Answer:
        self._complete, self._headers, self._body = False, {}, bytearray()
        parser = self._parser = httptools.HttpResponseParser(self)
        self._writer.write(request)
        await self._writer.drain()
        while not self._complete:
            data = await self._reader.read(65_536)
            if not data:
                raise Lost("The connection ended.")
            try:
                parser.feed_data(data)
            except httptools.HttpParserError as error:
                raise Lost(f"That is not HTTP: {error}") from error
        return Answer(parser.get_status_code(), self._headers, bytes(self._body))

    def close(self) -> None:
        self._writer.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._complete = True
        self.keeps = self._parser.should_keep_alive()  # a moment later the parser has forgotten how the body was framed


def _refusal(answer: Answer) -> Refused:
    try:
        problem = answer.json()
        return Refused(answer.status, problem["code"], problem["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return Refused(answer.status, "", answer.body[:100].decode(errors="replace"))
