"""Join codes: shown, scanned once, used once."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from realtime.errors import CodeExpired, CodeUsed
from realtime.events import code_event
from realtime.model import Code, CodeState
from realtime.operations.changes import Change, append, take
from realtime.storage.statement import Operation, Statement, changed

CodeHash = Callable[[str, int], str]
"""(store id, number) -> hash of that code."""
_AHEAD_MS = 60_000
"""A code is replaced this long before it expires."""


class CodeRow(msgspec.Struct, frozen=True):
    number: int
    state: CodeState
    pass_hash: str
    expires_ms: int


def look(store_id: str, code_hash: str) -> Operation[CodeRow | None]:
    """What became of a code; None when the store never showed it."""
    found = yield Statement(
        "select number, state, pass_hash, expires_ms from codes where store_id = $1 and hash = $2", (store_id, code_hash)
    )
    if not found:
        return None
    number, state, pass_hash, expires_ms = found[0]
    return CodeRow(number, CodeState(state), pass_hash, expires_ms)


def current(store_id: str) -> Operation[Code | None]:
    """The code on show."""
    found = yield Statement(
        "select c.number, c.expires_ms from stores s join codes c on c.store_id = s.id and c.number = s.code_number"
        " where s.id = $1 and s.state = 'open'",
        (store_id,),
    )
    return Code(*found[0]) if found else None


def scan(
    store_id: str, code_hash: str, pass_hash: str, hash_of: CodeHash, now_ms: int, form_until_ms: int, next_until_ms: int
) -> Operation[Change]:
    """Give a fresh code to the phone that scanned it, and show the next one. `value` is the end of the phone's time to join.

    Raises:
        CodeUsed: another phone was first.
        CodeExpired: it was shown too long ago, or never.
        StoreClosed, StoreNotFound
    """
    taken = yield from take(store_id, 1, now_ms)
    won = yield from changed(
        "update codes set state = 'scanned', pass_hash = $3, expires_ms = $5"
        " where store_id = $1 and hash = $2 and state = 'fresh' and expires_ms > $4",
        store_id, code_hash, pass_hash, now_ms, form_until_ms,
    )  # fmt: skip
    if not won:
        row = yield from look(store_id, code_hash)
        raise CodeUsed if row and row.state is not CodeState.FRESH else CodeExpired
    event = yield from show(store_id, taken.first_seq, hash_of, now_ms, next_until_ms)
    return Change(form_until_ms, event.events)


def ends_soon(code: Code, now_ms: int) -> bool:
    """Whether a code on show is to be replaced: a while before it expires, so that who is scanning it still can."""
    return code.expires_ms - _AHEAD_MS <= now_ms


def renew(store_id: str, number: int, hash_of: CodeHash, now_ms: int, next_until_ms: int) -> Operation[Change]:
    """Show the next code in place of number `number`.

    Raises:
        CodeUsed: another number is on show already.
        StoreClosed, StoreNotFound
    """
    taken = yield from take(store_id, 1)
    code = yield from current(store_id)
    if code and code.number != number:
        raise CodeUsed
    return (yield from show(store_id, taken.first_seq, hash_of, now_ms, next_until_ms))


def show(store_id: str, seq: int, hash_of: CodeHash, now_ms: int, until_ms: int) -> Operation[Change]:
    """Put a new code on show, as event `seq` of a store whose row is taken. `value` is its number."""
    rows = yield Statement("update stores set code_number = code_number + 1 where id = $1 returning code_number", (store_id,))
    number = rows[0][0]
    yield Statement(
        "insert into codes (store_id, number, hash, state, created_ms, expires_ms) values ($1, $2, $3, 'fresh', $4, $5)",
        (store_id, number, hash_of(store_id, number), now_ms, until_ms),
    )
    event = code_event(store_id, seq, now_ms, number, until_ms)
    yield from append(event)
    return Change(number, (event,))
