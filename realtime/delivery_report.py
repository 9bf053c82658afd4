"""A mail that reports what became of another one (RFC 3464, in a multipart/report as RFC 6522 has it), read as far as it can be."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import compat32
from email.utils import parseaddr

from msgspec import Struct

MOST_RECIPIENTS = 20
LONGEST = 1000
"""Characters of a field that are read."""
_STATUS = "message/delivery-status"
_EVENTS = {"failed": "bounced", "delivered": "delivered"}
"""After these nothing else comes. Delayed, relayed and expanded say nothing about the mailbox."""


class Report(Struct, frozen=True):
    event: str
    """"bounced" or "delivered"."""
    permanent: bool
    """Whether the address itself is at fault (a status of class 5), and not only the time (class 4)."""
    reason: str
    """The status, "5.1.1", and what the server said."""
    message_id: str
    """Of the mail that it is about; empty where it does not hold that mail's headers."""
    recipients: tuple[str, ...]
    """To whom that mail went, as it says itself, as its sender said, and as the last server knew them."""


def read(mail: bytes) -> Report | None:
    """What a mail reports; None where it is no report, or tells nothing that is final. Anybody may have written it, so it never raises."""
    try:
        return _read(BytesParser(policy=compat32).parsebytes(mail))
    except Exception:  # noqa: BLE001 - a stranger wrote it, and the parser raises what it likes
        return None


def _read(mail: Message) -> Report | None:
    parts = _parts(mail)
    if mail.get_content_type() != "multipart/report":
        return None
    status = next((part for part in parts if part.get_content_type() == _STATUS), None)
    if status is None:
        return None
    original = next((found for part in parts if (found := _original(part)) is not None), Message())
    for fields in _parts(status)[1 : 1 + MOST_RECIPIENTS]:  # the first block is about the report itself
        event = _EVENTS.get(_field(fields, "action").lower())
        if event is None:
            continue
        code = _field(fields, "status")
        named = (parseaddr(_field(original, "to"))[1], _address(fields, "original-recipient"), _address(fields, "final-recipient"))
        return Report(
            event=event,
            permanent=event == "bounced" and code.startswith("5."),
            reason=f"{code} {_field(fields, 'diagnostic-code')}".strip(),
            message_id=_field(original, "message-id"),
            recipients=tuple(dict.fromkeys(filter(None, named))),
        )
    return None


def _parts(mail: Message) -> list[Message]:
    held = mail.get_payload()
    return [part for part in held if isinstance(part, Message)] if isinstance(held, list) else []


def _original(part: Message) -> Message | None:
    """The headers of the mail that came back."""
    if part.get_content_type() == "message/rfc822":
        return next(iter(_parts(part)), None)
    if part.get_content_type() in ("text/rfc822-headers", "message/rfc822-headers"):
        held = part.get_payload(decode=True)
        return HeaderParser(policy=compat32).parsestr(held.decode("latin-1")) if isinstance(held, bytes) else None
    return None


def _field(fields: Message, name: str) -> str:
    """In one line."""
    return " ".join(str(fields.get(name, "")).split())[:LONGEST]


def _address(fields: Message, name: str) -> str:
    """Without its type: "rfc822; ann@example.com"."""
    return _field(fields, name).partition(";")[2].strip().strip("<>")
