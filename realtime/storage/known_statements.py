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
_AT_ONCE = 512
KEPT: dict[str, Any] = {"statement_cache_size": 2 * _AT_ONCE, "max_cached_statement_lifetime": 0}
"""For asyncpg, which forgets all but 100 statements otherwise, and each after five minutes."""
_NEVER = (asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError)
"""This statement cannot be made known, and will fail when it is asked for."""


class KnownStatements:
    """What each operation has needed so far, and what each connection knows for certain, by the process of the server behind it."""

    def __init__(self) -> None:
        self._needed: dict[str, set[str]] = {}
        self._known: dict[int, set[str]] = {}

    def connected(self, raw: asyncpg.Connection) -> None:
        """This connection is new, and knows nothing."""
        pid = raw.get_server_pid()
        self._known[pid] = set()
        raw.add_termination_listener(lambda _: self._known.pop(pid, None))

    def forget(self) -> None:
        """A table has changed, and asyncpg has let go of what all connections knew."""
        self._known.clear()

    async def learn(self, raw: asyncpg.Connection, name: str) -> None:
        """Before a transaction begins: make known what the operation of this name has needed before.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError: the connection is lost, or a table is held by somebody else.
        """
        known = self._of(raw)
        missing = self._needed.get(name, known) - known
        if not missing:
            return
        for text in missing:
            try:
                await raw.executemany(text, ())  # run no times
            except _NEVER:
                pass  # the operation will say so, should it come to ask for it
            known.add(text)
        await raw.execute("select 1")  # the server waits for the rest of the last one until it hears something else

    def met(self, raw: asyncpg.Connection, name: str, text: str) -> None:
        """The operation ran this statement."""
        self._of(raw).add(text)
        needed = self._needed.setdefault(name, set())
        if len(needed) < _MOST:
            needed.add(text)

    def _of(self, raw: asyncpg.Connection) -> set[str]:
        known = self._known.setdefault(raw.get_server_pid(), set())
        if len(known) >= _AT_ONCE:  # asyncpg keeps what was asked for last: twice as many as were asked for since this was empty
            known.clear()
        return known
