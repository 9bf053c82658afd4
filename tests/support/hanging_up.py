"""The end of a server in asyncio that leaves no socket behind, whatever its clients do."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from aiosmtpd import controller
from aiosmtpd.smtp import SMTP


async def hang_up(server: asyncio.AbstractServer, open_: Collection[Any]) -> None:
    """Stop listening, abort every connection and wait until it is gone.

    A connection that was accepted, but not yet given to its protocol, is held by a task of the loop alone: where the server is closed
    before that ran, nobody closes the socket.

    Args:
        open_: the protocols that have a `transport`, each taken out when its connection is lost.
    """
    while accepting := [task for task in asyncio.all_tasks() if "_accept_connection2" in str(task.get_coro())]:
        await asyncio.sleep(0)  # a task that has not begun would drop the socket when it is cancelled
        for task in accepting:
            task.cancel()  # it may wait for a client's half of TLS
        await asyncio.wait(accepting)
    server.close()
    for protocol in tuple(open_):
        protocol.transport.abort()
    while open_:
        await asyncio.sleep(0)


class _Smtp(SMTP):
    def __init__(self, open_: set[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open = open_

    def connection_made(self, transport: Any) -> None:
        self._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._open.discard(self)


class Controller(controller.Controller):
    """aiosmtpd's, which by itself stops its loop and lets connections be."""

    def factory(self) -> SMTP:
        return _Smtp(self._open, self.handler, **self.SMTP_kwargs)

    def start(self) -> None:
        self._open: set[Any] = set()
        super().start()

    def stop(self, no_assert: bool = False) -> None:
        assert self.server is not None
        asyncio.run_coroutine_threadsafe(hang_up(self.server, self._open), self.loop).result(20)
        super().stop(no_assert)
