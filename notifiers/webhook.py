"""An account's events, posted to its own addresses and signed as Standard Webhooks has it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from realtime.hookspecs import Gone, Notifier, Outcome, OutgoingDelivery, Permanent, Retry, Sent, hookimpl

if TYPE_CHECKING:
    from realtime.outbound import Answer, Outbound
    from realtime.settings import Settings

PRIVATE_KEY = "whsk_"
SEED_BYTES = 32
"""Of a private key; its public key stands behind them."""
CANNOT_SIGN = "This server cannot sign with ed25519 any more: cryptography is not installed; pip install 'nowserving[ed25519]'."


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier]:
    return [WebhookNotifier(settings.outbound_networks, settings.notifier_deadline_seconds)]


class WebhookNotifier:
    """2xx is sent; 410 is gone; everything else may be tried again. Redirects are not followed."""

    name = "webhook"

    def __init__(self, allowed: Sequence[str], deadline_s: float, clock: Callable[[], float] = time.time) -> None:
        self.deadline_s = deadline_s
        self._allowed = allowed
        self._clock = clock
        self._outbound: Outbound | None = None
        self._making = asyncio.Lock()

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        endpoint = delivery.endpoint
        if endpoint is None:
            return Permanent("The webhook was turned off or deleted.")
        payload = str(delivery.delivery.body["payload"]).encode()
        now = int(self._clock())
        try:
            signed = await self._signed(endpoint.secrets, delivery.id, now, payload)
        except ImportError:
            return Retry(CANNOT_SIGN)
        headers = (
            ("Content-Type", "application/json"),
            ("User-Agent", "nowserving"),
            ("webhook-id", delivery.id),
            ("webhook-timestamp", str(now)),
            ("webhook-signature", signed),
        )
        outbound = await self._connected()
        from realtime.outbound import Forbidden, NotReachable

        try:
            return outcome(await outbound.post(endpoint.url, payload, headers), self._clock())
        except (Forbidden, NotReachable) as error:  # a name that leads into a private network may be mended as well
            return Retry(str(error))

    async def close(self) -> None:
        if self._outbound is not None:
            await self._outbound.close()

    async def _signed(self, secrets: Sequence[str], id_: str, at_s: int, payload: bytes) -> str:
        """A signature for each. Raises: ImportError, where there is no library for one."""

        def sign() -> str:
            return " ".join(signature(secret, id_, at_s, payload) for secret in secrets)

        if any(secret.startswith(PRIVATE_KEY) for secret in secrets):
            return await asyncio.to_thread(sign)  # the first time it loads a library
        return sign()

    async def _connected(self) -> Outbound:
        """Made at its first use, for most installations post nothing, and in a thread, for that reads the trusted certificates."""
        async with self._making:
            if self._outbound is None:
                self._outbound = await asyncio.to_thread(self._made)
            return self._outbound

    def _made(self) -> Outbound:
        from realtime.outbound import Outbound

        return Outbound(self._allowed, self.deadline_s * 0.9)


def signature(secret: str, id_: str, at_s: int, payload: bytes) -> str:
    """One signature of Standard Webhooks in base64: "v1," and an HMAC-SHA256, or "v1a," and an Ed25519. Raises: ImportError."""
    signed = b"%b.%d.%b" % (id_.encode(), at_s, payload)
    if secret.startswith(PRIVATE_KEY):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # it takes a while, and may not be installed

        seed = base64.b64decode(secret.removeprefix(PRIVATE_KEY))[:SEED_BYTES]
        return "v1a," + base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).sign(signed)).decode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def outcome(answer: Answer, now: float) -> Outcome:
    """What an answer means."""
    if 200 <= answer.status < 300:
        return Sent()
    if answer.status == 410:
        return Gone("It answered 410: it wants no more.")
    return Retry(f"It answered {answer.status}.", answer.retry_after_s(now))
