"""Short messages to a party's phone, through the gateway that the settings name, and what the gateway tells of them later."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from notifiers.sms.callbacks import OwnCallbacks, TwilioCallbacks
from notifiers.sms.gateway import SmsNotifier
from notifiers.sms.twilio import Twilio, account
from realtime.hookspecs import Idle, Notifier, TicketNotice, hookimpl
from realtime.model import Delivery
from realtime.wording import short

if TYPE_CHECKING:
    from realtime.settings import Settings

LATEST_MS = {"joined": 60 * 60_000, "almost": 30 * 60_000, "called": 30 * 60_000}
"""A message that comes later than this would mislead."""


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    url, secret = settings.sms_url, settings.sms_callback_secret
    if settings.capture_messages:
        return [SmsNotifier(url, settings.notifier_deadline_seconds)]
    if not url:
        return Idle("sms_url is not set")
    if (known := account(url)) is not None:
        from realtime.outbound import Outbound  # most installations call nobody, and start sooner without

        token = secret or ("" if known.api_key else known.token)
        back = f"{settings.public_url}/v1/callbacks/{SmsNotifier.name}/status" if token and settings.public_url else ""
        patience_s = settings.notifier_deadline_seconds
        twilio = Twilio(known, Outbound(settings.outbound_networks, patience_s), back)
        return [SmsNotifier(url, patience_s, twilio, TwilioCallbacks(token) if token else None)]
    if importlib.util.find_spec("apprise") is None:
        return Idle("Apprise is not installed; pip install 'nowserving[sms]'")
    hears = OwnCallbacks(secret) if secret else None
    return [SmsNotifier(url, settings.notifier_deadline_seconds, callback=hears, at_once=settings.notifier_concurrency)]


@hookimpl
def compose_ticket_notice(notice: TicketNotice) -> Delivery | None:
    ticket = notice.ticket
    if not ticket.phone or notice.moment not in LATEST_MS or notice.told_with_another("sms"):
        return None
    return Delivery(
        notifier="sms",
        recipient=ticket.phone,
        moment=notice.moment,
        body={"text": notice.wording("sms").text, "store": short(notice.store.name)},
        not_after_ms=notice.now_ms + LATEST_MS[notice.moment],
    )
