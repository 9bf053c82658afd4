"""Connections to Postgres that stay open from test to test: to start psql between two tests takes longer than most tests do."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

import asyncpg

PATIENCE_S = 60.0


class KeptConnections:
    """Start with `with`: a thread with an event loop of its own, in which the connections live."""

    def __enter__(self) -> Self:
        self._open: dict[str, asyncpg.Connection] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kept connections", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for connection in self._open.values():
            self._loop.call_soon_threadsafe(connection.terminate)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, url: str, script: str) -> None:
        """Runs the statements of a script, as one transaction."""
        asyncio.run_coroutine_threadsafe(self._run(url, script), self._loop).result(PATIENCE_S)

    async def _run(self, url: str, script: str) -> None:
        known = self._open.pop(url, None)
        if known is not None:
            try:
                await known.execute(script)
            except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
                known.terminate()  # a test ended all connections, or the server
            else:
                self._open[url] = known
                return
        connection = await asyncpg.connect(url)
        await connection.execute(script)
        self._open[url] = connection
