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
        headers = (
            ("Content-Type", "application/json"),
            ("User-Agent", "nowserving"),
            ("webhook-id", delivery.id),
            ("webhook-timestamp", str(now)),
            ("webhook-signature", " ".join(signature(secret, delivery.id, now, payload) for secret in endpoint.secrets)),
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
    """One signature of Standard Webhooks: "v1," and an HMAC-SHA256 in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b"%b.%d.%b" % (id_.encode(), at_s, payload)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def outcome(answer: Answer, now: float) -> Outcome:
    """What an answer means."""
    if 200 <= answer.status < 300:
        return Sent()
    if answer.status == 410:
        return Gone("It answered 410: it wants no more.")
    return Retry(f"It answered {answer.status}.", answer.retry_after_s(now))
