"""Webhooks of an account: made, edited, turned on and off, tried out, and their deliveries looked at and posted again."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from realtime import checks, webhook_keys
from realtime.errors import InvalidInput
from realtime.operations import posts, webhooks
from realtime.operations.posts import Post
from realtime.operations.webhooks import Webhook
from realtime.settings import Settings
from realtime.storage.statement import Storage
from realtime.targets import Forbidden, Leads, check, leads
from realtime.webhook_messages import (
    AttemptAtPost,
    EditWebhook,
    MadeWebhook,
    NewWebhook,
    Posts,
    PostView,
    Replay,
    Replayed,
    RotateSecret,
    ShowPosts,
    WebhookSecret,
    WebhookView,
    WholePost,
)

_STATES = {"waiting": "waiting", "leased": "sending", "done": "sent", "expired": "failed", "dead": "failed", "cancelled": "dropped"}


class Webhooks:
    """All webhooks of all accounts.

    Args:
        clock_ms: the time of day.
        wake: called when there is something to post, here or in another process.
    """

    def __init__(self, settings: Settings, storage: Storage, clock_ms: Callable[[], int], wake: Callable[[], None]) -> None:
        self._allowed = settings.outbound_networks
        self._storage = storage
        self._now = clock_ms
        self._wake = wake
        self.ed25519 = webhook_keys.offered()
        """Whether this server can sign with ed25519."""

    async def make(self, account_id: str, request: NewWebhook) -> MadeWebhook:
        """Raises: InvalidInput, Conflict."""
        url, now = self._address(request.url), self._now()
        name, secret = _name(request.name, url), await _secret(request.signing)
        new = Webhook(secrets.token_hex(8), account_id, name, url, _events(request.events), secret, "", 0, now, 0, 0, "")
        made = await self._storage.write(webhooks.make, new)
        return MadeWebhook(_view(made, now), webhook_keys.shared(secret), webhook_keys.public(secret))

    async def every(self, account_id: str) -> list[WebhookView]:
        now = self._now()
        return [_view(webhook, now) for webhook in await self._storage.read(webhooks.every, account_id)]

    async def one(self, account_id: str, id_: str) -> WebhookView:
        """Raises: NotFound."""
        return _view(await self._storage.read(webhooks.one, account_id, id_), self._now())

    async def edit(self, account_id: str, id_: str, request: EditWebhook) -> WebhookView:
        """Raises: InvalidInput, NotFound."""
        url = None if request.url is UNSET else self._address(request.url)
        name = None
        if request.name is not UNSET:
            name = _name(request.name, url or (await self._storage.read(webhooks.one, account_id, id_)).url)
        events = None if request.events is UNSET else _events(request.events)
        on = None if request.on is UNSET else request.on
        now = self._now()
        return _view(await self._storage.write(webhooks.edit, account_id, id_, name, url, events, on, now), now)

    async def remove(self, account_id: str, id_: str) -> None:
        """Raises: NotFound."""
        await self._storage.write(webhooks.remove, account_id, id_)

    async def secret(self, account_id: str, id_: str) -> WebhookSecret:
        """Raises: NotFound."""
        return _secrets(await self._storage.read(webhooks.one, account_id, id_), self._now())

    async def rotate(self, account_id: str, id_: str, request: RotateSecret) -> WebhookSecret:
        """A new secret, of the other kind where that is asked for; the one before signs too for a day. Raises: NotFound, InvalidInput."""
        signing, now = request.signing or "", self._now()
        fresh = dict[str, str]()
        # It may be of either kind by the time that this is written; what cannot be made here is refused where it is wanted.
        for kind in (signing,) if signing else (webhook_keys.HMAC, webhook_keys.ED25519):
            with contextlib.suppress(InvalidInput):
                fresh[kind] = await _secret(kind)
        return _secrets(await self._storage.write(webhooks.rotate, account_id, id_, fresh, signing, now), now)

    async def ping(self, account_id: str, id_: str) -> PostView:
        """Post a test there, once. Raises: NotFound, Conflict."""
        post_id = await self._storage.write(posts.ping, account_id, id_, secrets.token_hex(4), self._now())
        self._wake()
        post, _, _ = await self._storage.read(posts.one, account_id, id_, post_id)
        return _post(post)

    async def posts(self, account_id: str, id_: str, request: ShowPosts) -> Posts:
        """Raises: NotFound."""
        found = await self._storage.read(posts.page, account_id, id_, request.state, request.before, request.limit)
        return Posts([_post(post) for post in found], found[-1].id if len(found) == request.limit else "")

    async def post(self, account_id: str, id_: str, post_id: str) -> WholePost:
        """Raises: NotFound."""
        post, payload, tries = await self._storage.read(posts.one, account_id, id_, post_id)
        attempts = [AttemptAtPost(each.number, each.started_ms, each.ended_ms, each.detail or each.outcome) for each in tries]
        return WholePost(_post(post), msgspec.json.decode(payload) if payload else None, attempts)

    async def replay(self, account_id: str, id_: str, post_id: str) -> PostView:
        """Raises: NotFound, Conflict."""
        post = await self._storage.write(posts.replay, account_id, id_, post_id, self._now())
        self._wake()
        return _post(post)

    async def replay_all(self, account_id: str, id_: str, request: Replay) -> Replayed:
        """Raises: NotFound, Conflict."""
        count, next_ms = await self._storage.write(
            posts.replay_all, account_id, id_, request.since_ms, request.until_ms, request.only_failed, self._now()
        )
        self._wake()
        return Replayed(count, next_ms)

    def _address(self, url: str) -> str:
        """What can be known of an address before its name is looked up; the rest is checked at every attempt. Raises: InvalidInput."""
        url = url.strip()
        try:
            check(url)
        except Forbidden:
            raise InvalidInput("Enter an address that begins with https:// and has no user name in it.", field="url") from None
        parts = urlsplit(url)
        where = leads(parts.hostname or "", self._allowed)
        if where is Leads.INSIDE:
            raise InvalidInput("This address leads into a private network. Use one that the internet can reach.", field="url")
        if parts.scheme != "https" and where is not Leads.ALLOWED:
            raise InvalidInput("Use an https:// address, so that nobody on the way can read or change what is posted.", field="url")
        if parts.fragment:
            raise InvalidInput("Leave out what stands behind #: it is never sent.", field="url")
        return url


def _name(said: str, url: str) -> str:
    """Raises: InvalidInput."""
    return checks.line(said, "name", 80) or (urlsplit(url).hostname or "")[:80]


def _events(said: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(said))


async def _secret(signing: str) -> str:
    """Raises: InvalidInput, where this server cannot sign so."""
    try:
        return await asyncio.to_thread(webhook_keys.make, signing, secrets.token_bytes(webhook_keys.SECRET_BYTES))
    except ImportError:
        raise InvalidInput(webhooks.NO_ED25519, field="signing") from None


def _secrets(webhook: Webhook, now_ms: int) -> WebhookSecret:
    now, old = webhook.secret, webhook.old_secret if webhook.old_until_ms > now_ms else ""
    return WebhookSecret(
        webhook.signing, webhook_keys.shared(now), webhook_keys.public(now), webhook_keys.shared(old), webhook_keys.public(old),
        webhook.old_until_ms if old else 0,
    )  # fmt: skip


def _view(webhook: Webhook, now_ms: int) -> WebhookView:
    state = "off" if webhook.off_ms else "failing" if webhook.failing_ms else "active"
    old_until_ms = webhook.old_until_ms if webhook.old_until_ms > now_ms else 0
    return WebhookView(
        webhook.id, webhook.name, webhook.url, list(webhook.events), webhook.signing, state, webhook.off_ms or webhook.failing_ms, webhook.off_why,
        old_until_ms, webhook.created_ms,
    )  # fmt: skip


def _post(post: Post) -> PostView:
    state = _STATES[post.state]
    if state == "waiting" and post.attempts:
        state = "retrying"
    return PostView(
        post.id,
        post.type,
        state,
        post.attempts,
        post.outcome,
        post.created_ms,
        post.due_ms if post.state == "waiting" else 0,
        post.ended_ms,
    )
