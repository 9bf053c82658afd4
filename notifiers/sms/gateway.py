"""Hands a message to the gateway that the settings name: to Twilio directly, to every other one through Apprise."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote

from notifiers.sms import meaning
from notifiers.sms.callbacks import E164
from notifiers.sms.meaning import MISCONFIGURED_RETRY_S
from notifiers.sms.text import TooLong, fit
from notifiers.sms.twilio import Twilio
from realtime.hookspecs import Accepted, Arrival, Callback, Outcome, OutgoingDelivery, Permanent, Preview, Retry, Wish
from realtime.model import Delivery

_CODE = re.compile(r"\berror=(\d{3,6})\b")

Hears = Callable[[Callback], Sequence[Arrival | Wish] | None]


def target(url: str, number: str) -> str:
    """The gateway's URL with its recipient: where it says `{to}`, else as the last part of its path, as Apprise takes targets."""
    to = quote(number, safe="")
    if "{to}" in url:
        return url.replace("{to}", to)
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/{to}{mark}{query}"


class SmsNotifier:
    """What the gateway takes is `Accepted`, not yet delivered. Apprise waits, so it works in threads.

    Args:
        twilio: sends in Apprise's place.
        callback: reads what the gateway tells later; None where nobody calls back.
        at_once: messages that are handed over at the same time.
    """

    name = "sms"

    def __init__(self, url: str, deadline_s: float, twilio: Twilio | None = None, callback: Hears | None = None, at_once: int = 8) -> None:
        self._url = url
        self._patience_s = deadline_s
        self.deadline_s = deadline_s + 5  # the gateway's own deadline ends first, and says more
        self.callback = callback
        self._twilio = twilio
        self._threads = ThreadPoolExecutor(at_once, "sms")

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        owed = delivery.delivery
        if not E164.fullmatch(owed.recipient):
            return Permanent("The phone number is not in the international form, +49151...")
        try:
            text = _text(owed)
        except TooLong as error:
            return Permanent(str(error))
        if not text:
            return Permanent(f"There is no short message for {owed.moment!r}.")
        if self._twilio:
            return await self._twilio.send(delivery, text)
        send = partial(self._send, target(self._url, owed.recipient), text)
        return await asyncio.get_running_loop().run_in_executor(self._threads, send)

    def preview(self, delivery: OutgoingDelivery) -> Preview:
        try:
            return Preview(text=_text(delivery.delivery))
        except TooLong as error:
            return Preview(text=str(error), refused=True)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._twilio:
            await self._twilio.close()

    def _send(self, url: str, text: str) -> Outcome:
        # It takes a fifth of a second, and may not be installed.
        import apprise

        # Both write phone numbers into the log. Apprise still hands its lines to the result of the call.
        logging.getLogger("apprise").propagate = False
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        # A redirect would take the credentials along to wherever it points.
        gateway = apprise.Apprise(asset=apprise.AppriseAsset(app_id="nowserving", http_redirects=False, secure_logging=True))
        if not gateway.add(url):
            return Retry("sms_url is not a URL that Apprise understands. Correct it and restart.", MISCONFIGURED_RETRY_S)
        return _outcome(gateway.notify(body=text, timeout=self._patience_s))


def _text(owed: Delivery) -> str:
    """In one line, for gateways differ in what they make of others; the store's name gives way where that saves a part. Raises: TooLong."""
    text, store = str(owed.body.get("text", "")), str(owed.body.get("store", ""))
    return fit(lambda name: text.replace(store, name, 1) if store else text, store)


def _outcome(result: Any) -> Outcome:
    """Apprise tells only by its log lines what a gateway answered: "... error=404.". No line is passed on, for they hold the number."""
    if result:
        return Accepted()
    codes = [int(code) for line in result.logs() for code in _CODE.findall(line.message)]
    if not codes:
        return Retry("The gateway could not be reached, or did not answer in time.", provider_down=True)
    return meaning.outcome(codes[-1])
