"""What this installation knows about itself."""

from __future__ import annotations

from realtime.storage.statement import Operation, Statement


def secret_key(new: str) -> Operation[str]:
    """The secret key that was made at the first start; `new` becomes it if this is the first."""
    yield Statement("insert into installation (name, value) values ('secret_key', $1) on conflict (name) do nothing", (new,))
    found = yield Statement("select value from installation where name = 'secret_key'", ())
    return str(found[0][0])
