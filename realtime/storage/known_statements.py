"""What operations will ask for, made known to a connection before they hold anything.

A statement that a connection has not seen costs two messages: what it is, and, when the answer has come, with what to run it. Between
them no timeout of Postgres's counts but `transaction_timeout`, which is new in 17: a process that stops there keeps for ever the rows
that its transaction has changed so far. What is known already is run by one message.
"""

from __future__ import annotations

from typing import Any

import asyncpg

_MOST = 64
"""Texts that are remembered for one operation: some are put together from what was asked for."""
KEPT: dict[str, Any] = {"statement_cache_size": 256, "max_cached_statement_lifetime": 0}
"""For asyncpg, which forgets all but 100 statements otherwise, and each after five minutes."""


class KnownStatements:
    """What each operation has needed so far, and what each connection knows, by the process of the server behind it."""

    def __init__(self) -> None:
        self._needed: dict[str, set[str]] = {}
        self._known: dict[int, set[str]] = {}

    def connected(self, raw: asyncpg.Connection) -> None:
        """This connection is new, and knows nothing."""
        pid = raw.get_server_pid()
        self._known[pid] = set()
        raw.add_termination_listener(lambda _: self._known.pop(pid, None))

    async def learn(self, raw: asyncpg.Connection, name: str) -> None:
        """Before a transaction begins: make known what the operation of this name has needed before.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError: the connection is lost.
        """
        known = self._of(raw)
        missing = self._needed.get(name, known) - known
        if not missing:
            return
        for text in missing:
            known.add(text)
            try:
                await raw.executemany(text, ())  # run no times
            except asyncpg.PostgresError:
                if raw.is_closed():
                    raise
                # otherwise the operation will say so, should it come to ask for it
        await raw.execute("select 1")  # the server waits for the rest of the last one until it hears something else

    def met(self, raw: asyncpg.Connection, name: str, text: str) -> None:
        """The operation ran this statement."""
        known = self._of(raw)
        if text not in known:
            known.add(text)
            needed = self._needed.setdefault(name, set())
            if len(needed) < _MOST:
                needed.add(text)

    def _of(self, raw: asyncpg.Connection) -> set[str]:
        return self._known.setdefault(raw.get_server_pid(), set())
