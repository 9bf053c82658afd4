"""Programs: the tokens with which an account lets them in. Each is made, shown once, and revoked; only its hash is kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType

from realtime import checks
from realtime.errors import NotAllowed, NotSignedIn
from realtime.keys import digest
from realtime.operations import tokens
from realtime.queue_messages import MadeToken, NewToken, TokenView
from realtime.storage.statement import Storage

USES: Mapping[str, str] = MappingProxyType(
    {"publish": "publishing messages", "consume": "consuming messages", "jobs": "the job service", "schedules": "schedules"}
)
"""What each scope of a token is for."""
PREFIX = "ns_"


class Programs:
    """All programs of all accounts.

    Args:
        clock_ms: the time of day.
    """

    def __init__(self, storage: Storage, clock_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._now = clock_ms

    async def make_token(self, account_id: str, request: NewToken) -> MadeToken:
        """Raises: InvalidInput, Conflict."""
        id_, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        token, scopes = f"{PREFIX}{id_}_{secret}", tuple(dict.fromkeys(request.scopes))
        await self._storage.write(tokens.make, account_id, id_, checks.name(request.name, "name"), digest(token), scopes, self._now())
        return MadeToken(id_, token)

    async def tokens(self, account_id: str) -> list[TokenView]:
        found = await self._storage.read(tokens.every, account_id)
        return [TokenView(token.id, token.name, list(token.scopes), token.created_ms) for token in found]

    async def revoke_token(self, account_id: str, id_: str) -> None:
        """Raises: NotFound."""
        await self._storage.write(tokens.revoke, account_id, id_, self._now())

    async def who(self, token: str, scope: str) -> tuple[str, str]:
        """The account that a token speaks for, and the token's id. Raises: NotSignedIn, NotAllowed."""
        found = await self._storage.read(tokens.of_hash, digest(token)) if token.startswith(PREFIX) else None
        if found is None:
            raise NotSignedIn("There is no such token in use. Make one on the account page.")
        account_id, id_, scopes = found
        if scope not in scopes:
            raise NotAllowed(f'This token was not made for {USES[scope]}. Make one with the scope "{scope}" on the account page.')
        return account_id, id_
