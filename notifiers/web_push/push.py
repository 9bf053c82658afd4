"""Hands encrypted notifications to the push service that a browser named."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from notifiers.web_push import words
from notifiers.web_push.sealing import MOST_BYTES, seal
from notifiers.web_push.vapid import Vapid
from realtime.hookspecs import Accepted, Gone, Outcome, OutgoingDelivery, Permanent, Retry
from realtime.model import Delivery

if TYPE_CHECKING:
    from realtime.outbound import Answer, Outbound

URGENCY = {"called": "high", "joined": "low"}
"""RFC 8030 section 5.3; everything else is "normal": a phone that saves its battery may wait with that until it is looked at."""
LONGEST_TTL_S = 24 * 3600
MISCONFIGURED_RETRY_S = 300.0
_GONE = frozenset({404, 410})
_REFUSES_US = frozenset({401, 403})
_TRY_AGAIN = frozenset({408, 409, 423, 425, 429})


class WebPushNotifier:
    """One request per browser; what its push service takes is `Accepted`: the phone may be off.

    Args:
        contact: "mailto:..." or "https://...", for whoever runs a push service.
        networks: private networks that may be called all the same.
        now_s: the time of day.
    """

    name = "web_push"

    def __init__(self, contact: str, networks: Sequence[str], deadline_s: float, now_s: Callable[[], float] = time.time) -> None:
        self.deadline_s = deadline_s + 1  # the request's own deadline ends first, and says more
        self._contact = contact
        self._networks = networks
        self._patience_s = deadline_s
        self._outbound: Outbound | None = None
        self._connecting = asyncio.Lock()
        self._now = now_s
        self._vapid: Vapid | None = None

    def use_secret(self, secret: bytes) -> None:
        self._vapid = Vapid(secret, self._contact)

    @property
    def push_key(self) -> str:
        return self._vapid.public_key if self._vapid else ""

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        browser, owed = delivery.subscription, delivery.delivery
        if browser is None:
            return Gone("The guest does not want notifications in this browser any more.")
        if self._vapid is None:
            return Retry("Web push has no keys yet.")
        now_s = self._now()
        text = json.dumps(message(delivery), ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > MOST_BYTES:
            return Permanent("The notification is too long.")
        try:
            own = generate_private_key(SECP256R1())
            sealed = seal(text, _bytes(browser.p256dh), _bytes(browser.auth), own, secrets.token_bytes(16))
        except ValueError:
            return Permanent("The browser's keys are none.")
        headers = (
            ("Authorization", self._vapid.authorization(browser.endpoint, now_s)),
            ("Content-Encoding", "aes128gcm"),
            ("Content-Type", "application/octet-stream"),
            ("TTL", str(ttl_s(owed, now_s))),
            ("Urgency", URGENCY.get(owed.moment, "normal")),
            ("Topic", topic(owed)),
            ("User-Agent", "nowserving"),
        )
        service = await self._connected()
        from realtime.outbound import Forbidden, NotReachable  # it is loaded by now

        try:
            return outcome(await service.post(browser.endpoint, sealed, headers), now_s)
        except Forbidden as error:
            return Permanent(str(error))
        except NotReachable as error:
            return Retry(f"The push service could not be reached. {error}")

    async def close(self) -> None:
        if self._outbound is not None:
            await self._outbound.close()

    async def _connected(self) -> Outbound:
        """Made when it is first needed, in a thread: it takes a while, and reads the certificates that this machine trusts."""
        async with self._connecting:
            if self._outbound is None:
                self._outbound = await asyncio.to_thread(self._make)
            return self._outbound

    def _make(self) -> Outbound:
        from realtime.outbound import Outbound

        return Outbound(self._networks, self._patience_s)


def message(delivery: OutgoingDelivery) -> dict[str, str]:
    """What the service worker is told: nothing that is secret, for it stands on a locked screen, and the phone has its ticket's cookie."""
    owed = delivery.delivery
    body = owed.body
    label, store, desk = (str(body.get(name, "")) for name in ("label", "store", "desk"))
    language = str(body.get("language", ""))
    said = str(body.get("text", "")) or words.said(owed.moment, desk, int(body.get("ahead", 0)), language)
    title = words.title(owed.moment, language)
    return {
        "id": delivery.id,
        "tag": topic(owed),
        "moment": owed.moment,
        "label": label,
        "title": " · ".join(part for part in (label, title or store) if part) or "nowserving",
        "body": "\n".join(part for part in (said, store if title else "") if part),
        "url": "/ticket",
        "lang": language,
    }


def topic(owed: Delivery) -> str:
    """The same for everything about a ticket: what a push service still holds is replaced by what is newer (RFC 8030 section 5.4)."""
    about = f"{owed.body.get('store', '')}\0{owed.body.get('label', '')}".encode()
    return base64.urlsafe_b64encode(hashlib.sha256(about).digest()).decode()[:32]


def ttl_s(owed: Delivery, now_s: float) -> int:
    """How long the push service may hold it while the phone is off (RFC 8030 section 5.2)."""
    left_s = int(owed.not_after_ms / 1000 - now_s) if owed.not_after_ms else LONGEST_TTL_S
    return max(0, min(left_s, LONGEST_TTL_S))


def outcome(answer: Answer, now_s: float) -> Outcome:
    """What a push service's answer means (RFC 8030 sections 5 and 7.3, RFC 8292 section 4.2)."""
    status = answer.status
    if 200 <= status < 300:
        return Accepted()
    if status in _GONE:
        return Gone("The browser's subscription has ended.")
    if status in _REFUSES_US:
        return Retry(
            f"The push service refuses us ({status}). Check mail_from, public_url and this machine's clock.", MISCONFIGURED_RETRY_S
        )
    if status in _TRY_AGAIN or 300 <= status < 400 or status >= 500:
        return Retry(f"The push service answered {status}.", answer.retry_after_s(now_s))
    return Permanent(f"The push service refused the notification ({status}).")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
