"""A network that lets plain requests through and little else: a proxy that refuses the upgrade to WebSocket and, if told, event streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>No</p>"


class NarrowNetwork:
    """One request per connection, so that each can be looked at. `requests` are the paths that were asked for."""

    def __init__(self, url: str) -> None:
        self.behind = url
        """The server itself. Whoever holds up the loop, and with it this network, must ask there."""
        found = urlsplit(url)
        self._host, self._port = str(found.hostname), int(found.port or 80)
        self.url = ""
        self.blocks_sockets = True
        self.hangs_sockets = False
        """When true, nobody answers an upgrade, as behind a proxy that does not know the word."""
        self.holds: set[str] = set()
        """Paths that nobody answers."""
        self.blocks_streams = False
        self.swallows_streams = False
        """When true, the answer to a stream is held back for ever, as proxies do that read an answer whole before they hand it on."""
        self.requests: list[str] = []
        self._open: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[NarrowNetwork]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Ends every connection."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._hand_on(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        self.requests.append(path)
        upgrade, stream = b"\r\nupgrade: websocket" in head.lower(), path.startswith("/live/sse")
        if (upgrade and self.hangs_sockets) or path in self.holds:
            await reader.read()
            return
        if (upgrade and self.blocks_sockets) or (stream and self.blocks_streams):
            writer.write(_REFUSED)
            return
        if not upgrade:
            lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
            head = b"\r\n".join([*lines, b"Connection: close", b"", b""])
        there, beyond = await asyncio.open_connection(self._host, self._port)
        self._open.add(beyond)
        try:
            beyond.write(head)
            sending = asyncio.create_task(_copy(reader, beyond))
            if stream and self.swallows_streams:
                while await there.read(65_536):
                    pass
            else:
                await _copy(there, writer)
            sending.cancel()
        finally:
            self._open.discard(beyond)
            beyond.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
