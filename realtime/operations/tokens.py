"""API tokens: what an account gives its programs. Only a hash is kept."""

from __future__ import annotations

from msgspec import Struct

from realtime.errors import Conflict, NotFound
from realtime.storage.statement import Operation, Statement, changed

MOST = 50
"""Tokens that one account may have in use."""


class ApiToken(Struct, frozen=True):
    id: str
    name: str
    scopes: tuple[str, ...]
    created_ms: int


def make(account_id: str, id_: str, name: str, token_hash: str, scopes: tuple[str, ...], now_ms: int) -> Operation[None]:
    """Raises: Conflict, when the account has too many."""
    yield Statement("update accounts set email = email where id = $1", (account_id,))
    rows = yield Statement("select count(*) from api_tokens where account_id = $1 and revoked_ms = 0", (account_id,))
    if rows[0][0] >= MOST:
        raise Conflict(f"You have {MOST} tokens already. Revoke one that is not used any more.")
    yield Statement(
        "insert into api_tokens (id, account_id, name, token_hash, scopes, created_ms) values ($1, $2, $3, $4, $5, $6)",
        (id_, account_id, name, token_hash, " ".join(scopes), now_ms),
    )


def of_hash(token_hash: str) -> Operation[tuple[str, str, tuple[str, ...]] | None]:
    """The account that a token speaks for, its id, and what it may do; None when it is not in use."""
    rows = yield Statement("select account_id, id, scopes from api_tokens where token_hash = $1 and revoked_ms = 0", (token_hash,))
    return (rows[0][0], rows[0][1], tuple(rows[0][2].split())) if rows else None


def every(account_id: str) -> Operation[list[ApiToken]]:
    """An account's tokens in use, the oldest first."""
    rows = yield Statement(
        "select id, name, scopes, created_ms from api_tokens where account_id = $1 and revoked_ms = 0 order by created_ms, id",
        (account_id,),
    )
    return [ApiToken(row[0], row[1], tuple(row[2].split()), row[3]) for row in rows]


def revoke(account_id: str, id_: str, now_ms: int) -> Operation[None]:
    """Raises: NotFound, when the account has no such token in use."""
    count = yield from changed(
        "update api_tokens set revoked_ms = $3 where account_id = $1 and id = $2 and revoked_ms = 0", account_id, id_, now_ms
    )
    if not count:
        raise NotFound("There is no such token.")
