"""What providers tell after they took a message: whether it arrived, and who wants no more. Checked by the notifier, then written down and told."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable

from realtime.clerk import Clerk
from realtime.errors import NotAllowed, NotFound, StoreClosed, StoreNotFound, Unavailable
from realtime.hookspecs import Arrival, Callback, Wish
from realtime.isolation import Broken
from realtime.keys import Keys
from realtime.operations import notices
from realtime.operations.arrivals import NothingNew
from realtime.opt_outs import OptOuts
from realtime.registry import Registry

_log = logging.getLogger("nowserving.callbacks")

AWAITED_MS = 4 * 3_600_000
"""So long after a message was accepted its provider may tell of it by naming the recipient only; Twilio keeps one for four hours."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,160}")


class Callbacks:
    def __init__(self, registry: Registry, clerk: Clerk, keys: Keys, opt_outs: OptOuts, clock_ms: Callable[[], int]) -> None:
        self._registry = registry
        self._clerk = clerk
        self._keys = keys
        self._opt_outs = opt_outs
        self._now = clock_ms

    async def receive(self, notifier: str, callback: Callback) -> None:
        """Do what a provider's request tells; one that comes again, or too late, changes nothing.

        Raises:
            NotFound: there is no such notifier here, or nobody calls it back.
            NotAllowed: the signature does not fit.
            Unavailable: the notifier could not read it now.
        """
        if not self._registry.hears(notifier):
            raise NotFound
        heard = await self._registry.callback(notifier, callback)
        if isinstance(heard, Broken):
            raise Unavailable
        if heard is None:
            raise NotAllowed("The signature does not fit. Check the secret, and that public_url is the address that was called.")
        for each in heard:
            if isinstance(each, Arrival):
                await self._arrived(notifier, each)
            elif each.wanted:
                await self._opt_outs.take_back(notifier, each.recipient)
            elif each.source:
                await self._suppress(notifier, each)
            else:
                await self._opt_outs.put(notifier, each.recipient, "reply" if callback.kind == "inbound" else "gateway")

    async def _suppress(self, notifier: str, wish: Wish) -> None:
        if account_id := await self._opt_outs.suppress(notifier, wish.recipient, wish.source):
            _log.warning(
                "A %s was told by %s for the address of the account %s. Its reports are sent there all the same: have its owner correct it.",
                wish.source, notifier, account_id,
            )  # fmt: skip

    async def _arrived(self, notifier: str, arrival: Arrival) -> None:
        if arrival.delivery_id and not _ID.fullmatch(arrival.delivery_id):
            return
        now = self._now()
        with contextlib.suppress(NothingNew, StoreClosed, StoreNotFound):
            await self._clerk.change(
                notices.arrived,
                notifier,
                arrival.delivery_id,
                self._keys.recipient_hash(arrival.recipient),
                delivered=arrival.delivered,
                why=arrival.why,
                message_hash=self._keys.message_hash(notifier, arrival.message) if arrival.message else "",
                outranks=arrival.outranks,
                since_ms=now - AWAITED_MS,
                now_ms=now,
            )
