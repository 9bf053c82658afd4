"""Short messages to a party's phone, through any gateway that Apprise knows from a URL."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from realtime.hookspecs import Accepted, Idle, Notifier, Outcome, OutgoingDelivery, Permanent, Retry, Suppressed, TicketNotice, hookimpl
from realtime.model import Delivery

if TYPE_CHECKING:
    from realtime.settings import Settings

LATEST_MS = {"joined": 60 * 60_000, "almost": 30 * 60_000, "called": 30 * 60_000}
"""A message that comes later than this would mislead."""
LONGEST_NAME = 30
"""So many characters of a store's name fit into a short message."""
MISCONFIGURED_RETRY_S = 1800.0
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_CODE = re.compile(r"\berror=(\d{3,6})\b")
_OPTED_OUT = frozenset({21610})
"""Twilio: the recipient answered STOP."""
_TWILIO = {20003: 401, 20005: 403, 20429: 429, 20500: 500, 20503: 503}
"""Twilio tells its own codes where others tell those of HTTP."""
_TRY_AGAIN = frozenset({408, 409, 423, 425, 429})
_REFUSES_US = frozenset({401, 402, 403, 407})


def target(url: str, number: str) -> str:
    """The gateway's URL with its recipient: where it says `{to}`, else as the last part of its path, as Apprise takes targets."""
    to = quote(number, safe="")
    if "{to}" in url:
        return url.replace("{to}", to)
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/{to}{mark}{query}"


class SmsNotifier:
    """Hands each message to the gateway, in a thread, because Apprise waits; what the gateway takes is `Accepted`, not yet delivered."""

    name = "sms"

    def __init__(self, url: str, deadline_s: float, at_once: int = 8) -> None:
        self._url = url
        self._patience_s = deadline_s
        self.deadline_s = deadline_s + 5  # the gateway's own deadline ends first, and says more
        self._threads = ThreadPoolExecutor(at_once, "sms")
        templates = Environment(loader=PackageLoader("notifiers", "templates/sms"), undefined=StrictUndefined, autoescape=False)  # noqa: S701 - plain text
        self._templates = {moment: templates.get_template(f"{moment}.txt") for moment in (*LATEST_MS, "message")}

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        owed = delivery.delivery
        if not _E164.fullmatch(owed.recipient):
            return Permanent("The phone number is not in the international form, +49151...")
        template = self._templates.get(owed.moment, self._templates["message"])
        if template.name == "message.txt" and "text" not in owed.body:
            return Permanent(f"There is no short message for {owed.moment!r}.")
        text = " ".join(template.render(**_short(owed.body)).split())
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, target(self._url, owed.recipient), text)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

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


def _short(body: dict[str, str | int | bool]) -> dict[str, str | int | bool]:
    store = str(body.get("store", ""))
    return body | {"store": store if len(store) <= LONGEST_NAME else store[: LONGEST_NAME - 3].rstrip() + "..."}


def _outcome(result: Any) -> Outcome:
    """Apprise tells only by its log lines what a gateway answered: "... error=404.". No line is passed on, for they hold the number."""
    if result:
        return Accepted()
    codes = [int(code) for line in result.logs() for code in _CODE.findall(line.message)]
    if not codes:
        return Retry("The gateway could not be reached, or did not answer in time.", provider_down=True)
    code = _TWILIO.get(codes[-1], codes[-1])
    if code in _OPTED_OUT:
        return Suppressed("The recipient does not want short messages.")
    if code in _REFUSES_US:
        return Retry(
            f"The gateway refuses us ({code}). Check the credentials in sms_url, and the account.",
            MISCONFIGURED_RETRY_S,
            provider_down=True,
        )
    if code in _TRY_AGAIN or 300 <= code < 400 or 500 <= code < 600:
        return Retry(f"The gateway answered {code}.", 60.0 if code == 429 else None, provider_down=code >= 500)
    return Permanent(f"The gateway refused the message ({code}).")


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    if not settings.sms_url:
        return Idle("sms_url is not set")
    if importlib.util.find_spec("apprise") is None:
        return Idle("Apprise is not installed; pip install 'nowserving[sms]'")
    return [SmsNotifier(settings.sms_url, settings.notifier_deadline_seconds, settings.notifier_concurrency)]


@hookimpl
def compose_ticket_notice(notice: TicketNotice) -> Delivery | None:
    ticket = notice.ticket
    if not ticket.phone or notice.moment not in LATEST_MS:
        return None
    return Delivery(
        notifier="sms",
        recipient=ticket.phone,
        moment=notice.moment,
        body={"store": notice.store.name, "label": ticket.label, "desk": ticket.desk, "ahead": ticket.ahead, "link": notice.link},
        not_after_ms=notice.now_ms + LATEST_MS[notice.moment],
    )
