"""Small operations to try a storage with."""

from __future__ import annotations

from realtime.storage.statement import Operation, Statement, every, one


def put(name: str, value: str = "") -> Operation[str]:
    """A row that must not be there yet."""
    yield Statement("insert into installation (name, value) values ($1, $2)", (name, value))
    return name


def put_two(name: str) -> Operation[None]:
    """Two rows, both or none."""
    yield from put(f"{name}/1")
    yield from put(f"{name}/2")


def put_then_raise(name: str, error: Exception) -> Operation[None]:
    yield from put(name)
    raise error


def count_up() -> Operation[int]:
    """The next number, without gaps or repeats."""
    row = yield from one(
        "insert into installation (name, value) values ('count', '1')"
        " on conflict (name) do update set value = cast(cast(installation.value as bigint) + 1 as text) returning value"
    )
    assert row is not None
    return int(row[0])


def names() -> Operation[list[str]]:
    """All that was put, in order."""
    rows = yield from every("select name from installation where name not in ('schema', 'checked', 'lineage') order by name")
    return [name for (name,) in rows]


def value_of(name: str) -> Operation[str | None]:
    row = yield from one("select value from installation where name = $1", name)
    return row[0] if row else None
