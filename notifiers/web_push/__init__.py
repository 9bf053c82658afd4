"""Notifications in a party's own browser, also while its page is closed and the phone is locked, by the Web Push standards."""

from __future__ import annotations

import importlib.util
from email.utils import parseaddr
from typing import TYPE_CHECKING

from notifiers.web_push.words import spoken
from realtime.hookspecs import Idle, Notifier, TicketNotice, hookimpl
from realtime.model import Delivery

if TYPE_CHECKING:
    from realtime.settings import Settings

LATEST_MS = {"almost": 30 * 60_000, "called": 30 * 60_000}
"""A notification that comes later than this would mislead. Who just joined has the page before their eyes."""


def contact(settings: Settings) -> str:
    """Whom a push service can ask about this server (RFC 8292 section 2.1); empty when nobody is known."""
    address = parseaddr(settings.mail_from)[1]
    if "@" in address and address.isascii() and address.isprintable():
        return f"mailto:{address}"
    return settings.public_url if settings.public_url.startswith("https://") else ""


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    whom = contact(settings)
    if not whom:
        return Idle("neither mail_from nor a public_url with https is set, and push services want to know whom they can ask")
    if importlib.util.find_spec("cryptography") is None:
        return Idle("cryptography is not installed; pip install 'nowserving[web_push]'")
    from notifiers.web_push.push import WebPushNotifier  # it takes a while, and may not be installed

    return [WebPushNotifier(whom, settings.outbound_networks, settings.notifier_deadline_seconds)]


@hookimpl
def compose_ticket_notice(notice: TicketNotice) -> list[Delivery]:
    ticket = notice.ticket
    if not ticket.push or notice.moment not in LATEST_MS:
        return []
    body: dict[str, str | int | bool] = {
        "store": notice.store.name,
        "label": ticket.label,
        "desk": ticket.desk,
        "ahead": ticket.ahead,
        "language": spoken((notice.language, notice.store_language)),
    }
    until_ms = notice.now_ms + LATEST_MS[notice.moment]
    return [Delivery("web_push", browser, notice.moment, body, until_ms) for browser in ticket.push]
