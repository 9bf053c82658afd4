"""Who is admitted to which topic: what a token grants to a socket, and whether that still holds."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from realtime.clerk import Tasks
from realtime.errors import NotAllowed, NotSignedIn, StoreClosed
from realtime.keys import Keys
from realtime.lookup import Lookup
from realtime.model import Store, StoreState
from realtime.operations import stores
from realtime.storage.statement import Storage


class Granted(msgspec.Struct, frozen=True):
    """What a socket may hear."""

    kind: str
    """"owner", "ticket" or "board"."""
    account_id: str
    store_id: str
    ticket_id: int
    topics: tuple[str, ...]
    expires_ms: int
    """0: never."""


class Admission:
    def __init__(self, storage: Storage, keys: Keys, tasks: Tasks, clock_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._keys = keys
        self._now = clock_ms
        self._own: Lookup[str, Store | None] = Lookup(tasks, lambda account_id: storage.read(stores.of_account, account_id))

    async def authenticate(self, token: str) -> Granted:
        """What the holder of a token may hear.

        Raises:
            NotSignedIn: no token of ours, or too old.
            StoreClosed: a board's, while its account has no store.
        """
        now = self._now()
        if token.startswith("board."):
            # A board hangs on its wall from one evening to the next, so its link leads to whichever store is open.
            own = await self._own.of(self._keys.read_board_token(token))
            if own is None or own.state is not StoreState.OPEN:
                raise StoreClosed("The store is closed.")
            return Granted("board", "", own.id, 0, (f"store/{own.id}/board",), 0)
        try:
            account_id, expires_ms = self._keys.read_access_token(token, now)
        except NotSignedIn:
            store_id, ticket_id, expires_ms = self._keys.read_live_token(token, now)
            return Granted("ticket", "", store_id, ticket_id, (f"store/{store_id}/public", f"ticket/{store_id}/{ticket_id}"), expires_ms)
        own = await self._own.of(account_id)
        return Granted("owner", account_id, own.id if own else "", 0, (f"store/{own.id}/owner",) if own else (), expires_ms)

    async def admit(self, granted: Granted, topic: str, is_known: Callable[[str], bool]) -> str:
        """The store that a topic is about, for a socket that may hear it. One that `is_known` is not looked up.

        Raises:
            NotAllowed: it may not.
            StoreClosed: the store is purged.
            StoreNotFound
        """
        kind, _, rest = topic.partition("/")
        store_id, _, audience = rest.partition("/")
        if topic not in granted.topics:
            if granted.kind != "owner" or kind != "store" or audience not in ("owner", "public"):
                raise NotAllowed
            await self._storage.read(stores.owned, store_id, granted.account_id)
        if not is_known(store_id) and (await self._storage.read(stores.one, store_id)).state is StoreState.PURGED:
            raise StoreClosed
        return store_id
