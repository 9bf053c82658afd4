"""What becomes of a mail after the first server took it: it arrives, it comes back, or its reader calls it unwanted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import msgspec

from realtime.checks import email
from realtime.errors import InvalidInput
from realtime.hookspecs import Arrival, Callback, Wish
from realtime.signed_callbacks import delivery_of, fits

MOST_FIELDS = 100
COMPLAINED = "The guest marked it as unwanted."
CAME_BACK, CAME_BACK_FOR_NOW = "The mail came back", "The mail came back, for now"
WHY = {
    "1.1": "There is no such mailbox",
    "1.2": "There is no such mail domain",
    "1.10": "The domain takes no mail",
    "2.1": "The mailbox is switched off",
    "2.2": "The mailbox is full",
    "4.7": "The mail could not be handed over in time",
}
"""RFC 3463, without the class: what a person can do something about."""
_CODE = re.compile(r"(?<![0-9.])[45]\.([0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")


class EmailCallbacks:
    """Signed with a secret of our own within the last five minutes: by `nowserving bounce`, or by whatever translates a provider's webhook."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    def __call__(self, callback: Callback) -> list[Arrival | Wish] | None:
        if not fits(self._secret, callback, self._clock()):
            return None
        return self._status(_fields(callback.body)) if callback.kind == "status" else []

    def _status(self, fields: Mapping[str, str]) -> list[Arrival | Wish]:
        """What it tells; nothing where it tells nothing that we know."""
        event, message = fields.get("event", "").lower(), fields.get("message_id", "")
        if event not in ("delivered", "bounced", "complained"):
            return []
        recipient, for_good = _address(fields.get("to", "")), fields.get("kind", "").lower() == "permanent"
        delivery = delivery_of(self._secret, message, recipient)
        told: list[Arrival | Wish] = []
        # A message that is named and is none of ours says nothing about the one that we sent last.
        if delivery or (recipient and not message):
            arrived, why = event == "delivered", _why(event, fields.get("reason", ""), for_good=for_good)
            # "Delivered" is what the next server says; it may still send it back.
            told.append(Arrival(arrived, delivery, recipient, why, outranks=not arrived))
        if recipient and event == "complained":
            told.append(Wish(recipient, wanted=False, source="complaint"))
        elif recipient and event == "bounced" and for_good:
            told.append(Wish(recipient, wanted=False, source="bounce"))
        return told


def _fields(body: bytes) -> Mapping[str, str]:
    """Of a form or of JSON; none where it is neither."""
    try:
        if body.lstrip().startswith(b"{"):
            read = msgspec.json.decode(body)
            return {name: value for name, value in read.items() if isinstance(value, str)}
        return dict(parse_qsl(body.decode(), max_num_fields=MOST_FIELDS))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return {}


def _address(said: str) -> str:
    """As it is kept of a guest, or empty."""
    try:
        return email(said[:400])
    except InvalidInput:
        return ""


def _why(event: str, reason: str, *, for_good: bool) -> str:
    """A sentence. Of what the provider says only the code is kept: servers like to repeat the address."""
    if event == "delivered":
        return ""
    if event == "complained":
        return COMPLAINED
    code = _CODE.search(reason[:2000])
    why = WHY.get(code[1], "") if code else ""
    return f"{why or (CAME_BACK if for_good else CAME_BACK_FOR_NOW)}{f' ({code[0]})' if code else ''}."
