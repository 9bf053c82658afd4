"""What comes in and what goes out of the interface for push subscriptions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from realtime.messages import Request

SubscriptionId = Annotated[
    str,
    Meta(
        pattern="^([A-Za-z0-9_-]{22})?$",
        max_length=22,
        description="The first 22 characters of the base64url SHA-256 of a subscription's endpoint.",
    ),
]


class PushKeys(Request, frozen=True):
    """The keys of a subscription, base64url without padding."""

    p256dh: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{87}$", max_length=87, description="An uncompressed point on P-256.")]
    auth: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{22}$", max_length=22, description="16 bytes.")]


class SubscribePush(Request, frozen=True):
    """A push subscription as browsers write it: `PushSubscription.toJSON()`."""

    endpoint: Annotated[str, Meta(min_length=1, max_length=2048, description="The https:// address at the browser's push service.")]
    keys: PushKeys
    expires_ms: float | None = field(default=None, name="expirationTime")
    """Not used: a subscription lasts as long as its ticket, or until its push service says that it is gone."""


class WhichPush(Struct, frozen=True, forbid_unknown_fields=True):
    id: SubscriptionId = ""
    """The subscription; left out: all of them."""


class PushKey(Struct, frozen=True):
    key: str
    """The public key to subscribe with, `applicationServerKey`: base64url of an uncompressed point on P-256."""


class PushState(Struct, frozen=True):
    """Whether this server notifies browsers, and which ones it notifies of the caller's tickets."""

    key: str
    """As in `PushKey`; empty when this server notifies no browsers."""
    subscriptions: list[str]
    """Their ids."""
