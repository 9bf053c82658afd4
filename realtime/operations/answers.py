"""The same answer again for a request that is sent twice (Idempotency-Key)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import json

from realtime.errors import Conflict, InvalidInput
from realtime.operations import tickets
from realtime.operations.changes import Change
from realtime.storage.statement import Operation, Statement, T


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


KEEP_MS = 24 * 3_600_000
"""How long an account's answers are kept; a store's go with the store."""


def same(owner: str, key: str, request_hash: str, now_ms: int, make: Callable[[], Operation[T]], kind: type[T]) -> Operation[T]:
    """Run an operation whose value is the answer itself, of this kind, once per key and day; afterwards that answer.

    Raises:
        InvalidInput: the key came with another request before.
    """
    first = yield Statement(
        "insert into answers (store_id, key, request_hash, answer, created_ms) values ($1, $2, $3, '', $4)"
        " on conflict (store_id, key) do update set request_hash = excluded.request_hash, created_ms = excluded.created_ms"
        " where answers.created_ms < $4 - $5 returning 1",
        (owner, key, request_hash, now_ms, KEEP_MS),
    )
    if not first:
        found = yield Statement("select request_hash, answer from answers where store_id = $1 and key = $2", (owner, key))
        if found[0][0] != request_hash:
            raise InvalidInput("This key was used for another request. Use a new key for a new request.", field="Idempotency-Key")
        return json.decode(found[0][1], type=kind)
    answer = yield from make()
    yield Statement("update answers set answer = $3 where store_id = $1 and key = $2", (owner, key, json.encode(answer).decode()))
    return answer


def forget(before_ms: int, limit: int) -> Operation[int]:
    """Delete some of the accounts' answers given before a time. Returns how many."""
    rows = yield Statement(
        "delete from answers where (store_id, key) in (select store_id, key from answers where store_id >= 'account-'"
        " and store_id < 'account.' and created_ms < $1 limit $2) returning 1",
        (before_ms, limit),
    )
    return len(rows)
