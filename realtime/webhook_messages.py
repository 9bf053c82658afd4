"""What is asked and answered about webhooks, as types that check themselves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.messages import Line, Request

Url = Annotated[str, Meta(min_length=1, max_length=1000, description="An https:// address without a user name.")]
EventName = Literal[
    "store.opened", "store.closed", "ticket.joined", "ticket.called", "ticket.serving", "ticket.done", "ticket.no_show", "ticket.left",
    "ticket.removed", "ticket.returned",
]  # fmt: skip
Events = Annotated[
    list[EventName], Meta(max_length=20, description="What is posted there; an empty list: everything, also what comes later.")
]
Signing = Annotated[
    Literal["hmac", "ed25519"],
    Meta(
        description='What signs: "hmac", a secret that both sides know, or "ed25519", a key pair of which the receiver knows the public half.'
    ),
]
Time = Annotated[int, Meta(ge=0, le=9_999_999_999_998, description="Milliseconds since 1970, UTC.")]


class NewWebhook(Request, frozen=True):
    url: Url
    name: Line = ""
    """Empty: the address's host."""
    events: Events = []
    signing: Signing = "hmac"


class EditWebhook(Request, frozen=True):
    """Fields left out stay as they are."""

    url: Url | UnsetType = UNSET
    name: Line | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    on: bool | UnsetType = UNSET


class WebhookView(Struct, frozen=True):
    id: str
    name: str
    url: str
    events: list[str]
    signing: str
    """"hmac" or "ed25519"."""
    state: str
    """"active", "failing" (nothing has arrived since `since_ms`) or "off"."""
    since_ms: int
    """Since when it fails or is off; 0 while it is active."""
    why: str
    """Why it was turned off, where this server did it; else empty."""
    old_secret_until_ms: int
    """Until when the secret before the last change signs too; 0: it does not."""
    created_ms: int


class RotateSecret(Request, frozen=True):
    signing: Signing | UnsetType = UNSET
    """Left out: as before."""


class WebhookSecret(Struct, frozen=True):
    """What an event is checked with; with a key pair only its public half, for the private one never leaves the server."""

    signing: str
    """"hmac" or "ed25519"."""
    secret: str
    """For hmac: "whsec_" and base64, as Standard Webhooks has it; else empty."""
    public_key: str
    """For ed25519: "whpk_" and base64; else empty."""
    old_secret: str
    """The secret before, while it still signs; else empty."""
    old_public_key: str
    """The public key before, while its private half still signs; else empty."""
    old_secret_until_ms: int
    """Until when the one before signs too, of whichever kind; 0: it does not."""


class MadeWebhook(Struct, frozen=True):
    webhook: WebhookView
    secret: str
    """Empty where it is signed with a key pair."""
    public_key: str
    """Empty where it is signed with a secret."""


class ShowPosts(Request, frozen=True):
    state: Literal["", "owed", "sent", "failed"] = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    before: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,160}$", max_length=160, description="`next` of the page before.")] = ""


class PostView(Struct, frozen=True):
    """One event and one webhook."""

    id: str
    """The `webhook-id` that it has on every attempt."""
    type: str
    state: str
    """"waiting", "sending", "retrying", "sent", "failed" (given up) or "dropped" (the webhook was off)."""
    attempts: int
    outcome: str
    created_ms: int
    next_ms: int
    """When it is tried next; 0: it is not."""
    ended_ms: int


class Posts(Struct, frozen=True):
    deliveries: list[PostView]
    """The newest first."""
    next: str = ""
    """Where the next page starts; empty on the last one."""


class AttemptAtPost(Struct, frozen=True):
    number: int
    started_ms: int
    ended_ms: int
    outcome: str


class WholePost(Struct, frozen=True):
    delivery: PostView
    payload: Any
    """What is posted, as JSON; null when it was thrown away."""
    attempts: list[AttemptAtPost]


class Replay(Request, frozen=True):
    """Post again what was made in a time and has ended."""

    since_ms: Time = 0
    until_ms: Time = 9_999_999_999_998
    only_failed: bool = True
    """False: also what arrived."""


class Replayed(Struct, frozen=True):
    replayed: int
    next_ms: int
    """`since_ms` for the next request, where there was more than one request posts again; else 0."""
