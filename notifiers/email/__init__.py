"""Mail to parties and owners: links, calls, and a closed store's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifiers.email.moments import MOMENTS
from realtime.hookspecs import AccountNotice, Idle, Notifier, StoreClosed, TicketNotice, hookimpl
from realtime.model import Delivery

if TYPE_CHECKING:
    from realtime.settings import Settings

LATEST_MS = {"joined": 60 * 60_000, "almost": 30 * 60_000, "called": 30 * 60_000}
"""A message to a party that comes later than this would mislead."""
NOWHERE = "smtp://localhost"
NOBODY = "nowserving <nowserving@localhost>"
"""Where there is no mail server and nothing leaves, mails are still written."""


@hookimpl
def register_notifiers(settings: Settings) -> list[Notifier] | Idle:
    url, sender = settings.smtp_url, settings.mail_from
    if settings.capture_messages:
        url, sender = url or NOWHERE, sender or NOBODY
    if not url:
        return Idle("smtp_url is not set")
    if not sender:
        return Idle("mail_from is not set")
    from notifiers.email.smtp import EmailNotifier  # it takes a while, and many have no mail server

    patience_s, told = settings.smtp_deadline_seconds, settings.email_callback_secret
    return [EmailNotifier(url, sender, deadline_s=patience_s, allow_plain=settings.smtp_allow_plain, callback_secret=told)]


@hookimpl
def compose_ticket_notice(notice: TicketNotice) -> Delivery | None:
    ticket = notice.ticket
    if not ticket.email or notice.moment not in LATEST_MS or notice.told_with_another("email"):
        return None
    said = notice.wording("email")
    return Delivery(
        notifier="email",
        recipient=ticket.email,
        moment=notice.moment,
        body={
            "subject": said.subject,
            "text": said.text,
            "language": said.language,
            "action": said.action,
            "store": notice.store.name,
            "queue": notice.queue.name,
            "label": notice.numbers("email"),
            "link": notice.link,
        },
        not_after_ms=notice.now_ms + LATEST_MS[notice.moment],
    )


@hookimpl
def compose_store_closed(closed: StoreClosed) -> Delivery:
    counts = closed.counts
    return Delivery(
        notifier="email",
        recipient=closed.owner_email,
        moment="store_closed",
        body={
            "store": closed.store.name,
            "timezone": closed.store.timezone,
            "opened_ms": closed.opened_ms,
            "closed_ms": closed.closed_ms,
            "tickets": counts.tickets,
            "served": counts.served,
            "no_shows": counts.no_shows,
            "left": counts.left,
            "removed": counts.removed,
            "unserved": counts.unserved,
            "median_wait_ms": counts.median_wait_ms,
            "longest_wait_ms": counts.longest_wait_ms,
            "files": "\n".join(f"{file.name}: {file.about}" if file.about else file.name for file in closed.files),
            "link": closed.link,
        },
        needs_report=True,
    )


@hookimpl
def compose_account_notice(notice: AccountNotice) -> Delivery | None:
    if notice.moment not in MOMENTS:
        return None
    body: dict[str, str | int | bool] = {"link": notice.link}
    if notice.about:
        body |= {"about": notice.about, "why": notice.why}
    return Delivery(notifier="email", recipient=notice.email, moment=notice.moment, body=body, not_after_ms=notice.expires_ms)
