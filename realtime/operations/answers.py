"""The same answer again for a request that is sent twice (Idempotency-Key)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime.errors import Conflict
from realtime.operations import tickets
from realtime.operations.changes import Change
from realtime.storage.statement import Operation, Statement


def once(store_id: str, key: str, request_hash: str, now_ms: int, make: Callable[..., Operation[Change]], *args: Any) -> Operation[Change]:
    """Run an operation whose value is a ticket once per key; afterwards the value is that ticket as it is by then, without events.

    Raises:
        Conflict: the key came with another request before.
    """
    first = yield Statement(
        "insert into answers (store_id, key, request_hash, answer, created_ms) values ($1, $2, $3, '', $4)"
        " on conflict (store_id, key) do nothing returning 1",
        (store_id, key, request_hash, now_ms),
    )
    if not first:
        found = yield Statement("select request_hash, answer from answers where store_id = $1 and key = $2", (store_id, key))
        if found[0][0] != request_hash:
            raise Conflict("This Idempotency-Key was used for another request. Use a new key for a new request.")
        return Change((yield from tickets.one(store_id, int(found[0][1]))))
    change = yield from make(*args)
    ticket = change.value[0] if isinstance(change.value, tuple) else change.value
    yield Statement("update answers set answer = $3 where store_id = $1 and key = $2", (store_id, key, str(ticket.id)))
    return change
