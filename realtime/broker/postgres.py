"""LISTEN and NOTIFY: how far stores are, and what there is to do. The events themselves are read from their rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from realtime.broker import announcing
from realtime.broker.announcing import Announcing
from realtime.broker.contract import Hears
from realtime.broker.news import Batch, read_json

CHANNEL = "nowserving"
MOST_BYTES = 7000
"""Of one message; Postgres takes less than 8000."""

_encode = msgspec.json.Encoder().encode


class PostgresBroker(Announcing):
    """One connection of its own; what was committed between two messages is in the next one, of each store the newest `seq` only.

    Not sealed: whoever may connect to the database can change everything in it anyway.
    """

    def __init__(self, url: str, hears: Hears) -> None:
        super().__init__(hears, MOST_BYTES, in_full=False)
        # Imported here, where nobody waits yet: it reads files.
        import asyncpg

        self._connect: Callable[..., Awaitable[Any]] = asyncpg.connect
        self._url = url

    async def _connected(self) -> None:
        connection = await self._connect(self._url, timeout=2 * announcing.ANSWER_S, command_timeout=announcing.ANSWER_S)
        try:
            connection.add_termination_listener(lambda lost: self._is_lost())
            await connection.add_listener(CHANNEL, lambda *message: self._read(message[3]))
            self._is_up()

            async def send(batch: Batch) -> None:
                await connection.execute("select pg_notify($1, $2)", CHANNEL, _encode(batch).decode())

            await self._announce(send, lambda: connection.execute("select 1"))
        finally:
            connection.terminate()

    def _read(self, payload: str) -> None:
        try:
            batch = read_json(payload.encode("utf-8", "replace"))
        except msgspec.MsgspecError:
            self._ignore("an unreadable message")
            # It may be one of another version of this program, as while a new one is rolled out.
            self._hear(self._hears.catch_up)
        else:
            self._heard(batch)
