"""Which browsers are notified of a party's ticket: asked for by the party itself, and taken back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from realtime.errors import InvalidInput, NotFound, TicketNotFound
from realtime.keys import Keys
from realtime.model import Subscription
from realtime.operations import subscriptions
from realtime.push_messages import PushKey, PushState, SubscribePush
from realtime.settings import Settings
from realtime.storage.statement import Storage
from realtime.targets import Forbidden, Leads, check, leads

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
"""The curve P-256, y² = x³ - 3x + b (SEC 2, section 2.4.2)."""


class Push:
    """
    Args:
        keys_of: the public keys with which browsers subscribe, by notifier; empty when none is here.
    """

    def __init__(
        self, settings: Settings, storage: Storage, keys: Keys, keys_of: Callable[[], Mapping[str, str]], clock_ms: Callable[[], int]
    ) -> None:
        self._networks = settings.outbound_networks
        self._storage = storage
        self._keys = keys
        self._keys_of = keys_of
        self._now = clock_ms

    def key(self) -> PushKey:
        """Raises: NotFound, where this server notifies no browsers."""
        for key in self._keys_of().values():
            return PushKey(key)
        raise NotFound("This server does not notify browsers.")

    async def state(self, tokens: Sequence[str]) -> PushState:
        """Which browsers are notified of the tickets that a phone holds in one store. Raises: TicketNotFound."""
        found = await self._storage.read(subscriptions.of_tickets, *await self._mine(tokens))
        return PushState(next(iter(self._keys_of().values()), ""), found)

    async def subscribe(self, tokens: Sequence[str], request: SubscribePush) -> PushState:
        """Notify a browser of the tickets that a phone holds in one store; asked again it is the same.

        Raises:
            InvalidInput: it is no subscription, or leads where nothing may be sent.
            NotFound: this server notifies no browsers.
            TicketNotFound, WrongState, StoreClosed
        """
        self.key()
        new = subscription(request, self._networks)
        store_id, ids = await self._mine(tokens)
        await self._storage.write(subscriptions.subscribe, store_id, ids, new, self._now())
        return await self.state(tokens)

    async def unsubscribe(self, tokens: Sequence[str], id_: str) -> None:
        """Notify this browser no more; without an id, none. Raises: TicketNotFound."""
        await self._storage.write(subscriptions.forget, *await self._mine(tokens), id_)

    async def _mine(self, tokens: Sequence[str]) -> tuple[str, list[int]]:
        """The store of the newest ticket that still exists, and all tickets that the phone holds there."""
        by_store: dict[str, list[int]] = {}
        for token in tokens:
            try:
                store_id, ticket_id = self._keys.read_ticket_token(token)
            except TicketNotFound:
                continue
            by_store.setdefault(store_id, []).append(ticket_id)
        for store_id, ids in by_store.items():
            if found := await self._storage.read(subscriptions.held, store_id, ids):
                return store_id, found
        raise TicketNotFound


def subscription(request: SubscribePush, networks: Sequence[str] = ()) -> Subscription:
    """A subscription as a browser sent it, checked.

    Args:
        networks: private networks that may be called all the same, also without TLS.

    Raises:
        InvalidInput
    """
    endpoint = _endpoint(request.endpoint, networks)
    point, auth = _decoded(request.keys.p256dh, "keys.p256dh"), _decoded(request.keys.auth, "keys.auth")
    if len(auth) != 16:
        raise InvalidInput("Use 16 bytes as base64url.", field="keys.auth")
    if not on_curve(point):
        raise InvalidInput("That is no public key on the curve P-256.", field="keys.p256dh")
    return Subscription(subscription_id(endpoint), endpoint, _encoded(point), _encoded(auth))


def subscription_id(endpoint: str) -> str:
    """A name for a subscription that gives nothing of its secret address away."""
    return _encoded(hashlib.sha256(endpoint.encode()).digest())[:22]


def on_curve(point: bytes) -> bool:
    """Whether it is an uncompressed point on P-256: with any other one a key exchange could be made to say something about our key."""
    if len(point) != 65 or point[0] != 4:
        return False
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    return x < _P and y < _P and (y * y - x * x * x + 3 * x - _B) % _P == 0


def _endpoint(url: str, networks: Sequence[str]) -> str:
    no = InvalidInput("That is no https:// address of a push service.", field="endpoint")
    try:
        check(url)
    except Forbidden as error:
        raise no from error
    parts = urlsplit(url)
    where = leads(parts.hostname or "", networks)
    if parts.fragment or where is Leads.INSIDE or (parts.scheme != "https" and where is not Leads.ALLOWED):
        raise no
    return url


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InvalidInput("That is not base64url.", field=field) from error


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
