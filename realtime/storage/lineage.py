"""Lineage: whether a database is the one that was left when the program last let go of it, or an earlier state of it that was restored.

Clients say how far they have heard a store. In a restored database other changes get the same numbers, so each store's past gets
another name there (`epoch`), and clients begin anew.
"""

from __future__ import annotations

from collections.abc import Collection

from realtime.storage.statement import Operation, Statement


def carry_on(here: Collection[str], from_now: str, epoch: str) -> Operation[bool]:
    """Whether this database was left with one of the marks `here`. If not, its stores begin a new epoch. Its mark is `from_now` after that."""
    found = yield Statement("select value from installation where name = 'lineage'", ())
    yield Statement(
        "insert into installation (name, value) values ('lineage', $1) on conflict (name) do update set value = excluded.value", (from_now,)
    )
    if not found or found[0][0] in here:
        return True
    yield Statement("update stores set epoch = $1 where state <> 'purged'", (epoch,))
    return False


def of_server() -> Operation[str]:
    """Which Postgres server this is, and which line of its history: another one after a restored backup or a failover."""
    found = yield Statement(
        "select system_identifier::text || ':' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) from pg_control_system()", ()
    )
    return str(found[0][0])
