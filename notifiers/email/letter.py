"""What a mail says: a delivery in, a complete message with text, page and headers out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError, select_autoescape

from notifiers.email.moments import MOMENTS, TOLD
from realtime.hookspecs import OutgoingDelivery
from realtime.signed_callbacks import mark

_OF_LINES = frozenset({"text", "files"})
"""What has lines in it; it stands in no header."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class _Whole(UnstructuredHeader):
    """A header with an address in it, in one piece: folded as text it would be hidden in encoded words, into which no mail program looks."""

    def fold(self: Any, *, policy: Any) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class Unsendable(Exception):
    """This mail can never be sent, with the reason as one sentence."""


class Letters:
    """Writes the mails of one sender, from templates that come with the package.

    Args:
        secret: marks them, so that those that come back are known; empty: they are not.
    """

    def __init__(self, sender: Address, secret: str = "") -> None:
        self._from = sender
        self._secret = secret
        headers = HeaderRegistry()
        headers.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type]  # a mixin, as typeshed has it nowhere
        self._policy = policy.SMTP.clone(header_factory=headers)
        self._templates = _templates()

    def write(self, delivery: OutgoingDelivery) -> EmailMessage:
        """May wait for the disk, where timezones are kept. Raises: Unsendable."""
        owed = delivery.delivery
        for name, value in owed.body.items():
            if name not in _OF_LINES and isinstance(value, str) and _CONTROL.search(value):
                raise Unsendable(f"{name} has control characters in it, which a mail must not have.")
        moment = owed.moment if owed.moment in MOMENTS else "message"
        template = "ticket" if owed.moment in TOLD else moment
        if moment == "message" and not {"subject", "text"} <= owed.body.keys():
            raise Unsendable(f"There is no mail for {owed.moment!r}; its body needs a subject and a text.")
        try:
            subject, _, text = self._templates.get_template(f"{moment}.txt").render(owed.body).partition("\n")
            page = self._templates.get_template(f"{template}.html").render(owed.body, title=subject.strip())
        except UndefinedError as error:
            raise Unsendable(f"The body of this mail is not complete: {error.message}.") from error
        message = EmailMessage(policy=self._policy)
        message["Subject"] = subject.strip()
        message["From"] = self._from
        message["To"] = recipient(owed.recipient)
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = f"<{self._name(delivery)}@{self._from.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        if delivery.stop_link:
            message["List-Unsubscribe"] = f"<{delivery.stop_link}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        message.set_content(text.strip() + "\n")
        message.add_alternative(page, subtype="html")
        return message

    def _name(self, delivery: OutgoingDelivery) -> str:
        """The same on every attempt."""
        name = re.sub(r"[^A-Za-z0-9._-]", "-", delivery.id)
        return f"{name}.{mark(self._secret, name, delivery.delivery.recipient)}" if self._secret else name


def recipient(address: str) -> Address:
    """Exactly one address: a list, a second header or a second command cannot hide in it. Raises: Unsendable."""
    local, _, domain = address.rpartition("@")
    try:
        return Address(addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (ValueError, IndexError, MessageError):
        raise Unsendable("The e-mail address is not valid. Correct it, then send again.") from None


def _templates() -> Environment:
    """The text and the page of every moment; the first line of a text is the subject. They come with the package, from nobody else, and each
    is compiled when the first mail needs it: all of them take as long as a tenth of the server's start."""
    environment = Environment(
        loader=PackageLoader("notifiers", "templates/email"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"paragraphs": _paragraphs, "minutes": _minutes, "day": _day, "clock": _clock, "people": _people}
    return environment


def _paragraphs(text: str) -> list[str]:
    """What stands between empty lines."""
    return [part.strip("\n") for part in re.split(r"\n{2,}", text) if part.strip()]


def _minutes(ms: int) -> str:
    whole = round(ms / 60_000)
    return "under a minute" if whole < 1 else "1 minute" if whole == 1 else f"{whole} minutes"


def _day(at_ms: int, timezone: str) -> str:
    day = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone))
    return f"{day.day} {day:%B %Y}"


def _clock(at_ms: int, timezone: str) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone)):%H:%M}"


def _people(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
