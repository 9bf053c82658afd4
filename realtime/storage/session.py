"""How long Postgres lets one session take, so that nobody who stands still, or is lost without a word, keeps others waiting."""

from __future__ import annotations

import asyncpg


class SessionLimits:
    """
    Args:
        statement_seconds: how long one statement may take, waiting for rows included.
        idle_seconds: how long a transaction may do nothing.
    """

    def __init__(self, statement_seconds: float, idle_seconds: float) -> None:
        self._statement_ms = int(statement_seconds * 1000)
        self._idle_ms = int(idle_seconds * 1000)

    async def set(self, raw: asyncpg.Connection) -> None:
        """From now on in this session."""
        wanted = {
            "statement_timeout": self._statement_ms,
            "idle_in_transaction_session_timeout": self._idle_ms,
            # New in 17. As long as two statements: one that waits for a row, and one that does what is to be done.
            "transaction_timeout": 2 * self._statement_ms,
            "tcp_keepalives_idle": 60,  # seconds; routers forget connections that say nothing
        }
        await raw.execute(
            "select set_config(name, value, false) from unnest($1::text[], $2::text[]) as wanted (name, value)"
            " where name in (select name from pg_settings)",
            list(wanted),
            [str(value) for value in wanted.values()],
        )

    async def lift(self, raw: asyncpg.Connection) -> None:
        """For what may take as long as it needs; what waits for nothing but the disk."""
        await raw.execute("select set_config(name, '0', false) from pg_settings where name in ('statement_timeout', 'transaction_timeout')")
